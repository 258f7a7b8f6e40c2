"""Synthetic ratings from a seed: for demonstrations, tests and benchmarks without a download."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matfact.ratings.table import RatingTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["synthetic_ratings"]

LOWEST, HIGHEST = 1.0, 5.0
MEAN_RATING = 3.5
USER_SPREAD, ITEM_SPREAD, FACTOR_SPREAD = 0.45, 0.5, 0.6
"""Standard deviations of the offsets and of the product of the factors, in rating units."""

DENSEST = 0.4
"""Largest share of rated cells; above it, drawing pairs until they are new would be slow."""

N_WEIGHTED_ROUNDS = 20


def synthetic_ratings(
    n_users: int = 600,
    n_items: int = 500,
    n_ratings: int = 30_000,
    *,
    rank: int = 4,
    noise: float = 0.7,
    step: float = 1.0,
    random_state: int | np.random.Generator = 0,
) -> RatingTable:
    r"""Draw ratings like those of a film site, with known structure inside.

    The rating of user u for item i is
    :math:`3.5 + b_u + c_i + p_u \cdot q_i + \varepsilon`, rounded to a multiple of `step` and
    clipped to 1..5. Offsets b, c, factors p, q and noise are Gaussian, with standard deviations
    0.45 for b, 0.5 for c, 0.6 for the product and `noise`. Which pairs are rated follows a power
    law: the item of popularity rank j is drawn with weight :math:`(j + 10)^{-0.9}`, users with
    exponent -0.6.

    Parameters
    ----------
    n_users, n_items : int
        Number of users and items, at least 1. Some may remain without ratings.
    n_ratings : int
        Number of distinct rated pairs, from 1 to 40 % of all pairs.
    rank : int, default=4
        Length of the planted factors, >= 0; 0 plants none.
    noise : float, default=0.7
        Standard deviation of the noise, >= 0. Rounding adds about ``0.29 * step``.
    step : {1.0, 0.5}, default=1.0
        Whole or half stars.
    random_state : int or numpy.random.Generator, default=0
        The seed; the same seed gives the same ratings with the same version of numpy.

    Returns
    -------
    RatingTable
        Ids are 1..n_users and 1..n_items; the ratings are in random order.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Time and memory are proportional to ``n_ratings * rank``; there is no array of all pairs.

    Examples
    --------
    >>> table = synthetic_ratings(50, 40, 300, random_state=1)
    >>> table.shape, table.n_ratings
    ((50, 40), 300)
    """
    _check_sizes(n_users, n_items, n_ratings)
    _check_model(rank, noise, step)
    rng = np.random.default_rng(random_state)
    users, items = _draw_pairs(n_users, n_items, n_ratings, rng)
    user_offsets = rng.normal(0.0, USER_SPREAD, n_users)
    item_offsets = rng.normal(0.0, ITEM_SPREAD, n_items)
    # A sum of `rank` products of two unit normals has variance `rank`.
    scale = np.sqrt(FACTOR_SPREAD / np.sqrt(max(rank, 1)))
    user_factors = rng.normal(0.0, scale, (n_users, rank))
    item_factors = rng.normal(0.0, scale, (n_items, rank))
    raw = MEAN_RATING + user_offsets[users] + item_offsets[items]
    for factor in range(rank):
        raw += user_factors[users, factor] * item_factors[items, factor]
    raw += rng.normal(0.0, noise, n_ratings)
    values = np.clip(np.round(raw / step) * step, LOWEST, HIGHEST)
    return RatingTable(np.arange(1, n_users + 1), np.arange(1, n_items + 1), users, items, values)


def _check_sizes(n_users: int, n_items: int, n_ratings: int) -> None:
    for name, size in (("n_users", n_users), ("n_items", n_items), ("n_ratings", n_ratings)):
        if size < 1:
            raise ValueError(f"{name} is {size}; it must be at least 1")
    most = max(1, int(DENSEST * n_users * n_items))
    if n_ratings > most:
        raise ValueError(
            f"n_ratings is {n_ratings}; {n_users} x {n_items} cells allow at most {most} "
            f"({DENSEST:.0%})"
        )


def _check_model(rank: int, noise: float, step: float) -> None:
    if rank < 0:
        raise ValueError(f"rank is {rank}; it must not be negative")
    if not 0.0 <= noise < np.inf:
        raise ValueError(f"noise is {noise}; give a number >= 0")
    if step not in (1.0, 0.5):
        raise ValueError(f"step is {step}; give 1.0 (whole stars) or 0.5 (half stars)")


def _draw_pairs(
    n_users: int, n_items: int, n_ratings: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw distinct pairs, by weight, until there are enough."""
    user_shares = _power_law(n_users, 0.6, rng)
    item_shares = _power_law(n_items, 0.9, rng)
    cells = np.empty(0, dtype=np.int64)
    n_rounds = 0
    while len(cells) < n_ratings:
        n_new = 2 * (n_ratings - len(cells)) + 16
        if n_rounds < N_WEIGHTED_ROUNDS:
            users = np.searchsorted(user_shares, rng.random(n_new), side="right")
            items = np.searchsorted(item_shares, rng.random(n_new), side="right")
        else:
            # Every popular cell is taken: without this the last few pairs might take for ever.
            users = rng.integers(0, n_users, n_new)
            items = rng.integers(0, n_items, n_new)
        drawn = np.concatenate([cells, users * n_items + items])
        _, first = np.unique(drawn, return_index=True)
        cells = drawn[np.sort(first)]
        n_rounds += 1
    cells = rng.permutation(cells[:n_ratings])
    return cells // n_items, cells % n_items


def _power_law(size: int, exponent: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Give cumulative shares of a shifted power law over positions in random order."""
    weights = (rng.permutation(size) + 10.0) ** -exponent
    cumulative: NDArray[np.float64] = np.cumsum(weights)
    # Dividing by the last sum makes the last share exactly 1, above every draw from [0, 1).
    cumulative /= cumulative[-1]
    return cumulative
