"""Alternating least squares: the numpy twin of the compiled `als` kernels.

One half step solves every row of one side, a user say, while the other side's factors q_i and
biases c_i stand still. It minimizes over p and b ::

    sum_i w_i (r_i - center - c_i - b - p.q_i)^2 + ridge |p|^2 + bias_ridge b^2

with the sum over the row's entries. With a gram matrix G absent entries count too, as zeros of
weight 1::

    A = G + sum_i (w_i - 1) q_i q_i^T + ridge I        b = sum_i w_i r_i q_i

===============  =============================  ================================================
indptr           int64 (n + 1,)                 entries of each row
indices          int32 (entries,)               their columns
values           dtype of the factors           their ratings
weights          dtype of the factors, or None  their weights, >= 0; None is 1
other_factors    float32 or float64 (m, k)      factors of the columns
other_biases     the same dtype (m,), or None   biases of the columns; None is 0
own_factors      the same dtype (n, k)          solved for, in place; start of iterative methods
own_biases       the same dtype (n,), or None   solved for, in place; None: no biases
ridge            the same dtype (n,)            >= 0
bias_ridge       the same dtype (n,), or None   >= 0; read with own_biases only
gram             float64 (k, k), or None        of other_factors
method           int                            CHOLESKY, CONJUGATE_GRADIENT, NON_NEGATIVE, SUBSPACE
n_steps          int                            steps of a gradient; sweeps of the last two
n_threads        int                            ignored: numpy's BLAS has its own pool
===============  =============================  ================================================

Preconditions, checked by the caller: C order, matching shapes, indices in range. Rows that leave
variables undetermined (ridge 0, fewer entries than factors) get a basic solution: variables are
zero whose pivot is zero up to rounding. Rows without entries get zeros, with a gram matrix they
are solved like all others. The own arrays change at the very end of a call, when all rows are
finite.

Rows of similar length are solved together, filled up with entries of weight zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from matfact.kernels._numpy._als_batches import Batch, batches
from matfact.kernels._numpy._als_methods import (
    by_blocks,
    by_conjugate_gradients,
    by_descent,
    by_elimination,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = [
    "CHOLESKY",
    "CONJUGATE_GRADIENT",
    "NON_NEGATIVE",
    "SUBSPACE",
    "gram_matrix",
    "solve_rows",
]

CHOLESKY, CONJUGATE_GRADIENT, NON_NEGATIVE, SUBSPACE = 0, 1, 2, 3

GRAM_ROWS = 4096
"""Rows of factors that are turned to double precision at a time."""


def solve_rows(  # noqa: PLR0917 (the signature is that of the compiled twin)
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    weights: Floats | None,
    other_factors: Floats,
    other_biases: Floats | None,
    own_factors: Floats,
    own_biases: Floats | None,
    center: float,
    ridge: Floats,
    bias_ridge: Floats | None,
    gram: NDArray[np.float64] | None,
    method: int,
    n_steps: int,
    n_threads: int,
) -> int:
    """Solve all rows of one side; return how many have no finite solution.

    If any has none, the own arrays are left as they were.

    Returns
    -------
    int
        Number of rows without a finite solution.
    """
    if gram is not None and (own_biases is not None or other_biases is not None or center != 0):
        raise ValueError("with a gram matrix there are no biases, and center is 0")
    if not CHOLESKY <= method <= SUBSPACE:
        raise ValueError(f"method is {method}; it must be 0, 1, 2 or 3")
    if method >= NON_NEGATIVE and own_biases is not None:
        raise ValueError("the methods non-negative and subspace have no biases")
    targets = values - values.dtype.type(center)
    if other_biases is not None:
        targets -= other_biases[indices]
    factors = np.zeros_like(own_factors)
    biases = np.zeros(len(own_factors), dtype=own_factors.dtype)
    n_failed = 0
    with np.errstate(all="ignore"):
        for rows, entries, present in batches(indptr, own_factors.shape[1], gram is not None):
            batch = Batch.gathered(
                other_factors[indices[entries]],
                targets[entries],
                None if weights is None else weights[entries],
                present,
                ridge[rows],
                bias_ridge[rows] if own_biases is not None and bias_ridge is not None else None,
                None if gram is None else gram.astype(own_factors.dtype),
            )
            if method == CHOLESKY:
                found = by_elimination(batch)
            elif method == CONJUGATE_GRADIENT:
                found = by_conjugate_gradients(batch, own_factors[rows], n_steps)
            elif method == SUBSPACE:
                found = by_blocks(batch, own_factors[rows], n_steps)
            else:
                found = by_descent(batch, own_factors[rows], n_steps)
            factors[rows] = found
            biases[rows] = batch.best_bias(found)
            finite = np.isfinite(found).all(axis=1) & np.isfinite(biases[rows])
            n_failed += len(rows) - int(np.count_nonzero(finite))
    if n_failed == 0:
        _store(own_factors, factors, own_biases, biases)
    return n_failed


def gram_matrix(factors: Floats, n_threads: int) -> NDArray[np.float64]:
    """Return the sum of q q^T over the rows q, in double precision.

    Returns
    -------
    ndarray of float64
        A symmetric matrix.
    """
    total = np.zeros((factors.shape[1], factors.shape[1]))
    for start in range(0, len(factors), GRAM_ROWS):
        some = factors[start : start + GRAM_ROWS].astype(np.float64)
        total += some.T @ some
    return (total + total.T) / 2


def _store(own_factors: Floats, factors: Floats, own_biases: Floats | None, biases: Floats) -> None:
    try:
        own_factors[...] = factors
        if own_biases is not None:
            own_biases[...] = biases
    except KeyboardInterrupt:
        # It may have come between the two arrays, which must belong to one another.
        own_factors[...] = factors
        if own_biases is not None:
            own_biases[...] = biases
        raise
