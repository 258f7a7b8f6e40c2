import numpy as np
from numpy.typing import NDArray

__all__ = ["row_sums"]

def row_sums(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float64] | None,
    dense: NDArray[np.float64],
    out: NDArray[np.float64],
    n_threads: int,
) -> None: ...
