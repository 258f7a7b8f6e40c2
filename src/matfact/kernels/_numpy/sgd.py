"""Stochastic gradient descent on ratings, in place: numpy kernels.

The same functions in the same order of updates as in ``_cython/sgd.pyx``, which describes them.
Results agree to rounding. Ratings that have no user or item in common do not see each other's
updates, so those of a stratum are put into waves (`_waves`) and a wave is trained at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Integers: TypeAlias = NDArray[np.integer[Any]]

__all__ = ["arrange", "epoch"]

STREAMS = 8


def _node_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype([("user", np.int32), ("item", np.int32), ("rating", dtype)])


def _cut(indptr: NDArray[np.int64], n_blocks: int) -> NDArray[np.int64]:
    """Cut rows into blocks of about as many entries: where each block starts, and the end."""
    total = int(indptr[-1])
    cuts = np.searchsorted(indptr, [total * block // n_blocks for block in range(n_blocks + 1)])
    cuts[n_blocks] = len(indptr) - 1
    return cuts.astype(np.int64)


def arrange(
    user_indptr: NDArray[np.int64],
    user_indices: NDArray[np.int32],
    user_values: Floats,
    n_items: int,
    n_blocks: int,
) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Sort ratings into a grid of blocks, in the order of training: (nodes, block_indptr)."""
    counts = np.diff(user_indptr)
    item_counts = np.bincount(user_indices, minlength=n_items)
    item_indptr = np.concatenate([[0], np.cumsum(item_counts)])
    blocks = np.arange(n_blocks)
    block_of_user = np.repeat(blocks, np.diff(_cut(user_indptr, n_blocks)))
    block_of_item = np.repeat(blocks, np.diff(_cut(item_indptr, n_blocks)))
    block = np.repeat(block_of_user, counts) * n_blocks + block_of_item[user_indices]

    nodes = np.empty(len(user_indices), dtype=_node_type(user_values.dtype))
    nodes["user"] = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    nodes["item"] = user_indices
    nodes["rating"] = user_values
    sizes = np.bincount(block, minlength=n_blocks * n_blocks)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    by_block = np.argsort(block, kind="stable")
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        ranks = np.arange(end - start)
        dealt = np.argsort(dealt_places(end - start), kind="stable")
        by_block[start:end] = by_block[start:end][ranks[dealt]]
    return nodes[by_block], starts


def dealt_places(count: int) -> NDArray[np.intp]:
    """Where each of `count` ratings of a block goes: 0, STREAMS, 2 STREAMS, ..., 1, ..."""
    places = np.arange(count)
    return np.concatenate([places[stream::STREAMS] for stream in range(STREAMS)])


@dataclass(eq=False)
class _Side:
    """Users or items during an epoch."""

    factors: Floats
    biases: Floats
    squares: Floats
    adaptive: bool

    def steps(self, rows: Integers, rate: float, bias_rate: float) -> tuple[Floats, Floats]:
        """Return the steps of factors and bias of each row."""
        rates = np.array([rate, bias_rate], dtype=self.factors.dtype)
        steps = (
            rates / np.sqrt(self.squares[rows]) if self.adaptive else np.tile(rates, (len(rows), 1))
        )
        return steps[:, :1], steps[:, 1]

    def move(
        self, rows: Integers, steps: tuple[Floats, Floats], gradient: Floats, bias_gradient: Floats
    ) -> None:
        """Take one step at each row, which are distinct."""
        step, bias_step = steps
        self.factors[rows] += step * gradient
        self.biases[rows] += bias_step * bias_gradient
        if self.adaptive:
            self.squares[rows, 0] += np.einsum("ij,ij->i", gradient, gradient) / gradient.shape[1]
            self.squares[rows, 1] += bias_gradient * bias_gradient

    def is_finite(self) -> bool:
        return all(
            bool(np.isfinite(array).all()) for array in (self.factors, self.biases, self.squares)
        )


def _waves(users: Integers, items: Integers, n_users: int, n_items: int) -> list[Integers]:
    """Split ratings into waves: after all earlier ratings of the same user or item.

    No two ratings of a wave have a user or item in common.
    """
    next_of_user = [0] * n_users
    next_of_item = [0] * n_items
    wave_of = []
    for user, item in zip(users.tolist(), items.tolist(), strict=True):
        wave = max(next_of_user[user], next_of_item[item])
        next_of_user[user] = next_of_item[item] = wave + 1
        wave_of.append(wave)
    if not wave_of:
        return []
    waves = np.array(wave_of)
    order = np.argsort(waves, kind="stable")
    return np.split(order, np.cumsum(np.bincount(waves))[:-1])


def epoch(  # noqa: PLR0917 (arrays in, arrays out)
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
) -> float:
    """Train one epoch: the sum of squared errors, each before its update; nan if it fails.

    After a value that is not finite the result is nan and nothing has changed; nor has it after an
    exception (Ctrl-C).
    """
    arrays = user_factors, user_biases, user_squares, item_factors, item_biases, item_squares
    copies = [array.copy() for array in arrays]
    users, items = (
        _Side(factors, biases, squares, adaptive)
        for factors, biases, squares in (copies[:3], copies[3:])
    )
    mean = float(user_factors.dtype.type(mean))
    blocks = np.arange(len(strata_order))
    n_blocks = len(blocks)
    total = 0.0
    with np.errstate(all="ignore"):  # what is not finite shows in the result
        for stratum in strata_order:
            chosen = blocks * n_blocks + (blocks + stratum) % n_blocks
            part = np.concatenate(
                [nodes[block_indptr[block] : block_indptr[block + 1]] for block in chosen]
            )
            for wave in _waves(part["user"], part["item"], len(user_factors), len(item_factors)):
                user, item, rating = (part[name][wave] for name in ("user", "item", "rating"))
                p, q = users.factors[user], items.factors[item]
                b, c = users.biases[user], items.biases[item]
                error = rating - mean - b - c - np.einsum("ij,ij->i", p, q)
                total += float(np.dot(error, error))
                e = error[:, None]
                user_steps = users.steps(user, learning_rate, bias_learning_rate)
                item_steps = items.steps(item, learning_rate, bias_learning_rate)
                users.move(
                    user, user_steps, e * q - regularization * p, error - bias_regularization * b
                )
                items.move(
                    item, item_steps, e * p - regularization * q, error - bias_regularization * c
                )
    if not (np.isfinite(total) and users.is_finite() and items.is_finite()):
        return float("nan")
    before = [array.copy() for array in arrays]
    try:
        assign(arrays, copies)
    except BaseException:  # Ctrl-C between two arrays
        assign(arrays, before)
        raise
    return total


def assign(arrays: Sequence[Floats], values: Sequence[Floats]) -> None:
    for array, value in zip(arrays, values, strict=True):
        array[:] = value
