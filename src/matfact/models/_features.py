"""Features of users and items on their way into a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.models._data import Rows, model_ratings
from matfact.ratings import IdMap, Ratings
from matfact.ratings._build import Parts

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

__all__ = ["Features", "with_rows", "without_ratings"]


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """A table of features: ids x names, absent ones are 0.

    Attributes
    ----------
    table : Ratings
        Its users are the ids, its items the names, its values those of the features.
    is_matrix : bool
        Whether the rows are those of the ratings, in their order.
    name : str
        What the caller calls it, for messages.
    """

    table: Ratings
    is_matrix: bool
    name: str

    @classmethod
    def of(cls, features: Any, name: str) -> Features:
        """Take what a user hands over: Ratings, or a matrix with a row for each id."""
        try:
            table = model_ratings(features, np.float64, name)
        except (TypeError, ValueError) as error:
            message = str(error)
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(message if name in message else f"{name}: {message}") from error
        return cls(table, not isinstance(features, Ratings), name)

    @property
    def names(self) -> IdMap:
        """The names of the features, numbers if they came as a matrix."""
        return self.table.item_ids

    def ids_beyond(self, known: IdMap) -> NDArray[Any]:
        """Return the ids that are not known."""
        if self.is_matrix:
            if self.table.n_users != len(known):
                raise ValueError(
                    f"{self.name} has {self.table.n_users} rows for {len(known)} rows of ratings; "
                    "give a row for each, or Ratings with ids and names"
                )
            return known.ids[:0]
        ids = self.table.user_ids.ids
        return ids[known.positions(ids, unknown="ignore") < 0]

    def aligned(self, ids: IdMap, names: IdMap) -> tuple[Rows, Rows]:
        """Return the table by rows and by columns, numbered as in other maps.

        Raises
        ------
        UnknownIdError
            If a feature is not among the names.
        ValueError
            If a matrix has fewer columns than there are names.
        """
        table = self.table
        if self.is_matrix and names.is_range and table.n_items < len(names):
            raise ValueError(
                f"{self.name} has {table.n_items} columns, and the model {len(names)} features; "
                "give a column for each"
            )
        columns = names.positions(table.item_ids.ids, name=self.name)[table.user_indices]
        places = np.arange(table.n_users)
        if not self.is_matrix:
            places = ids.positions(table.user_ids.ids, unknown="ignore")
        rows = places[table.users]
        there = (rows >= 0) & (table.user_values != 0)
        shape = (len(ids), len(names))
        if not there.any():
            return Rows.empty(shape[0], table.dtype), Rows.empty(shape[1], table.dtype)
        aligned = Ratings.from_triples(
            rows[there], columns[there], table.user_values[there], shape=shape, dtype=table.dtype
        )
        return Rows.of(aligned), Rows.of(aligned.transpose())


def with_rows(ratings: Ratings, users: NDArray[Any], items: NDArray[Any]) -> Ratings:
    """Return ratings with further users and items that have none."""
    if not len(users) and not len(items):
        return ratings
    user_ids = ratings.user_ids.extend(users) if len(users) else ratings.user_ids
    item_ids = ratings.item_ids.extend(items) if len(items) else ratings.item_ids
    parts = Parts(
        np.concatenate([ratings.user_indptr, np.full(len(users), ratings.n_ratings)]),
        ratings.user_indices,
        ratings.user_values,
        ratings.user_weights,
        ratings.timestamps,
    )
    return Ratings.of_parts(parts, user_ids, item_ids)


def without_ratings(
    user_ids: IdMap, item_ids: IdMap, dtype: DTypeLike, like: Ratings | None
) -> Ratings:
    """Return ratings that are none, with timestamps if `like` has them."""
    rows = Rows.empty(len(user_ids), dtype)
    times = None if like is None or like.timestamps is None else like.timestamps[:0]
    return Ratings.of_parts(
        Parts(rows.indptr, rows.indices, rows.values, None, times), user_ids, item_ids
    )
