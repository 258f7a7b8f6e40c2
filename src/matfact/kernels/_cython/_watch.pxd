# Signals in one long parallel loop.
#
# Rows of ratings differ in length by a factor of thousands. A loop that stopped for signals between
# blocks of rows (_parallel.pxd) would let threads wait for the longest row of each block. Here the
# thread that entered the kernel, which holds Python's state, looks for signals between two of its
# rows, and the others see from a flag that there is nothing left to do.
from matfact.kernels._cython._parallel cimport SIGNAL_WORK

cdef extern from "Python.h":
    int look_for_signals "PyErr_CheckSignals"()  # -1: an exception is set


cdef struct Watch:
    double unanswered     # work of the first thread since its last look, in multiply-adds
    volatile int stopped


cdef inline Watch new_watch() noexcept nogil:
    return Watch(0, 0)


cdef inline void watch(Watch *state, int thread, double work) noexcept nogil:
    """Add work to the account of the first thread; look for signals when it is full."""
    if thread != 0:
        return
    state.unanswered += work
    if state.unanswered > SIGNAL_WORK:
        state.unanswered = 0
        with gil:
            state.stopped = look_for_signals()


cdef inline int leave(const Watch *state) except -1 nogil:
    """After the loop: hand the exception of a signal handler on."""
    return -1 if state.stopped else 0
