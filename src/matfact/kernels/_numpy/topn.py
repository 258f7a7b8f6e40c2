"""The best columns of each row of a product of factors: the numpy twin of the `topn` kernels.

The score of a column for a row is the column's bias plus the dot product of their factors, in the
precision of the factors. A row gets the n columns with the highest scores, the best first; of equal
scores the column that comes first. Scores that are NaN or -inf are never chosen.

================  =================================  ==============================================
row_factors       float32 or float64 (r, k)          factors of the rows
column_factors    the same dtype (m, k)              factors of the columns
column_biases     the same dtype (m,), or None       biases of the columns; None is 0
columns           int32 (m,), or None                ascending numbers of the columns; None is
                                                     0 .. m - 1
list_indptr       int64 (r + 1,)                     the columns that each row may have: rows of
                                                     column_factors
list_indices      int32 (entries,)                   ascending in a row
excluded_indptr   int64 (r + 1,), or None            what each row must not have; None is nothing
excluded_indices  int32 (entries,), or None          numbers of columns, ascending in a row
n                 int                                columns wanted, at least 1
n_threads         int                                ignored: numpy's BLAS has its own pool
================  =================================  ==============================================

Results: counts int64 (r,), how many columns a row has; best int32 (r, n), their numbers, and scores
(r, n), both with zeros behind the end of a row.

Preconditions, checked by the caller: C order, matching shapes, indices in range and ascending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Best: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32], Floats]

__all__ = ["top_n", "top_n_of_lists"]

BLOCK_NUMBERS = 1 << 16
"""Scores at a time: they stay in a cache while feature after feature is added."""


def top_n(
    row_factors: Floats,
    column_factors: Floats,
    column_biases: Floats | None,
    columns: NDArray[np.int32] | None,
    excluded_indptr: NDArray[np.int64] | None,
    excluded_indices: NDArray[np.int32] | None,
    n: int,
    n_threads: int,
) -> Best:
    """Return the best columns of each row: (counts, best, scores).

    Returns
    -------
    tuple of ndarray
        Described above.
    """
    results = _nothing(row_factors, n)
    n_columns = len(column_factors)
    if columns is None:
        columns = np.arange(n_columns, dtype=np.int32)
    if not n_columns:
        return results
    height = max(1, BLOCK_NUMBERS // n_columns)
    for start in range(0, len(row_factors), height):
        scores = _scores(row_factors[start : start + height], column_factors, column_biases)
        for row, of_row in enumerate(scores, start):
            excluded = _entries(excluded_indptr, excluded_indices, row)
            _keep_best(results, row, columns, of_row, excluded, n)
    return results


def top_n_of_lists(
    row_factors: Floats,
    column_factors: Floats,
    column_biases: Floats | None,
    list_indptr: NDArray[np.int64],
    list_indices: NDArray[np.int32],
    excluded_indptr: NDArray[np.int64] | None,
    excluded_indices: NDArray[np.int32] | None,
    n: int,
    n_threads: int,
) -> Best:
    """Return the best columns of each row among those of its list: (counts, best, scores).

    Returns
    -------
    tuple of ndarray
        Described above.
    """
    results = _nothing(row_factors, n)
    for row, own in enumerate(row_factors):
        columns = _entries(list_indptr, list_indices, row)
        biases = None if column_biases is None else column_biases[columns]
        scores = _scores(own[np.newaxis], column_factors[columns], biases)[0]
        excluded = _entries(excluded_indptr, excluded_indices, row)
        _keep_best(results, row, columns, scores, excluded, n)
    return results


def _scores(rows: Floats, columns: Floats, biases: Floats | None) -> Floats:
    """Return the scores of all columns for some rows.

    Not by a product of matrices: BLAS sums in an order that depends on the shape, and equal columns
    might get scores that differ in their last bits.
    """
    scores: Floats = np.zeros((len(rows), len(columns)), dtype=rows.dtype)
    if biases is not None:
        scores += biases
    for of_rows, of_columns in zip(rows.T, np.ascontiguousarray(columns.T), strict=True):
        scores += of_rows[:, np.newaxis] * of_columns
    return scores


def _nothing(row_factors: Floats, n: int) -> Best:
    if n < 1 or row_factors.shape[1] < 1:
        raise ValueError(f"n is {n} and there are {row_factors.shape[1]} factors; give at least 1")
    n_rows = len(row_factors)
    return (
        np.zeros(n_rows, dtype=np.int64),
        np.zeros((n_rows, n), dtype=np.int32),
        np.zeros((n_rows, n), dtype=row_factors.dtype),
    )


def _entries(
    indptr: NDArray[np.int64] | None, indices: NDArray[np.int32] | None, row: int
) -> NDArray[np.int32]:
    if indptr is None or indices is None:
        return np.zeros(0, dtype=np.int32)
    return indices[indptr[row] : indptr[row + 1]]


def _keep_best(
    results: Best,
    row: int,
    columns: NDArray[np.int32],
    scores: Floats,
    excluded: NDArray[np.int32],
    n: int,
) -> None:
    """Store the best of some columns, given in ascending order, as those of a row."""
    counts, best, best_scores = results
    left = scores > -np.inf
    if len(excluded):
        places = np.searchsorted(columns, excluded)
        inside = places < len(columns)
        found = places[inside][columns[places[inside]] == excluded[inside]]
        left[found] = False
    places = np.flatnonzero(left)
    if len(places) > n:
        least = np.partition(scores[places], len(places) - n)[len(places) - n]
        places = places[scores[places] >= least]
    places = places[np.argsort(-scores[places], kind="stable")[:n]]
    counts[row] = len(places)
    best[row, : len(places)] = columns[places]
    best_scores[row, : len(places)] = scores[places]
