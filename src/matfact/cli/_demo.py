"""``python -m matfact demo``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from matfact.cli._fit import limited
from matfact.cli._report import (
    describe_data,
    describe_errors,
    describe_training,
    held_out_predictions,
)
from matfact.cli._timing import describe_timings, time_here, time_other_backend
from matfact.cli._training import train
from matfact.evaluation import random_split
from matfact.kernels import backend_info
from matfact.models import ALS
from matfact.ratings import make_ratings

if TYPE_CHECKING:
    import argparse

    from matfact.ratings import Ratings

__all__ = ["run"]

TEST = 0.1
"""Share of the ratings held out."""


def run(arguments: argparse.Namespace) -> None:
    """Train on synthetic ratings and report; time an iteration on both backends."""
    ratings = make_ratings(n_factors=4, random_state=arguments.seed)
    with limited(arguments.threads):
        if arguments.time_only:
            print(json.dumps(time_here(ratings)))
            return
        _train_and_report(arguments, ratings)
        times = {backend_info().backend: time_here(ratings), **time_other_backend(arguments)}
        print(describe_timings(ratings, times))
    print("next: python -m matfact fit FILE, with a user, an item and a rating in each line")


def _train_and_report(arguments: argparse.Namespace, ratings: Ratings) -> None:
    print(describe_data("synthetic ratings", ratings), flush=True)
    training_part, test = random_split(ratings, TEST, random_state=arguments.seed)
    model = ALS(random_state=arguments.seed)
    training = train(model, training_part, None, quiet=arguments.quiet)
    print(describe_training(training, backend_info().backend))
    predictions = held_out_predictions(model, training_part, test)
    print(describe_errors("held-out error", test.user_values, predictions))
