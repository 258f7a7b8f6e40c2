"""The text of a ratings file: opening it, its rows, and where in it a row or a mistake stands."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, NoReturn

from matfact.exceptions import RatingsFileError
from matfact.ratings._layout import (
    COLUMNS_REMEDY,
    DEFAULT_COLUMNS,
    Layout,
    Wanted,
    choose_layout,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["find_layout", "line_of_row", "open_text", "reading", "rows_of"]

N_SNIFFED_LINES = 20


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn every way in which reading can fail into a `RatingsFileError`."""
    try:
        yield
    except FileNotFoundError:
        raise RatingsFileError(f"{path}: there is no such file; check the path") from None
    except IsADirectoryError:
        raise RatingsFileError(f"{path}: this is a directory; give a file") from None
    except UnicodeDecodeError as error:
        _raise_undecodable(path, error)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RatingsFileError(
            f"{path}: the gzip data is damaged ({error}); fetch or compress the file again"
        ) from None
    except OSError as error:
        reason = error.strerror or error
        raise RatingsFileError(f"{path}: cannot be read: {reason}; give a readable file") from None


def _open_binary(path: Path) -> io.BufferedReader | gzip.GzipFile:
    stream = path.open("rb")
    is_gzip = stream.peek(2)[:2] == b"\x1f\x8b"
    if not is_gzip:
        return stream
    stream.close()
    return gzip.open(path, "rb")


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a plain or gzip file as UTF-8 text; gzip is recognised by content."""
    # newline="": csv wants the line ends as they are.
    with (
        _open_binary(path) as binary,
        io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as text,
    ):
        yield text


def find_layout(path: Path, separator: str | None, wanted: Wanted = DEFAULT_COLUMNS) -> Layout:
    """Find the layout of a file from its first lines.

    Raises
    ------
    RatingsFileError
        If the file has no text, or its first lines do not tell the layout.
    """
    with open_text(path) as text:
        head = list(islice((line for line in text if not line.isspace()), N_SNIFFED_LINES))
    if not head:
        raise RatingsFileError(f"{path}: the file is empty; {COLUMNS_REMEDY}")
    return choose_layout(path, head, separator, wanted)


def rows_of(path: Path, layout: Layout, lines: Iterable[str]) -> Iterator[list[str]]:
    """Give the fields of each line that is neither blank nor the header.

    Raises
    ------
    RatingsFileError
        If the quoting of a line is broken.
    """
    rows = (row for row in layout.fields(lines) if len(row) > 1 or "".join(row).strip())
    try:
        if layout.header:
            next(rows, None)
        yield from rows
    except csv.Error as error:
        _raise_unparsable(path, layout, error)


def line_of_row(path: Path, layout: Layout, position: int) -> tuple[int, list[str]]:
    """Find the line number and the fields of the row at a position, by reading once more.

    The number of a row that runs over several lines is that of its last line.
    """
    with reading(path), open_text(path) as text:
        lines = _CountedLines(text)
        fields = next(islice(rows_of(path, layout, lines), position, None), None)
    if fields is None:
        raise RatingsFileError(f"{path}: the file changed while it was read; read it again")
    return lines.count, fields


class _CountedLines:
    """An iterator over lines that tells how many it has given."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.count += 1
            yield line


def _raise_unparsable(path: Path, layout: Layout, error: csv.Error) -> NoReturn:
    """Name the line at which the faulty row starts: an open quote is noticed much later."""
    start = 1
    with open_text(path) as text:
        lines = _CountedLines(text)
        rows = layout.fields(lines)
        try:
            for _ in rows:
                start = lines.count + 1
        except csv.Error:
            pass
    raise RatingsFileError(
        f"{path}, line {start}: {error}; close every quote, and double the quotes inside a field"
    )


def _raise_undecodable(path: Path, error: UnicodeDecodeError) -> NoReturn:
    """Name the line and the byte that are not UTF-8; the decoder only knows its own buffer."""
    with reading(path), _open_binary(path) as binary:
        for line, content in enumerate(binary, start=1):
            try:
                content.decode("utf-8")
            except UnicodeDecodeError as place:
                raise RatingsFileError(
                    f"{path}, line {line}: byte 0x{content[place.start]:02x} is not UTF-8 text; "
                    "convert the file to UTF-8"
                ) from None
    raise RatingsFileError(f"{path}: {error}; convert the file to UTF-8") from None
