# How compiled loops use threads and answer signals, the same in all kernels.
#
# Every kernel cuts its work into pieces whose size does not depend on the number of threads, and no
# sum crosses a piece except in a fixed order: results are the same bits for any number of threads.
# Regions too short to pay for threads run on one. Work is counted in multiply-adds of a product.

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define matfact_max_threads() omp_get_max_threads()
    #else
    #define matfact_max_threads() 1
    #endif
    """
    int matfact_max_threads() nogil

cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1

cdef enum:
    # Below it a region runs on one thread. It is about a millisecond in float32 at the widest
    # level: where cores are busy, threads that wait for one another cost many times a shorter one.
    THREAD_WORK = 40000000
    SIGNAL_WORK = 200000000  # between two looks for signals: 5 to 50 ms on one thread


cdef struct Threads:
    int n_threads
    double unanswered  # work since the last look for signals


cdef inline Threads new_threads(int n_threads) noexcept nogil:
    """Take the number that a kernel was called with; 0 asks OpenMP, now."""
    return Threads(n_threads if n_threads > 0 else matfact_max_threads(), 0)


cdef inline int threads_for(const Threads *threads, double work) noexcept nogil:
    return threads.n_threads if work > THREAD_WORK else 1


cdef inline int answer_signals(Threads *threads, double work) except -1 nogil:
    """Add `work` to the account; when SIGNAL_WORK is full, run Python's signal handlers.

    Every kernel calls it between blocks of rows with what it has just done. A handler may raise, as
    that of Ctrl-C does: then this returns -1 and the exception leaves the kernel.
    """
    threads.unanswered += work
    if threads.unanswered > SIGNAL_WORK:
        threads.unanswered = 0
        with gil:
            PyErr_CheckSignals()
    return 0


cdef inline Py_ssize_t rows_between_signals(double work_per_row, Py_ssize_t chunk) noexcept nogil:
    """Rows that make SIGNAL_WORK, as whole chunks."""
    cdef double chunks = SIGNAL_WORK / (work_per_row + 1) / chunk
    return chunk * <Py_ssize_t> (chunks if chunks > 1 else 1)
