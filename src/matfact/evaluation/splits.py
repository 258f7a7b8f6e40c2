"""Splits of ratings into parts to train on and parts to test on.

Both parts have the shape and the ids of the whole, so a user whose ratings are all in one part is
a row without ratings in the other. The same seed gives the same split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._validation import check_integer, check_number
from matfact.evaluation._generator import generator
from matfact.evaluation.folds import Folds
from matfact.ratings import Ratings
from matfact.ratings.splits import random_split as random_positions

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from matfact._random import RandomStateLike

    Pair: TypeAlias = tuple[Ratings, Ratings]

__all__ = [
    "checked_ratings",
    "leave_k_out",
    "random_folds",
    "random_split",
    "temporal_split",
    "user_folds",
]


def random_split(
    ratings: Ratings, test: float = 0.2, *, random_state: RandomStateLike = None
) -> Pair:
    """Split ratings at random, each rating with the same chance.

    Parameters
    ----------
    ratings : Ratings
    test : float, default=0.2
        Share of the ratings to test on, between 0 and 1; rounded to whole ratings.
    random_state : int, Generator, RandomState or None, default=None

    Returns
    -------
    train, test : Ratings

    Raises
    ------
    ValueError
        If the share is out of range or leaves a part empty.

    Examples
    --------
    >>> from matfact import make_ratings
    >>> train, test = random_split(make_ratings(60, 40, 500), random_state=0)
    >>> train.n_ratings, test.n_ratings
    (400, 100)
    """
    ratings = checked_ratings(ratings)
    n_test = _size_of_test(ratings, test)
    positions = random_positions(
        ratings.n_ratings, test=test, validation=0.0, rng=generator(random_state)
    )
    assert len(positions.test) == n_test  # noqa: S101 (the same rule in both places)
    return ratings.select(positions.train), ratings.select(positions.test)


def random_folds(
    ratings: Ratings, n_folds: int = 5, *, random_state: RandomStateLike = None
) -> Folds:
    """Deal ratings out to folds at random; the sizes of the folds differ by one at most.

    Parameters
    ----------
    ratings : Ratings
    n_folds : int, default=5
        From 2 to the number of ratings.
    random_state : int, Generator, RandomState or None, default=None

    Returns
    -------
    Folds

    Raises
    ------
    ValueError
        If there are fewer ratings than folds.

    Examples
    --------
    >>> from matfact import make_ratings
    >>> folds = random_folds(make_ratings(60, 40, 500), 5, random_state=0)
    >>> [test.n_ratings for train, test in folds]
    [100, 100, 100, 100, 100]
    """
    ratings = checked_ratings(ratings)
    n_folds = _checked_n_folds(n_folds, ratings)
    numbers = np.empty(ratings.n_ratings, dtype=np.int32)
    order = generator(random_state).permutation(ratings.n_ratings)
    numbers[order] = np.arange(ratings.n_ratings) % n_folds
    return Folds(ratings, numbers)


def user_folds(
    ratings: Ratings, n_folds: int = 5, *, random_state: RandomStateLike = None
) -> Folds:
    """Deal the ratings of each user out to folds, as evenly as possible.

    A user with n ratings has ``floor(n / n_folds)`` or one more in each fold; so has the whole.

    Parameters
    ----------
    ratings : Ratings
    n_folds : int, default=5
        From 2 to the number of ratings.
    random_state : int, Generator, RandomState or None, default=None

    Returns
    -------
    Folds

    Raises
    ------
    ValueError
        If there are fewer ratings than folds.
    """
    ratings = checked_ratings(ratings)
    n_folds = _checked_n_folds(n_folds, ratings)
    rng = generator(random_state)
    order = _shuffled_within_users(ratings, rng)
    numbers = np.empty(ratings.n_ratings, dtype=np.int32)
    # Dealing goes on from user to user: users with a single rating do not all meet in one fold.
    numbers[order] = (np.arange(ratings.n_ratings) + rng.integers(n_folds)) % n_folds
    return Folds(ratings, numbers)


def leave_k_out(ratings: Ratings, k: int = 1, *, random_state: RandomStateLike = None) -> Pair:
    """Take k random ratings of each user to test on.

    Parameters
    ----------
    ratings : Ratings
    k : int, default=1
        At least 1. Users with k ratings or fewer keep all of them in the training part.
    random_state : int, Generator, RandomState or None, default=None

    Returns
    -------
    train, test : Ratings

    Raises
    ------
    ValueError
        If no user has more than k ratings.
    """
    ratings = checked_ratings(ratings)
    k = check_integer(k, "k", minimum=1)
    order = _shuffled_within_users(ratings, generator(random_state))
    return _last_of_users(ratings, order, k, "k")


def temporal_split(
    ratings: Ratings, test: float = 0.2, *, last_per_user: int | None = None
) -> Pair:
    """Split by time: train on the past, test on what came after.

    Of ratings with the same time, those of later users, then of later items count as later.

    Parameters
    ----------
    ratings : Ratings
        With timestamps.
    test : float, default=0.2
        Share of the ratings, the latest of all, to test on, between 0 and 1.
    last_per_user : int, optional
        Test on so many of each user's ratings instead, the latest; users with that many ratings or
        fewer keep all of them in the training part.

    Returns
    -------
    train, test : Ratings

    Raises
    ------
    ValueError
        If there are no timestamps, or a part would be empty.
    """
    ratings = checked_ratings(ratings)
    times = ratings.timestamps
    if times is None:
        raise ValueError(
            "the ratings have no timestamps; build them with timestamps=, or use random_split"
        )
    if last_per_user is not None:
        k = check_integer(last_per_user, "last_per_user", minimum=1)
        return _last_of_users(ratings, np.lexsort((times, ratings.users)), k, "last_per_user")
    is_test = np.zeros(ratings.n_ratings, dtype=bool)
    is_test[np.argsort(times, kind="stable")[-_size_of_test(ratings, test) :]] = True
    return ratings.select(~is_test), ratings.select(is_test)


def checked_ratings(ratings: Any) -> Ratings:
    """Return ratings as they are; raise if they are something else."""
    if not isinstance(ratings, Ratings):
        raise TypeError(
            f"ratings must be Ratings, not {type(ratings).__name__}; make them by Ratings."
            "from_triples, from_frame or from_matrix"
        )
    return ratings


def _checked_n_folds(n_folds: object, ratings: Ratings) -> int:
    number = check_integer(n_folds, "n_folds", minimum=2)
    if number > ratings.n_ratings:
        raise ValueError(
            f"n_folds is {number}, more than the {ratings.n_ratings} ratings; give fewer folds or "
            "more ratings"
        )
    return number


def _size_of_test(ratings: Ratings, test: object) -> int:
    share = check_number(test, "test")
    if share >= 1:
        raise ValueError(f"test is {share}; give a share of the ratings between 0 and 1")
    size = round(share * ratings.n_ratings)
    if not 0 < size < ratings.n_ratings:
        raise ValueError(
            f"test is {share} of {ratings.n_ratings} ratings, which leaves a part empty; give "
            "more ratings or another share"
        )
    return size


def _shuffled_within_users(ratings: Ratings, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the positions of ratings by user, those of each user in random order."""
    order: NDArray[np.int64] = np.lexsort((rng.random(ratings.n_ratings), ratings.users))
    return order


def _last_of_users(ratings: Ratings, order: NDArray[np.int64], k: int, name: str) -> Pair:
    """Test on the last k of each user in an order that goes by users."""
    left = np.repeat(ratings.user_indptr[1:], np.diff(ratings.user_indptr))
    left -= np.arange(ratings.n_ratings)  # 1 for the last rating of a user
    counts = np.diff(ratings.user_indptr)
    is_last = (left <= k) & np.repeat(counts > k, counts)
    if not is_last.any():
        raise ValueError(
            f"{name} is {k} and no user has more than {counts.max()} ratings, so none would be "
            "left to train on; give a smaller number"
        )
    is_test = np.zeros(ratings.n_ratings, dtype=bool)
    is_test[order[is_last]] = True
    return ratings.select(~is_test), ratings.select(is_test)
