"""Ratings on their way into a model: validation parts, unions, and rows carried over by id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.ratings import Ratings, as_ratings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import DTypeLike, NDArray

    from matfact.ratings import IdMap

__all__ = [
    "Rows",
    "carried_over",
    "is_all_missing",
    "model_ratings",
    "united",
    "validation_pairs",
    "validation_share",
]

VALIDATION_STREAM = 1
"""Marks the random numbers of validation parts among all that follow from one seed."""


def model_ratings(X: Any, dtype: DTypeLike, name: str = "X") -> Ratings:
    """Return what a user hands to an estimator as ratings of its dtype.

    Beyond `as_ratings` it takes matrices of objects that are numbers, and says what scikit-learn
    expects an estimator to say.

    Raises
    ------
    TypeError, ValueError
        If X is unsuitable.
    """
    if isinstance(X, Ratings) or hasattr(X, "tocsr"):
        return as_ratings(X, dtype=dtype)
    matrix = np.ma.asanyarray(X) if isinstance(X, np.ma.MaskedArray) else np.asarray(X)
    if matrix.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {matrix.dtype}")
    if matrix.dtype.kind == "O":
        matrix = matrix.astype(np.float64)  # says which object is no number
    if matrix.ndim == 1:
        raise ValueError(
            f"{name} has 1 dimension; give a matrix, users x items. Reshape your data: "
            "reshape(1, -1) for the ratings of one user"
        )
    if matrix.ndim == 2 and not matrix.shape[1]:
        raise ValueError(
            f"{name} has 0 feature(s) (shape={matrix.shape}) while a minimum of 1 is required."
        )
    return as_ratings(matrix, dtype=dtype)


def is_all_missing(X: Any) -> bool:
    """Tell whether a matrix has no rating at all: all NaN, or nothing stored."""
    if hasattr(X, "tocsr"):
        return bool(X.nnz == 0)
    return (
        isinstance(X, np.ndarray)
        and X.ndim == 2
        and X.size > 0
        and X.dtype.kind == "f"
        and not isinstance(X, np.ma.MaskedArray)
        and bool(np.isnan(X).all())
    )


def validation_share(ratings: Ratings, share: float, seed: int) -> tuple[Ratings, Ratings]:
    """Split off a share of the ratings at random: (the others, the share)."""
    rng = np.random.default_rng([seed, VALIDATION_STREAM])
    n_held_out = round(share * ratings.n_ratings)
    if not 0 < n_held_out < ratings.n_ratings:
        raise ValueError(
            f"validation is {share} of {ratings.n_ratings} ratings, which leaves one part empty; "
            "give more ratings or another share"
        )
    held_out = np.zeros(ratings.n_ratings, dtype=bool)
    held_out[rng.choice(ratings.n_ratings, n_held_out, replace=False)] = True
    return ratings.select(~held_out), ratings.select(held_out)


def validation_pairs(
    validation: Ratings, ratings: Ratings
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return users, items (positions in `ratings`, -1 for unknown ones) and values."""
    users = ratings.user_ids.positions(validation.user_ids.ids, unknown="ignore")
    items = ratings.item_ids.positions(validation.item_ids.ids, unknown="ignore")
    return (
        users[validation.users],
        items[validation.user_indices],
        validation.user_values.astype(np.float64),
    )


def united(old: Ratings, new: Ratings) -> Ratings:
    """Return the ratings of both; `new` wins where both have a pair.

    Ids of `new` that `old` lacks come behind those of `old`.
    """
    user_ids, new_users = _extended(old.user_ids, new.user_ids)
    item_ids, new_items = _extended(old.item_ids, new.item_ids)
    weighted = old.user_weights is not None or new.user_weights is not None
    both = Ratings.from_triples(
        np.concatenate([old.users, new_users[new.users]]),
        np.concatenate([old.user_indices, new_items[new.user_indices]]),
        np.concatenate([old.user_values, new.user_values]),
        shape=(len(user_ids), len(item_ids)),
        weights=np.concatenate([_weights(old), _weights(new)]) if weighted else None,
        timestamps=(
            None
            if old.timestamps is None or new.timestamps is None
            else np.concatenate([old.timestamps, new.timestamps])
        ),
        duplicates="last",
        dtype=old.dtype,
    )
    return both.with_ids(user_ids, item_ids)


def _extended(old: IdMap, new: IdMap) -> tuple[IdMap, NDArray[np.int64]]:
    """Return the union of two maps, and the position in it of each id of `new`."""
    positions = old.positions(new.ids, unknown="ignore")
    unknown = positions < 0
    if not unknown.any():
        return old, positions
    positions[unknown] = len(old) + np.arange(np.count_nonzero(unknown))
    return old.extend(new.ids[unknown]), positions


def _weights(ratings: Ratings) -> NDArray[Any]:
    if ratings.user_weights is not None:
        return ratings.user_weights
    return np.ones(ratings.n_ratings, dtype=ratings.dtype)


def carried_over(
    arrays: Mapping[str, NDArray[Any]],
    fresh: dict[str, NDArray[Any]],
    user_ids: IdMap,
    item_ids: IdMap,
    ratings: Ratings,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Copy the rows of known users and items into the fresh arrays for other ratings.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Of the model; ``user_...`` have a row a user, ``item_...`` a row an item.
    fresh : dict of str to ndarray
        The same for `ratings`; changed in place.
    user_ids, item_ids : IdMap
        Of the model.
    ratings : Ratings
        The other ratings.

    Returns
    -------
    new_users, new_items : ndarray of int64
        Positions in `ratings` of the rows that were not known.
    """
    found = {
        "user": user_ids.positions(ratings.user_ids.ids, unknown="ignore"),
        "item": item_ids.positions(ratings.item_ids.ids, unknown="ignore"),
    }
    for name, array in arrays.items():
        if array.shape[1:] != fresh[name].shape[1:]:
            raise ValueError(
                f"n_factors was {array.shape[1]} and is {fresh[name].shape[1]} now; a warm start "
                "needs the same number, so set warm_start=False for a new beginning"
            )
        old = found[name.partition("_")[0]]
        known = old >= 0
        fresh[name][known] = array[old[known]]
    return np.flatnonzero(found["user"] < 0), np.flatnonzero(found["item"] < 0)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Ratings of some users, as compressed rows whose columns are the items of a model.

    Attributes
    ----------
    indptr : ndarray of int64, shape (n_rows + 1,)
    indices : ndarray of int32, shape (n_ratings,)
    values : ndarray of float32 or float64, shape (n_ratings,)
    weights : ndarray like values, or None
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.floating[Any]]
    weights: NDArray[np.floating[Any]] | None

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def of(cls, ratings: Ratings) -> Rows:
        """Take all rows of ratings as they are."""
        return cls(
            ratings.user_indptr, ratings.user_indices, ratings.user_values, ratings.user_weights
        )

    @classmethod
    def empty(cls, n_rows: int, dtype: DTypeLike) -> Rows:
        """Return rows without an entry."""
        nothing = np.zeros(0, dtype=np.int32)
        return cls(np.zeros(n_rows + 1, dtype=np.int64), nothing, nothing.astype(dtype), None)

    @classmethod
    def aligned(cls, ratings: Ratings, columns: IdMap, name: str) -> Rows:
        """Take all rows, with the columns numbered as in another map of ids.

        Raises
        ------
        UnknownIdError
            If there is a rating in a column that the map does not have.
        """
        rows = cls.of(ratings)
        if ratings.item_ids == columns:
            return rows
        positions = columns.positions(ratings.item_ids.ids, name=name, unknown="ignore")
        unknown = positions[rows.indices] < 0
        if unknown.any():  # columns without a rating do not matter
            used = np.unique(rows.indices[unknown])
            columns.positions(ratings.item_ids.ids[used], name=name)
        return replace(rows, indices=positions[rows.indices].astype(np.int32))

    def row_of_each(self) -> NDArray[np.int64]:
        """Return the row of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    def counts(self) -> NDArray[np.float64]:
        """Return the number of ratings of each row, or the sum of their weights."""
        counts = np.diff(self.indptr).astype(np.float64)
        if self.weights is not None:
            there = counts > 0
            starts = self.indptr[:-1][there]
            counts[there] = np.add.reduceat(self.weights, starts, dtype=np.float64)
        return counts

    def chosen(self, rows: NDArray[np.int64], left_out: NDArray[np.int64] | None = None) -> Rows:
        """Return some of the rows, without the entries of some columns."""
        row = self.row_of_each()
        number = np.full(len(self), -1)
        number[rows] = np.arange(len(rows))
        wanted = number[row] >= 0
        if left_out is not None and len(left_out):
            wanted &= ~np.isin(self.indices, left_out)
        entries = np.flatnonzero(wanted)
        # `rows` need not be ascending; a stable sort keeps each row's own order.
        entries = entries[np.argsort(number[row[entries]], kind="stable")]
        counts = np.bincount(number[row[entries]], minlength=len(rows))
        return self._entries(entries, counts)

    def _entries(self, entries: NDArray[np.int64], counts: NDArray[np.int64]) -> Rows:
        indptr = np.zeros(len(counts) + 1, dtype=np.int64)
        np.cumsum(counts, out=indptr[1:])
        weights = None if self.weights is None else self.weights[entries]
        return Rows(indptr, self.indices[entries], self.values[entries], weights)

    def above_zero(self) -> Rows:
        """Return the entries with values above 0."""
        entries = np.flatnonzero(self.values > 0)
        return self._entries(entries, np.bincount(self.row_of_each()[entries], minlength=len(self)))

    def halves(self) -> tuple[Rows, Rows]:
        """Split each row into its entries at even and those at odd places."""
        row = self.row_of_each()
        is_odd = (np.arange(len(row)) - self.indptr[row]) % 2 == 1
        even, odd = (
            self._entries(np.flatnonzero(part), np.bincount(row[part], minlength=len(self)))
            for part in (~is_odd, is_odd)
        )
        return even, odd
