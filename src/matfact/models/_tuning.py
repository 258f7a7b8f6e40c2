"""Choosing the parameters of ImplicitALS by held-out users."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._validation import check_integer, check_number
from matfact.evaluation import evaluate_held_out, held_out_users
from matfact.evaluation._generator import generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matfact._random import RandomStateLike
    from matfact.evaluation import HeldOutUsers
    from matfact.ratings import Ratings

__all__ = ["Trial", "Tuning", "tune"]

ENOUGH_USERS = 1000
"""Held-out users after which nothing is repeated with others: NDCG is then known to 0.01 or so."""

MOST_SPLITS = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a search.

    Attributes
    ----------
    params : dict of str to object
        The parameters that differ from trial to trial.
    score : float
        Mean NDCG of the lists of the held-out users.
    standard_error : float
        Of the score, over the users.
    """

    params: dict[str, Any]
    score: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """Result of `ImplicitALS.tune`; ``print`` shows a table.

    Attributes
    ----------
    model : ImplicitALS
        Unfitted, with the best parameters: ``result.model.fit(ratings)``.
    best_params : dict of str to object
        What was searched for.
    best_score : float
        Mean NDCG of the best trial. It was chosen for being high: measure the model on other users.
    trials : tuple of Trial
        In their order.
    """

    model: Any
    best_params: dict[str, Any]
    best_score: float
    trials: tuple[Trial, ...]

    def __str__(self) -> str:
        """Return the trials, the best first."""
        lines = [f"{'NDCG':>8}  {'+-':<6}  parameters"]
        for trial in sorted(self.trials, key=lambda one: -one.score):
            given = ", ".join(f"{name}={value:g}" for name, value in trial.params.items())
            lines.append(f"{trial.score:8.4f}  {trial.standard_error:.4f}  {given}")
        return "\n".join(lines)


def tune(
    estimator: type[Any],
    ratings: Ratings,
    *,
    unobserved_weights: Sequence[float] | None,
    regularizations: Sequence[float],
    n_factors: int,
    max_factors: int,
    max_iter: int,
    users: float | int,
    fold_in: float,
    n_splits: int | None,
    k: int,
    random_state: RandomStateLike,
    parameters: dict[str, Any],
) -> Tuning:
    """Search as `ImplicitALS.tune` says.

    Raises
    ------
    TypeError, ValueError
        If an argument is unsuitable.
    """
    if unobserved_weights is None:
        balanced = estimator(**parameters).balanced_weight(ratings)
        unobserved_weights = [balanced * step for step in (3, 1, 1 / 3)]
    weights = _checked_grid(unobserved_weights, "unobserved_weights")
    penalties = _checked_grid(regularizations, "regularizations")
    n_factors = check_integer(n_factors, "n_factors", minimum=1)
    max_factors = check_integer(max_factors, "max_factors", minimum=n_factors)
    k = check_integer(k, "k", minimum=1)
    parts = _splits(ratings, users, fold_in, n_splits, random_state)
    seed = 0 if parameters.get("random_state") is None else parameters["random_state"]
    trials: list[Trial] = []

    def tried(**params: Any) -> Trial:
        model = estimator(**parameters | params | {"max_iter": max_iter, "random_state": seed})
        trials.append(_trial(model, parts, k, params))
        return trials[-1]

    best = max(
        (
            tried(n_factors=n_factors, unobserved_weight=weight, regularization=penalty)
            for weight, penalty in itertools.product(weights, penalties)
        ),
        key=_score,
    )
    near = best.params
    while near["n_factors"] * 2 <= max_factors:
        # More factors want another regularization, by less than a step, and may help only then.
        size = near["n_factors"] * 2
        steps = (near["regularization"] * step for step in (1 / 3, 1, 3))
        grown = max(
            (tried(**near | {"n_factors": size, "regularization": one}) for one in steps),
            key=_score,
        )
        near = grown.params
        best = max(best, grown, key=_score)
    return Tuning(estimator(**parameters | best.params), best.params, best.score, tuple(trials))


def _splits(
    ratings: Ratings,
    users: float | int,
    fold_in: float,
    n_splits: int | None,
    random_state: RandomStateLike,
) -> list[HeldOutUsers]:
    """Hold out users once or repeatedly, from one source of random numbers."""
    rng = generator(random_state)
    parts = [held_out_users(ratings, users, fold_in=fold_in, random_state=rng)]
    if n_splits is None:
        n_splits = min(MOST_SPLITS, -(-ENOUGH_USERS // parts[0].given.n_users))
    n_splits = check_integer(n_splits, "n_splits", minimum=1)
    return parts + [
        held_out_users(ratings, users, fold_in=fold_in, random_state=rng)
        for _ in range(n_splits - 1)
    ]


def _trial(model: Any, parts: list[HeldOutUsers], k: int, params: dict[str, Any]) -> Trial:
    name = f"ndcg@{k}"
    scores = np.concatenate(
        [evaluate_held_out(model.fit(part.train), part, k=k).scores[name] for part in parts]
    )
    error = scores.std(ddof=1) / np.sqrt(len(scores)) if len(scores) > 1 else np.nan
    return Trial(params, float(scores.mean()) if len(scores) else 0.0, float(error))


def _score(trial: Trial) -> float:
    return trial.score


def _checked_grid(values: Any, name: str) -> list[float]:
    grid = [check_number(value, name) for value in np.atleast_1d(np.asarray(values)).tolist()]
    if not grid:
        raise ValueError(f"{name} is empty; give at least one number")
    return grid
