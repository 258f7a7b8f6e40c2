# The table of C kernels of one SIMD level and one real type; simd/sgd_*.h describe the functions.

cdef extern from "simd/sgd_dispatch.h" nogil:
    ctypedef struct SgdRun:
        void *user_rows
        void *item_rows
        void *user_states
        void *item_states
        Py_ssize_t n_features, padded
        double mean
        double learning_rate, bias_learning_rate
        double regularization, bias_regularization
        int adaptive

    ctypedef struct SgdKernels:
        int lanes
        double (*train)(const SgdRun *run, Py_ssize_t count, const void *nodes) noexcept nogil
        double (*rank)(const SgdRun *run, Py_ssize_t count, const void *triples) noexcept nogil
        double (*squared_norm)(Py_ssize_t count, const void *x) noexcept nogil

    const SgdKernels *kernels_for(int real_bytes, Py_ssize_t n_reals)
    int use_level(int level)
