"""Variational Bayes: the numpy twin of the compiled `vb` kernels.

The posterior of one side's rows, users say, given that of the other side. An entry of row u is
r = x.m + offset + noise, where x are the factors of its column and noise has the given precision.
Of the columns' covariances one mean is known, S; k is the mean of what each has in common with its
offset. With the prior N(mean, precision^-1) and W, the sum of a row's weights ::

    A = noise_precision (sum_j w_j x_j x_j^T + W S) + precision
    b = noise_precision (sum_j w_j (r_j - offset_j) x_j - W k) + precision mean

and the posterior is N(A^-1 b, A^-1). The diagonal of A is raised by a rounding error, (k + 32) eps
of it, so that A remains positive definite.

===============  =============================  ================================================
indptr           int64 (n + 1,)                 entries of each row
indices          int32 (entries,)               their columns
values           dtype of the factors           their ratings
weights          dtype of the factors, or None  their weights, >= 0; None is 1
other            float32 or float64 (m, k)      factors of the columns
offsets          the same dtype (m,)            of the columns
noise_precision  float                          above 0
precision        float64 (k, k)                 of the prior, positive definite
mean             float64 (k,)                   of the prior
covariance       float64 (k, k)                 S, symmetric
correlation      float64 (k,)                   k
means            dtype of the factors (n, k)    results
covariances      the same (n, k, k), or None    results: A^-1 of each row, if wanted
n_threads        int                            ignored: numpy's BLAS has its own pool
===============  =============================  ================================================

Preconditions, checked by the caller: C order, matching shapes, indices in range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from matfact.kernels._numpy._als_batches import batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = ["posterior_rows"]


def posterior_rows(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    weights: Floats | None,
    other: Floats,
    offsets: Floats,
    noise_precision: float,
    precision: NDArray[np.float64],
    mean: NDArray[np.float64],
    covariance: NDArray[np.float64],
    correlation: NDArray[np.float64],
    means: Floats,
    covariances: Floats | None,
    n_threads: int,
) -> tuple[int, NDArray[np.float64], NDArray[np.float64], float]:
    """Compute all posteriors.

    Returns
    -------
    tuple
        The number of rows that have none, the sum of the covariances, the same weighted by the
        rows' weights, and the sum of the logarithms of their determinants.
    """
    if not noise_precision > 0:
        raise ValueError(f"noise_precision is {noise_precision}")
    dtype, k = means.dtype, means.shape[1]
    noise = dtype.type(noise_precision)
    shift = (precision @ mean).astype(dtype)
    sums, weighted, log_determinants, n_failed = np.zeros((k, k)), np.zeros((k, k)), 0.0, 0
    targets = values - offsets[indices]
    with np.errstate(all="ignore"):
        for rows, entries, present in batches(indptr, k, empty_too=True):
            weight = present.astype(dtype)
            if weights is not None:
                weight = np.where(present, weights[entries], weight) if len(indices) else weight
            total = weight.sum(axis=1)
            if len(indices):
                factors = np.where(present[:, :, None], other[indices[entries]], dtype.type(0))
                linear = np.where(present, weight * targets[entries], dtype.type(0))
            else:
                factors, linear = np.zeros((*entries.shape, k), dtype=dtype), weight
            normal = np.swapaxes(factors * weight[:, :, None], 1, 2) @ factors
            normal += total[:, None, None] * covariance.astype(dtype)
            normal = noise * normal.astype(dtype) + precision.astype(dtype)
            # So that rounding leaves it positive definite.
            diagonal = np.arange(k)
            normal[:, diagonal, diagonal] *= dtype.type(1 + (k + 32) * np.finfo(dtype).eps)
            right = (linear[:, None, :] @ factors)[:, 0] - total[:, None] * correlation
            right = (noise * right + shift).astype(dtype)
            found, inverse, log_determinant, failed = _solved(normal, right)
            means[rows] = found
            if covariances is not None:
                covariances[rows] = inverse
            n_failed += int(np.count_nonzero(failed))
            sums += inverse.sum(axis=0)
            weighted += np.einsum("r,rij->ij", total.astype(np.float64), inverse)
            log_determinants += float(log_determinant.sum())
    return n_failed, (sums + sums.T) / 2, (weighted + weighted.T) / 2, log_determinants


def _solved(
    normal: Floats, right: Floats
) -> tuple[Floats, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return solutions, inverses and the logarithms of their determinants; NaN where there is none.

    By Cholesky in the precision of the factors; which rows fail is told.
    """
    finite = np.isfinite(normal).all(axis=(1, 2)) & np.isfinite(right).all(axis=1)
    failed: NDArray[np.bool_] = np.atleast_1d(~finite)
    eye = np.eye(normal.shape[1], dtype=normal.dtype)
    normal = np.where(failed[:, None, None], eye, normal)
    right = np.where(failed[:, None], 0, right)
    try:
        root = np.linalg.cholesky(normal)
    except np.linalg.LinAlgError:  # one of them is not positive definite: find which
        smallest = np.linalg.eigvalsh(normal)[:, 0]
        failed |= ~(smallest > 0)
        normal = np.where(failed[:, None, None], eye, normal)
        root = np.linalg.cholesky(normal)
    y = np.linalg.inv(root)
    inverse = (np.swapaxes(y, 1, 2) @ y).astype(np.float64)
    found = (np.swapaxes(y, 1, 2) @ (y @ right[:, :, None]))[:, :, 0]
    diagonal = np.diagonal(root, axis1=1, axis2=2).astype(np.float64)
    found[failed] = np.nan
    inverse[failed] = 0
    log_determinant = np.where(failed, 0.0, -2 * np.log(diagonal).sum(axis=1)).astype(np.float64)
    return found, inverse, log_determinant, failed
