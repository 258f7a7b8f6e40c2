"""Predictions and errors of single pairs: the numpy twin of the compiled `pairs` kernels.

A prediction is ``center + b_u + c_i + p_u.q_i``. The dot product is made in the precision of the
factors, the rest in double precision.

=============  ================================  =================================================
users, items   int32 or int64 (p,)               places of the pairs, both of one dtype
indptr         int64 (n + 1,)                    ratings of each row
indices        int32 (ratings,)                  their columns
values         dtype of the factors (ratings,)   the ratings
weights        the same, or None                 their weights; None is 1
*_factors      float32 or float64 (rows, k)      factors of a side
*_biases       the same dtype (rows,), or None   biases of a side; None is 0
n_threads      int                               ignored
=============  ================================  =================================================

Preconditions, checked by the caller: C order, matching shapes, places and indices in range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Places: TypeAlias = NDArray[np.int32] | NDArray[np.int64]

__all__ = ["predict_pairs", "residuals", "squared_errors"]

BLOCK_NUMBERS = 1 << 18
"""Numbers of gathered factors at a time."""


def predict_pairs(
    users: Places,
    items: Places,
    user_factors: Floats,
    item_factors: Floats,
    user_biases: Floats | None,
    item_biases: Floats | None,
    center: float,
    n_threads: int,
) -> NDArray[np.float64]:
    """Return the predictions of pairs of users and items, in double precision.

    Returns
    -------
    ndarray of float64
    """
    out = np.full(len(users), center)
    if user_biases is not None:
        out += user_biases[users]
    if item_biases is not None:
        out += item_biases[items]
    step = max(1, BLOCK_NUMBERS // user_factors.shape[1])
    for start in range(0, len(out), step):
        some = slice(start, start + step)
        out[some] += np.einsum("pf,pf->p", user_factors[users[some]], item_factors[items[some]])
    return out


def squared_errors(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    weights: Floats | None,
    row_factors: Floats,
    column_factors: Floats,
    row_biases: Floats | None,
    column_biases: Floats | None,
    center: float,
    n_threads: int,
) -> NDArray[np.float64]:
    """Return the weighted sum of squared errors of each row, in double precision.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    squares = np.square(
        _errors(
            indptr, indices, values, row_factors, column_factors, row_biases, column_biases, center
        )
    )
    if weights is not None:
        squares *= weights
    row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return np.bincount(row, weights=squares, minlength=len(indptr) - 1).astype(np.float64)


def residuals(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    row_factors: Floats,
    column_factors: Floats,
    row_biases: Floats | None,
    column_biases: Floats | None,
    center: float,
    n_threads: int,
) -> Floats:
    """Return rating - prediction of every rating.

    Returns
    -------
    ndarray
        In the order of the ratings, of the dtype of the factors.
    """
    errors = _errors(
        indptr, indices, values, row_factors, column_factors, row_biases, column_biases, center
    )
    return errors.astype(values.dtype)


def _errors(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    row_factors: Floats,
    column_factors: Floats,
    row_biases: Floats | None,
    column_biases: Floats | None,
    center: float,
) -> NDArray[np.float64]:
    rows = np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
    return values - predict_pairs(
        rows, indices, row_factors, column_factors, row_biases, column_biases, center, 1
    )
