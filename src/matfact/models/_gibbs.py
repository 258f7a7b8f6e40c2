"""The solver of Bayesian matrix factorization: a chain of draws, and what is kept of it.

A sweep draws all items, then all users, each given all else; after each side its prior and its
links, and in the end the noise: that of all, then the reliabilities of users. Everything is in the
units of `matfact.models._posteriors`.

Samples that are kept stand side by side in the factors of the model, those of users divided by
their number: the product of two long rows is then the mean over the samples of the products.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import pairs
from matfact.models._chain import CHAIN, KINDS, slot_of
from matfact.models._drawing import draw_mean_and_precision
from matfact.models._noise import drawn_reliabilities, weighted
from matfact.models._posteriors import SIDES, draw_side, with_unrated
from matfact.models._units import scaled_vectors, standardized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from matfact.models._data import Rows
    from matfact.models._growing import Side
    from matfact.models._linking import Links
    from matfact.training import BestState

    Doubles = NDArray[np.float64]
    Arrays = dict[str, NDArray[Any]]

__all__ = ["DRAW_STREAM", "Gibbs"]

DRAW_STREAM = 3
"""Marks the random numbers of sweeps among all that follow from one seed."""

LEAST_SQUARES = 1e-8
"""Mean squared error that the noise is drawn with, at least."""


class Gibbs:
    """Sweeps of the chain, in place; see `matfact.training.Trainable`.

    Parameters
    ----------
    rows : mapping of side to Rows
        The ratings by users and by items.
    arrays : dict of str to ndarray
        What `chain_start` makes, and what `links` changes.
    links : Links
    begin : callable
        Gives the arrays of variational Bayes, with which the chain begins; it may change what
        `links` does.
    mean, scale : float
        Of the ratings.
    burn_in, thinning : int
        Sweeps of which nothing is kept, and one in how many is kept then.
    seed, n_threads : int
    """

    def __init__(
        self,
        rows: Mapping[str, Rows],
        arrays: Arrays,
        links: Links,
        begin: Callable[[], Arrays],
        mean: float,
        scale: float,
        burn_in: int,
        thinning: int,
        seed: int,
        n_threads: int,
    ) -> None:
        self.arrays = arrays
        self.best: BestState | None = None
        self._rows = {side: standardized(rows[side], mean, scale) for side in SIDES}
        self._counts = {side: rows[side].counts() for side in SIDES}
        self._there = {side: counts > 0 for side, counts in self._counts.items()}
        self._n_ratings = float(self._counts["users"].sum())
        self._links = links
        self._begin = begin
        self._scale = scale
        self._burn_in = burn_in
        self._thinning = thinning
        self._seed = seed
        self._threads = n_threads

    def epoch(self, number: int) -> float:
        """Draw everything once; keep it if it is its turn.

        Parameters
        ----------
        number : int
            Of the sweep, from 1.

        Returns
        -------
        float
            Negative log likelihood of a rating, given the draws; NaN if training diverged.
        """
        if number == 1:
            self._take_start(self._begin())
        rng = np.random.default_rng([self._seed, DRAW_STREAM, number])
        for side, other in zip(reversed(SIDES), SIDES, strict=True):
            if not self._draw_side(side, other, rng):
                return math.nan
        objective = self._draw_noise(rng)
        self._keep(number - self._burn_in)
        return objective

    def remedy(self) -> str:
        """Tell what to change when a value is not finite."""
        return "use dtype=float64 if ratings are very large"

    def _take_start(self, start: Arrays) -> None:
        for name in ("user", "item"):
            self.arrays[f"{name}_draws"][...] = scaled_vectors(
                start[f"{name}_factors"], start[f"{name}_biases"], self._scale
            )
        for name in (*CHAIN, "user_reliabilities"):
            self.arrays[name][...] = start[name]

    def _draw_side(self, side: Side, other: Side, rng: np.random.Generator) -> bool:
        """Draw the rows of a side, then its prior; return whether all is finite."""
        place, arrays, there = SIDES.index(side), self.arrays, self._there[side]
        precision = arrays["prior_precisions"][place]
        own = arrays[f"{side[:-1]}_draws"]
        tau = arrays["user_reliabilities"]
        of_users = side == "users"
        drawn = draw_side(
            weighted(self._rows[side], tau if of_users else None, None if of_users else tau),
            arrays[f"{other[:-1]}_draws"],
            precision,
            float(arrays["noise_precision"][0]),
            with_unrated(
                arrays["prior_means"][place] + np.atleast_2d(self._links.means(side)),
                ~there,
                arrays["unrated_means"][place],
            ),
            rng.standard_normal(own.shape).astype(own.dtype),
            self._threads,
        )
        if drawn is None:
            return False
        own[...] = drawn
        vectors = drawn.astype(np.float64)
        self._links.draw(side, vectors - arrays["prior_means"][place], precision, rng)
        deviations = (vectors - self._links.means(side))[there]
        if len(deviations):
            mean, learned = draw_mean_and_precision(deviations, rng, self._threads)
            arrays["prior_means"][place], arrays["prior_precisions"][place] = mean, learned
            arrays["unrated_means"][place] = self._links.unrated_mean(
                side, vectors - mean, self._counts[side]
            )
        return True

    def _draw_noise(self, rng: np.random.Generator) -> float:
        """Draw the precision of the noise and the reliabilities of users.

        Returns
        -------
        float
            Negative log likelihood of a rating.
        """
        errors, counts = self._squared_errors(), self._counts["users"]
        tau, total = self.arrays["user_reliabilities"], self._n_ratings
        error = max(float(tau @ errors), LEAST_SQUARES * total)
        precision = rng.gamma((1 + total) / 2, 2 / (1 + error))
        self.arrays["noise_precision"][0] = precision
        tau[...] = drawn_reliabilities(counts, errors, precision, rng)
        logarithms = total * math.log(2 * math.pi / precision) - float(counts @ np.log(tau))
        return 0.5 * (logarithms + precision * float(tau @ errors)) / max(total, 1e-300)

    def _squared_errors(self) -> Doubles:
        """Return the sum of squared errors of the draws for each user."""
        users, items = self.arrays["user_draws"], self.arrays["item_draws"]
        rows = self._rows["users"]
        squares: Doubles = pairs.squared_errors(
            rows.indptr,
            rows.indices,
            rows.values,
            rows.weights,
            np.ascontiguousarray(users[:, :-1]),
            np.ascontiguousarray(items[:, :-1]),
            users[:, -1].copy(),
            items[:, -1].copy(),
            0.0,
            self._threads,
        )
        return squares

    def _keep(self, past: int) -> None:
        """Put the draws among the samples if it is their turn.

        They take the place of the oldest if there is no more room. Before the first sample the
        newest draws stand for it.

        Parameters
        ----------
        past : int
            Sweeps since the burn-in.
        """
        arrays, capacity = self.arrays, len(self.arrays["sample_noises"])
        kept = int(arrays["n_kept"][0])
        if past > 0 and (past - 1) % self._thinning == 0:
            arrays["n_kept"][0] = kept + 1
        elif kept:
            return
        slot, count = kept % capacity, min(kept + 1, capacity)
        arrays["sample_means"][slot] = arrays["prior_means"]
        arrays["sample_unrated_means"][slot] = arrays["unrated_means"]
        arrays["sample_precisions"][slot] = arrays["prior_precisions"]
        arrays["sample_noises"][slot] = arrays["noise_precision"][0]
        arrays["user_reliability_samples"][:, slot] = arrays["user_reliabilities"]
        for name in ("user", "item"):
            self._keep_rows(name, slot, count)

    def _keep_rows(self, name: str, slot: int, count: int) -> None:
        arrays, draws = self.arrays, self.arrays[f"{name}_draws"]
        factors, dtype = arrays[f"{name}_factors"], draws.dtype
        own, share = slot_of(slot, draws.shape[1] - 1), 1.0
        if name == "user":
            share = 1 / count
            if slot == count - 1 == int(arrays["n_kept"][0]) - 1:  # one more than before
                factors[:, : own.start] *= dtype.type((count - 1) / count)
        factors[:, own] = draws[:, :-1] * dtype.type(math.sqrt(self._scale) * share)
        samples = arrays[f"{name}_bias_samples"]
        samples[:, slot] = draws[:, -1]
        means = samples[:, :count].mean(axis=1, dtype=np.float64)
        arrays[f"{name}_biases"][...] = means * self._scale
        for kind in KINDS:
            if f"{name}_{kind}s" in arrays:
                kept = arrays[f"{name}_{kind}_samples"]
                kept[:, slot_of(slot, draws.shape[1])] = arrays[f"{name}_{kind}s"]
