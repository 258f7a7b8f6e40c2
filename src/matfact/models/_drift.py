"""The search for the drifting levels of users (see `_levels`) in a training."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import csr, drift
from matfact.models._levels import gaps_of, states_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.models._data import Rows
    from matfact.ratings import Ratings

    Doubles = NDArray[np.float64]
    Arrays = dict[str, NDArray[Any]]

__all__ = ["FIRST_EPOCH", "Drift"]

FIRST_EPOCH = 3
"""Of the levels; before it, what the factors do not say yet would be taken for them."""

LEAST_STEP = 0.01

GROWTH = (1.2, 1.4)
"""Of the steps of the logarithms of v and T that were steps forward."""

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Of the gaps between a user's states; the search begins with the most likely one as T."""

PSEUDO_SQUARE = 1e-3
"""Square of a state that v is learned with besides the real ones, so that it stays above 0."""


class Drift:
    """The levels of all users in a training, which changes the arrays of a model in place.

    Parameters
    ----------
    ratings : Ratings
    arrays : dict of str to ndarray
    scale : float
        Unit of the solver.
    n_threads : int

    Attributes
    ----------
    uncertainties : ndarray of shape (n_users,)
        What the levels' variances add to the expected squared errors of each user, weighted.
    """

    def __init__(self, ratings: Ratings, arrays: Arrays, scale: float, n_threads: int) -> None:
        self.uncertainties = np.zeros(ratings.n_users)
        self._arrays = arrays
        self._scale = scale
        self._threads = n_threads
        self._indptr, self._times, state_of = states_of(ratings)
        self._user_of = np.repeat(np.arange(ratings.n_users), np.diff(self._indptr))
        order = csr.transpose(ratings.user_indptr, ratings.user_indices, ratings.n_items)[2]
        self._state_of = {"users": state_of, "items": state_of[order]}
        gaps = gaps_of(self._indptr, self._times)
        self._gaps = gaps[np.isfinite(gaps)]

    def without(self, rows: Rows, side: str) -> Rows:
        """Return ratings, in their own units, without the levels."""
        dtype = rows.values.dtype
        levels = (self._arrays["drift_levels"] * self._scale).astype(dtype)
        return replace(rows, values=rows.values - levels[self._state_of[side]])

    def step(
        self, number: int, residuals: NDArray[Any], weights: NDArray[Any] | None, noise: float
    ) -> float:
        """Improve v and T, then compute the levels; return their divergence, in nats.

        A new v or T is kept only where it raises the evidence, so that none lowers the bound. The
        divergence is that of the posterior from the prior, and that of v from its pseudo-state.

        Parameters
        ----------
        number : int
            Of the epoch.
        residuals : ndarray of shape (n_ratings,)
            What the factors leave of the ratings by users, in their own units.
        weights : ndarray of shape (n_ratings,) or None
            Of the ratings; None is 1.
        noise : float
            Precision of a rating of weight 1.
        """
        if number < FIRST_EPOCH:
            return 0.0
        n_states, each = len(self._times), residuals.astype(np.float64) / self._scale
        each_weight = None if weights is None else weights.astype(np.float64)
        if each_weight is not None:
            each *= each_weight
        state_of = self._state_of["users"]
        precisions: Doubles = np.bincount(state_of, each_weight, n_states).astype(np.float64)
        pulls: Doubles = np.bincount(state_of, each, n_states).astype(np.float64)
        precisions, pulls = noise * precisions, noise * pulls
        self._learn(number, precisions, pulls)
        levels, covariances = self._arrays["drift_levels"], self._arrays["drift_covariances"]
        variance = float(self._arrays["drift_variance"][0])
        time = float(self._arrays["drift_time"][0])
        evidence = self._evidence(precisions, pulls, variance, time, levels, covariances)
        self.uncertainties = np.bincount(
            self._user_of, precisions * covariances[0] / noise, len(self.uncertainties)
        ).astype(np.float64)
        # A being the posterior's precision: (m'A m - sum n (m^2 + v) + log|A| - log|P|) / 2
        halves = 0.5 * precisions * (levels**2 + covariances[0])
        return float(np.sum(pulls * levels - halves)) - evidence

    def _learn(self, number: int, precisions: Doubles, pulls: Doubles) -> None:
        """Try v and T a step up and a step down."""
        names = ("drift_variance", "drift_time")
        now = [float(self._arrays[name][0]) for name in names]
        best = self._evidence(precisions, pulls, now[0], now[1])
        if number == FIRST_EPOCH and len(self._gaps):
            for time in np.quantile(self._gaps, QUANTILES).tolist():
                if (found := self._evidence(precisions, pulls, now[0], time)) > best:
                    now[1], best = time, found
        steps = self._arrays["drift_steps"]
        for place, name in enumerate(names):
            before = now[place]
            for step in (steps[place], -steps[place]):
                tried = now.copy()
                tried[place] = self._limited(name, before * math.exp(step))
                if (found := self._evidence(precisions, pulls, tried[0], tried[1])) > best:
                    now, best = tried, found
                    break
            is_better = now[place] != before
            steps[place] = max(steps[place] * (GROWTH[place] if is_better else 0.5), LEAST_STEP)
            self._arrays[name][0] = now[place]

    def _limited(self, name: str, value: float) -> float:
        """Keep v and T where they still make a difference; for T the gaps tell where that is."""
        if name == "drift_variance":
            return min(max(value, 1e-9), 1e9)
        if not len(self._gaps):
            return value
        low, high = float(self._gaps.min()) / 1e3, float(self._gaps.max()) * 1e6
        return min(max(value, low), high, 1e300)

    def _evidence(
        self,
        precisions: Doubles,
        pulls: Doubles,
        variance: float,
        time: float,
        levels: Doubles | None = None,
        covariances: Doubles | None = None,
    ) -> float:
        """Return the evidence of v and T, the pseudo-state's included; fill in the levels."""
        evidence = drift.posterior_levels(
            self._indptr,
            self._times,
            precisions,
            pulls,
            variance,
            time,
            levels,
            covariances,
            self._threads,
        )
        return float(evidence) - 0.5 * (math.log(variance) + PSEUDO_SQUARE / variance)
