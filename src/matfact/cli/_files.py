"""What commands read and write: ratings, models, and output files that appear whole or not."""

from __future__ import annotations

import contextlib
import csv
import os
import secrets
import sys
from typing import TYPE_CHECKING, Any

from matfact.cli._arguments import DELIMITERS
from matfact.cli._errors import UsageError
from matfact.exceptions import RatingsFileError
from matfact.ratings import read_ratings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from matfact.ratings import Ratings

__all__ = [
    "check_writable",
    "parquet_writer",
    "ratings_of",
    "saved_model",
    "write_parquet",
    "write_table",
]


def ratings_of(arguments: argparse.Namespace) -> Ratings:
    """Read the ratings file that a command was given.

    Raises
    ------
    RatingsFileError
        If the file is faulty.
    UsageError
        If its columns cannot be read as asked, or pyarrow is missing.
    """
    try:
        return read_ratings(
            arguments.file,
            user=arguments.user,
            item=arguments.item,
            rating=arguments.rating,
            delimiter=DELIMITERS.get(arguments.delimiter),
            duplicates=arguments.duplicates,
        )
    except RatingsFileError:
        raise
    except (ImportError, ValueError) as error:
        raise UsageError(f"{arguments.file}: {error}") from error


def saved_model(path: Path) -> Any:
    """Load a model that `fit` has written.

    Raises
    ------
    ModelFileError
        If the file holds no model.
    UsageError
        If it cannot be opened.
    """
    from matfact.persistence import load  # noqa: PLC0415 (it loads all models)

    try:
        return load(path)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{path}: {reason}; give a model that fit --out has written") from error


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


def write_table(path: Path | None, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write csv to a file, which appears whole or not at all, or to standard output.

    Raises
    ------
    OSError
        If writing fails; no file is left behind.
    """
    if path is None:
        _write_csv(sys.stdout, header, rows)
        return
    with (
        _whole_file(path) as temporary,
        temporary.open("x", encoding="utf-8", newline="") as stream,
    ):
        _write_csv(stream, header, rows)
        stream.flush()
        os.fsync(stream.fileno())


def parquet_writer() -> Any:
    """Return the module that writes Parquet, before there is anything to write.

    Raises
    ------
    UsageError
        If pyarrow is missing.
    """
    try:
        from pyarrow import parquet  # noqa: PLC0415 (optional)
    except ImportError as error:
        raise UsageError(
            "--out with the ending .parquet needs pyarrow: pip install 'matfact[parquet]'; or give "
            "another ending for csv"
        ) from error
    return parquet


def write_parquet(
    path: Path, header: Sequence[str], blocks: Iterable[Sequence[NDArray[Any]]]
) -> None:
    """Write columns, block after block, to a Parquet file, which appears whole or not at all.

    Raises
    ------
    UsageError
        If pyarrow is missing, or a column holds numbers and text.
    OSError
        If writing fails; no file is left behind.
    """
    parquet = parquet_writer()
    import pyarrow as pa  # noqa: PLC0415 (optional)

    with _whole_file(path) as temporary, contextlib.ExitStack() as stack:
        writer = None
        for block in blocks:
            try:
                table = pa.table(dict(zip(header, map(pa.array, block), strict=True)))
            except pa.ArrowException as error:
                raise UsageError(f"--out {path}: {error}; csv takes such ids") from error
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(temporary, table.schema))
            writer.write_table(table)


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of `path` when all is well."""
    # In the same directory: os.replace is atomic within one file system only.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_csv(stream: Any, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
