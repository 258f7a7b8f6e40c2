"""Sweeps over the cells of a sparse pattern, for the numpy `gd` kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import DTypeLike, NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]

BLOCK_CELLS = 1 << 13
"""Cells of a block: its arrays stay in the cache and below malloc's threshold for fresh pages."""


class Block(NamedTuple):
    """Whole rows of a pattern, together about BLOCK_CELLS cells."""

    rows: slice
    cells: slice
    columns: NDArray[np.intp]
    counts: NDArray[np.int64]  # cells of each row
    nonempty: NDArray[np.intp] | None  # rows that have cells, if not all have
    starts: NDArray[np.int64]  # first cell of each such row

    def spread(self, per_row: Floats) -> Floats:
        """Repeat one value per row for all cells of the row."""
        return np.repeat(per_row, self.counts)

    def sums(self, per_cell: Floats) -> Floats:
        """Add the values of the cells of each row; 0 for a row without cells."""
        if self.nonempty is None:
            return np.add.reduceat(per_cell, self.starts)
        sums = np.zeros(len(self.counts), dtype=per_cell.dtype)
        if len(self.starts):
            # reduceat answers the next cell, not 0, for an empty row.
            sums[self.nonempty] = np.add.reduceat(per_cell, self.starts)
        return sums


class Cells:
    """A sparse pattern in compressed rows, prepared for sweeps over its rows.

    Parameters
    ----------
    indptr : ndarray of int64, shape (n_rows + 1,)
    indices : ndarray of int32, shape (n_cells,)
    dtype : dtype of the factors and values
    """

    def __init__(
        self, indptr: NDArray[np.int64], indices: NDArray[np.int32], dtype: DTypeLike
    ) -> None:
        self._blocks = list(_cut(indptr, indices))
        self._dtype = np.dtype(dtype)

    def swept(
        self,
        factors: Floats,
        others: Floats,
        values: Floats | None,
        step: float,
        dense: tuple[Floats, Floats] | None = None,
    ) -> Floats:
        """Return the factors of the rows after one sweep.

        Parameters
        ----------
        factors : ndarray of shape (k, n_rows)
        others : ndarray of shape (k, n_columns)
            Factors of the other side.
        values : ndarray of shape (n_cells,) or None
            Values of the cells; None if all are 0.
        step : float
        dense : (product, gram) or None
            If given, the cells are the missing ones of a full matrix: the step is that of the
            full sweep, ``product_f - gram_f F``, without the part of these cells.

        Returns
        -------
        ndarray of shape (k, n_rows)
        """
        factors = factors.copy()
        last = len(factors) - 1
        for block, error in self._prepared(factors, others, values):
            own = factors[:, block.rows]
            part = np.empty_like(error)
            for feature, other in enumerate(others):
                column = other.take(block.columns)
                np.multiply(error, column, out=part)
                change = block.sums(part)
                if dense is not None:
                    product, gram = dense
                    np.subtract(product[feature, block.rows], change, out=change)
                    change -= gram[feature] @ own
                change *= step
                own[feature] += change
                if feature < last:
                    np.multiply(block.spread(change), column, out=part)
                    error -= part
        return factors

    def errors(self, factors: Floats, others: Floats, values: Floats) -> Iterator[Floats]:
        """Yield value minus prediction for the cells, block by block."""
        for _, error in self._prepared(factors, others, values):
            yield error

    def _prepared(
        self, factors: Floats, others: Floats, values: Floats | None
    ) -> Iterator[tuple[Block, Floats]]:
        """Yield each block with value minus prediction for its cells."""
        for block in self._blocks:
            if values is None:
                error = np.zeros(len(block.columns), dtype=self._dtype)
            else:
                error = values[block.cells].copy()
            for own, other in zip(factors[:, block.rows], others, strict=True):
                part = other.take(block.columns)
                part *= block.spread(own)
                error -= part
            yield block, error


def _cut(indptr: NDArray[np.int64], indices: NDArray[np.int32]) -> Iterator[Block]:
    """Cut the rows into blocks of about BLOCK_CELLS cells, at least one row each."""
    n_rows = len(indptr) - 1
    first = 0
    while first < n_rows:
        limit = indptr[first] + BLOCK_CELLS
        end = max(first + 1, int(np.searchsorted(indptr, limit, side="right")) - 1)
        counts = np.diff(indptr[first : end + 1])
        starts = indptr[first:end] - indptr[first]
        nonempty = None
        if not counts.all():
            (nonempty,) = np.nonzero(counts)
            starts = starts[nonempty]
        cells = slice(int(indptr[first]), int(indptr[end]))
        columns = indices[cells].astype(np.intp)
        yield Block(slice(first, end), cells, columns, counts, nonempty, starts)
        first = end
