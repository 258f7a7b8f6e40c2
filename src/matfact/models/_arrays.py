"""The arrays of variational Bayes: their shapes, and what a training begins with.

What is learned of a side as a whole has users and items as its first axis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from matfact.models._start import normal_start

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Doubles = NDArray[np.float64]

__all__ = [
    "PRIOR_PRECISION",
    "SHARED",
    "Covariance",
    "row_shapes",
    "shared_shapes",
    "shared_start",
    "variational_start",
]

Covariance: TypeAlias = Literal["mean", "full", "diag"]

SPREAD = 0.4
"""Length of a row of factors at the start, for ratings of unit scale."""

SHARED = (
    "prior_means",
    "prior_precisions",
    "mean_covariances",
    "noise_precision",
    "unrated_means",
)
"""What is learned of a side as a whole; the first axis is that of users and items."""

PRIOR_PRECISION = 5.0
"""Of factors and biases before anything is learned."""


def shared_shapes(n_factors: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what is learned of both sides."""
    size = n_factors + 1
    return {
        "prior_means": (2, size),
        "prior_precisions": (2, size, size),
        "mean_covariances": (2, size, size),
        "noise_precision": (1,),
        "unrated_means": (2, size),
    }


def shared_start(n_factors: int) -> dict[str, Doubles]:
    """Return what is assumed of both sides before the first epoch."""
    arrays = {name: np.zeros(shape) for name, shape in shared_shapes(n_factors).items()}
    arrays["prior_precisions"][...] = PRIOR_PRECISION * np.eye(n_factors + 1)
    arrays["noise_precision"][...] = 1
    return arrays


def row_shapes(
    shape: tuple[int, int], n_factors: int, covariance: Covariance
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what is kept of the uncertainty of rows."""
    size = n_factors + 1
    own: dict[Covariance, tuple[str, tuple[int, ...]]] = {
        "mean": ("bias_covariances", (size,)),
        "full": ("covariances", (size, size)),
        "diag": ("covariances", (1, size)),
    }
    name, of_row = own[covariance]
    return {f"{side}_{name}": (n, *of_row) for side, n in zip(("user", "item"), shape, strict=True)}


def variational_start(
    shape: tuple[int, int],
    n_factors: int,
    covariance: Covariance,
    dtype: DTypeLike,
    seed: int,
    scale: float,
) -> dict[str, NDArray[Any]]:
    """Return the arrays that a training begins with, but for links."""
    arrays = normal_start(shape, n_factors, np.dtype(dtype), seed, scale, SPREAD)
    arrays["item_factors"][...] = 0  # an epoch begins with the items
    arrays["user_reliabilities"] = np.ones(shape[0])
    for name, of_rows in row_shapes(shape, n_factors, covariance).items():
        arrays[name] = np.zeros(of_rows, dtype=dtype)
    return arrays | shared_start(n_factors)
