# The table of C kernels of one SIMD level and one real type; simd/als_*.h describe the functions.
from libc.stdint cimport int32_t, int64_t

cdef extern from "simd/als_dispatch.h" nogil:
    cdef enum:
        ALS_CHOLESKY, ALS_CONJUGATE, ALS_NON_NEGATIVE, ALS_SUBSPACE

    ctypedef struct AlsRows:
        Py_ssize_t n_features, padded, longest
        const int64_t *indptr
        const int32_t *indices
        const void *values
        const void *weights
        const void *other
        const void *other_biases
        double center
        const void *ridge
        const void *bias_ridge
        const void *gram
        const void *start
        void *solution
        void *solution_biases
        int method
        Py_ssize_t n_steps
        Py_ssize_t together

    ctypedef struct AlsKernels:
        int pad
        Py_ssize_t (*scratch)(const AlsRows *rows) noexcept nogil
        int panel
        int together
        Py_ssize_t (*solve_some)(
            const AlsRows *rows, const int64_t *row, Py_ssize_t n, void *scratch) noexcept nogil
        Py_ssize_t (*gram_scratch)(Py_ssize_t padded) noexcept nogil
        void (*gram)(
            Py_ssize_t n_rows, Py_ssize_t n_features, Py_ssize_t padded,
            const void *factors, void *scratch, double *total) noexcept nogil

    const AlsKernels *kernels_for(int real_bytes, Py_ssize_t n_reals)
    int use_level(int level)
