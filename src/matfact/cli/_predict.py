"""``python -m matfact predict MODEL``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matfact.cli._arguments import DELIMITERS
from matfact.cli._errors import UsageError
from matfact.cli._files import check_writable, saved_model, write_table
from matfact.cli._fit import limited
from matfact.cli._ids import ids_like, read_pairs
from matfact.exceptions import UnknownIdError

if TYPE_CHECKING:
    import argparse

__all__ = ["run"]

HEADER = ("user", "item", "prediction")


def run(arguments: argparse.Namespace) -> None:
    """Load the model, read the pairs, write their predictions.

    Raises
    ------
    ModelFileError, RatingsFileError
        If a file is faulty.
    UnknownIdError
        If an id is unknown and ``--unknown`` is not "mean".
    UsageError
        If pairs are given in no way or in two, or ``--out`` cannot be written.
    """
    single = arguments.user is not None and arguments.item is not None
    if (arguments.user is None) != (arguments.item is None) or single == bool(arguments.pairs):
        raise UsageError("give either a file of pairs, or both --user and --item")
    if arguments.out is not None:
        check_writable(arguments.out, overwrite=arguments.overwrite)
    model = saved_model(arguments.model)
    users, items = [arguments.user], [arguments.item]
    if not single:
        delimiter = DELIMITERS.get(arguments.delimiter)
        users, items = read_pairs(arguments.pairs, delimiter, model.user_ids_, model.item_ids_)
    try:
        with limited(arguments.threads):
            predicted = model.predict(
                ids_like(model.user_ids_, users),
                ids_like(model.item_ids_, items),
                unknown=arguments.unknown,
            )
    except UnknownIdError as error:
        raise UnknownIdError(f"{error}; --unknown mean takes it as an average one") from error
    rows = zip(users, items, (f"{one:.6g}" for one in predicted), strict=True)
    write_table(arguments.out, HEADER, rows)
    if arguments.out is not None:
        print(f"{len(predicted)} predictions written to {arguments.out}")
