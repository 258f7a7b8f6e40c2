"""Where trainings begin: random factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.ratings import Ratings

__all__ = ["START_STREAM", "normal_start", "scale_of"]

START_STREAM = 0
"""Marks the random numbers of the start among all that follow from one seed."""

SPREAD = 0.1
"""Length of a row of factors at the start, for ratings of unit scale."""


def normal_start(
    shape: tuple[int, int],
    n_factors: int,
    dtype: np.dtype[Any],
    seed: int,
    scale: float,
    spread: float = SPREAD,
) -> dict[str, NDArray[Any]]:
    """Draw small factors for all users, then for all items; biases are zero.

    Products of factors have the scale of ratings, so factors have its root. The numbers are drawn
    in double precision, so that both dtypes begin at the same place.
    """
    rng = np.random.default_rng([seed, START_STREAM])
    deviation = spread * np.sqrt(scale / n_factors)
    users, items = (rng.normal(0.0, deviation, (size, n_factors)).astype(dtype) for size in shape)
    return {
        "user_factors": users,
        "item_factors": items,
        "user_biases": np.zeros(shape[0], dtype=dtype),
        "item_biases": np.zeros(shape[1], dtype=dtype),
    }


def scale_of(ratings: Ratings, mean: float) -> float:
    """Return the root mean square of ratings around a mean; 1 if that is 0."""
    deviations = ratings.user_values.astype(np.float64) - mean
    return float(np.sqrt(np.mean(deviations**2))) or 1.0
