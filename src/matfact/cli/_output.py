"""Writing a fitted model as an npz file."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.cli._errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from matfact.cli._model import CentredModel
    from matfact.ratings.table import RatingTable

FORMAT = "matfact-fit"
FORMAT_VERSION = 1


def check_writable(path: Path, *, overwrite: bool) -> None:
    """Refuse a path before hours of training, not after.

    Raises
    ------
    UsageError
        If there is no such directory, the path is a directory, or a file is there already and
        `overwrite` is False.
    """
    if not path.parent.is_dir():
        raise UsageError(f"--out {path}: there is no directory {path.parent}; create it first")
    if path.is_dir():
        raise UsageError(f"--out {path}: this is a directory; give a file name")
    if path.exists() and not overwrite:
        raise UsageError(f"--out {path}: the file exists; add --overwrite to replace it")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"--out {path}: cannot write to directory {path.parent}")


def write_npz(
    path: Path, table: RatingTable, model: CentredModel, metadata: dict[str, object]
) -> None:
    """Write factors, means, ids and metadata; the file appears whole or not at all.

    All members are plain arrays (text as fixed-width unicode), so that
    ``numpy.load(path, allow_pickle=False)`` reads them.

    Raises
    ------
    OSError
        If writing fails; nothing is left behind.
    """
    header = {"format": FORMAT, "format_version": FORMAT_VERSION, **metadata}
    members: dict[str, Any] = {
        "metadata": np.array(json.dumps(header, ensure_ascii=True, allow_nan=False)),
        "user_ids": table.user_ids,
        "item_ids": table.item_ids,
        "global_mean": np.array(model.means.global_mean),
        "user_offsets": model.means.user_offsets,
        "item_offsets": model.means.item_offsets,
        "user_factors": model.user_factors,
        "item_factors": model.item_factors,
        "rating_range": np.array([model.lowest, model.highest]),
    }
    # In the same directory: os.replace is atomic within one file system only.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as stream:
            np.savez(stream, **members)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
