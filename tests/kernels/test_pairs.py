"""Predictions and errors of pairs are what plain loops make of them."""

import numpy as np
import pytest

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
N_FACTORS = pytest.mark.parametrize("k", [1, 8, 33, 130])


def model(n, m, k, dtype, biases=True):
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.normal(0, 0.5, shape).astype(dtype)

    both = normal(n), normal(m)
    return (normal(n, k), normal(m, k), *(both if biases else (None, None)), 3.4 if biases else 0.0)


def predicted(u, i, users, items, user_biases, item_biases, center):
    total = center + sum(float(a) * float(b) for a, b in zip(users[u], items[i], strict=True))
    if user_biases is not None:
        total += float(user_biases[u]) + float(item_biases[i])
    return total


def ratings(n, m, dtype, density=0.2):
    rng = np.random.default_rng(1)
    rated = rng.random((n, m)) < density
    rated[2] = False
    rows, columns = (x.astype(np.int32) for x in np.nonzero(rated))
    indptr = np.concatenate([[0], np.cumsum(rated.sum(axis=1))])
    values = rng.integers(1, 6, len(rows)).astype(dtype)
    return indptr, rows, columns, values, rng.uniform(0, 2, len(rows)).astype(dtype)


@DTYPES
@N_FACTORS
@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("place", [np.int32, np.int64])
def test_predictions(pairs_kernel, k, dtype, biases, place):
    arrays = model(11, 13, k, dtype, biases)
    rng = np.random.default_rng(2)
    users, items = rng.integers(0, 11, 19).astype(place), rng.integers(0, 13, 19).astype(place)
    found = pairs_kernel.predict_pairs(users, items, *arrays, 1)
    wanted = [predicted(u, i, *arrays) for u, i in zip(users, items, strict=True)]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, wanted, atol=1e-12 if dtype == np.float64 else 2e-5)


@DTYPES
@N_FACTORS
@pytest.mark.parametrize("biases", [False, True])
def test_errors(pairs_kernel, k, dtype, biases):
    arrays = model(11, 40, k, dtype, biases)
    indptr, rows, columns, values, weights = ratings(11, 40, dtype)
    wanted = values - np.array(
        [predicted(u, i, *arrays) for u, i in zip(rows, columns, strict=True)]
    )
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    found = pairs_kernel.residuals(indptr, columns, values, *arrays, 1)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, atol=tolerance)
    for given, squares in ((None, wanted**2), (weights, weights * wanted**2)):
        found = pairs_kernel.squared_errors(indptr, columns, values, given, *arrays, 1)
        of_rows = np.bincount(rows, weights=squares, minlength=11)
        np.testing.assert_allclose(found, of_rows, rtol=10 * tolerance, atol=tolerance)


def test_nothing_to_predict(pairs_kernel):
    arrays = model(3, 4, 5, np.float32)
    empty = np.zeros(0, dtype=np.int32)
    assert pairs_kernel.predict_pairs(empty, empty, *arrays, 1).shape == (0,)
    values, indptr = np.zeros(0, dtype=np.float32), np.zeros(4, dtype=np.int64)
    assert not pairs_kernel.squared_errors(indptr, empty, values, None, *arrays, 1).any()
    assert pairs_kernel.residuals(indptr, empty, values, *arrays, 1).shape == (0,)


@pytest.mark.parametrize("k", [3, 20, 33])
def test_a_prediction_does_not_depend_on_its_place(compiled_pairs, k):
    arrays = model(11, 13, k, np.float32)
    users, items = np.divmod(np.arange(11 * 13, dtype=np.int32), 13)
    together = compiled_pairs.predict_pairs(users, items, *arrays, 1)
    for j in (0, 1, 50, 142):
        alone = compiled_pairs.predict_pairs(users[j : j + 1], items[j : j + 1], *arrays, 1)
        assert alone[0] == together[j]


@DTYPES
def test_same_bits_for_any_number_of_threads(compiled_pairs, dtype):
    arrays = model(1003, 801, 33, dtype)
    indptr, rows, columns, values, weights = ratings(1003, 801, dtype, 0.4)
    arguments = indptr, columns, values

    def run(n_threads):
        return [
            compiled_pairs.predict_pairs(rows, columns, *arrays, n_threads).tobytes(),
            compiled_pairs.squared_errors(*arguments, weights, *arrays, n_threads).tobytes(),
            compiled_pairs.residuals(*arguments, *arrays, n_threads).tobytes(),
        ]

    alone = run(1)
    for n_threads in (2, 3, 8, 0):
        assert run(n_threads) == alone


def test_values_that_are_not_finite_are_seen(pairs_kernel):
    arrays = model(3, 4, 5, np.float32)
    arrays[0][1, 2] = np.nan
    indptr, columns = np.array([0, 1, 2, 2]), np.array([0, 3], dtype=np.int32)
    values = np.ones(2, dtype=np.float32)
    found = pairs_kernel.squared_errors(indptr, columns, values, None, *arrays, 1)
    np.testing.assert_array_equal(np.isnan(found), [False, True, False])


def test_wrong_lengths_are_refused(compiled_pairs):
    users, items, user_biases, item_biases, center = model(3, 4, 5, np.float32)
    some = np.zeros(2, dtype=np.int32)
    with pytest.raises(ValueError, match="must have"):
        compiled_pairs.predict_pairs(some, some[:1], users, items, None, None, center, 1)
    with pytest.raises(ValueError, match="must have"):
        compiled_pairs.predict_pairs(some, some, users, items, user_biases[:2], None, center, 1)
    with pytest.raises(ValueError, match="must have"):
        compiled_pairs.predict_pairs(
            some, some, users, np.ascontiguousarray(items[:, :4]), None, item_biases, center, 1
        )
