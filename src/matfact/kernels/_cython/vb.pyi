from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

# float32 or float64, one of them in all arguments of a call. C order throughout.
Floats: TypeAlias = NDArray[np.floating[Any]]
Doubles: TypeAlias = NDArray[np.float64]

__all__ = ["draw_rows", "posterior_rows", "set_simd_level"]

def set_simd_level(name: str) -> None: ...
def posterior_rows(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    weights: Floats | None,
    other: Floats,
    offsets: Floats,
    noise_precision: float,
    precision: NDArray[np.float64],
    shift: NDArray[np.float64],
    column_covariances: Floats,
    column_last_rows: Floats | None,
    means: Floats,
    covariances: Floats | None,
    n_threads: int,
) -> tuple[int, Doubles, Doubles, float, Floats, Doubles]: ...
def draw_rows(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    weights: Floats | None,
    other: Floats,
    offsets: Floats,
    noise_precision: float,
    precision: NDArray[np.float64],
    shift: NDArray[np.float64],
    noise: Floats,
    means: Floats | None,
    drawn: Floats,
    n_threads: int,
) -> int: ...
