"""Products with dense matrices: compiled kernels.

row_sums: compressed rows times a dense matrix.

argument    shape, dtype           meaning
indptr      (n + 1,) int64         entries of each row
indices     (entries,) int32       their columns
values      (entries,) float64     or None: 1
dense       (columns, k) float64   a row for each column
out         (n, k) float64         result
n_threads   int                    0: what OpenMP says at this call

multiply: out = a b, or a^T b. What BLAS does, too, but its threads wait for the next product in a
loop, and where cores are few or busy the threads of the other kernels wait for them.

argument    shape, dtype           meaning
a           (n, inner) real        or (inner, n), if transposed
b           (inner, k) real
out         (n, k) real            result, neither a nor b
transposed  bool                   whether a is
n_threads   int                    0: what OpenMP says at this call

Preconditions, checked by the caller: C order, indices in range. A row of the result of row_sums
depends on that row alone and is summed in the order of its entries. multiply sums in the order of
the inner dimension, in blocks of fixed length, for each element of the result. So both give the
same bits for any number of threads. Memory: multiply copies b, and the result where its rows are
not made of whole vectors.
"""
import numpy as np

from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from matfact.kernels._cython._checks cimport check, check_matrix
from matfact.kernels._cython._parallel cimport (
    Threads, answer_signals, new_threads, rows_between_signals, threads_for,
)
from matfact.kernels._cython._products_table cimport (
    ProductKernels, WHOLE, kernels_for, use_level,
)
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._watch cimport Watch, leave, new_watch, watch
from matfact.kernels._cython._workspace cimport Space, counting, needed, space_of, take

__all__ = ["multiply", "row_sums", "set_simd_level"]

cdef enum:
    ROWS = 16        # compressed rows that a thread treats at a time
    ENTRY_COST = 2   # multiply-adds of a product in the time of one of these
    CHUNK = 48       # rows of a product at a time, a multiple of the height of every tile
    # Rows of a transposed A that one call treats: TRANSPOSED_BLOCK of product.h. With more of them
    # the reading of A is slower (measured on Zen 3).
    INNER_BYTES = 384


def set_simd_level(str name):
    """Use the code of one SIMD level: "base", "v3" or "v4"."""
    levels = {"base": 0, "v3": 3, "v4": 4}
    if name not in levels or not use_level(levels[name]):
        raise ValueError(f"SIMD level {name!r} is not available on this machine")


def row_sums(
    const int64_t[::1] indptr, const int32_t[::1] indices, const double[::1] values,
    const double[:, ::1] dense, double[:, ::1] out, int n_threads,
):
    """Fill in the sum of value times dense row over the entries of each row."""
    cdef Py_ssize_t n = out.shape[0], k = out.shape[1], row, chunk
    cdef const ProductKernels *kernels = kernels_for(sizeof(double), k)
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
                    kernels.sum_row(
                        indptr[row + 1] - indptr[row], &indices[0] + indptr[row],
                        &values[0] + indptr[row] if values is not None else NULL,
                        &dense[0, 0], k, &out[row, 0])
                    watch(&state, threadid(), work * (indptr[row + 1] - indptr[row]))
        leave(&state)


cdef struct Product:
    # C = A B in bytes: `columns` and `padded` reals are wanted and computed of a row of C.
    const ProductKernels *kernels
    Py_ssize_t rows, inner, columns, padded, real_bytes
    int n_vectors
    const char *a        # A(i, p) is at a[i * a_row + p * a_inner]
    Py_ssize_t a_row, a_inner
    const char *b
    char *packed         # of so many rows of B
    Py_ssize_t packed_rows
    char *c


cdef inline void pack(
    const Product *p, Py_ssize_t first, Py_ssize_t last, Py_ssize_t unit
) noexcept nogil:
    """Pack rows first .. last - 1 of B, `unit` of them at a time."""
    cdef Py_ssize_t start = first
    while start < last:
        p.kernels.pack(
            min(unit, last - start), p.columns, p.n_vectors,
            p.b + start * p.columns * p.real_bytes, p.columns, 1,
            p.packed + (start - first) * p.padded * p.real_bytes)
        start += unit


cdef inline void treat(
    const Product *p, Py_ssize_t row, Py_ssize_t last_row,
    Py_ssize_t first, Py_ssize_t last, Py_ssize_t unit,
) noexcept nogil:
    """Rows `row` .. last_row - 1 of C (+)= A B, of rows first .. last - 1 of B, which `pack` left.

    More than the first of B's rows are added.
    """
    cdef Py_ssize_t start = first
    while start < last:
        p.kernels.product(
            last_row - row, min(unit, last - start), p.n_vectors,
            p.a + (row * p.a_row + start * p.a_inner) * p.real_bytes, p.a_row, p.a_inner,
            p.packed + (start - first) * p.padded * p.real_bytes,
            p.c + row * p.padded * p.real_bytes, p.padded, start > 0, WHOLE)
        start += unit


cdef int multiply_rows(const Product *p, Threads *threads) except -1 nogil:
    """Multiply a stored matrix: blocks of rows between two looks for signals, chunks of them."""
    cdef double work = <double> p.inner * p.padded  # a row
    cdef Py_ssize_t block = rows_between_signals(work, CHUNK), start = 0, end, chunk, row
    pack(p, 0, p.inner, p.inner)
    while start < p.rows:
        end = min(start + block, p.rows)
        for chunk in prange(
            (end - start + CHUNK - 1) // CHUNK, schedule="dynamic",
            num_threads=threads_for(threads, work * (end - start)),
        ):
            row = start + chunk * CHUNK
            treat(p, row, min(row + CHUNK, end), 0, p.inner, p.inner)
        answer_signals(threads, work * (end - start))
        start = end
    return 0


cdef int multiply_transposed(const Product *p, Threads *threads) except -1 nogil:
    """Multiply a transpose: blocks of the inner dimension, and of them a part of A's columns.

    Parts are as wide as the number of threads lets them be: what is read of a row is contiguous.
    """
    cdef double work = <double> p.rows * p.padded  # a row of B
    cdef Py_ssize_t start = 0, end, part, width, unit = INNER_BYTES // p.real_bytes
    cdef int n_threads
    while start < p.inner:
        end = min(start + p.packed_rows, p.inner)
        pack(p, start, end, unit)
        n_threads = threads_for(threads, work * (end - start))
        width = p.rows if n_threads == 1 else p.rows // (2 * n_threads) + 1
        width = (width + CHUNK - 1) // CHUNK * CHUNK
        for part in prange(
            (p.rows + width - 1) // width, schedule="dynamic", num_threads=n_threads
        ):
            treat(p, part * width, min((part + 1) * width, p.rows), start, end, unit)
        answer_signals(threads, work * (end - start))
        start = end
    return 0


def multiply(
    const real[:, ::1] a, const real[:, ::1] b, real[:, ::1] out, bint transposed, int n_threads
):
    """Fill in the product a b, or that of the transpose of a with b."""
    cdef Py_ssize_t n = out.shape[0], k = out.shape[1], inner = b.shape[0], row, unit
    cdef Threads threads = new_threads(n_threads)
    cdef Space space = counting()
    cdef Product p
    cdef unsigned char[::1] workspace
    check_matrix("a", a, inner if transposed else n, n if transposed else inner)
    check("b", "columns as out", b.shape[1], k)
    if n == 0 or k == 0 or inner == 0:
        out[:, :] = 0
        return
    p.kernels = kernels_for(sizeof(real), k)
    p.rows, p.inner, p.columns, p.real_bytes = n, inner, k, sizeof(real)
    p.n_vectors = <int> ((k + p.kernels.lanes - 1) // p.kernels.lanes)
    p.padded = <Py_ssize_t> p.n_vectors * p.kernels.lanes
    p.a, p.b = <const char *> &a[0, 0], <const char *> &b[0, 0]
    p.a_row = 1 if transposed else inner
    p.a_inner = n if transposed else 1
    p.packed_rows = inner
    if transposed:
        unit = INNER_BYTES // sizeof(real)
        p.packed_rows = min(inner, rows_between_signals(<double> p.padded * n, unit))
    for _ in range(2):
        p.packed = take(&space, p.packed_rows * p.padded * p.real_bytes)
        p.c = <char *> &out[0, 0]
        if p.padded != k:
            p.c = take(&space, n * p.padded * p.real_bytes)
        if space.base == NULL:
            workspace = np.empty(needed(&space), dtype=np.uint8)
            space = space_of(workspace)
    with nogil:
        if transposed:
            multiply_transposed(&p, &threads)
        else:
            multiply_rows(&p, &threads)
        if p.padded != k:
            for row in range(n):
                memcpy(&out[row, 0], p.c + row * p.padded * p.real_bytes, k * sizeof(real))
