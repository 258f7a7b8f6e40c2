"""Values that are not finite, inputs that must not change, and arguments of a wrong kind."""

import numpy as np
import pytest

from kernels.gd_paths import MISSING, PATHS, frozen, observed_arrays, rows_of, run_path
from reference import naive_iterations, problem

each_path = pytest.mark.parametrize("path", PATHS)


@each_path
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(12, 7, 3), (7, 12, 3)], ids=["tall", "wide"])
def test_stops_with_the_last_finite_state(gd_kernel, path, dtype, shape):
    ratings, users, items = problem(*shape, MISSING[path], dtype=dtype)
    arguments = gd_kernel, path, ratings, users, items, 3.0, 3.0
    outcome = run_path(*arguments, 100)
    assert 0 < outcome.finished < 100
    assert np.isfinite(outcome.users).all()
    assert np.isfinite(outcome.items).all()
    assert run_path(*arguments, outcome.finished).has_the_bits_of(outcome)
    assert run_path(*arguments, outcome.finished + 1).has_the_bits_of(outcome)


@each_path
def test_stops_in_the_iteration_in_which_the_loops_do(gd_kernel, path):
    ratings, users, items = problem(9, 6, 2, MISSING[path])
    finished = 0
    with np.errstate(all="ignore"):
        while True:
            after = naive_iterations(ratings, users, items, 5.0, 5.0, finished + 1)
            if not all(np.isfinite(factors).all() for factors in after):
                break
            finished += 1
    # The compressed form holds other numbers, which may overflow one iteration earlier or later.
    slack = 1 if path == "compressed" else 0
    outcome = run_path(gd_kernel, path, ratings, users, items, 5.0, 5.0, 100)
    assert abs(outcome.finished - finished) <= slack


@each_path
def test_a_first_iteration_that_fails_leaves_the_start(gd_kernel, path):
    ratings, users, items = problem(6, 5, 2, MISSING[path])
    outcome = run_path(gd_kernel, path, ratings, users, items, 1e300, 1e300, 5)
    assert outcome.finished == 0
    np.testing.assert_allclose(outcome.users, users, rtol=1e-15)
    np.testing.assert_allclose(outcome.items, items, rtol=1e-15)


@each_path
def test_inputs_are_not_touched(gd_kernel, path):
    """`run_path` hands over read-only copies: a kernel that writes to one raises."""
    ratings, users, items = problem(10, 8, 3, MISSING[path])
    before = [array.copy() for array in (ratings, users, items)]
    run_path(gd_kernel, path, ratings, users, items, 0.01, 0.01, 2)
    for array, copy in zip((ratings, users, items), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_squared_errors_take_read_only_arrays(gd_kernel):
    ratings, users, items = problem(10, 8, 3, 0.4)
    arrays = frozen(ratings, users, items)
    assert gd_kernel.squared_error(*arrays, 1) > 0
    assert (
        gd_kernel.observed_squared_error(*frozen(*observed_arrays(ratings)[:3]), *arrays[1:], 1) > 0
    )


# A compiled kernel takes exactly the arrays that it is made for. Callers check first; these errors
# are the second line of defence, where a mistake must end in an exception and not in a crash.
WRONG = {
    "Fortran order": np.asfortranarray,
    "other dtype": lambda a: a.astype(np.float32 if a.dtype == np.float64 else np.float64),
    "integers": lambda a: a.astype(np.int64 if a.dtype.kind == "f" else np.uint8),
    "one dimension more": lambda a: a[None],
    "non-contiguous": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "complex": lambda a: a.astype(complex),
    "objects": lambda a: a.astype(object),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("position", range(3))
def test_compiled_full_iterations_refuse_wrong_arrays(compiled_gd, wrong, position):
    arguments = list(problem(6, 5, 2))
    arguments[position] = WRONG[wrong](arguments[position])
    with pytest.raises((TypeError, ValueError)):
        compiled_gd.full_iterations(*arguments, 0.1, 0.1, 1, 1)


@pytest.mark.parametrize("wrong", [name for name in WRONG if name != "Fortran order"])
@pytest.mark.parametrize("position", range(6))
def test_compiled_observed_iterations_refuse_wrong_arrays(compiled_gd, wrong, position):
    ratings, users, items = problem(6, 5, 2, 0.5)
    arguments = list(observed_arrays(ratings))
    arguments[position] = WRONG[wrong](arguments[position])
    with pytest.raises((TypeError, ValueError)):
        compiled_gd.observed_iterations(*arguments, users, items, 0.1, 0.1, 1, 1)


@pytest.mark.parametrize("position", range(1, 5))
def test_compiled_filled_iterations_refuse_wrong_index_arrays(compiled_gd, position):
    ratings, users, items = problem(6, 5, 2, 0.3)
    missing = np.isnan(ratings)
    arguments = [np.where(missing, 0, ratings), *rows_of(missing), *rows_of(missing.T)]
    arguments[position] = arguments[position].astype(np.int16)
    with pytest.raises((TypeError, ValueError)):
        compiled_gd.filled_iterations(*arguments, users, items, 0.1, 0.1, 1, 1)


@pytest.mark.parametrize("position", [1, 2])
def test_compiled_kernels_refuse_to_write_into_read_only_factors(compiled_gd, position):
    arguments = list(problem(6, 5, 2))
    arguments[position].flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        compiled_gd.full_iterations(*arguments, 0.1, 0.1, 1, 1)


def test_compiled_kernels_refuse_an_unknown_simd_level(compiled_gd):
    with pytest.raises(ValueError, match="v9"):
        compiled_gd.set_simd_level("v9")
