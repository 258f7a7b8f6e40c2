"""Measures of how far predicted ratings lie from the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["rmse"]


def rmse(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Compute the root mean squared error, in the unit of the ratings.

    Parameters
    ----------
    truth, predicted : array-like of shape (n_ratings,)
        True and predicted ratings in the same order; at least one.

    Returns
    -------
    float
        ``sqrt(mean((truth - predicted) ** 2))``, computed in float64.

    Raises
    ------
    ValueError
        If the lengths differ or there is no rating.

    Examples
    --------
    >>> rmse([1.0, 2.0, 3.0], [1.0, 2.0, 5.0])
    1.1547005383792515
    """
    truth = np.asarray(truth, dtype=np.float64)
    predicted = np.asarray(predicted, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != predicted.shape:
        raise ValueError(
            f"truth has shape {truth.shape} and predicted {predicted.shape}; "
            "give two 1-d arrays of the same length"
        )
    if len(truth) == 0:
        raise ValueError("truth is empty; an error needs at least 1 rating")
    return float(np.sqrt(np.mean((truth - predicted) ** 2)))
