"""What commands say about data, trainings and errors."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from matfact.cli._training import MODELS, RANKING
from matfact.evaluation import evaluate_ranking, mae, rmse
from matfact.evaluation._predicting import predicted_ratings
from matfact.ratings.baselines import fit_damped_means

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from matfact.cli._training import Training
    from matfact.evaluation import RankingScores
    from matfact.ratings import Ratings

__all__ = [
    "describe_data",
    "describe_errors",
    "describe_ranking",
    "describe_training",
    "held_out_predictions",
    "is_ranking",
    "ranking_by",
]

RANKING_METRICS = ("ndcg", "recall", "hit_rate", "map")


def describe_data(name: str, ratings: Ratings) -> str:
    """Describe ratings in a line."""
    values = ratings.user_values
    density = ratings.n_ratings / (ratings.n_users * ratings.n_items)
    return (
        f"{name}: {ratings.n_ratings} ratings from {values.min():g} to {values.max():g}, "
        f"{ratings.n_users} users, {ratings.n_items} items, {density:.2%} of the cells"
    )


def describe_training(training: Training, backend: str) -> str:
    """Describe how training went; tell if it ended too early."""
    model = training.model
    text = f"{type(model).__name__} of {model.n_factors_} factors: "
    if training.validation is None:
        text += f"{model.n_iter_} epochs"
    else:
        error = model.history_.validations[model.history_.iterations == model.best_iteration_][0]
        figure = f"NDCG {1 - error:.4f}" if is_ranking(model) else f"RMSE {error:.4f}"
        text += f"epoch {model.best_iteration_} of {model.n_iter_} kept (validation {figure})"
    text += f", {training.seconds:.2f} s ({backend} backend)"
    if training.validation is not None and model.best_iteration_ == model.max_iter:
        text += "\nthe last epoch is the best one so far; more --iterations may improve it"
    return text


def held_out_predictions(
    model: Any, train: Ratings, test: Ratings
) -> dict[str, NDArray[np.float64]]:
    """Predict the held-out part by the means of the training part, and by the model."""
    users, items = (side.astype(np.int64) for side in (test.users, test.user_indices))
    means = fit_damped_means(
        train.users.astype(np.int64),
        train.user_indices.astype(np.int64),
        train.user_values.astype(np.float64),
        train.shape,
    )
    limits = float(train.user_values.min()), float(train.user_values.max())
    return {
        "global mean": np.full(test.n_ratings, means.global_mean),
        "user and item means": np.clip(means.predict(users, items), *limits),
        type(model).__name__: predicted_ratings(
            model, test.user_ids.ids_of(users), test.item_ids.ids_of(items), test
        ),
    }


def describe_errors(title: str, truth: NDArray[Any], by: dict[str, NDArray[np.float64]]) -> str:
    """Lay out the errors of predictions, one line for each way of predicting."""
    lines = [f"{title:<22}   RMSE    MAE"]
    for name, predicted in by.items():
        lines.append(f"  {name:<20} {rmse(truth, predicted):6.4f} {mae(truth, predicted):6.4f}")
    return "\n".join(lines)


def is_ranking(model: Any) -> bool:
    """Tell whether a model is one of implicit feedback, whose predictions are no ratings."""
    return type(model).__name__ in [MODELS[name] for name in RANKING]


def ranking_by(
    model: Any, test: Ratings, k: int, at_least: float | None
) -> dict[str, RankingScores]:
    """Evaluate the lists of a model and, beside them, those of the most popular unseen items."""
    return {
        "most popular": evaluate_ranking(_most_popular(model), test, k=k, at_least=at_least),
        type(model).__name__: evaluate_ranking(model, test, k=k, at_least=at_least),
    }


def _most_popular(model: Any) -> Any:
    """Return a model with the same users and items whose scores are numbers of ratings."""
    popular = copy.copy(model)
    n_users, n_items = len(model.user_ids_), len(model.item_ids_)
    counts = np.bincount(model.ratings_.user_indices, minlength=n_items)
    popular.user_factors_, popular.item_factors_ = np.zeros((n_users, 1)), np.zeros((n_items, 1))
    popular.user_biases_, popular.item_biases_ = np.zeros(n_users), counts.astype(np.float64)
    return popular


def describe_ranking(title: str, by: dict[str, RankingScores], k: int) -> str:
    """Lay out the ranking metrics of lists, one line for each way of making them."""
    names = [f"{name}@{k}" for name in RANKING_METRICS]
    (scores, *_) = by.values()
    lines = [f"{title}, {len(scores.users)} users" + f" ({scores.n_without} left out)"]
    lines.append(" " * 22 + "".join(f" {name:>12}" for name in names))
    for name, one in by.items():
        lines.append(f"  {name:<20}" + "".join(f" {one.mean(metric):12.4f}" for metric in names))
    return "\n".join(lines)
