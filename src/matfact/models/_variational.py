"""The solver of variational Bayes: posteriors of items and users in turn, and what they share.

Everything here is in the units of `matfact.models._posteriors`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import pairs
from matfact.models._posteriors import (
    SIDES,
    design,
    moved_covariance,
    solve_side,
    with_unrated,
)
from matfact.models._products import product

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from matfact.models._data import Rows
    from matfact.models._drift import Drift
    from matfact.models._factors import Factors
    from matfact.models._growing import Floats, Side
    from matfact.models._linking import Links
    from matfact.models._posteriors import Posteriors
    from matfact.training import BestState

    Doubles = NDArray[np.float64]

__all__ = ["Variational"]

LEAST_NOISE = 1e-8
"""Variance of noise, at least: ratings without any would want infinite precision."""

PRIOR_WEIGHT = 1.0
"""Rows of variance 1 that the prior of a side is learned with besides the real ones."""


class Variational:
    """Half steps over items and users, in place; see `matfact.training.Trainable`.

    Parameters
    ----------
    rows : mapping of side to Rows
        The ratings by users and by items.
    factors : Factors
        Made of `arrays`.
    arrays : dict of str to ndarray
        Factors and biases in units of the ratings, what `SHARED` names, and perhaps the covariance
        of each row, which then belongs to `factors`, too.
    scale : float
        Unit of the solver.
    n_threads : int
    drift : Drift or None, default=None
        The levels of users, if they drift.
    """

    def __init__(
        self,
        rows: Mapping[str, Rows],
        factors: Factors,
        arrays: dict[str, NDArray[Any]],
        links: Links,
        scale: float,
        n_threads: int,
        drift: Drift | None = None,
    ) -> None:
        self.arrays = arrays
        self._drift = drift
        self._links = links
        self.best: BestState | None = None
        self._rows = rows
        self._factors = factors
        self._scale = scale
        self._threads = n_threads
        self._weights = {side: rows.counts() for side, rows in self._rows.items()}
        self._n_ratings = float(self._weights["users"].sum())

    def epoch(self, number: int) -> float:
        """Compute the posteriors of all items, then of all users; learn what they share.

        Returns
        -------
        float
            Negative evidence bound for each rating, in nats; NaN if training diverged.
        """
        divergence, uncertainty = 0.0, 0.0
        sides: tuple[tuple[Side, Factors], ...] = (
            ("items", self._factors.transposed()),
            ("users", self._factors),
        )
        for side, factors in sides:
            found = solve_side(
                self._explained(side),
                factors,
                self._scale,
                self.arrays,
                side,
                self._threads,
                prior_means=self._prior_means(side),
                covariances=self.arrays.get(f"{side[:-1]}_covariances"),
            )
            if found.n_failed:
                return math.nan
            learned, moved = self._learn_side(side, found)
            divergence += learned
            # Of the users in the end, given the items as they are.
            uncertainty = found.uncertainty + self._uncertainty_of_links(moved)
        if not self._n_ratings:
            return divergence
        if self._drift is not None:
            precision = float(self.arrays["noise_precision"][0])
            weights = self._rows["users"].weights
            divergence += self._drift.step(number, self._residuals(), weights, precision)
            uncertainty += self._drift.uncertainty
        error = self._learn_noise(uncertainty)
        precision = float(self.arrays["noise_precision"][0])
        fit = 0.5 * (math.log(2 * math.pi / precision) + precision * error)
        return fit + divergence / self._n_ratings

    def remedy(self) -> str:
        """Tell what to change when a value is not finite."""
        return "use dtype=float64 if ratings are very large"

    def _explained(self, side: Side) -> Rows:
        """Return the ratings that factors and biases are to explain."""
        rows = self._rows[side]
        return rows if self._drift is None else self._drift.without(rows, side)

    def _residuals(self) -> Floats:
        """Return what factors and biases leave of the ratings by users."""
        rows, factors = self._rows["users"], self._factors
        left: Floats = pairs.residuals(
            rows.indptr,
            rows.indices,
            rows.values,
            factors.user_factors,
            factors.item_factors,
            factors.user_biases,
            factors.item_biases,
            factors.mean,
            self._threads,
        )
        return left

    def _prior_means(self, side: str) -> Doubles:
        place = SIDES.index(side)
        means = self.arrays["prior_means"][place] + np.atleast_2d(self._links.means(side))
        return with_unrated(means, self._weights[side] == 0, self.arrays["unrated_means"][place])

    def _learn_side(self, side: str, found: Posteriors) -> tuple[float, Doubles | float]:
        """Learn from the posteriors of a side.

        Returns
        -------
        divergence : float
            Of posteriors from priors, in nats.
        moved : ndarray or 0.0
            Mean covariance that the links' uncertainty gives to the rows, weighted by their
            ratings.
        """
        place, weights = SIDES.index(side), self._weights[side]
        size = found.means.shape[1]
        mean_covariance = found.weighted / max(weights.sum(), 1e-300)
        self.arrays["mean_covariances"][place] = mean_covariance
        # Rows without ratings are where the prior was, and tell nothing about it.
        there = weights > 0
        n_rows = int(np.count_nonzero(there))
        if not n_rows:
            self._store(side, found.means)
            return 0.0, 0.0
        precision = self.arrays["prior_precisions"][place].copy()
        covariance = np.linalg.inv(precision)
        missing = len(weights) - n_rows
        spread = found.covariances - missing * covariance
        log_determinants = found.log_determinants - missing * float(
            np.linalg.slogdet(covariance)[1]
        )
        means = found.means.astype(np.float64)
        center = (means - self._links.means(side))[there].mean(axis=0)
        divergence = self._links.step(side, means - center, precision, spread / n_rows)
        moved: Doubles | float = 0.0
        link_covariance = self._links.covariance(side)
        if not isinstance(link_covariance, float):
            stay = np.eye(size) - spread / n_rows @ precision
            spread += n_rows * stay @ link_covariance @ stay.T
            moved = moved_covariance(mean_covariance, precision, link_covariance)
            self.arrays["mean_covariances"][place] += moved
            each = self.arrays.get(f"{side[:-1]}_covariances")
            if each is not None:
                each += moved_covariance(each, precision, link_covariance).astype(each.dtype)
        deviations = (means - center - self._links.means(side))[there]
        spread += product(deviations, deviations, self._threads, transposed=True)
        total = spread + PRIOR_WEIGHT * np.eye(size)
        learned = np.linalg.inv((total + total.T) / 2 / (n_rows + PRIOR_WEIGHT))
        self.arrays["prior_means"][place] = center
        self.arrays["unrated_means"][place] = self._links.unrated_mean(
            side, means - center, weights
        )
        # What was just learned is all that is known of a row without ratings.
        found.means[~there] = np.broadcast_to(self._prior_means(side), means.shape)[~there]
        self._store(side, found.means)
        self.arrays["prior_precisions"][place] = (learned + learned.T) / 2
        log_determinant = float(np.linalg.slogdet(learned)[1])
        of_rows = np.sum(learned * spread) - n_rows * (log_determinant + size) - log_determinants
        of_prior = PRIOR_WEIGHT * (np.trace(learned) - log_determinant)
        return divergence + 0.5 * float(of_rows + of_prior), moved

    def _uncertainty_of_links(self, moved: Doubles | float) -> float:
        """Return what `moved` of the users adds to the sum of expected squared errors."""
        if isinstance(moved, float):
            return 0.0
        vectors = design(self._factors, self._scale)[0].astype(np.float64)
        of_design = self.arrays["mean_covariances"][1].copy()
        of_design[-1] = of_design[:, -1] = 0
        weighted = vectors * self._weights["items"][:, np.newaxis]
        products = product(weighted, vectors, self._threads, transposed=True)
        products += self._n_ratings * of_design
        return float(np.sum(products * moved))

    def _store(self, side: str, means: Floats) -> None:
        """Put means into the arrays, in units of the ratings."""
        name, dtype = side[:-1], means.dtype
        self.arrays[f"{name}_factors"][...] = means[:, :-1] * dtype.type(math.sqrt(self._scale))
        self.arrays[f"{name}_biases"][...] = means[:, -1] * dtype.type(self._scale)

    def _learn_noise(self, uncertainty: float) -> float:
        """Set the precision of the noise; return the expected squared error of a rating."""
        rows, factors = self._explained("users"), self._factors
        squares = pairs.squared_error(
            rows.indptr,
            rows.indices,
            rows.values,
            rows.weights,
            factors.user_factors,
            factors.item_factors,
            factors.user_biases,
            factors.item_biases,
            factors.mean,
            self._threads,
        )
        error = (float(squares) / self._scale**2 + uncertainty) / self._n_ratings
        self.arrays["noise_precision"][0] = 1 / max(error, LEAST_NOISE)
        return error
