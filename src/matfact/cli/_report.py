"""What commands say about data, trainings and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matfact.evaluation import mae, rmse
from matfact.ratings.baselines import fit_damped_means

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from matfact.cli._training import Training
    from matfact.ratings import Ratings

__all__ = [
    "describe_data",
    "describe_errors",
    "describe_training",
    "held_out_predictions",
]


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
    text = f"{type(model).__name__} of {model.n_factors} factors: "
    if training.validation is None:
        text += f"{model.n_iter_} epochs"
    else:
        error = model.history_.validations[model.history_.iterations == model.best_iteration_][0]
        text += (
            f"epoch {model.best_iteration_} of {model.n_iter_} kept (validation RMSE {error:.4f})"
        )
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
        type(model).__name__: model.predict(
            test.user_ids.ids_of(users), test.item_ids.ids_of(items)
        ),
    }


def describe_errors(title: str, truth: NDArray[Any], by: dict[str, NDArray[np.float64]]) -> str:
    """Lay out the errors of predictions, one line for each way of predicting."""
    lines = [f"{title:<22}   RMSE    MAE"]
    for name, predicted in by.items():
        lines.append(f"  {name:<20} {rmse(truth, predicted):6.4f} {mae(truth, predicted):6.4f}")
    return "\n".join(lines)
