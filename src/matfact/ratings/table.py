"""A table of ratings with the ids of its users and items: what the reader of text returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and number of items."""
        return len(self.user_ids), len(self.item_ids)

    @property
    def n_ratings(self) -> int:
        """Number of ratings."""
        return len(self.values)
