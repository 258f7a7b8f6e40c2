"""Lists of the best items: what they are made from.

Models hand in factors and filters as positions; what comes back are `Lists` of positions, which
become `matfact.recommendations.Recommendations` with the ids of users and items.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from matfact.kernels import topn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = [
    "Filters",
    "Lists",
    "best_columns",
    "given_lists",
    "joined",
    "rows_of",
    "stacked",
    "union",
    "without",
]

BLOCK_NUMBERS = 1 << 22
"""Places of lists that are filled at a time."""


NUMBERS_FOR_ONE = 1 << 27
"""In the factors of columns that a single row takes without looking for signals."""


class Lists(NamedTuple):
    """Ragged lists of positions: list r is ``items[indptr[r]:indptr[r + 1]]``."""

    indptr: NDArray[np.int64]
    items: NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of lists."""
        return len(self.indptr) - 1


@dataclass(frozen=True, slots=True)
class Filters:
    """What may stand in lists, all of it by positions, ascending and distinct.

    Attributes
    ----------
    candidates : ndarray of int32 or None
        What any list may hold; None is everything.
    lists : Lists or None
        What each list may hold; None leaves it to `candidates`.
    excluded : Lists or None
        What each list must not hold.
    """

    candidates: NDArray[np.int32] | None = None
    lists: Lists | None = None
    excluded: Lists | None = None

    def of_rows(self, rows: slice) -> Filters:
        """Return the filters of some of the rows."""
        return Filters(
            self.candidates,
            None if self.lists is None else _some(self.lists, rows),
            None if self.excluded is None else _some(self.excluded, rows),
        )


def best_columns(
    row_factors: Floats,
    column_factors: Floats,
    column_biases: Floats | None,
    filters: Filters,
    n: int,
    n_threads: int,
) -> tuple[Lists, NDArray[np.float64]]:
    """Return the columns with the highest scores for each row, the best first, and their scores.

    A score is the bias of the column plus the product of the factors; of equal ones the column that
    comes first. Needs 8 to 12 bytes for each of the n places of a list, of some millions at a time,
    a copy of the columns (but for a single row), and 32 MB a thread.
    """
    n_columns = len(column_factors)
    n = max(1, min(n, n_columns))
    alone = len(row_factors) == 1 and column_factors.size <= NUMBERS_FOR_ONE
    if alone and filters.lists is None:  # not worth a copy of all columns
        everything = _everything(filters.candidates, n_columns)
        filters = replace(filters, candidates=None, lists=everything)
    columns, factors, biases = filters.candidates, column_factors, column_biases
    if columns is not None:
        factors = np.ascontiguousarray(factors[columns])
        biases = None if biases is None else biases[columns]
    height = max(1, BLOCK_NUMBERS // n)
    parts = []
    for start in range(0, len(row_factors), height):
        some = slice(start, min(start + height, len(row_factors)))
        rows = np.ascontiguousarray(row_factors[some])
        own = filters.of_rows(some)
        indptr, items = (None, None) if own.excluded is None else own.excluded
        if own.lists is None:
            found = topn.top_n(rows, factors, biases, columns, indptr, items, n, n_threads)
        else:
            found = topn.top_n_of_lists(
                rows,
                column_factors,
                column_biases,
                own.lists.indptr,
                own.lists.items,
                indptr,
                items,
                n,
                n_threads,
            )
        counts, best, scores = found
        filled = np.arange(n) < counts[:, np.newaxis]
        parts.append((Lists(_starts(counts), best[filled]), scores[filled].astype(np.float64)))
    return joined(parts)


def _everything(columns: NDArray[np.int32] | None, n_columns: int) -> Lists:
    """Return one list of all candidates."""
    items = np.arange(n_columns, dtype=np.int32) if columns is None else columns
    return Lists(np.array([0, len(items)]), items)


def joined(
    parts: Sequence[tuple[Lists, NDArray[np.float64]]],
) -> tuple[Lists, NDArray[np.float64]]:
    """Return lists and scores, some after the others, as one."""
    scores = [np.zeros(0), *(part for _, part in parts)]
    return stacked([lists for lists, _ in parts]), np.concatenate(scores)


def stacked(parts: Sequence[Lists]) -> Lists:
    """Return lists, some after the others, as one."""
    counts = [np.zeros(0, dtype=np.int64), *(np.diff(lists.indptr) for lists in parts)]
    items = [np.zeros(0, dtype=np.int32), *(lists.items for lists in parts)]
    return Lists(_starts(np.concatenate(counts)), np.concatenate(items))


def without(lists: Lists, items: NDArray[Any]) -> Lists:
    """Return lists without some items."""
    kept = ~np.isin(lists.items, items)
    before = np.zeros(len(kept) + 1, dtype=np.int64)
    np.cumsum(kept, out=before[1:])
    return Lists(before[lists.indptr], lists.items[kept])


def rows_of(indptr: NDArray[np.int64], indices: NDArray[np.int32], rows: NDArray[Any]) -> Lists:
    """Return the entries of some rows, which may come in any order and repeatedly, as lists."""
    counts = indptr[rows + 1] - indptr[rows]
    starts = _starts(counts)
    entries = np.repeat(indptr[rows] - starts[:-1], counts) + np.arange(starts[-1])
    return Lists(starts, indices[entries])


def given_lists(rows: Sequence[NDArray[np.int64]], n_columns: int) -> Lists:
    """Return lists of positions in any order, with repetitions, as ascending and distinct ones."""
    starts = _starts(np.array([len(row) for row in rows], dtype=np.int64))
    items = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
    return _ascending(np.repeat(np.arange(len(rows)), np.diff(starts)), items, n_columns, len(rows))


def union(one: Lists | None, other: Lists | None, n_columns: int) -> Lists | None:
    """Return for each row what either list holds; None is nothing."""
    if one is None or other is None:
        return one if other is None else other
    rows, items = (
        np.concatenate(pair)
        for pair in zip(
            *(
                (np.repeat(np.arange(len(lists)), np.diff(lists.indptr)), lists.items)
                for lists in (one, other)
            ),
            strict=True,
        )
    )
    return _ascending(rows, items, n_columns, len(one))


def _ascending(rows: NDArray[np.int64], items: NDArray[Any], n_columns: int, n_rows: int) -> Lists:
    keys = np.unique(rows * n_columns + items)
    counts = np.bincount(keys // max(n_columns, 1), minlength=n_rows)
    return Lists(_starts(counts), (keys % max(n_columns, 1)).astype(np.int32))


def _some(lists: Lists, rows: slice) -> Lists:
    indptr = lists.indptr[rows.start : rows.stop + 1]
    return Lists(indptr - indptr[0], lists.items[indptr[0] : indptr[-1]])


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    indptr = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=indptr[1:])
    return indptr
