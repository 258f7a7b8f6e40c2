"""The root mean squared error."""

import numpy as np
import pytest

from matfact.evaluation import rmse


def test_by_hand():
    assert rmse([1, 2, 3, 4], [1, 2, 3, 6]) == 1.0


def test_none():
    assert rmse(np.arange(5.0), np.arange(5.0)) == 0.0


def test_float32_is_added_in_float64():
    truth = np.zeros(10**6, dtype=np.float32)
    assert rmse(truth, truth + np.float32(0.1)) == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_different_lengths():
    with pytest.raises(ValueError, match=r"truth has shape \(2,\) and predicted \(3,\); give two"):
        rmse([1, 2], [1, 2, 3])


def test_a_matrix():
    with pytest.raises(ValueError, match="give two 1-d arrays"):
        rmse([[1, 2]], [[1, 2]])


def test_nothing():
    with pytest.raises(ValueError, match="truth is empty; an error needs at least 1 rating"):
        rmse([], [])
