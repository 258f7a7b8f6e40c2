from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# float32 or float64, one of them in all arguments of a call. C order throughout.
Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = ["multiply", "row_sums", "set_simd_level"]

def set_simd_level(name: str) -> None: ...
def row_sums(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float64] | None,
    dense: NDArray[np.float64],
    out: NDArray[np.float64],
    n_threads: int,
) -> None: ...
def multiply(a: Floats, b: Floats, out: Floats, transposed: bool, n_threads: int) -> None: ...
