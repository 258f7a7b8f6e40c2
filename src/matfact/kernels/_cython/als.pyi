from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

# float32 or float64, one of them in all arguments of a call. C order throughout.
Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = [
    "CHOLESKY",
    "CONJUGATE_GRADIENT",
    "NON_NEGATIVE",
    "SUBSPACE",
    "gram_matrix",
    "set_simd_level",
    "solve_rows",
]

CHOLESKY: Final = 0
CONJUGATE_GRADIENT: Final = 1
NON_NEGATIVE: Final = 2
SUBSPACE: Final = 3

def set_simd_level(name: str) -> None: ...
def solve_rows(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: Floats,
    weights: Floats | None,
    other_factors: Floats,
    other_biases: Floats | None,
    own_factors: Floats,
    own_biases: Floats | None,
    center: float,
    ridge: Floats,
    bias_ridge: Floats | None,
    gram: NDArray[np.float64] | None,
    method: int,
    n_steps: int,
    n_threads: int,
) -> int: ...
def gram_matrix(factors: Floats, n_threads: int) -> NDArray[np.float64]: ...
