"""Ratings and histories in a model file: columns of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.exceptions import ModelFileError
from matfact.ratings import Ratings
from matfact.training import History, Record

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from matfact.ratings import IdMap

    Arrays: TypeAlias = dict[str, NDArray[Any]]

__all__ = ["history_from", "packed_history", "packed_ratings", "ratings_from"]

RATINGS = ("indptr", "indices", "values", "weights", "timestamps")
HISTORY = ("iterations", "objectives", "seconds", "validations")


def packed_history(history: History) -> Arrays:
    """Return the columns of a history."""
    return {f"history_{column}": getattr(history, column) for column in HISTORY}


def history_from(arrays: Arrays) -> History:
    """Return the history that is stored."""
    columns = [arrays.get(f"history_{column}") for column in HISTORY]
    kinds = ["i", "f", "f", "f"]
    for column, array, kind in zip(HISTORY, columns, kinds, strict=True):
        if array is None or array.ndim != 1 or array.dtype.kind != kind or array.itemsize != 8:
            raise ModelFileError(f"array history_{column} is missing or no column of numbers")
    lists = [array.tolist() for array in columns if array is not None]
    iterations = lists[0]
    is_ascending = all(a < b for a, b in zip([0, *iterations], iterations, strict=False))
    if len(set(map(len, lists))) != 1 or not is_ascending:
        raise ModelFileError("the columns of the history do not belong together")
    rows = zip(*lists, strict=True)
    return History(Record(number, value, time, check) for number, value, time, check in rows)


def packed_ratings(ratings: Ratings) -> Arrays:
    """Return the arrays of ratings, by users."""
    columns: dict[str, NDArray[Any] | None] = {
        "indptr": ratings.user_indptr,
        "indices": ratings.user_indices,
        "values": ratings.user_values,
        "weights": ratings.user_weights,
        "timestamps": ratings.timestamps,
    }
    return {f"ratings_{key}": array for key, array in columns.items() if array is not None}


def ratings_from(arrays: Arrays, user_ids: IdMap, item_ids: IdMap) -> Ratings | None:
    """Return the ratings that are stored, or None."""
    shape = len(user_ids), len(item_ids)
    parts = {column: arrays.get(f"ratings_{column}") for column in RATINGS}
    if all(array is None for array in parts.values()):
        return None
    indptr, indices, values, weights, timestamps = parts.values()
    if indptr is None or indices is None or values is None:
        raise ModelFileError("the arrays of the ratings are not complete")
    if indptr.dtype != np.int64 or indices.dtype != np.int32 or values.dtype.kind != "f":
        raise ModelFileError("the arrays of the ratings have wrong dtypes")
    is_valid = indptr.shape == (shape[0] + 1,) and indptr[0] == 0 and indptr[-1] == len(values)
    if not is_valid or (indptr[1:] < indptr[:-1]).any():
        raise ModelFileError("ratings_indptr is not ascending from 0 to the number of ratings")
    if weights is not None and weights.dtype != values.dtype:
        raise ModelFileError("ratings_weights and ratings_values have different dtypes")
    users = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(indptr))
    try:
        ratings = Ratings.from_triples(
            users,
            indices,
            values,
            shape=shape,
            weights=weights,
            timestamps=timestamps,
            dtype=values.dtype,
        )
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"its ratings are wrong: {error}") from error
    return ratings.with_ids(user_ids, item_ids)
