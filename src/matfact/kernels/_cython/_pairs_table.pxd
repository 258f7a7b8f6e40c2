# The table of C kernels of one SIMD level and one real type; simd/pairs_*.h describe the functions.
from libc.stdint cimport int32_t

cdef extern from "simd/pairs_dispatch.h" nogil:
    ctypedef struct PairsModel:
        Py_ssize_t n_features
        const void *user_factors
        const void *item_factors
        const void *user_biases
        const void *item_biases
        double center

    ctypedef struct PairsKernels:
        int lanes
        void (*predict)(
            const PairsModel *model, Py_ssize_t count,
            const void *users, const void *items, int id_bytes, double *out) noexcept nogil
        double (*row_errors)(
            const PairsModel *model, Py_ssize_t padded, Py_ssize_t row,
            Py_ssize_t count, const int32_t *index, const void *value, const void *weight,
            const void *columns, void *own, void *out) noexcept nogil

    const PairsKernels *kernels_for(int real_bytes, Py_ssize_t n_reals)
    int use_level(int level)
