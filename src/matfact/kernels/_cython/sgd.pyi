from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# float32 or float64, one of them in all arguments of a call. C order throughout.
Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = ["arrange", "epoch", "set_simd_level"]

def set_simd_level(name: str) -> None: ...
def arrange(
    user_indptr: NDArray[np.int64],
    user_indices: NDArray[np.int32],
    user_values: Floats,
    n_items: int,
    n_blocks: int,
) -> tuple[NDArray[np.void], NDArray[np.int64]]: ...
def epoch(
    nodes: NDArray[np.void],
    block_indptr: NDArray[np.int64],
    strata_order: NDArray[np.int64],
    user_factors: Floats,
    item_factors: Floats,
    user_biases: Floats,
    item_biases: Floats,
    user_squares: Floats,
    item_squares: Floats,
    mean: float,
    learning_rate: float,
    bias_learning_rate: float,
    regularization: float,
    bias_regularization: float,
    adaptive: bool,
    n_threads: int,
) -> float: ...
