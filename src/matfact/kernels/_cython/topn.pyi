from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# float32 or float64, one of them in all arguments of a call. C order throughout.
Floats: TypeAlias = NDArray[np.floating[Any]]

Best: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32], Floats]

__all__ = ["set_simd_level", "top_n", "top_n_of_lists"]

def set_simd_level(name: str) -> None: ...
def top_n(
    row_factors: Floats,
    column_factors: Floats,
    column_biases: Floats | None,
    columns: NDArray[np.int32] | None,
    excluded_indptr: NDArray[np.int64] | None,
    excluded_indices: NDArray[np.int32] | None,
    n: int,
    n_threads: int,
) -> Best: ...
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
) -> Best: ...
