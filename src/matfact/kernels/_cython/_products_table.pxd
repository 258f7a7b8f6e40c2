# The table of C kernels of one SIMD level and one real type; simd/product*.h describe them.
from libc.stdint cimport int32_t

cdef extern from "simd/products_dispatch.h" nogil:
    cdef enum:
        WHOLE

    ctypedef struct ProductKernels:
        int lanes

        void (*product)(
            Py_ssize_t rows, Py_ssize_t inner, int n_vectors,
            const void *a, Py_ssize_t a_row, Py_ssize_t a_inner,
            const void *b,
            void *c, Py_ssize_t c_stride,
            int accumulate, int upper) noexcept nogil

        void (*pack)(
            Py_ssize_t rows, Py_ssize_t columns, int n_vectors,
            const void *a, Py_ssize_t a_row, Py_ssize_t a_column,
            void *packed) noexcept nogil

        void (*sum_row)(
            Py_ssize_t count, const int32_t *indices, const double *values,
            const double *dense, Py_ssize_t k, double *out) noexcept nogil

    const ProductKernels *kernels_for(int real_bytes, Py_ssize_t n_reals)
    int use_level(int level)
