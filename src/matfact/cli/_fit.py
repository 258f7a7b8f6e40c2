"""``python -m matfact fit FILE``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy.random  # noqa: F401 (loaded on demand else, and a Ctrl-C then may get lost)

from matfact._threads import threads
from matfact.cli._errors import UsageError
from matfact.cli._files import check_writable, ratings_of
from matfact.cli._report import (
    describe_data,
    describe_errors,
    describe_ranking,
    describe_training,
    held_out_predictions,
    is_ranking,
    ranking_by,
)
from matfact.cli._training import new_model, train, validation_share
from matfact.evaluation import random_split
from matfact.kernels import backend_info
from matfact.persistence import save

if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager

__all__ = ["limited", "run"]

LIST_LENGTH = 10
"""Items of the lists by which models of implicit feedback are reported."""


def run(arguments: argparse.Namespace) -> None:
    """Read the file, train, report, write.

    Raises
    ------
    RatingsFileError
        If the file is faulty.
    UsageError
        If options do not fit together or the file has too few ratings for them, or ``--out``
        cannot be written.
    DivergenceError
        If training diverges.
    """
    model = new_model(arguments)
    if arguments.out is not None:
        check_writable(arguments.out, overwrite=arguments.overwrite)
    ratings = ratings_of(arguments)
    share = validation_share(arguments)
    sizes = _sizes_of_parts(arguments, ratings.n_ratings, share)
    print(describe_data(arguments.file.name, ratings))
    print(
        "split by seed {}: {} for training, {} for validation, {} held out".format(
            arguments.seed, *sizes
        ),
        flush=True,
    )
    training_part, test = ratings, None
    if sizes[2]:
        training_part, test = random_split(ratings, arguments.holdout, random_state=arguments.seed)
    with limited(arguments.threads):
        training = train(model, training_part, share, quiet=arguments.quiet)
        print(describe_training(training, backend_info().backend))
        if test is not None and is_ranking(model):
            lists = ranking_by(model, test, LIST_LENGTH, None)
            print(describe_ranking("held-out interactions", lists, LIST_LENGTH))
        elif test is not None:
            predictions = held_out_predictions(model, training_part, test)
            print(describe_errors("held-out error", test.user_values, predictions))
    if arguments.out is not None:
        save(model, arguments.out)
        print(f"written to {arguments.out}")


def limited(n_threads: int | None) -> AbstractContextManager[None]:
    """Apply ``--threads``, if it was given."""
    return nullcontext() if n_threads is None else threads(n_threads)


def _sizes_of_parts(
    arguments: argparse.Namespace, n_ratings: int, share: float | None
) -> tuple[int, int, int]:
    """Return the numbers of ratings for training, validation and test, as they will be split."""
    n_test = round(arguments.holdout * n_ratings)
    rest = n_ratings - n_test
    n_validation = 0 if share is None else round(share * rest)
    if n_validation == rest:
        raise UsageError(
            f"{arguments.file}: {n_ratings} ratings, {n_test} of them held out and {n_validation} "
            "for validation, leave none to train on; give more ratings or lower --holdout"
        )
    if share is not None and not n_validation:
        raise UsageError(
            f"{arguments.file}: {share:g} of {rest} ratings is not one to validate on; give more "
            "ratings, a larger --validation, or --validation 0 for none"
        )
    return rest - n_validation, n_validation, n_test
