"""Predictions of ratings that are known, to be compared with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from matfact.ratings import Ratings

__all__ = ["predicted_ratings"]


def predicted_ratings(
    model: Any, users: NDArray[Any], items: NDArray[Any], ratings: Ratings
) -> NDArray[np.float64]:
    """Return the predictions of ratings, at their times where the model has a use for them.

    Parameters
    ----------
    model : estimator
    users, items : ndarray of shape (n_ratings,)
        Ids as the model knows them; unknown ones are taken as average.
    ratings : Ratings
        In the same order.
    """
    if ratings.timestamps is not None and getattr(model, "_uses_timestamps", False):
        timed: NDArray[np.float64] = model.predict(
            users, items, unknown="mean", timestamps=ratings.timestamps
        )
        return timed
    predicted: NDArray[np.float64] = model.predict(users, items, unknown="mean")
    return predicted
