"""Ratings files: delimited text with a user, an item and a rating in each line.

The file is read once, line by line; memory is proportional to the number of ratings and ids, not
to what stands in further columns. The place of a mistake is found by a second pass that only a
faulty file has to pay for.
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from matfact.exceptions import RatingsFileError
from matfact.ratings._layout import (
    COLUMNS_REMEDY,
    DEFAULT_COLUMNS,
    SEPARATORS,
    Layout,
    Wanted,
    parse_number,
)
from matfact.ratings.source import find_layout, line_of_row, open_text, reading, rows_of
from matfact.ratings.table import RatingTable

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["read_ratings_file"]

LONGEST_ID = 256
"""In characters. Ids become fixed-width arrays, which one runaway field must not blow up."""


def read_ratings_file(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    columns: Wanted = DEFAULT_COLUMNS,
    duplicates_allowed: bool = False,
) -> RatingTable:
    r"""Read a file of ratings.

    Each line holds a user id, an item id and a rating; further columns are ignored. Columns are
    separated by a tab, comma, semicolon or ``::``. The first line is a header if none of its
    first three fields is a number. Text is UTF-8, with or without a byte order mark; gzip
    compression is recognised by content. Blank lines are skipped. Quotes count in files separated
    by commas or semicolons, and in tab-separated files whose first line has a quoted field.

    Parameters
    ----------
    path : str or path-like
        The file.
    delimiter : {"\t", ",", ";", "::"}, optional
        The separator. By default it is found from the first lines; if two separators fit equally
        well, the file is refused.
    columns : tuple of int or str, default=(0, 1, 2)
        Positions, or names in the header, of user, item, rating and, if it is wanted, timestamp.
    duplicates_allowed : bool, default=False
        Whether a pair (user, item) may come again.

    Returns
    -------
    RatingTable
        Ids are stripped of blanks around them and sorted. They are int64 if every id of that side
        is an integer in plain form (``7``, not ``07``), else text.

    Raises
    ------
    RatingsFileError
        If the file cannot be read, has no ratings, or a line has too few columns, an empty or
        overlong id, a rating that is not a finite number, or a pair (user, item) that came
        before. The message names the path, the line, the bad value and the remedy.
    ValueError
        If `delimiter` is not one of the four.

    Notes
    -----
    About 1 microsecond and 100 bytes a rating at the peak.
    """
    if delimiter is not None and delimiter not in SEPARATORS:
        known = ", ".join(repr(separator) for separator in SEPARATORS)
        raise ValueError(f"delimiter is {delimiter!r}; give one of {known}")
    path = Path(path)
    with reading(path):
        layout = find_layout(path, delimiter, columns)
        user_codes, item_codes, users, items, values, times = _parse(path, layout)
    if not values:
        raise RatingsFileError(f"{path}: the file has a header but no ratings; {COLUMNS_REMEDY}")
    _refuse_bad_ids(path, layout, user_codes, item_codes)

    user_ids, user_positions = _sorted_ids(user_codes)
    item_ids, item_positions = _sorted_ids(item_codes)
    table = RatingTable(
        user_ids,
        item_ids,
        user_positions[np.frombuffer(users, dtype=np.int64)],
        item_positions[np.frombuffer(items, dtype=np.int64)],
        np.array(values, dtype=np.float64),
        _timestamps(path, layout, times),
    )
    _refuse_not_finite(path, layout, table)
    if not duplicates_allowed:
        _refuse_duplicates(path, layout, table)
    return table


def _parse(
    path: Path, layout: Layout
) -> tuple[dict[str, int], dict[str, int], array[int], array[int], array[float], array[float]]:
    """Read all lines; users and items as codes, counted in the order of first appearance."""
    user, item, rating = layout.columns[:3]
    timestamp = layout.columns[3] if len(layout.columns) > 3 else None
    user_codes: dict[str, int] = {}
    item_codes: dict[str, int] = {}
    users, items, values, times = array("q"), array("q"), array("d"), array("d")
    with open_text(path) as text:
        for row in rows_of(path, layout, text):
            try:
                value = parse_number(row[rating])
                if timestamp is not None:
                    times.append(parse_number(row[timestamp]))
                user_id, item_id = row[user].strip(), row[item].strip()
            except (IndexError, ValueError):
                _raise_bad_row(path, layout, len(values))
            users.append(user_codes.setdefault(user_id, len(user_codes)))
            items.append(item_codes.setdefault(item_id, len(item_codes)))
            values.append(value)
    return user_codes, item_codes, users, items, values, times


def _timestamps(path: Path, layout: Layout, times: array[float]) -> NDArray[Any] | None:
    """Return times as int64 if all are whole numbers, else as float64; None if there are none."""
    if len(layout.columns) < 4:
        return None
    numbers = np.array(times, dtype=np.float64)
    finite = np.isfinite(numbers)
    if not finite.all():
        _raise_bad_row(path, layout, int(np.argmin(finite)))
    whole = (numbers == np.trunc(numbers)).all() and (np.abs(numbers) <= 2.0**53).all()
    return numbers.astype(np.int64) if whole else numbers


def _sorted_ids(codes: dict[str, int]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Sort the ids; also give the position of each code in the sorted ids."""
    ids: NDArray[Any]
    if all(map(_is_plain_integer, codes)):
        ids = np.array([int(text) for text in codes], dtype=np.int64)
    else:
        ids = np.array(list(codes), dtype=np.str_)
    order = np.argsort(ids, kind="stable")
    positions = np.empty(len(order), dtype=np.int64)
    positions[order] = np.arange(len(order))
    return ids[order], positions


def _is_plain_integer(text: str) -> bool:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        return False
    number = int(text)
    return str(number) == text and -(2**63) <= number < 2**63


def _refuse_bad_ids(path: Path, layout: Layout, *codes_of_sides: dict[str, int]) -> None:
    for column, codes in enumerate(codes_of_sides):
        bad = next((text for text in codes if not _is_good_id(text)), None)
        if bad is not None:
            _raise_bad_id(path, layout, column, bad)


def _is_good_id(text: str) -> bool:
    # numpy drops NUL characters at the end of a text, so that two ids could become one.
    return 0 < len(text) <= LONGEST_ID and "\0" not in text


def _refuse_not_finite(path: Path, layout: Layout, table: RatingTable) -> None:
    finite = np.isfinite(table.values)
    if not finite.all():
        _raise_bad_row(path, layout, int(np.argmin(finite)))


def _refuse_duplicates(path: Path, layout: Layout, table: RatingTable) -> None:
    pairs = table.users * table.shape[1] + table.items
    order = np.argsort(pairs, kind="stable")
    same_as_before = pairs[order[1:]] == pairs[order[:-1]]
    if not same_as_before.any():
        return
    # The repetition that comes first in the file, and the line before it with the same pair.
    repeated = order[1:][same_as_before]
    which = int(np.argmin(repeated))
    second, first = int(repeated[which]), int(order[:-1][same_as_before][which])
    first_line, _ = line_of_row(path, layout, first)
    second_line, fields = line_of_row(path, layout, second)
    raise RatingsFileError(
        f"{path}, line {second_line}: user {fields[layout.columns[0]].strip()!r} has rated item "
        f"{fields[layout.columns[1]].strip()!r} already, in line {first_line}; keep one rating "
        "of each pair"
    )


def _raise_bad_row(path: Path, layout: Layout, position: int) -> NoReturn:
    line, fields = line_of_row(path, layout, position)
    if len(fields) < layout.n_columns:
        raise RatingsFileError(
            f"{path}, line {line}: too few columns, {fields} when split by "
            f"{SEPARATORS[layout.separator]}; {COLUMNS_REMEDY}"
        )
    rating = fields[layout.columns[2]]
    if len(layout.columns) > 3 and _is_finite(rating):
        timestamp = fields[layout.columns[3]]
        raise RatingsFileError(
            f"{path}, line {line}: the timestamp is {timestamp!r}; a timestamp must be a finite "
            "number"
        )
    raise RatingsFileError(
        f"{path}, line {line}: the rating is {rating!r}; "
        "a rating must be a finite number such as 4 or 3.5"
    )


def _is_finite(text: str) -> bool:
    try:
        return bool(np.isfinite(parse_number(text)))
    except ValueError:
        return False


def _raise_bad_id(path: Path, layout: Layout, column: int, bad: str) -> NoReturn:
    with reading(path), open_text(path) as text:
        place = layout.columns[column]
        ids = (row[place].strip() for row in rows_of(path, layout, text))
        position = next(number for number, text_of_id in enumerate(ids) if text_of_id == bad)
    line, _ = line_of_row(path, layout, position)
    side = ("user", "item")[column]
    if not bad:
        problem, remedy = f"the {side} id is empty", "give every rating a user and an item"
    elif "\0" in bad:
        problem, remedy = f"the {side} id {bad!r} has a NUL character", "is the file UTF-8 text?"
    else:
        problem = f"the {side} id {bad[:40]!r}... has {len(bad)} characters"
        remedy = f"ids may have up to {LONGEST_ID}; check the separator and the quotes"
    raise RatingsFileError(f"{path}, line {line}: {problem}; {remedy}")
