import numpy as np
from numpy.typing import NDArray

__all__ = ["eigh", "set_simd_level"]

def set_simd_level(name: str) -> None: ...
def eigh(
    matrix: NDArray[np.float64],
    values: NDArray[np.float64],
    vectors: NDArray[np.float64],
    n_threads: int,
) -> bool: ...
