"""Ratings of triples: what is stored, what is refused, and that nothing can change it."""

import pickle
import re
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matfact import Ratings
from matfact.exceptions import UnknownIdError
from matfact.ratings import IdMap

USERS, ITEMS, VALUES = ["bob", "ann", "bob"], [7, 7, 5], [4, 0, 2.5]


@st.composite
def triples(draw):
    """(user ids, item ids, values) of a random set of distinct pairs, in random order."""
    id_kind = st.sampled_from(
        [st.integers(-5, 5), st.integers(-(2**60), 2**60), st.text(max_size=3)]
    )
    user_ids = draw(st.lists(draw(id_kind), min_size=1, max_size=6, unique=True))
    item_ids = draw(st.lists(draw(id_kind), min_size=1, max_size=6, unique=True))
    pairs = draw(
        st.lists(
            st.tuples(st.sampled_from(user_ids), st.sampled_from(item_ids)),
            min_size=1,
            max_size=20,
            unique=True,
        )
    )
    values = draw(st.lists(st.floats(-9, 9, width=32), min_size=len(pairs), max_size=len(pairs)))
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs], values


def as_dict(users, items, values):
    return dict(zip(zip(users, items, strict=True), values, strict=True))


@settings(deadline=None, max_examples=100)
@given(triples=triples(), dtype=st.sampled_from([np.float32, np.float64]))
def test_triples_come_back(triples, dtype):
    users, items, values = triples
    ratings = Ratings.from_triples(users, items, values, dtype=dtype)
    assert ratings.shape == (len(set(users)), len(set(items)))
    assert ratings.user_ids.ids.tolist() == sorted(set(users))
    assert ratings.item_ids.ids.tolist() == sorted(set(items))
    assert ratings.dtype == dtype
    back = ratings.to_triples()
    assert as_dict(*(column.tolist() for column in back)) == as_dict(users, items, values)
    turned = ratings.transpose()
    users, items, values = (column.tolist() for column in turned.to_triples())
    assert as_dict(items, users, values) == as_dict(*triples)
    assert turned.item_indices.tolist() == ratings.user_indices.tolist()
    check_invariants(ratings)
    check_invariants(turned)
    check_invariants(turned.transpose())


def check_invariants(ratings):
    """Both orders are sorted, agree and are read-only."""
    dense = np.full(ratings.shape, np.nan)
    dense[ratings.users, ratings.user_indices] = ratings.user_values
    turned = np.full(ratings.shape, np.nan)
    items = np.repeat(np.arange(ratings.n_items), np.diff(ratings.item_indptr))
    turned[ratings.item_indices, items] = ratings.item_values
    np.testing.assert_array_equal(dense, turned)
    for indptr, indices, rows in (
        (ratings.user_indptr, ratings.user_indices, ratings.users),
        (ratings.item_indptr, ratings.item_indices, items),
    ):
        assert (indptr.dtype, indices.dtype) == (np.int64, np.int32)
        assert indptr[0] == 0
        assert indptr[-1] == ratings.n_ratings == len(indices)
        cells = rows.astype(np.int64) * (indices.max() + 1) + indices
        assert (np.diff(cells) > 0).all()
        assert not indptr.flags.writeable
        assert not indices.flags.writeable
    assert not ratings.user_values.flags.writeable
    assert not ratings.item_values.flags.writeable


def test_named_ids():
    ratings = Ratings.from_triples(USERS, ITEMS, VALUES)
    assert repr(ratings) == "<Ratings: 2 users x 2 items, 3 ratings, float32>"
    assert ratings.user_indptr.tolist() == [0, 1, 3]
    assert ratings.user_indices.tolist() == [1, 0, 1]
    assert ratings.user_values.tolist() == [0.0, 2.5, 4.0]
    assert ratings.item_indptr.tolist() == [0, 1, 3]
    assert ratings.item_indices.tolist() == [1, 0, 1]
    assert ratings.item_values.tolist() == [2.5, 0.0, 4.0]
    assert ratings.users.tolist() == [0, 1, 1]
    assert ratings.mean == pytest.approx(6.5 / 3)
    assert (ratings.n_users, ratings.n_items, ratings.n_ratings) == (2, 2, 3)


def test_positions_with_empty_rows_and_columns():
    ratings = Ratings.from_triples([3, 0], [1, 1], [1, 2], shape=(5, 4))
    assert ratings.user_indptr.tolist() == [0, 1, 1, 1, 2, 2]
    assert ratings.item_indptr.tolist() == [0, 0, 2, 2, 2]
    assert ratings.user_ids.is_range
    check_invariants(ratings)


def test_a_matrix_far_too_large_to_be_dense():
    size = 2_000_000
    ratings = Ratings.from_triples([size - 1, 3], [size - 1, 0], [1, 2], shape=(size, size))
    assert ratings.users.tolist() == [3, size - 1]
    assert ratings.user_indices.tolist() == [0, size - 1]
    assert ratings.item_indices.tolist() == [3, size - 1]


@pytest.mark.parametrize("dtype", [np.float16, np.int8, np.uint64, bool, np.longdouble, ">f8"])
def test_ratings_of_any_real_dtype(dtype):
    values = np.array([1, 0, 1], dtype=dtype)
    ratings = Ratings.from_triples(USERS, ITEMS, values)
    assert ratings.dtype == np.float32
    assert ratings.user_values.tolist() == [0.0, 1.0, 1.0]


def test_a_second_table_with_the_ids_of_the_first():
    first = Ratings.from_triples(USERS, ITEMS, VALUES)
    second = Ratings.from_triples(
        ["bob"], [5], [1], user_ids=first.user_ids, item_ids=first.item_ids
    )
    assert second.shape == first.shape
    assert (second.users.tolist(), second.user_indices.tolist()) == ([1], [0])
    assert second.user_ids is first.user_ids
    third = Ratings.from_triples(["z"], [5], [1], user_ids=["z", "a"])
    assert third.user_ids.ids.tolist() == ["z", "a"]


def test_swapped_users_and_items_are_noticed():
    first = Ratings.from_triples(USERS, ITEMS, VALUES)
    known = {"user_ids": first.user_ids, "item_ids": first.item_ids}
    with pytest.raises(UnknownIdError, match=r"users has 3 unknown ids: 7, 5 \(the first at"):
        Ratings.from_triples(ITEMS, USERS, VALUES, **known)
    with pytest.raises(ValueError, match=r"users\[0\] is 5; positions go from 0 to 2"):
        Ratings.from_triples([5, 1], [0, 1], [1, 1], shape=(3, 9))


def test_weights_and_timestamps_move_with_their_ratings():
    ratings = Ratings.from_triples(USERS, ITEMS, VALUES, weights=[1, 2, 3], timestamps=[10, 20, 30])
    assert repr(ratings).endswith("float32, with weights, with timestamps>")
    assert ratings.user_weights.tolist() == [2, 3, 1]
    assert ratings.user_weights.dtype == np.float32
    assert ratings.timestamps.tolist() == [20, 30, 10]
    assert ratings.item_weights.tolist() == [3, 2, 1]
    assert ratings.mean == pytest.approx((4 * 1 + 0 * 2 + 2.5 * 3) / 6)
    turned = ratings.transpose()
    assert turned.user_weights.tolist() == [3, 2, 1]
    assert turned.timestamps.tolist() == [30, 20, 10]
    assert turned.item_weights.tolist() == [2, 3, 1]
    kept = ratings.select([2, 0])
    assert (kept.user_weights.tolist(), kept.timestamps.tolist()) == ([2, 1], [20, 10])
    double = ratings.astype(np.float64)
    assert double.user_weights.dtype == double.user_values.dtype == np.float64
    for times in (np.array([1, 2, 3], dtype="datetime64[s]"), [0.5, 1, 2]):
        with_times = Ratings.from_triples(USERS, ITEMS, VALUES, timestamps=times)
        assert with_times.timestamps.tolist() == np.asarray(times)[[1, 2, 0]].tolist()


TWICE = [1, 0, 1, 1], [0, 0, 0, 1], [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    ("duplicates", "values"),
    [("last", [2, 4, 8]), ("mean", [2, 2.5, 8]), ("sum", [2, 5, 8])],
)
def test_duplicates(duplicates, values):
    ratings = Ratings.from_triples(
        *TWICE, shape=(3, 2), duplicates=duplicates, timestamps=[9, 1, 3, 4]
    )
    assert ratings.user_values.tolist() == values
    assert ratings.user_indptr.tolist() == [0, 1, 3, 3]
    assert ratings.user_indices.tolist() == [0, 0, 1]
    assert ratings.timestamps.tolist() == [1, 3 if duplicates == "last" else 9, 4]
    check_invariants(ratings)


def test_duplicates_with_weights():
    weighted = {"shape": (3, 2), "weights": [3, 1, 1, 1]}
    last = Ratings.from_triples(*TWICE, duplicates="last", **weighted)
    assert last.user_weights.tolist() == [1, 1, 1]
    mean = Ratings.from_triples(*TWICE, duplicates="mean", **weighted)
    assert mean.user_values.tolist() == [2, 1.75, 8]
    assert mean.user_weights.tolist() == [1, 4, 1]
    weighted["weights"] = [0, 1, 0, 1]
    nothing = Ratings.from_triples(*TWICE, duplicates="mean", **weighted)
    assert nothing.user_values.tolist() == [2, 2.5, 8]
    with pytest.raises(ValueError, match="duplicates='sum' has no meaning for ratings with wei"):
        Ratings.from_triples(*TWICE, duplicates="sum", **weighted)


def test_duplicates_are_refused_by_name():
    with pytest.raises(
        ValueError,
        match=re.escape(
            "user 'bob' and item 7 appear twice, at positions 0 and 3; keep one rating of each "
            "pair, or choose by duplicates='last', 'mean' or 'sum' (2 ratings repeat a pair)"
        ),
    ):
        Ratings.from_triples(["bob", "ann", "ann", "bob", "ann"], [7] * 2 + [8] + [7] * 2, [1] * 5)


BAD = [
    ({"users": [-1, 0], "shape": (2, 2)}, ValueError, "users[0] is -1; positions go from 0 to 1"),
    ({"items": [0, 2], "shape": (2, 2)}, ValueError, "items[1] is 2; positions go from 0 to 1, as"),
    ({"users": ["a", "b"], "shape": (2, 2)}, TypeError, "users has dtype"),
    ({"users": [0.5, 1], "shape": (2, 2)}, TypeError, "users has dtype float64; with shape= give"),
    (
        {"users": np.uint64([2**63, 1]), "shape": (2, 2)},
        ValueError,
        "users[0] is 9223372036854775808",
    ),
    ({"users": [True, False]}, TypeError, "users holds the bool True"),
    ({"users": ["a", None]}, ValueError, "users[1] is None, a missing id"),
    ({"items": [1.0, np.nan]}, ValueError, "items[1] is"),
    ({"users": [[0, 1]]}, ValueError, "users has 2 dimensions"),
    ({"values": [1, np.nan]}, ValueError, "values[1] is nan; give finite numbers"),
    ({"values": [np.inf, 1]}, ValueError, "values[0] is inf; give finite numbers"),
    ({"values": [1, 1e300]}, ValueError, "values[1] is 1e+300, too large for float32; give dtype"),
    ({"values": ["4", "5"]}, TypeError, "values has dtype <U1; give real numbers"),
    ({"values": [1j, 1]}, TypeError, "values has dtype complex128"),
    ({"values": [1]}, ValueError, "the lengths differ: users 2, items 2, values 1; give one of"),
    ({"users": [], "items": [], "values": []}, ValueError, "there are no ratings"),
    ({"weights": [1, -1]}, ValueError, "weights[1] is -1.0; give numbers of at least 0"),
    ({"weights": [1, np.nan]}, ValueError, "weights[1] is nan"),
    ({"weights": [1]}, ValueError, "the lengths differ: users 2, items 2, values 2, weights 1"),
    ({"timestamps": ["x", "y"]}, TypeError, "timestamps has dtype <U1; give numbers or datetime"),
    ({"timestamps": [1, np.inf]}, ValueError, "timestamps[1] is inf; give a time for every"),
    ({"duplicates": "first"}, ValueError, "duplicates is 'first'; give one of 'raise', 'last'"),
    ({"dtype": np.float16}, TypeError, "dtype is float16; give float32 or float64"),
    ({"dtype": None}, TypeError, "dtype is None; give float32 or float64"),
    ({"shape": (2,)}, ValueError, "shape is (2,); give the numbers of users and of items"),
    ({"shape": (0, 2)}, ValueError, "shape[0] is 0; give an integer of at least 1"),
    ({"shape": (2, 2.0)}, TypeError, "shape[1] must be an integer"),
    ({"shape": (2, 2**31)}, ValueError, "shape[1] is 2147483648; at most 2147483647"),
    ({"shape": (2, 2), "user_ids": [1]}, ValueError, "shape makes users and items positions"),
    ({"user_ids": [0, 0]}, ValueError, "ids[1] is 0, which came before"),
    ({"user_ids": [0, 5]}, UnknownIdError, "users has 1 unknown id: 1 (the first at users[1])"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_bad_triples(change, error, message):
    arguments = {"users": [0, 1], "items": [0, 1], "values": [1.0, 2.0]} | change
    with pytest.raises(error, match=re.escape(message)):
        Ratings.from_triples(**arguments)


def test_inputs_are_left_alone_and_not_shared():
    arrays = [np.array([1, 0, 2]), np.array([0, 1, 2]), np.array([1, 2, 3], dtype=np.float32)]
    extras = {"weights": np.ones(3, np.float32), "timestamps": np.arange(3)}
    before = [array.copy() for array in (*arrays, *extras.values())]
    for array in (*arrays, *extras.values()):
        array.flags.writeable = False
    for options in ({"shape": (3, 3)}, {}):
        ratings = Ratings.from_triples(*arrays, **options, **extras)
        for array, old in zip((*arrays, *extras.values()), before, strict=True):
            assert (array == old).all()
            assert not array.flags.writeable
            for stored in (ratings.user_values, ratings.user_weights, ratings.timestamps):
                assert not np.shares_memory(array, stored)


def test_nothing_can_be_set():
    ratings = Ratings.from_triples(USERS, ITEMS, VALUES)
    for name in ("shape", "user_values", "item_values", "other"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(ratings, name, None)
    with pytest.raises(AttributeError, match="immutable"):
        del ratings.shape
    with pytest.raises(ValueError, match="read-only"):
        ratings.user_values[0] = 1
    with pytest.raises(TypeError, match=r"use Ratings\.from_triples"):
        Ratings()


def test_selecting():
    ratings = Ratings.from_triples(USERS, ITEMS, VALUES)
    for which in ([False, True, True], [1, 2], np.array([2, 1], dtype=np.uint8)):
        kept = ratings.select(which)
        assert kept.user_values.tolist() == [2.5, 4.0]
        assert kept.user_indptr.tolist() == [0, 0, 2]
        assert kept.shape == ratings.shape
        assert kept.user_ids is ratings.user_ids
        check_invariants(kept)


@pytest.mark.parametrize(
    ("which", "error", "message"),
    [
        ([True], ValueError, "the mask has length 1; give one value for each of the 3 ratings"),
        ([3], IndexError, "which[0] is 3; positions go from 0 to 2"),
        ([0, -1], IndexError, "which[1] is -1"),
        ([1, 1], ValueError, "which has position 1 twice"),
        ([], ValueError, "which selects no rating"),
        ([0.0], TypeError, "which has dtype float64; give a mask or integer positions"),
        ([[1]], ValueError, "which has 2 dimensions"),
    ],
)
def test_bad_selections(which, error, message):
    ratings = Ratings.from_triples(USERS, ITEMS, VALUES)
    with pytest.raises(error, match=re.escape(message)):
        ratings.select(which)


def test_another_precision():
    ratings = Ratings.from_triples(USERS, ITEMS, VALUES)
    assert ratings.astype(np.float32) is ratings
    double = ratings.astype(np.float64)
    assert double.user_values.tolist() == ratings.user_values.tolist()
    assert double.user_indices is ratings.user_indices
    large = Ratings.from_triples([0], [0], [1e300], dtype=np.float64)
    with pytest.raises(ValueError, match="too large for float32"):
        large.astype(np.float32)


def test_pickling():
    ratings = Ratings.from_triples(USERS, ITEMS, VALUES, weights=[1, 2, 3], timestamps=[1, 2, 3])
    copy = pickle.loads(pickle.dumps(ratings))  # noqa: S301 (our own bytes)
    for name in ("user_indptr", "user_indices", "user_values", "user_weights", "timestamps"):
        assert getattr(copy, name).tolist() == getattr(ratings, name).tolist()
        assert not getattr(copy, name).flags.writeable
    assert copy.user_ids == ratings.user_ids
    assert isinstance(copy.item_ids, IdMap)


def test_threads_share_one_set_of_arrays_by_items():
    rng = np.random.default_rng(0)
    cells = rng.permutation(400 * 300)[:60_000]
    for _ in range(10):
        ratings = Ratings.from_triples(*np.divmod(cells, 300), cells, shape=(400, 300))
        barrier = threading.Barrier(6)
        found = []

        def read(ratings=ratings, barrier=barrier, found=found):
            barrier.wait()
            found.append((ratings.item_values, ratings.item_indices, ratings.item_indptr))

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({tuple(map(id, arrays)) for arrays in found}) == 1
    check_invariants(ratings)


def test_millions_of_named_rows_take_little_time_and_memory():
    # Not a benchmark: it finds a quadratic step, or one that keeps an object for each row.
    rng = np.random.default_rng(0)
    cells = np.unique(rng.integers(0, 5000 * 3000, 300_000))
    rng.shuffle(cells)
    users, items = np.divmod(cells, 3000)
    names = np.array([f"user {number}" for number in range(5000)], dtype=object)
    ratings = Ratings.from_triples(names[users], items * 10**12, cells % 5)
    assert ratings.n_ratings == len(cells)
    assert (ratings.user_values == ratings.user_values.astype(int)).all()
    same = Ratings.from_triples(names[users].astype(str), items, cells % 5)
    assert same.user_values.tolist() == ratings.user_values.tolist()
    assert same.user_indices.tolist() == ratings.user_indices.tolist()
