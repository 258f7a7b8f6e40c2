"""The third opinion on every number: plain loops, written for clarity, that share no code with src.

`SeedFactorization` is the original class (https://gist.github.com/jdmoore7/
0d15bcdacdb6fa5b4b46c00821a76e21) with its lost words put back. The functions do the same on
arrays, with NaN for a missing rating, always in float64.
"""

import math
from functools import cache

import numpy as np

# Of factors and sums, relative to their size. NAIVE: against these loops; PARITY: compiled against
# the numpy twin; CLASSIC: the class against the loops after 50 iterations.
NAIVE = {np.dtype("float64"): 1e-10, np.dtype("float32"): 1e-4}
PARITY = {np.dtype("float64"): 1e-10, np.dtype("float32"): 1e-4}
CLASSIC = 1e-9


class SeedFactorization:
    def __init__(self, data, features):
        self.data = data
        self.features = features
        self.user_count = data.shape[0]
        self.item_count = data.shape[1]
        self.user_features = np.random.uniform(
            low=0.1, high=0.9, size=(self.user_count, self.features)
        )
        self.item_features = np.random.uniform(
            low=0.1, high=0.9, size=(self.features, self.item_count)
        )

    def MSE(self):  # noqa: N802
        matrix_product = np.matmul(self.user_features, self.item_features)
        return np.sum((self.data - matrix_product) ** 2)

    def single_gradient(self, user_row, item_col, wrt_user_idx=None, wrt_item_idx=None):
        if wrt_user_idx is not None and wrt_item_idx is not None:
            return "Too many elements"
        if wrt_user_idx is None and wrt_item_idx is None:
            return "insufficient elements"
        u_row = self.user_features[user_row, :]
        i_col = self.item_features[:, item_col]
        ui_rating = float(self.data[user_row, item_col])
        prediction = float(np.dot(u_row, i_col))
        if wrt_user_idx is not None:
            row_elem = float(i_col[wrt_user_idx])
            return 2 * (ui_rating - prediction) * row_elem
        col_elem = float(u_row[wrt_item_idx])
        return 2 * (ui_rating - prediction) * col_elem

    def user_feature_gradient(self, user_row, wrt_user_idx):
        summation = 0
        for col in range(self.item_count):
            summation += self.single_gradient(user_row, col, wrt_user_idx=wrt_user_idx)
        return summation / self.item_count

    def item_feature_gradient(self, item_col, wrt_item_idx):
        summation = 0
        for row in range(self.user_count):
            summation += self.single_gradient(row, item_col, wrt_item_idx=wrt_item_idx)
        return summation / self.user_count

    def update_user_features(self, learning_rate):
        for i in range(self.user_count):
            for j in range(self.features):
                self.user_features[i, j] += learning_rate * self.user_feature_gradient(i, j)

    def update_item_features(self, learning_rate):
        for i in range(self.features):
            for j in range(self.item_count):
                self.item_features[i, j] += learning_rate * self.item_feature_gradient(j, i)

    def train_model(self, learning_rate=0.1, iterations=1000):
        for i in range(iterations):
            self.update_user_features(learning_rate)
            self.update_item_features(learning_rate)
            if i % 50 == 0:
                print(self.MSE())


def naive_user_sweep(ratings, users, items, step):
    """Update `users` (n, k) in place, one scalar after another."""
    for user, own in enumerate(users):
        seen = observed_in(ratings[user])
        for feature in range(len(items)):
            errors = ratings[user, seen] - own @ items[:, seen]
            own[feature] += step * np.sum(errors * items[feature, seen])


def naive_item_sweep(ratings, users, items, step):
    """Update `items` (k, m) in place, one scalar after another."""
    raters = [observed_in(column) for column in ratings.T]
    for feature in range(len(items)):
        for item, seen in enumerate(raters):
            errors = ratings[seen, item] - users[seen] @ items[:, item]
            items[feature, item] += step * np.sum(errors * users[seen, feature])


def observed_in(row):
    """Return an index of the ratings that are present: a quick one if all are."""
    present = ~np.isnan(row)
    return slice(None) if present.all() else np.flatnonzero(present)


def naive_iterations(ratings, users, items, user_step, item_step, n_iterations):
    """Return both factors after `n_iterations`, leaving the arguments alone."""
    ratings, users, items = (np.array(a, dtype=np.float64) for a in (ratings, users, items))
    for _ in range(n_iterations):
        naive_user_sweep(ratings, users, items, user_step)
        naive_item_sweep(ratings, users, items, item_step)
    return users, items


def naive_squared_error(ratings, users, items):
    total = 0.0
    for user in range(ratings.shape[0]):
        for item in range(ratings.shape[1]):
            rating = float(ratings[user, item])
            if not math.isnan(rating):
                total += (rating - float(users[user] @ items[:, item])) ** 2
    return total


def problem(n_users, n_items, n_features, missing=0.0, seed=0, dtype=np.float64):
    """Return seeded (ratings, users, items): ratings from 1 to 5, a fraction of them NaN.

    Never all are missing. Ratings and factors are rounded to float32, so that both dtypes start
    from the same numbers.
    """
    rng = np.random.default_rng([seed, n_users, n_items, n_features])
    ratings = rng.uniform(1, 5, (n_users, n_items))
    gone = rng.random((n_users, n_items)) < missing
    gone[rng.integers(n_users), rng.integers(n_items)] = False
    ratings[gone] = np.nan
    users = rng.uniform(0.1, 0.9, (n_users, n_features))
    items = rng.uniform(0.1, 0.9, (n_features, n_items))
    return tuple(a.astype(np.float32).astype(dtype) for a in (ratings, users, items))


def steps(shape, n_features, rate=0.1):
    """Return the steps of users and items for a learning rate that does not diverge for any k."""
    n_users, n_items = shape
    rate = min(rate, 1 / n_features)
    return 2 * rate / n_items, 2 * rate / n_users


@cache
def naive_solution(n_users, n_items, n_features, missing, n_iterations, seed=0):
    """Return naive_iterations of `problem` with `steps`; many tests ask for the same one."""
    ratings, users, items = problem(n_users, n_items, n_features, missing, seed)
    of_steps = steps(ratings.shape, n_features)
    solution = naive_iterations(ratings, users, items, *of_steps, n_iterations)
    for array in solution:
        array.flags.writeable = False
    return solution


def assert_close(actual, expected, tolerance):
    """Compare with a tolerance relative to the largest expected value."""
    expected = np.asarray(expected)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)
