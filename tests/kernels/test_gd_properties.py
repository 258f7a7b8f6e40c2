"""What holds for any ratings and factors: hypothesis looks for a counterexample."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.gd_paths import MISSING, PATHS, run_path
from reference import assert_close, naive_iterations

each_path = pytest.mark.parametrize("path", PATHS)
# The kernel fixture only sets a SIMD level, which an example does not change.
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def problems(draw, path):
    """Ratings, some missing where the path allows it, and factors, of any small shape."""
    n_users, n_items, k = (draw(st.integers(1, top)) for top in (40, 40, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ratings = rng.normal(0, draw(st.sampled_from([0.1, 1.0, 5.0])), (n_users, n_items))
    if MISSING[path]:
        ratings[rng.random(ratings.shape) < draw(st.floats(0, 1))] = np.nan
    return ratings, rng.normal(0, 1, (n_users, k)), rng.normal(0, 1, (k, n_items))


def small_steps(ratings, users, items):
    """Steps below 1 / (largest sum of squares of a factor over a row): each scalar step descends.

    The gradient along one scalar has the slope of that sum, so a step up to 2 / sum lowers the
    objective; it has to hold while the factors change, hence the reserve.
    """
    bound = 4 * max(np.sum(users**2), np.sum(items**2)) + np.nansum(ratings**2)
    return 0.5 / bound


@each_path
def test_equals_the_loops(gd_kernel, path):
    @quick
    @given(problems(path))
    def check(arrays):
        step = small_steps(*arrays)
        outcome = run_path(gd_kernel, path, *arrays, step, step, 2)
        users, items = naive_iterations(*arrays, step, step, 2)
        assert_close(outcome.users, users, 1e-10)
        assert_close(outcome.items, items, 1e-10)

    check()


@each_path
def test_the_objective_never_rises_for_a_small_step(gd_kernel, path):
    @quick
    @given(problems(path))
    def check(arrays):
        ratings, users, items = arrays
        step = small_steps(*arrays)
        before = gd_kernel.squared_error(ratings, users, items, 1)
        for _ in range(3):
            outcome = run_path(gd_kernel, path, ratings, users, items, step, step, 1)
            users, items = outcome.users, outcome.items
            after = gd_kernel.squared_error(ratings, users, items, 1)
            assert after <= before * (1 + 1e-9) + 1e-12
            before = after

    check()


@each_path
def test_scaling_ratings_and_factors_scales_the_result(gd_kernel, path):
    """With ratings times 4, factors times 2 and steps over 4 every number is times a power of 2."""

    @quick
    @given(problems(path))
    def check(arrays):
        ratings, users, items = arrays
        step = small_steps(*arrays)
        one = run_path(gd_kernel, path, ratings, users, items, step, step, 2)
        scaled = run_path(gd_kernel, path, 4 * ratings, 2 * users, 2 * items, step / 4, step / 4, 2)
        assert_close(scaled.users / 2, one.users, 1e-12)
        assert_close(scaled.items / 2, one.items, 1e-12)

    check()


@each_path
def test_the_order_of_users_and_items_does_not_matter(gd_kernel, path):
    @quick
    @given(problems(path), st.integers(0, 2**32 - 1))
    def check(arrays, seed):
        ratings, users, items = arrays
        step = small_steps(*arrays)
        rng = np.random.default_rng(seed)
        rows, columns = rng.permutation(len(users)), rng.permutation(items.shape[1])
        one = run_path(gd_kernel, path, ratings, users, items, step, step, 2)
        shuffled = ratings[rows][:, columns], users[rows], items[:, columns]
        other = run_path(gd_kernel, path, *shuffled, step, step, 2)
        assert_close(other.users, one.users[rows], 1e-10)
        assert_close(other.items, one.items[:, columns], 1e-10)

    check()


@each_path
def test_zero_features_of_the_other_side_leave_a_side_alone(gd_kernel, path):
    @quick
    @given(problems(path))
    def check(arrays):
        ratings, users, items = arrays
        outcome = run_path(gd_kernel, path, ratings, users, np.zeros_like(items), 0.1, 0.0, 2)
        assert_close(outcome.users, users, 1e-12)

    check()
