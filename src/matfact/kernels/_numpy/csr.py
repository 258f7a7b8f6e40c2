"""Compressed rows: sorting of entries, transposition, numbering of ids: numpy kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["factorize", "find_repeats", "sort_entries", "transpose"]


def sort_entries(
    rows: NDArray[np.int32], columns: NDArray[np.int32], n_rows: int, n_columns: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Sort entries by row, then by column: (indptr, indices, order)."""
    if len(rows) != len(columns):
        raise ValueError("rows and columns have different lengths")
    places = rows.astype(np.int64)
    places *= n_columns
    places += columns  # at most 2**62
    order = np.argsort(places, kind="stable")
    return _starts(rows, n_rows), columns[order], order


def transpose(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], n_columns: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Sort entries by column, then by row: (indptr, indices, order)."""
    if indptr[-1] != len(indices):
        raise ValueError("indptr does not end at the number of indices")
    order = np.argsort(indices, kind="stable")
    rows = np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
    return _starts(indices, n_columns), rows[order], order


def find_repeats(indptr: NDArray[np.int64], indices: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the positions of entries in the same row and column as the entry before."""
    same = np.zeros(len(indices), dtype=bool)
    np.equal(indices[1:], indices[:-1], out=same[1:])
    starts = indptr[:-1]
    same[starts[starts < len(indices)]] = False
    return np.flatnonzero(same)


def factorize(keys: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Give codes to distinct keys in order of appearance: (code of each key, firsts).

    `firsts` has the position at which each code appears first.
    """
    n, width = keys.shape
    whole = keys.view(np.int64 if width == 8 else np.dtype((np.void, width)))[:, 0]
    order = np.argsort(whole, kind="stable")
    in_order = keys[order]
    is_first = np.ones(n, dtype=bool)
    np.any(in_order[1:] != in_order[:-1], axis=1, out=is_first[1:])
    firsts = order[is_first]
    by_appearance = np.argsort(firsts)
    code_of_group = np.empty(len(firsts), dtype=np.int32)
    code_of_group[by_appearance] = np.arange(len(firsts), dtype=np.int32)
    codes = np.empty(n, dtype=np.int32)
    codes[order] = code_of_group[np.cumsum(is_first) - 1]
    return codes, firsts[by_appearance]


def _starts(keys: NDArray[np.int32], n_rows: int) -> NDArray[np.int64]:
    """Return the starts of the rows of entries sorted by these keys."""
    starts = np.zeros(n_rows + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys, minlength=n_rows), out=starts[1:])
    return starts
