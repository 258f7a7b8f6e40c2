"""``python -m matfact fit FILE``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from matfact._threads import resolve_n_threads, threads
from matfact._version import __version__
from matfact.cli._errors import UsageError
from matfact.cli._model import VALIDATION, Settings, Training, train
from matfact.cli._output import check_writable, write_npz
from matfact.cli._report import describe_data, describe_errors, describe_training, held_out_errors
from matfact.kernels import backend_info
from matfact.ratings.files import read_ratings_file
from matfact.ratings.splits import Split, random_split

if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager

    from matfact.ratings.table import RatingTable

DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";", "colons": "::"}


def run_fit(arguments: argparse.Namespace) -> None:
    """Read the file, train, report, write.

    Raises
    ------
    RatingsFileError
        If the file is faulty.
    UsageError
        If the file has too few ratings to split, or ``--out`` cannot be written.
    DivergenceError
        If ``--learning-rate`` is too large.
    """
    if arguments.out is not None:
        check_writable(arguments.out, overwrite=arguments.overwrite)
    delimiter = DELIMITERS[arguments.delimiter] if arguments.delimiter else None
    table = read_ratings_file(arguments.file, delimiter=delimiter)
    rng = np.random.default_rng(arguments.seed)
    split = random_split(table.n_ratings, test=arguments.holdout, validation=VALIDATION, rng=rng)
    if not len(split.validation):
        raise UsageError(
            f"{arguments.file}: {table.n_ratings} ratings, {len(split.test)} of them held out, "
            "leave too few to train; give more ratings or lower --holdout"
        )
    print(describe_data(arguments.file.name, table, split, arguments.seed), flush=True)

    with limited(arguments.threads):
        settings = Settings(
            n_features=arguments.features,
            learning_rate=arguments.learning_rate,
            n_iterations=arguments.iterations,
            n_threads=resolve_n_threads(None),
            verbose=False if arguments.quiet else None,
        )
        model, training = train(table, split, settings, rng)
    print(describe_training(training, settings, backend_info().backend))
    errors = held_out_errors(table, split, model) if len(split.test) else {}
    if errors:
        print(describe_errors(errors))
    if arguments.out is not None:
        metadata = _metadata(arguments, table, split, training, errors)
        write_npz(arguments.out, table, model, metadata)
        print(f"written to {arguments.out}")


def limited(n_threads: int | None) -> AbstractContextManager[None]:
    """Apply ``--threads``, if it was given."""
    return nullcontext() if n_threads is None else threads(n_threads)


def _metadata(
    arguments: argparse.Namespace,
    table: RatingTable,
    split: Split,
    training: Training,
    errors: dict[str, float],
) -> dict[str, object]:
    return {
        "matfact": __version__,
        "backend": backend_info().backend,
        "file": arguments.file.name,
        "n_ratings": table.n_ratings,
        "n_train": len(split.train),
        "n_validation": len(split.validation),
        "n_held_out": len(split.test),
        "seed": arguments.seed,
        "holdout": arguments.holdout,
        "features": arguments.features,
        "learning_rate": training.learning_rate,
        "iteration": training.best.iteration,
        "n_iterations": training.best.n_iterations,
        "validation_rmse": training.best.error,
        "held_out_rmse": errors,
        "seconds": round(training.seconds, 3),
        "prediction": "clip(global_mean + user_offsets[u] + item_offsets[i] "
        "+ user_factors[u] @ item_factors[:, i], *rating_range)",
    }
