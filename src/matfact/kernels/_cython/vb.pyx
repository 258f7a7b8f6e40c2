# length: half of it is the description of arguments
"""Variational Bayes: compiled kernels.

The posterior of one side's rows, users say, given that of the other side. An entry of row u is
r = x.p + offset + noise, where x are the factors of its column and noise has the given precision.
The last factor of all columns is the constant 1. With the prior N(mean, precision^-1), C_j and k_j
for what is known of the covariance of a column's factors and of what they have in common with the
offset,

    A = noise_precision (sum_j w_j (x_j x_j^T + C_j)) + precision
    b = noise_precision (sum_j w_j ((r_j - offset_j) x_j - k_j)) + precision mean

and the posterior is N(A^-1 b, A^-1). The diagonal of A is raised by a rounding error, (k + 32) eps
of it, so that A remains positive definite. A sample is A^-1 b + U^-1 z for A = U^T U.

C_j is a column's covariance matrix with zeros in its last row and column: there the matrix has the
variance v_j of the offset, and k_j before it. Of diagonal matrices k_j is 0. Where one matrix
stands for all columns, each may still have a last row of its own.

argument            shape, dtype         meaning
indptr              (n + 1,) int64       entries of each row
indices             (entries,) int32     their columns
values              (entries,) real      their ratings
weights             (entries,) real      their weights, >= 0, or None: 1
other               (m, k) real          factors of the columns, the last of them 1
offsets             (m,) real            of the columns
noise_precision     float                above 0
precision           (k, k) float64       of the prior, positive definite
shift               (1 or n, k) float64  precision times mean of the prior: of all rows, or of each
column_covariances  (1 or m, k, k) real  of (factors, offset) of each column, symmetric, or the mean
                                         of all; (1 or m, 1, k): diagonals
column_last_rows    (m, k) real          (k_j, v_j) of each column, in place of the last row of the
                                         mean (1, k, k); or None
noise               (n, k) real          z: independent standard normal numbers
means               (n, k) real          results; draw_rows takes None: not wanted
drawn               (n, k) real          results: a sample of each row
covariances         (n, k, k) real       results: A^-1 of each row; (n, 1, k): its diagonal; or
                                         None: not wanted
n_threads           int                  0: what OpenMP says at this call

draw_rows returns the number of rows without a finite posterior (then results are not complete),
posterior_rows a tuple: that number; the sum of the covariances A^-1 and the same weighted by the
sums of the rows' weights, both (k, k) float64; the sum of the logarithms of their determinants; of
each row the last row of A^-1, (n, k), and its uncertainty, (n,) float64: what the expected squared
error of its entries is more than that of the mean m

    sum_j w_j (m^T C_j m + 2 m.k_j + v_j) + tr(sum_j w_j (x_j x_j^T + C_j) A^-1)

Preconditions, checked by the caller: C order, indices in range. What is found for a row depends on
that row alone, and sums are made of SLICES parts in a fixed order: the same bits for any number of
threads. Memory: a copy of the columns' factors, 17 k^2 doubles, and for each thread three matrices
of k^2 reals for each lane of a vector (8 of float32 with AVX2), four where columns have their own.
"""
import numpy as np

from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t

from matfact.kernels._cython._checks cimport check, check_matrix
from matfact.kernels._cython._padding cimport pad_panels, pad_rows
from matfact.kernels._cython._parallel cimport Threads, new_threads, threads_for
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._vb_table cimport VbKernels, VbRows, kernels_for, use_level
from matfact.kernels._cython._watch cimport Watch, leave, new_watch, watch
from matfact.kernels._cython._workspace cimport Space, counting, needed, space_of, take

__all__ = ["draw_rows", "posterior_rows", "set_simd_level"]

cdef enum:
    SLICES = 16  # sums, of which each takes every sixteenth batch of rows
    BATCHES = 16  # of rows whose covariances are summed in the working precision


def set_simd_level(str name):
    """Use the code of one SIMD level: "base", "v3" or "v4"."""
    levels = {"base": 0, "v3": 3, "v4": 4}
    if name not in levels or not use_level(levels[name]):
        raise ValueError(f"SIMD level {name!r} is not available on this machine")


cdef int check_stack(
    str name, const real[:, :, ::1] matrices, Py_ssize_t n, Py_ssize_t k
) except -1:
    """Check n matrices of k columns, or diagonals."""
    check(name, "entries", matrices.shape[0], n)
    if matrices.shape[1] != 1:
        check(name, "rows, or 1,", matrices.shape[1], k)
    check(name, "columns", matrices.shape[2], k)
    return 0


cdef VbRows described(
    const int64_t[::1] indptr, const int32_t[::1] indices,
    const real[::1] values, const real[::1] weights,
    const real[:, ::1] other, const real[::1] offsets,
    double noise_precision, const double[:, ::1] precision, const double[:, ::1] shift,
    Py_ssize_t n, Py_ssize_t k,
) except *:
    """Check what all functions have in common, and take the addresses."""
    cdef VbRows rows
    check("indptr", "entries", indptr.shape[0], n + 1)
    check("indices", "entries as indptr ends", indices.shape[0], indptr[n])
    check("values", "entries as indices", values.shape[0], indices.shape[0])
    if weights is not None:
        check("weights", "entries as indices", weights.shape[0], indices.shape[0])
    check("other", "columns as the results", other.shape[1], k)
    check("offsets", "entries", offsets.shape[0], other.shape[0])
    check_matrix("precision", precision, k, k)
    check_matrix("shift", shift, n if shift.shape[0] != 1 else 1, k)
    if k < 1 or not noise_precision > 0:
        raise ValueError(f"there are {k} features, and noise_precision is {noise_precision}")
    rows.n_features, rows.indptr = k, &indptr[0]
    rows.indices = &indices[0] if indices.shape[0] else NULL
    rows.values = &values[0] if indices.shape[0] else NULL
    rows.weights = &weights[0] if weights is not None and indices.shape[0] else NULL
    rows.offsets = &offsets[0] if offsets.shape[0] else NULL
    rows.noise_precision = noise_precision
    rows.shift = &shift[0, 0] if shift.shape[0] else NULL
    rows.shift_step = k if shift.shape[0] != 1 else 0
    rows.columns, rows.column_size, rows.each = NULL, 0, 0
    rows.noise = rows.means = rows.drawn = rows.covariances = NULL
    rows.covariance_size = 0
    rows.last_rows = rows.bias_covariances = rows.uncertainties = NULL
    return rows


cdef double row_work(const VbRows *rows, Py_ssize_t row) noexcept nogil:
    """Multiply-adds of a product that take as long as a row."""
    cdef double count = rows.indptr[row + 1] - rows.indptr[row], k = rows.padded
    return count * (k * k / 2 + 8 * k + rows.each * rows.column_size) + k * k * (k / 2 + 16)


cdef Py_ssize_t treat_slice(
    const VbKernels *kernels, const VbRows *rows, Py_ssize_t slice, Py_ssize_t n, char *scratch,
    double *sums, Watch *state, int thread,
) noexcept nogil:
    """Treat every sixteenth batch of rows; return how many rows have no finite posterior."""
    cdef Py_ssize_t together = kernels.together, some, i, failed = 0, batches = 0
    cdef Py_ssize_t start = slice * together
    cdef double work
    if rows.drawn == NULL:
        kernels.start_sums(rows, scratch)
    while start < n and not state.stopped:
        some = min(together, n - start)
        if rows.drawn != NULL:
            failed += kernels.draw_some(rows, start, some, scratch)
        else:
            failed += kernels.posterior_some(rows, start, some, scratch, sums)
            batches += 1
            if batches % BATCHES == 0:
                kernels.finish_sums(rows, scratch, sums)
        work = 0
        for i in range(some):
            work += row_work(rows, start + i)
        watch(state, thread, work)
        start += SLICES * together
    if batches % BATCHES:
        kernels.finish_sums(rows, scratch, sums)
    return failed


cdef int treat_all(
    const VbKernels *kernels, const VbRows *rows, Py_ssize_t n, int n_threads,
    char *scratch, Py_ssize_t scratch_bytes, double[:, ::1] sums, Py_ssize_t *n_failed,
) except -1 nogil:
    """Treat all rows; count those without a finite posterior."""
    cdef Watch state = new_watch()
    cdef Py_ssize_t slice, failed = 0
    for slice in prange(SLICES, schedule="dynamic", chunksize=1, num_threads=n_threads):
        failed += treat_slice(
            kernels, rows, slice, n, scratch + threadid() * scratch_bytes, &sums[slice, 0],
            &state, threadid())
    n_failed[0] = failed
    return leave(&state)


cdef Py_ssize_t treat(
    VbRows *rows, Py_ssize_t n, const real[:, ::1] other, const double[:, ::1] precision,
    covariance, double[:, ::1] sums, int n_threads,
) except -1:
    """Lay out the memory and treat all rows; `covariance` is of the factors of all columns."""
    cdef Py_ssize_t k = rows.n_features, row, scratch_bytes, n_failed = 0
    cdef const VbKernels *kernels = kernels_for(sizeof(real), max(k - 1, 1))
    cdef Threads threads = new_threads(n_threads)
    cdef double work = 0
    cdef Space space = counting()
    cdef char *scratch = NULL
    cdef unsigned char[::1] workspace
    cdef const real[:, ::1] columns = inner(other, len(other))
    cdef const double[:, ::1] of_factors = inner(precision, k - 1)
    cdef const double[:, ::1] factors = np.zeros((1, 1))
    cdef const double[::1] correlation = np.zeros(k)
    if covariance is not None:
        factors, correlation = of_design(covariance)
    rows.padded = (max(k - 1, 1) + kernels.pad - 1) // kernels.pad * kernels.pad
    rows.size = (k + kernels.side - 1) // kernels.side * kernels.side
    rows.mean_correlation, rows.border = &correlation[0], &precision[k - 1, 0]
    cdef const real[::1] prior = in_tiles(precision, rows.size, kernels.side).astype(
        np.asarray(other).dtype)
    rows.prior = &prior[0]
    for row in range(n):
        work += row_work(rows, row)
    threads.n_threads = min(threads_for(&threads, work), <int> SLICES)
    scratch_bytes = (kernels.scratch(rows) + 127) // 64 * 64
    for _ in range(2):
        rows.other = pad_rows(columns, rows.padded, &space)
        rows.precision = pad_panels(of_factors, rows.padded, kernels.panel, &space, <real> 0)
        rows.mean_covariance = pad_panels(factors, rows.padded, kernels.panel, &space, <real> 0)
        scratch = take(&space, threads.n_threads * scratch_bytes)
        if space.base == NULL:
            workspace = np.empty(needed(&space), dtype=np.uint8)
            space = space_of(workspace)
    with nogil:
        treat_all(kernels, rows, n, threads.n_threads, scratch, scratch_bytes, sums, &n_failed)
    return n_failed


def inner(matrix, n_rows):
    """Return a matrix without its last column, which 0 stands for if there is no other."""
    if matrix.shape[1] == 1:
        return np.zeros((max(n_rows, 1), 1), dtype=np.asarray(matrix).dtype)
    return np.ascontiguousarray(np.asarray(matrix)[:n_rows, :-1])


def of_design(covariance):
    """Return C and k of the covariance matrix of a column, or of its diagonal; C without zeros."""
    full = np.array(np.diag(covariance[0]) if len(covariance) == 1 else covariance, dtype=float)
    last = len(full) - 1
    correlation = full[last].copy()
    correlation[last] = 0
    return inner(full, last), correlation


def without_last(covariances):
    """Return the matrix of all columns with zeros in its last row and column."""
    one = np.array(covariances)
    one[:, -1] = one[:, :, -1] = 0
    return one


def in_tiles(matrix, size, side):
    """Return the tiles of the upper triangle, column by column, those off the diagonal doubled."""
    filled = np.zeros((size, size))
    filled[:len(matrix), :len(matrix)] = matrix
    starts = range(0, size, side)
    return np.concatenate([
        (1 + (i < c)) * filled[i:i + side, c:c + side].ravel()
        for c in starts for i in starts if i <= c
    ])


def posterior_rows(
    const int64_t[::1] indptr, const int32_t[::1] indices,
    const real[::1] values, const real[::1] weights,
    const real[:, ::1] other, const real[::1] offsets,
    double noise_precision, const double[:, ::1] precision, const double[:, ::1] shift,
    const real[:, :, ::1] column_covariances, const real[:, ::1] column_last_rows,
    real[:, ::1] means, real[:, :, ::1] covariances, int n_threads,
):
    """Compute all posteriors."""
    cdef Py_ssize_t n = means.shape[0], k = means.shape[1], m = other.shape[0]
    cdef VbRows rows = described(
        indptr, indices, values, weights, other, offsets, noise_precision, precision, shift, n, k)
    cdef double[:, ::1] sums = np.zeros((SLICES, 2 * k * k + 1))
    cdef real[:, ::1] bias_covariances = np.zeros_like(means)
    cdef double[::1] uncertainties = np.zeros(n)
    cdef bint each = column_covariances.shape[0] != 1
    check_stack("column_covariances", column_covariances, m if each else 1, k)
    if covariances is not None:
        check_stack("covariances", covariances, n, k)
        rows.covariances = &covariances[0, 0, 0] if n else NULL
        rows.covariance_size = k * covariances.shape[1]
    if column_last_rows is not None:
        if each or column_covariances.shape[1] != k:
            raise ValueError("column_last_rows go with the mean of column_covariances only")
        check_matrix("column_last_rows", column_last_rows, m, k)
        rows.last_rows = &column_last_rows[0, 0] if m else NULL
        column_covariances = without_last(column_covariances)
    rows.columns = &column_covariances[0, 0, 0] if column_covariances.shape[0] else NULL
    rows.column_size, rows.each = k * column_covariances.shape[1], each
    if n:
        rows.means, rows.uncertainties = &means[0, 0], &uncertainties[0]
        rows.bias_covariances = &bias_covariances[0, 0]
    one = None if each else np.asarray(column_covariances)[0]
    n_failed = treat(&rows, n, other, precision, one, sums, n_threads)
    return (
        n_failed, *totals(np.asarray(sums), k), np.asarray(bias_covariances),
        np.asarray(uncertainties))


def draw_rows(
    const int64_t[::1] indptr, const int32_t[::1] indices,
    const real[::1] values, const real[::1] weights,
    const real[:, ::1] other, const real[::1] offsets,
    double noise_precision, const double[:, ::1] precision, const double[:, ::1] shift,
    const real[:, ::1] noise, real[:, ::1] means, real[:, ::1] drawn, int n_threads,
):
    """Draw a sample of each posterior, the columns being certain."""
    cdef Py_ssize_t n = drawn.shape[0], k = drawn.shape[1]
    cdef double[:, ::1] no_sums = np.zeros((SLICES, 1))
    cdef VbRows rows = described(
        indptr, indices, values, weights, other, offsets, noise_precision, precision, shift, n, k)
    check_matrix("noise", noise, n, k)
    if means is not None:
        check_matrix("means", means, n, k)
    if not n:
        return 0
    rows.noise, rows.drawn = &noise[0, 0], &drawn[0, 0]
    rows.means = &means[0, 0] if means is not None else NULL
    return treat(&rows, n, other, precision, None, no_sums, n_threads)


def totals(sums, k):
    """Add the parts of the sums in their order."""
    total = np.zeros(2 * k * k + 1)
    for part in sums:
        total += part
    covariances = total[:2 * k * k].reshape(2, k, k)
    upper = np.triu(np.ones((k, k), dtype=bool))
    both = np.where(upper, covariances, covariances.transpose(0, 2, 1))
    return both[0].copy(), both[1].copy(), float(total[2 * k * k])
