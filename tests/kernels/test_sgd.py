"""Epochs of stochastic gradient descent against plain loops, and the order of the ratings."""

from dataclasses import fields, replace

import numpy as np
import pytest

from isolated import needs_compiled
from kernels.implementations import selected
from kernels.sgd_cases import DTYPES, Parameters, in_order, plain_epoch, problem

dtypes = pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
schedules = pytest.mark.parametrize("adaptive", [True, False], ids=["adaptive", "constant"])


def check_against_loops(kernel, p):
    state, errors = p.train(kernel)
    expected, expected_errors = plain_epoch(p, p.nodes(kernel))
    state.assert_close(expected)
    assert errors == pytest.approx(expected_errors, rel=1e-4)
    return state


@dtypes
@schedules
@pytest.mark.parametrize("k", [1, 7, 8, 16, 33, 48, 64, 96, 128, 130])
def test_an_epoch_is_that_of_plain_loops(sgd_kernel, k, adaptive, dtype):
    check_against_loops(sgd_kernel, problem(23, 19, k, dtype, adaptive=adaptive))


@schedules
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3), (40, 3)])
@pytest.mark.parametrize("n_blocks", [1, 5])
def test_few_users_or_items_leave_blocks_empty(sgd_kernel, shape, n_blocks, adaptive):
    density = 2.0  # nearly all
    p = problem(*shape, 3, np.float64, density=density, n_blocks=n_blocks, adaptive=adaptive)
    check_against_loops(sgd_kernel, p)


def test_no_ratings_change_nothing(sgd_kernel):
    p = problem(5, 4, 3, np.float64, density=0.0)
    assert not len(p.values)
    state, errors = p.train(sgd_kernel)
    assert errors == 0
    assert state.has_the_bits_of(p.start)


@schedules
def test_users_and_items_without_ratings_stay_as_they_are(sgd_kernel, adaptive):
    p = problem(23, 19, 5, np.float32, adaptive=adaptive)
    state, _ = p.train(sgd_kernel)
    for before, after in zip(p.start.arrays()[::2], state.arrays()[::2], strict=True):
        assert before[1].tobytes() == after[1].tobytes()
    for before, after in zip(p.start.arrays()[1::2], state.arrays()[1::2], strict=True):
        assert before[2].tobytes() == after[2].tobytes()


@dtypes
def test_a_step_goes_against_the_gradient(sgd_kernel, dtype):
    """One rating: each number moves by its rate times minus the slope of half the objective."""
    p = problem(1, 1, 4, dtype, density=9.0, adaptive=False, learning_rate=0.01)
    assert len(p.values) == 1
    a = p.parameters
    state, _ = p.train(sgd_kernel)
    start = [array.astype(np.float64) for array in p.start.arrays()]

    def objective(arrays):
        x, y, b, c = arrays
        error = p.values[0] - a.mean - b[0] - c[0] - x[0] @ y[0]
        penalty = a.regularization * (x[0] @ x[0] + y[0] @ y[0])
        return 0.5 * (error**2 + penalty + a.bias_regularization * (b[0] ** 2 + c[0] ** 2))

    rates = [a.learning_rate] * 2 + [a.bias_learning_rate] * 2
    for which, rate in enumerate(rates):
        for place in np.ndindex(start[which].shape):
            sides = []
            for shift in (1e-5, -1e-5):
                arrays = [array.copy() for array in start[:4]]
                arrays[which][place] += shift
                sides.append(objective(arrays))
            slope = (sides[0] - sides[1]) / 2e-5
            moved = float(state.arrays()[which][place]) - start[which][place]
            assert moved == pytest.approx(-rate * slope, rel=1e-4, abs=1e-7)


def test_training_reaches_ratings_of_low_rank(sgd_kernel):
    p = problem(60, 50, 2, np.float64, density=0.6, mean=0.0, regularization=0.0)
    p = p.with_parameters(learning_rate=0.3)
    rng = np.random.default_rng(3)
    exact = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 50))
    users = np.repeat(np.arange(60), np.diff(p.indptr))
    p = replace(p, values=exact[users, p.indices])
    _, first = p.train(sgd_kernel)
    _, last = p.train(sgd_kernel, n_epochs=60)
    assert last < 0.01 * first


@pytest.mark.parametrize("name", [f.name for f in fields(Parameters)])
def test_every_parameter_changes_the_result(sgd_kernel, name):
    p = problem(23, 19, 5, np.float64)
    value = getattr(p.parameters, name)
    changed = not value if isinstance(value, bool) else 1.5 * value
    state, _ = p.train(sgd_kernel)
    other, _ = p.with_parameters(**{name: changed}).train(sgd_kernel)
    assert not np.allclose(state.user_factors, other.user_factors, rtol=1e-9, atol=0)


def test_grid_and_order_of_strata_change_the_result(sgd_kernel):
    p = problem(23, 19, 5, np.float64)
    results = [
        q.train(sgd_kernel)[0].user_factors
        for q in (p, replace(p, strata=p.strata[::-1]), replace(p, n_blocks=2, strata=(0, 1)))
    ]
    assert not np.allclose(results[0], results[1], rtol=1e-9, atol=0)
    assert not np.allclose(results[0], results[2], rtol=1e-9, atol=0)


def test_constant_steps_leave_the_squares_alone(sgd_kernel):
    p = problem(23, 19, 5, np.float32, adaptive=False)
    state, _ = p.train(sgd_kernel)
    assert state.user_squares.tobytes() == p.start.user_squares.tobytes()
    assert state.item_squares.tobytes() == p.start.item_squares.tobytes()


@schedules
def test_no_bias_learning_rate_leaves_the_biases_alone(sgd_kernel, adaptive):
    p = problem(23, 19, 5, np.float32, adaptive=adaptive, bias_learning_rate=0.0)
    state, _ = p.train(sgd_kernel)
    assert state.user_biases.tobytes() == p.start.user_biases.tobytes()
    assert state.item_biases.tobytes() == p.start.item_biases.tobytes()


@dtypes
@pytest.mark.parametrize("n_blocks", [1, 3, 8])
def test_each_rating_is_in_one_block_and_each_stratum_can_be_shared_out(
    sgd_kernel, n_blocks, dtype
):
    p = problem(67, 41, 2, dtype, n_blocks=n_blocks)
    nodes, block_indptr = p.nodes(sgd_kernel)
    found = sorted(in_order((nodes, block_indptr), p.strata))
    users = np.repeat(np.arange(67), np.diff(p.indptr))
    assert found == sorted(zip(users.tolist(), p.indices.tolist(), p.values.tolist(), strict=True))
    for side in ("user", "item"):
        parts = [set() for _ in range(n_blocks)]
        for block in range(n_blocks**2):
            part = parts[block // n_blocks if side == "user" else block % n_blocks]
            part |= set(nodes[side][block_indptr[block] : block_indptr[block + 1]].tolist())
        assert sum(map(len, parts)) == len(set().union(*parts))


def test_cuts_balance_the_ratings(sgd_kernel):
    p = problem(300, 200, 1, np.float32, n_blocks=5)
    _, block_indptr = p.nodes(sgd_kernel)
    sizes = np.diff(block_indptr).reshape(5, 5)
    for axis in (0, 1):
        np.testing.assert_allclose(sizes.sum(axis=axis), len(p.values) / 5, rtol=0.05)


def test_neighbours_in_a_block_have_different_users(sgd_kernel):
    p = problem(100, 80, 1, np.float32, n_blocks=1)
    nodes, _ = p.nodes(sgd_kernel)
    assert np.mean(nodes["user"][1:] == nodes["user"][:-1]) < 0.01
    assert (np.diff(nodes["user"][::8]) >= 0).mean() > 0.95


@needs_compiled
@dtypes
@schedules
def test_twins_agree_over_several_epochs(compiled_sgd, adaptive, dtype):
    p = problem(90, 70, 20, dtype, adaptive=adaptive)
    with selected("numpy", "sgd") as twin:
        for one, other in zip(p.nodes(twin), p.nodes(compiled_sgd), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        expected, expected_errors = p.train(twin, n_epochs=3)
    state, errors = p.train(compiled_sgd, n_epochs=3)
    state.assert_close(expected)
    assert errors == pytest.approx(expected_errors, rel=1e-5)
