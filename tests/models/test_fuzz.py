"""Random ratings and calls through every public entry: an answer that is finite, or an error."""

import contextlib
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from matfact import ALS, GD, NMF, SGD, Imputer, Ratings
from matfact.exceptions import MatfactError

# What may be raised: each says what was wrong. Anything else, or a NaN, is a bug.
ERRORS = (ValueError, TypeError, MatfactError)

fuzz = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

DTYPES = [np.float16, np.float32, np.float64, np.int8, np.int64, np.uint8, bool, object]


@st.composite
def matrices(draw, max_side=9):
    """Matrices of all dtypes and orders, dense and sparse, with bad values now and then."""
    shape = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    matrix = rng.integers(draw(st.sampled_from([-5, 0, 1])), 6, shape)
    dtype = draw(st.sampled_from(DTYPES))
    density = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
    missing = rng.random(shape) >= density
    if draw(st.booleans()):
        matrix = matrix * draw(st.sampled_from([1e-20, 0.5, 1e10, 1e38, 1e-310]))
    matrix = matrix.astype(dtype) if np.abs(matrix).max() < 100 else matrix
    if draw(st.sampled_from([True, False, False])):
        return sparse.coo_array(np.where(missing, 0, matrix.astype(float))).asformat(
            draw(st.sampled_from(["csr", "csc", "coo", "lil"]))
        )
    if matrix.dtype.kind in "fO":
        matrix[missing] = np.nan
    if draw(st.sampled_from([True, False, False, False])) and matrix.dtype.kind == "f":
        matrix.flat[rng.integers(matrix.size)] = draw(st.sampled_from([np.inf, -np.inf]))
    return np.asarray(matrix, order=draw(st.sampled_from("CF")))


@st.composite
def estimators(draw):
    common = {
        "n_factors": draw(st.sampled_from([1, 2, 3, 7, 16, 33])),
        "max_iter": draw(st.integers(1, 3)),
        "random_state": draw(st.integers(0, 5)),
        "n_threads": draw(st.sampled_from([None, 1, 2])),
        "dtype": draw(st.sampled_from([np.float32, np.float64])),
        "regularization": draw(st.sampled_from([0.0, 0.05, 1.0])),
        "clip": draw(st.booleans()),
    }
    cls = draw(st.sampled_from([ALS, SGD, NMF, GD]))
    if cls is not NMF:
        common["biases"] = draw(st.booleans())
    if cls is ALS:
        common["solver"] = draw(st.sampled_from(["cholesky", "cg"]))
    if cls is SGD:
        common["schedule"] = draw(st.sampled_from(["adaptive", "constant", "exponential"]))
    if cls is NMF:
        common["absent"] = draw(st.sampled_from(["missing", "zero"]))
    return cls(**common)


def finite(*arrays):
    for array in arrays:
        assert np.isfinite(np.asarray(array, dtype=np.float64)).all()


def use(model, matrix, rng):
    """Call everything that a fitted model offers."""
    n_users, n_items = model.user_factors_.shape[0], model.item_factors_.shape[0]
    user, item = int(rng.integers(n_users)), int(rng.integers(n_items))
    finite(model.user_factors_, model.item_factors_, model.predict_all())
    finite(model.predict(user, item), model.predict([user], [n_items], unknown="mean"))
    finite(model.score(model.ratings_))
    items, scores = model.recommend(user, n=int(rng.integers(1, 20)))
    assert len(items) == len(scores) == len(set(items.tolist()))
    finite(scores, model.similar_items(item)[1], model.similar_users(user)[1])
    finite(model.explain(user, item)[1])
    rows = model.transform(matrix)
    finite(rows, model.inverse_transform(rows))
    model.add_users(matrix)
    finite(model.predict_all())
    model.partial_fit(model.ratings_)
    finite(model.predict_all())


@fuzz
@given(estimator=estimators(), matrix=matrices(), seed=st.integers(0, 99))
def test_estimators_answer_or_refuse(estimator, matrix, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            estimator.fit(matrix)
        except ERRORS:
            return
        with contextlib.suppress(*ERRORS):
            use(estimator, matrix, np.random.default_rng(seed))


@fuzz
@given(
    triples=st.lists(
        st.tuples(
            st.one_of(st.integers(-3, 5), st.sampled_from(["a", "b", "ü"])),
            st.one_of(st.integers(-3, 5), st.just(None), st.floats(allow_nan=True, width=32)),
            st.one_of(st.integers(-9, 9), st.floats(), st.booleans()),
        ),
        max_size=12,
    ),
    shape=st.sampled_from([None, (3, 4), (1, 1)]),
    duplicates=st.sampled_from(["raise", "last", "mean", "sum"]),
)
def test_triples_become_ratings_or_an_error(triples, shape, duplicates):
    users, items, values = ([t[j] for t in triples] for j in range(3))
    try:
        ratings = Ratings.from_triples(users, items, values, shape=shape, duplicates=duplicates)
    except (*ERRORS, OverflowError):
        return
    assert 1 <= ratings.n_ratings <= len(triples)
    finite(ratings.user_values, ratings.item_values)
    assert ratings.user_indices.max() < ratings.n_items
    finite(ALS(n_factors=2, max_iter=1, random_state=0).fit(ratings).predict_all())


@fuzz
@given(matrix=matrices(), other=matrices())
def test_filled_matrices_have_no_holes(matrix, other):
    imputer = Imputer(ALS(n_factors=2, max_iter=2, random_state=0))
    try:
        imputer.fit(matrix)
        filled = [imputer.transform(m) for m in (matrix, other)]
    except ERRORS:
        return
    finite(*filled)


@pytest.mark.slow
@settings(
    max_examples=2000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(estimator=estimators(), matrix=matrices(30), seed=st.integers(0, 99))
def test_two_thousand_times(estimator, matrix, seed):
    test_estimators_answer_or_refuse.hypothesis.inner_test(estimator, matrix, seed)
