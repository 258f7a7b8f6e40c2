"""The solver of variational Bayes: posteriors of items and users in turn, and what they share.

Everything here is in the units of `matfact.models._posteriors`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import pairs
from matfact.models._noise import learned_noise, weighted
from matfact.models._posteriors import (
    SIDES,
    expected_errors,
    moved_covariance,
    solve_side,
    with_unrated,
)
from matfact.models._products import product
from matfact.models._units import design, ratings_vectors

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
        Factors and biases in units of the ratings, what `SHARED` names, the reliabilities of users,
        and the covariance of each row or of its bias, which belong to `factors`, too.
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
        self._ratings = rows
        self._factors = factors
        self._scale = scale
        self._threads = n_threads
        self._counts: dict[str, Doubles] = {side: rows[side].counts() for side in SIDES}
        self._n_ratings = float(self._counts["users"].sum())
        self._weigh()

    def _weigh(self) -> None:
        """Let ratings count as much as the reliabilities of users say."""
        tau = self.arrays["user_reliabilities"]
        self._rows = {
            "users": weighted(self._ratings["users"], tau, None),
            "items": weighted(self._ratings["items"], None, tau),
        }
        self._weights = {side: rows.counts() for side, rows in self._rows.items()}

    def epoch(self, number: int) -> float:
        """Compute the posteriors of all items, then of all users; learn what they share.

        Returns
        -------
        float
            Negative evidence bound for each rating, in nats; NaN if training diverged.
        """
        divergence, uncertainties = 0.0, np.zeros(len(self._ratings["users"]))
        sides: tuple[tuple[Side, Factors], ...] = (
            ("items", self._factors.transposed()),
            ("users", self._factors),
        )
        for side, factors in sides:
            found = solve_side(
                self._explained(self._rows[side], side),
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
            if side == "users":  # the last, given the items as they are
                uncertainties = found.uncertainties + self._uncertainties_of_links(moved)
        if not self._n_ratings:
            return divergence
        if self._drift is not None:
            precision = float(self.arrays["noise_precision"][0])
            weights = self._rows["users"].weights
            divergence += self._drift.step(number, self._residuals(), weights, precision)
            uncertainties += self._drift.uncertainties
        return (self._learn_noise(uncertainties) + divergence) / self._n_ratings

    def remedy(self) -> str:
        """Tell what to change when a value is not finite."""
        return "use dtype=float64 if ratings are very large"

    def _explained(self, rows: Rows, side: Side) -> Rows:
        """Return what factors and biases are to explain of ratings."""
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
        return with_unrated(means, self._counts[side] == 0, self.arrays["unrated_means"][place])

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
        there = self._counts[side] > 0
        n_rows = int(np.count_nonzero(there))
        if not n_rows:
            self._store(side, found.means)
            return 0.0, 0.0
        precision = self.arrays["prior_precisions"][place].copy()
        missing = len(weights) - n_rows
        spread, log_determinants = found.covariances.copy(), found.log_determinants
        if missing:
            covariance = np.linalg.inv(precision)
            spread -= missing * covariance
            log_determinants -= missing * float(np.linalg.slogdet(covariance)[1])
        means = found.means.astype(np.float64)
        rated: Any = there if missing else slice(None)  # spares copies
        center = (means - self._links.means(side))[rated].mean(axis=0)
        deviations = means - center
        divergence = self._links.step(side, deviations, precision, spread / n_rows)
        of_biases = self.arrays.get(f"{side[:-1]}_bias_covariances")
        if of_biases is not None:
            of_biases[...] = found.bias_covariances
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
            if of_biases is not None:
                of_biases += moved[-1].astype(of_biases.dtype)
        unexplained = (deviations - self._links.means(side))[rated]
        spread += product(unexplained, unexplained, self._threads, transposed=True)
        total = spread + PRIOR_WEIGHT * np.eye(size)
        learned = np.linalg.inv((total + total.T) / 2 / (n_rows + PRIOR_WEIGHT))
        self.arrays["prior_means"][place] = center
        self.arrays["unrated_means"][place] = self._links.unrated_mean(
            side, deviations, self._counts[side]
        )
        if missing:  # what was just learned is all that is known of a row without ratings
            found.means[~there] = np.broadcast_to(self._prior_means(side), means.shape)[~there]
        self._store(side, found.means)
        self.arrays["prior_precisions"][place] = (learned + learned.T) / 2
        log_determinant = float(np.linalg.slogdet(learned)[1])
        of_rows = np.sum(learned * spread) - n_rows * (log_determinant + size) - log_determinants
        of_prior = PRIOR_WEIGHT * (np.trace(learned) - log_determinant)
        return divergence + 0.5 * float(of_rows + of_prior), moved

    def _uncertainties_of_links(self, moved: Doubles | float) -> Doubles | float:
        """Return what `moved` of the users adds to the expected squared errors of each."""
        if isinstance(moved, float):
            return 0.0
        vectors = design(self._factors, self._scale)[0].astype(np.float64)
        of_design = self.arrays["mean_covariances"][1].copy()
        of_design[-1] = of_design[:, -1] = 0
        weighted = vectors * self._weights["items"][:, np.newaxis]
        products = product(weighted, vectors, self._threads, transposed=True)
        weights = self._weights["users"]
        products += weights.sum() * of_design
        added: Doubles = weights * (float(np.sum(products * moved)) / weights.sum())
        return added

    def _store(self, side: str, means: Floats) -> None:
        """Put means into the arrays, in units of the ratings."""
        factors, biases = ratings_vectors(means, self._scale)
        self.arrays[f"{side[:-1]}_factors"][...] = factors
        self.arrays[f"{side[:-1]}_biases"][...] = biases

    def _learn_noise(self, uncertainties: Doubles) -> float:
        """Learn the precision of the noise and the reliabilities of users.

        Parameters
        ----------
        uncertainties : ndarray of shape (n_users,)
            What the expected squared error of each user is more than that of the means, as the
            ratings count by now.

        Returns
        -------
        float
            Negative logarithm of the likelihood of the ratings, in nats.
        """
        errors = expected_errors(
            self._explained(self._ratings["users"], "users"),
            self._factors,
            self._scale,
            uncertainties / self.arrays["user_reliabilities"],
            self._threads,
        )
        precision = self.arrays["noise_precision"]
        precision[0], self.arrays["user_reliabilities"][...], nats = learned_noise(
            self._counts["users"], errors, float(precision[0])
        )
        self._weigh()
        return nats
