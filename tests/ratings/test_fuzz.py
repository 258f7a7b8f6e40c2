"""Whatever is given becomes valid ratings or a clear error: no crash, no silent NaN."""

import contextlib
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matfact import Ratings
from matfact.ratings import IdMap

REFUSALS = (ValueError, TypeError, IndexError, KeyError)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.binary(max_size=2)
    | st.complex_numbers()
    | st.tuples(st.integers())
)
arrays = hnp.arrays(
    hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
)
anything = st.lists(scalars, max_size=6) | arrays | scalars | st.lists(st.lists(st.floats()))
fuzz = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def check(ratings):
    assert ratings.n_ratings > 0
    assert np.isfinite(ratings.user_values).all()
    assert ratings.user_indptr[-1] == ratings.n_ratings
    assert (np.diff(ratings.user_indptr) >= 0).all()
    assert 0 <= ratings.user_indices.min() <= ratings.user_indices.max() < ratings.n_items
    assert np.sort(ratings.item_values).tolist() == np.sort(ratings.user_values).tolist()
    assert len(ratings.to_triples()[0]) == ratings.n_ratings


@fuzz
@given(
    users=anything,
    items=anything,
    values=anything,
    options=st.fixed_dictionaries(
        {
            "duplicates": st.sampled_from(["raise", "last", "mean", "sum"]),
            "dtype": st.sampled_from([np.float32, np.float64]),
        },
        optional={
            "shape": anything | st.tuples(st.integers(-1, 6), st.integers(-1, 6)),
            "weights": anything,
            "timestamps": anything,
        },
    ),
)
def test_triples(users, items, values, options):
    try:
        ratings = Ratings.from_triples(users, items, values, **options)
    except REFUSALS:
        return
    check(ratings)


@fuzz
@given(matrix=anything, missing_values=scalars)
def test_matrices(matrix, missing_values):
    for options in ({}, {"missing_values": missing_values}):
        try:
            ratings = Ratings.from_matrix(matrix, **options)
        except REFUSALS:
            continue
        check(ratings)


@fuzz
@given(ids=anything, others=anything)
def test_ids(ids, others):
    try:
        id_map = IdMap(ids)
    except REFUSALS:
        return
    positions = list(range(len(id_map)))
    assert id_map.positions(id_map.ids).tolist() == positions
    for call in (id_map.positions, id_map.ids_of, IdMap.range(3).positions):
        with contextlib.suppress(REFUSALS):
            call(others)
    try:
        extended = id_map.extend(others)
    except REFUSALS:
        return
    assert extended.positions(extended.ids).tolist() == list(range(len(extended)))
    assert extended.positions(id_map.ids).tolist() == positions


def test_the_suite_turns_warnings_into_errors():
    # The tests above rely on it: numpy warns where it loses a value.
    with pytest.raises(UserWarning):
        warnings.warn("a warning", stacklevel=1)
