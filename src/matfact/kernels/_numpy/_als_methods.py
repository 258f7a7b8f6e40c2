"""How the numpy twin of `als` solves a batch of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.kernels._numpy._als_batches import Batch

    Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = ["by_blocks", "by_conjugate_gradients", "by_descent", "by_elimination"]


BLOCK = 32
"""Variables of a block, as in the compiled twin."""


def by_elimination(batch: Batch) -> Floats:
    """Solve the normal equations of every row."""
    matrix, right = batch.normal_matrices(), batch.right_side()
    diagonal = np.diagonal(matrix, axis1=1, axis2=2)
    failed = ~np.isfinite(diagonal).all(axis=1)
    floor = _floor(diagonal)
    matrix -= batch.mean[:, :, None] * batch.mean[:, None, :] * batch.inverse[:, None, None]
    out = _eliminated(matrix, right, floor)
    out[failed] = np.nan
    return out


def by_blocks(batch: Batch, start: Floats, n_sweeps: int) -> Floats:
    """Bring one block of variables after another to its best."""
    out = start.copy()
    matrix = batch.normal_matrices()
    failed = ~np.isfinite(np.diagonal(matrix, axis1=1, axis2=2)).all(axis=1)
    gradient = batch.right_side() - (matrix @ out[:, :, None])[:, :, 0]
    for _ in range(n_sweeps):
        for first in range(0, out.shape[1], BLOCK):
            block = slice(first, first + BLOCK)
            square = matrix[:, block, block].copy()
            floor = _floor(np.diagonal(square, axis1=1, axis2=2))
            change = _eliminated(square, gradient[:, block].copy(), floor)
            out[:, block] += change
            gradient -= (matrix[:, :, block] @ change[:, :, None])[:, :, 0]
    if n_sweeps:
        out[failed] = np.nan
    return out


def _floor(diagonal: Floats) -> Floats:
    """Return the rounding errors of pivots, from what they are made of."""
    out: Floats = np.finfo(diagonal.dtype).eps * (diagonal.shape[1] + 32) * diagonal
    return out


def _eliminated(matrix: Floats, right: Floats, floor: Floats) -> Floats:
    """Solve systems of equations by A = M^T D M, M unit upper triangular; overwrites both.

    A pivot that is zero up to rounding leaves its variable out, which becomes zero.
    """
    k = matrix.shape[1]
    inverse = np.zeros_like(right)
    for i in range(k):
        pivot = matrix[:, i, i]
        keep = ~(pivot <= floor[:, i])  # NaN stays, to be seen
        inverse[:, i] = np.where(keep, 1 / np.where(keep, pivot, 1), 0)
        row = matrix[:, i, i + 1 :]
        factor = row * inverse[:, i, None]
        matrix[:, i + 1 :, i + 1 :] -= factor[:, :, None] * row[:, None, :]
        right[:, i + 1 :] -= factor * right[:, i, None]
        matrix[:, i, i + 1 :] = factor
    out = np.zeros_like(right)
    for i in reversed(range(k)):
        known = (matrix[:, i, i + 1 :] * out[:, i + 1 :]).sum(axis=1)
        out[:, i] = np.where(inverse[:, i] == 0, 0, right[:, i] * inverse[:, i] - known)
    return out


def by_conjugate_gradients(batch: Batch, start: Floats, n_steps: int) -> Floats:
    """Take steps of conjugate gradients from the given factors."""
    small = np.finfo(start.dtype).eps ** 2
    out = start.copy()
    right = batch.right_side()
    residual = right - batch.times(out)
    direction = residual.copy()
    square = _dots(residual, residual)
    # A start at the solution leaves rounding errors, where a singular matrix has no curvature.
    negligible = np.maximum(square, 64 * _dots(right, right)) * small
    out[~np.isfinite(square)] = np.nan
    going = square > negligible
    for _ in range(n_steps):
        product = batch.times(direction)
        curvature = _dots(direction, product)
        going &= curvature > 0
        if not going.any():
            break
        length = np.where(going, square / curvature, 0)[:, None]
        out += length * np.where(going[:, None], direction, 0)
        residual -= length * product
        following = _dots(residual, residual)
        ratio = np.where(going, following / square, 0)[:, None]
        direction = residual + ratio * direction
        square = following
        going &= square > negligible
    return out


def by_descent(batch: Batch, start: Floats, n_steps: int) -> Floats:
    """Descend along one coordinate after another, none below zero."""
    matrix = batch.normal_matrices()
    out = np.where(start > 0, start, 0)
    gradient = batch.right_side() - (matrix @ out[:, :, None])[:, :, 0]
    negligible = np.finfo(start.dtype).eps
    failed = ~np.isfinite(np.diagonal(matrix, axis1=1, axis2=2)).all(axis=1)
    going: NDArray[np.bool_] = np.ones(len(out), dtype=bool)
    for _ in range(n_steps):
        before = out.copy()
        for f in range(out.shape[1]):
            diagonal = matrix[:, f, f]
            there = diagonal > 0
            wanted = out[:, f] + gradient[:, f] / np.where(there, diagonal, 1)
            best = np.where(there, np.where(wanted < 0, 0, wanted), 0)
            best = np.where(going, best, out[:, f]).astype(out.dtype)
            gradient -= (best - out[:, f])[:, None] * matrix[:, f]
            out[:, f] = best
        largest_change = np.abs(out - before).max(axis=1)
        going &= ~(largest_change <= negligible * out.max(axis=1))
        if not going.any():
            break
    out[failed] = np.nan
    return out


def _dots(a: Floats, b: Floats) -> Floats:
    out: Floats = np.einsum("uf,uf->u", a, b)
    return out
