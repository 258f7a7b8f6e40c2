# length: the signatures of the compiled twin, written out and documented
"""Dense gradient descent with in-place steps: the numpy twin of the compiled `gd` kernels.

Model: ``ratings[i, j] ~ user_factors[i, :] @ item_factors[:, j]``. Objective: the sum of squared
errors over the cells that are present. One iteration is a user sweep followed by an item sweep;
a sweep takes one scalar after another, each step seeing the ones before it::

    for f in features:    # for every user i
        user_factors[i, f] += user_step * sum_j (r_ij - p_ij) * item_factors[f, j]

with ``user_step = 2 * learning_rate / n_items`` and, for the items,
``item_step = 2 * learning_rate / n_users``. The rows of a side do not depend on one another, only
the features do, so a sweep runs over the features and treats all rows at once. Written with
``B = R V'`` and the Gram matrix ``G = V V'``, the step of all users for feature f is
``U_f += user_step * (B_f - (U G)_f)``, U holding the newest values (algorithms.md, section 0).

Arguments, the same in all functions:

===================  ==============================  ===========================================
ratings              float32 or float64 (n, m)       NaN only where a function says so
user_factors         dtype of the ratings (n, k)     in-out where a function says so
item_factors         dtype of the ratings (k, m)     in-out where a function says so
*_indptr             int64 (rows + 1)                starts of the rows of a sparse pattern
*_indices            int32 (cells)                   column of each cell
*_values             dtype of the ratings (cells)    value of each cell
user_step            float                           0 skips the user sweep
item_step            float                           0 skips the item sweep
n_threads            int                             ignored: numpy's BLAS has its own pool
===================  ==============================  ===========================================

Preconditions, checked by the caller: C order, matching shapes, indices in range, values finite.

The functions ``*_iterations`` return the number of finished iterations. Fewer than asked for means
that the next one gave a value that is not finite. Then, and after KeyboardInterrupt, the in-out
arrays hold the state of the last finished iteration: an iteration makes new arrays, and they are
copied into the caller's only when the function leaves.

Inside, both factor matrices are feature-major ("users" (k, n), "items" (k, m)): a feature is one
contiguous row. Large products are cut into blocks, because Python handles Ctrl-C between two calls
of numpy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from matfact.kernels._numpy._cells import Cells
from matfact.kernels._numpy._dense import blocks, run, swept, times_items, times_users

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.kernels._numpy._dense import State

    Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = [
    "compress",
    "compressed_iterations",
    "expand",
    "filled_iterations",
    "full_iterations",
    "observed_iterations",
    "observed_squared_error",
    "squared_error",
]

BLOCK_CELLS = 1 << 15
"""Cells of a dense block on which several operations are done, so that it stays in the cache."""


def full_iterations(
    ratings: Floats,
    user_factors: Floats,
    item_factors: Floats,
    user_step: float,
    item_step: float,
    n_iterations: int,
    n_threads: int,
) -> int:
    """Run iterations over ratings without missing cells.

    `user_factors` and `item_factors` are updated in place. Costs two products, that is
    ``2 n m k`` multiply-adds, an iteration.

    Returns
    -------
    int
        Number of finished iterations.
    """

    def iterate(users: Floats, items: Floats) -> State:
        if user_step:
            users = swept(users, times_items(ratings, items), items @ items.T, user_step)
        if item_step:
            items = swept(items, times_users(ratings, users), users @ users.T, item_step)
        return users, items

    return run(iterate, (user_factors.T, item_factors), n_iterations)


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
) -> int:
    """Run iterations over ratings with some missing cells, which are zero there and listed.

    The index arrays list the missing items of each user and the missing users of each item.
    `user_factors` and `item_factors` are updated in place. The gradient is that of the full matrix
    without the part of the missing cells, whose error is ``0 - p_ij``. Costs ``2 n m k``
    multiply-adds and about ``6 k`` for each missing cell.

    Returns
    -------
    int
        Number of finished iterations.
    """
    of_users = Cells(user_indptr, user_indices, ratings.dtype)
    of_items = Cells(item_indptr, item_indices, ratings.dtype)

    def iterate(users: Floats, items: Floats) -> State:
        if user_step:
            dense = times_items(ratings, items), items @ items.T
            users = of_users.swept(users, items, None, user_step, dense)
        if item_step:
            dense = times_users(ratings, users), users @ users.T
            items = of_items.swept(items, users, None, item_step, dense)
        return users, items

    return run(iterate, (user_factors.T, item_factors), n_iterations)


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
) -> int:
    """Run iterations over the observed cells only.

    The index arrays list the items that each user rated and the users that rated each item.
    `user_factors` and `item_factors` are updated in place; a row without ratings is left alone.
    Costs about ``6 k`` multiply-adds for each rating, an iteration.

    Returns
    -------
    int
        Number of finished iterations.
    """
    of_users = Cells(user_indptr, user_indices, user_values.dtype)
    of_items = Cells(item_indptr, item_indices, item_values.dtype)

    def iterate(users: Floats, items: Floats) -> State:
        if user_step:
            users = of_users.swept(users, items, user_values, user_step)
        if item_step:
            items = of_items.swept(items, users, item_values, item_step)
        return users, items

    return run(iterate, (user_factors.T, item_factors), n_iterations)


def compress(
    ratings: Floats,
    long_is_users: bool,
    long_factors: Floats,
    gram: Floats,
    cross: Floats,
    long_gram: NDArray[np.float64],
    n_threads: int,
) -> None:
    """Compute the products of ratings and starting factors that compressed iterations need.

    With R' the ratings (q, p) and L the factors (q, k), both seen from the long side, fills
    ``gram = R'^T R'`` (p, p), ``cross = R'^T L`` (p, k) and ``long_gram = L^T L`` (k, k).
    `long_factors` has the shape of user_factors or item_factors, as `long_is_users` says.
    Costs ``q p (p / 2 + k)`` multiply-adds.
    """
    tall, long = (ratings, long_factors) if long_is_users else (ratings.T, long_factors.T)
    n_short, n_features = cross.shape
    gram[...] = 0
    cross[...] = 0
    with np.errstate(all="ignore"):
        for rows in blocks(len(tall), n_short * (n_short + n_features)):
            gram += tall[rows].T @ tall[rows]
            cross += tall[rows].T @ long[rows]
        wide = long.astype(np.float64)
        long_gram[...] = wide.T @ wide


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
) -> int:
    """Run iterations on compressed ratings; expand gives the factors of the long side.

    `gram`, `cross` and `long_gram` come from `compress`. The long factors stay of the form
    ``L = R' @ weights + L0 @ carry``, L0 being those given to `compress`; start with `weights`
    (p, k) zero and `carry` (k, k) the identity, and get L from `expand`. `short_factors` (p, k),
    `weights` and `carry` are updated in place. In these coordinates ``R' P`` is (P, 0), so the
    long sweep is the ordinary sweep of `weights` and of `carry`. Costs ``p p k`` multiply-adds an
    iteration, whatever the length of the long side.

    Returns
    -------
    int
        Number of finished iterations.
    """
    long_step, short_step = (user_step, item_step) if long_is_users else (item_step, user_step)

    def sweep_long(short: Floats, weights: Floats, carry: Floats) -> State:
        short_gram = short @ short.T
        weights = swept(weights, short, short_gram, long_step)
        carry = swept(carry, np.zeros_like(carry), short_gram.astype(carry.dtype), long_step)
        return short, weights, carry

    def sweep_short(short: Floats, weights: Floats, carry: Floats) -> State:
        from_start = carry.astype(cross.dtype)
        product = times_items(gram, weights) + from_start @ cross.T  # (R'^T L)^T
        long_square = weights @ product.T + carry @ (cross.T @ weights.T + long_gram @ carry.T)
        return swept(short, product, long_square.astype(short.dtype), short_step), weights, carry

    def iterate(short: Floats, weights: Floats, carry: Floats) -> State:
        state: State = short, weights, carry
        for is_long in (long_is_users, not long_is_users):
            if is_long and long_step:
                state = sweep_long(*state)
            if not is_long and short_step:
                state = sweep_short(*state)
        return state

    return run(iterate, (short_factors.T, weights.T, carry.T), n_iterations)


def expand(
    ratings: Floats,
    long_is_users: bool,
    weights: Floats,
    carry: NDArray[np.float64],
    initial_long_factors: Floats,
    out_long_factors: Floats,
    n_threads: int,
) -> None:
    """Compute the factors of the long side after compressed iterations.

    ``out_long_factors = R' @ weights + L0 @ carry``, L0 being `initial_long_factors`, both in the
    shape of user_factors or item_factors, as `long_is_users` says. Costs ``q k (p + k)``
    multiply-adds.
    """
    start, out = initial_long_factors, out_long_factors
    if not long_is_users:
        ratings, start, out = ratings.T, start.T, out.T
    carried = carry.astype(start.dtype)
    with np.errstate(all="ignore"):
        for rows in blocks(len(out), weights.size + carry.size):
            out[rows] = ratings[rows] @ weights + start[rows] @ carried


def squared_error(
    ratings: Floats, user_factors: Floats, item_factors: Floats, n_threads: int
) -> float:
    """Return the sum of squared errors over the cells that are not NaN.

    The errors have the dtype of the ratings, their squares are added in float64, block by block:
    no array of n x m cells is made.

    Returns
    -------
    float
        The sum; infinite or NaN only if a product of the factors is.
    """
    total = 0.0
    n_users, n_items = ratings.shape
    with np.errstate(all="ignore"):
        for rows in blocks(n_users, n_items, BLOCK_CELLS):
            error = ratings[rows] - user_factors[rows] @ item_factors
            error[np.isnan(ratings[rows])] = 0
            flat = error.ravel().astype(np.float64, copy=False)
            total += float(flat @ flat)
    return total


def observed_squared_error(
    user_indptr: NDArray[np.int64],
    user_indices: NDArray[np.int32],
    user_values: Floats,
    user_factors: Floats,
    item_factors: Floats,
    n_threads: int,
) -> float:
    """Return the sum of squared errors over the observed cells.

    The errors have the dtype of the ratings, their squares are added in float64.

    Returns
    -------
    float
        The sum; infinite or NaN only if a product of the factors is.
    """
    total = 0.0
    users = np.ascontiguousarray(user_factors.T)
    with np.errstate(all="ignore"):
        for error in Cells(user_indptr, user_indices, user_values.dtype).errors(
            users, item_factors, user_values
        ):
            flat = error.astype(np.float64, copy=False)
            total += float(flat @ flat)
    return total
