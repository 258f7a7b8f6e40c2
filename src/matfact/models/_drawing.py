"""Draws of the parameters of normal distributions, given what was drawn from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matfact.models._products import product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

__all__ = ["draw_mean_and_precision", "draw_precision"]

MEAN_WEIGHT = 2.0
"""Rows at 0 that the mean of a prior is drawn with besides the real ones."""


def draw_precision(
    squares: Doubles, count: int, rng: np.random.Generator, variance: float = 1.0
) -> Doubles:
    """Draw the precision of normal vectors around 0 from its posterior.

    Its prior is Wishart's distribution of the least degrees of freedom around 1 / `variance`.

    Parameters
    ----------
    squares : ndarray of shape (d, d)
        Sum of their outer products.
    count : int
        How many they are.
    rng : Generator
    variance : float, default=1.0
    """
    size = len(squares)
    scale = np.linalg.inv(squares + variance * np.eye(size))
    root = np.linalg.cholesky((scale + scale.T) / 2)
    # Bartlett's decomposition.
    triangle = np.tril(rng.standard_normal((size, size)), -1)
    degrees = size + count - np.arange(size)
    triangle[np.diag_indices(size)] = np.sqrt(rng.chisquare(degrees))
    factor = root @ triangle
    precision: Doubles = factor @ factor.T
    return precision


def draw_mean_and_precision(
    vectors: Doubles, rng: np.random.Generator, n_threads: int
) -> tuple[Doubles, Doubles]:
    """Draw mean and precision of normal vectors, given as rows, from their joint posterior."""
    count, center = len(vectors), vectors.mean(axis=0)
    deviations = vectors - center
    squares = product(deviations, deviations, n_threads, transposed=True)
    squares += MEAN_WEIGHT * count / (MEAN_WEIGHT + count) * np.outer(center, center)
    precision = draw_precision(squares, count, rng)
    root = np.linalg.cholesky((MEAN_WEIGHT + count) * precision)
    noise = np.linalg.solve(root.T, rng.standard_normal(len(center)))
    return count * center / (MEAN_WEIGHT + count) + noise, precision
