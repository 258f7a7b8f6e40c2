"""Between `Ratings` and the containers of other packages, none of which is imported at import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from matfact.ratings.ratings import Ratings

__all__ = ["column_getter", "selection", "to_frame", "to_scipy"]

FORMATS = ("csr", "csc", "coo")


def column_getter(frame: Any) -> Callable[[str, object], NDArray[Any]]:
    """Return a function of (argument, column name) that reads a column of a table."""
    if hasattr(frame, "column_names"):  # pyarrow
        names = list(frame.column_names)
    elif hasattr(frame, "columns"):
        names = list(frame.columns)
    elif hasattr(frame, "keys"):
        names = list(frame.keys())
    else:
        raise TypeError(
            f"frame is a {type(frame).__name__}; give a table with named columns (pandas, polars, "
            "pyarrow, dict), or use from_triples for arrays"
        )

    def column(argument: str, name: object) -> NDArray[Any]:
        if name not in names:
            raise ValueError(
                f"there is no column {name!r}; name one of {names} by the argument {argument}="
            )
        found = frame[name]
        if isinstance(found, list | tuple):
            return found  # type: ignore[return-value]  # checked as from_triples checks lists
        if not hasattr(found, "columns"):
            return np.asarray(found)
        raise ValueError(f"the column name {name!r} stands for several columns; make it unique")

    return column


def selection(which: object, n_ratings: int) -> NDArray[np.bool_]:
    """Return a mask of the ratings that `Ratings.select` shall keep."""
    array = np.asarray(which)
    if array.ndim != 1:
        raise ValueError(f"which has {array.ndim} dimensions; give a mask or positions, 1-d")
    if array.dtype.kind == "b":
        if len(array) != n_ratings:
            raise ValueError(
                f"the mask has length {len(array)}; give one value for each of the {n_ratings} "
                "ratings"
            )
        mask = array
    elif array.dtype.kind in "iu" or not array.size:
        array = array.astype(np.int64, copy=False) if array.size else np.zeros(0, dtype=np.int64)
        outside = (array < 0) | (array >= n_ratings)
        if outside.any():
            place = int(outside.argmax())
            raise IndexError(
                f"which[{place}] is {array[place]}; positions go from 0 to {n_ratings - 1}"
            )
        mask = np.zeros(n_ratings, dtype=bool)
        mask[array] = True
        if np.count_nonzero(mask) != len(array):
            numbers, counts = np.unique(array, return_counts=True)
            raise ValueError(f"which has position {numbers[counts > 1][0]} twice; give it once")
    else:
        raise TypeError(f"which has dtype {array.dtype}; give a mask or integer positions")
    if not mask.any():
        raise ValueError("which selects no rating; select at least one")
    return mask


def to_scipy(ratings: Ratings, form: str) -> Any:
    """Return a scipy.sparse array of the ratings; see `Ratings.to_scipy`."""
    if form not in FORMATS:
        raise ValueError(f"format is {form!r}; give one of {', '.join(map(repr, FORMATS))}")
    try:
        from scipy import sparse  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ImportError("to_scipy needs scipy: python -m pip install scipy") from error
    if form == "csc":
        by_items = (ratings.item_values, ratings.item_indices, ratings.item_indptr)
        return sparse.csc_array(by_items, shape=ratings.shape, copy=True)
    by_users = (ratings.user_values, ratings.user_indices, ratings.user_indptr)
    matrix = sparse.csr_array(by_users, shape=ratings.shape, copy=True)
    return matrix if form == "csr" else matrix.tocoo()


def to_frame(ratings: Ratings, user: str, item: str, rating: str) -> Any:
    """Return a pandas DataFrame of the ratings; see `Ratings.to_frame`."""
    try:
        import pandas as pd  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise ImportError(
            "to_frame needs pandas (python -m pip install pandas); to_triples does without"
        ) from error
    users, items, values = ratings.to_triples()
    columns = {user: users, item: items, rating: values.copy()}
    if ratings.user_weights is not None:
        columns["weight"] = ratings.user_weights.copy()
    if ratings.timestamps is not None:
        columns["timestamp"] = ratings.timestamps.copy()
    return pd.DataFrame(columns)
