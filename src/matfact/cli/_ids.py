"""Ids as they stand in files and on the command line, which is text, and as a model knows them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.exceptions import RatingsFileError
from matfact.ratings._layout import COLUMNS_REMEDY
from matfact.ratings.source import find_layout, line_of_row, open_text, reading, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from matfact.ratings import IdMap

__all__ = ["ids_like", "read_ids", "read_pairs"]

PAIRS_REMEDY = (
    "each line needs a user and an item, in this order, separated by a tab, comma, semicolon or "
    "'::'"
)


def ids_like(known: IdMap, ids: Sequence[object] | NDArray[Any]) -> NDArray[Any]:
    """Return ids in the kind in which a model has them.

    Parameters
    ----------
    known : IdMap
        Of the model: integers, floats, dates or text.
    ids : sequence of objects
        Text, or what a reader of files has made of it.

    Returns
    -------
    ndarray
        Integers for a model with integer ids, where each text is the plain form of one (``7``, not
        ``07``); a text that is none stays text, and is unknown to the model. Text for one with text
        ids. Likewise for others.
    """
    kind = known.ids.dtype.kind if not known.is_range else "i"
    array = np.asarray(ids) if isinstance(ids, np.ndarray) else _objects(ids)
    if array.dtype.kind == kind and kind != "O":
        return array
    texts = [str(one) for one in array.tolist()]
    if kind == "U":
        return np.array(texts, dtype=np.str_)
    numbers = {text: _parsed(text, known, kind) for text in dict.fromkeys(texts)}
    found = _objects([numbers[text] for text in texts])
    if kind in "iuf" and not any(isinstance(number, str) for number in numbers.values()):
        return np.array(found.tolist())
    return found


def _parsed(text: str, known: IdMap, kind: str) -> object:
    """Return the id that a text stands for; the text itself if it cannot be one of the model's."""
    try:
        if kind in "iu":
            return int(text) if str(int(text)) == text else text
        if kind == "f":
            return float(text)
        if kind in "mM":
            return np.array(text).astype(known.ids.dtype)[()]
    except ValueError:
        return text
    # Integers beside text: the text if the model has it.
    if known.positions(text, unknown="ignore") >= 0 or not text.lstrip("-").isdecimal():
        return text
    return int(text)


def _objects(ids: Sequence[object]) -> NDArray[Any]:
    array = np.empty(len(ids), dtype=object)
    array[:] = ids
    return array


def read_pairs(
    path: Path, delimiter: str | None, users: IdMap, items: IdMap
) -> tuple[list[str], list[str]]:
    """Read the first two columns of a file: users and items, as text.

    The first line is a header if it holds no id of the model and does not look like one: where ids
    are integers its fields are not; where all are text it begins with "user".

    Raises
    ------
    RatingsFileError
        If the file cannot be read, has no pairs, or a line lacks a column or an id.
    """
    with reading(path):
        try:
            layout = find_layout(path, delimiter, (0, 1, 1))
        except RatingsFileError as error:
            raise RatingsFileError(str(error).replace(COLUMNS_REMEDY, PAIRS_REMEDY)) from None
        layout = replace(layout, header=False)
        with open_text(path) as text:
            pairs = [
                tuple(field.strip() for field in row[:2]) for row in rows_of(path, layout, text)
            ]
    narrow = next((place for place, pair in enumerate(pairs) if len(pair) < 2 or "" in pair), None)
    if narrow is not None:
        line, fields = line_of_row(path, layout, narrow)
        raise RatingsFileError(f"{path}, line {line}: {fields} is not a pair; {PAIRS_REMEDY}")
    if _is_header(pairs[0], users, items):
        del pairs[0]
    if not pairs:
        raise RatingsFileError(f"{path}: the file has a header but no pairs; {PAIRS_REMEDY}")
    first, second = zip(*pairs, strict=True)
    return list(first), list(second)


def _is_header(pair: tuple[str, ...], users: IdMap, items: IdMap) -> bool:
    sides = [
        (ids_like(known, [text]), known) for text, known in zip(pair, (users, items), strict=True)
    ]
    if any(known.positions(one, unknown="ignore")[0] >= 0 for one, known in sides):
        return False
    if all(one.dtype.kind == "U" for one, _ in sides):
        return pair[0].lower().startswith("user")
    return all(one.dtype.kind in "UO" for one, _ in sides)


def read_ids(path: Path, what: str) -> list[str]:
    """Read a file with an id in each line, as text; blank lines do not count.

    Raises
    ------
    RatingsFileError
        If the file cannot be read or has no ids; the message says that each line has `what`.
    """
    with reading(path), open_text(path) as text:
        ids = [line.strip() for line in text if not line.isspace()]
    if not ids:
        raise RatingsFileError(f"{path}: the file is empty; give {what} in each line")
    return ids
