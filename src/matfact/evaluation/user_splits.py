"""Splits by users: some are trained on, to others it is recommended by a part of their ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._validation import check_integer, check_number
from matfact.evaluation._generator import generator
from matfact.evaluation.splits import checked_ratings
from matfact.ratings import IdMap, Ratings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact._random import RandomStateLike

__all__ = ["HeldOutUsers", "held_out_users"]


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutUsers:
    """Ratings split by users: some are not trained on at all; see `held_out_users`.

    Attributes
    ----------
    train : Ratings
        Of the other users; it has the shape and the ids of the whole, with empty rows.
    given : Ratings
        Of the held-out users, what a model may see; its users are these alone.
    hidden : Ratings
        Of the same users, what it should recommend.
    """

    train: Ratings
    given: Ratings
    hidden: Ratings


def held_out_users(
    ratings: Ratings,
    users: float | int = 0.1,
    *,
    fold_in: float = 0.8,
    random_state: RandomStateLike = None,
) -> HeldOutUsers:
    """Hold out users: train on the others, then recommend to them by a part of their ratings.

    The protocol of Liang et al. [1]_.

    Parameters
    ----------
    ratings : Ratings
    users : float or int, default=0.1
        Share of the users between 0 and 1, or their number, to hold out. Users with fewer than two
        ratings are never held out.
    fold_in : float, default=0.8
        Share of a user's ratings to give, between 0 and 1; at least one is given, and at least one
        is hidden.
    random_state : int, Generator, RandomState or None, default=None

    Returns
    -------
    HeldOutUsers

    Raises
    ------
    TypeError, ValueError
        If an argument is unsuitable, or too few users have two ratings.

    References
    ----------
    .. [1] D. Liang, R. Krishnan, M. Hoffman, T. Jebara, "Variational Autoencoders for Collaborative
       Filtering", WWW 2018.
    """
    ratings = checked_ratings(ratings)
    share = check_number(fold_in, "fold_in")
    if share >= 1:
        raise ValueError(f"fold_in is {share}; give a share of the ratings between 0 and 1")
    counts = np.diff(ratings.user_indptr)
    eligible = np.flatnonzero(counts >= 2)
    n_users = _number_of_users(users, ratings.n_users)
    if n_users > len(eligible) or n_users >= np.count_nonzero(counts):
        raise ValueError(
            f"users is {users}: {n_users} to hold out, but {len(eligible)} users have two ratings "
            "or more, and others must be left to train on; give a smaller number"
        )
    rng = generator(random_state)
    chosen = np.sort(rng.choice(eligible, n_users, replace=False))
    held_out = np.zeros(ratings.n_users, dtype=bool)
    held_out[chosen] = True
    is_held_out = held_out[ratings.users]
    # The ratings of each user in random order; the first ones are given.
    order = np.lexsort((rng.random(ratings.n_ratings), ratings.users))
    rank = np.empty(ratings.n_ratings, dtype=np.int64)
    rank[order] = np.arange(ratings.n_ratings) - ratings.user_indptr[ratings.users]
    n_given = np.clip(np.round(share * counts), 1, np.maximum(counts - 1, 1))
    is_given = is_held_out & (rank < n_given[ratings.users])
    return HeldOutUsers(
        ratings.select(~is_held_out),
        _of_users(ratings, chosen, is_given),
        _of_users(ratings, chosen, is_held_out & ~is_given),
    )


def _number_of_users(users: Any, n_users: int) -> int:
    if isinstance(users, float | np.floating):
        share = check_number(users, "users")
        if share >= 1:
            raise ValueError(
                f"users is {share}; give a share between 0 and 1, or a number of users"
            )
        return max(1, round(share * n_users))
    return check_integer(users, "users", minimum=1)


def _of_users(ratings: Ratings, users: NDArray[np.int64], which: NDArray[np.bool_]) -> Ratings:
    """Return some ratings, with these users alone as rows."""
    part = Ratings.from_triples(
        np.searchsorted(users, ratings.users[which]),
        ratings.user_indices[which],
        ratings.user_values[which],
        shape=(len(users), ratings.n_items),
        weights=None if ratings.user_weights is None else ratings.user_weights[which],
        timestamps=None if ratings.timestamps is None else ratings.timestamps[which],
        dtype=ratings.dtype,
    )
    return part.with_ids(IdMap(ratings.user_ids.ids_of(users)), ratings.item_ids)
