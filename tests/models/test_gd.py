"""GD: the classic algorithm as an estimator."""

import numpy as np
import pytest

from matfact import GD, Ratings, matrix_factorization
from matfact.exceptions import DivergenceError
from models.cases import dense_matrix, named_ratings

BASE = {"n_factors": 3, "max_iter": 6, "random_state": 0}


@pytest.fixture(scope="module")
def ratings():
    return named_ratings()


def test_epochs_are_the_iterations_of_the_classic_class():
    matrix = dense_matrix(missing=0.4)
    model = GD(
        biases=False, regularization=0, learning_rate=0.05, dtype=np.float64, clip=False, **BASE
    )
    ratings = Ratings.from_matrix(matrix, dtype=np.float64)
    start = model._start(ratings, 0)
    classic = matrix_factorization(matrix, 3, verbose=False)
    classic.user_features = start["user_factors"].copy()
    classic.item_features = start["item_factors"].T.copy()
    # The class averages gradients over all cells of a row, GD over the mean number of ratings.
    scale = np.sqrt(np.mean(ratings.user_values**2))
    density = ratings.n_ratings / matrix.size
    classic.train_model(learning_rate=0.05 / scale / density, iterations=6)
    model.fit(ratings)
    np.testing.assert_allclose(model.predict_all(), classic.predict(), rtol=1e-9)
    assert model.history_[-1].objective == pytest.approx(classic.MSE(), rel=1e-9)


def test_biases_are_damped_means(ratings):
    model = GD(bias_damping=2.0, **BASE).fit(ratings)
    means = ratings.user_values.astype(float) - ratings.mean
    assert (
        np.corrcoef(
            model.user_biases_, np.bincount(ratings.users, means) / np.bincount(ratings.users)
        )[0, 1]
        > 0.8
    )
    assert (GD(bias_damping=1e9, **BASE).fit(ratings).user_biases_ == 0).mean() < 1
    np.testing.assert_allclose(GD(bias_damping=1e9, **BASE).fit(ratings).user_biases_, 0, atol=1e-6)


def test_the_objective_falls(ratings):
    model = GD(**BASE | {"max_iter": 60}).fit(ratings)
    assert (np.diff(model.history_.objectives) <= 1e-3).all()


def test_the_default_rate_is_halved_where_it_diverges():
    """One item has nearly all ratings: its gradient is summed over far more than the mean."""
    n = 3000
    rng = np.random.default_rng(0)
    users = np.concatenate([np.arange(n), np.arange(40)])
    items = np.concatenate([np.zeros(n, dtype=int), np.arange(1, 41)])
    values = rng.integers(1, 6, n + 40)
    ratings = Ratings.from_triples(users, items, values, shape=(n, 4001))
    model = GD(biases=False, n_factors=2, max_iter=30, random_state=0).fit(ratings)
    assert model.learning_rate_ < 0.2
    assert np.isfinite(model.predict_all([0])).all()
    with pytest.raises(DivergenceError, match="lower learning_rate"):
        GD(learning_rate=0.2, biases=False, n_factors=2, max_iter=30, random_state=0).fit(ratings)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_ratings_does_not_matter(ratings, scale):
    users, items, values = ratings.to_triples()
    scaled = Ratings.from_triples(users, items, values.astype(float) * scale, dtype=np.float64)
    model = GD(**BASE | {"max_iter": 300, "dtype": np.float64})
    plain = model.fit(ratings).predict_all()
    other = model.fit(scaled).predict_all() / scale
    np.testing.assert_allclose(other, plain, rtol=1e-5)


CHANGES = {
    "n_factors": 4,
    "learning_rate": 0.1,
    "regularization": 0.5,
    "biases": False,
    "bias_damping": 1.0,
    "max_iter": 3,
    "random_state": 1,
    "dtype": np.float64,
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_parameter_changes_the_result(ratings, name):
    one, other = GD(**BASE).fit(ratings), GD(**BASE | {name: CHANGES[name]}).fit(ratings)
    assert not np.array_equal(one.predict_all(), other.predict_all())


@pytest.mark.parametrize(
    ("name", "value"), [("learning_rate", 0.0), ("bias_damping", -1), ("regularization", 3.0)]
)
def test_wrong_parameters(ratings, name, value):
    with pytest.raises(ValueError, match=name):
        GD(**{name: value}).fit(ratings)


def test_weights_are_refused():
    ratings = Ratings.from_triples([0, 1], [0, 1], [3, 4], weights=[1, 2])
    with pytest.raises(ValueError, match="weights"):
        GD().fit(ratings)
