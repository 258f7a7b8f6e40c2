# The table of C kernels of one SIMD level; simd/eigen_*.h describe the functions.
from libc.stdint cimport int32_t

cdef extern from "simd/eigen_dispatch.h" nogil:
    ctypedef struct Eigen:
        Py_ssize_t n
        double *a
        double *tau
        double *d
        double *e
        double *cosines
        double *sines
        int32_t *starts
        int32_t *counts
        Py_ssize_t n_sweeps

    ctypedef struct EigenKernels:
        int panel
        double (*reflection)(Py_ssize_t count, double *x, double *tau) noexcept nogil
        void (*update_rows)(
            const Eigen *eigen, Py_ssize_t k, const double *v, const double *w,
            double *next_w) noexcept nogil
        void (*finish_update)(const Eigen *eigen, Py_ssize_t k, double *w) noexcept nogil
        void (*vectors)(
            const Eigen *eigen, Py_ssize_t first, Py_ssize_t count, double *panel) noexcept nogil

    int eigen_rotations(Eigen *eigen, double tiny, Py_ssize_t room, Py_ssize_t sweep_room)
    const EigenKernels *kernels_for(int real_bytes, Py_ssize_t n_reals)
    int use_level(int level)
