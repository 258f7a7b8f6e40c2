"""Variational Bayes: compiled kernels.

The posterior of one side's rows, users say, given that of the other side. An entry of row u is
r = x.m + offset + noise, where x are the factors of its column and noise has the given precision.
Of the columns' covariances one mean is known, S; k is the mean of what each has in common with its
offset. With the prior N(mean, precision^-1) and W, the sum of a row's weights,

    A = noise_precision (sum_j w_j x_j x_j^T + W S) + precision
    b = noise_precision (sum_j w_j (r_j - offset_j) x_j - W k) + precision mean

and the posterior is N(A^-1 b, A^-1). The diagonal of A is raised by a rounding error, (k + 32) eps
of it, so that A remains positive definite.

argument         shape, dtype         meaning
indptr           (n + 1,) int64       entries of each row
indices          (entries,) int32     their columns
values           (entries,) real      their ratings
weights          (entries,) real      their weights, >= 0, or None: 1
other            (m, k) real          factors of the columns
offsets          (m,) real            of the columns
noise_precision  float                above 0
precision        (k, k) float64       of the prior, positive definite
mean             (k,) float64         of the prior
covariance       (k, k) float64       S, symmetric
correlation      (k,) float64         k
means            (n, k) real          results
covariances      (n, k, k) real       results: A^-1 of each row; or None: not wanted
n_threads        int                  0: what OpenMP says at this call

Returned: the number of rows without a finite posterior (then the means are not complete), the sum
of the covariances A^-1, the same weighted by W, both (k, k) float64, and the sum of the logarithms
of their determinants.

Preconditions, checked by the caller: C order, indices in range. A row's mean depends on that row
alone, and sums are made of SLICES parts in a fixed order: the same bits for any number of threads.
Memory: a copy of the columns' factors, 17 k^2 doubles, two matrices of k^2 reals a thread.
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

__all__ = ["posterior_rows", "set_simd_level"]

cdef enum:
    SLICES = 16  # every sixteenth row goes into one sum


def set_simd_level(str name):
    """Use the code of one SIMD level: "base", "v3" or "v4"."""
    levels = {"base": 0, "v3": 3, "v4": 4}
    if name not in levels or not use_level(levels[name]):
        raise ValueError(f"SIMD level {name!r} is not available on this machine")


cdef const void *pad_vector(
    const double[::1] vector, Py_ssize_t padded, Space *space, real zero
) noexcept:
    """Copy a vector, rounded to the type of `zero` and filled up with zeros."""
    cdef real *out = <real *> take(space, padded * sizeof(real))
    cdef Py_ssize_t i
    if out != NULL:
        for i in range(padded):
            out[i] = <real> vector[i] if i < vector.shape[0] else zero
    return out


cdef int check_arguments(
    const int64_t[::1] indptr, const int32_t[::1] indices,
    const real[::1] values, const real[::1] weights,
    const real[:, ::1] other, const real[::1] offsets,
    double noise_precision, const double[:, ::1] precision, const double[::1] mean,
    const double[:, ::1] covariance, const double[::1] correlation,
    const real[:, ::1] means, const real[:, :, ::1] covariances,
) except -1:
    cdef Py_ssize_t n = means.shape[0], k = means.shape[1]
    check("indptr", "entries", indptr.shape[0], n + 1)
    check("indices", "entries as indptr ends", indices.shape[0], indptr[n])
    check("values", "entries as indices", values.shape[0], indices.shape[0])
    if weights is not None:
        check("weights", "entries as indices", weights.shape[0], indices.shape[0])
    check("other", "columns as means", other.shape[1], k)
    check("offsets", "entries", offsets.shape[0], other.shape[0])
    check_matrix("precision", precision, k, k)
    check_matrix("covariance", covariance, k, k)
    check("mean", "entries", mean.shape[0], k)
    check("correlation", "entries", correlation.shape[0], k)
    if covariances is not None:
        check("covariances", "entries", covariances.shape[0], n)
        check("covariances", "rows as means has columns", covariances.shape[1], k)
        check("covariances", "columns as means", covariances.shape[2], k)
    if k < 1 or not noise_precision > 0:
        raise ValueError(f"there are {k} features, and noise_precision is {noise_precision}")
    return 0


cdef double row_work(const VbRows *rows, Py_ssize_t row) noexcept nogil:
    """Multiply-adds of a product that take as long as a row."""
    cdef double count = rows.indptr[row + 1] - rows.indptr[row], k = rows.padded
    return count * (k * k / 2 + 8 * k) + k * k * (k / 2 + 16)


cdef int posterior_all(
    const VbKernels *kernels, const VbRows *rows, Py_ssize_t n, int n_threads,
    char *scratch, Py_ssize_t scratch_bytes, double[:, ::1] sums, Py_ssize_t *n_failed,
) except -1 nogil:
    """Treat all rows; count those without a finite posterior."""
    cdef Watch state = new_watch()
    cdef Py_ssize_t slice, row, failed = 0
    for slice in prange(SLICES, schedule="dynamic", chunksize=1, num_threads=n_threads):
        row = slice
        while row < n and not state.stopped:
            failed += kernels.posterior_row(
                rows, row, scratch + threadid() * scratch_bytes, &sums[slice, 0])
            watch(&state, threadid(), row_work(rows, row))
            row = row + SLICES
    n_failed[0] = failed
    return leave(&state)


def posterior_rows(
    const int64_t[::1] indptr, const int32_t[::1] indices,
    const real[::1] values, const real[::1] weights,
    const real[:, ::1] other, const real[::1] offsets,
    double noise_precision, const double[:, ::1] precision, const double[::1] mean,
    const double[:, ::1] covariance, const double[::1] correlation,
    real[:, ::1] means, real[:, :, ::1] covariances, int n_threads,
):
    """Compute all posteriors."""
    cdef Py_ssize_t n = means.shape[0], k = means.shape[1], row, n_failed = 0
    cdef const VbKernels *kernels = kernels_for(sizeof(real), k)
    cdef Threads threads = new_threads(n_threads)
    cdef double work = 0
    cdef VbRows rows
    cdef Space space = counting()
    cdef char *scratch = NULL
    cdef Py_ssize_t scratch_bytes
    cdef unsigned char[::1] workspace
    cdef double[:, ::1] sums = np.zeros((SLICES, 2 * k * k + 1))
    check_arguments(
        indptr, indices, values, weights, other, offsets, noise_precision, precision, mean,
        covariance, correlation, means, covariances)
    cdef double[::1] shift = np.asarray(precision) @ np.asarray(mean)
    cdef double[:, ::1] filled = np.eye((k + kernels.pad - 1) // kernels.pad * kernels.pad)
    for row in range(k):
        filled[row, :k] = precision[row]
    rows.n_features, rows.padded, rows.indptr = k, filled.shape[0], &indptr[0]
    rows.indices = &indices[0] if indices.shape[0] else NULL
    rows.values = &values[0] if indices.shape[0] else NULL
    rows.weights = &weights[0] if weights is not None and indices.shape[0] else NULL
    rows.offsets = &offsets[0] if offsets.shape[0] else NULL
    rows.covariances = (
        &covariances[0, 0, 0] if covariances is not None and n else NULL)
    rows.noise_precision, rows.means = noise_precision, &means[0, 0] if n else NULL
    for row in range(n):
        work += row_work(&rows, row)
    threads.n_threads = min(threads_for(&threads, work), <int> SLICES)
    scratch_bytes = (kernels.scratch(rows.padded) + 127) // 64 * 64
    for _ in range(2):
        rows.other = pad_rows(other, rows.padded, &space)
        rows.precision = pad_panels(filled, rows.padded, kernels.panel, &space, <real> 0)
        rows.covariance = pad_panels(covariance, rows.padded, kernels.panel, &space, <real> 0)
        rows.correlation = pad_vector(correlation, rows.padded, &space, <real> 0)
        rows.shift = pad_vector(shift, rows.padded, &space, <real> 0)
        scratch = take(&space, threads.n_threads * scratch_bytes)
        if space.base == NULL:
            workspace = np.empty(needed(&space), dtype=np.uint8)
            space = space_of(workspace)
    with nogil:
        posterior_all(
            kernels, &rows, n, threads.n_threads, scratch, scratch_bytes, sums, &n_failed)
    return n_failed, *totals(np.asarray(sums), k)


def totals(sums, k):
    """Add the parts of the sums in their order: (covariances, weighted ones, log determinants)."""
    total = np.zeros(2 * k * k + 1)
    for part in sums:
        total += part
    covariances = total[:2 * k * k].reshape(2, k, k)
    upper = np.triu(np.ones((k, k), dtype=bool))
    both = np.where(upper, covariances, covariances.transpose(0, 2, 1))
    return both[0].copy(), both[1].copy(), float(total[2 * k * k])
