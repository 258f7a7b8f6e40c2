import numpy as np
from numpy.typing import NDArray

def posterior_levels(
    indptr: NDArray[np.int64],
    times: NDArray[np.float64],
    precisions: NDArray[np.float64],
    pulls: NDArray[np.float64],
    variance: float,
    time: float,
    means: NDArray[np.float64] | None,
    covariances: NDArray[np.float64] | None,
    n_threads: int,
) -> float: ...
