"""IdMap: ids to positions and back, what is refused, and what each refusal says."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matfact.exceptions import UnknownIdError
from matfact.ratings import IdMap

NAMES = ["bob", "ann", "eve"]
KINDS = {
    "compact integers": [7, 3, 5],
    "integers far apart": [2**62, -5, 10**9],
    "unsigned": np.array([2**64 - 1, 0, 5], dtype=np.uint64),
    "text": NAMES,
    "objects": np.array(NAMES, dtype=object),
    "bytes": [b"x", b"yy", b"z"],
    "floats": [0.5, -1.5, 2.25],
    "dates": np.array(["2024-01-02", "1999-01-01", "2030-05-05"], dtype="datetime64[D]"),
    "tuples": [("a", 1), ("b", 2), ("a", 2)],
    "mixed": [1, "1", (1,)],
    "not Latin": ["Zoë", "映画", "🎬"],
    "text that ends with NUL": ["a\0", "a", "a\0\0"],
    "beyond int64": [2**70, 5, -(2**70)],
}
each_kind = pytest.mark.parametrize("ids", KINDS.values(), ids=KINDS)


def copy_of(value):
    return pickle.loads(pickle.dumps(value))  # noqa: S301 (our own bytes)


@each_kind
def test_positions_and_back(ids):
    ids = list(ids) if isinstance(ids, list) else ids
    id_map = IdMap(ids)
    assert len(id_map) == 3
    assert list(id_map.ids) == list(ids)  # the order is kept
    assert id_map.positions(id_map.ids[[2, 0, 2]]).tolist() == [2, 0, 2]
    assert list(id_map.ids_of([1, 1, 0])) == [ids[1], ids[1], ids[0]]
    assert copy_of(id_map) == id_map
    assert id_map.positions([], unknown="raise").tolist() == []


@settings(deadline=None, max_examples=50)
@given(
    ids=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9), unique=True, min_size=1),
    other=st.lists(st.integers(-20, 20)),
)
def test_any_integers(ids, other):
    id_map = IdMap(ids)
    assert id_map.positions(ids).tolist() == list(range(len(ids)))
    expected = [ids.index(one) if one in ids else -1 for one in other]
    assert id_map.positions(other, unknown="ignore").tolist() == expected


@settings(deadline=None, max_examples=50)
@given(
    ids=st.lists(st.text(max_size=4), unique=True, min_size=1),
    other=st.lists(st.text(max_size=2)),
    as_array=st.booleans(),
)
def test_any_text(ids, other, as_array):
    id_map = IdMap(ids)
    assert list(id_map.ids) == ids
    assert id_map.positions(ids).tolist() == list(range(len(ids)))
    expected = [ids.index(one) if one in ids else -1 for one in other]
    wanted = np.array(other, dtype=object) if as_array else other
    assert id_map.positions(wanted, unknown="ignore").tolist() == expected


def test_a_range():
    id_map = IdMap.range(5)
    assert id_map.is_range
    assert not IdMap([0, 1, 2, 3, 4]).is_range
    assert id_map == IdMap([0, 1, 2, 3, 4])
    assert id_map.ids.tolist() == [0, 1, 2, 3, 4]
    assert id_map.positions([4, 0]).tolist() == [4, 0]
    assert id_map.positions(np.array([1.0, 2.0])).tolist() == [1, 2]
    assert copy_of(id_map).is_range
    assert len(IdMap.range(0)) == 0


def test_a_single_id_has_a_position_without_dimension():
    assert IdMap(NAMES).positions("ann").shape == ()
    assert IdMap(NAMES).positions("ann") == 1
    assert IdMap([7, 3]).positions(np.int64(3)) == 1
    assert IdMap.range(3).positions(2) == 2
    assert IdMap(NAMES).positions(3, unknown="ignore") == -1


def test_unknown_ids_are_named():
    def message(id_map, ids, **options):
        with pytest.raises(UnknownIdError) as caught:
            id_map.positions(ids, **options)
        return str(caught.value)

    assert message(IdMap.range(4), [1, -1, 4], name="users") == (
        "users has 2 unknown ids: -1, 4 (the first at users[1]); known are the positions 0 to 3"
    )
    assert message(IdMap(NAMES), ["zoe"], name="items") == (
        "items has 1 unknown id: 'zoe' (the first at items[0]); the 3 known ones go from 'bob' to "
        "'eve'"
    )
    assert "5 unknown ids: '1', '2', '3'" in message(IdMap([1, 2, 3]), ["1", "2", "3", "1", "1"])
    assert "2 unknown ids: 1, 2 (" in message(IdMap(["1", "2"]), [1, 2])
    assert "3, 4, 5, 6, 7, ... (" in message(IdMap([1, 2]), range(3, 90))
    assert "1.5" in message(IdMap([1, 2]), [1.5])
    assert "9007199254740993" in message(IdMap.range(4), [2**53 + 1])
    assert "1 unknown id: 1 " in message(IdMap(["1", "2"]), ["1", 1])


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (["a", "b", "a"], ValueError, "ids[2] is 'a', which came before; give it once"),
        ([5, 1, 1, 5], ValueError, "ids[2] is"),
        (["a", None], ValueError, "ids[1] is None, a missing id"),
        ([1.0, np.nan], ValueError, "ids[1] is"),
        (np.array(["NaT"], dtype="datetime64[D]"), ValueError, "ids[0] is"),
        ([True, False], TypeError, "ids holds the bool True"),
        (np.array([True]), TypeError, "ids has dtype bool"),
        (np.array([1j]), TypeError, "ids has dtype complex128"),
        ([["a"], ["b"]], ValueError, "ids has 2 dimensions"),
        ([{}], TypeError, "ids has ids that cannot be hashed"),
    ],
)
def test_what_no_id_is(ids, error, message):
    with pytest.raises(error, match=re.escape(message)):
        IdMap(ids)


def test_extending():
    ids = IdMap(NAMES)
    more = ids.extend(["longer name"])
    assert more.ids.tolist() == [*NAMES, "longer name"]
    assert len(ids) == 3
    assert ids.extend([]) == ids
    assert IdMap.range(3).extend([3, 4]).is_range
    assert IdMap.range(3).extend([7]).ids.tolist() == [0, 1, 2, 7]
    assert IdMap([]).extend(["a"]).ids.tolist() == ["a"]
    assert IdMap(["a", 1]).extend(["b", 2]).positions(["b", 1]).tolist() == [2, 1]
    for new, error, message in (
        (["ann"], ValueError, "new_ids[0] is 'ann', which is known already, at position 1"),
        (["x", "x"], ValueError, "ids[1] is 'x', which came before"),
        ([3], TypeError, "new_ids have dtype int64, the known ones <U3"),
    ):
        with pytest.raises(error, match=re.escape(message)):
            ids.extend(new)


def test_equality():
    assert IdMap([1, 2]) != IdMap([2, 1])
    assert IdMap([1, 2]) != IdMap(["1", "2"])
    assert IdMap([1]) != IdMap([1, 2])
    assert IdMap([1]) != 1
    assert hash(IdMap.range(2)) == hash(IdMap([0, 1]))


def test_it_is_immutable_and_has_its_own_array():
    array = np.array([3, 4])
    ids = IdMap(array)
    array[0] = 9
    assert ids.ids.tolist() == [3, 4]
    with pytest.raises(ValueError, match="read-only"):
        ids.ids[0] = 1
    with pytest.raises(AttributeError, match="immutable"):
        ids._ids = array
    with pytest.raises(AttributeError, match="immutable"):
        del ids._ids


def test_positions_out_of_range_have_no_id():
    for bad in (-1, 3):
        with pytest.raises(IndexError, match=f"position {bad} is out of range; there are 3 ids"):
            IdMap(NAMES).ids_of([bad])
    with pytest.raises(TypeError, match="positions have dtype float64; give integers"):
        IdMap(NAMES).ids_of([0.5])


def test_other_arguments():
    with pytest.raises(ValueError, match="unknown is 'mean'; give 'raise' or 'ignore'"):
        IdMap(NAMES).positions([], unknown="mean")
    with pytest.raises(ValueError, match="n is -1; give an integer of at least 0"):
        IdMap.range(-1)
