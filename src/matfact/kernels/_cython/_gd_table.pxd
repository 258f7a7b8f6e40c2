# The table of C kernels of one SIMD level and one real type; simd/*.h describe the functions.
from libc.stdint cimport int32_t

cdef extern from "simd/gd_dispatch.h" nogil:
    cdef enum:
        WHOLE, UPPER_B, UPPER_C

    ctypedef struct GdKernels:
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

        void (*cells)(
            Py_ssize_t n_features, Py_ssize_t padded,
            Py_ssize_t count, const int32_t *index, const void *value, int sign,
            const void *other, double step,
            const void *linear, const void *gram,
            const void *old, void *own, void *scratch) noexcept nogil

        double (*cells_error)(
            Py_ssize_t padded,
            Py_ssize_t count, const int32_t *index, const void *value,
            const void *other, const void *own) noexcept nogil

        void (*dense_error)(
            Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t n_features,
            const void *ratings, Py_ssize_t stride,
            const void *own, Py_ssize_t own_stride,
            const void *panels, double *error) noexcept nogil

        void (*add_to_double)(
            Py_ssize_t rows, Py_ssize_t columns,
            const void *tile, Py_ssize_t stride,
            double *total, Py_ssize_t total_stride) noexcept nogil

        void (*from_double)(
            Py_ssize_t n_features, Py_ssize_t padded,
            const double *square, double scale, void *rows) noexcept nogil

        int (*not_finite)(Py_ssize_t count, const void *x) noexcept nogil

        void (*affine_maps)(
            Py_ssize_t k, double step, const double *gram,
            double *inverse, double *own) noexcept nogil

        void (*multiply_squares)(
            Py_ssize_t k, int transposed, const double *a, const double *b,
            double *c, int accumulate) noexcept nogil

    const GdKernels *kernels_for(int real_bytes, Py_ssize_t n_reals)
    int use_level(int level)
    Py_ssize_t gd_cells_scratch(Py_ssize_t padded, Py_ssize_t count)
