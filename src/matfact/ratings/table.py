"""A table of ratings with the ids of its users and items: what every reader returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.ratings.ratings import Ratings

__all__ = ["RatingTable"]


@dataclass(frozen=True, slots=True, eq=False)
class RatingTable:
    """Ratings as triples (user, item, rating), users and items as positions in the lists of ids.

    Attributes
    ----------
    user_ids : ndarray of shape (n_users,), int64 or fixed-width str
        The distinct ids of the users, ascending (text by code points).
    item_ids : ndarray of shape (n_items,), int64 or fixed-width str
        The distinct ids of the items, ascending.
    users : ndarray of shape (n_ratings,), int64
        Position of each rating's user in `user_ids`.
    items : ndarray of shape (n_ratings,), int64
        Position of each rating's item in `item_ids`.
    values : ndarray of shape (n_ratings,), float64
        The ratings, finite, in the order of the source. No pair (user, item) comes twice.
    timestamps : ndarray of shape (n_ratings,), int64 or float64, or None
        Times of the ratings, if they were read.
    """

    user_ids: NDArray[Any]
    item_ids: NDArray[Any]
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    values: NDArray[np.float64]
    timestamps: NDArray[Any] | None = None

    @classmethod
    def of_ratings(cls, ratings: Ratings) -> RatingTable:
        """Make a table of ratings, in their order by users.

        Parameters
        ----------
        ratings : Ratings

        Returns
        -------
        RatingTable
        """
        return cls(
            ratings.user_ids.ids,
            ratings.item_ids.ids,
            ratings.users.astype(np.int64),
            ratings.user_indices.astype(np.int64),
            ratings.user_values.astype(np.float64),
            ratings.timestamps,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and number of items."""
        return len(self.user_ids), len(self.item_ids)

    @property
    def n_ratings(self) -> int:
        """Number of ratings."""
        return len(self.values)

    def part(
        self, positions: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Copy users, items and values of the ratings at some positions."""
        return self.users[positions], self.items[positions], self.values[positions]
