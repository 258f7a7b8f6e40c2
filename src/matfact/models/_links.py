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

from matfact.kernels import sparse

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from numpy.typing import NDArray

    from matfact.models._data import Rows

    Doubles = NDArray[np.float64]

__all__ = ["LINK_STREAM", "Design", "Link", "LinkStep"]

LINK_STREAM = 2
"""Marks the random numbers of decompositions among all that follow from one seed."""

EXACT_SIZE = 2048
"""The shorter side of a design up to which it is decomposed exactly."""

RANK = 512
"""Singular vectors of larger designs that are used, the leading ones."""

POWERS = 3
"""Products with X X' that make a random basis one of the leading singular vectors."""

LEAST_SHARE = 1e-9
"""Eigenvalues below this share of the largest one are zeros."""

BLOCK = 256
"""Columns of an identity matrix that are multiplied at a time."""

COEFFICIENT_VARIANCE = 1e-3
"""Of the one row of coefficients that Omega is learned with besides the real ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """The matrix X: a row for each user, say, a column for each item or feature.

    Attributes
    ----------
    rows, columns : Rows
        Its entries by rows and by columns; the weights are not used.
    scale : ndarray of shape (n,)
        What each row is multiplied with.
    is_binary : bool
        Whether entries are 1, whatever their values.
    n_threads : int
    """

    rows: Rows
    columns: Rows
    scale: Doubles
    is_binary: bool
    n_threads: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.columns)

    @classmethod
    def of_rated(cls, rows: Rows, columns: Rows, n_threads: int) -> Self:
        """Tell which columns each row has rated: 1 / root(n) for each of n, so that |x| = 1."""
        scale = 1 / np.sqrt(np.maximum(np.diff(rows.indptr), 1.0))
        return cls(rows, columns, scale, True, n_threads)

    @classmethod
    def of_features(cls, rows: Rows, columns: Rows, n_threads: int) -> tuple[Self, float]:
        """Take the values of features, all multiplied by one number, the second result."""
        largest = float(np.abs(rows.values).max(initial=1e-100))
        square = float(np.sum((rows.values.astype(np.float64) / largest) ** 2))
        there = max(int(np.count_nonzero(np.diff(rows.indptr))), 1)
        unit = float(1 / np.sqrt(square / there) / largest) if square > 0 else 1.0
        return cls(rows, columns, np.full(len(rows), unit), False, n_threads), unit

    def only(self, there: NDArray[np.bool_]) -> Design:
        """Return the same with zeros in all other rows."""
        return Design(self.rows, self.columns, self.scale * there, self.is_binary, self.n_threads)

    def times(self, dense: Doubles) -> Doubles:
        """Return X dense."""
        return self.scale[:, np.newaxis] * self._sums(self.rows, dense)

    def transposed_times(self, dense: Doubles) -> Doubles:
        """Return X' dense."""
        return self._sums(self.columns, self.scale[:, np.newaxis] * dense)

    def _sums(self, rows: Rows, dense: Doubles) -> Doubles:
        out = np.empty((len(rows), dense.shape[1]))
        values = None if self.is_binary else rows.values.astype(np.float64)
        dense = np.ascontiguousarray(dense, dtype=np.float64)
        sparse.row_sums(rows.indptr, rows.indices, values, dense, out, self.n_threads)
        return out

    def decomposed(self, seed: int) -> tuple[Doubles, Doubles]:
        """Return (E, w) of X X' = E diag(w) E', without the zeros; of large designs the leading."""
        n, p = self.shape
        if min(n, p) > EXACT_SIZE:
            left = self._leading_basis(seed)
            squares, inner = np.linalg.eigh(_gram(self.transposed_times(left)))
            return _above_zero(left @ inner, squares)
        if n <= p:
            gram = _by_blocks(n, lambda block: self.times(self.transposed_times(block)))
            squares, left = np.linalg.eigh((gram + gram.T) / 2)
            return _above_zero(left, squares)
        gram = _by_blocks(p, lambda block: self.transposed_times(self.times(block)))
        squares, right = np.linalg.eigh((gram + gram.T) / 2)
        right, squares = _above_zero(right, squares)
        return self.times(right) / np.sqrt(squares), squares

    def _leading_basis(self, seed: int) -> Doubles:
        """Return orthonormal columns that nearly span the leading left singular vectors."""
        start = np.random.default_rng([seed, LINK_STREAM]).standard_normal((self.shape[1], RANK))
        basis: Doubles = np.linalg.qr(self.times(start))[0]
        for _ in range(POWERS):
            basis = np.linalg.qr(self.times(self.transposed_times(basis)))[0]
        return basis


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
        row_precision: Doubles,
        row_covariance: Doubles,
        coefficients: Doubles,
        precision: Doubles,
    ) -> LinkStep:
        """Improve B, and learn its prior.

        Parameters
        ----------
        deviations : ndarray of shape (n, n_factors + 1)
            theta_u - m, without what other links say.
        row_precision : ndarray
            Lambda.
        row_covariance : ndarray
            Mean of S_u over the rows.
        coefficients, precision : ndarray
            B and Omega as they are.
        """
        roots, squares = self._roots, self._squares[:, np.newaxis]
        information = row_precision - row_precision @ row_covariance @ row_precision
        at = self._coordinates(coefficients)
        # The exact gradient; for the step H_u <= Lambda <= 2 (H + Lambda) / 2 makes sure that the
        # bound rises.
        gradient = roots * ((self._left.T @ deviations - roots * at) @ row_precision)
        gradient -= at @ precision
        basis, h = _common_basis(precision, (information + row_precision) / 2)
        at = at + ((gradient @ basis) / (squares * h + 1)) @ basis.T
        basis, h = _common_basis(precision, information)
        variances = 1 / (squares * h + 1)
        total = at.T @ at + (basis * variances.sum(axis=0)) @ basis.T
        total += COEFFICIENT_VARIANCE * np.eye(len(total))
        learned = _symmetric(np.linalg.inv(total / (len(squares) + 1)))
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
        at = self._roots * (self._left.T @ deviations @ row_precision @ basis) / posterior
        at = (at + rng.standard_normal(at.shape) / np.sqrt(posterior)) @ basis.T
        return self._coefficients(at), at.T @ at

    @property
    def n_coordinates(self) -> int:
        """Coordinates of each column of B that the ratings say anything of."""
        return len(self._squares)

    def _coordinates(self, coefficients: Doubles) -> Doubles:
        return (self._left.T @ self._known.times(coefficients)) / self._roots

    def _coefficients(self, at: Doubles) -> Doubles:
        return self._known.transposed_times(self._left @ (at / self._roots))


def _common_basis(precision: Doubles, information: Doubles) -> tuple[Doubles, Doubles]:
    """Return (T, h) with T' precision T = I and T' information T = diag(h)."""
    inverse_root = np.linalg.inv(np.linalg.cholesky(precision))
    h, inner = np.linalg.eigh(_symmetric(inverse_root @ information @ inverse_root.T))
    return inverse_root.T @ inner, np.maximum(h, 0)


def _log_determinant_ratio(numerator: Doubles, denominator: Doubles) -> float:
    return float(np.linalg.slogdet(numerator)[1] - np.linalg.slogdet(denominator)[1])


def _symmetric(matrix: Doubles) -> Doubles:
    symmetric: Doubles = (matrix + matrix.T) / 2
    return symmetric


def _gram(dense: Doubles) -> Doubles:
    return _symmetric(dense.T @ dense)


def _above_zero(vectors: Doubles, squares: Doubles) -> tuple[Doubles, Doubles]:
    """Leave out the eigenvectors whose eigenvalues are nothing but rounding."""
    wanted = squares > LEAST_SHARE * max(float(squares.max(initial=0.0)), 1e-300)
    return vectors[:, wanted], squares[wanted]


def _by_blocks(size: int, product: Callable[[Doubles], Doubles]) -> Doubles:
    """Return the product of a matrix with an identity matrix, some columns at a time."""
    parts = []
    for start in range(0, size, BLOCK):
        block = np.zeros((size, min(BLOCK, size - start)))
        block[start + np.arange(block.shape[1]), np.arange(block.shape[1])] = 1
        parts.append(product(block))
    return np.concatenate(parts, axis=1)
