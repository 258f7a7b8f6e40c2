"""Singular rows, numbers that are not finite, and interruptions."""

import os
from dataclasses import replace

import numpy as np
import pytest

from kernels.als_cases import EMPTY, FULL, SINGLE, expected, problem
from kernels.interruption import seconds_until_interrupted

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])


@DTYPES
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("k", [5, 16, 40])
def test_fewer_entries_than_factors_without_a_ridge(als_kernel, k, biases, dtype):
    p = problem(17, 12, k, dtype, biases=biases)
    p = replace(p, ridge=np.zeros_like(p.ridge))
    if biases:
        p = replace(p, bias_ridge=np.zeros_like(p.bias_ridge))
    factors, bias = p.solve(als_kernel)
    assert np.isfinite(factors).all()
    assert not factors[EMPTY].any()
    for u, x, _, t in p.rows():
        if 0 < len(x) < k:
            fitted = x @ factors[u] + (bias[u] if biases else 0)
            np.testing.assert_allclose(fitted, t, atol=1e-6 if dtype == np.float64 else 0.1)


@DTYPES
@pytest.mark.parametrize("k", [5, 16, 40])
def test_variables_beyond_the_entries_are_zero(als_kernel, k, dtype):
    p = problem(17, 12, k, dtype)
    p.other_factors[...] = np.eye(12, k) * p.other_factors[0, 0]
    p = replace(p, ridge=np.zeros_like(p.ridge))
    factors, _ = p.solve(als_kernel)
    for u, x, _, t in p.rows():
        assert np.count_nonzero(factors[u]) <= len(x)
        fitted = x.any(axis=1)
        np.testing.assert_allclose((x @ factors[u])[fitted], t[fitted], rtol=1e-5)


def test_one_rating_without_a_ridge_is_fitted_by_the_bias(als_kernel):
    p = problem(17, 12, 4, biases=True)
    p = replace(p, ridge=np.zeros_like(p.ridge), bias_ridge=np.zeros_like(p.bias_ridge))
    factors, biases = p.solve(als_kernel)
    np.testing.assert_allclose(factors[SINGLE], 0, atol=1e-12)
    column = p.indices[p.indptr[SINGLE]]
    target = p.values[p.indptr[SINGLE]] - p.center - p.other_biases[column]
    assert biases[SINGLE] == pytest.approx(target)


@DTYPES
@pytest.mark.parametrize("method", [0, 1, 2, 3])
def test_equal_and_zero_columns_without_a_ridge(als_kernel, method, dtype):
    p = problem(17, 40, 6, dtype)
    p.other_factors[:, 3] = p.other_factors[:, 1]
    p.other_factors[:, 5] = 0
    p = replace(p, ridge=np.zeros_like(p.ridge))
    factors, _ = p.solve(als_kernel, method, 20)
    assert np.isfinite(factors).all()
    if method == 0:
        assert np.all(factors[:, 5] == 0)
        kept = [0, 1, 2, 4]
        fewer = replace(
            p,
            other_factors=np.ascontiguousarray(p.other_factors[:, kept]),
            own_factors=np.ascontiguousarray(p.own_factors[:, kept]),
        )
        for u in (0, FULL):
            fitted = p.other_factors @ factors[u]
            basic = fewer.other_factors @ fewer.solve(als_kernel)[0][u]
            np.testing.assert_allclose(fitted, basic, atol=1e-7 if dtype == np.float64 else 1e-2)


@pytest.mark.parametrize("method", [0, 1])
def test_all_weights_zero(als_kernel, method):
    p = problem(17, 40, 6, biases=True, weights=True)
    p = replace(p, weights=np.zeros_like(p.weights), bias_ridge=np.zeros_like(p.bias_ridge))
    factors, biases = p.solve(als_kernel, method, 20)
    np.testing.assert_allclose(factors, 0, atol=1e-12)
    assert not biases.any()


@DTYPES
@pytest.mark.parametrize("method", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("where", "bad"),
    [
        ("values", np.nan),
        ("values", np.inf),
        ("other_factors", np.nan),
        ("other_factors", -np.inf),
        ("other_factors", 1e300),
        ("ridge", np.nan),
    ],
)
def test_rows_that_are_not_finite_are_counted_and_nothing_changes(
    als_kernel, where, bad, method, dtype
):
    p = problem(17, 40, 6, dtype, biases=method < 2)
    with np.errstate(over="ignore"):
        getattr(p, where)[(11,) if where == "ridge" else ...] = np.asarray(bad).astype(dtype)
    before = p.own_factors.copy()
    assert 0 < p.solve_in_place(als_kernel, method, 3) <= 16
    np.testing.assert_array_equal(p.own_factors, before)


def test_only_the_rows_with_a_bad_value_are_counted(als_kernel):
    p = problem(17, 40, 6)
    p.values[p.indptr[0]] = p.values[p.indptr[SINGLE]] = np.nan
    assert p.solve_in_place(als_kernel) == 2


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("method", [0, 1, 2, 3])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_interruption_leaves_the_own_arrays(als_kernel, n_threads, method):
    p = problem(2000, 500, 200, np.float32, biases=method < 2, density=0.4)
    factors = p.own_factors.copy()
    seconds = seconds_until_interrupted(
        lambda: p.solve_in_place(als_kernel, method, 300, n_threads)
    )
    assert seconds < 2.0  # 0.2 s are promised, but machines that run tests stall
    np.testing.assert_array_equal(p.own_factors, factors)


def test_the_twin_stores_both_arrays_or_none():
    from matfact.kernels._numpy import als  # noqa: PLC0415

    class Output:
        """An array whose first assignment is followed by Ctrl-C."""

        def __init__(self):
            self.value, self.interrupts = np.zeros(2), 1

        def __setitem__(self, key, value):
            self.value = np.array(value)
            if self.interrupts:
                self.interrupts -= 1
                raise KeyboardInterrupt

    factors, biases = Output(), np.zeros(2)
    with pytest.raises(KeyboardInterrupt):
        als._store(factors, np.ones(2), biases, np.ones(2))
    np.testing.assert_array_equal(factors.value, 1)
    np.testing.assert_array_equal(biases, 1)


def test_expected_rows_are_optimal():
    """The naive solution that other tests compare with has a gradient of zero."""
    p = problem(17, 40, 6, biases=True, weights=True)
    factors, biases = expected(p)
    for u, x, w, t in p.rows():
        left = w * (t - biases[u] - x @ factors[u])
        np.testing.assert_allclose(left @ x, p.ridge[u] * factors[u], atol=1e-10)
        assert left.sum() == pytest.approx(p.bias_ridge[u] * biases[u], abs=1e-10)
