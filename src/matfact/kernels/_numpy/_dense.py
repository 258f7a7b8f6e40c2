"""Sweeps and products over whole matrices, and the loop over iterations, for the numpy kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    State: TypeAlias = tuple[Floats, ...]

BLOCK_MULTIPLY_ADDS = 1 << 26
"""Size of one product: some 10 ms on one slow core."""


def swept(factors: Floats, product: Floats, gram: Floats, step: float) -> Floats:
    """Return the factors (k, rows) after one sweep: F_f += step * (product_f - gram_f F)."""
    factors = factors.copy()
    product = step * product
    gram = step * gram
    for feature, row in enumerate(factors):
        row += product[feature] - gram[feature] @ factors
    return factors


def times_items(ratings: Floats, items: Floats) -> Floats:
    """Return items @ ratings.T, the product of the user sweep, of shape (k, n)."""
    out = np.empty((len(items), len(ratings)), dtype=items.dtype)
    for rows in blocks(len(ratings), items.size):
        out[:, rows] = items @ ratings[rows].T
    return out


def times_users(ratings: Floats, users: Floats) -> Floats:
    """Return users @ ratings, the product of the item sweep, of shape (k, m)."""
    n_users, n_items = ratings.shape
    out = np.zeros((len(users), n_items), dtype=users.dtype)
    for rows in blocks(n_users, len(users) * n_items):
        out += users[:, rows] @ ratings[rows]
    return out


def blocks(length: int, cost: int, budget: int = BLOCK_MULTIPLY_ADDS) -> Iterator[slice]:
    """Cut `length` rows that cost `cost` each into slices of at most `budget`, or of one row."""
    size = max(1, budget // max(1, cost))
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def run(iterate: Callable[..., State], outputs: State, n_iterations: int) -> int:
    """Iterate from the contents of `outputs`; write the last finite state back.

    Returns
    -------
    int
        Number of finished iterations, fewer than asked for if the next one is not finite.
    """
    state = tuple(np.array(output, order="C") for output in outputs)
    finished = 0
    try:
        with np.errstate(all="ignore"):
            while finished < n_iterations:
                following = iterate(*state)
                if not all(np.isfinite(array).all() for array in following):
                    break
                state = following
                finished += 1
    finally:
        _commit(outputs, state)
    return finished


def _commit(outputs: State, state: State) -> None:
    try:
        for output, array in zip(outputs, state, strict=True):
            output[...] = array
    except KeyboardInterrupt:
        # It may have come between two arrays, which must belong to one iteration.
        for output, array in zip(outputs, state, strict=True):
            output[...] = array
        raise
