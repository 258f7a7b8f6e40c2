"""Folds: each rating is tested once, in the fold that has its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from matfact.ratings import Ratings

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from matfact.ratings import IdMap

__all__ = ["Folds", "given_folds"]


class Folds(Sequence[tuple[Ratings, Ratings]]):
    """Pairs (train, test), one for each fold; every rating is in exactly one test part.

    A sequence: it has a length, can be indexed, and gone through again. The parts are selected when
    they are asked for, so that one pair at a time is in memory. Made by `random_folds`,
    `user_folds` and `given_folds`.

    Parameters
    ----------
    ratings : Ratings
        All ratings.
    numbers : ndarray of int, shape (n_ratings,)
        The fold, from 0, of each rating in the order of ``ratings.user_values``; no fold is empty.

    Raises
    ------
    TypeError
        If `numbers` are not integers.
    ValueError
        If there is not one number for each rating, one is negative, a fold is empty, or there is
        only one.
    """

    ratings: Ratings
    numbers: NDArray[np.int32]

    def __init__(self, ratings: Ratings, numbers: Any) -> None:
        array = np.asarray(numbers)
        if array.dtype.kind not in "iu":
            raise TypeError(f"numbers has dtype {array.dtype}; give integers")
        if array.shape != (ratings.n_ratings,):
            raise ValueError(
                f"numbers has shape {array.shape}; give one for each of the {ratings.n_ratings} "
                "ratings"
            )
        if array.min() < 0 or array.max() >= len(array):
            place = int(((array < 0) | (array >= len(array))).argmax())
            raise ValueError(f"numbers[{place}] is {array[place]}; folds are numbered from 0")
        counts = np.bincount(array)
        if len(counts) < 2 or not counts.all():
            empty = int(counts.argmin()) if not counts.all() else 1
            raise ValueError(f"fold {empty} is empty; give at least two folds, numbered from 0")
        self.ratings = ratings
        self.numbers = array.astype(np.int32)
        self.numbers.flags.writeable = False
        self._n_folds = len(counts)

    def __len__(self) -> int:
        """Return the number of folds."""
        return self._n_folds

    @overload
    def __getitem__(self, index: int) -> tuple[Ratings, Ratings]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[Ratings, Ratings]]: ...
    def __getitem__(self, index: Any) -> Any:
        """Return the training and the test part of a fold."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        is_test = self.numbers == number
        return self.ratings.select(~is_test), self.ratings.select(is_test)

    def __repr__(self) -> str:
        """Show the number of folds and the ratings."""
        return f"<Folds: {len(self)} of {self.ratings!r}>"


def given_folds(
    users: ArrayLike,
    items: ArrayLike,
    values: ArrayLike,
    folds: ArrayLike,
    *,
    shape: tuple[int, int] | None = None,
    user_ids: IdMap | ArrayLike | None = None,
    item_ids: IdMap | ArrayLike | None = None,
    weights: ArrayLike | None = None,
    timestamps: ArrayLike | None = None,
    dtype: DTypeLike = np.float32,
) -> Folds:
    """Build ratings together with folds that somebody has fixed, such as u1 to u5 of MovieLens.

    Parameters
    ----------
    users, items, values : array_like of shape (n_ratings,)
        As for `Ratings.from_triples`; each pair once.
    folds : array_like of integers or text, shape (n_ratings,)
        The fold in which the rating is tested. Distinct ones, ascending, are the folds.
    shape, user_ids, item_ids, weights, timestamps, dtype
        As for `Ratings.from_triples`.

    Returns
    -------
    Folds
        Its attribute `ratings` holds all of them.

    Raises
    ------
    TypeError, ValueError, UnknownIdError
        As `Ratings.from_triples`; and if there are fewer than two folds.

    Examples
    --------
    >>> folds = given_folds([1, 1, 2], [7, 8, 7], [4.0, 2.0, 5.0], ["u1", "u2", "u1"])
    >>> [(train.n_ratings, test.n_ratings) for train, test in folds]
    [(1, 2), (2, 1)]
    """
    ratings = Ratings.from_triples(
        users,
        items,
        values,
        shape=shape,
        user_ids=user_ids,
        item_ids=item_ids,
        weights=weights,
        timestamps=timestamps,
        dtype=dtype,
    )
    labels = np.asarray(folds)
    if labels.dtype.kind not in "iuUS":
        raise TypeError(f"folds has dtype {labels.dtype}; give integers or text")
    if labels.shape != (ratings.n_ratings,):
        raise ValueError(
            f"folds has shape {labels.shape}; give one for each of the {ratings.n_ratings} ratings"
        )
    names, numbers = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"folds has only the fold {names[0]!r}; give at least two")
    rows = ratings.user_ids.positions(users, name="users")
    columns = ratings.item_ids.positions(items, name="items")
    return Folds(ratings, numbers[np.lexsort((columns, rows))].astype(np.int32))
