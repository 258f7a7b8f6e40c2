"""Rows of ratings that are solved together by the numpy twin of `als`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = ["Batch", "batches"]

BATCH_NUMBERS = 1 << 19
"""Numbers in the gathered factors and normal matrices of a batch: a few megabytes."""


@dataclass(frozen=True)
class Batch:
    """Rows with their entries; arrays have one more axis in front, that of the rows.

    The entries' factors are q (rows, entries, k). Entry j adds quadratic[j] q_j q_j^T to the
    normal matrix and linear[j] q_j to its right-hand side. The bias is the first variable that is
    eliminated: with s = sum_j w_j q_j and pivot = sum_j w_j + bias_ridge it leaves
    A - s s^T / pivot.
    """

    factors: Floats
    quadratic: Floats
    linear: Floats
    ridge: Floats
    gram: Floats | None
    mean: Floats  # s
    total: Floats  # sum of linear
    inverse: Floats  # 1 / pivot; 0 without a bias

    @classmethod
    def gathered(
        cls,
        factors: Floats,
        targets: Floats,
        weights: Floats | None,
        present: NDArray[np.bool_],
        ridge: Floats,
        bias_ridge: Floats | None,
        gram: Floats | None,
    ) -> Batch:
        """Make the sums that all methods need."""
        dtype = factors.dtype
        linear = targets if weights is None else weights * targets
        linear = np.where(present, linear, dtype.type(0))
        quadratic = np.ones_like(linear) if weights is None else weights
        if gram is not None:
            quadratic = quadratic - dtype.type(1)
        quadratic = np.where(present, quadratic, dtype.type(0))
        mean = (quadratic[:, None, :] @ factors)[:, 0]
        inverse = np.zeros(len(ridge), dtype=dtype)
        if bias_ridge is not None:
            pivot = quadratic.sum(axis=1) + bias_ridge
            inverse = np.where(pivot > 0, 1 / np.where(pivot > 0, pivot, 1), 0).astype(dtype)
        return cls(factors, quadratic, linear, ridge, gram, mean, linear.sum(axis=1), inverse)

    def best_bias(self, found: Floats) -> Floats:
        """Return the biases that belong to factors; zeros without a bias."""
        out: Floats = (self.total - (self.mean * found).sum(axis=1)) * self.inverse
        return out

    def right_side(self) -> Floats:
        """Return b, the bias eliminated."""
        out: Floats = (self.linear[:, None, :] @ self.factors)[:, 0]
        out -= (self.total * self.inverse)[:, None] * self.mean
        return out

    def times(self, directions: Floats) -> Floats:
        """Return A x for one x a row, the bias eliminated, without A."""
        dots = (self.factors @ directions[:, :, None])[:, :, 0]
        out: Floats = ((self.quadratic * dots)[:, None, :] @ self.factors)[:, 0]
        out += self.ridge[:, None] * directions
        out -= ((self.mean * directions).sum(axis=1) * self.inverse)[:, None] * self.mean
        if self.gram is not None:
            out += directions @ self.gram
        return out

    def normal_matrices(self) -> Floats:
        """Return A for every row, the bias not eliminated."""
        weighted = self.factors * self.quadratic[:, :, None]
        out: Floats = np.swapaxes(weighted, 1, 2) @ self.factors
        out += self.ridge[:, None, None] * np.eye(out.shape[1], dtype=out.dtype)
        if self.gram is not None:
            out += self.gram
        return out


def batches(
    indptr: NDArray[np.int64], n_features: int, empty_too: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]:
    """Cut the rows into batches of similar length, the longest first.

    Yields
    ------
    rows : ndarray of int64
    entries : ndarray of int64 (rows, longest)
        Places of their entries; 0 where a row is shorter than the longest.
    present : ndarray of bool
        Where it is not.
    """
    counts = np.diff(indptr)
    order = np.argsort(-counts, kind="stable")
    if not empty_too:
        order = order[: np.count_nonzero(counts)]
    start = 0
    while start < len(order):
        longest = int(counts[order[start]])
        height = max(1, BATCH_NUMBERS // ((longest + n_features) * n_features))
        rows = order[start : start + height]
        start += height
        place = np.arange(longest)
        present = place < counts[rows, None]
        yield rows, np.where(present, indptr[rows, None] + place, 0), present
