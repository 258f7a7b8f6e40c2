"""Variational Bayes: the numpy twin of the compiled `vb` kernels.

The posterior of one side's rows, users say, given that of the other side. An entry of row u is
r = x.p + offset + noise, where x are the factors of its column and noise has the given precision.
The last factor of all columns is the constant 1. With the prior N(mean, precision^-1), C_j and k_j
for what is known of the covariance of a column's factors and of what they have in common with the
offset ::

    A = noise_precision (sum_j w_j (x_j x_j^T + C_j)) + precision
    b = noise_precision (sum_j w_j ((r_j - offset_j) x_j - k_j)) + precision mean

and the posterior is N(A^-1 b, A^-1). The diagonal of A is raised by a rounding error, (k + 32) eps
of it, so that A remains positive definite. A sample is A^-1 b + U^-1 z for A = U^T U.

C_j is a column's covariance matrix with zeros in its last row and column: there the matrix has the
variance v_j of the offset, and k_j before it. Of diagonal matrices k_j is 0. Where one matrix
stands for all columns, each may still have a last row of its own.

==================  =========================  ==================================================
indptr              int64 (n + 1,)             entries of each row
indices             int32 (entries,)           their columns
values              dtype of the factors       their ratings
weights             the same, or None          their weights, >= 0; None is 1
other               float32 or float64 (m, k)  factors of the columns, the last of them 1
offsets             the same dtype (m,)        of the columns
noise_precision     float                      above 0
precision           float64 (k, k)             of the prior, positive definite
shift               float64 (1 or n, k)        precision times mean of the prior: of all rows, or
                                               of each
column_covariances  the same (1 or m, k, k)    of (factors, offset) of each column, symmetric, or
                                               the mean of all; (1 or m, 1, k): diagonals
column_last_rows    the same (m, k)            (k_j, v_j) of each column, in place of the last row
                                               of the mean (1, k, k); or None
noise               the same (n, k)            z: independent standard normal numbers
means               the same (n, k)            results; draw_rows takes None: not wanted
drawn               the same (n, k)            results: a sample of each row
covariances         the same (n, k, k)         results: A^-1 of each row; (n, 1, k): its
                                               diagonal; or None: not wanted
n_threads           int                        ignored: numpy's BLAS has its own pool
==================  =========================  ==================================================

draw_rows returns the number of rows without a finite posterior (then results are not complete),
posterior_rows a tuple: that number; the sum of the covariances A^-1 and the same weighted by the
sums of the rows' weights, both (k, k) float64; the sum of the logarithms of their determinants; of
each row the last row of A^-1, (n, k), and its uncertainty, (n,) float64: what the expected squared
error of its entries is more than that of the mean m ::

    sum_j w_j (m^T C_j m + 2 m.k_j + v_j) + tr(sum_j w_j (x_j x_j^T + C_j) A^-1)

Preconditions, checked by the caller: C order, matching shapes, indices in range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from matfact.kernels._numpy._als_batches import batches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Doubles: TypeAlias = NDArray[np.float64]

__all__ = ["draw_rows", "posterior_rows"]


def posterior_rows(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    weights: Floats | None,
    other: Floats,
    offsets: Floats,
    noise_precision: float,
    precision: Doubles,
    shift: Doubles,
    column_covariances: Floats,
    column_last_rows: Floats | None,
    means: Floats,
    covariances: Floats | None,
    n_threads: int,
) -> tuple[int, Doubles, Doubles, float, Floats, Doubles]:
    """Compute all posteriors.

    Returns
    -------
    tuple
        The number of rows that have none, the sum of the covariances, the same weighted by the
        rows' weights, the sum of the logarithms of their determinants, the last row of the
        covariance of each row, and its uncertainty.
    """
    del n_threads
    k = means.shape[1]
    sums, weighted, log_determinants, n_failed = np.zeros((k, k)), np.zeros((k, k)), 0.0, 0
    last_rows, uncertainties = np.zeros_like(means), np.zeros(len(means))
    stack = indptr, indices, values, weights, other, offsets
    with np.errstate(all="ignore"):
        for rows, normal, right, total, added in _equations(
            *stack, noise_precision, precision, shift, column_covariances, column_last_rows
        ):
            root, failed = _roots(normal, right)
            y = np.linalg.inv(root)
            inverse = (np.swapaxes(y, 1, 2) @ y).astype(np.float64)
            found = (np.swapaxes(y, 1, 2) @ (y @ right[:, :, None]))[:, :, 0]
            means[rows] = np.where(failed[:, None], np.nan, found)
            inverse[failed] = 0
            if covariances is not None:
                diagonals = np.diagonal(inverse, axis1=1, axis2=2)[:, None]
                covariances[rows] = inverse if covariances.shape[1] == k else diagonals
            last_rows[rows] = inverse[:, -1]
            n_failed += int(np.count_nonzero(failed))
            sums += inverse.sum(axis=0)
            weighted += np.einsum("r,rij->ij", total.astype(np.float64), inverse)
            diagonal = np.diagonal(root, axis1=1, axis2=2).astype(np.float64)
            log_determinants += float(-2 * np.log(diagonal[~failed]).sum())
            factors = np.concatenate([found[:, :-1], np.ones((len(rows), 1))], axis=1)
            uncertainties[rows] = np.einsum("rf,rfg,rg->r", factors, added, factors)
            # What the entries add to A is (A - precision) / noise_precision.
            freed = k - np.einsum("fg,rfg->r", precision, inverse)
            uncertainties[rows] += freed / noise_precision
    sums, weighted = (sums + sums.T) / 2, (weighted + weighted.T) / 2
    return n_failed, sums, weighted, log_determinants, last_rows, uncertainties


def draw_rows(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    weights: Floats | None,
    other: Floats,
    offsets: Floats,
    noise_precision: float,
    precision: Doubles,
    shift: Doubles,
    noise: Floats,
    means: Floats | None,
    drawn: Floats,
    n_threads: int,
) -> int:
    """Draw a sample of each posterior, the columns being certain.

    Returns
    -------
    int
        The number of rows without a finite posterior.
    """
    del n_threads
    k, n_failed = drawn.shape[1], 0
    stack = indptr, indices, values, weights, other, offsets
    certain = np.zeros((1, k, k), dtype=drawn.dtype)
    with np.errstate(all="ignore"):
        for rows, normal, right, _, _ in _equations(
            *stack, noise_precision, precision, shift, certain, None
        ):
            root, failed = _roots(normal, right)
            y = np.linalg.inv(root)
            half = y @ right[:, :, None]
            for out, vectors in ((means, half), (drawn, half + noise[rows][:, :, None])):
                if out is not None:
                    found = (np.swapaxes(y, 1, 2) @ vectors)[:, :, 0]
                    out[rows] = np.where(failed[:, None], np.nan, found)
            n_failed += int(np.count_nonzero(failed))
    return n_failed


def _equations(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    weights: Floats | None,
    other: Floats,
    offsets: Floats,
    noise_precision: float,
    precision: Doubles,
    shift: Doubles,
    columns: Floats,
    last_rows: Floats | None,
) -> Iterator[tuple[NDArray[np.int64], Floats, Floats, Floats, Floats]]:
    """Yield rows, their A and b, the sums of their weights and the weighted sums of covariances.

    `last_rows` stand in place of those of `columns`, which is then one.
    """
    if not noise_precision > 0:
        raise ValueError(f"noise_precision is {noise_precision}")
    dtype, k = other.dtype, other.shape[1]
    noise, diagonal = dtype.type(noise_precision), np.arange(k)
    shift = np.broadcast_to(shift, (len(indptr) - 1, k))
    targets = values - offsets[indices]
    for rows, entries, present in batches(indptr, k, empty_too=True):
        weight = present.astype(dtype)
        if weights is not None:
            weight = np.where(present, weights[entries], weight) if len(indices) else weight
        total = weight.sum(axis=1)
        if len(indices):
            of_each = indices[entries]
            factors = np.where(present[:, :, None], other[of_each], dtype.type(0))
            linear = np.where(present, weight * targets[entries], dtype.type(0))
        else:
            of_each = np.zeros(entries.shape, dtype=np.int32)
            factors, linear = np.zeros((*entries.shape, k), dtype=dtype), weight
        added = _sums_of_columns(columns, of_each, weight, present)
        if last_rows is not None:
            of_rows = np.einsum("re,ref->rf", weight, last_rows[of_each] * present[:, :, None])
            added[:, -1] = added[:, :, -1] = of_rows
        normal = np.swapaxes(factors * weight[:, :, None], 1, 2) @ factors
        normal[:, :-1, :-1] += added[:, :-1, :-1]
        normal = noise * normal.astype(dtype) + precision.astype(dtype)
        # So that rounding leaves it positive definite.
        normal[:, diagonal, diagonal] *= dtype.type(1 + (k + 32) * np.finfo(dtype).eps)
        right = (linear[:, None, :] @ factors)[:, 0]
        right[:, :-1] -= added[:, :-1, -1]
        yield rows, normal, (noise * right + shift[rows]).astype(dtype), total, added


def _sums_of_columns(
    columns: Floats, of_each: NDArray[np.int32], weight: Floats, present: NDArray[np.bool_]
) -> Floats:
    """Return sum_j w_j C_j for the columns of each row."""
    sums: Floats
    if len(columns) == 1:
        sums = weight.sum(axis=1)[:, None, None] * columns
    else:
        sums = np.stack(
            [
                np.tensordot(w[there], columns[mine[there]], axes=1)
                for mine, w, there in zip(of_each, weight, present, strict=True)
            ]
        )
    k = columns.shape[2]
    if columns.shape[1] != k:
        sums = sums * np.eye(k, dtype=columns.dtype)
    return sums


def _roots(normal: Floats, right: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return lower triangular roots L of A = L L^T, and which rows fail: theirs is 1."""
    finite = np.isfinite(normal).all(axis=(1, 2)) & np.isfinite(right).all(axis=1)
    failed: NDArray[np.bool_] = np.atleast_1d(~finite)
    eye = np.eye(normal.shape[1], dtype=normal.dtype)
    normal = np.where(failed[:, None, None], eye, normal)
    try:
        return np.linalg.cholesky(normal), failed
    except np.linalg.LinAlgError:  # one of them is not positive definite: find which
        smallest = np.linalg.eigvalsh(normal)[:, 0]
        failed |= ~(smallest > 0)
        return np.linalg.cholesky(np.where(failed[:, None, None], eye, normal)), failed
