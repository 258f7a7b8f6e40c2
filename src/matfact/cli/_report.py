"""The held-out errors of a model beside those of the baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matfact.evaluation import rmse

if TYPE_CHECKING:
    from matfact.cli._model import CentredModel, Settings, Training
    from matfact.ratings.splits import Split
    from matfact.ratings.table import RatingTable


def held_out_errors(table: RatingTable, split: Split, model: CentredModel) -> dict[str, float]:
    """Compute the RMSE of the baselines and of the model on the test part, which has ratings."""
    users, items, truth = table.part(split.test)
    predictions = {
        "global mean": np.full(len(truth), model.means.global_mean),
        "user and item means": np.clip(
            model.means.predict(users, items), model.lowest, model.highest
        ),
        "factorization": model.predict(users, items),
    }
    return {name: rmse(truth, predicted) for name, predicted in predictions.items()}


def describe_data(name: str, table: RatingTable, split: Split, seed: int) -> str:
    """Describe the ratings and their split in two lines."""
    n_users, n_items = table.shape
    density = table.n_ratings / (n_users * n_items)
    return (
        f"{name}: {table.n_ratings} ratings from {table.values.min():g} to "
        f"{table.values.max():g}, {n_users} users, {n_items} items, {density:.2%} of the cells\n"
        f"split by seed {seed}: {len(split.train)} for training, {len(split.validation)} for "
        f"validation, {len(split.test)} held out"
    )


def describe_training(training: Training, settings: Settings, backend: str) -> str:
    """Describe how training went; tell if it did not help, or ended too early."""
    best = training.best
    text = (
        f"{settings.n_features} features, learning rate {training.learning_rate:g}: iteration "
        f"{best.iteration} of {best.n_iterations} kept (validation RMSE {best.error:.4f}), "
        f"{training.seconds:.2f} s ({backend} backend)"
    )
    if best.iteration == 0:
        text += "\nno iteration improved on the means; a lower learning rate may"
    elif best.iteration == settings.n_iterations:
        text += "\nthe last iteration is the best one so far; more iterations may improve it"
    return text


def describe_errors(errors: dict[str, float]) -> str:
    """Lay out the held-out errors, one line each."""
    return "\n".join(
        ["held-out RMSE", *(f"  {name:<20} {error:.4f}" for name, error in errors.items())]
    )
