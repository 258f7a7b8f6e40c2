"""The solver of variational Bayes: posteriors of items and users in turn, and what they share.

Everything here is in the units of `matfact.models._posteriors`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import pairs
from matfact.models._posteriors import SIDES, solve_side

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.models._data import Rows
    from matfact.models._factors import Factors
    from matfact.models._growing import Floats
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
    users, items : Rows
        The ratings by users and by items.
    factors : Factors
        Made of `arrays`.
    arrays : dict of str to ndarray
        Factors and biases in units of the ratings, what `SHARED` names, and perhaps the covariance
        of each row, which then belongs to `factors`, too.
    scale : float
        Unit of the solver.
    n_threads : int
    """

    def __init__(
        self,
        users: Rows,
        items: Rows,
        factors: Factors,
        arrays: dict[str, NDArray[Any]],
        scale: float,
        n_threads: int,
    ) -> None:
        self.arrays = arrays
        self.best: BestState | None = None
        self._rows = {"users": users, "items": items}
        self._factors = factors
        self._scale = scale
        self._threads = n_threads
        self._weights = {side: _weights_of_rows(rows) for side, rows in self._rows.items()}
        self._n_ratings = float(self._weights["users"].sum())

    def epoch(self, number: int) -> float:  # noqa: ARG002 (all epochs are alike)
        """Compute the posteriors of all items, then of all users; learn what they share.

        Returns
        -------
        float
            Negative evidence bound for each rating, in nats; NaN if training diverged.
        """
        divergence = uncertainty = 0.0
        for side, factors in (("items", self._factors.transposed()), ("users", self._factors)):
            found = solve_side(
                self._rows[side],
                factors,
                self._scale,
                self.arrays,
                side,  # type: ignore[arg-type]
                self._threads,
                covariances=self.arrays.get(f"{side[:-1]}_covariances"),
            )
            if found.n_failed:
                return math.nan
            divergence += self._learn_side(side, found)
            uncertainty = found.uncertainty  # of the users in the end, given the items as they are
        if not self._n_ratings:
            return divergence
        error = self._learn_noise(uncertainty)
        precision = float(self.arrays["noise_precision"][0])
        fit = 0.5 * (math.log(2 * math.pi / precision) + precision * error)
        return fit + divergence / self._n_ratings

    def remedy(self) -> str:
        """Tell what to change when a value is not finite."""
        return "use dtype=float64 if ratings are very large"

    def _learn_side(self, side: str, found: Posteriors) -> float:
        """Take the posteriors of a side; return how far they are from the prior, in nats."""
        place, weights = SIDES.index(side), self._weights[side]
        size = found.means.shape[1]
        self._store(side, found.means)
        self.arrays["mean_covariances"][place] = found.weighted / max(weights.sum(), 1e-300)
        # Rows without ratings are where the prior was, and tell nothing about it.
        there = weights > 0
        n_rows = int(np.count_nonzero(there))
        if not n_rows:
            return 0.0
        precision = self.arrays["prior_precisions"][place]
        covariance = np.linalg.inv(precision)
        missing = len(weights) - n_rows
        spread = found.covariances - missing * covariance
        means = found.means[there].astype(np.float64)
        center = means.mean(axis=0)
        spread += (means - center).T @ (means - center)
        log_determinants = found.log_determinants - missing * float(
            np.linalg.slogdet(covariance)[1]
        )
        total = spread + PRIOR_WEIGHT * np.eye(size)
        learned = np.linalg.inv((total + total.T) / 2 / (n_rows + PRIOR_WEIGHT))
        self.arrays["prior_means"][place] = center
        self.arrays["prior_precisions"][place] = (learned + learned.T) / 2
        log_determinant = float(np.linalg.slogdet(learned)[1])
        of_rows = np.sum(learned * spread) - n_rows * (log_determinant + size) - log_determinants
        of_prior = PRIOR_WEIGHT * (np.trace(learned) - log_determinant)
        return 0.5 * float(of_rows + of_prior)

    def _store(self, side: str, means: Floats) -> None:
        """Put means into the arrays, in units of the ratings."""
        name, dtype = side[:-1], means.dtype
        self.arrays[f"{name}_factors"][...] = means[:, :-1] * dtype.type(math.sqrt(self._scale))
        self.arrays[f"{name}_biases"][...] = means[:, -1] * dtype.type(self._scale)

    def _learn_noise(self, uncertainty: float) -> float:
        """Set the precision of the noise; return the expected squared error of a rating."""
        rows, factors = self._rows["users"], self._factors
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


def _weights_of_rows(rows: Rows) -> Doubles:
    """Return the sum of the weights of each row: the number of its ratings, if there are none."""
    if rows.weights is None:
        return np.diff(rows.indptr).astype(np.float64)
    weights = rows.weights.astype(np.float64)
    sums = np.bincount(rows.row_of_each(), weights=weights, minlength=len(rows))
    return sums.astype(np.float64)
