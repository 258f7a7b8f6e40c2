"""What cross-validation and search share: copies of a model, trained and tested, in threads."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from matfact._threads import threads
from matfact._validation import check_integer
from matfact.evaluation.folds import Folds
from matfact.evaluation.splits import random_folds
from matfact.ratings import Ratings, as_ratings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    import numpy as np

    from matfact.evaluation._metrics import Metrics

    Pairs: TypeAlias = Sequence[tuple[Ratings, Ratings]]

__all__ = [
    "Estimator",
    "Test",
    "checked_n_jobs",
    "copy_of",
    "pairs_of",
    "run_in_threads",
    "tested",
]

T = TypeVar("T")


class Estimator(Protocol):
    """What is needed of a model; all estimators of matfact are like this.

    Ranking metrics need `recommend`, `iter_recommend`, `user_ids_` and `item_ids_`, too.
    """

    def get_params(self) -> dict[str, Any]:
        """Return the constructor parameters."""

    def fit(self, X: Any, *, callbacks: Sequence[Callable[[Any], object]] = ()) -> Any:
        """Train on `Ratings`; a callback that returns True ends it."""

    def predict(self, users: Any, items: Any, *, unknown: Any) -> Any:
        """Predict ratings of pairs of ids."""


@dataclass(frozen=True, slots=True, eq=False)
class Test:
    """A trained model and how it did on the test part."""

    scores: dict[str, float]
    fit_seconds: float
    model: Any


def copy_of(model: Estimator, seed: int, changes: Mapping[str, Any] | None = None) -> Any:
    """Return a new model with the same parameters but for some.

    Generators are copied with their state, so that copies do not depend on their order. A model
    without a seed gets one: numpy's global state would make results depend on the threads.
    """
    parameters = copy.deepcopy({**model.get_params(), **(changes or {})})
    if "random_state" in parameters and parameters["random_state"] is None:
        parameters["random_state"] = seed
    return type(model)(**parameters)


def pairs_of(ratings: Any, folds: Any, rng: np.random.Generator) -> Pairs:
    """Return the pairs (train, test) that the argument `folds` stands for."""
    if isinstance(folds, Folds):
        if folds.ratings is not ratings:
            raise ValueError("folds are those of other ratings; give folds.ratings with them")
        return folds
    if isinstance(folds, bool | str) or not isinstance(folds, Iterable):
        n_folds = check_integer(folds, "folds", minimum=2)
        return random_folds(as_ratings(ratings), n_folds, random_state=rng)
    pairs = list(folds)
    if not pairs:
        raise ValueError("folds is empty; give at least one pair (train, test)")
    for number, pair in enumerate(pairs):
        is_pair = isinstance(pair, tuple | list) and len(pair) == 2
        if not is_pair or not all(isinstance(part, Ratings) for part in pair):
            raise TypeError(f"folds[{number}] is not a pair of Ratings (train, test)")
    return pairs


def checked_n_jobs(n_jobs: object) -> int:
    """Return the number of threads that train models; None is one."""
    return 1 if n_jobs is None else check_integer(n_jobs, "n_jobs", minimum=1)


def tested(model: Any, pair: tuple[Ratings, Ratings], metrics: Metrics, stop: Event | None) -> Test:
    """Train a model on one part and measure it by the other."""
    train, test = pair
    started = time.perf_counter()
    if stop is None:
        model.fit(train)
    else:
        model.fit(train, callbacks=(lambda _: stop.is_set(),))
    seconds = time.perf_counter() - started
    return Test(metrics.of(model, test), seconds, model)


def run_in_threads(tasks: Sequence[Callable[[Event | None], T]], n_jobs: int) -> list[T]:
    """Run tasks and return their results in order.

    Several at a time use one thread each for their kernels. The first error, or Ctrl-C, stops the
    others: those that run end after their epoch, as the event that they are given tells them.
    """
    if n_jobs == 1:
        return [task(None) for task in tasks]
    from concurrent.futures import (  # noqa: PLC0415 (slow to import)
        FIRST_EXCEPTION,
        ThreadPoolExecutor,
        wait,
    )

    stop = Event()

    def run(task: Callable[[Event | None], T]) -> T:
        with threads(1):
            return task(stop)

    with ThreadPoolExecutor(n_jobs) as pool:
        futures = [pool.submit(run, task) for task in tasks]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            failed = next((f for f in futures if f in done and f.exception() is not None), None)
            if failed is not None:
                failed.result()
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise
