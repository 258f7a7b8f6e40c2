"""Sums of squared errors."""

import numpy as np
import pytest

from kernels.gd_paths import observed_arrays
from reference import naive_squared_error, problem

TOLERANCE = {np.dtype("float64"): 1e-12, np.dtype("float32"): 1e-5}


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("missing", [0.0, 0.3, 0.95])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (7, 5, 3), (1, 40, 2), (40, 1, 2), (4, 3, 9), (97, 131, 17), (200, 17, 66)]
)
def test_equals_the_loops(gd_kernel, shape, missing, dtype):
    ratings, users, items = problem(*shape, missing, dtype=dtype)
    expected = naive_squared_error(*(a.astype(np.float64) for a in (ratings, users, items)))
    tolerance = TOLERANCE[np.dtype(dtype)]
    dense = gd_kernel.squared_error(ratings, users, items, 1)
    by_user = observed_arrays(ratings)[:3]
    observed = gd_kernel.observed_squared_error(*by_user, users, items, 1)
    assert isinstance(dense, float)
    assert isinstance(observed, float)
    assert dense == pytest.approx(expected, rel=tolerance)
    assert observed == pytest.approx(expected, rel=tolerance)


def test_nothing_observed_is_no_error(gd_kernel):
    ratings, users, items = problem(4, 3, 2)
    ratings[:] = np.nan
    assert gd_kernel.squared_error(ratings, users, items, 1) == 0.0
    assert gd_kernel.observed_squared_error(*observed_arrays(ratings)[:3], users, items, 1) == 0.0


def test_squares_are_added_in_double_precision(gd_kernel):
    """A float32 sum of that many equal squares would lose digit after digit, and stop growing."""
    ratings = np.full((3000, 1500), 1.1, dtype=np.float32)
    users, items = np.zeros((3000, 1), dtype=np.float32), np.ones((1, 1500), dtype=np.float32)
    expected = ratings.size * 1.21
    # Squares may be rounded to float32 (by 6e-8); all of them added in float32 would be 3 % off.
    assert gd_kernel.squared_error(ratings, users, items, 1) == pytest.approx(expected, rel=5e-7)
    by_user = observed_arrays(ratings[:300])[:3]
    observed = gd_kernel.observed_squared_error(*by_user, users[:300], items, 1)
    assert observed == pytest.approx(expected / 10, rel=5e-7)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_an_overflowing_prediction_is_not_hidden(gd_kernel, dtype):
    ratings, users, items = problem(5, 4, 2, 0.3, dtype=dtype)
    users[2] = items[:, 1] = np.sqrt(np.finfo(dtype).max) * 2
    ratings[2, 1] = 3.0
    assert not np.isfinite(gd_kernel.squared_error(ratings, users, items, 1))
    by_user = observed_arrays(ratings)[:3]
    assert not np.isfinite(gd_kernel.observed_squared_error(*by_user, users, items, 1))
