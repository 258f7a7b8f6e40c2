"""Non-negative factors: closed forms, missing entries, weights, zeros as data."""

import numpy as np
import pytest

from matfact import NMF, Ratings
from models.cases import dense_matrix, named_ratings

BASE = {"n_factors": 3, "max_iter": 6, "tol": 0.0, "random_state": 0, "dtype": np.float64}


@pytest.fixture(scope="module")
def ratings():
    return named_ratings()


@pytest.mark.parametrize("absent", ["missing", "zero"])
def test_factors_are_not_negative_and_the_objective_never_rises(ratings, absent):
    model = NMF(absent=absent, **BASE | {"max_iter": 60}).fit(ratings)
    assert (model.user_factors_ >= 0).all()
    assert (model.item_factors_ >= 0).all()
    objectives = model.history_.objectives
    assert (np.diff(objectives) <= 1e-10 * objectives[0]).all()


@pytest.mark.parametrize("absent", ["missing", "zero"])
def test_history_has_the_objective(ratings, absent):
    model = NMF(absent=absent, regularization=0.2, count_exponent=0.5, **BASE).fit(ratings)
    truth = np.full(ratings.shape, np.nan)
    truth[ratings.users, ratings.user_indices] = ratings.user_values
    counts = (~np.isnan(truth)).sum(axis=1), (~np.isnan(truth)).sum(axis=0)
    if absent == "zero":
        truth = np.nan_to_num(truth)
    loss = np.nansum((truth - model.user_factors_ @ model.item_factors_.T) ** 2)
    for n, factors in zip(counts, (model.user_factors_, model.item_factors_), strict=True):
        loss += 0.2 * model.scale_ * np.sum(n**0.5 * (factors**2).sum(axis=1))
    assert model.history_[-1].objective == pytest.approx(loss, rel=1e-6)


def test_a_matrix_of_rank_one_is_found():
    rng = np.random.default_rng(0)
    matrix = np.outer(rng.uniform(1, 3, 20), rng.uniform(0, 2, 15))
    holes = matrix.copy()
    holes[rng.random(matrix.shape) < 0.5] = np.nan
    model = NMF(n_factors=1, regularization=0, max_iter=200, tol=0, random_state=0, clip=False)
    np.testing.assert_allclose(model.fit(holes).predict_all(), matrix, rtol=1e-3, atol=1e-3)


def test_zeros_as_data_equals_a_matrix_with_zeros_filled_in(ratings):
    matrix = np.zeros(ratings.shape)
    matrix[ratings.users, ratings.user_indices] = ratings.user_values
    parameters = BASE | {"regularization": 0.0}
    sparse = NMF(absent="zero", **parameters)
    start = sparse._start(ratings, 0)
    one = sparse.fit(ratings)

    class SameStart(NMF):
        def _start(self, ratings, seed):
            return {name: array.copy() for name, array in start.items()}

    other = SameStart(**parameters).fit(matrix)
    np.testing.assert_allclose(one.user_factors_, other.user_factors_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(one.item_factors_, other.item_factors_, rtol=1e-6, atol=1e-9)


def test_weights_count(ratings):
    users, items, values = ratings.to_triples()
    weights = np.where(values == 5, 4.0, 1.0)
    heavy = Ratings.from_triples(users, items, values, weights=weights)
    fives = values == 5
    errors = []
    for data in (ratings, heavy):
        model = NMF(**BASE | {"n_factors": 1}).fit(data)
        errors.append(np.mean((model.predict(users, items) - values)[fives] ** 2))
    assert errors[1] < 0.8 * errors[0]
    zero_heavy = NMF(absent="zero", **BASE).fit(heavy)
    assert np.isfinite(zero_heavy.history_.objectives).all()


def test_negative_ratings_are_named():
    ratings = Ratings.from_triples(["a", "b"], ["x", "y"], [3, -2])
    with pytest.raises(ValueError, match=r"user b for item y is -2"):
        NMF().fit(ratings)
    allowed = Ratings.from_triples(["a", "b"], ["x", "y"], [3, 0])
    assert np.isfinite(NMF(random_state=0).fit(allowed).predict_all()).all()


def test_all_zero_ratings_are_predicted_as_zero():
    model = NMF(random_state=0).fit(np.zeros((5, 4)))
    np.testing.assert_allclose(model.predict_all(), 0, atol=1e-6)


def test_rows_and_columns_without_ratings_are_average_ones():
    matrix = dense_matrix()
    matrix[3], matrix[:, 5] = np.nan, np.nan
    model = NMF(random_state=0, clip=False).fit(matrix)
    others = np.delete(np.arange(12), 3)
    np.testing.assert_allclose(
        model.user_factors_[3], model.user_factors_[others].mean(axis=0), rtol=1e-5
    )
    assert 1 < model.predict(3, 0) < 5
    assert 1 < model.predict(0, 5) < 5


CHANGES = {
    "n_factors": 4,
    "regularization": 0.5,
    "count_exponent": 0.0,
    "absent": "zero",
    "inner_sweeps": 1,
    "max_iter": 3,
    "random_state": 1,
    "dtype": np.float32,
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_parameter_changes_the_result(ratings, name):
    one, other = NMF(**BASE).fit(ratings), NMF(**BASE | {name: CHANGES[name]}).fit(ratings)
    assert not np.array_equal(one.predict_all(), other.predict_all())


@pytest.mark.parametrize(("name", "value"), [("absent", "nan"), ("inner_sweeps", 0)])
def test_wrong_parameters(ratings, name, value):
    with pytest.raises(ValueError, match=name):
        NMF(**{name: value}).fit(ratings)
