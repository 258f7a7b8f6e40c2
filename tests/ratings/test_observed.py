"""Sparse storage of ratings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matfact.ratings import ObservedRatings
from reference import problem

ARRAYS = [
    "user_indptr",
    "user_indices",
    "user_values",
    "item_indptr",
    "item_indices",
    "item_values",
]


def dense(observed):
    """Put the ratings back into a matrix, by the users' arrays; check that the items' agree."""
    matrix = np.full(observed.shape, np.nan)
    for user in range(observed.shape[0]):
        cells = slice(*observed.user_indptr[user : user + 2])
        assert (np.diff(observed.user_indices[cells]) > 0).all()
        matrix[user, observed.user_indices[cells]] = observed.user_values[cells]
    other = np.full(observed.shape, np.nan)
    for item in range(observed.shape[1]):
        cells = slice(*observed.item_indptr[item : item + 2])
        assert (np.diff(observed.item_indices[cells]) > 0).all()
        other[observed.item_indices[cells], item] = observed.item_values[cells]
    np.testing.assert_array_equal(matrix, other)
    return matrix


def test_from_triples():
    observed = ObservedRatings.from_triples([2, 0, 2], [1, 1, 0], [4, 5, 3], shape=(3, 2))
    expected = {
        "user_indptr": np.array([0, 1, 1, 3]),
        "user_indices": np.array([1, 0, 1], dtype=np.int32),
        "user_values": np.array([5.0, 3.0, 4.0]),
        "item_indptr": np.array([0, 1, 3]),
        "item_indices": np.array([2, 0, 2], dtype=np.int32),
        "item_values": np.array([3.0, 5.0, 4.0]),
    }
    for name, array in expected.items():
        np.testing.assert_array_equal(getattr(observed, name), array, strict=True)
    assert observed.shape == (3, 2)
    assert observed.n_ratings == 3
    assert repr(observed) == "<ObservedRatings: 3 users x 2 items, 3 ratings, float64>"


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("missing", [0.0, 0.5, 0.95])
def test_from_dense(dtype, missing):
    ratings, _, _ = problem(13, 9, 1, missing, dtype=dtype)
    observed = ObservedRatings.from_dense(ratings)
    np.testing.assert_array_equal(dense(observed), ratings)
    assert observed.user_values.dtype == observed.item_values.dtype == dtype
    assert observed.n_ratings == np.count_nonzero(~np.isnan(ratings))


@given(st.integers(1, 12), st.integers(1, 12), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_triples_in_any_order_are_the_dense_matrix(n_users, n_items, missing, seed):
    rng = np.random.default_rng(seed)
    ratings = rng.integers(0, 6, (n_users, n_items)).astype(float)
    ratings[rng.random(ratings.shape) < missing] = np.nan
    users, items = np.nonzero(~np.isnan(ratings))
    order = rng.permutation(len(users))
    users, items = users[order], items[order]
    observed = ObservedRatings.from_triples(users, items, ratings[users, items], ratings.shape)
    np.testing.assert_array_equal(dense(observed), ratings)
    other = ObservedRatings.from_dense(ratings)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(observed, name), getattr(other, name), strict=True)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (np.array([1, 2]), None, np.float64),
        (np.array([1, 2], dtype=np.float32), None, np.float32),
        (np.array([1, 2], dtype=np.float16), None, np.float64),
        ([1, 2], np.float32, np.float32),
        ([True, False], "float64", np.float64),
    ],
)
def test_dtype_of_the_values(values, dtype, expected):
    observed = ObservedRatings.from_triples([0, 1], [0, 0], values, (2, 1), dtype=dtype)
    assert observed.user_values.dtype == expected


def test_no_ratings():
    observed = ObservedRatings.from_triples([], [], [], (3, 2))
    assert observed.n_ratings == 0
    assert np.isnan(dense(observed)).all()


def test_a_stored_zero_is_a_rating():
    observed = ObservedRatings.from_triples([0], [0], [0], (1, 2))
    np.testing.assert_array_equal(dense(observed), [[0, np.nan]])


def test_inputs_are_neither_changed_nor_kept():
    users, items, values = np.array([1, 0]), np.array([0, 0]), np.array([2.0, 3.0])
    observed = ObservedRatings.from_triples(users, items, values, (2, 1))
    np.testing.assert_array_equal(users, [1, 0])
    values[:] = 9
    np.testing.assert_array_equal(observed.user_values, [3, 2])


def test_it_cannot_be_changed():
    observed = ObservedRatings.from_triples([0], [0], [1], (1, 1))
    for name in ARRAYS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(observed, name)[0] = 1
    with pytest.raises(AttributeError):
        observed.shape = (2, 2)


def test_a_large_shape_takes_no_dense_matrix():
    size = 500_000  # 2 TB as a dense matrix
    observed = ObservedRatings.from_triples([size - 1, 3], [size - 1, 0], [1, 2], (size, size))
    assert observed.user_indices.tolist() == [0, size - 1]
    assert observed.item_indices.tolist() == [3, size - 1]


BAD_TRIPLES = [
    (([0, 9], [0, 0], [1, 2]), ValueError, r"users\[1\] is 9; positions go from 0 to 2, as shape"),
    (([0, -1], [0, 0], [1, 2]), ValueError, r"users\[1\] is -1"),
    (([0, 1], [2, 0], [1, 2]), ValueError, r"items\[0\] is 2; positions go from 0 to 1"),
    (([0.0, 1.0], [0, 0], [1, 2]), TypeError, "users has dtype float64; give integer positions"),
    ((["a", "b"], [0, 0], [1, 2]), TypeError, "users has dtype <U1"),
    (([True, False], [0, 0], [1, 2]), TypeError, "users has dtype bool"),
    (([[0, 1]], [0, 0], [1, 2]), ValueError, "users has 2 dimensions"),
    (([0, 1], [0, 0], [[1], [2]]), ValueError, "values has 2 dimensions"),
    (([0, 1], [0], [1, 2]), ValueError, "have lengths 2, 1 and 2; give one of each"),
    (([0, 1], [0, 0], [1, np.nan]), ValueError, r"values\[1\] is nan; give finite numbers"),
    (([0, 1], [0, 0], [np.inf, 1]), ValueError, r"values\[0\] is inf"),
    (([0, 1], [0, 0], ["a", "b"]), TypeError, "values has dtype <U1; give real numbers"),
    (([0, 1], [0, 0], [1j, 2]), TypeError, "values has dtype complex128"),
    (
        ([2, 1, 0, 2], [0, 1, 1, 0], [1, 2, 3, 4]),
        ValueError,
        "user 2 and item 0 appear twice, at positions 0 and 3 of users and items; keep one",
    ),
]


@pytest.mark.parametrize(("triples", "error", "message"), BAD_TRIPLES)
def test_bad_triples(triples, error, message):
    with pytest.raises(error, match=message):
        ObservedRatings.from_triples(*triples, shape=(3, 2))


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((0, 2), ValueError, r"shape\[0\] is 0; give an integer of at least 1"),
        ((2, 2.0), TypeError, r"shape\[1\] must be an integer"),
        ((2, 2, 2), ValueError, r"shape is \(2, 2, 2\)"),
        ((2, 2**31), ValueError, r"shape\[1\] is 2147483648; at most 2147483647"),
    ],
)
def test_bad_shapes(shape, error, message):
    with pytest.raises(error, match=message):
        ObservedRatings.from_triples([0], [0], [1], shape=shape)


@pytest.mark.parametrize("dtype", [np.int64, np.float16, complex])
def test_bad_dtypes(dtype):
    with pytest.raises(TypeError, match=r"dtype is .*; give float32 or float64"):
        ObservedRatings.from_triples([0], [0], [1], (1, 1), dtype=dtype)


def test_a_value_too_large_for_float32():
    with pytest.raises(ValueError, match=r"values\[0\] is inf"):
        ObservedRatings.from_triples([0], [0], [1e300], (1, 1), dtype=np.float32)


@pytest.mark.parametrize(
    ("ratings", "error", "message"),
    [
        (np.ones((2, 2), dtype=int), TypeError, "ratings has dtype int64; give float32 or float64"),
        (np.ones(3), ValueError, "ratings has 1 dimensions"),
        (np.ones((0, 3)), ValueError, r"shape\[0\] is 0"),
        (np.array([[1.0, -np.inf]]), ValueError, r"ratings\[0, 1\] is -inf; give finite numbers"),
    ],
)
def test_bad_dense_ratings(ratings, error, message):
    with pytest.raises(error, match=message):
        ObservedRatings.from_dense(ratings)
