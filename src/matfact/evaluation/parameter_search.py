"""A search over parameters: every combination of a grid, ranked by a metric of held-out ratings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._validation import check_number
from matfact.evaluation._generator import draw_seed, generator
from matfact.evaluation._grid import combinations_of
from matfact.evaluation._metrics import asked_metrics, default_metrics
from matfact.evaluation._running import checked_n_jobs, copy_of, pairs_of, run_in_threads, tested
from matfact.evaluation.cross_validation import standard_error
from matfact.evaluation.splits import random_split
from matfact.exceptions import DivergenceError
from matfact.ratings import as_ratings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from threading import Event

    from numpy.typing import NDArray

    from matfact._random import RandomStateLike
    from matfact.evaluation._grid import Grid
    from matfact.evaluation._metrics import Metric, Metrics
    from matfact.evaluation._running import Estimator, Pairs
    from matfact.evaluation.folds import Folds
    from matfact.ratings import Ratings

__all__ = ["Candidate", "SearchResult", "search"]

N_FOLDS = 5
N_SHOWN = 10


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One combination of parameters and how it did.

    Attributes
    ----------
    params : dict of str to object
        What differs from the model that was given.
    scores : ndarray of shape (n_folds,)
        Metric of each fold; NaN where training failed.
    fit_seconds : float
        Wall seconds of all its trainings.
    failure : str or None
        Why it cannot be ranked: the message of the `DivergenceError`, or that a score is not
        finite.
    """

    params: dict[str, Any]
    scores: NDArray[np.float64]
    fit_seconds: float
    failure: str | None = None

    @property
    def mean(self) -> float:
        """Mean over the folds; NaN if a training failed."""
        return float(np.mean(self.scores))

    @property
    def standard_error(self) -> float:
        """Standard error of the mean; NaN for a single fold."""
        return standard_error(self.scores)

    def __str__(self) -> str:
        """Show the score and the parameters."""
        named = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        if self.failure is not None:
            return f"failed            {named}: {self.failure}"
        return f"{self.mean:.4f} +- {self.standard_error:.4f}  {named}"


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    """Result of a search; ``print`` shows the best candidates.

    Attributes
    ----------
    model : str
        The model that was given.
    metric : str
        What the candidates are ranked by; see `higher_is_better`.
    candidates : tuple of Candidate
        The best first; those that failed come last.
    best_model : estimator or None
        With the best parameters, trained on all ratings; None with ``refit=False``.
    higher_is_better : bool
        True of ranking metrics, False of errors and functions.
    """

    model: str
    metric: str
    candidates: tuple[Candidate, ...]
    best_model: Any = None
    higher_is_better: bool = False

    @property
    def best_params(self) -> dict[str, Any]:
        """Parameters of the best candidate."""
        return dict(self.candidates[0].params)

    @property
    def best_score(self) -> float:
        """Mean metric of the best candidate."""
        return self.candidates[0].mean

    def __str__(self) -> str:
        """Show the best candidates and how many failed."""
        failed = sum(candidate.failure is not None for candidate in self.candidates)
        lines = [f"{self.model}, {len(self.candidates)} candidates by {self.metric}"]
        lines += [f"{place:3d}  {one}" for place, one in enumerate(self.candidates[:N_SHOWN], 1)]
        if failed:
            lines.append(f"{failed} failed")
        return "\n".join(lines)


def search(
    model: Estimator,
    ratings: Ratings,
    grid: Grid | Sequence[Grid],
    *,
    folds: int | Folds | Iterable[tuple[Ratings, Ratings]] | None = None,
    validation: float | None = None,
    metric: str | Metric | None = None,
    at_least: float | None = None,
    random_state: RandomStateLike = None,
    n_jobs: int | None = None,
    refit: bool = True,
) -> SearchResult:
    """Try all combinations of parameters, rank them, and train the best one on all ratings.

    Parameters
    ----------
    model : estimator
        Gives the class and the parameters that are not in the grid; it is neither trained nor
        changed.
    ratings : Ratings
        Or a matrix that `Ratings.from_matrix` takes.
    grid : dict of str to list, or sequence of such dicts
        Values to try for each parameter: all combinations, the last parameter changing fastest. Of
        several dicts, one after the other.
    folds : int, Folds or iterable of pairs (train, test), default=None
        As for `cross_validate`; by default 5 random folds.
    validation : float, optional
        In place of `folds`: share of the ratings, drawn at random once, that all candidates are
        measured on; as many times faster as there would be folds.
    metric : str or callable, default=None
        One as for `cross_validate`. The highest value of a ranking metric is the best, and the
        lowest of "rmse", "mae" or a function. None: "rmse"; of models for implicit feedback
        "ndcg@10".
    at_least : float, optional
        For ranking metrics, the value from which an item is relevant; by default all above 0.
    random_state : int, Generator, RandomState or None, default=None
        Of the folds; also of the models if their own `random_state` is None.
    n_jobs : int or None, default=None
        Trainings at the same time, in threads, with one thread each; the result is the same.
        None and 1: one after the other, each with all threads.
    refit : bool, default=True
        Whether to train `best_model`.

    Returns
    -------
    SearchResult

    Raises
    ------
    ValueError
        If the grid has a parameter that the model does not have, an argument is unsuitable, or a
        value is refused by the model.
    TypeError
        If the grid does not hold lists of values.
    DivergenceError
        If all candidates diverge. One that does, among others, is recorded and ranks last.

    Examples
    --------
    >>> from matfact import ALS, make_ratings
    >>> ratings = make_ratings(100, 80, 2000, random_state=0)
    >>> grid = {"n_factors": [2, 4], "regularization": [0.05, 0.1]}
    >>> result = search(ALS(), ratings, grid, validation=0.2, random_state=0)
    >>> len(result.candidates), sorted(result.best_params)
    (4, ['n_factors', 'regularization'])
    """
    combinations = combinations_of(model, grid)
    chosen = default_metrics(model)[0] if metric is None else metric
    metrics = asked_metrics(chosen, "metric", model, at_least)
    if len(metrics.names) > 1:
        raise ValueError("metric stands for several; give one")
    n_jobs = checked_n_jobs(n_jobs)
    rng = generator(random_state)
    ratings = as_ratings(ratings)
    pairs = _pairs(ratings, folds, validation, rng)
    # The same seed for all candidates: they are compared on what they differ in.
    seeds = [draw_seed(rng) for _ in pairs]
    tasks: Sequence[Callable[[Event | None], _Outcome]] = [
        partial(_outcome, model, changes, seed, pairs, number, metrics)
        for changes in combinations
        for number, seed in enumerate(seeds)
    ]
    outcomes = run_in_threads(tasks, n_jobs)
    size = len(pairs)
    candidates = [
        _candidate(changes, outcomes[size * place : size * (place + 1)])
        for place, changes in enumerate(combinations)
    ]
    if all(candidate.failure is not None for candidate in candidates):
        raise _failure_of_all(outcomes, len(candidates))
    sign = -1 if metrics.higher_is_better else 1
    # The sort is stable: of equal candidates the first one wins.
    candidates.sort(key=lambda one: np.inf if one.failure is not None else sign * one.mean)
    best_model = None
    if refit:
        best_model = copy_of(model, draw_seed(rng), candidates[0].params)
        best_model.fit(ratings)
    (name,) = metrics.names
    return SearchResult(repr(model), name, tuple(candidates), best_model, metrics.higher_is_better)


@dataclass(frozen=True, slots=True)
class _Outcome:
    score: float
    seconds: float
    failure: DivergenceError | None


def _pairs(ratings: Ratings, folds: Any, validation: Any, rng: np.random.Generator) -> Pairs:
    if validation is None:
        return pairs_of(ratings, N_FOLDS if folds is None else folds, rng)
    if folds is not None:
        raise ValueError("folds and validation are both given; give one of them")
    share = check_number(validation, "validation")
    if share >= 1:
        raise ValueError(f"validation is {share}; give a share of the ratings between 0 and 1")
    return [random_split(ratings, share, random_state=rng)]


def _outcome(
    model: Estimator,
    changes: dict[str, Any],
    seed: int,
    pairs: Pairs,
    number: int,
    metrics: Metrics,
    stop: Event | None,
) -> _Outcome:
    try:
        test = tested(copy_of(model, seed, changes), pairs[number], metrics, stop)
    except DivergenceError as error:
        return _Outcome(np.nan, 0.0, error)
    except Exception as error:
        error.add_note(f"in fold {number} of a search, with {changes}")
        raise
    (score,) = test.scores.values()
    return _Outcome(score, test.fit_seconds, None)


def _candidate(changes: dict[str, Any], outcomes: Sequence[_Outcome]) -> Candidate:
    scores = np.array([outcome.score for outcome in outcomes])
    scores.flags.writeable = False
    failure = next((str(one.failure) for one in outcomes if one.failure is not None), None)
    if failure is None and not np.isfinite(scores).all():
        failure = f"a score is {scores[~np.isfinite(scores)][0]}"
    return Candidate(changes, scores, sum(one.seconds for one in outcomes), failure)


def _failure_of_all(outcomes: Sequence[_Outcome], n_candidates: int) -> Exception:
    reason = f"all {n_candidates} candidates of the search failed"
    first = next((one.failure for one in outcomes if one.failure is not None), None)
    if first is None:
        return ValueError(f"{reason}: no score is finite")
    first.add_note(reason)
    return first
