"""Blocks of variables, one after another, are what numpy.linalg.solve makes of each block."""

import numpy as np
import pytest

from kernels.als_cases import EMPTY, expected, normal_equations, objectives, problem

SUBSPACE = 3
BLOCK = 32
TERMS = {
    "plain": {},
    "weights": {"weights": True},
    "zeros": {"zeros": True},
    "zeros_weights": {"zeros": True, "weights": True},
}
TERM = pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS.keys())


def by_loops(p, n_sweeps):
    """Solve a block of the normal equations after another, in double precision."""
    out = p.own_factors.astype(float)
    k = out.shape[1]
    for u, x, w, t in p.rows():
        if not len(x) and p.gram is None:
            out[u] = 0
            continue
        a, b = normal_equations(p, u, x, w, t)
        for _ in range(n_sweeps):
            for start in range(0, k, BLOCK):
                block = slice(start, min(start + BLOCK, k))
                gradient = b[block] - a[block] @ out[u]
                out[u, block] += np.linalg.solve(a[block, block], gradient)
    return out


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("n_sweeps", [0, 1, 3])
@TERM
def test_sweeps_are_those_of_loops(als_kernel, terms, n_sweeps, dtype):
    # one block and several, whole and not; rows longer than what is gathered at a time
    for k in (1, 7, 32, 33, 64, 101):
        p = problem(9, 301, k, dtype, **terms)
        found, _ = p.solve(als_kernel, SUBSPACE, n_sweeps)
        wanted = by_loops(p, n_sweeps)
        tolerance = 1e-10 if dtype == np.float64 else 2e-4
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


@TERM
def test_one_block_is_the_solution(als_kernel, terms):
    p = problem(9, 150, BLOCK, **terms)
    found, _ = p.solve(als_kernel, SUBSPACE, 1)
    np.testing.assert_allclose(found, expected(p)[0], rtol=0, atol=1e-9)


@TERM
def test_each_sweep_lowers_the_objective(als_kernel, terms):
    p = problem(17, 150, 70, **terms)
    before = None
    for n_sweeps in range(5):
        factors, _ = p.solve(als_kernel, SUBSPACE, n_sweeps)
        now = objectives(p, factors)
        if before is not None:
            assert np.all(now <= before + 1e-9)
            assert now.sum() < before.sum() - 1e-6
        before = now


def test_many_sweeps_converge(als_kernel):
    p = problem(17, 150, 70, zeros=True, weights=True)
    found, _ = p.solve(als_kernel, SUBSPACE, 400)
    np.testing.assert_allclose(found, expected(p)[0], rtol=0, atol=1e-8)
    np.testing.assert_allclose(found[EMPTY], 0, atol=1e-8)


def test_rows_that_leave_variables_open(als_kernel):
    p = problem(17, 150, 70)
    p.ridge[:] = 0
    found, _ = p.solve(als_kernel, SUBSPACE, 200)
    assert np.isfinite(found).all()
    for u, x, _, t in p.rows():
        if 0 < len(x) < 70:  # fewer entries than variables: all of them are met
            np.testing.assert_allclose(x @ found[u], t, atol=1e-5)


def test_biases_are_refused(als_kernel):
    with pytest.raises(ValueError, match="no biases"):
        problem(4, 5, 3, biases=True).solve_in_place(als_kernel, SUBSPACE)
