# Sweeps that visit listed cells of the ratings only: the observed ones, or the missing ones.
from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t

from matfact.kernels._cython._gd_steps cimport Job
from matfact.kernels._cython._parallel cimport answer_signals, rows_between_signals, threads_for
from matfact.kernels._cython._types cimport real

cdef enum:
    # Rows that a thread takes at a time: few, for they differ in length.
    CELL_CHUNK = 8

    # Work that one feature of one listed cell stands for, in the multiply-adds of a product that
    # threads and signals are counted with: a sweep over cells gathers and passes over its panel
    # several times.
    CELL_COST = 10


cdef struct Cells:
    # The listed cells of one side, row after row.
    const int64_t *indptr   # NULL: the sweep needs no list
    const int32_t *indices
    const char *values      # NULL: their ratings are zero, as those of missing cells are
    int sign                # 1: their gradient is added; -1: taken back from a full product


cdef inline Cells no_cells() noexcept nogil:
    return Cells(NULL, NULL, NULL, 1)


cdef inline Cells missing_cells(
    const int64_t[::1] indptr, const int32_t[::1] indices
) noexcept nogil:
    cdef Cells cells = Cells(&indptr[0], <const int32_t *> &indptr[0], NULL, -1)
    if indices.shape[0]:  # else there is no first element, and any address will do
        cells.indices = &indices[0]
    return cells


cdef inline Cells observed_cells(
    const int64_t[::1] indptr, const int32_t[::1] indices, const real[::1] values
) noexcept nogil:
    cdef Cells cells = missing_cells(indptr, indices)
    cells.values = <const char *> cells.indices
    if values.shape[0]:
        cells.values = <const char *> &values[0]
    cells.sign = 1
    return cells


cdef inline Py_ssize_t longest_row(const int64_t *indptr, Py_ssize_t rows) noexcept nogil:
    cdef Py_ssize_t i, longest = 0
    for i in range(rows):
        longest = max(longest, <Py_ssize_t> (indptr[i + 1] - indptr[i]))
    return longest


cdef inline void sweep_rows(
    const Job *job, Py_ssize_t first, Py_ssize_t last, const Cells *cells, double step,
    const char *other, const char *square, const char *old, char *new, char *scratch,
) noexcept nogil:
    cdef Py_ssize_t i, start
    cdef const char *values = NULL
    cdef char *row
    for i in range(first, last):
        start = cells.indptr[i]
        row = new + i * job.row_bytes
        if cells.values != NULL:
            values = cells.values + start * job.real_bytes
        job.kernels.cells(
            job.n_features, job.padded,
            cells.indptr[i + 1] - start, cells.indices + start, values, cells.sign,
            other, step,
            row if square != NULL else NULL, square,
            old + i * job.row_bytes, row, scratch)


cdef inline int sweep_cells(
    Job *job, Py_ssize_t rows, const Cells *cells, double step,
    const char *other, const char *square, const char *old, char *new,
    char *scratch, Py_ssize_t scratch_bytes,
) except -1 nogil:
    """Sweep over the listed cells of every row.

    With `square`, the other side's gram matrix in the working precision, `new` holds the linear
    term of the row (simd/gd_cells.h). Every thread has `scratch_bytes` of scratch.
    """
    cdef double work = <double> CELL_COST * job.padded, block_work
    cdef double mean_count = <double> (cells.indptr[rows] - cells.indptr[0]) / rows
    cdef Py_ssize_t block = rows_between_signals(work * (mean_count + job.padded), CELL_CHUNK)
    cdef Py_ssize_t first = 0, last, chunk, i
    cdef int n_threads
    while first < rows:
        last = min(first + block, rows)
        block_work = work * (
            cells.indptr[last] - cells.indptr[first] + job.padded * (last - first))
        n_threads = threads_for(&job.threads, block_work)
        if n_threads == 1:
            sweep_rows(job, first, last, cells, step, other, square, old, new, scratch)
        else:
            for chunk in prange(
                (last - first + CELL_CHUNK - 1) // CELL_CHUNK,
                schedule="dynamic", num_threads=n_threads,
            ):
                i = first + chunk * CELL_CHUNK
                sweep_rows(
                    job, i, min(i + CELL_CHUNK, last), cells, step, other, square, old, new,
                    scratch + threadid() * scratch_bytes)
        answer_signals(&job.threads, block_work)
        first = last
    return 0
