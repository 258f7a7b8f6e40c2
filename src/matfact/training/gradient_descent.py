# length: calls with a dozen arguments, one a line
"""Gradient descent on a ratings matrix: the choice among the kernels, and the data they need.

Four paths give the same factors up to rounding, at different cost (multiply-adds of one iteration
on n x m ratings with k features):

==========  ======================================================  ===============================
full        no cell is missing                                      2 n m k
compressed  no cell is missing, many iterations                     p p k, p = min(n, m), after
                                                                    n m p / 2 once and 2 n m k
                                                                    at the start and the end
filled      at most 45 % are missing                                2 n m k + 6 k for each missing
observed    more are missing, or the ratings come as a sparse set   6 k for each rating
==========  ======================================================  ===============================

``compressed`` is taken when its cost over the planned iterations, times 1.25 for being less
regular work, is below that of ``full``, products with k x k matrices counted too; and not for tiny
matrices (n m k < 32,768).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np

from matfact.kernels import gd  # the one place where training gets its kernels from
from matfact.ratings import Ratings
from matfact.training._compressed import CompressedRun, raise_if_diverged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = ["DenseProblem", "ObservedProblem", "Path", "Run", "Sweep"]

Path: TypeAlias = Literal["full", "filled", "observed", "compressed"]
Sweep: TypeAlias = Literal["both", "users", "items"]

MOST_MISSING_FILLED = 0.45
"""Largest fraction of missing cells for which the full product and a correction is cheaper."""

COMPRESSED_MARGIN = 1.25
"""Weight of a multiply-add of the compressed path against one of the full path."""

SMALLEST_COMPRESSED = 1 << 15
"""Multiply-adds of a product (n m k) below which the overhead of the calls decides."""


class Run(Protocol):
    """One training: the same factors over many calls, updated by the path chosen for all of them.

    The factor arrays given at the start are current after `finish` only. Until then, and also
    after an exception, the run stands for the factors of the last finished iteration.
    """

    def iterate(self, learning_rate: float, n_iterations: int, n_threads: int) -> None:
        """Run iterations; DivergenceError counts its epoch from the start of the run."""

    def squared_error(self, n_threads: int) -> float:
        """Return the objective of the current factors."""

    def finish(self, n_threads: int) -> None:
        """Bring the factor arrays up to date. More iterations may follow."""


class _Problem(ABC):
    """What both kinds of problem share; subclasses set `shape` and choose the kernel."""

    shape: tuple[int, int]

    def iterate(
        self,
        user_factors: Floats,
        item_factors: Floats,
        learning_rate: float,
        n_iterations: int,
        n_threads: int,
        *,
        sweep: Sweep = "both",
    ) -> None:
        """Run iterations and update the factors in place.

        Parameters
        ----------
        user_factors : ndarray of shape (n_users, k), C order
        item_factors : ndarray of shape (k, n_items), C order
            Both of the dtype of the ratings.
        learning_rate : float
        n_iterations : int
        n_threads : int
            0 lets OpenMP decide.
        sweep : {"both", "users", "items"}, default="both"
            Which half sweeps an iteration consists of.

        Raises
        ------
        DivergenceError
            If a value is not finite; the factors are those of the iteration before.
        """
        if sweep == "both":
            run = self.start(user_factors, item_factors, n_iterations, n_threads)
            try:
                run.iterate(learning_rate, n_iterations, n_threads)
            finally:
                run.finish(n_threads)
            return
        n_users, n_items = self.shape
        user_step = 2 * learning_rate / n_items if sweep == "users" else 0.0
        item_step = 2 * learning_rate / n_users if sweep == "items" else 0.0
        finished = self.run_sweeps(
            user_factors, item_factors, user_step, item_step, n_iterations, n_threads
        )
        raise_if_diverged(finished, n_iterations, finished, learning_rate)

    def start(
        self,
        user_factors: Floats,
        item_factors: Floats,
        n_iterations: int,  # noqa: ARG002 (for problems that choose by it)
        n_threads: int,  # noqa: ARG002 (for problems that prepare something)
    ) -> Run:
        """Begin a training of about `n_iterations` iterations; parameters as in `iterate`."""
        return _DirectRun(self, user_factors, item_factors)

    @abstractmethod
    def path_for(self, n_iterations: int, n_features: int) -> Path:
        """Return the name of the path that a training takes; see the head of this module."""

    @abstractmethod
    def squared_error(self, user_factors: Floats, item_factors: Floats, n_threads: int) -> float:
        """Return the sum of squared errors over the ratings that are present."""

    @abstractmethod
    def run_sweeps(
        self,
        user_factors: Floats,
        item_factors: Floats,
        user_step: float,
        item_step: float,
        n_iterations: int,
        n_threads: int,
    ) -> int:
        """Run the kernel that works on the factors themselves.

        Parameters are those of the kernels; returns the number of finished iterations.
        """


class ObservedProblem(_Problem):
    """Factorize the observed ratings of a sparse matrix.

    Parameters
    ----------
    ratings : Ratings
    """

    def __init__(self, ratings: Ratings) -> None:
        self.ratings = ratings
        self.shape = ratings.shape

    def path_for(self, n_iterations: int, n_features: int) -> Path:  # noqa: ARG002 (one path)
        """Return "observed"."""
        return "observed"

    def squared_error(self, user_factors: Floats, item_factors: Floats, n_threads: int) -> float:
        """Return the sum of squared errors over the ratings; O(n_ratings k) time."""
        of = self.ratings
        return float(
            gd.observed_squared_error(
                of.user_indptr,
                of.user_indices,
                of.user_values,
                user_factors,
                item_factors,
                n_threads,
            )
        )

    def run_sweeps(
        self,
        user_factors: Floats,
        item_factors: Floats,
        user_step: float,
        item_step: float,
        n_iterations: int,
        n_threads: int,
    ) -> int:
        """Run ``gd.observed_iterations``."""
        of = self.ratings
        return gd.observed_iterations(
            of.user_indptr,
            of.user_indices,
            of.user_values,
            of.item_indptr,
            of.item_indices,
            of.item_values,
            user_factors,
            item_factors,
            user_step,
            item_step,
            n_iterations,
            n_threads,
        )


class DenseProblem(_Problem):
    """Factorize a dense matrix with NaN in the missing places.

    Parameters
    ----------
    ratings : ndarray of float32 or float64, shape (n_users, n_items), C order
        No infinite value, not all NaN. Kept, not copied: it must not change.

    Notes
    -----
    Keeps, besides the ratings, a second array of their size and 8 bytes for each missing cell if
    at most 45 % are missing, and 24 bytes for each rating (16 in float32) if more are.
    """

    def __init__(self, ratings: Floats) -> None:
        self.ratings = ratings
        self.shape: tuple[int, int] = (ratings.shape[0], ratings.shape[1])
        missing = np.isnan(ratings)
        self.n_missing = int(np.count_nonzero(missing))
        self._observed: ObservedProblem | None = None
        if self.n_missing > MOST_MISSING_FILLED * ratings.size:
            self._observed = ObservedProblem(Ratings.from_matrix(ratings, dtype=ratings.dtype))
        elif self.n_missing:
            self._filled = np.where(missing, ratings.dtype.type(0), ratings)
            self._missing = _pattern(missing), _pattern(missing.T)

    def path_for(self, n_iterations: int, n_features: int) -> Path:
        """Return the name of the path that a training takes; see the head of this module."""
        if self._observed is not None:
            return "observed"
        if self.n_missing:
            return "filled"
        n_users, n_items = self.shape
        short, k = min(n_users, n_items), n_features
        size = n_users * n_items
        if size * k < SMALLEST_COMPRESSED:
            return "full"
        full = n_iterations * (2 * size * k + (n_users + n_items) * k * k)
        once = size * (short / 2 + 2 * k)
        compressed = once + n_iterations * (short * short * k + 4 * short * k * k)
        return "compressed" if COMPRESSED_MARGIN * compressed < full else "full"

    def start(
        self, user_factors: Floats, item_factors: Floats, n_iterations: int, n_threads: int
    ) -> Run:
        """Begin a training of about `n_iterations` iterations; parameters as in `iterate`."""
        if self.path_for(n_iterations, len(item_factors)) == "compressed":
            run = CompressedRun(gd, self.ratings, user_factors, item_factors, n_threads)
            if run.is_usable:
                return run
        return _DirectRun(self, user_factors, item_factors)

    def squared_error(self, user_factors: Floats, item_factors: Floats, n_threads: int) -> float:
        """Return the sum of squared errors over the ratings that are present; O(n m k) time."""
        if self._observed is not None:
            return self._observed.squared_error(user_factors, item_factors, n_threads)
        return float(gd.squared_error(self.ratings, user_factors, item_factors, n_threads))

    def run_sweeps(
        self,
        user_factors: Floats,
        item_factors: Floats,
        user_step: float,
        item_step: float,
        n_iterations: int,
        n_threads: int,
    ) -> int:
        """Run the kernel of the path full, filled or observed."""
        state = user_factors, item_factors, user_step, item_step, n_iterations, n_threads
        if self._observed is not None:
            return self._observed.run_sweeps(*state)
        if self.n_missing:
            (user_indptr, user_indices), (item_indptr, item_indices) = self._missing
            return gd.filled_iterations(
                self._filled, user_indptr, user_indices, item_indptr, item_indices, *state
            )
        return gd.full_iterations(self.ratings, *state)


class _DirectRun:
    """A run on a path that updates the factor arrays themselves."""

    def __init__(self, problem: _Problem, user_factors: Floats, item_factors: Floats) -> None:
        self._problem = problem
        self._factors = user_factors, item_factors
        self._n_finished = 0

    def iterate(self, learning_rate: float, n_iterations: int, n_threads: int) -> None:
        n_users, n_items = self._problem.shape
        finished = self._problem.run_sweeps(
            *self._factors,
            2 * learning_rate / n_items,
            2 * learning_rate / n_users,
            n_iterations,
            n_threads,
        )
        self._n_finished += finished
        raise_if_diverged(finished, n_iterations, self._n_finished, learning_rate)

    def squared_error(self, n_threads: int) -> float:
        return self._problem.squared_error(*self._factors, n_threads)

    def finish(self, n_threads: int) -> None:
        """Nothing is pending here."""


def _pattern(cells: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the True cells as compressed rows (indptr, indices)."""
    indptr = np.zeros(len(cells) + 1, dtype=np.int64)
    np.cumsum(np.count_nonzero(cells, axis=1), out=indptr[1:])
    return indptr, np.nonzero(cells)[1].astype(np.int32)
