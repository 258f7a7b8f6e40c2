"""The best columns of each row of a product of factors, exactly: compiled kernels.

The score of a column for a row is the column's bias plus the dot product of their factors, summed
feature after feature in the precision of the factors. A row gets the n columns with the highest
scores, the best first; of equal scores the column that comes first. Scores that are NaN or -inf
are never chosen. See simd/topn_real.h.

argument          shape, dtype      meaning
row_factors       (r, k) real       factors of the rows
column_factors    (m, k) real       factors of the columns
column_biases     (m,) real         biases of the columns, or None: 0
columns           (m,) int32        ascending numbers of the columns, or None: 0 .. m - 1
list_indptr       (r + 1,) int64    the columns that each row may have: rows of column_factors
list_indices      (entries,) int32  ascending in a row
excluded_indptr   (r + 1,) int64    what each row must not have, or None: nothing
excluded_indices  (entries,) int32  numbers of columns, ascending in a row; or None
n                 int               columns wanted, at least 1
n_threads         int               0: what OpenMP says at this call

Results: counts (r,) int64, how many columns a row has; best (r, n) int32, their numbers, and scores
(r, n) real, both with zeros behind the end of a row.

Preconditions, checked by the caller: C order, indices in range and ascending. A row's result
depends on that row alone, hence not on the number of threads. Memory besides the result: a copy of
the columns, and for each thread 32 MB at most, or 16 n bytes for each row of a tile if that is
more.
"""
import numpy as np

from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from matfact.kernels._cython._checks cimport check
from matfact.kernels._cython._parallel cimport (
    Threads, answer_signals, new_threads, threads_for,
)
from matfact.kernels._cython._topn_table cimport TopKernels, TopRun, kernels_for, use_level
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._watch cimport Watch, leave, new_watch, watch
from matfact.kernels._cython._workspace cimport Space, counting, needed, space_of, take

__all__ = ["set_simd_level", "top_n", "top_n_of_lists"]

cdef enum:
    BLOCK_ROWS = 48             # rows that use the same panels in turn
    HEAP_BYTES = 33554432       # of the best columns of a block
    BYTES_OF_COLUMN = 16        # in a heap
    PACKED_PANELS = 64          # between two looks for signals
    PACK_COST = 16              # work of a real that is packed
    COLUMN_COST = 8             # work of a column of a list besides its product


def set_simd_level(str name):
    """Use the code of one SIMD level: "base", "v3" or "v4"."""
    levels = {"base": 0, "v3": 3, "v4": 4}
    if name not in levels or not use_level(levels[name]):
        raise ValueError(f"SIMD level {name!r} is not available on this machine")


cdef TopRun new_run(
    const real[:, ::1] row_factors, const real[:, ::1] column_factors,
    const real[::1] column_biases,
    const int64_t[::1] excluded_indptr, const int32_t[::1] excluded_indices,
    Py_ssize_t n, int64_t[::1] counts, int32_t[:, ::1] best, real[:, ::1] scores,
) except *:
    cdef TopRun run
    memset(&run, 0, sizeof(TopRun))
    check("column_factors", "columns as row_factors", column_factors.shape[1],
          row_factors.shape[1])
    run.n_features, run.n_columns = column_factors.shape[1], column_factors.shape[0]
    run.wanted = n
    if column_biases is not None:
        check("column_biases", "entries", column_biases.shape[0], run.n_columns)
    if excluded_indptr is not None:
        check("excluded_indptr", "entries", excluded_indptr.shape[0], row_factors.shape[0] + 1)
        check("excluded_indices", "entries as excluded_indptr ends", excluded_indices.shape[0],
              excluded_indptr[row_factors.shape[0]])
    if row_factors.shape[0] and run.n_columns and run.n_features:
        run.rows, run.factors = &row_factors[0, 0], &column_factors[0, 0]
        run.counts, run.best, run.scores = &counts[0], &best[0, 0], &scores[0, 0]
        if column_biases is not None:
            run.biases = &column_biases[0]
        if excluded_indptr is not None and excluded_indices.shape[0]:
            run.excluded_indptr, run.excluded = &excluded_indptr[0], &excluded_indices[0]
    return run


cdef results_for(const real[:, ::1] row_factors, Py_ssize_t n):
    """Return counts, best columns and scores of nothing."""
    if n < 1 or row_factors.shape[1] < 1:
        raise ValueError(f"n is {n} and there are {row_factors.shape[1]} factors; give at least 1")
    cdef Py_ssize_t r = row_factors.shape[0]
    dtype = np.float32 if real is float else np.float64
    return np.zeros(r, np.int64), np.zeros((r, n), np.int32), np.zeros((r, n), dtype)


cdef int pack_columns(
    const TopKernels *kernels, const real[:, ::1] factors, char *panels, Threads *threads
) except -1 nogil:
    cdef Py_ssize_t m = factors.shape[0], k = factors.shape[1], first = 0
    cdef Py_ssize_t some = kernels.panel * PACKED_PANELS
    while first < m:
        kernels.pack(
            min(some, m - first), k, &factors[first, 0], panels + first * k * sizeof(real))
        answer_signals(threads, <double> PACK_COST * some * k)
        first += some
    return 0


def top_n(
    const real[:, ::1] row_factors, const real[:, ::1] column_factors,
    const real[::1] column_biases, const int32_t[::1] columns,
    const int64_t[::1] excluded_indptr, const int32_t[::1] excluded_indices,
    Py_ssize_t n, int n_threads,
):
    """Return the best columns of each row: (counts, best, scores)."""
    results = results_for(row_factors, n)
    cdef int64_t[::1] counts = results[0]
    cdef int32_t[:, ::1] best = results[1]
    cdef real[:, ::1] scores = results[2]
    cdef TopRun run = new_run(
        row_factors, column_factors, column_biases, excluded_indptr, excluded_indices,
        n, counts, best, scores)
    cdef Py_ssize_t r = row_factors.shape[0], m = run.n_columns
    cdef Py_ssize_t block, n_blocks, scratch_bytes, padded
    if columns is not None:
        check("columns", "entries", columns.shape[0], m)
        run.columns = &columns[0] if m else NULL
    if run.rows == NULL:
        return results
    cdef const TopKernels *kernels = kernels_for(sizeof(real), <Py_ssize_t> 1 << 20)
    cdef Threads threads = new_threads(n_threads)
    cdef double work = <double> m * run.n_features
    cdef Py_ssize_t rows = max(1, min(BLOCK_ROWS, HEAP_BYTES // (BYTES_OF_COLUMN * n)))
    cdef Watch state = new_watch()
    cdef Space space = counting()
    cdef unsigned char[::1] workspace
    cdef char *scratch
    cdef char *panels
    cdef char *padded_biases
    rows = (rows + kernels.height - 1) // kernels.height * kernels.height
    padded = (m + kernels.panel - 1) // kernels.panel * kernels.panel
    n_blocks = (r + rows - 1) // rows
    threads.n_threads = <int> min(threads_for(&threads, work * r), n_blocks)
    scratch_bytes = (kernels.scratch(&run, rows) + 127) // 64 * 64
    for _ in range(2):
        panels = take(&space, padded * run.n_features * sizeof(real))
        padded_biases = take(&space, padded * sizeof(real))
        scratch = take(&space, threads.n_threads * scratch_bytes)
        if space.base == NULL:
            workspace = np.empty(needed(&space), dtype=np.uint8)
            space = space_of(workspace)
    with nogil:
        pack_columns(kernels, column_factors, panels, &threads)
        run.panels = panels
        if run.biases != NULL:
            memset(padded_biases, 0, padded * sizeof(real))
            memcpy(padded_biases, run.biases, m * sizeof(real))
            run.padded_biases = padded_biases
        for block in prange(
            n_blocks, schedule="dynamic", chunksize=1, num_threads=threads.n_threads,
        ):
            if not state.stopped:
                kernels.rank_rows(
                    &run, block * rows, min(rows, r - block * rows),
                    scratch + threadid() * scratch_bytes)
                watch(&state, threadid(), work * rows)
        leave(&state)
    return results


def top_n_of_lists(
    const real[:, ::1] row_factors, const real[:, ::1] column_factors,
    const real[::1] column_biases,
    const int64_t[::1] list_indptr, const int32_t[::1] list_indices,
    const int64_t[::1] excluded_indptr, const int32_t[::1] excluded_indices,
    Py_ssize_t n, int n_threads,
):
    """Return the best columns of each row among those of its list: (counts, best, scores)."""
    results = results_for(row_factors, n)
    cdef int64_t[::1] counts = results[0]
    cdef int32_t[:, ::1] best = results[1]
    cdef real[:, ::1] scores = results[2]
    cdef TopRun run = new_run(
        row_factors, column_factors, column_biases, excluded_indptr, excluded_indices,
        n, counts, best, scores)
    cdef Py_ssize_t r = row_factors.shape[0], row, scratch_bytes, length
    check("list_indptr", "entries", list_indptr.shape[0], r + 1)
    check("list_indices", "entries as list_indptr ends", list_indices.shape[0], list_indptr[r])
    if run.rows == NULL or list_indices.shape[0] == 0:
        return results
    cdef const TopKernels *kernels = kernels_for(sizeof(real), <Py_ssize_t> 1 << 20)
    cdef Threads threads = new_threads(n_threads)
    cdef double work = COLUMN_COST + 2. * run.n_features
    cdef Watch state = new_watch()
    cdef Space space
    cdef unsigned char[::1] workspace
    cdef char *scratch
    threads.n_threads = threads_for(&threads, work * list_indices.shape[0])
    scratch_bytes = (kernels.scratch(&run, 1) + 127) // 64 * 64
    workspace = np.empty(threads.n_threads * scratch_bytes + 63, dtype=np.uint8)
    space = space_of(workspace)
    scratch = take(&space, threads.n_threads * scratch_bytes)
    with nogil:
        for row in prange(
            r, schedule="dynamic", chunksize=16, num_threads=threads.n_threads,
        ):
            length = list_indptr[row + 1] - list_indptr[row]
            if not state.stopped and length:
                kernels.rank_list(
                    &run, row, length, &list_indices[list_indptr[row]],
                    scratch + threadid() * scratch_bytes)
                watch(&state, threadid(), work * length)
        leave(&state)
    return results
