"""The model of ``matfact fit``: damped means, and factors for what they leave."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.evaluation import rmse
from matfact.exceptions import DivergenceError
from matfact.ratings import Ratings
from matfact.ratings.baselines import DampedMeans, fit_damped_means
from matfact.training.early_stopping import BestIterate, train_with_validation
from matfact.training.gradient_descent import ObservedProblem
from matfact.training.progress import Progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.ratings.splits import Split
    from matfact.ratings.table import RatingTable

N_FEATURES = 32
LEARNING_RATE = 0.2
N_ITERATIONS = 500
VALIDATION = 0.1
"""Share of the ratings outside the test part that is watched during training."""

START_SPREAD = 0.003
"""Standard deviation of the start. A small start lets the strongest directions grow first, so that
stopping early leaves the weak ones, which are mostly noise, near zero."""

PATIENCE = 2.0
"""In units of learning rate x iterations: a slower training gets more time to improve."""

LEAST_PATIENCE = 5
"""In iterations: enough for a learning rate that is much too large to be found out."""

MOST_HALVINGS = 10
N_PAIRS_AT_ONCE = 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class CentredModel:
    """Damped means plus a product of factors, clipped to the range of the training ratings."""

    means: DampedMeans
    user_factors: NDArray[np.float32]  # (n_users, k)
    item_factors: NDArray[np.float32]  # (k, n_items)
    lowest: float
    highest: float

    def predict(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float64]:
        """Predict the ratings of pairs of positions."""
        predicted = self.means.predict(users, items)
        predicted += products(self.user_factors, self.item_factors, users, items)
        return np.clip(predicted, self.lowest, self.highest)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may choose about training; `learning_rate` None means the default."""

    n_features: int = N_FEATURES
    learning_rate: float | None = None
    n_iterations: int = N_ITERATIONS
    n_threads: int = 0
    verbose: bool | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """How training went: the iterate that was kept, the learning rate used, the time taken."""

    best: BestIterate
    learning_rate: float
    seconds: float


def train(
    table: RatingTable, split: Split, settings: Settings, rng: np.random.Generator
) -> tuple[CentredModel, Training]:
    """Fit means and factors to the training part; the validation part chooses the iterate.

    The residuals of the means are scaled to unit variance, so that one learning rate and one start
    suit every rating scale.

    Raises
    ------
    DivergenceError
        If the learning rate is too large. The default one is halved instead, up to ten times.
    """
    started = time.perf_counter()
    users, items, values = table.part(split.train)
    means = fit_damped_means(users, items, values, table.shape)
    residuals = values - means.predict(users, items)
    scale = float(np.sqrt(np.mean(residuals**2))) or 1.0
    problem = ObservedProblem(
        Ratings.from_triples(users, items, residuals / scale, shape=table.shape)
    )
    start = _small_start(problem.ratings, settings.n_features, rng)

    def fit(learning_rate: float) -> tuple[CentredModel, BestIterate]:
        factors = start[0].copy(), start[1].copy()
        check = _Validation(table, split.validation, means, scale, values)
        best = _descend(problem, factors, check, learning_rate, settings)
        root = np.float32(math.sqrt(scale))
        model = CentredModel(means, root * factors[0], root * factors[1], *check.limits)
        return model, best

    learning_rate = settings.learning_rate or LEARNING_RATE
    n_retries = MOST_HALVINGS if settings.learning_rate is None else 0
    while True:
        try:
            model, best = fit(learning_rate)
        except DivergenceError:
            if not n_retries:
                raise
            n_retries -= 1
            learning_rate /= 2
        else:
            return model, Training(best, learning_rate, time.perf_counter() - started)


def _descend(
    problem: ObservedProblem,
    factors: tuple[NDArray[np.float32], NDArray[np.float32]],
    check: _Validation,
    learning_rate: float,
    settings: Settings,
) -> BestIterate:
    """Train the factors in place; `learning_rate` is that of observed cells."""
    n_users, n_items = problem.shape
    density = problem.ratings.n_ratings / (n_users * n_items)
    with Progress(settings.n_iterations, "training", verbose=settings.verbose) as progress:
        try:
            return train_with_validation(
                problem,
                *factors,
                # The kernels average a gradient over all cells of a row, also the missing ones.
                learning_rate=learning_rate / density,
                n_iterations=settings.n_iterations,
                patience=max(LEAST_PATIENCE, math.ceil(PATIENCE / learning_rate)),
                n_threads=settings.n_threads,
                validation_error=lambda: check.error(*factors),
                after_iteration=lambda error: progress.advance(f"validation RMSE {error:.4f}"),
            )
        except DivergenceError as divergence:
            raise DivergenceError(
                f"training diverged in iteration {divergence.epoch} at learning rate "
                f"{learning_rate:g}; lower --learning-rate",
                divergence.epoch,
                learning_rate,
            ) from divergence


class _Validation:
    """The error of factors of the scaled residuals on the validation part, in rating units."""

    def __init__(
        self,
        table: RatingTable,
        part: NDArray[np.int64],
        means: DampedMeans,
        scale: float,
        training_values: NDArray[np.float64],
    ) -> None:
        self._users, self._items, self._truth = table.part(part)
        self._base = means.predict(self._users, self._items)
        self._scale = scale
        self.limits = float(training_values.min()), float(training_values.max())

    def error(self, user_factors: NDArray[Any], item_factors: NDArray[Any]) -> float:
        product = products(user_factors, item_factors, self._users, self._items)
        return rmse(self._truth, np.clip(self._base + self._scale * product, *self.limits))


def _small_start(
    ratings: Ratings, n_features: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw the start; a user or an item without training ratings gets zeros, hence its means."""
    users, items = (
        rng.normal(0.0, START_SPREAD, (size, n_features)).astype(np.float32)
        for size in ratings.shape
    )
    users[np.diff(ratings.user_indptr) == 0] = 0.0
    items[np.diff(ratings.item_indptr) == 0] = 0.0
    return users, np.ascontiguousarray(items.T)


def products(
    user_factors: NDArray[Any],
    item_factors: NDArray[Any],
    users: NDArray[np.int64],
    items: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Multiply the factors of pairs of positions, in pieces, without an array of all pairs."""
    out = np.empty(len(users))
    for start in range(0, len(users), N_PAIRS_AT_ONCE):
        piece = slice(start, start + N_PAIRS_AT_ONCE)
        of_users, of_items = user_factors[users[piece]], item_factors[:, items[piece]]
        # Factors on their way to divergence are finite, but their product may not be.
        with np.errstate(over="ignore", invalid="ignore"):
            out[piece] = np.einsum("pf,fp->p", of_users, of_items)
    return out
