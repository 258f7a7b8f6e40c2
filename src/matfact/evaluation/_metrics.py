"""The metrics that cross-validation and search are asked for, by name or as functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matfact.evaluation._predicting import predicted_ratings
from matfact.evaluation.ranking import checked_least, evaluate_ranking
from matfact.evaluation.ranking_metrics import METRICS as OF_USERS
from matfact.evaluation.rating_metrics import mae, rmse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from matfact.ratings import Ratings

    Metric: TypeAlias = Callable[[NDArray[Any], NDArray[np.float64]], float]

__all__ = ["Metrics", "asked_metrics", "default_metrics"]

ERRORS: dict[str, Metric] = {"rmse": rmse, "mae": mae}

RANKING = (*OF_USERS, "coverage")
"""Columns of `evaluate_ranking`, each with "@k" behind it."""

NAMED_RANKING = re.compile(rf"({'|'.join(RANKING)})@([1-9][0-9]{{0,17}})|auc")
"""k without sign or leading zeros, so that it names a column, and of 64 bits."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a trained model is measured by.

    Attributes
    ----------
    names : tuple of str
        In the order in which they were asked for.
    errors : dict of str to function
        Those that compare true and predicted ratings.
    lengths : dict of str to (int or None)
        Of the others, which look at lists, the length of these; None is the whole catalogue.
    at_least : float or None
        Value from which an item is relevant to a list.
    """

    names: tuple[str, ...]
    errors: Mapping[str, Metric]
    lengths: Mapping[str, int | None]
    at_least: float | None

    @property
    def higher_is_better(self) -> bool:
        """Whether a single metric is one of lists; of errors and functions lower is better."""
        return bool(self.lengths)

    def of(self, model: Any, test: Ratings) -> dict[str, float]:
        """Return the metrics of a trained model, by name.

        Lists are made once, for the greatest length: the shorter ones are the beginning of it.
        """
        scores: dict[str, float] = {}
        if self.errors:
            users, items, truth = test.to_triples()
            predicted = predicted_ratings(model, users, items, test)
            scores |= {name: float(error(truth, predicted)) for name, error in self.errors.items()}
        if self.lengths:
            n_items = len(model.item_ids_)
            columns = {
                name: name if length is not None else f"{name}@{n_items}"
                for name, length in self.lengths.items()
            }
            lengths = {n_items if length is None else length for length in self.lengths.values()}
            found = evaluate_ranking(model, test, k=sorted(lengths), at_least=self.at_least)
            means = found.to_dict()
            scores |= {name: means[column] for name, column in columns.items()}
        return {name: scores[name] for name in self.names}


def default_metrics(model: Any) -> tuple[str, ...]:
    """Return what a model is measured by if nothing is asked for, the most important first."""
    own: tuple[str, ...] = getattr(model, "_default_metrics", tuple(ERRORS))
    return own


def asked_metrics(
    metrics: Any, argument: str, model: Any, at_least: float | None = None
) -> Metrics:
    """Return the metrics that an argument stands for.

    Parameters
    ----------
    metrics : str, callable, or iterable of them
    argument : str
        Its name, for errors.
    model : estimator
        What will be measured.
    at_least : float, optional
        Value from which an item is relevant to a list.

    Returns
    -------
    Metrics

    Raises
    ------
    TypeError
        If one is neither a name nor a function, or needs lists and the model makes none.
    ValueError
        If a name is not known, one comes twice, there is none, or `at_least` is NaN or needless.
    """
    errors: dict[str, Metric] = {}
    lengths: dict[str, int | None] = {}
    names: list[str] = []
    for metric in [metrics] if isinstance(metrics, str) or callable(metrics) else metrics:
        if isinstance(metric, str):
            name = metric
            if name in ERRORS:
                errors[name] = ERRORS[name]
            else:
                lengths[name] = _list_length(name, argument)
                _check_makes_lists(model, name, argument)
        elif callable(metric):
            name = getattr(metric, "__name__", repr(metric))
            errors[name] = metric
        else:
            raise TypeError(f"{argument} has {metric!r}; give names or functions(truth, predicted)")
        if name in names:
            raise ValueError(f"{argument} has {name!r} twice; give it once")
        names.append(name)
    if not names:
        raise ValueError(f"{argument} is empty; give at least one")
    least = checked_least(at_least)
    if least is not None and not lengths:
        raise ValueError(f"at_least is {at_least}, and no metric of {argument} looks at lists")
    return Metrics(tuple(names), errors, lengths, least)


def _list_length(name: str, argument: str) -> int | None:
    """Return the k of a ranking metric; None if it looks at all items."""
    match = NAMED_RANKING.fullmatch(name)
    if match is None:
        known = ", ".join(map(repr, (*ERRORS, "auc", *(f"{one}@k" for one in RANKING))))
        raise ValueError(
            f"{argument} has {name!r}; give {known} with an integer k of at least 1, as in "
            "'ndcg@10', or a function"
        )
    return None if match[2] is None else int(match[2])


def _check_makes_lists(model: Any, name: str, argument: str) -> None:
    if not hasattr(model, "iter_recommend"):
        known = ", ".join(map(repr, ERRORS))
        raise TypeError(
            f"{argument} has {name!r}, and {type(model).__name__} recommends no lists; give "
            f"{known}, or a function"
        )
