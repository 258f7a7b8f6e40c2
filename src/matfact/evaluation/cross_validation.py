"""Cross-validation: how well a model does on ratings that it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.evaluation._generator import draw_seed, generator
from matfact.evaluation._metrics import asked_metrics, default_metrics
from matfact.evaluation._running import checked_n_jobs, copy_of, pairs_of, run_in_threads, tested

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from threading import Event

    from numpy.typing import NDArray

    from matfact._random import RandomStateLike
    from matfact.evaluation._metrics import Metric, Metrics
    from matfact.evaluation._running import Estimator, Pairs, Test
    from matfact.evaluation.folds import Folds
    from matfact.ratings import Ratings

__all__ = ["CrossValidation", "cross_validate", "standard_error"]


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidation:
    """Result of a cross-validation; ``print`` shows a table.

    Attributes
    ----------
    model : str
        The model, with the parameters that differ from their defaults.
    scores : dict of str to ndarray of shape (n_folds,)
        Metric of each fold, by name.
    fit_seconds : ndarray of shape (n_folds,)
        Wall seconds of each training; with several at a time they are longer.
    models : tuple of estimators, or None
        The trained models, if they were asked for.
    """

    model: str
    scores: dict[str, NDArray[np.float64]]
    fit_seconds: NDArray[np.float64]
    models: tuple[Any, ...] | None = None

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return len(self.fit_seconds)

    @property
    def means(self) -> dict[str, float]:
        """Mean over the folds, by metric."""
        return {name: float(np.mean(scores)) for name, scores in self.scores.items()}

    @property
    def standard_errors(self) -> dict[str, float]:
        """Standard error of the mean, by metric; NaN for a single fold.

        The folds share training data, so it is a rough measure.
        """
        return {name: standard_error(scores) for name, scores in self.scores.items()}

    def __str__(self) -> str:
        """Show a line for each metric: mean, standard error, and the folds."""
        width = max(len("metric"), *map(len, self.scores))
        errors = self.standard_errors
        lines = [
            f"{self.model}, {self.n_folds} folds",
            f"{'metric':{width}}    mean  std.err.  folds",
        ]
        for name, mean in self.means.items():
            folds = " ".join(f"{score:.4f}" for score in self.scores[name])
            lines.append(f"{name:{width}}  {mean:.4f}    {errors[name]:.4f}  {folds}")
        lines.append(f"fit: {np.mean(self.fit_seconds):.3g} s a fold")
        return "\n".join(lines)


def cross_validate(
    model: Estimator,
    ratings: Ratings,
    folds: int | Folds | Iterable[tuple[Ratings, Ratings]] = 5,
    *,
    metrics: str | Metric | Iterable[str | Metric] | None = None,
    at_least: float | None = None,
    random_state: RandomStateLike = None,
    n_jobs: int | None = None,
    return_models: bool = False,
) -> CrossValidation:
    """Train on all folds but one and test on that one, for each fold in turn.

    Parameters
    ----------
    model : estimator
        Gives the class and the parameters; it is neither trained nor changed.
    ratings : Ratings
        Or a matrix that `Ratings.from_matrix` takes. Not used if `folds` are pairs.
    folds : int, Folds or iterable of pairs (train, test), default=5
        A number of random folds; or those of `user_folds` or `given_folds`; or any pairs.
    metrics : str, callable, or iterable of them, default=None
        "rmse", "mae", or functions of true and predicted ratings; ranking metrics with the length
        of the lists, such as "ndcg@10", "recall@20" and "coverage@5" (see `RankingScores`), and
        "auc" of all items. None: "rmse" and "mae"; of models for implicit feedback "ndcg@10".
    at_least : float, optional
        For ranking metrics, the value from which an item is relevant; by default all above 0. Give
        4 for ratings from 1 to 5.
    random_state : int, Generator, RandomState or None, default=None
        Of random folds; also of the models if their own `random_state` is None.
    n_jobs : int or None, default=None
        Folds that are trained at the same time, in threads, with one thread each; the result is the
        same. None and 1: one after the other, each with all threads.
    return_models : bool, default=False
        Whether to keep the trained models.

    Returns
    -------
    CrossValidation

    Raises
    ------
    TypeError, ValueError
        If an argument or a parameter of the model is unsuitable.
    DivergenceError
        If a training diverges.

    Notes
    -----
    Users and items without a rating in the training part are predicted by
    ``predict(..., unknown="mean")``, and ratings with timestamps at their times by a model that has
    a use for these, as ``VBMF(drift=True)``. Memory: a copy of the ratings for each fold at work.

    Ranking metrics are what `evaluate_ranking` finds: lists leave out what the training part has of
    a user. A model for implicit
    feedback predicts scores, not ratings; its "rmse" tells how far they are from the values.

    Examples
    --------
    >>> from matfact import ALS, make_ratings
    >>> ratings = make_ratings(100, 80, 2000, random_state=0)
    >>> result = cross_validate(ALS(n_factors=4), ratings, folds=3, random_state=0)
    >>> result.scores["rmse"].shape
    (3,)
    >>> lists = cross_validate(ALS(n_factors=4), ratings, folds=3, metrics=("ndcg@10", "recall@20"))
    >>> list(lists.means)
    ['ndcg@10', 'recall@20']
    """
    chosen = asked_metrics(
        default_metrics(model) if metrics is None else metrics, "metrics", model, at_least
    )
    n_jobs = checked_n_jobs(n_jobs)
    rng = generator(random_state)
    pairs = pairs_of(ratings, folds, rng)
    copies = [copy_of(model, draw_seed(rng)) for _ in pairs]
    tasks: Sequence[Callable[[Event | None], Test]] = [
        partial(_tested_fold, copy, pairs, number, chosen) for number, copy in enumerate(copies)
    ]
    results = run_in_threads(tasks, n_jobs)
    scores = {name: np.array([result.scores[name] for result in results]) for name in chosen.names}
    seconds = np.array([result.fit_seconds for result in results])
    for array in (*scores.values(), seconds):
        array.flags.writeable = False
    models = tuple(result.model for result in results) if return_models else None
    return CrossValidation(repr(model), scores, seconds, models)


def standard_error(scores: NDArray[np.float64]) -> float:
    """Return the standard error of a mean; NaN for a single number."""
    if len(scores) < 2:
        return float("nan")
    return float(np.std(scores, ddof=1) / np.sqrt(len(scores)))


def _tested_fold(
    model: Any, pairs: Pairs, number: int, metrics: Metrics, stop: Event | None
) -> Test:
    try:
        return tested(model, pairs[number], metrics, stop)
    except Exception as error:
        error.add_note(f"in fold {number} of a cross-validation of {model!r}")
        raise
