"""Products with dense matrices: numpy kernels.

See the compiled twin for the arguments; `n_threads` is ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

__all__ = ["multiply", "row_sums"]

BLOCK_BYTES = 1 << 25
"""Of the gathered rows that are in memory at a time, about."""


def row_sums(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float64] | None,
    dense: NDArray[np.float64],
    out: NDArray[np.float64],
    n_threads: int,
) -> None:
    """Fill in the sum of value times dense row over the entries of each row."""
    out[...] = 0
    row_of_each = np.repeat(np.arange(len(out)), np.diff(indptr))
    step = max(1, BLOCK_BYTES // (8 * max(out.shape[1], 1)))
    for start in range(0, len(indices), step):
        some = slice(start, start + step)
        gathered = dense[indices[some]]
        if values is not None:
            gathered = gathered * values[some, np.newaxis]
        rows = row_of_each[some]
        firsts = np.flatnonzero(np.diff(rows, prepend=-1))
        out[rows[firsts]] += np.add.reduceat(gathered, firsts, axis=0)


def multiply(a: Floats, b: Floats, out: Floats, transposed: bool, n_threads: int) -> None:
    """Fill in the product a b, or that of the transpose of a with b."""
    np.matmul(a.T if transposed else a, b, out=out)
