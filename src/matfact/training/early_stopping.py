"""Training while a validation error is watched, and keeping the iterate at which it was lowest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.exceptions import DivergenceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from matfact.training.gradient_descent import ObservedProblem

__all__ = ["BestIterate", "train_with_validation"]


@dataclass(frozen=True, slots=True)
class BestIterate:
    """Which iterate was kept.

    Attributes
    ----------
    iteration : int
        Number of iterations after which the validation error was lowest; 0 is the start.
    error : float
        That error.
    n_iterations : int
        Number of iterations that were run.
    """

    iteration: int
    error: float
    n_iterations: int


def train_with_validation(
    problem: ObservedProblem,
    user_factors: NDArray[np.floating[Any]],
    item_factors: NDArray[np.floating[Any]],
    *,
    learning_rate: float,
    n_iterations: int,
    patience: int,
    n_threads: int,
    validation_error: Callable[[], float],
    after_iteration: Callable[[float], None],
) -> BestIterate:
    """Run iterations until the validation error has not fallen for `patience` of them.

    Parameters
    ----------
    problem : ObservedProblem
        The training ratings.
    user_factors : ndarray of shape (n_users, k)
        The start; at the end the best iterate.
    item_factors : ndarray of shape (k, n_items)
        Likewise.
    learning_rate : float
        That of `problem.iterate`.
    n_iterations : int
        Largest number of iterations.
    patience : int
        Number of iterations without a new lowest error after which training stops, >= 1.
    n_threads : int
        0 lets OpenMP decide.
    validation_error : callable
        Gives the error of the factors as they stand.
    after_iteration : callable
        Called with the error after each iteration.

    Returns
    -------
    BestIterate
        What was kept.

    Raises
    ------
    DivergenceError
        If an iteration gives a value that is not finite, or a validation error that is not. Its
        `epoch` counts from the start of this call.

    Notes
    -----
    Keeps one copy of the factors.
    """
    best_users, best_items = user_factors.copy(), item_factors.copy()
    best = BestIterate(0, validation_error(), 0)
    iteration = 0
    while iteration < n_iterations and iteration - best.iteration < patience:
        iteration += 1
        try:
            problem.iterate(user_factors, item_factors, learning_rate, 1, n_threads)
            error = validation_error()
        except DivergenceError as divergence:
            raise _diverged(iteration, learning_rate) from divergence
        if not np.isfinite(error):
            raise _diverged(iteration, learning_rate)
        after_iteration(error)
        if error < best.error:
            best = BestIterate(iteration, error, iteration)
            np.copyto(best_users, user_factors)
            np.copyto(best_items, item_factors)
    np.copyto(user_factors, best_users)
    np.copyto(item_factors, best_items)
    return BestIterate(best.iteration, best.error, iteration)


def _diverged(iteration: int, learning_rate: float) -> DivergenceError:
    return DivergenceError(
        f"training diverged in iteration {iteration}: a value is not finite; "
        "lower the learning rate",
        iteration,
        learning_rate,
    )
