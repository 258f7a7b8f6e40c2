"""Rows solved by the `als` kernels are what numpy.linalg.solve makes of them."""

from dataclasses import replace

import numpy as np
import pytest

from kernels.als_cases import EMPTY, expected, objectives, problem

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
N_FACTORS = [1, 7, 16, 33, 64, 130]
TERMS = {
    "plain": {},
    "weights": {"weights": True},
    "biases": {"biases": True},
    "biases_weights": {"biases": True, "weights": True},
    "zeros": {"zeros": True},
    "zeros_weights": {"zeros": True, "weights": True},
}
TERM = pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS.keys())


def assert_near(found, wanted, dtype, *, exact=1e-10, rough=2e-4):
    tolerance = exact if dtype == np.float64 else rough
    for one, other in zip(found, wanted, strict=True):
        if other is not None:
            scale = np.abs(other).max()
            np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale)


@DTYPES
@TERM
def test_cholesky_solves_the_normal_equations(als_kernel, terms, dtype):
    for k in N_FACTORS:
        # rows longer than what is gathered at a time (128), and not
        p = problem(9, 301, k, dtype, **terms)
        assert_near(p.solve(als_kernel), expected(p), dtype)


@DTYPES
@TERM
def test_conjugate_gradients_converge_to_the_solution(als_kernel, terms, dtype):
    for k in (1, 7, 33):
        p = problem(9, 150, k, dtype, **terms)
        found = p.solve(als_kernel, 1, 2 * k + 10)
        assert_near(found, expected(p), dtype, exact=1e-9, rough=1e-3)


@TERM
def test_each_step_of_a_gradient_lowers_the_objective(als_kernel, terms):
    p = problem(17, 150, 33, **terms)
    before = None
    for n_steps in (0, 1, 2, 3, 6):
        now = objectives(p, *p.solve(als_kernel, 1, n_steps))
        if before is not None:
            assert np.all(now <= before + 1e-9)
            assert now.sum() < before.sum() - 1e-3
        before = now


def test_a_gradient_without_steps_keeps_factors_and_solves_biases(als_kernel):
    p = problem(17, 50, 5, biases=True)
    factors, biases = p.solve(als_kernel, 1, 0)
    present = np.arange(17) != EMPTY
    np.testing.assert_array_equal(factors[present], p.own_factors[present])
    for u, x, _, t in p.rows():
        bias = (t - x @ factors[u]).sum() / (len(x) + p.bias_ridge[u])
        assert biases[u] == pytest.approx(bias, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("k", [5, 20])
def test_rows_too_long_to_be_copied(als_kernel, k):
    # over 400,000 bytes of factors in a row
    p = problem(3, 50_000 // k + 1001, k, biases=True, density=0.99)
    assert_near(p.solve(als_kernel, 1, 3 * k), expected(p), np.float64, exact=1e-8)


@pytest.mark.parametrize(
    ("method", "biases"), [(0, False), (0, True), (1, False), (1, True), (2, False), (3, False)]
)
def test_a_weight_of_two_is_a_rating_twice(als_kernel, method, biases):
    p = problem(17, 60, 9, biases=biases)
    twice = np.random.default_rng(1).random(len(p.values)) < 0.3
    weighted = replace(p, weights=np.where(twice, 2.0, 1.0))
    times = np.where(twice, 2, 1)
    repeated = replace(
        p,
        indptr=np.concatenate([[0], np.cumsum(times)])[p.indptr],
        indices=np.repeat(p.indices, times),
        values=np.repeat(p.values, times),
    )
    found, wanted = (q.solve(als_kernel, method, 4) for q in (weighted, repeated))
    assert_near(found, wanted, np.float64)


@pytest.mark.parametrize("method", [0, 1, 2, 3])
def test_a_weight_of_zero_is_no_rating(als_kernel, method):
    p = problem(17, 60, 9)
    there = np.random.default_rng(1).random(len(p.values)) < 0.7
    weighted = replace(p, weights=there.astype(float))
    fewer = replace(
        p,
        indptr=np.concatenate([[0], np.cumsum(there)])[p.indptr],
        indices=p.indices[there],
        values=p.values[there],
    )
    found, wanted = (q.solve(als_kernel, method, 50) for q in (weighted, fewer))
    present = np.diff(fewer.indptr) > 0
    np.testing.assert_allclose(found[0][present], wanted[0][present], rtol=1e-7, atol=1e-9)


def test_biases_of_the_columns_alone(als_kernel):
    p = problem(17, 60, 9, biases=True)
    p = replace(p, own_biases=None, bias_ridge=None)
    assert_near(p.solve(als_kernel), expected(p), np.float64)


def test_biases_of_the_rows_alone(als_kernel):
    p = replace(problem(17, 60, 9, biases=True), other_biases=None)
    assert_near(p.solve(als_kernel), expected(p), np.float64)


@pytest.mark.parametrize("method", [0, 1, 2, 3])
def test_rows_without_entries(als_kernel, method):
    p = problem(17, 60, 9)
    assert not p.solve(als_kernel, method, 3)[0][EMPTY].any()
    # as zeros they have no effect on the right-hand side either
    p = problem(17, 60, 9, zeros=True)
    np.testing.assert_allclose(p.solve(als_kernel, method, 60)[0][EMPTY], 0, atol=1e-8)
    nothing = replace(
        p, indptr=np.zeros(18, dtype=np.int64), indices=p.indices[:0], values=p.values[:0]
    )
    np.testing.assert_allclose(nothing.solve(als_kernel, method, 60)[0], 0, atol=1e-8)


@pytest.mark.parametrize("method", [0, 1, 2, 3])
def test_a_row_does_not_depend_on_the_others(als_kernel, method):
    p = problem(17, 300, 20, np.float32, biases=method < 2, weights=True)
    factors, biases = p.solve(als_kernel, method, 3)
    for u in (0, EMPTY, 11):
        entries = slice(p.indptr[u], p.indptr[u + 1])
        alone = replace(
            p,
            indptr=p.indptr[u : u + 2] - p.indptr[u],
            indices=p.indices[entries],
            values=p.values[entries],
            weights=p.weights[entries],
            own_factors=p.own_factors[u : u + 1],
            own_biases=None if biases is None else p.own_biases[u : u + 1],
            ridge=p.ridge[u : u + 1],
            bias_ridge=None if biases is None else p.bias_ridge[u : u + 1],
        )
        row, bias = alone.solve(als_kernel, method, 3)
        if "_numpy" in als_kernel.__name__:  # rows are solved in batches there
            np.testing.assert_allclose(row[0], factors[u], atol=1e-4)
        else:
            assert row.tobytes() == factors[u].tobytes()
            assert biases is None or bias.tobytes() == biases[u].tobytes()


@pytest.mark.parametrize("k", [130, 200])
def test_a_row_in_lockstep_does_not_depend_on_the_others(als_kernel, k):
    """With few entries, and absent ones as zeros, gradients of several rows go together."""
    p = problem(41, 60, k, np.float32, zeros=True, weights=True)
    factors, _ = p.solve(als_kernel, 1, 3)
    for first, last in ((0, 1), (EMPTY, EMPTY + 1), (11, 12), (5, 18), (20, 41)):
        entries = slice(p.indptr[first], p.indptr[last])
        some = replace(
            p,
            indptr=p.indptr[first : last + 1] - p.indptr[first],
            indices=p.indices[entries],
            values=p.values[entries],
            weights=p.weights[entries],
            own_factors=p.own_factors[first:last],
            ridge=p.ridge[first:last],
        )
        found, _ = some.solve(als_kernel, 1, 3)
        if "_numpy" in als_kernel.__name__:
            np.testing.assert_allclose(found, factors[first:last], atol=1e-4)
        else:
            assert found.tobytes() == factors[first:last].tobytes()


@DTYPES
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (700, 20), (5000, 33), (40_000, 2)])
def test_gram_matrix(als_kernel, shape, dtype):
    factors = np.random.default_rng(0).normal(0, 1, shape).astype(dtype)
    found = als_kernel.gram_matrix(factors, 1)
    wanted = factors.astype(float).T @ factors.astype(float)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, found.T)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


def test_no_rows_and_no_columns(als_kernel):
    p = problem(4, 5, 3)
    nothing = replace(
        p,
        indptr=np.zeros(1, dtype=np.int64), indices=p.indices[:0], values=p.values[:0],
        own_factors=p.own_factors[:0], ridge=p.ridge[:0],
    )  # fmt: skip
    assert nothing.solve_in_place(als_kernel) == 0
    no_columns = replace(
        p,
        indptr=np.zeros(5, dtype=np.int64), indices=p.indices[:0], values=p.values[:0],
        other_factors=p.other_factors[:0],
    )  # fmt: skip
    assert not no_columns.solve(als_kernel)[0].any()
    np.testing.assert_array_equal(als_kernel.gram_matrix(p.other_factors[:0], 1), np.zeros((3, 3)))


def test_what_excludes_itself_is_refused(als_kernel):
    with pytest.raises(ValueError, match="center is 0"):
        replace(problem(4, 5, 3, zeros=True), center=1.0).solve_in_place(als_kernel)
    with pytest.raises(ValueError, match="no biases"):
        problem(4, 5, 3, biases=True).solve_in_place(als_kernel, 2)
    with pytest.raises(ValueError, match="method is 4"):
        problem(4, 5, 3).solve_in_place(als_kernel, 4)


@pytest.mark.parametrize(
    "name", ["indptr", "indices", "values", "weights", "other_biases", "own_biases", "bias_ridge"]
)
def test_wrong_lengths_are_refused(compiled_als, name):
    p = problem(4, 5, 3, biases=True, weights=True)
    with pytest.raises(ValueError, match="must have"):
        replace(p, **{name: getattr(p, name)[:-1]}).solve_in_place(compiled_als)
