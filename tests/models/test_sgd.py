"""SGD as an estimator; its steps are tested with the kernels."""

import numpy as np
import pytest

from matfact import SGD, Ratings
from matfact.exceptions import DivergenceError
from models.cases import named_ratings, state_of

BASE = {"n_factors": 3, "max_iter": 6, "tol": 0.0, "random_state": 0}


@pytest.fixture(scope="module")
def ratings():
    return named_ratings()


@pytest.mark.parametrize("schedule", ["adaptive", "constant", "exponential"])
@pytest.mark.parametrize("biases", [True, False])
def test_training_lowers_the_error(ratings, schedule, biases):
    rate = 0.2 if schedule == "adaptive" else 0.05
    model = SGD(
        schedule=schedule, learning_rate=rate, biases=biases, **BASE | {"max_iter": 30}
    ).fit(ratings)
    assert model.history_[-1].objective < 0.9 * model.history_[0].objective


def test_the_first_objective_is_the_error_of_the_mean():
    """At a tiny rate nothing changes: the sum of squared errors before the steps is known."""
    ratings = named_ratings()
    model = SGD(learning_rate=1e-12, schedule="constant", **BASE).fit(ratings)
    deviations = ratings.user_values.astype(float) - ratings.mean
    assert model.history_[0].objective == pytest.approx(deviations @ deviations, rel=2e-2)


def test_exponential_with_decay_one_is_constant(ratings):
    constant = SGD(schedule="constant", learning_rate=0.02, **BASE).fit(ratings)
    decayed = SGD(schedule="exponential", learning_rate=0.02, decay=1.0, **BASE).fit(ratings)
    for name, array in state_of(constant).items():
        assert array.tobytes() == state_of(decayed)[name].tobytes()


@pytest.mark.parametrize("schedule", ["adaptive", "constant"])
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_ratings_does_not_matter(ratings, schedule, scale):
    users, items, values = ratings.to_triples()
    scaled = Ratings.from_triples(users, items, values.astype(float) * scale, dtype=np.float64)
    model = SGD(schedule=schedule, **BASE | {"max_iter": 15, "dtype": np.float64})
    plain = model.fit(ratings).predict_all()
    other = model.fit(scaled).predict_all() / scale
    np.testing.assert_allclose(other, plain, rtol=1e-5)


def test_divergence_is_named_and_leaves_the_epoch_before(ratings):
    model = SGD(learning_rate=50.0, schedule="constant", **BASE | {"max_iter": 100})
    with pytest.raises(DivergenceError, match=r"epoch \d+.*lower learning_rate, which is 50") as e:
        model.fit(ratings)
    assert model.n_iter_ == e.value.epoch - 1
    assert np.isfinite(model.user_factors_).all()
    assert np.isfinite(model.predict_all()).all()


CHANGES = {
    "n_factors": 4,
    "schedule": "constant",
    "learning_rate": 0.02,
    "regularization": 0.5,
    "bias_regularization": 0.3,
    "biases": False,
    "max_iter": 3,
    "random_state": 1,
    "dtype": np.float64,
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_parameter_changes_the_result(ratings, name):
    one, other = SGD(**BASE).fit(ratings), SGD(**BASE | {name: CHANGES[name]}).fit(ratings)
    assert not np.array_equal(one.predict_all(), other.predict_all())


def test_decay_changes_the_result(ratings):
    models = [SGD(schedule="exponential", decay=d, **BASE).fit(ratings) for d in (0.5, 0.9)]
    assert not np.array_equal(models[0].predict_all(), models[1].predict_all())


@pytest.mark.parametrize(
    ("name", "value"),
    [("schedule", "cosine"), ("learning_rate", 0.0), ("decay", 1.5), ("decay", 0.0)],
)
def test_wrong_parameters(ratings, name, value):
    with pytest.raises(ValueError, match=name):
        SGD(**{name: value}).fit(ratings)


def test_weights_are_refused():
    ratings = Ratings.from_triples([0, 1], [0, 1], [3, 4], weights=[1, 2])
    with pytest.raises(ValueError, match="weights"):
        SGD().fit(ratings)
