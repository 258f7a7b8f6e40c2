"""``python -m matfact demo``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from matfact._threads import resolve_n_threads
from matfact.cli._fit import limited
from matfact.cli._model import VALIDATION, Settings, train
from matfact.cli._report import describe_data, describe_errors, describe_training, held_out_errors
from matfact.cli._timing import describe_timings, time_here, time_other_backend
from matfact.kernels import backend_info
from matfact.ratings import make_ratings
from matfact.ratings.splits import random_split
from matfact.ratings.table import RatingTable

if TYPE_CHECKING:
    import argparse

    from matfact.ratings.splits import Split

TEST = 0.1
"""Share of the ratings held out."""


def run_demo(arguments: argparse.Namespace) -> None:
    """Train on synthetic ratings and report; time an iteration on both backends."""
    table = RatingTable.of_ratings(make_ratings(n_factors=4, random_state=arguments.seed))
    with limited(arguments.threads):
        if arguments.time_only:
            print(json.dumps(time_here(table)))
            return
        _train_and_report(arguments, table)
        backend = backend_info().backend
        print(describe_timings(table, {backend: time_here(table), **time_other_backend(arguments)}))
    print("next: python -m matfact fit FILE, with a user, an item and a rating in each line")


def _train_and_report(arguments: argparse.Namespace, table: RatingTable) -> None:
    rng = np.random.default_rng(arguments.seed)
    split: Split = random_split(table.n_ratings, test=TEST, validation=VALIDATION, rng=rng)
    print(describe_data("synthetic ratings", table, split, arguments.seed), flush=True)
    settings = Settings(
        n_threads=resolve_n_threads(None), verbose=False if arguments.quiet else None
    )
    model, training = train(table, split, settings, rng)
    print(describe_training(training, settings, backend_info().backend))
    print(describe_errors(held_out_errors(table, split, model)))
