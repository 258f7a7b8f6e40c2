"""The solver of Bayesian matrix factorization: a chain of draws, and what is kept of it.

A sweep draws all items, then all users, each given all else; after each side its prior and its
links, and in the end the noise. Everything is in the units of `matfact.models._posteriors`.

Samples that are kept stand side by side in the factors of the model, those of users divided by
their number: the product of two long rows is then the mean over the samples of the products.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import pairs
from matfact.models._drawing import draw_mean_and_precision
from matfact.models._posteriors import (
    SIDES,
    draw_side,
    scaled_vectors,
    shared_shapes,
    shared_start,
    standardized,
    with_unrated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import DTypeLike, NDArray

    from matfact.models._data import Rows
    from matfact.models._growing import Side
    from matfact.models._linking import Links
    from matfact.training import BestState

    Doubles = NDArray[np.float64]
    Arrays = dict[str, NDArray[Any]]

__all__ = ["CHAIN", "DRAW_STREAM", "SAMPLES", "Gibbs", "chain_shapes", "chain_start", "slot_of"]

CHAIN = ("prior_means", "prior_precisions", "noise_precision", "unrated_means")
"""What is drawn of a side as a whole, or follows from the draws: where the chain stands."""

SAMPLES = ("sample_means", "sample_unrated_means", "sample_precisions", "sample_noises", "n_kept")
"""The same of the samples that are kept, and their number so far."""

DRAW_STREAM = 3
"""Marks the random numbers of sweeps among all that follow from one seed."""

KINDS = ("influence", "feature_coefficient")
"""What links draw, of which there are samples."""

LEAST_SQUARES = 1e-8
"""Mean squared error that the noise is drawn with, at least."""


def chain_shapes(
    shape: tuple[int, int],
    n_factors: int,
    n_samples: int,
    of_links: Mapping[str, tuple[int, ...] | None],
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of a chain and of its samples.

    Parameters
    ----------
    shape : tuple of int
        Users and items.
    n_factors, n_samples : int
    of_links : mapping of str to tuple
        Shapes of the links' arrays: of what says something of rows there are samples, too.
    """
    size, of_sides = n_factors + 1, shared_shapes(n_factors)
    shapes = {name: of_sides[name] for name in CHAIN}
    shapes |= {
        "sample_means": (n_samples, 2, size),
        "sample_unrated_means": (n_samples, 2, size),
        "sample_precisions": (n_samples, 2, size, size),
        "sample_noises": (n_samples,),
        "n_kept": (1,),
    }
    for name, n_rows in zip(("user", "item"), shape, strict=True):
        shapes[f"{name}_factors"] = (n_rows, n_samples * n_factors)
        shapes[f"{name}_biases"] = (n_rows,)
        shapes[f"{name}_bias_samples"] = (n_rows, n_samples)
        shapes[f"{name}_draws"] = (n_rows, size)
        for kind in KINDS:
            of_link = of_links.get(f"{name}_{kind}s")
            if of_link is not None:
                shapes[f"{name}_{kind}_samples"] = (of_link[0], n_samples * size)
    return shapes


def chain_start(shapes: Mapping[str, tuple[int, ...]], dtype: DTypeLike) -> Arrays:
    """Return the arrays of a chain that has not begun; those of rows have a dtype of their own."""
    start = shared_start(shapes["prior_means"][1] - 1)
    arrays: Arrays = {}
    for name, size in shapes.items():
        is_of_rows = name.startswith(("user_", "item_")) and "feature" not in name
        arrays[name] = np.zeros(size, dtype=dtype if is_of_rows else np.float64)
    for name in CHAIN:
        arrays[name][...] = start[name]
    # What is solved for before the first sweep has a solution, too.
    arrays["sample_precisions"][...] = start["prior_precisions"]
    arrays["sample_noises"][...] = 1
    return arrays


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
        self._weights = {side: rows[side].counts() for side in SIDES}
        self._there = {side: weights > 0 for side, weights in self._weights.items()}
        self._n_ratings = float(self._weights["users"].sum())
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
        error = self._squared_error()
        shape = (1 + self._n_ratings) / 2
        rate = (1 + max(error, LEAST_SQUARES * self._n_ratings)) / 2
        precision = rng.gamma(shape, 1 / rate)
        self.arrays["noise_precision"][0] = precision
        self._keep(number - self._burn_in)
        mean_error = error / max(self._n_ratings, 1e-300)
        return 0.5 * (math.log(2 * math.pi / precision) + precision * mean_error)

    def remedy(self) -> str:
        """Tell what to change when a value is not finite."""
        return "use dtype=float64 if ratings are very large"

    def _take_start(self, start: Arrays) -> None:
        for name in ("user", "item"):
            self.arrays[f"{name}_draws"][...] = scaled_vectors(
                start[f"{name}_factors"], start[f"{name}_biases"], self._scale
            )
        for name in CHAIN:
            self.arrays[name][...] = start[name]

    def _draw_side(self, side: Side, other: Side, rng: np.random.Generator) -> bool:
        """Draw the rows of a side, then its prior; return whether all is finite."""
        place, arrays, there = SIDES.index(side), self.arrays, self._there[side]
        precision = arrays["prior_precisions"][place]
        own = arrays[f"{side[:-1]}_draws"]
        drawn = draw_side(
            self._rows[side],
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
                side, vectors - mean, self._weights[side]
            )
        return True

    def _squared_error(self) -> float:
        """Return the sum of squared errors of the draws."""
        users, items = self.arrays["user_draws"], self.arrays["item_draws"]
        rows = self._rows["users"]
        squares = pairs.squared_error(
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
        return float(squares)

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


def slot_of(number: int, width: int) -> slice:
    """Return the columns of a sample."""
    return slice(number * width, (number + 1) * width)
