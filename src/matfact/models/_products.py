"""Products of matrices of which one is tall, in double precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import products

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

__all__ = ["product"]


def product(
    a: NDArray[Any], b: NDArray[Any], n_threads: int, *, transposed: bool = False
) -> Doubles:
    """Return a b, or a' b if transposed.

    The threads of BLAS, which numpy's own product may use, go on in a loop when it has ended, and
    where cores are few or busy all kernels wait for them.

    Parameters
    ----------
    a : ndarray of shape (n, inner), or (inner, n) if transposed
    b : ndarray of shape (inner, k)
    n_threads : int
    transposed : bool, default=False

    Returns
    -------
    ndarray of float64, shape (n, k)
    """
    a = np.ascontiguousarray(a, dtype=np.float64)
    b = np.ascontiguousarray(b, dtype=np.float64)
    out = np.empty((a.shape[int(transposed)], b.shape[1]))
    products.multiply(a, b, out, transposed, n_threads)
    return out
