"""Alternating least squares: compiled kernels.

One half step solves every row of one side, a user say, while the other side's factors q_i and
biases c_i stand still. It minimizes over p and b

    sum_i w_i (r_i - center - c_i - b - p.q_i)^2 + ridge |p|^2 + bias_ridge b^2

with the sum over the row's entries. The methods are in simd/als_normal.h, simd/als_conjugate.h and
simd/als_subspace.h. With a gram matrix G absent entries count too, as zeros of weight 1:

    A = G + sum_i (w_i - 1) q_i q_i^T + ridge I        b = sum_i w_i r_i q_i

argument         shape, dtype         meaning
indptr           (n + 1,) int64       entries of each row
indices          (entries,) int32     their columns
values           (entries,) real      their ratings
weights          (entries,) real      their weights, >= 0, or None: 1
other_factors    (m, k) real          factors of the columns
other_biases     (m,) real            biases of the columns, or None: 0
own_factors      (n, k) real          solved for, in place; where iterative methods start
own_biases       (n,) real            solved for, in place, or None: no biases
ridge            (n,) real            >= 0
bias_ridge       (n,) real            >= 0; read with own_biases only
gram             (k, k) float64       of other_factors, or None
method           int                  CHOLESKY, CONJUGATE_GRADIENT, NON_NEGATIVE or SUBSPACE
n_steps          int                  steps of a gradient; sweeps of NON_NEGATIVE and SUBSPACE
n_threads        int                  0: what OpenMP says at this call

Preconditions, checked by the caller: C order, indices in range. The result of a row depends on that
row alone: the same bits for any number of threads and whatever other rows a call holds. Rows that
leave variables undetermined (ridge 0, fewer entries than factors) get a basic solution: variables
are zero whose pivot is zero up to rounding. Rows without entries get zeros, with a gram matrix they
are solved like all others. The own arrays change at the very end of a call, when all rows are
finite. Memory: copies of both matrices of factors.
"""
import numpy as np

from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from matfact.kernels._cython._als_table cimport (
    ALS_CONJUGATE, ALS_NON_NEGATIVE, ALS_SUBSPACE, AlsKernels, AlsRows, kernels_for, use_level,
)
from matfact.kernels._cython._watch cimport Watch, leave, new_watch, watch
from matfact.kernels._cython._checks cimport check, check_matrix
from matfact.kernels._cython._padding cimport pad_panels, pad_rows
from matfact.kernels._cython._parallel cimport Threads, new_threads, threads_for
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._workspace cimport Space, counting, needed, space_of, take

__all__ = [
    "CHOLESKY",
    "CONJUGATE_GRADIENT",
    "NON_NEGATIVE",
    "SUBSPACE",
    "gram_matrix",
    "set_simd_level",
    "solve_rows",
]

CHOLESKY, CONJUGATE_GRADIENT, NON_NEGATIVE, SUBSPACE = 0, 1, 2, 3

cdef enum:
    MOST_SLICES = 16    # partial sums of a gram matrix
    SLICE_ROWS = 1024   # of which each has at least so many rows
    PART_ROWS = 8192    # rows of a slice between two looks for signals


def set_simd_level(str name):
    """Use the code of one SIMD level: "base", "v3" or "v4"."""
    levels = {"base": 0, "v3": 3, "v4": 4}
    if name not in levels or not use_level(levels[name]):
        raise ValueError(f"SIMD level {name!r} is not available on this machine")


cdef Py_ssize_t padded_to(Py_ssize_t n_features, int pad) noexcept:
    return (n_features + pad - 1) // pad * pad


cdef const void *address(const real[::1] array) noexcept:
    return &array[0] if array is not None and array.shape[0] else NULL


cdef int check_arguments(
    const int64_t[::1] indptr, const int32_t[::1] indices,
    const real[::1] values, const real[::1] weights,
    const real[:, ::1] other_factors, const real[::1] other_biases,
    const real[:, ::1] own_factors, const real[::1] own_biases,
    double center, const real[::1] ridge, const real[::1] bias_ridge,
    const double[:, ::1] gram, int method, Py_ssize_t n_steps,
) except -1:
    cdef Py_ssize_t n = own_factors.shape[0], k = own_factors.shape[1]
    check("indptr", "entries", indptr.shape[0], n + 1)
    check("indices", "entries as indptr ends", indices.shape[0], indptr[n])
    check("values", "entries as indices", values.shape[0], indices.shape[0])
    if weights is not None:
        check("weights", "entries as indices", weights.shape[0], indices.shape[0])
    check("other_factors", "columns as own_factors", other_factors.shape[1], k)
    if other_biases is not None:
        check("other_biases", "entries", other_biases.shape[0], other_factors.shape[0])
    check("ridge", "entries", ridge.shape[0], n)
    if own_biases is not None:
        check("own_biases", "entries", own_biases.shape[0], n)
        check("bias_ridge", "entries", bias_ridge.shape[0], n)
    if gram is not None:
        check_matrix("gram", gram, k, k)
        if own_biases is not None or other_biases is not None or center != 0:
            raise ValueError("with a gram matrix there are no biases, and center is 0")
    if not 0 <= method <= 3:
        raise ValueError(f"method is {method}; it must be 0, 1, 2 or 3")
    if method >= ALS_NON_NEGATIVE and own_biases is not None:
        raise ValueError("the methods non-negative and subspace have no biases")
    if k < 1 or n_steps < 0:
        raise ValueError(f"there are {k} factors and {n_steps} steps")
    return 0


cdef double row_work(const AlsRows *rows, Py_ssize_t row) noexcept nogil:
    """Multiply-adds of a product that take as long as a row."""
    cdef double count = rows.indptr[row + 1] - rows.indptr[row], k = rows.padded
    if rows.method == ALS_CONJUGATE:
        return (rows.n_steps + 1.) * (4 * count * k + (k * k if rows.gram != NULL else 8 * k))
    if rows.method == ALS_SUBSPACE:
        return (rows.n_steps + 1.) * k * (32 * count + 2 * k + 800)
    return count * (k * k / 2 + 8 * k) + k * k * (k / 4 + 16) + (
        rows.n_steps * k * (k + 32) if rows.method == ALS_NON_NEGATIVE else 0)


cdef int solve_all(
    const AlsKernels *kernels, const AlsRows *rows, const int64_t[::1] order, int n_threads,
    char *scratch, Py_ssize_t scratch_bytes, Py_ssize_t *n_failed,
) except -1 nogil:
    """Solve all rows in this order; count those without a finite solution."""
    cdef Watch state = new_watch()
    cdef Py_ssize_t n = order.shape[0], i, some, failed = 0
    cdef Py_ssize_t chunk = max(1 if rows.padded > 16 else 8, rows.together)
    for i in prange(0, n, chunk, schedule="dynamic", chunksize=1, num_threads=n_threads):
        if not state.stopped:
            some = min(chunk, n - i)
            failed += kernels.solve_some(
                rows, &order[i], some, scratch + threadid() * scratch_bytes)
            watch(&state, threadid(), some * row_work(rows, order[i]))
    n_failed[0] = failed
    return leave(&state)


def solve_rows(
    const int64_t[::1] indptr, const int32_t[::1] indices,
    const real[::1] values, const real[::1] weights,
    const real[:, ::1] other_factors, const real[::1] other_biases,
    real[:, ::1] own_factors, real[::1] own_biases,
    double center, const real[::1] ridge, const real[::1] bias_ridge,
    const double[:, ::1] gram, int method, Py_ssize_t n_steps, int n_threads,
):
    """Solve all rows of one side; return how many have no finite solution.

    If any has none, the own arrays are left as they were.
    """
    check_arguments(
        indptr, indices, values, weights, other_factors, other_biases, own_factors, own_biases,
        center, ridge, bias_ridge, gram, method, n_steps)
    cdef Py_ssize_t n = own_factors.shape[0], k = own_factors.shape[1], row, n_failed = 0
    cdef double work = 0
    cdef Threads threads = new_threads(n_threads)
    cdef const AlsKernels *kernels = kernels_for(sizeof(real), k)
    cdef AlsRows rows
    cdef Space space = counting()
    cdef char *scratch = NULL
    cdef Py_ssize_t scratch_bytes
    cdef unsigned char[::1] workspace
    cdef int64_t[::1] order
    if n == 0:
        return 0
    counts = np.diff(indptr)
    order = np.argsort(-counts, kind="stable")
    memset(&rows, 0, sizeof(AlsRows))
    rows.n_features, rows.padded, rows.longest = k, padded_to(k, kernels.pad), counts.max()
    rows.indptr, rows.center, rows.method, rows.n_steps = &indptr[0], center, method, n_steps
    if indices.shape[0]:
        rows.indices = &indices[0]
    rows.values, rows.weights = address(values), address(weights)
    rows.other_biases, rows.ridge = address(other_biases), address(ridge)
    rows.start = &own_factors[0, 0]
    if own_biases is not None:
        rows.bias_ridge = address(bias_ridge)
    rows.together = kernels.together if gram is not None and method == ALS_CONJUGATE else 1
    for row in range(n):
        work += row_work(&rows, row)
    threads.n_threads = threads_for(&threads, work)
    scratch_bytes = (kernels.scratch(&rows) + 127) // 64 * 64
    for _ in range(2):
        rows.other = pad_rows(other_factors, rows.padded, &space)
        rows.gram = pad_panels(gram, rows.padded, kernels.panel, &space, <real> 0)
        rows.solution = take(&space, n * k * sizeof(real))
        if own_biases is not None:
            rows.solution_biases = take(&space, n * sizeof(real))
        scratch = take(&space, threads.n_threads * scratch_bytes)
        if space.base == NULL:
            workspace = np.empty(needed(&space), dtype=np.uint8)
            space = space_of(workspace)
    with nogil:
        solve_all(kernels, &rows, order, threads.n_threads, scratch, scratch_bytes, &n_failed)
    if n_failed == 0:
        memcpy(&own_factors[0, 0], rows.solution, n * k * sizeof(real))
        if own_biases is not None:
            memcpy(&own_biases[0], rows.solution_biases, n * sizeof(real))
    return n_failed


def gram_matrix(const real[:, ::1] factors, int n_threads):
    """Return the sum of q q^T over the rows q, in double precision."""
    cdef Py_ssize_t n = factors.shape[0], k = factors.shape[1], first, last, slice, i, j
    cdef const AlsKernels *kernels = kernels_for(sizeof(real), k)
    cdef Py_ssize_t padded = padded_to(k, kernels.pad)
    cdef Py_ssize_t scratch_bytes = (kernels.gram_scratch(padded) + 127) // 64 * 64
    cdef Py_ssize_t n_slices = max(1, min(MOST_SLICES, n // SLICE_ROWS))
    cdef Threads threads = new_threads(n_threads)
    cdef double work = <double> n * padded * padded / 2
    cdef Watch state = new_watch()
    cdef double[:, :, ::1] partial = np.zeros((n_slices, k, k))
    cdef double[:, ::1] total = np.zeros((k, k))
    cdef unsigned char[::1] workspace
    cdef Space space
    cdef char *scratch
    threads.n_threads = min(threads_for(&threads, work), <int> n_slices)
    workspace = np.empty(threads.n_threads * scratch_bytes + 63, dtype=np.uint8)
    space = space_of(workspace)
    scratch = take(&space, threads.n_threads * scratch_bytes)
    with nogil:
        for slice in prange(
            n_slices, schedule="dynamic", chunksize=1, num_threads=threads.n_threads,
        ):
            first = n * slice // n_slices
            last = n * (slice + 1) // n_slices
            while first < last and not state.stopped:
                kernels.gram(
                    min(PART_ROWS, last - first), k, padded, &factors[first, 0],
                    scratch + threadid() * scratch_bytes, &partial[slice, 0, 0])
                watch(&state, threadid(), <double> PART_ROWS * padded * padded / 2)
                first = first + PART_ROWS
        leave(&state)
    for slice in range(n_slices):
        for i in range(k):
            for j in range(i, k):
                total[i, j] += partial[slice, i, j]
    for i in range(k):
        for j in range(i):
            total[i, j] = total[j, i]
    return np.asarray(total)
