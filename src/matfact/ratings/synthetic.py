"""Synthetic ratings from a seed: for demonstrations, tests and benchmarks without a download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._random import random_source
from matfact._validation import check_integer, check_number
from matfact.ratings._build import Parts, checked_dtype
from matfact.ratings.ids import IdMap
from matfact.ratings.ratings import Ratings

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from matfact._random import RandomSource, RandomStateLike

__all__ = ["make_ratings"]

MEAN_RATING = 3.5
USER_SPREAD, ITEM_SPREAD, FACTOR_SPREAD = 0.45, 0.5, 0.6
"""Standard deviations of the offsets and of the product of the factors, in rating units."""

POPULARITY_SHIFT = 10.0
"""It flattens the head of the power law, where real popularity is flatter too."""

DENSE = 0.25
"""Share of rated cells above which all cells are looked at."""

N_WEIGHTED_ROUNDS = 20
N_AT_ONCE = 1 << 16


def make_ratings(
    n_users: int = 600,
    n_items: int = 500,
    n_ratings: int = 30_000,
    *,
    n_factors: int = 8,
    noise: float = 0.7,
    user_exponent: float = 0.6,
    item_exponent: float = 0.9,
    scale: tuple[float, float] | None = (1.0, 5.0),
    step: float | None = 1.0,
    random_state: RandomStateLike = 0,
    dtype: DTypeLike = np.float32,
) -> Ratings:
    r"""Draw ratings like those of a film site, with known structure inside.

    The rating of user u for item i is :math:`3.5 + b_u + c_i + p_u \cdot q_i + \varepsilon`,
    rounded to a multiple of `step` and clipped to `scale`. Offsets b, c, factors p, q and noise
    are Gaussian, with standard deviations 0.45 for b, 0.5 for c, 0.6 for the product and `noise`.
    Which pairs are rated follows a power law: the item of popularity rank j is drawn with weight
    :math:`(j + 10)^{-a}`, users likewise; ranks are in random order. Pairs are distinct.

    Parameters
    ----------
    n_users, n_items : int
        Numbers of users and items, at least 1. Some may remain without ratings.
    n_ratings : int
        Number of rated pairs, from 1 to all of them.
    n_factors : int, default=8
        Length of the planted factors, >= 0; 0 plants none.
    noise : float, default=0.7
        Standard deviation of the noise, >= 0. Rounding adds about ``0.29 * step``.
    user_exponent, item_exponent : float, default=0.6 and 0.9
        The exponents a, >= 0; 0 draws all alike.
    scale : (float, float) or None, default=(1, 5)
        Lowest and highest rating. None clips nothing.
    step : float or None, default=1.0
        Ratings are multiples of it: 1 for whole stars, 0.5 for half ones. None rounds nothing.
    random_state : int, numpy.random.RandomState, numpy.random.Generator or None, default=0
        The seed; the same seed gives the same ratings with the same version of numpy.
    dtype : float32 or float64, default=float32
        Of the values.

    Returns
    -------
    Ratings
        Ids are the positions.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.

    Notes
    -----
    O(n_ratings (log n_ratings + n_factors)) time, about 60 bytes a rating; there is no array of
    all pairs unless a quarter of them is rated.

    Examples
    --------
    >>> from matfact import make_ratings
    >>> make_ratings(50, 40, 300, random_state=1)
    <Ratings: 50 users x 40 items, 300 ratings, float32>
    """
    sizes = _checked_sizes(n_users, n_items, n_ratings)
    n_factors = check_integer(n_factors, "n_factors", minimum=0)
    noise = check_number(noise, "noise", zero_allowed=True)
    exponents = (
        check_number(user_exponent, "user_exponent", zero_allowed=True),
        check_number(item_exponent, "item_exponent", zero_allowed=True),
    )
    if step is not None:
        step = check_number(step, "step")
    if scale is not None and not -np.inf < scale[0] < scale[1] < np.inf:
        raise ValueError(f"scale is {scale}; give the lowest and the highest rating, or None")
    real = checked_dtype(dtype)
    rng = random_source(random_state)
    cells = _draw_cells(*sizes, exponents, rng)
    values = _draw_values(cells, sizes[0], sizes[1], n_factors, noise, rng)
    if step is not None:
        values = np.round(values / step) * step
    if scale is not None:
        np.clip(values, *scale, out=values)
    indptr = np.searchsorted(cells, np.arange(sizes[0] + 1, dtype=np.int64) * sizes[1])
    indices = (cells % sizes[1]).astype(np.int32)
    parts = Parts(indptr.astype(np.int64, copy=False), indices, values.astype(real), None, None)
    return Ratings.of_parts(parts, IdMap.range(sizes[0]), IdMap.range(sizes[1]))


def _checked_sizes(n_users: int, n_items: int, n_ratings: int) -> tuple[int, int, int]:
    n_users = check_integer(n_users, "n_users", minimum=1)
    n_items = check_integer(n_items, "n_items", minimum=1)
    n_ratings = check_integer(n_ratings, "n_ratings", minimum=1)
    for name, size in (("n_users", n_users), ("n_items", n_items)):
        if size >= 2**31:
            raise ValueError(f"{name} is {size}; at most {2**31 - 1} are possible")
    if n_ratings > n_users * n_items:
        raise ValueError(
            f"n_ratings is {n_ratings}; {n_users} x {n_items} have {n_users * n_items} pairs"
        )
    return n_users, n_items, n_ratings


def _draw_cells(
    n_users: int,
    n_items: int,
    n_ratings: int,
    exponents: tuple[float, float],
    rng: RandomSource,
) -> NDArray[np.int64]:
    """Draw distinct cells by the popularity of both sides, as ascending row-major numbers."""
    n_cells = n_users * n_items
    users = _power_law(n_users, exponents[0], rng)
    items = _power_law(n_items, exponents[1], rng)
    if n_ratings > DENSE * n_cells:
        # The smallest arrival times of Poisson processes are a weighted draw without repetition.
        times = rng.exponential(size=(n_users, n_items)) / (users[:, None] * items)
        chosen: NDArray[np.int64] = np.argpartition(times.ravel(), n_ratings - 1)[:n_ratings]
        return np.sort(chosen)
    cells = np.empty(0, dtype=np.int64)
    yield_of_draw = 0.75
    for n_rounds in range(2**31):
        n_missing = n_ratings - len(cells)
        n_new = int(n_missing / yield_of_draw * 1.02) + 64
        if n_rounds < N_WEIGHTED_ROUNDS:
            # The counts of independent draws, put in random order on one side: draws of pairs.
            rows: NDArray[Any] = np.repeat(
                np.arange(n_users, dtype=np.int64), rng.multinomial(n_new, users)
            )
            columns: NDArray[Any] = np.repeat(
                np.arange(n_items, dtype=np.int32), rng.multinomial(n_new, items)
            )
            rng.shuffle(columns)
        else:
            # Every popular cell is taken: without this the last few might take for ever.
            rows = (rng.uniform(size=n_new) * n_users).astype(np.int64)
            columns = (rng.uniform(size=n_new) * n_items).astype(np.int64)
        drawn: NDArray[np.int64] = rows * n_items + columns
        drawn.sort()
        drawn = drawn[np.append(True, drawn[1:] != drawn[:-1])]
        if len(cells):
            places = np.minimum(np.searchsorted(cells, drawn), len(cells) - 1)
            drawn = drawn[cells[places] != drawn]
        yield_of_draw = min(max(len(drawn) / n_new, 0.2), 1.0)
        if len(drawn) > n_missing:
            drawn = np.delete(drawn, rng.permutation(len(drawn))[: len(drawn) - n_missing])
        cells = np.sort(np.concatenate([cells, drawn])) if len(cells) else drawn
        if len(cells) == n_ratings:
            break
    return cells


def _power_law(size: int, exponent: float, rng: RandomSource) -> NDArray[np.float64]:
    """Return the shares of a shifted power law over positions in random order."""
    ranks = rng.permutation(size).astype(np.float64)
    weights: NDArray[np.float64] = (ranks + POPULARITY_SHIFT) ** -exponent
    weights /= weights.sum()
    return weights


def _draw_values(
    cells: NDArray[np.int64],
    n_users: int,
    n_items: int,
    n_factors: int,
    noise: float,
    rng: RandomSource,
) -> NDArray[np.float64]:
    """Draw the model and its noisy values in the cells."""
    user_offsets = rng.normal(0.0, USER_SPREAD, n_users)
    item_offsets = rng.normal(0.0, ITEM_SPREAD, n_items)
    # A sum of n products of two unit normals has variance n.
    spread = np.sqrt(FACTOR_SPREAD / np.sqrt(max(n_factors, 1)))
    user_factors: NDArray[Any] = rng.normal(0.0, spread, (n_users, n_factors))
    item_factors: NDArray[Any] = rng.normal(0.0, spread, (n_items, n_factors))
    values: NDArray[np.float64] = rng.normal(MEAN_RATING, noise, len(cells))
    for start in range(0, len(cells), N_AT_ONCE):
        piece = slice(start, start + N_AT_ONCE)
        users, items = np.divmod(cells[piece], n_items)
        values[piece] += user_offsets[users] + item_offsets[items]
        values[piece] += np.einsum("pf,pf->p", user_factors[users], item_factors[items])
    return values
