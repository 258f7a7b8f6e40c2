"""How reliable users are: what is learned of it, and what it is for."""

import numpy as np
import pytest

from matfact import BPMF, VBMF, Ratings
from matfact.models._data import Rows
from matfact.models._noise import (
    MOST_RELIABLE,
    drawn_reliabilities,
    learned_noise,
    reliabilities,
    weighted,
)

RNG = np.random.default_rng(0)
COUNTS = RNG.integers(0, 60, 40).astype(float)
ERRORS = COUNTS * RNG.uniform(0.2, 2.0, 40)


def nats(counts, errors, alpha, tau):
    terms = counts * np.log(2 * np.pi / (alpha * tau)) + alpha * tau * errors
    return 0.5 * np.sum(terms + 20 * (tau - 1 - np.log(tau)))


def test_no_other_reliability_is_better():
    tau = reliabilities(COUNTS, ERRORS, 1.5)
    least = nats(COUNTS, ERRORS, 1.5, tau)
    for place in range(40):
        for factor in (0.9, 0.99, 1.01, 1.1):
            other = tau.copy()
            other[place] *= factor
            if other[place] <= MOST_RELIABLE:
                assert nats(COUNTS, ERRORS, 1.5, other) > least


def test_what_is_learned_is_the_minimum():
    alpha = 0.3
    for _ in range(30):
        alpha, tau, found = learned_noise(COUNTS, ERRORS, alpha)
    assert found == pytest.approx(nats(COUNTS, ERRORS, alpha, tau))
    assert alpha == pytest.approx(COUNTS.sum() / (tau @ ERRORS), rel=1e-6)
    for other in (0.98 * alpha, 1.02 * alpha):
        assert nats(COUNTS, ERRORS, other, reliabilities(COUNTS, ERRORS, other)) > found


def test_each_round_lowers_the_objective():
    alpha, values = 0.05, []
    for _ in range(10):
        alpha, _, value = learned_noise(COUNTS, ERRORS, alpha)
        values.append(value)
    assert np.all(np.diff(values) <= 1e-9)


def test_users_without_ratings_are_ordinary_and_none_is_above_the_limit():
    tau = reliabilities(np.array([0.0, 500.0, 500.0]), np.array([0.0, 0.0, 500.0]), 1.0)
    np.testing.assert_allclose(tau, [1, MOST_RELIABLE, 1])
    _, tau, value = learned_noise(np.array([5.0]), np.array([0.0]), 1.0)
    assert np.isfinite(value)
    assert 1 < tau[0] <= MOST_RELIABLE


def test_draws_have_the_mean_and_variance_of_their_distribution():
    rng = np.random.default_rng(0)
    draws = drawn_reliabilities(np.full(20_000, 300.0), np.full(20_000, 600.0), 1.0, rng)
    shape, rate = (20 + 300) / 2, (20 + 600) / 2
    assert draws.mean() == pytest.approx(shape / rate, rel=0.01)
    assert draws.var() == pytest.approx(shape / rate**2, rel=0.05)
    assert drawn_reliabilities(np.full(100, 900.0), np.zeros(100), 1.0, rng).max() == MOST_RELIABLE


@pytest.mark.parametrize("given", [None, np.array([1, 2, 3, 4], dtype=np.float32)])
def test_weights_of_rows_and_of_columns(given):
    indices, values = np.array([0, 2, 1, 2], dtype=np.int32), np.ones(4, dtype=np.float32)
    rows = Rows(np.array([0, 2, 2, 4]), indices, values, given)
    own = 1 if given is None else given
    of_rows = weighted(rows, np.array([0.5, 9.0, 2.0]), None).weights
    np.testing.assert_array_equal(of_rows, own * np.array([0.5, 0.5, 2, 2]))
    of_columns = weighted(rows, None, np.array([0.5, 1.0, 2.0])).weights
    np.testing.assert_array_equal(of_columns, own * np.array([0.5, 2, 1, 2]))
    assert of_rows.dtype == of_columns.dtype == np.float32
    assert weighted(rows, None, None) is rows


def of_two_kinds(seed=0):
    """Ratings of careful and of careless users, and whether a user is careful."""
    rng = np.random.default_rng(seed)
    careful = np.arange(200) % 2 == 0
    truth = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 100)) + rng.normal(size=100)
    noise = np.where(careful, 0.4, 1.6)[:, np.newaxis] * rng.normal(size=truth.shape)
    users, items = np.nonzero(rng.random(truth.shape) < 0.3)
    values = (truth + noise)[users, items]
    ratings = Ratings.from_triples(users, items, values, shape=truth.shape)
    return ratings, truth, careful


@pytest.mark.parametrize(
    "model",
    [
        VBMF(n_factors=4, random_state=0),
        VBMF(n_factors=4, covariance="full", random_state=0),
        BPMF(n_factors=4, n_samples=20, max_iter=60, thinning=2, random_state=0),
    ],
    ids=["VBMF", "full", "BPMF"],
)
def test_careless_users_are_found(model):
    ratings, truth, careful = of_two_kinds()
    model.fit(ratings)
    tau = model.user_reliabilities_
    assert np.median(tau[careful]) > 3 * np.median(tau[~careful])
    _, std = model.predict(np.arange(200), np.full(200, 5), return_std=True)
    assert np.median(std[~careful]) > 2 * np.median(std[careful])
    # new users are judged by their ratings, too
    new = np.full((2, 100), np.nan)
    mine = np.random.default_rng(1).random(100) < 0.5
    new[:, mine] = truth[:2, mine]
    new[1, mine] += np.random.default_rng(2).normal(0, 2.0, mine.sum())
    model.add_users(new)
    assert model.user_reliabilities_[200] > 3 * model.user_reliabilities_[201]


def test_items_are_learned_from_those_who_are_careful(monkeypatch):
    ratings, truth, careful = of_two_kinds()
    users, items = np.nonzero(np.ones_like(truth))

    def error_of_careful():
        model = VBMF(n_factors=4, clip=False, random_state=0).fit(ratings)
        errors = (model.predict(users, items) - truth[users, items]) ** 2
        return np.mean(errors.reshape(truth.shape)[careful])

    found = error_of_careful()
    monkeypatch.setattr("matfact.models._noise.PRIOR_RATINGS", 1e9)  # all users are alike
    assert found < 0.7 * error_of_careful()
