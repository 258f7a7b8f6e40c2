"""From options to an estimator, and its training with progress on standard error."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matfact import models
from matfact.cli._errors import UsageError
from matfact.exceptions import DivergenceError
from matfact.training.progress import Progress

if TYPE_CHECKING:
    import argparse

    from matfact.ratings import Ratings
    from matfact.training import TrainingState

__all__ = ["MODELS", "RANKING", "Training", "new_model", "train", "validation_share"]

MODELS = {
    "als": "ALS",
    "vbmf": "VBMF",
    "bpmf": "BPMF",
    "sgd": "SGD",
    "nmf": "NMF",
    "gd": "GD",
    "ials": "ImplicitALS",
    "bpr": "BPR",
}
"""Names on the command line, and those of the estimators."""

RANKING = ("ials", "bpr")
"""Models of implicit feedback, which are measured by their lists."""

OWNERS = {
    "learning_rate": ("sgd", "gd", "bpr"),
    "regularization": tuple(name for name in MODELS if name not in ("vbmf", "bpmf")),
    "link": ("vbmf", "bpmf"),
}
"""Models that take an option which not all of them have."""

VALIDATION = {"gd": 0.1}
"""Shares set aside where none is named: plain descent fits the noise if nothing stops it."""

PARAMETERS = {
    "factors": "n_factors",
    "iterations": "max_iter",
    "regularization": "regularization",
    "learning_rate": "learning_rate",
    "link": "link",
    "seed": "random_state",
}
"""Options, and the parameters of estimators that they set."""


@dataclass(frozen=True, slots=True)
class Training:
    """How a training went.

    Attributes
    ----------
    model : estimator
        The fitted model.
    validation : float or None
        Share of the ratings that was set aside to choose the epoch.
    seconds : float
    """

    model: Any
    validation: float | None
    seconds: float


def new_model(arguments: argparse.Namespace) -> Any:
    """Make the estimator that ``--model`` names, with the options given and its own defaults.

    Raises
    ------
    UsageError
        If an option is not one of this model.
    """
    name: str = arguments.model
    for option, owners in OWNERS.items():
        if getattr(arguments, option) is not None and name not in owners:
            raise UsageError(
                f"--{option.replace('_', '-')} is given, and --model {name} has none; leave it "
                f"out, or use --model {' or '.join(owners)}"
            )
    given = {
        parameter: getattr(arguments, option)
        for option, parameter in PARAMETERS.items()
        if getattr(arguments, option) is not None
    }
    return getattr(models, MODELS[name])(**given)


def validation_share(arguments: argparse.Namespace) -> float | None:
    """Return the share of the training ratings to set aside; None for none."""
    wanted: float | None = arguments.validation
    if wanted is None:
        wanted = VALIDATION.get(arguments.model)
    return wanted or None


def train(model: Any, ratings: Ratings, validation: float | None, *, quiet: bool) -> Training:
    """Fit a model.

    Raises
    ------
    DivergenceError
        If training diverges; the message speaks of options.
    UsageError
        If the model has no use for such ratings or such parameters.
    """
    started = time.perf_counter()
    # Not by `verbose` of the model: here progress depends on where standard error goes.
    with Progress(model.max_iter, "training", verbose=False if quiet else None) as progress:

        def advance(state: TrainingState) -> None:
            progress.advance(_figures(state, type(model).__name__, validation is not None))

        try:
            model.fit(ratings, validation=validation, callbacks=[advance])
        except DivergenceError as error:
            raise DivergenceError(
                f"training diverged in epoch {error.epoch}; {_remedy(error)}",
                error.epoch,
                error.learning_rate,
            ) from error
        except ValueError as error:
            raise UsageError(str(error)) from error
    return Training(model, validation, time.perf_counter() - started)


def _figures(state: TrainingState, model: str, has_validation: bool) -> str:
    if has_validation and model in [MODELS[name] for name in RANKING]:
        return f"validation NDCG {1 - state.record.validation:.4f}"
    if has_validation:
        return f"validation RMSE {state.record.validation:.4f}"
    return f"objective {state.record.objective:.6g}"


def _remedy(error: DivergenceError) -> str:
    if error.learning_rate is not None:
        return f"lower --learning-rate, which is {error.learning_rate:g}"
    return "raise --regularization, and look for huge ratings in the file"
