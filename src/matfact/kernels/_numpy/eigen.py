"""Eigenvalues and eigenvectors of a symmetric matrix: numpy kernels.

See the compiled twin for the arguments; `n_threads` is ignored: numpy's BLAS has its own pool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

__all__ = ["eigh"]


def eigh(matrix: Doubles, values: Doubles, vectors: Doubles, n_threads: int) -> bool:
    """Compute eigenvalues and eigenvectors; return whether that succeeded."""
    if not np.isfinite(matrix).all():
        return False
    try:
        values[...], vectors[...] = np.linalg.eigh(matrix)
    except np.linalg.LinAlgError:
        return False
    return True
