"""Bayesian personalized ranking by stochastic gradient descent: the numpy twin of `bpr`.

The same functions, on the same arguments, as in ``_cython/bpr.pyx``, which describes them. Results
agree to rounding. Triples that have no user or item in common do not see each other's updates, so
those of a stratum are put into waves and a wave is trained at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from matfact.kernels._numpy.sgd import assign, dealt_places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = ["arrange", "epoch", "is_taken"]

TRIPLE = np.dtype([("user", np.int32), ("item", np.int32), ("other", np.int32)])


def is_taken(
    user_indptr: NDArray[np.int64],
    user_indices: NDArray[np.int32],
    users: NDArray[np.int32],
    others: NDArray[np.int32],
    n_threads: int,
) -> NDArray[np.uint8]:
    """Tell for each pair of a user and an item whether the user has the item: uint8.

    Returns
    -------
    ndarray of uint8
    """
    rows = np.repeat(np.arange(len(user_indptr) - 1), np.diff(user_indptr))
    width = 1 + max(int(user_indices.max(initial=0)), int(others.max(initial=0)))
    keys = rows * width + user_indices  # ascending
    wanted = users.astype(np.int64) * width + others
    places = np.searchsorted(keys, wanted)
    places[places == len(keys)] = 0
    if not len(keys):
        return np.zeros(len(others), dtype=np.uint8)
    taken: NDArray[np.uint8] = ((keys[places] == wanted) & (others >= 0)).astype(np.uint8)
    return taken


def _blocks(indptr: NDArray[np.int64], n_blocks: int) -> NDArray[np.int32]:
    """Return the block of each row, blocks being cut so that they have about as many entries."""
    total = int(indptr[-1])
    cuts = np.searchsorted(indptr, [total * block // n_blocks for block in range(n_blocks + 1)])
    cuts[n_blocks] = len(indptr) - 1
    return np.repeat(np.arange(n_blocks, dtype=np.int32), np.diff(cuts))


def _tasks_of_blocks(n_blocks: int) -> tuple[NDArray[np.int32], int]:
    """Return the task of (user block, item block, other item block), and the number of tasks.

    Rounds of a tournament by the circle method; its pairs are numbered 0 .. n_blocks / 2 - 1.
    """
    pairs, last = n_blocks // 2, n_blocks - 1
    b, c = np.sort(np.indices((n_blocks, n_blocks)), axis=0)
    rounds = np.where(c == last, b, (b + c) * pairs % last)
    away = (b - rounds) % last
    pair = np.where(c == last, 0, np.minimum(away, last - away))
    rounds, pair = np.where(b == c, (last + b // pairs, b % pairs), (rounds, pair))
    stratum = rounds * pairs + (np.arange(pairs)[:, None, None] - pair) % pairs
    return (stratum * pairs + pair).astype(np.int32), (n_blocks + 1) * pairs * pairs


def arrange(
    user_indptr: NDArray[np.int64],
    user_indices: NDArray[np.int32],
    others: NDArray[np.int32],
    n_items: int,
    n_blocks: int,
) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Sort triples into tasks, in the order of training: (triples, task_indptr).

    Returns
    -------
    tuple of ndarray
    """
    if n_blocks % 2:
        raise ValueError(f"n_blocks is {n_blocks}; it must be even")
    task_of, n_tasks = _tasks_of_blocks(n_blocks)
    counts = np.bincount(user_indices, minlength=n_items) + max(1, len(user_indices) // n_items)
    item_block = _blocks(np.concatenate([[0], np.cumsum(counts)]), n_blocks)
    user_block = _blocks(user_indptr, n_blocks // 2)
    used = others >= 0
    users = np.repeat(np.arange(len(user_indptr) - 1, dtype=np.int32), np.diff(user_indptr))[used]
    triples = np.empty(len(users), dtype=TRIPLE)
    triples["user"], triples["item"], triples["other"] = users, user_indices[used], others[used]
    task = task_of[user_block[users], item_block[triples["item"]], item_block[triples["other"]]]
    sizes = np.bincount(task, minlength=n_tasks)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    order = np.argsort(task, kind="stable")
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        order[start:end] = order[start:end][np.argsort(dealt_places(end - start), kind="stable")]
    return triples[order], starts


def _waves(part: NDArray[np.void], n_users: int, n_items: int) -> list[NDArray[np.int64]]:
    """Split triples into waves: after all earlier ones that have a user or an item in common."""
    next_of_user, next_of_item = [0] * n_users, [0] * n_items
    wave_of = []
    for user, item, other in part.tolist():
        wave = max(next_of_user[user], next_of_item[item], next_of_item[other])
        next_of_user[user] = next_of_item[item] = next_of_item[other] = wave + 1
        wave_of.append(wave)
    waves = np.array(wave_of, dtype=np.int64)
    order = np.argsort(waves, kind="stable")
    return np.split(order, np.cumsum(np.bincount(waves))[:-1]) if len(waves) else []


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
) -> float:
    """Train one epoch: the sum of -log sigmoid(x), each before its update; nan if it fails.

    After a value that is not finite the result is nan and nothing has changed; nor has it after an
    exception (Ctrl-C).

    Returns
    -------
    float
    """
    arrays = user_factors, item_factors, item_biases, user_squares, item_squares
    copies = [array.copy() for array in arrays]
    n_pairs = (len(task_indptr) - 1) // len(strata_order)
    rates = np.array([learning_rate, bias_learning_rate], dtype=user_factors.dtype)
    total = 0.0
    with np.errstate(all="ignore"):  # what is not finite shows in the result
        for stratum in strata_order.tolist():
            tasks = stratum * n_pairs, (stratum + 1) * n_pairs
            part = triples[task_indptr[tasks[0]] : task_indptr[tasks[1]]]
            for wave in _waves(part, len(user_factors), len(item_factors)):
                total += _train_wave(
                    copies, part[wave], rates, (regularization, bias_regularization), adaptive
                )
    if not (np.isfinite(total) and all(bool(np.isfinite(array).all()) for array in copies)):
        return float("nan")
    before = [array.copy() for array in arrays]
    try:
        assign(arrays, copies)
    except BaseException:  # Ctrl-C between two arrays
        assign(arrays, before)
        raise
    return total


def _train_wave(
    arrays: list[Floats],
    wave: NDArray[np.void],
    rates: Floats,
    penalties: tuple[float, float],
    adaptive: bool,
) -> float:
    """Update the rows of triples that have none in common; return the sum of their losses."""
    factors_of_users, factors_of_items, biases, user_squares, item_squares = arrays
    user, item, other = wave["user"], wave["item"], wave["other"]
    p, q, z = factors_of_users[user], factors_of_items[item], factors_of_items[other]
    x = biases[item] - biases[other] + np.einsum("ij,ij->i", p, q) - np.einsum("ij,ij->i", p, z)
    e = np.exp(-np.abs(x))
    s = np.where(x > 0, e / (1 + e), 1 / (1 + e)).astype(x.dtype)
    loss = np.log1p(e.astype(np.float64)).sum() + np.maximum(-x.astype(np.float64), 0).sum()
    slope = s[:, None]
    moves = (
        (factors_of_users, user_squares, user, slope * (q - z) - penalties[0] * p),
        (factors_of_items, item_squares, item, slope * p - penalties[0] * q),
        (factors_of_items, item_squares, other, -slope * p - penalties[0] * z),
    )
    bias_moves = (
        (item, s - penalties[1] * biases[item]),
        (other, -s - penalties[1] * biases[other]),
    )
    for rows, gradient in bias_moves:
        step = rates[1] / np.sqrt(item_squares[rows, 1]) if adaptive else rates[1]
        biases[rows] += step * gradient
        if adaptive:
            item_squares[rows, 1] += gradient * gradient
    for factors, squares, rows, gradient in moves:
        step = rates[0] / np.sqrt(squares[rows, :1]) if adaptive else rates[0]
        factors[rows] += step * gradient
        if adaptive:
            squares[rows, 0] += np.einsum("ij,ij->i", gradient, gradient) / gradient.shape[1]
    return float(loss)
