from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# float32 or float64, one of them in all arguments of a call. C order throughout.
Floats: TypeAlias = NDArray[np.floating[Any]]

# int32 or int64, the same for users and items.
Places: TypeAlias = NDArray[np.int32] | NDArray[np.int64]

__all__ = ["predict_pairs", "residuals", "set_simd_level", "squared_errors"]

def set_simd_level(name: str) -> None: ...
def predict_pairs(
    users: Places,
    items: Places,
    user_factors: Floats,
    item_factors: Floats,
    user_biases: Floats | None,
    item_biases: Floats | None,
    center: float,
    n_threads: int,
) -> NDArray[np.float64]: ...
def squared_errors(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    weights: Floats | None,
    row_factors: Floats,
    column_factors: Floats,
    row_biases: Floats | None,
    column_biases: Floats | None,
    center: float,
    n_threads: int,
) -> NDArray[np.float64]: ...
def residuals(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    row_factors: Floats,
    column_factors: Floats,
    row_biases: Floats | None,
    column_biases: Floats | None,
    center: float,
    n_threads: int,
) -> Floats: ...
