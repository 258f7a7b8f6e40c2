"""Gradient descent on a tall or wide full matrix in its compressed form.

With R' the ratings as seen from the longer side (q x p, q >= p), L its factors and P those of the
shorter side, every sweep of L has the form ``L <- R' W + L C``, W and C depending on P only. So L
stays ``R' X + L0 Y``, and the sweep of P needs of R' no more than ``S = R'^T R'``. The kernels run
on S, ``R'^T L0``, ``L0^T L0``, P, X ("weights") and Y ("carry"); L itself is computed at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from matfact.exceptions import DivergenceError

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    State: TypeAlias = tuple[Floats, Floats, NDArray[np.float64]]
    Moments: TypeAlias = tuple[Floats, NDArray[np.float64]]

__all__ = ["CompressedRun", "commit", "raise_if_diverged"]

OBJECTIVE_ACCURACY = 1e-9
"""Relative accuracy that the objective must have to be computed without the long factors."""

ROUNDING_STEPS = 100
"""The terms of that objective carry at most about so many rounding errors of their own size."""


class CompressedRun:
    """One training in the compressed form; see `training.gradient_descent.Run` for the methods.

    Takes the one-off products, ``q p (p / 2 + k)`` multiply-adds, when it is made. Memory besides
    the ratings: p x p, a few arrays of p x k, and a copy of the longer factors.

    Parameters
    ----------
    kernel : module
        The `gd` kernels to run on.
    ratings : ndarray of shape (n_users, n_items)
    user_factors : ndarray of shape (n_users, k)
    item_factors : ndarray of shape (k, n_items)
    n_threads : int
    """

    def __init__(
        self,
        kernel: ModuleType,
        ratings: Floats,
        user_factors: Floats,
        item_factors: Floats,
        n_threads: int,
    ) -> None:
        n_users, n_items = ratings.shape
        n_short, n_features = min(ratings.shape), len(item_factors)
        self._kernel = kernel
        self._ratings = ratings
        self._factors = user_factors, item_factors
        self._long_is_users = n_users >= n_items
        long, short = self._factors if self._long_is_users else (item_factors, user_factors)
        self._initial_long = long.copy()

        self._gram = np.empty((n_short, n_short), dtype=ratings.dtype)
        self._cross = np.empty((n_short, n_features), dtype=ratings.dtype)
        self._long_gram = np.empty((n_features, n_features))
        kernel.compress(
            ratings,
            self._long_is_users,
            self._initial_long,
            self._gram,
            self._cross,
            self._long_gram,
            n_threads,
        )
        short = short.T if self._long_is_users else short
        self._state: State = (
            np.array(short, order="C"),
            np.zeros((n_short, n_features), dtype=ratings.dtype),
            np.eye(n_features),
        )
        self._checkpoint = self._state
        self._moments: Moments | None = None  # of the current state, if known
        self._is_written = True
        self._n_finished = 0

    @property
    def is_usable(self) -> bool:
        """Whether the products are finite: the squares of huge ratings are not."""
        products = self._gram, self._cross, self._long_gram
        return all(bool(np.isfinite(product).all()) for product in products)

    def iterate(self, learning_rate: float, n_iterations: int, n_threads: int) -> None:
        """Run iterations; DivergenceError counts its epoch from the start of the run."""
        self._is_written = False
        self._moments = None
        self._checkpoint = _copied(self._state)
        finished = self._advance(learning_rate, n_iterations, n_threads)
        moments = self._computed_moments(n_threads)
        if np.isfinite(moments[1]).all():
            self._moments = moments
        elif finished:
            # The long factors may overflow an iteration before their coordinates do.
            self._state = _copied(self._checkpoint)
            finished = self._advance(learning_rate, finished - 1, n_threads)
        self._n_finished += finished
        raise_if_diverged(finished, n_iterations, self._n_finished, learning_rate)

    def squared_error(self, n_threads: int) -> float:
        """Return the objective of the current factors, without computing them if possible.

        ``|R' - L P^T|^2 = |R'|^2 - 2 tr(P^T Z) + tr(H P^T P)``, Z and H being the moments. The
        terms may cancel: when that could cost more than OBJECTIVE_ACCURACY, the long factors are
        computed after all and the errors of the cells added up.
        """
        if self._moments is None:
            self._moments = self._computed_moments(n_threads)
        short = self._state[0]
        ratings_long, long_gram = self._moments
        terms = (
            float(np.sum(np.diagonal(self._gram), dtype=np.float64)),
            -2 * float(np.sum(short * ratings_long, dtype=np.float64)),
            float(np.sum(long_gram * _exact_product(short, short))),
        )
        objective = sum(terms)
        eps = float(np.finfo(short.dtype).eps)
        if ROUNDING_STEPS * eps * sum(map(abs, terms)) <= OBJECTIVE_ACCURACY * objective:
            return objective
        self.finish(n_threads)
        return float(self._kernel.squared_error(self._ratings, *self._factors, n_threads))

    def finish(self, n_threads: int) -> None:
        """Compute the long factors and write both into the arrays given at the start."""
        if self._is_written:
            return
        long = self._expanded(n_threads)
        if not np.isfinite(long).all():  # after an interrupt; see `iterate`
            self._state = self._checkpoint
            long = self._expanded(n_threads)
        short = self._state[0]
        commit(self._factors, (long, short.T) if self._long_is_users else (short, long))
        self._is_written = True

    def _advance(self, learning_rate: float, n_iterations: int, n_threads: int) -> int:
        n_users, n_items = self._ratings.shape
        finished: int = self._kernel.compressed_iterations(
            self._gram,
            self._cross,
            self._long_gram,
            self._long_is_users,
            *self._state,
            2 * learning_rate / n_items,
            2 * learning_rate / n_users,
            n_iterations,
            n_threads,
        )
        return finished

    def _expanded(self, n_threads: int) -> Floats:
        _, weights, carry = self._state
        long = np.empty_like(self._initial_long)
        self._kernel.expand(
            self._ratings,
            self._long_is_users,
            weights,
            carry,
            self._initial_long,
            long,
            n_threads,
        )
        return long

    def _computed_moments(self, n_threads: int) -> Moments:
        """Z = R'^T L (p x k) and H = L^T L (k x k) of the current long factors L."""
        _, weights, carry = self._state
        ratings_long = np.empty_like(self._cross)
        # Z = S X + (R'^T L0) Y has the form of what `expand` computes.
        self._kernel.expand(self._gram, True, weights, carry, self._cross, ratings_long, n_threads)
        start_long = _exact_product(self._cross, weights)
        start_long += _exact_product(self._long_gram, carry)
        long_gram = _exact_product(weights, ratings_long) + _exact_product(carry, start_long)
        return ratings_long, long_gram


def _copied(state: State) -> State:
    short, weights, carry = state
    return short.copy(), weights.copy(), carry.copy()


def _exact_product(left: Floats, right: Floats) -> NDArray[np.float64]:
    """left.T @ right in float64, by einsum: BLAS would round differently for other n_threads."""
    with np.errstate(all="ignore"):
        product: NDArray[np.float64] = np.einsum("pk,pl->kl", left, right, dtype=np.float64)
    return product


def commit(outputs: tuple[Floats, Floats], arrays: tuple[Floats, Floats]) -> None:
    """Copy both arrays into the outputs, also if Ctrl-C comes in between."""
    try:
        for output, array in zip(outputs, arrays, strict=True):
            output[...] = array
    except KeyboardInterrupt:
        for output, array in zip(outputs, arrays, strict=True):
            output[...] = array
        raise


def raise_if_diverged(
    finished: int, wanted: int, n_finished_in_run: int, learning_rate: float
) -> None:
    """Raise DivergenceError if a kernel stopped early."""
    if finished < wanted:
        epoch = n_finished_in_run + 1
        raise DivergenceError(
            f"iteration {epoch} gave values that are not finite: learning_rate={learning_rate:g} "
            f"is too large for these ratings and factors; lower it, for example to "
            f"{learning_rate / 10:g}. The factors are those of iteration {n_finished_in_run}",
            epoch=epoch,
            learning_rate=learning_rate,
        )
