"""``python -m matfact recommend MODEL USER``, or for many users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matfact.cli._errors import UsageError
from matfact.cli._files import (
    check_writable,
    parquet_writer,
    saved_model,
    write_parquet,
    write_table,
)
from matfact.cli._fit import limited
from matfact.cli._ids import ids_like, read_ids

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> None:
    """Write the items with the highest predictions for a user, or for each of many.

    Raises
    ------
    ModelFileError, RatingsFileError
        If a file is faulty.
    UnknownIdError
        If a user or a candidate is unknown.
    UsageError
        If users are given in no way or in two, the model was saved without the ratings that tell
        what a user has seen, or ``--out`` cannot be written.
    """
    if (arguments.user is not None) + (arguments.users is not None) + arguments.all != 1:
        raise UsageError("give a USER, a file by --users, or --all")
    if arguments.out is not None:
        check_writable(arguments.out, overwrite=arguments.overwrite)
        if _is_parquet(arguments.out):
            parquet_writer()
    model = saved_model(arguments.model)
    if model.ratings_ is None and not arguments.include_seen:
        raise UsageError(
            f"{arguments.model} was saved without its ratings, which tell what a user has seen; "
            "add --include-seen"
        )
    filters: dict[str, Any] = {"exclude_seen": not arguments.include_seen}
    if arguments.candidates is not None:
        filters["candidates"] = ids_like(model.item_ids_, read_ids(arguments.candidates, "an item"))
    with limited(arguments.threads):
        if arguments.user is not None:
            user = ids_like(model.user_ids_, [arguments.user])[0]
            best = model.recommend(user, arguments.n, **filters)
            if _is_parquet(arguments.out):
                write_parquet(arguments.out, ("item", "score"), [best])
                return
            rows: Any = ((item, f"{score:.6g}") for item, score in zip(*best, strict=True))
            write_table(arguments.out, ("item", "score"), rows)
            return
        users = None
        if arguments.users is not None:
            users = ids_like(model.user_ids_, read_ids(arguments.users, "a user"))
        blocks = model.iter_recommend(users, arguments.n, **filters)
        header = "user", "item", "score"
        if _is_parquet(arguments.out):
            write_parquet(arguments.out, header, (block.to_triples() for block in blocks))
            return
        write_table(arguments.out, header, _rows(blocks))


def _is_parquet(path: Path | None) -> bool:
    return path is not None and path.suffix.lower() == ".parquet"


def _rows(blocks: Any) -> Iterator[tuple[object, object, str]]:
    for block in blocks:
        for user, items, scores in block:
            for item, score in zip(items.tolist(), scores.tolist(), strict=True):
                yield user, item, f"{score:.6g}"
