from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# float32 or float64, one of them in all arguments of a call. C order throughout.
Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = ["arrange", "epoch", "is_taken", "set_simd_level"]

def set_simd_level(name: str) -> None: ...
def is_taken(
    user_indptr: NDArray[np.int64],
    user_indices: NDArray[np.int32],
    users: NDArray[np.int32],
    others: NDArray[np.int32],
    n_threads: int,
) -> NDArray[np.uint8]: ...
def arrange(
    user_indptr: NDArray[np.int64],
    user_indices: NDArray[np.int32],
    others: NDArray[np.int32],
    n_items: int,
    n_blocks: int,
) -> tuple[NDArray[np.void], NDArray[np.int64]]: ...
def epoch(
    triples: NDArray[np.void],
    task_indptr: NDArray[np.int64],
    strata_order: NDArray[np.int64],
    user_factors: Floats,
    item_factors: Floats,
    item_biases: Floats,
    user_squares: Floats,
    item_squares: Floats,
    learning_rate: float,
    bias_learning_rate: float,
    regularization: float,
    bias_regularization: float,
    adaptive: bool,
    n_threads: int,
) -> float: ...
