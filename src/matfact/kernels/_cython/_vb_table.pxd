# The table of C kernels of one SIMD level and one real type; simd/vb_*.h describe the functions.
from libc.stdint cimport int32_t, int64_t

cdef extern from "simd/vb_dispatch.h" nogil:
    ctypedef struct VbRows:
        Py_ssize_t n_features, padded, size
        const int64_t *indptr
        const int32_t *indices
        const void *values
        const void *weights
        const void *other
        const void *offsets
        const void *precision
        const double *border
        const void *mean_covariance
        const double *mean_correlation
        const void *prior
        const void *columns
        Py_ssize_t column_size
        const void *last_rows
        int each
        const double *shift
        Py_ssize_t shift_step
        double noise_precision
        const void *noise
        void *means
        void *drawn
        void *covariances
        Py_ssize_t covariance_size
        void *bias_covariances
        double *uncertainties

    ctypedef struct VbKernels:
        int pad
        int panel
        int side
        int together
        Py_ssize_t (*scratch)(const VbRows *rows) noexcept nogil
        Py_ssize_t (*posterior_some)(
            const VbRows *rows, Py_ssize_t row, Py_ssize_t n, void *scratch, double *sums,
        ) noexcept nogil
        void (*start_sums)(const VbRows *rows, void *scratch) noexcept nogil
        void (*finish_sums)(const VbRows *rows, void *scratch, double *sums) noexcept nogil
        Py_ssize_t (*draw_some)(
            const VbRows *rows, Py_ssize_t row, Py_ssize_t n, void *scratch) noexcept nogil

    const VbKernels *kernels_for(int real_bytes, Py_ssize_t n_reals)
    int use_level(int level)
