"""The `bpr` kernels against plain loops, and the schedule of their tasks."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from kernels import implementations

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
TOLERANCE = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 2e-4}


@dataclass(frozen=True)
class Problem:
    """Arguments of `epoch`, in its order, and what the triples come from."""

    triples: np.ndarray
    task_indptr: np.ndarray
    strata_order: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    item_biases: np.ndarray
    user_squares: np.ndarray
    item_squares: np.ndarray
    learning_rate: float = 0.05
    bias_learning_rate: float = 0.04
    regularization: float = 0.02
    bias_regularization: float = 0.03
    adaptive: bool = True

    def arrays(self):
        names = ("user_factors", "item_factors", "item_biases", "user_squares", "item_squares")
        return [getattr(self, name) for name in names]

    def trained(self, kernel, n_threads=1):
        """Train on copies: (loss, arrays)."""
        names = ("user_factors", "item_factors", "item_biases", "user_squares", "item_squares")
        run = replace(self, **{name: getattr(self, name).copy() for name in names})
        return kernel.epoch(*vars(run).values(), n_threads), run.arrays()


def clicks(n_users, n_items, density, seed=0):
    """Compressed rows of items, and another item for each entry, or -1."""
    rng = np.random.default_rng(seed)
    has = rng.random((n_users, n_items)) < density
    has[n_users // 2] = False
    indptr = np.concatenate([[0], np.cumsum(has.sum(axis=1))]).astype(np.int64)
    indices = np.nonzero(has)[1].astype(np.int32)
    others = rng.integers(-1, n_items, len(indices)).astype(np.int32)
    others[others == indices] = -1
    return indptr, indices, others


def problem(kernel, n_users=30, n_items=25, k=5, dtype=np.float64, density=0.3, n_blocks=4, **more):
    indptr, indices, others = clicks(n_users, n_items, density)
    triples, task_indptr = kernel.arrange(indptr, indices, others, n_items, n_blocks)
    rng = np.random.default_rng(1)

    def normal(*shape):
        return rng.normal(0, 0.5, shape).astype(dtype)

    def squares(n):
        return rng.uniform(0.5, 2, (n, 2)).astype(dtype)

    strata = rng.permutation((n_blocks + 1) * n_blocks // 2)
    start = normal(n_users, k), normal(n_items, k), normal(n_items)
    return Problem(triples, task_indptr, strata, *start, squares(n_users), squares(n_items), **more)


def naive(p):
    """One triple after another, in double precision."""
    users, items, biases, user_squares, item_squares = (a.astype(float) for a in p.arrays())
    n_pairs = (len(p.task_indptr) - 1) // len(p.strata_order)
    loss = 0.0
    for stratum in p.strata_order.tolist():
        first, last = p.task_indptr[[stratum * n_pairs, (stratum + 1) * n_pairs]]
        for user, item, other in p.triples[first:last].tolist():
            u, i, j = users[user].copy(), items[item].copy(), items[other].copy()
            x = biases[item] - biases[other] + u @ (i - j)
            loss += np.log1p(np.exp(-x))
            s = 1 / (1 + np.exp(x))
            for row, g in (
                (item, s - p.bias_regularization * biases[item]),
                (other, -s - p.bias_regularization * biases[other]),
            ):
                scale = np.sqrt(item_squares[row, 1]) if p.adaptive else 1
                biases[row] += p.bias_learning_rate / scale * g
                item_squares[row, 1] += g**2 * p.adaptive
            for rows, squares, row, g in (
                (users, user_squares, user, s * (i - j) - p.regularization * u),
                (items, item_squares, item, s * u - p.regularization * i),
                (items, item_squares, other, -s * u - p.regularization * j),
            ):
                scale = np.sqrt(squares[row, 0]) if p.adaptive else 1
                rows[row] += p.learning_rate / scale * g
                squares[row, 0] += g @ g / len(g) * p.adaptive
    return loss, [users, items, biases, user_squares, item_squares]


@DTYPES
@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("k", [1, 5, 16, 33])
def test_an_epoch_against_plain_loops(bpr_kernel, k, adaptive, dtype):
    p = problem(bpr_kernel, k=k, dtype=dtype, adaptive=adaptive)
    loss, arrays = p.trained(bpr_kernel)
    expected_loss, expected = naive(p)
    rtol = TOLERANCE[np.dtype(dtype)]
    assert loss == pytest.approx(expected_loss, rel=rtol)
    for one, other in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol)
    if not adaptive:
        assert arrays[3].tobytes() == p.user_squares.tobytes()


@DTYPES
def test_without_steps_nothing_moves(bpr_kernel, dtype):
    p = problem(bpr_kernel, dtype=dtype, learning_rate=0.0, bias_learning_rate=0.0, adaptive=False)
    _, arrays = p.trained(bpr_kernel)
    for one, other in zip(arrays, p.arrays(), strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_small_step_follows_the_gradient(bpr_kernel):
    """The change by tiny steps is the gradient of the loss with penalties, by differences."""
    rate = 1e-6
    p = problem(bpr_kernel, k=3, learning_rate=rate, bias_learning_rate=rate, adaptive=False)
    _, arrays = p.trained(bpr_kernel)
    moved = (arrays[0] - p.user_factors) / rate

    def loss(users):
        total = 0.0
        for user, item, other in p.triples.tolist():
            u, i, j = users[user], p.item_factors[item], p.item_factors[other]
            x = p.item_biases[item] - p.item_biases[other] + u @ (i - j)
            total += np.log1p(np.exp(-x)) + p.regularization / 2 * (u @ u)
        return total

    for place in [(0, 0), (7, 2), (29, 1)]:
        changed = [p.user_factors.copy(), p.user_factors.copy()]
        changed[0][place] += 1e-5
        changed[1][place] -= 1e-5
        slope = (loss(changed[0]) - loss(changed[1])) / 2e-5
        assert moved[place] == pytest.approx(-slope, abs=1e-4)


@pytest.mark.parametrize("n_blocks", [2, 4, 8, 16])
def test_tasks_of_a_stratum_have_nothing_in_common(bpr_kernel, n_blocks):
    indptr, indices, others = clicks(90, 70, 0.4)
    triples, starts = bpr_kernel.arrange(indptr, indices, others, 70, n_blocks)
    users = np.repeat(np.arange(90), np.diff(indptr))
    kept = others >= 0
    expected = sorted(zip(users[kept], indices[kept], others[kept], strict=True))
    assert sorted(triples.tolist()) == expected  # each once
    pairs = n_blocks // 2
    assert len(starts) == (n_blocks + 1) * pairs**2 + 1
    for stratum in range((n_blocks + 1) * pairs):
        seen_users, seen_items = set(), set()
        for task in range(stratum * pairs, (stratum + 1) * pairs):
            part = triples[starts[task] : starts[task + 1]]
            own_users = {*part["user"].tolist()}
            own_items = {*part["item"].tolist(), *part["other"].tolist()}
            assert not own_users & seen_users
            assert not own_items & seen_items
            seen_users |= own_users
            seen_items |= own_items


def test_both_arrange_alike(compiled_bpr):
    given = *clicks(90, 70, 0.4), 70, 8
    with implementations.selected("numpy", "bpr") as twin:
        expected = twin.arrange(*given)
    for one, other in zip(compiled_bpr.arrange(*given), expected, strict=True):
        assert one.tobytes() == other.tobytes()


def test_items_that_a_user_has(bpr_kernel):
    indptr, indices, others = clicks(40, 30, 0.4)
    has = np.zeros((40, 30), dtype=bool)
    users = np.repeat(np.arange(40), np.diff(indptr))
    has[users, indices] = True
    expected = [bool(j >= 0 and has[u, j]) for u, j in zip(users, others, strict=True)]
    pairs = users.astype(np.int32), others
    assert bpr_kernel.is_taken(indptr, indices, *pairs, 1).astype(bool).tolist() == expected
    some = [part[::-3].copy() for part in pairs]
    found = bpr_kernel.is_taken(indptr, indices, *some, 1)
    assert found.astype(bool).tolist() == expected[::-3]
    nothing = np.zeros(4, np.int64), *(np.zeros(0, np.int32) for _ in range(3))
    assert len(bpr_kernel.is_taken(*nothing, 1)) == 0


@DTYPES
@pytest.mark.parametrize("adaptive", [True, False])
def test_same_bits_for_any_number_of_threads(compiled_bpr, adaptive, dtype):
    # Strata are above THREAD_WORK of _parallel.pxd, so that threads are started.
    p = problem(compiled_bpr, 700, 300, 64, dtype, density=0.95, n_blocks=8, adaptive=adaptive)
    loss, arrays = p.trained(compiled_bpr)
    for n_threads in (2, 3, 8, 0):
        other_loss, others = p.trained(compiled_bpr, n_threads)
        assert loss == other_loss
        for one, other in zip(arrays, others, strict=True):
            assert one.tobytes() == other.tobytes(), f"{n_threads} threads"


@DTYPES
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_what_is_not_finite_changes_nothing(bpr_kernel, value, dtype):
    p = problem(bpr_kernel, dtype=dtype)
    with np.errstate(over="ignore"):
        p.user_factors[3, 2] = value
    before = [array.copy() for array in p.arrays()]
    assert np.isnan(bpr_kernel.epoch(*vars(p).values(), 1))
    for one, other in zip(p.arrays(), before, strict=True):
        assert one.tobytes() == other.tobytes()


def test_no_triples(bpr_kernel):
    indptr, indices, others = clicks(10, 8, 0.4)
    triples, starts = bpr_kernel.arrange(indptr, indices, np.full_like(others, -1), 8, 4)
    assert len(triples) == 0
    p = replace(problem(bpr_kernel, 10, 8), triples=triples, task_indptr=starts)
    assert p.trained(bpr_kernel)[0] == 0


def test_shapes_are_checked(bpr_kernel, compiled_bpr):
    indptr, indices, others = clicks(10, 8, 0.4)
    with pytest.raises(ValueError, match="n_blocks is 3; it must be even"):
        bpr_kernel.arrange(indptr, indices, others, 8, 3)
    with pytest.raises(ValueError, match="others must have"):
        compiled_bpr.arrange(indptr, indices, others[1:], 8, 4)
    p = problem(compiled_bpr)
    for change, message in (
        ({"item_biases": np.zeros(3)}, "item_biases must have 25 entries"),
        ({"user_squares": np.ones((3, 2))}, "user_squares must have 30 rows"),
        ({"strata_order": np.arange(3)}, "must be those of arrange"),
    ):
        with pytest.raises(ValueError, match=message):
            compiled_bpr.epoch(*vars(replace(p, **change)).values(), 1)
