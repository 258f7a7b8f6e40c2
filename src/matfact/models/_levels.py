"""Levels of users that drift with the time of their ratings; everything in units of the solver.

The level x_u of a user is an Ornstein-Uhlenbeck process, Cov(x_u(s), x_u(t)) = v exp(-|s - t| / T).
Its states are its values at the distinct times of the user's ratings. A model has these arrays:

drift_indptr, drift_times   the states of each user, and when they are
drift_levels                their posterior means
drift_covariances           their variances; covariances with the next one of the same user, or 0
drift_variance, drift_time  v and T
drift_steps                 of the logarithms of v and T in the search for better ones
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from matfact.ratings import Ratings

    Doubles = NDArray[np.float64]
    Arrays = dict[str, NDArray[Any]]

__all__ = [
    "DRIFT",
    "DRIFT_PLACES",
    "carried_levels",
    "drift_problem",
    "drift_shapes",
    "drift_start",
    "gaps_of",
    "levels_at",
    "rating_times",
    "states_of",
    "times_of",
]

DRIFT_PLACES = ("drift_indptr", "drift_times")
"""The arrays that no epoch changes."""

DRIFT = (
    *DRIFT_PLACES,
    "drift_levels",
    "drift_covariances",
    "drift_variance",
    "drift_time",
    "drift_steps",
)

START_VARIANCE = 0.03
START_STEP = 0.5


def times_of(timestamps: ArrayLike, name: str = "timestamps") -> Doubles:
    """Return times as finite numbers; datetime64 as seconds since 1970.

    Raises
    ------
    TypeError, ValueError
        If one is no time.
    """
    times = np.asarray(timestamps)
    if times.dtype.kind not in "iufM":
        raise TypeError(f"{name} has dtype {times.dtype}; give numbers or datetime64")
    if times.dtype.kind == "M":
        missing = np.isnat(times)
        times = times.astype("datetime64[us]").astype(np.int64) / 1e6
        times[missing] = np.nan
    times = times.astype(np.float64)
    bad = ~np.isfinite(times)
    if bad.any():
        raise ValueError(f"{name} has {times[bad][0]}; give a time for every rating")
    return times


def rating_times(ratings: Ratings) -> Doubles:
    """Return the times of ratings.

    Raises
    ------
    ValueError
        If there are no timestamps.
    """
    if ratings.timestamps is None:
        raise ValueError(
            "drift=True needs the time of each rating, and X, or what was added to it, has no "
            "timestamps; build the Ratings with timestamps=, or set drift=False"
        )
    return times_of(ratings.timestamps)


def states_of(ratings: Ratings) -> tuple[NDArray[np.int64], Doubles, NDArray[np.int64]]:
    """Return the states of each user, their times, and the state of each rating."""
    users, times = ratings.users.astype(np.int64), rating_times(ratings)
    order = np.lexsort((times, users))
    users, times = users[order], times[order]
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = (users[1:] != users[:-1]) | (times[1:] != times[:-1])
    state_of = np.empty(len(order), dtype=np.int64)
    state_of[order] = np.cumsum(is_first) - 1
    indptr = np.zeros(ratings.n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(users[is_first], minlength=ratings.n_users), out=indptr[1:])
    return indptr, times[is_first], state_of


def gaps_of(indptr: NDArray[np.int64], times: Doubles) -> Doubles:
    """Return the gaps between neighbouring states of users."""
    within = np.ones(max(len(times) - 1, 0), dtype=bool)
    within[indptr[(indptr > 0) & (indptr < len(times))] - 1] = False
    with np.errstate(over="ignore"):
        return np.diff(times)[within]


def drift_shapes(n_users: int, n_states: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays."""
    return {
        "drift_indptr": (n_users + 1,),
        "drift_times": (n_states,),
        "drift_levels": (n_states,),
        "drift_covariances": (2, n_states),
        "drift_variance": (1,),
        "drift_time": (1,),
        "drift_steps": (2,),
    }


def drift_start(ratings: Ratings) -> Arrays:
    """Return what is assumed before the first epoch: that all levels are 0."""
    indptr, times, _ = states_of(ratings)
    gaps = gaps_of(indptr, times)
    gaps = gaps[np.isfinite(gaps)]
    shapes = drift_shapes(ratings.n_users, len(times))
    arrays: Arrays = {name: np.zeros(shape) for name, shape in shapes.items()}
    arrays["drift_indptr"], arrays["drift_times"] = indptr, times
    arrays["drift_covariances"][0] = arrays["drift_variance"][0] = START_VARIANCE
    arrays["drift_time"][0] = np.median(gaps) if len(gaps) else 1.0
    arrays["drift_steps"][...] = START_STEP
    return arrays


def carried_levels(arrays: Arrays, old: Arrays, old_users: NDArray[np.int64]) -> None:
    """Go on from an older model: its v and T, and its levels at the new times.

    Parameters
    ----------
    arrays : dict of str to ndarray
        As `drift_start` returns them; changed.
    old : dict of str to ndarray
        The same of the older model.
    old_users : ndarray of int64
        Where each user is in the older model; -1 for nowhere.
    """
    for name in ("drift_variance", "drift_time", "drift_steps"):
        arrays[name][...] = old[name]
    users = np.repeat(old_users, np.diff(arrays["drift_indptr"]))
    levels, variances = levels_at(old, users, arrays["drift_times"])
    arrays["drift_levels"][...] = levels
    if all(np.array_equal(arrays[name], old[name]) for name in DRIFT_PLACES):
        arrays["drift_covariances"][...] = old["drift_covariances"]
    else:
        arrays["drift_covariances"][0] = variances


def drift_problem(arrays: Mapping[str, NDArray[Any]]) -> str | None:
    """Tell what is wrong with arrays of the right shapes; None if nothing is."""
    indptr, times = arrays["drift_indptr"], arrays["drift_times"]
    if indptr[0] != 0 or indptr[-1] != len(times) or (np.diff(indptr) < 0).any():
        return "drift_indptr is not ascending from 0 to the number of states"
    if (gaps_of(indptr, times) <= 0).any():
        return "drift_times are not ascending within each user"
    above_zero = ("drift_variance", "drift_time", "drift_steps")
    if any((arrays[name] <= 0).any() for name in above_zero):
        return "drift_variance, drift_time or drift_steps is not above 0"
    if (arrays["drift_covariances"][0] < 0).any():
        return "drift_covariances has a variance below 0"
    return None


def levels_at(
    arrays: Mapping[str, NDArray[Any]], users: NDArray[np.int64], times: Doubles
) -> tuple[Doubles, Doubles]:
    """Return means and variances of the levels of users at any times.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    users : ndarray of int64, shape (n,)
        Positions; -1 for unknown ones, whose levels have mean 0.
    times : ndarray of float64, shape (n,)
    """
    variance, time = float(arrays["drift_variance"][0]), float(arrays["drift_time"][0])
    n_states = len(arrays["drift_times"])
    if not n_states:
        return np.zeros(len(users)), np.full(len(users), variance)
    first = np.where(users < 0, 0, arrays["drift_indptr"][users])
    end = np.where(users < 0, 0, arrays["drift_indptr"][np.maximum(users, 0) + 1])
    after = _first_after(arrays["drift_times"], first, end, times)
    left, right = np.maximum(after - 1, 0), np.minimum(after, n_states - 1)
    has_left, has_right = after > first, after < end
    with np.errstate(over="ignore"):
        gaps = (times - arrays["drift_times"][left]) / time
        to_left = np.where(has_left, gaps, np.inf)
        gaps = (arrays["drift_times"][right] - times) / time
        to_right = np.where(has_right, np.maximum(gaps, 1e-300), np.inf)
        forgotten = [-np.expm1(-2 * gap) for gap in (to_left, to_right, to_left + to_right)]
    from_left = np.exp(-to_left) * forgotten[1] / forgotten[2]
    from_right = np.exp(-to_right) * forgotten[0] / forgotten[2]
    levels, (own, beside) = arrays["drift_levels"], arrays["drift_covariances"]
    means = from_left * levels[left] + from_right * levels[right]
    variances = from_left**2 * own[left] + from_right**2 * own[right]
    variances += 2 * from_left * from_right * beside[left] * has_left
    variances += variance * forgotten[0] * forgotten[1] / forgotten[2]
    return means, variances


def _first_after(
    state_times: Doubles, low: NDArray[np.int64], high: NDArray[np.int64], times: Doubles
) -> NDArray[np.int64]:
    """Return for each time the first state from `low` that is later, or `high`."""
    while (is_open := low < high).any():
        middle = (low + high) // 2
        is_earlier = state_times[np.minimum(middle, len(state_times) - 1)] <= times
        low = np.where(is_open & is_earlier, middle + 1, low)
        high = np.where(is_open & ~is_earlier, middle, high)
    return low
