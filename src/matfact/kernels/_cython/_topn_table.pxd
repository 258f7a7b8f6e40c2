# The table of C kernels of one SIMD level and one real type; simd/topn_*.h describe the functions.
from libc.stdint cimport int32_t, int64_t

cdef extern from "simd/topn_dispatch.h" nogil:
    ctypedef struct TopRun:
        Py_ssize_t n_features, n_columns, wanted
        const void *factors
        const void *biases
        const void *panels
        const void *padded_biases
        const int32_t *columns
        const int64_t *excluded_indptr
        const int32_t *excluded
        const void *rows
        int64_t *counts
        int32_t *best
        void *scores

    ctypedef struct TopKernels:
        int panel
        int height
        void (*pack)(
            Py_ssize_t count, Py_ssize_t n_features, const void *factors, void *panels
        ) noexcept nogil
        Py_ssize_t (*scratch)(const TopRun *run, Py_ssize_t block_rows) noexcept nogil
        void (*rank_rows)(
            const TopRun *run, Py_ssize_t first, Py_ssize_t count, void *scratch) noexcept nogil
        void (*rank_list)(
            const TopRun *run, Py_ssize_t row, Py_ssize_t count, const int32_t *list,
            void *scratch) noexcept nogil

    const TopKernels *kernels_for(int real_bytes, Py_ssize_t n_reals)
    int use_level(int level)
