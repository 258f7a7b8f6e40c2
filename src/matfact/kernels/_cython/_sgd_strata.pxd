# The order of the blocks of one epoch, and the threads that take them.
from cython.parallel cimport prange
from libc.stdint cimport int64_t

from matfact.kernels._cython._parallel cimport SIGNAL_WORK, Threads, answer_signals, threads_for
from matfact.kernels._cython._sgd_table cimport SgdKernels, SgdRun

cdef enum:
    FEATURE_WORK = 8    # multiply-adds of a product in the time of one feature of a rating
    RATING_WORK = 150   # and of the rest of its update


cdef inline int train_strata(
    const SgdKernels *kernels, const SgdRun *run, Threads *threads,
    const unsigned char *nodes, Py_ssize_t node_bytes, const int64_t[::1] block_indptr,
    const int64_t[::1] strata_order, const int64_t[:, ::1] by_size, double[::1] errors,
) except -1 nogil:
    """Visit the strata. Long ones come in pieces, between which signals are answered."""
    cdef Py_ssize_t n_blocks = strata_order.shape[0]
    cdef Py_ssize_t s, j, block, piece, n_pieces, stratum, first, last, count
    cdef double work
    for s in range(n_blocks):
        stratum = strata_order[s]
        count = 0
        for j in range(n_blocks):
            block = by_size[stratum, j]
            count += block_indptr[block + 1] - block_indptr[block]
        work = <double> count * (FEATURE_WORK * run.padded + RATING_WORK)
        n_pieces = 1 + <Py_ssize_t> (work / (4.0 * SIGNAL_WORK))
        for piece in range(n_pieces):
            for j in prange(
                n_blocks, schedule="dynamic", chunksize=1,
                num_threads=threads_for(threads, work / n_pieces),
            ):
                block = by_size[stratum, j]
                count = block_indptr[block + 1] - block_indptr[block]
                first = block_indptr[block] + count * piece // n_pieces
                last = block_indptr[block] + count * (piece + 1) // n_pieces
                errors[block] += kernels.train(run, last - first, nodes + first * node_bytes)
            answer_signals(threads, work / n_pieces)
    return 0
