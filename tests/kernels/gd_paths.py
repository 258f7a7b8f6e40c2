"""Run one of the four paths of the `gd` kernels on a ratings matrix with NaN."""

from dataclasses import dataclass

import numpy as np

FULL_PATHS = ("full", "compressed")  # no cell is missing
MASKED_PATHS = ("filled", "observed")
PATHS = FULL_PATHS + MASKED_PATHS
MISSING = {"full": 0.0, "compressed": 0.0, "filled": 0.2, "observed": 0.7}
"""A fraction of missing cells that suits each path."""


@dataclass(eq=False)
class Outcome:
    finished: int
    users: np.ndarray
    items: np.ndarray

    def has_the_bits_of(self, other):
        return (
            self.finished == other.finished
            and self.users.tobytes() == other.users.tobytes()
            and self.items.tobytes() == other.items.tobytes()
        )


def rows_of(cells):
    """Return the True cells of a mask as (indptr, indices)."""
    lists = [np.flatnonzero(row) for row in cells]
    indptr = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return indptr, np.concatenate([*lists, []]).astype(np.int32)


def frozen(*arrays):
    """Return read-only copies in C order."""
    copies = [np.array(array, order="C") for array in arrays]
    for copy in copies:
        copy.flags.writeable = False
    return copies


def run_path(kernel, path, ratings, users, items, user_step, item_step, n_iterations, n_threads=1):
    """Return the Outcome of a path. Arguments stay as they are; kernels get read-only inputs."""
    users, items = users.copy(), items.copy()
    rest = users, items, user_step, item_step, n_iterations, n_threads
    if path == "full":
        finished = kernel.full_iterations(*frozen(ratings), *rest)
    elif path == "filled":
        missing = np.isnan(ratings)
        inputs = np.where(missing, 0, ratings), *rows_of(missing), *rows_of(missing.T)
        finished = kernel.filled_iterations(*frozen(*inputs), *rest)
    elif path == "observed":
        finished = kernel.observed_iterations(*frozen(*observed_arrays(ratings)), *rest)
    else:
        finished = _run_compressed(kernel, ratings, *rest)
    return Outcome(finished, users, items)


def observed_arrays(ratings):
    """Return user_indptr, user_indices, user_values, item_indptr, item_indices, item_values."""
    present = ~np.isnan(ratings)
    by_user = *rows_of(present), ratings[present]
    by_item = *rows_of(present.T), ratings.T[present.T]
    return *by_user, *by_item


def compressed_inputs(kernel, ratings, users, items, n_threads=1):
    """Return long_is_users, the long factors and what `compress` makes of them."""
    long_is_users = len(ratings) >= ratings.shape[1]
    long = users if long_is_users else items
    n_short, n_features = min(ratings.shape), len(items)
    gram = np.empty((n_short, n_short), dtype=ratings.dtype)
    cross = np.empty((n_short, n_features), dtype=ratings.dtype)
    long_gram = np.empty((n_features, n_features))
    kernel.compress(
        *frozen(ratings), long_is_users, *frozen(long), gram, cross, long_gram, n_threads
    )
    return long_is_users, long, gram, cross, long_gram


def _run_compressed(kernel, ratings, users, items, user_step, item_step, n_iterations, n_threads):
    """Run the compressed path and write the factors into `users` and `items`."""
    inputs = compressed_inputs(kernel, ratings, users, items, n_threads)
    long_is_users, long, gram, cross, long_gram = inputs
    short = np.array(items.T if long_is_users else users, order="C")
    weights = np.zeros_like(short)
    carry = np.eye(short.shape[1])
    finished = kernel.compressed_iterations(
        *frozen(gram, cross, long_gram),
        long_is_users,
        short,
        weights,
        carry,
        user_step,
        item_step,
        n_iterations,
        n_threads,
    )
    out = np.empty_like(long)
    kernel.expand(*frozen(ratings), long_is_users, *frozen(weights, carry, long), out, n_threads)
    long[...] = out
    if long_is_users:
        items[...] = short.T
    else:
        users[...] = short
    return finished
