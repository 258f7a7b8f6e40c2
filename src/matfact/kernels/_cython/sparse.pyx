"""Products of compressed rows with a dense matrix: compiled kernels.

argument    shape, dtype           meaning
indptr      (n + 1,) int64         entries of each row
indices     (entries,) int32       their columns
values      (entries,) float64     or None: 1
dense       (columns, k) float64   a row for each column
out         (n, k) float64         result
n_threads   int                    0: what OpenMP says at this call

Preconditions, checked by the caller: C order, indices in range. A row of the result depends on that
row alone and is summed in the order of its entries: the same bits for any number of threads.
"""
from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t

from matfact.kernels._cython._checks cimport check
from matfact.kernels._cython._parallel cimport Threads, new_threads, threads_for
from matfact.kernels._cython._watch cimport Watch, leave, new_watch, watch

__all__ = ["row_sums"]

cdef enum:
    ROWS = 16       # that a thread treats at a time
    ENTRY_COST = 4  # multiply-adds of a product in the time of one of these


cdef void add_row(
    const int32_t *indices, const double *values, Py_ssize_t count, const double *dense,
    Py_ssize_t k, double *out
) noexcept nogil:
    """Fill one row of the result."""
    cdef Py_ssize_t entry, f
    cdef const double *one
    cdef double value
    for f in range(k):
        out[f] = 0
    for entry in range(count):
        one = dense + indices[entry] * k
        value = values[entry] if values != NULL else 1
        for f in range(k):
            out[f] += value * one[f]


def row_sums(
    const int64_t[::1] indptr, const int32_t[::1] indices, const double[::1] values,
    const double[:, ::1] dense, double[:, ::1] out, int n_threads,
):
    """Fill in the sum of value times dense row over the entries of each row."""
    cdef Py_ssize_t n = out.shape[0], k = out.shape[1], row, chunk
    cdef double work = ENTRY_COST * k
    cdef Threads threads = new_threads(n_threads)
    cdef Watch state = new_watch()
    check("indptr", "entries", indptr.shape[0], n + 1)
    check("indices", "entries as indptr ends", indices.shape[0], indptr[n])
    if values is not None:
        check("values", "entries as indices", values.shape[0], indices.shape[0])
    check("dense", "columns as out", dense.shape[1], k)
    if n == 0 or k == 0 or indices.shape[0] == 0:
        out[:, :] = 0
        return
    threads.n_threads = threads_for(&threads, work * indices.shape[0])
    with nogil:
        for chunk in prange(
            (n + ROWS - 1) // ROWS, schedule="dynamic", num_threads=threads.n_threads,
        ):
            for row in range(chunk * ROWS, min((chunk + 1) * ROWS, n)):
                if not state.stopped:
                    add_row(
                        &indices[0] + indptr[row],
                        &values[0] + indptr[row] if values is not None else NULL,
                        indptr[row + 1] - indptr[row], &dense[0, 0], k, &out[row, 0])
                    watch(&state, threadid(), work * (indptr[row + 1] - indptr[row]))
        leave(&state)
