"""What the mean of a row's prior depends on: which columns the row has rated, or its features.

With the design x_u of a row, whose mean square is 1, and coefficients B that all rows share,

    theta_u ~ N(m + B' x_u, Lambda^-1),    rows of B ~ N(0, Omega^-1),    Omega learned.

A half step finds theta_u given B; that B is uncertain, too, moves theta_u by G_u times what it
moves B' x_u, G_u = S_u Lambda, where S_u is the covariance of theta_u given B. What ratings say of
B' x_u has the precision H_u = Lambda - Lambda S_u Lambda, so H, its mean over the rows, takes
the place of each H_u in the posterior of B. In the eigenvectors E of X X' = E diag(w) E' and in
the basis T with T' Omega T = I and T' H T = diag(h) all of B's coordinates are independent, of
precision w h + 1.

To treat B as known, or to give all directions one ridge, makes more factors harmful: H is nearly
nothing in directions that ratings say nothing of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from matfact.models._designs import symmetric
from matfact.models._products import product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.models._designs import Design

    Doubles = NDArray[np.float64]

__all__ = ["COEFFICIENT_VARIANCE", "Link", "LinkStep"]

COEFFICIENT_VARIANCE = 1e-3
"""Of the one row of coefficients that Omega is learned with besides the real ones."""


@dataclass(frozen=True, slots=True, eq=False)
class LinkStep:
    """What is known of B after a step.

    Attributes
    ----------
    coefficients : ndarray of shape (p, n_factors + 1)
        The mean of B.
    precision : ndarray of shape (n_factors + 1, n_factors + 1)
        Omega.
    covariance : ndarray of shape (n_factors + 1, n_factors + 1)
        Of B' x_u, mean over the rows.
    divergence : float
        From the prior of B, in nats.
    """

    coefficients: Doubles
    precision: Doubles
    covariance: Doubles
    divergence: float


class Link:
    """A design, decomposed over the rows from which B is learned.

    Parameters
    ----------
    design : Design
    there : ndarray of bool
        The rows that have ratings.
    seed : int
        Of the random numbers with which large designs are decomposed.
    """

    def __init__(self, design: Design, there: NDArray[np.bool_], seed: int) -> None:
        self.design = design
        self._known = design.only(there)
        self._n_rows = int(np.count_nonzero(there))
        left, self._squares = self._known.decomposed(seed)
        self._left = left * there[:, np.newaxis]
        self._roots = np.sqrt(self._squares)[:, np.newaxis]

    def means(self, coefficients: Doubles) -> Doubles:
        """Return B' x_u of all rows."""
        return self.design.times(coefficients)

    def step(
        self,
        deviations: Doubles,
        means: Doubles,
        row_precision: Doubles,
        row_covariance: Doubles,
        precision: Doubles,
    ) -> LinkStep:
        """Improve B, and learn its prior.

        Parameters
        ----------
        deviations : ndarray of shape (n, n_factors + 1)
            theta_u - m, without what other links say.
        means : ndarray of shape (n, n_factors + 1)
            B' x_u.
        row_precision : ndarray
            Lambda.
        row_covariance : ndarray
            Mean of S_u over the rows.
        precision : ndarray
            Omega as it is.
        """
        roots, squares = self._roots, self._squares[:, np.newaxis]
        information = row_precision - row_precision @ row_covariance @ row_precision
        size, n_threads = len(precision), self.design.n_threads
        # Both at a time, for the matrix that they are multiplied with does not fit into caches.
        projected = self._projected(np.concatenate([deviations, means], axis=1))
        at = projected[:, size:] / roots
        # The exact gradient; for the step H_u <= Lambda <= 2 (H + Lambda) / 2 makes sure that the
        # bound rises.
        errors = roots * (projected[:, :size] - projected[:, size:])
        gradient = product(errors, row_precision, n_threads)
        gradient -= product(at, precision, n_threads)
        basis, h = _common_basis(precision, (information + row_precision) / 2)
        moves = product(gradient, basis, n_threads) / (squares * h + 1)
        at = at + product(moves, basis.T, n_threads)
        basis, h = _common_basis(precision, information)
        variances = 1 / (squares * h + 1)
        total = product(at, at, n_threads, transposed=True)
        total += (basis * variances.sum(axis=0)) @ basis.T
        total += COEFFICIENT_VARIANCE * np.eye(len(total))
        learned = symmetric(np.linalg.inv(total / (len(squares) + 1)))
        divergence = np.sum(learned * total) - total.size**0.5 * (len(squares) + 1)
        divergence += len(squares) * _log_determinant_ratio(precision, learned)
        divergence -= float(np.linalg.slogdet(learned)[1])
        divergence += float(np.log1p(squares * h).sum())
        covariance = (basis * (squares * variances).sum(axis=0)) @ basis.T / self._n_rows
        return LinkStep(self._coefficients(at), learned, covariance, 0.5 * float(divergence))

    def draw(
        self,
        deviations: Doubles,
        row_precision: Doubles,
        precision: Doubles,
        rng: np.random.Generator,
    ) -> tuple[Doubles, Doubles]:
        """Draw B from its posterior given the rows: (B, C' C) with C its coordinates.

        The parameters are those of `step`; `deviations` are of drawn rows.
        """
        squares = self._squares[:, np.newaxis]
        basis, h = _common_basis(precision, row_precision)
        posterior = squares * h + 1
        n_threads = self.design.n_threads
        at = product(self._projected(deviations), row_precision @ basis, n_threads)
        at = self._roots * at / posterior + rng.standard_normal(at.shape) / np.sqrt(posterior)
        at = product(at, basis.T, n_threads)
        return self._coefficients(at), product(at, at, n_threads, transposed=True)

    @property
    def n_coordinates(self) -> int:
        """Coordinates of each column of B that the ratings say anything of."""
        return len(self._squares)

    def _projected(self, rows: Doubles) -> Doubles:
        """Return E' rows."""
        return product(self._left, rows, self.design.n_threads, transposed=True)

    def _coefficients(self, at: Doubles) -> Doubles:
        rows = product(self._left, at / self._roots, self.design.n_threads)
        return self._known.transposed_times(rows)


def _common_basis(precision: Doubles, information: Doubles) -> tuple[Doubles, Doubles]:
    """Return (T, h) with T' precision T = I and T' information T = diag(h)."""
    inverse_root = np.linalg.inv(np.linalg.cholesky(precision))
    h, inner = np.linalg.eigh(symmetric(inverse_root @ information @ inverse_root.T))
    return inverse_root.T @ inner, np.maximum(h, 0)


def _log_determinant_ratio(numerator: Doubles, denominator: Doubles) -> float:
    return float(np.linalg.slogdet(numerator)[1] - np.linalg.slogdet(denominator)[1])
