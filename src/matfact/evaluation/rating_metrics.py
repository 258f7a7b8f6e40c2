"""Measures of how far predicted ratings lie from the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._validation import check_finite, real_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["mae", "rmse"]


def rmse(truth: ArrayLike, predicted: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Compute the root mean squared error, in the unit of the ratings.

    Parameters
    ----------
    truth, predicted : array_like of shape (n_ratings,)
        True and predicted ratings in the same order; at least one.
    weights : array_like of shape (n_ratings,), optional
        Weights of the ratings in the mean, at least 0, not all 0. By default all count alike.

    Returns
    -------
    float
        ``sqrt(mean((truth - predicted) ** 2))``, computed in float64; NaN if a rating is.

    Raises
    ------
    TypeError
        If an array does not hold real numbers.
    ValueError
        If the lengths differ, there is no rating, or weights are unsuitable.

    Examples
    --------
    >>> rmse([1.0, 2.0, 3.0], [1.0, 2.0, 5.0])
    1.1547005383792515
    >>> rmse([1.0, 2.0, 3.0], [1.0, 2.0, 5.0], weights=[1, 2, 1])
    1.0
    """
    return float(np.sqrt(_mean(_errors(truth, predicted) ** 2, weights)))


def mae(truth: ArrayLike, predicted: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """Compute the mean absolute error, in the unit of the ratings.

    Parameters
    ----------
    truth, predicted : array_like of shape (n_ratings,)
        True and predicted ratings in the same order; at least one.
    weights : array_like of shape (n_ratings,), optional
        Weights of the ratings in the mean, at least 0, not all 0. By default all count alike.

    Returns
    -------
    float
        ``mean(abs(truth - predicted))``, computed in float64; NaN if a rating is.

    Raises
    ------
    TypeError
        If an array does not hold real numbers.
    ValueError
        If the lengths differ, there is no rating, or weights are unsuitable.

    Examples
    --------
    >>> mae([1.0, 2.0, 3.0], [1.0, 2.0, 6.0])
    1.0
    """
    return float(_mean(np.abs(_errors(truth, predicted)), weights))


def _errors(truth: object, predicted: object) -> NDArray[np.float64]:
    true, guessed = (
        real_array(array, name).astype(np.float64)
        for array, name in ((truth, "truth"), (predicted, "predicted"))
    )
    if true.ndim != 1 or true.shape != guessed.shape:
        raise ValueError(
            f"truth has shape {true.shape} and predicted {guessed.shape}; "
            "give two 1-d arrays of the same length"
        )
    if len(true) == 0:
        raise ValueError("truth is empty; an error needs at least 1 rating")
    errors: NDArray[np.float64] = true - guessed
    return errors


def _mean(values: NDArray[np.float64], weights: object) -> Any:
    if weights is None:
        return np.mean(values)
    array = real_array(weights, "weights").astype(np.float64)
    if array.shape != values.shape:
        raise ValueError(
            f"weights has shape {array.shape}; give one for each of the {len(values)} ratings"
        )
    check_finite(array, "weights")
    if array.min() < 0:
        place = int((array < 0).argmax())
        raise ValueError(f"weights[{place}] is {array[place]}; give numbers of at least 0")
    total = array.sum()
    if total == 0:
        raise ValueError("weights are all 0; give at least one rating a weight above 0")
    return np.sum(values * array) / total
