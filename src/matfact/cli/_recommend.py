"""``python -m matfact recommend MODEL USER``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matfact.cli._errors import UsageError
from matfact.cli._files import saved_model, write_table
from matfact.cli._ids import ids_like, read_items

if TYPE_CHECKING:
    import argparse

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> None:
    """Write the items with the highest predictions for a user.

    Raises
    ------
    ModelFileError, RatingsFileError
        If a file is faulty.
    UnknownIdError
        If the user or a candidate is unknown.
    UsageError
        If the model was saved without the ratings that tell what the user has seen.
    """
    model = saved_model(arguments.model)
    if model.ratings_ is None and not arguments.include_seen:
        raise UsageError(
            f"{arguments.model} was saved without its ratings, which tell what a user has seen; "
            "add --include-seen"
        )
    candidates = None
    if arguments.candidates is not None:
        candidates = ids_like(model.item_ids_, read_items(arguments.candidates))
    items, scores = model.recommend(
        ids_like(model.user_ids_, [arguments.user])[0],
        arguments.n,
        exclude_seen=not arguments.include_seen,
        candidates=candidates,
    )
    rows = ((item, f"{score:.6g}") for item, score in zip(items, scores, strict=True))
    write_table(None, ("item", "score"), rows)
