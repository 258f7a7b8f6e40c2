"""The root mean squared and the mean absolute error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matfact.evaluation import mae, rmse

BOTH = pytest.mark.parametrize("metric", [rmse, mae])


def test_by_hand():
    assert rmse([1, 2, 3, 4], [1, 2, 3, 6]) == 1.0
    assert mae([1, 2, 3, 4], [1, 2, 3, 6]) == 0.5
    assert rmse([1, 2], [3, 2], weights=[1, 3]) == 1.0
    assert mae([1, 2], [3, 2], weights=[1, 3]) == 0.5


@BOTH
def test_none(metric):
    assert metric(np.arange(5.0), np.arange(5.0)) == 0.0


@BOTH
def test_float32_is_added_in_float64(metric):
    truth = np.zeros(10**6, dtype=np.float32)
    found = metric(truth, truth + np.float32(0.1))
    assert found == pytest.approx(float(np.float32(0.1)), rel=1e-12)


@given(
    st.lists(
        st.tuples(st.integers(-5, 5), st.integers(-5, 5), st.integers(0, 4)), min_size=1
    ).filter(lambda rows: sum(row[2] for row in rows) > 0)
)
def test_whole_weights_are_repetitions(rows):
    truth, predicted, weights = (np.array(column) for column in zip(*rows, strict=True))
    repeated = truth.repeat(weights), predicted.repeat(weights)
    assert rmse(truth, predicted, weights=weights) == pytest.approx(rmse(*repeated), abs=1e-12)
    assert mae(truth, predicted, weights=weights) == pytest.approx(mae(*repeated), abs=1e-12)


@BOTH
def test_nan_is_not_hidden(metric):
    assert np.isnan(metric([1.0, np.nan], [1.0, 1.0]))


@BOTH
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1, 2], [1, 2, 3]), ValueError, r"truth has shape \(2,\) and predicted \(3,\); give two"),
        (([[1, 2]], [[1, 2]]), ValueError, "give two 1-d arrays"),
        (([], []), ValueError, "truth is empty; an error needs at least 1 rating"),
        ((["a"], ["b"]), TypeError, "truth has dtype <U1; give real numbers"),
        (([1], [2], [1, 2]), ValueError, r"weights has shape \(2,\); give one for each of the 1"),
        (([1], [2], [-1]), ValueError, r"weights\[0\] is -1.0; give numbers of at least 0"),
        (([1], [2], [np.nan]), ValueError, r"weights\[0\] is nan; give finite"),
        (([1], [2], [0]), ValueError, "weights are all 0"),
    ],
)
def test_bad_arguments(metric, arguments, error, message):
    truth, predicted, *weights = arguments
    with pytest.raises(error, match=message):
        metric(truth, predicted, weights=weights[0] if weights else None)
