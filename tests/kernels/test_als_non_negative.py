"""Non-negative rows: the conditions of an optimum, and a descent on the way there."""

from dataclasses import replace

import numpy as np
import pytest

from kernels.als_cases import normal_equations, objectives, problem

TERMS = [{}, {"weights": True}, {"zeros": True}, {"zeros": True, "weights": True}]
TERM = pytest.mark.parametrize("terms", TERMS, ids=["plain", "weights", "zeros", "zeros_weights"])
NON_NEGATIVE = 2


@TERM
@pytest.mark.parametrize("k", [1, 7, 20])
def test_the_optimum_is_reached(als_kernel, k, terms):
    p = problem(17, 90, k, **terms)
    factors, _ = p.solve(als_kernel, NON_NEGATIVE, 2000)
    assert np.all(factors >= 0)
    if k > 1:
        assert np.any(factors == 0)
        assert np.any(factors > 0.1)
    for u, x, w, t in p.rows():
        a, b = normal_equations(p, u, x, w, t)
        gradient = a @ factors[u] - b
        tolerance = 1e-8 * np.abs(b).max() + 1e-12
        assert np.all(gradient >= -tolerance)
        assert np.all(np.abs(gradient[factors[u] > 0]) <= tolerance)


@TERM
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_objective_never_rises(als_kernel, terms, dtype):
    p = problem(17, 90, 12, dtype, **terms)
    p = replace(p, own_factors=np.abs(p.own_factors))
    before = objectives(p, p.own_factors)
    for _ in range(12):
        p = replace(p, own_factors=p.solve(als_kernel, NON_NEGATIVE, 1)[0])
        now = objectives(p, p.own_factors)
        assert np.all(now <= before + (1e-9 if dtype == np.float64 else 1e-4) * np.abs(before))
        before = now


def test_sweeps_go_on_where_they_stopped(als_kernel):
    p = problem(17, 90, 12)
    at_once = p.solve(als_kernel, NON_NEGATIVE, 6)[0]
    first = replace(p, own_factors=p.solve(als_kernel, NON_NEGATIVE, 2)[0])
    np.testing.assert_allclose(first.solve(als_kernel, NON_NEGATIVE, 4)[0], at_once, atol=1e-12)


def test_a_solution_is_left_alone(als_kernel):
    p = problem(17, 90, 12)
    done = replace(p, own_factors=p.solve(als_kernel, NON_NEGATIVE, 3000)[0])
    again = done.solve(als_kernel, NON_NEGATIVE, 3000)[0]
    np.testing.assert_allclose(again, done.own_factors, atol=1e-13)


def test_negative_starts_count_as_zero(als_kernel):
    p = problem(17, 90, 6)
    found = replace(p, own_factors=-np.abs(p.own_factors)).solve(als_kernel, NON_NEGATIVE, 2)
    wanted = replace(p, own_factors=np.zeros_like(p.own_factors)).solve(als_kernel, NON_NEGATIVE, 2)
    np.testing.assert_array_equal(found[0], wanted[0])


def test_columns_without_a_factor_keep_it_zero(als_kernel):
    p = problem(17, 90, 6)
    p.other_factors[:, 2] = 0
    p = replace(p, ridge=np.zeros_like(p.ridge))
    factors, _ = p.solve(als_kernel, NON_NEGATIVE, 10)
    assert np.isfinite(factors).all()
    present = np.diff(p.indptr) > 0
    assert np.all(factors[present, 2] == 0)
