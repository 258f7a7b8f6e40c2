"""Ratings and starts for the `sgd` kernels, and one epoch as a plain loop over the nodes."""

from dataclasses import dataclass, fields, replace

import numpy as np

DTYPES = {"float64": np.float64, "float32": np.float32}
TOLERANCE = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 2e-4}


@dataclass(eq=False)
class State:
    """What an epoch updates."""

    user_factors: np.ndarray
    item_factors: np.ndarray
    user_biases: np.ndarray
    item_biases: np.ndarray
    user_squares: np.ndarray
    item_squares: np.ndarray

    def arrays(self):
        return [getattr(self, field.name) for field in fields(self)]

    def copy(self):
        return State(*(array.copy() for array in self.arrays()))

    def has_the_bits_of(self, other):
        pairs = zip(self.arrays(), other.arrays(), strict=True)
        return all(one.tobytes() == two.tobytes() for one, two in pairs)

    def assert_close(self, other):
        rtol = TOLERANCE[self.user_factors.dtype]
        for field, one, two in zip(fields(self), self.arrays(), other.arrays(), strict=True):
            scale = max(1.0, float(np.abs(two).max()))
            np.testing.assert_allclose(
                one, two, rtol=rtol, atol=rtol * scale / 10, err_msg=field.name
            )


@dataclass(frozen=True)
class Parameters:
    mean: float = 3.4
    learning_rate: float = 0.04
    bias_learning_rate: float = 0.06
    regularization: float = 0.08
    bias_regularization: float = 0.03
    adaptive: bool = True


@dataclass(frozen=True, eq=False)
class Problem:
    """Ratings by users, a start, and how to train."""

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    start: State
    n_blocks: int = 4
    strata: tuple = (2, 0, 3, 1)
    parameters: Parameters = Parameters()

    def nodes(self, kernel):
        return kernel.arrange(
            self.indptr, self.indices, self.values, len(self.start.item_factors), self.n_blocks
        )

    def train(self, kernel, n_threads=1, n_epochs=1):
        """Return (state, errors) after some epochs."""
        state = self.start.copy()
        arranged = self.nodes(kernel)
        for _ in range(n_epochs):
            error = self.epoch(kernel, arranged, state, n_threads)
        return state, error

    def epoch(self, kernel, arranged, state, n_threads=1):
        order = np.array(self.strata, dtype=np.int64)
        parameters = [getattr(self.parameters, f.name) for f in fields(self.parameters)]
        return kernel.epoch(*arranged, order, *state.arrays(), *parameters, n_threads)

    def with_parameters(self, **changes):
        return replace(self, parameters=replace(self.parameters, **changes))


def problem(n_users, n_items, k, dtype, *, density=0.4, n_blocks=4, seed=0, **parameters):
    """Draw ratings; the second user and the third item have none if there are enough others."""
    rng = np.random.default_rng(seed)
    cells = rng.random((n_users, n_items)) < density * rng.random(n_items) * 2
    if n_users > 2 and n_items > 3:
        cells[1] = cells[:, 2] = False
    users, items = np.nonzero(cells)
    values = np.round(rng.normal(3.4, 1, len(users)) * 2) / 2
    scale = k**-0.5
    start = State(
        rng.normal(0, scale, (n_users, k)),
        rng.normal(0, scale, (n_items, k)),
        rng.normal(0, 0.3, n_users),
        rng.normal(0, 0.3, n_items),
        rng.uniform(0.5, 2, (n_users, 2)),
        rng.uniform(0.5, 2, (n_items, 2)),
    )
    return Problem(
        np.searchsorted(users, np.arange(n_users + 1)).astype(np.int64),
        items.astype(np.int32),
        values.astype(dtype),
        State(*(array.astype(dtype) for array in start.arrays())),
        n_blocks,
        tuple(rng.permutation(n_blocks).tolist()),
        Parameters(**parameters),
    )


def in_order(arranged, strata):
    """Yield (user, item, rating) in the order of training."""
    nodes, block_indptr = arranged
    n_blocks = len(strata)
    for stratum in strata:
        for row in range(n_blocks):
            block = row * n_blocks + (row + stratum) % n_blocks
            yield from nodes[block_indptr[block] : block_indptr[block + 1]].tolist()


def plain_epoch(p, arranged):
    """Train in float64, a rating and a feature at a time: (state, errors)."""
    s = State(*(array.astype(np.float64) for array in p.start.arrays()))
    a = p.parameters
    total = 0.0
    for u, i, rating in in_order(arranged, p.strata):
        x, y = s.user_factors[u].copy(), s.item_factors[i].copy()
        b, c = s.user_biases[u], s.item_biases[i]
        error = rating - a.mean - b - c - sum(v * w for v, w in zip(x, y, strict=True))
        total += error**2
        sides = (
            (s.user_factors, s.user_biases, s.user_squares, u, x, y, b),
            (s.item_factors, s.item_biases, s.item_squares, i, y, x, c),
        )
        for factors, biases, squares, row, own, other, bias in sides:
            step, bias_step = a.learning_rate, a.bias_learning_rate
            if a.adaptive:
                step /= np.sqrt(squares[row, 0])
                bias_step /= np.sqrt(squares[row, 1])
            mean_square = 0.0
            for f in range(len(own)):
                gradient = error * other[f] - a.regularization * own[f]
                factors[row, f] = own[f] + step * gradient
                mean_square += gradient**2 / len(own)
            bias_gradient = error - a.bias_regularization * bias
            biases[row] = bias + bias_step * bias_gradient
            if a.adaptive:
                squares[row] += mean_square, bias_gradient**2
    return s, total
