"""Every path of the `gd` kernels against plain loops, and the compiled ones against the twin."""

import numpy as np
import pytest

from kernels.gd_paths import FULL_PATHS, MASKED_PATHS, MISSING, PATHS, run_path
from kernels.implementations import numpy_gd
from reference import NAIVE, PARITY, assert_close, naive_iterations, naive_solution, problem, steps

DTYPES = [np.float64, np.float32]
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
each_path = pytest.mark.parametrize("path", PATHS)

# One row or column, k above both sides, sizes around the width of vectors, tiles and chunks.
SHAPES = [
    (1, 1, 1),
    (1, 9, 3),
    (9, 1, 3),
    (2, 2, 5),
    (7, 5, 3),
    (5, 7, 3),
    (4, 3, 9),
    (33, 31, 17),
    (47, 97, 4),
    (97, 48, 6),
    (130, 19, 8),
]


def check_against_loops(kernel, path, shape, dtype, n_iterations, missing=None):
    missing = MISSING[path] if missing is None else missing
    ratings, users, items = problem(*shape, missing, dtype=dtype)
    of_steps = steps(ratings.shape, shape[2])
    outcome = run_path(kernel, path, ratings, users, items, *of_steps, n_iterations)
    expected = naive_solution(*shape, missing, n_iterations)
    assert outcome.finished == n_iterations
    assert outcome.users.dtype == outcome.items.dtype == dtype
    assert_close(outcome.users, expected[0], NAIVE[np.dtype(dtype)])
    assert_close(outcome.items, expected[1], NAIVE[np.dtype(dtype)])


@each_dtype
@each_path
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_equals_the_loops(gd_kernel, path, shape, dtype):
    check_against_loops(gd_kernel, path, shape, dtype, n_iterations=3)


@each_path
@pytest.mark.parametrize("n_features", [*range(1, 71), 96, 127, 128, 129, 130])
def test_equals_the_loops_for_any_number_of_features(gd_kernel, path, n_features):
    for dtype in DTYPES:
        check_against_loops(gd_kernel, path, (11, 6, n_features), dtype, n_iterations=1)


@each_path
@pytest.mark.parametrize("size", [15, 16, 17, 127, 128, 129, 130])
def test_equals_the_loops_at_edges_of_tiles(gd_kernel, path, size):
    for dtype in DTYPES:
        check_against_loops(gd_kernel, path, (size, 13, 5), dtype, n_iterations=1)
        check_against_loops(gd_kernel, path, (13, size, 5), dtype, n_iterations=1)


@pytest.mark.parametrize("path", MASKED_PATHS)
@pytest.mark.parametrize("missing", [0.0, 0.05, 0.6, 0.95])
def test_masked_paths_take_any_fraction_of_missing_cells(gd_kernel, path, missing):
    for dtype in DTYPES:
        check_against_loops(gd_kernel, path, (37, 29, 6), dtype, 3, missing)


@each_dtype
@each_path
def test_compiled_and_numpy_agree_after_20_iterations(compiled_gd, path, dtype):
    for shape in [(70, 45, 7), (45, 131, 20), (600, 31, 33)]:
        ratings, users, items = problem(*shape, MISSING[path], dtype=dtype)
        arguments = path, ratings, users, items, *steps(ratings.shape, shape[2]), 20
        compiled, twin = run_path(compiled_gd, *arguments), run_path(numpy_gd, *arguments)
        assert compiled.finished == twin.finished == 20
        assert_close(compiled.users, twin.users, PARITY[np.dtype(dtype)])
        assert_close(compiled.items, twin.items, PARITY[np.dtype(dtype)])


@each_dtype
def test_the_paths_agree_with_one_another(gd_kernel, dtype):
    ratings, users, items = problem(150, 40, 9, dtype=dtype)
    of_steps = steps(ratings.shape, 9)
    full = run_path(gd_kernel, "full", ratings, users, items, *of_steps, 20)
    for path in PATHS[1:]:
        other = run_path(gd_kernel, path, ratings, users, items, *of_steps, 20)
        assert_close(other.users, full.users, PARITY[np.dtype(dtype)])
        assert_close(other.items, full.items, PARITY[np.dtype(dtype)])


@each_path
@pytest.mark.parametrize("shape", [(14, 9, 4), (9, 14, 4)], ids=["tall", "wide"])
@pytest.mark.parametrize("side", ["users", "items"])
def test_a_step_of_zero_skips_a_half_sweep(gd_kernel, path, shape, side):
    ratings, users, items = problem(*shape, MISSING[path])
    user_step, item_step = steps(ratings.shape, shape[2])
    of_steps = (user_step, 0.0) if side == "users" else (0.0, item_step)
    outcome = run_path(gd_kernel, path, ratings, users, items, *of_steps, 2)
    expected = naive_iterations(ratings, users, items, *of_steps, 2)
    assert outcome.finished == 2
    assert_close(outcome.users, expected[0], 1e-10)
    assert_close(outcome.items, expected[1], 1e-10)
    if path != "compressed":  # there the long factors are computed anew, up to rounding
        still, before = (outcome.items, items) if side == "users" else (outcome.users, users)
        assert still.tobytes() == before.tobytes()


@each_path
def test_no_step_and_no_iteration_change_nothing(gd_kernel, path):
    ratings, users, items = problem(8, 6, 3, MISSING[path])
    for of_steps, n_iterations in [((0.0, 0.0), 3), ((0.1, 0.1), 0)]:
        outcome = run_path(gd_kernel, path, ratings, users, items, *of_steps, n_iterations)
        assert outcome.finished == n_iterations
        assert_close(outcome.users, users, 1e-15)
        assert_close(outcome.items, items, 1e-15)


@each_path
def test_iterations_in_pieces_equal_those_in_one_call(gd_kernel, path):
    ratings, users, items = problem(21, 17, 5, MISSING[path])
    of_steps = steps(ratings.shape, 5)
    at_once = run_path(gd_kernel, path, ratings, users, items, *of_steps, 7)
    first = run_path(gd_kernel, path, ratings, users, items, *of_steps, 3)
    second = run_path(gd_kernel, path, ratings, first.users, first.items, *of_steps, 4)
    assert_close(second.users, at_once.users, 1e-13)
    assert_close(second.items, at_once.items, 1e-13)


@pytest.mark.parametrize("path", MASKED_PATHS)
@each_dtype
def test_rows_and_columns_without_ratings(gd_kernel, path, dtype):
    ratings, users, items = problem(12, 10, 4, 0.3, dtype=dtype)
    ratings[[0, 5, 6, 11]] = np.nan
    ratings[:, [0, 4, 9]] = np.nan
    of_steps = steps(ratings.shape, 4)
    outcome = run_path(gd_kernel, path, ratings, users, items, *of_steps, 5)
    expected = naive_iterations(ratings, users, items, *of_steps, 5)
    assert_close(outcome.users, expected[0], NAIVE[np.dtype(dtype)])
    assert_close(outcome.items, expected[1], NAIVE[np.dtype(dtype)])
    if path == "observed":
        assert outcome.users[[0, 5, 6, 11]].tobytes() == users[[0, 5, 6, 11]].tobytes()
        assert outcome.items[:, [0, 4, 9]].tobytes() == items[:, [0, 4, 9]].tobytes()


@pytest.mark.parametrize("path", MASKED_PATHS)
@pytest.mark.parametrize("ratings", [np.full((3, 2), np.nan), np.ones((3, 2))])
def test_all_cells_or_none_missing(gd_kernel, path, ratings):
    _, users, items = problem(3, 2, 2)
    outcome = run_path(gd_kernel, path, ratings, users, items, 0.1, 0.1, 4)
    expected = naive_iterations(ratings, users, items, 0.1, 0.1, 4)
    assert outcome.finished == 4
    assert_close(outcome.users, expected[0], 1e-12)
    assert_close(outcome.items, expected[1], 1e-12)


@pytest.mark.parametrize("path", MASKED_PATHS)
def test_rows_of_very_different_length(gd_kernel, path):
    """Long rows and short ones do not fit the same blocks, buffers or threads."""
    rng = np.random.default_rng(5)
    ratings = rng.uniform(1, 5, (40, 3000))
    lengths = np.where(np.arange(40) % 13 == 0, 3000, rng.integers(0, 9, 40))
    for user, length in enumerate(lengths):
        gone = rng.permutation(3000)[length:]
        ratings[user, gone if path == "observed" else np.setdiff1d(np.arange(3000), gone)] = np.nan
    users, items = rng.uniform(0.1, 0.9, (40, 3)), rng.uniform(0.1, 0.9, (3, 3000))
    outcome = run_path(gd_kernel, path, ratings, users, items, 1e-4, 1e-3, 1)
    expected = naive_iterations(ratings, users, items, 1e-4, 1e-3, 1)
    assert_close(outcome.users, expected[0], 1e-10)
    assert_close(outcome.items, expected[1], 1e-10)


@pytest.mark.parametrize("path", FULL_PATHS)
def test_a_perfect_start_stays(gd_kernel, path):
    _, users, items = problem(30, 12, 3)
    outcome = run_path(gd_kernel, path, users @ items, users, items, 0.01, 0.01, 10)
    assert_close(outcome.users, users, 1e-13)
    assert_close(outcome.items, items, 1e-13)
