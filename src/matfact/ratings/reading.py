"""`read_ratings`: from a file to `Ratings`. What reads files is imported when one is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.exceptions import RatingsFileError
from matfact.ratings._build import (
    Columns,
    checked_dtype,
    checked_duplicates,
    checked_values,
    compress,
)
from matfact.ratings.ids import IdMap
from matfact.ratings.ratings import Ratings

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from numpy.typing import DTypeLike

    from matfact.ratings._build import Duplicates

__all__ = ["read_ratings"]


def read_ratings(
    path: str | os.PathLike[str],
    *,
    user: str | int | None = None,
    item: str | int | None = None,
    rating: str | int | None = None,
    timestamp: str | int | None = None,
    delimiter: str | None = None,
    duplicates: Duplicates = "raise",
    dtype: DTypeLike = np.float32,
) -> Ratings:
    r"""Read ratings from delimited text (csv, tsv, ...) or a Parquet file.

    Text has a user, an item and a rating in each line, separated by a tab, comma, semicolon or
    ``::``, with or without a header; it is UTF-8, plain or compressed by gzip. Both compression
    and Parquet are recognised by content. Parquet needs pyarrow (``pip install matfact[parquet]``).

    Parameters
    ----------
    path : str or path-like
        The file.
    user, item, rating : str or int, optional
        Names of columns in the header, or positions from 0. By default the first three columns.
    timestamp : str or int, optional
        Column of the times: numbers in text. By default none are read.
    delimiter : {"\t", ",", ";", "::"}, optional
        The separator. By default it is found from the first lines.
    duplicates : {"raise", "last", "mean", "sum"}, default="raise"
        What becomes of pairs (user, item) that come more than once; see `Ratings.from_triples`.
    dtype : float32 or float64, default=float32
        Of the stored values.

    Returns
    -------
    Ratings
        Ids of text files are int64 if every id of that side is an integer in plain form (``7``,
        not ``07``), else text.

    Raises
    ------
    RatingsFileError
        If the file cannot be read or has a faulty line; the message names the line and the remedy.
    ImportError
        If the file is Parquet and pyarrow is not installed.
    TypeError, ValueError
        If an argument is of the wrong kind or not known.

    Notes
    -----
    Text: about 1 microsecond and 100 bytes a rating at the peak.
    """
    from pathlib import Path  # noqa: PLC0415 (import time)

    real = checked_dtype(dtype)
    checked_duplicates(duplicates)
    chosen = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    wanted = _wanted(chosen)
    path = Path(path)
    if _is_parquet(path):
        return _read_parquet(path, wanted, duplicates, real)
    from matfact.ratings.files import read_ratings_file  # noqa: PLC0415 (import time)

    table = read_ratings_file(
        path, delimiter=delimiter, columns=wanted, duplicates_allowed=duplicates != "raise"
    )
    triples = Columns(
        table.users.astype(np.int32),
        table.items.astype(np.int32),
        checked_values(table.values, "values", real),
        None,
        table.timestamps,
    )
    user_ids, item_ids = IdMap.trusted(table.user_ids), IdMap.trusted(table.item_ids)
    return Ratings.of_parts(compress(triples, user_ids, item_ids, duplicates), user_ids, item_ids)


def _wanted(chosen: dict[str, str | int | None]) -> tuple[str | int, ...]:
    """Check the columns that were asked for; those left out stand at 0, 1 and 2."""
    wanted: list[str | int] = []
    for position, (name, column) in enumerate(chosen.items()):
        if column is None:
            if name != "timestamp":
                wanted.append(position)
            continue
        if isinstance(column, bool) or not isinstance(column, str | int):
            raise TypeError(f"{name} is {column!r}; give the name or the position of a column")
        if not isinstance(column, str) and column < 0:
            raise ValueError(f"{name} is {column}; positions of columns go from 0")
        wanted.append(column)
    repeated = next((column for column in wanted if wanted.count(column) > 1), None)
    if repeated is not None:
        raise ValueError(
            f"the columns are {wanted}, so {repeated!r} would be read twice; name user, item and "
            "rating all three"
        )
    return tuple(wanted)


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False  # the reader of text says what is wrong


def _read_parquet(
    path: Path, wanted: tuple[str | int, ...], duplicates: Duplicates, dtype: np.dtype[Any]
) -> Ratings:
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            f"{path} is a Parquet file, which needs pyarrow: python -m pip install "
            "'matfact[parquet]'"
        ) from error
    try:
        names = parquet.read_schema(path).names
        columns = []
        for column in wanted:
            if isinstance(column, int) and column < len(names):
                column = names[column]
            if column not in names:
                raise RatingsFileError(f"{path}: there is no column {column!r}; there are {names}")
            columns.append(column)
        table = parquet.read_table(path, columns=columns)
    except (ArrowException, OSError) as error:
        raise RatingsFileError(f"{path}: the Parquet file cannot be read: {error}") from error
    try:
        return Ratings.from_frame(
            table,
            user=columns[0],
            item=columns[1],
            rating=columns[2],
            timestamp=columns[3] if len(columns) > 3 else None,
            duplicates=duplicates,
            dtype=dtype,
        )
    except (TypeError, ValueError) as error:
        raise RatingsFileError(f"{path}: {error}") from error
