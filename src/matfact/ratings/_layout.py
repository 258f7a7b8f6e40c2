"""How a ratings file is laid out: its separator, its quoting, whether it has a header.

All is told from the first lines, by rules that have one answer or none: where two separators fit
equally well, `choose_layout` raises instead of picking one.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from matfact.exceptions import RatingsFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SEPARATORS = {"\t": "tab", ",": "comma", ";": "semicolon", "::": "'::'"}
"""The separators that are known, with their names for messages."""

Wanted: TypeAlias = "tuple[int | str, ...]"
"""User, item, rating and perhaps timestamp, each a position from 0 or a name of the header."""

DEFAULT_COLUMNS: Wanted = (0, 1, 2)
"""What follows is ignored."""

COLUMNS_REMEDY = (
    "each line needs a user, an item and a rating, in this order, "
    "separated by a tab, comma, semicolon or '::'"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a file.

    Field separator, whether quotes count, whether line 1 is a header, and the positions of user,
    item, rating and, if it is wanted, timestamp.
    """

    separator: str
    quoted: bool
    header: bool
    columns: tuple[int, ...] = (0, 1, 2)

    @property
    def n_columns(self) -> int:
        """Number of fields that a line needs."""
        return max(self.columns) + 1

    def fields(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Split lines into fields; a blank line gives a list with less than two fields.

        Raises
        ------
        csv.Error
            If the quoting of a line is broken, or a field is longer than csv's limit.
        """
        if self.separator == "::":
            return (line.rstrip("\r\n").split("::") for line in lines)
        if self.quoted:
            # strict: a stray quote must be an error, else it would swallow the lines after it.
            return csv.reader(lines, delimiter=self.separator, strict=True)
        return csv.reader(lines, delimiter=self.separator, quoting=csv.QUOTE_NONE)


def is_number(text: str) -> bool:
    """Tell whether a field is a number (nan and inf included: they are refused later, by name)."""
    try:
        parse_number(text)
    except ValueError:
        return False
    return True


def parse_number(text: str) -> float:
    """Parse a rating; Python's digit groups such as ``1_000`` are refused.

    Raises
    ------
    ValueError
        If the text is not a number.
    """
    if "_" in text:
        raise ValueError(text)
    return float(text)


def choose_layout(
    path: Path, head: list[str], separator: str | None, wanted: Wanted = DEFAULT_COLUMNS
) -> Layout:
    """Find the layout of a file from its first lines.

    Parameters
    ----------
    path : Path
        Name of the file, for messages.
    head : list of str
        The first lines that are not blank, at least one, with their line ends.
    separator : str or None
        The separator if the caller names it, else it is found: the one that gives the wanted
        columns in every line, the rating a number.
    wanted : tuple of int or str
        The columns of user, item, rating and perhaps timestamp.

    Raises
    ------
    RatingsFileError
        If no separator fits, or more than one does, or there is no column of a name.
    """
    if separator is None:
        separator = _find_separator(path, head, wanted)
    layout = _without_header(separator, head[0])
    first = _first_fields(layout, head)
    columns = _positions_of(wanted, first)
    if columns is None:
        known = [field.strip() for field in first]
        missing = next(name for name in wanted if isinstance(name, str) and name not in known)
        raise RatingsFileError(f"{path}: line 1 has no column {missing!r}; its columns are {known}")
    is_named = any(isinstance(column, str) for column in wanted)
    header = is_named or _is_header(first, columns[:3])
    return Layout(separator, layout.quoted, header, columns)


def _positions_of(wanted: Wanted, first: list[str]) -> tuple[int, ...] | None:
    """Find the positions of the columns in the first line; None if it lacks a name."""
    names = [field.strip() for field in first]
    try:
        return tuple(
            names.index(column) if isinstance(column, str) else column for column in wanted
        )
    except ValueError:
        return None


def _without_header(separator: str, first_line: str) -> Layout:
    """Decide about quotes: they count in csv, and in tab files that quote in their first line.

    Elsewhere a quote is an ordinary character: texts in further columns of tab files hold stray
    ones often.
    """
    quoted = separator in {",", ";"} or (separator == "\t" and _has_quoted_field(first_line))
    return Layout(separator, quoted, header=False)


def _find_separator(path: Path, head: list[str], wanted: Wanted) -> str:
    """Apply ever weaker tests to the separators until at least one passes."""
    tables = {separator: _split_head(separator, head) for separator in SEPARATORS}
    columns = {
        separator: _positions_of(wanted, rows[0]) for separator, rows in tables.items() if rows
    }
    tests: list[Callable[[list[list[str]], tuple[int, ...]], bool]] = [
        lambda rows, places: (
            _all_wide(rows, places) and all(is_number(row[places[2]]) for row in rows[1:] or rows)
        ),
        _all_wide,
        lambda rows, places: len(rows[0]) > max(places),
    ]
    for test in tests:
        fitting = [
            separator
            for separator, places in columns.items()
            if places is not None and test(tables[separator], places)
        ]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            names = " and by ".join(SEPARATORS[separator] for separator in fitting)
            raise RatingsFileError(
                f"{path}: line 1 can be split by {names}, so the columns are ambiguous; "
                "name the separator (delimiter=, or --delimiter on the command line)"
            )
    named = [column for column in wanted if isinstance(column, str)]
    if named:
        raise RatingsFileError(
            f"{path}: line 1 does not have the columns {named}: {head[0].strip()!r}; name columns "
            "of the header"
        )
    raise RatingsFileError(
        f"{path}: line 1 has too few columns: {head[0].strip()!r}; {COLUMNS_REMEDY}"
    )


def _split_head(separator: str, head: list[str]) -> list[list[str]]:
    """Split the first lines, up to one that cannot be parsed with this separator.

    Such a line need not be wrong: a quoted field may go on beyond the head.
    """
    rows = []
    rows_of_head = _without_header(separator, head[0]).fields(head)
    while True:
        try:
            rows.append(next(rows_of_head))
        except (csv.Error, StopIteration):
            return rows


def _first_fields(layout: Layout, head: list[str]) -> list[str]:
    try:
        return next(layout.fields(head))
    except csv.Error:
        return []


def _all_wide(rows: list[list[str]], columns: tuple[int, ...]) -> bool:
    return all(len(row) > max(columns) for row in rows)


def _has_quoted_field(line: str) -> bool:
    fields = [field.strip() for field in line.split("\t")[:3]]
    return any(len(field) > 1 and field[0] == field[-1] == '"' for field in fields)


def _is_header(fields: list[str], columns: tuple[int, ...]) -> bool:
    """Tell whether the first line names columns: none of user, item and rating is a number.

    The ids are looked at too, so that a file of numbers whose first rating is damaged is
    reported, not read without its first line.
    """
    if len(fields) <= max(columns):
        return False
    chosen = [fields[column].strip() for column in columns]
    return all(field and not is_number(field) for field in chosen)
