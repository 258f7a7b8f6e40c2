"""Problems for the tests of the `als` kernels, and what rows should be, one row at a time."""

from dataclasses import dataclass, replace

import numpy as np

EMPTY, FULL, SINGLE = 3, 5, 7  # rows of a problem without, with all and with one of the entries


@dataclass(frozen=True)
class Problem:
    """Arguments of `solve_rows`, in its order."""

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    weights: np.ndarray | None
    other_factors: np.ndarray
    other_biases: np.ndarray | None
    own_factors: np.ndarray
    own_biases: np.ndarray | None
    center: float
    ridge: np.ndarray
    bias_ridge: np.ndarray | None
    gram: np.ndarray | None

    def solve(self, kernel, method=0, n_steps=0, n_threads=1):
        """Run the kernel on copies: (factors, biases or None)."""
        run = replace(
            self,
            own_factors=self.own_factors.copy(),
            own_biases=None if self.own_biases is None else self.own_biases.copy(),
        )
        assert run.solve_in_place(kernel, method, n_steps, n_threads) == 0
        return run.own_factors, run.own_biases

    def solve_in_place(self, kernel, method=0, n_steps=0, n_threads=1):
        return kernel.solve_rows(*vars(self).values(), method, n_steps, n_threads)

    def rows(self):
        """Yield (row, factors, weights, targets) in double precision."""
        for u in range(len(self.indptr) - 1):
            entries = slice(self.indptr[u], self.indptr[u + 1])
            columns = self.indices[entries]
            targets = self.values[entries] - self.center
            if self.other_biases is not None:
                targets = targets - self.other_biases[columns]
            weights = np.ones(len(columns)) if self.weights is None else self.weights[entries]
            yield (
                u,
                self.other_factors[columns].astype(float),
                weights.astype(float),
                targets.astype(float),
            )


def problem(
    n, m, k, dtype=np.float64, *, biases=False, weights=False, zeros=False, density=0.3, seed=0
):
    """A random problem; with `zeros` absent entries count."""
    rng = np.random.default_rng(seed)
    rated = rng.random((n, m)) < density
    if n > SINGLE:
        rated[EMPTY], rated[FULL], rated[SINGLE] = False, True, np.arange(m) == m // 2
    indices = np.nonzero(rated)[1].astype(np.int32)

    def normal(mean, spread, *shape):
        return rng.normal(mean, spread, shape).astype(dtype)

    other = normal(0, 0.5, m, k)
    return Problem(
        np.concatenate([[0], np.cumsum(rated.sum(axis=1))]),
        indices,
        normal(3.5, 1, len(indices)),
        rng.uniform(0.2, 3, len(indices)).astype(dtype) if weights else None,
        other,
        normal(0, 0.3, m) if biases else None,
        normal(0, 0.3, n, k),
        normal(0, 0.3, n) if biases else None,
        3.4 if biases else 0.0,
        rng.uniform(1, 4, n).astype(dtype),
        rng.uniform(0.1, 0.4, n).astype(dtype) if biases else None,
        other.astype(float).T @ other.astype(float) if zeros else None,
    )


def normal_equations(p, u, x, w, t):
    """A and b of a row; the bias, if there is one, is the last variable."""
    if p.own_biases is not None:
        x = np.hstack([x, np.ones((len(x), 1))])
    ridge = np.full(x.shape[1], float(p.ridge[u]))
    if p.own_biases is not None:
        ridge[-1] = p.bias_ridge[u]
    if p.gram is not None:
        return p.gram + (x * (w - 1)[:, None]).T @ x + np.diag(ridge), (w * t) @ x
    return (x * w[:, None]).T @ x + np.diag(ridge), (w * t) @ x


def expected(p):
    """The exact solution of every row, by numpy.linalg.solve: (factors, biases or None)."""
    k = p.own_factors.shape[1]
    out = np.zeros((len(p.own_factors), k + (p.own_biases is not None)))
    for u, x, w, t in p.rows():
        if len(x) or p.gram is not None:
            out[u] = np.linalg.solve(*normal_equations(p, u, x, w, t))
    return out[:, :k], (out[:, k] if p.own_biases is not None else None)


def objectives(p, factors, biases=None):
    """x.A.x / 2 - b.x of every row, which a solution minimizes."""
    out = np.zeros(len(factors))
    for u, x, w, t in p.rows():
        a, b = normal_equations(p, u, x, w, t)
        point = factors[u] if biases is None else np.append(factors[u], biases[u])
        out[u] = point @ a @ point / 2 - b @ point
    return out
