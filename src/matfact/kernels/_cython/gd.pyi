from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# float32 or float64, one of them in all arguments of a call. C order throughout.
Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = [
    "compress",
    "compressed_iterations",
    "expand",
    "filled_iterations",
    "full_iterations",
    "observed_iterations",
    "observed_squared_error",
    "set_simd_level",
    "squared_error",
]

def set_simd_level(name: str) -> None: ...
def full_iterations(
    ratings: Floats,
    user_factors: Floats,
    item_factors: Floats,
    user_step: float,
    item_step: float,
    n_iterations: int,
    n_threads: int,
) -> int: ...
def filled_iterations(
    ratings: Floats,
    user_indptr: NDArray[np.int64],
    user_indices: NDArray[np.int32],
    item_indptr: NDArray[np.int64],
    item_indices: NDArray[np.int32],
    user_factors: Floats,
    item_factors: Floats,
    user_step: float,
    item_step: float,
    n_iterations: int,
    n_threads: int,
) -> int: ...
def observed_iterations(
    user_indptr: NDArray[np.int64],
    user_indices: NDArray[np.int32],
    user_values: Floats,
    item_indptr: NDArray[np.int64],
    item_indices: NDArray[np.int32],
    item_values: Floats,
    user_factors: Floats,
    item_factors: Floats,
    user_step: float,
    item_step: float,
    n_iterations: int,
    n_threads: int,
) -> int: ...
def compress(
    ratings: Floats,
    long_is_users: bool,
    long_factors: Floats,
    gram: Floats,
    cross: Floats,
    long_gram: NDArray[np.float64],
    n_threads: int,
) -> None: ...
def compressed_iterations(
    gram: Floats,
    cross: Floats,
    long_gram: NDArray[np.float64],
    long_is_users: bool,
    short_factors: Floats,
    weights: Floats,
    carry: NDArray[np.float64],
    user_step: float,
    item_step: float,
    n_iterations: int,
    n_threads: int,
) -> int: ...
def expand(
    ratings: Floats,
    long_is_users: bool,
    weights: Floats,
    carry: NDArray[np.float64],
    initial_long_factors: Floats,
    out_long_factors: Floats,
    n_threads: int,
) -> None: ...
def squared_error(
    ratings: Floats, user_factors: Floats, item_factors: Floats, n_threads: int
) -> float: ...
def observed_squared_error(
    user_indptr: NDArray[np.int64],
    user_indices: NDArray[np.int32],
    user_values: Floats,
    user_factors: Floats,
    item_factors: Floats,
    n_threads: int,
) -> float: ...
