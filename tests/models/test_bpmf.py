"""What is particular to BPMF: the chain, its samples, and their spread."""

import numpy as np
import pytest

from matfact import BPMF, VBMF, Ratings, make_ratings
from matfact.models import bpmf
from matfact.models._data import Rows
from matfact.models._drawing import draw_mean_and_precision, draw_precision
from matfact.models._gibbs import Gibbs
from matfact.models._posteriors import draw_side
from models.cases import named_ratings, same_bits


def fitted(ratings, **parameters):
    defaults = {"n_factors": 3, "n_samples": 5, "burn_in": 2, "thinning": 2, "max_iter": 12}
    return BPMF(**{**defaults, "random_state": 0, **parameters}).fit(ratings)


@pytest.fixture
def ratings():
    return named_ratings()


def samples_of(model):
    """Vectors of users and items of each sample, factors and then the bias, in rating units."""
    count, k = model._n_used(), model.n_factors
    root = np.sqrt(model.scale_)
    for s in range(count):
        own = slice(s * k, (s + 1) * k)
        yield (
            model.user_factors_[:, own] * count,
            model.user_bias_samples_[:, s] * root**2,
            model.item_factors_[:, own],
            model.item_bias_samples_[:, s] * root**2,
        )


@pytest.mark.parametrize("max_iter", [1, 2, 3, 8, 11, 12, 13, 20])
def test_predictions_are_means_over_the_samples(ratings, max_iter):
    """Also before the first one is kept, and when the oldest ones have made room."""
    model = fitted(ratings, max_iter=max_iter, clip=False, dtype=np.float64)
    predicted = [p @ q.T + b[:, None] + c for p, b, q, c in samples_of(model)]
    n_kept = max(0, (max_iter - 2 + 1) // 2)
    assert model.n_kept_[0] == n_kept
    assert len(predicted) == min(max(n_kept, 1), 5)
    np.testing.assert_allclose(model.predict_all(), model.mean_ + np.mean(predicted, axis=0))


def test_the_newest_sample_is_where_the_chain_stands(ratings):
    model = fitted(ratings, max_iter=13, dtype=np.float64)  # keeps sweeps 3, 5, ..., 13: six
    slot = (int(model.n_kept_[0]) - 1) % 5
    assert slot == 0
    draws, root = model.item_draws_, np.sqrt(model.scale_)
    np.testing.assert_allclose(model.item_factors_[:, :3], draws[:, :3] * root)
    np.testing.assert_array_equal(model.item_bias_samples_[:, 0], draws[:, 3])
    np.testing.assert_array_equal(model.sample_precisions_[0], model.prior_precisions_)
    assert model.sample_noises_[0] == model.noise_precision_[0]


def test_spread_is_that_of_the_samples_and_the_noise(ratings):
    model = fitted(ratings, clip=False, dtype=np.float64)
    users, items = ratings.user_ids.ids[[0, 3]], ratings.item_ids.ids[[2, 7]]
    _, std = model.predict(users, items, return_std=True)
    each = [
        (p[[0, 3]] * q[[2, 7]]).sum(axis=1) + b[[0, 3]] + c[[2, 7]]
        for p, b, q, c in samples_of(model)
    ]
    reliabilities = model.user_reliability_samples_[[0, 3]]
    noise = np.mean(1 / (reliabilities * model.sample_noises_), axis=1) * model.scale_**2
    np.testing.assert_allclose(std, np.sqrt(np.var(each, axis=0) + noise))


def test_spread_of_an_unknown_user_is_larger(ratings):
    model = fitted(ratings)
    item = ratings.item_ids.ids[0]
    _, std = model.predict(["u00", "nobody"], [item, item], return_std=True, unknown="mean")
    assert std[1] > std[0]
    with pytest.raises(ValueError, match="return_std needs users and items"):
        model.predict(np.full((2, 20), 3.0), return_std=True)


def test_rows_are_drawn_from_their_posterior():
    """Mean and covariance of 4000 draws of one row, against the closed form."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6, 3))
    values = rng.normal(size=6)
    one = Rows(np.array([0, 6]), np.arange(6, dtype=np.int32), values, None)
    precision = np.array([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 3.0]])
    prior_mean = np.array([[0.5, -1.0, 0.2]])
    x = vectors.copy()
    x[:, -1] = 1
    normal = 1.7 * x.T @ x + precision
    mean = np.linalg.solve(
        normal, 1.7 * x.T @ (values - vectors[:, -1]) + precision @ prior_mean[0]
    )
    drawn = np.array(
        [
            draw_side(one, vectors, precision, 1.7, prior_mean, rng.normal(size=(1, 3)), 1)[0]
            for _ in range(4000)
        ]
    )
    covariance = np.linalg.inv(normal)
    error = np.sqrt(np.diagonal(covariance) / 4000)
    assert (np.abs(drawn.mean(axis=0) - mean) < 4 * error).all()
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.1 * covariance.max())
    exact = draw_side(one, vectors, precision, 1.7, prior_mean, None, 1)[0]
    np.testing.assert_allclose(exact, mean, rtol=1e-9)


def test_priors_are_drawn_around_what_they_are_learned_from():
    rng = np.random.default_rng(1)
    true = np.array([[4.0, 1.0], [1.0, 2.0]])
    vectors = rng.multivariate_normal([1.0, -2.0], np.linalg.inv(true), size=5000)
    draws = [draw_mean_and_precision(vectors, rng, 1) for _ in range(200)]
    np.testing.assert_allclose(np.mean([m for m, _ in draws], axis=0), [1, -2], atol=0.05)
    np.testing.assert_allclose(np.mean([p for _, p in draws], axis=0), true, rtol=0.15)
    # The expectation of Wishart's distribution: degrees of freedom times its matrix.
    squares = np.diag([3.0, 8.0])
    drawn = [draw_precision(squares, 10, rng, variance=2.0) for _ in range(4000)]
    expected = 12 * np.linalg.inv(squares + 2 * np.eye(2))
    np.testing.assert_allclose(np.mean(drawn, axis=0), expected, atol=0.05 * expected.max())


@pytest.mark.parametrize("link", [None, "both"])
def test_any_number_of_threads_gives_the_same_chain(link):
    ratings = make_ratings(400, 300, 20_000, random_state=0)
    models = [fitted(ratings, n_threads=n, link=link, max_iter=5) for n in (1, 2, 3)]
    assert same_bits(models[0], models[1])
    assert same_bits(models[0], models[2])


def test_it_finds_what_made_the_ratings():
    """Below the error of variational Bayes, and with intervals that hold what they say."""
    ratings = make_ratings(150, 120, 6000, random_state=3, noise=0.5)
    held_out = np.random.default_rng(0).random(ratings.n_ratings) < 0.2
    train, test = ratings.select(~held_out), ratings.select(held_out)
    model = BPMF(n_factors=8, n_samples=40, max_iter=180, random_state=0).fit(train)
    other = VBMF(n_factors=8, random_state=0).fit(train)
    assert model.score(test) > other.score(test) - 0.01
    users, items, values = test.to_triples()
    predicted, std = model.predict(users, items, return_std=True)
    share = np.mean(np.abs(values - predicted) < 1.2816 * std)
    assert 0.74 < share < 0.86


def test_fold_in_is_the_mean_given_each_sample(ratings):
    model = fitted(ratings, dtype=np.float64)
    rows = model.fold_in(ratings)
    scale, root = model.scale_, np.sqrt(model.scale_)
    place = 4
    mine = slice(ratings.user_indptr[place], ratings.user_indptr[place + 1])
    rated, values = ratings.user_indices[mine], ratings.user_values[mine]
    for s, (_, _, q, c) in enumerate(samples_of(model)):
        x = np.column_stack([q[rated] / root, np.ones(len(rated))])
        precision, alpha = model.sample_precisions_[s, 0], model.sample_noises_[s]
        target = (values - model.mean_ - c[rated]) / scale
        tau = 1.0
        for step in range(2):
            normal = tau * alpha * x.T @ x + precision
            right = tau * alpha * x.T @ target + precision @ model.sample_means_[s, 0]
            solved = np.linalg.solve(normal, right)
            if not step:
                error = np.sum((target - x @ solved) ** 2) + np.trace(
                    np.linalg.solve(normal, x.T @ x)
                )
                tau = min((20 + len(rated)) / (20 + alpha * error), 2)
        np.testing.assert_allclose(rows[place, s * 3 : s * 3 + 3], solved[:3] * root / 5, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("n_samples", 0, ValueError),
        ("burn_in", -1, ValueError),
        ("thinning", 0, ValueError),
        ("thinning", 1.5, TypeError),
        ("link", "rows", ValueError),
    ],
)
def test_wrong_parameters_are_named(ratings, name, value, error):
    with pytest.raises(error, match=name):
        fitted(ratings, **{name: value})


def test_a_warm_start_needs_as_many_samples(ratings):
    model = fitted(ratings, warm_start=True)
    with pytest.raises(ValueError, match=r"n_samples was 5 and is 6"):
        model.set_params(n_samples=6).fit(ratings)


def test_weights_count_as_so_many_ratings():
    u, i, r = [0, 0, 1, 1, 2], [0, 1, 0, 1, 1], [1.0, 3, 4, 2, 5]
    once = Ratings.from_triples(u, i, r, weights=[2.0, 1, 1, 1, 1])
    rows = Rows.of(once)
    vectors = np.random.default_rng(0).normal(size=(2, 3))
    doubled = Rows(
        np.array([0, 3]), np.array([0, 0, 1], dtype=np.int32), np.array([1.0, 1, 3]), None
    )
    precision, mean = np.eye(3), np.zeros((1, 3))
    weighted = draw_side(rows, vectors.astype(np.float32), precision, 1.0, mean, None, 1)
    repeated = draw_side(doubled, vectors, precision, 1.0, mean, None, 1)
    np.testing.assert_allclose(weighted[0], repeated[0], rtol=1e-4)


def features_of(ratings):
    """Two numbers for each user, four labels for items."""
    rng = np.random.default_rng(0)
    users = rng.normal(size=(ratings.n_users, 2))
    return {"user_features": users, "item_features": rng.integers(0, 2, (ratings.n_items, 4))}


def test_samples_mean_the_same_when_the_chain_goes_on_with_other_ratings(ratings):
    """A sweep of which nothing is kept changes no prediction, whatever the new ratings."""
    model = fitted(ratings, clip=False, dtype=np.float64)  # the next sweep to be kept is the 13th
    model.set_params(thinning=100)
    users, items, values = ratings.to_triples()
    more = Ratings.from_triples(users[:120], items[:120], 3 * values[:120] + 20)
    before, std = (a.copy() for a in model.predict(users, items, return_std=True))
    folded, noises = model.fold_in(ratings), model.sample_noises_.copy()
    model.partial_fit(more)
    assert model.ratings_.mean > ratings.mean + 5
    after = model.predict(users, items, return_std=True)
    np.testing.assert_array_equal(after[0], before)
    np.testing.assert_array_equal(after[1], std)
    np.testing.assert_array_equal(model.fold_in(ratings), folded)
    np.testing.assert_array_equal(model.sample_noises_, noises)


def test_a_longer_burn_in_leaves_the_samples_that_there_are(ratings):
    model = fitted(ratings, warm_start=True)
    before, kept = model.predict_all(), model.n_kept_[0]
    model.set_params(burn_in=100, max_iter=7).fit(ratings)
    np.testing.assert_array_equal(model.predict_all(), before)
    assert model.n_kept_[0] == kept
    assert model.n_iter_ == 19


@pytest.mark.parametrize("link", [None, "both"])
def test_other_parameters_do_not_change_a_fitted_model(ratings, link):
    model = fitted(ratings, link=link)
    before = model.predict_all()
    model.set_params(n_samples=9, n_factors=7)
    np.testing.assert_array_equal(model.predict_all(), before)
    assert model.n_factors_ == 3
    new = Ratings.from_triples(["ann", "bea"], ["film 00", "film 03"], [5, 1])
    folded = model.fold_in(new)
    model.add_users(new)
    np.testing.assert_array_equal(model.user_factors_[-2:], folded[:, :-1])
    np.testing.assert_array_equal(model.predict_all()[:-2], before)


def test_the_chain_goes_on_with_the_newest_sample_of_added_rows(ratings):
    model = fitted(ratings, dtype=np.float64)  # has kept sweeps 3, 5, ..., 11
    new = Ratings.from_triples(["ann"] * 8, [f"film {n:02}" for n in range(8)], [5.0, 1] * 4)
    model.add_users(new)
    newest, count = slice(12, 15), 5
    expected = model.user_factors_[-1, newest] * count / np.sqrt(model.scale_)
    np.testing.assert_allclose(model.user_draws_[-1, :3], expected)
    np.testing.assert_array_equal(model.user_draws_[-1, 3], model.user_bias_samples_[-1, 4])
    assert np.abs(expected).max() > 0.01


def test_patience_counts_after_the_burn_in(ratings):
    epochs = []
    model = BPMF(n_factors=2, n_samples=3, burn_in=25, thinning=1, patience=2, random_state=0)
    model.set_params(max_iter=60)
    model.fit(ratings, validation=0.2, callbacks=[lambda state: epochs.append(state.epoch)])
    assert 25 + 2 < len(epochs) < 60
    assert model.best_iteration_ == np.argmin(model.history_.validations) + 1


def test_ctrl_c_before_the_first_sweep_has_ended(ratings, monkeypatch):
    """Leaves a model that can be used, and trained as if nothing had happened."""

    def interrupted(self):
        raise KeyboardInterrupt

    of = features_of(ratings)
    model = BPMF(n_factors=3, n_samples=2, burn_in=1, max_iter=6, random_state=0, warm_start=True)
    model.set_params(link="both")
    whole = BPMF(**model.get_params()).fit(ratings, **of)
    with monkeypatch.context() as patch:
        patch.setattr(Gibbs, "_squared_errors", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.fit(ratings, **of)
    users, items, _ = ratings.to_triples()
    assert np.isfinite(model.predict(users, items, return_std=True)).all()
    assert np.isfinite(model.fold_in(ratings)).all()
    assert same_bits(model.fit(ratings, **of), whole)


@pytest.mark.parametrize("at", [1, 2, 5])
@pytest.mark.parametrize("validation", [None, 0.2])
def test_an_interrupted_chain_with_features_goes_on_to_the_same_bits(ratings, at, validation):
    def interrupt(state):
        if state.epoch == at:
            raise KeyboardInterrupt

    of = features_of(ratings) | {"validation": validation}
    whole = fitted(ratings, link="both", warm_start=True, max_iter=1)
    parameters = whole.set_params(max_iter=8).get_params()
    whole = BPMF(**parameters).fit(ratings, **of)
    model = BPMF(**parameters)
    with pytest.raises(KeyboardInterrupt):
        model.fit(ratings, callbacks=[interrupt], **of)
    model.set_params(max_iter=8 - at).fit(ratings, **of)
    assert same_bits(model, whole)


def test_spread_in_blocks(ratings, monkeypatch):
    model = fitted(ratings)
    users, items, _ = ratings.to_triples()
    users = np.append(users, "nobody")
    items = np.append(items, items[0])
    _, at_once = model.predict(users, items, return_std=True, unknown="mean")
    monkeypatch.setattr(bpmf, "BLOCK_PAIRS", 7)
    _, std = model.predict(users, items, return_std=True, unknown="mean")
    np.testing.assert_allclose(std, at_once, rtol=1e-12)
    predicted, std = model.predict([], [], return_std=True)
    assert predicted.shape == std.shape == (0,)


def test_features_of_a_chain_count_for_new_rows(ratings):
    """What is told of a cold item is the mean over the samples of their coefficients."""
    of = features_of(ratings)
    model = fitted(ratings, clip=False, dtype=np.float64)
    model.fit(ratings, **of)
    names, labels = np.array(["one", "two"]), np.array([[1, 0, 0, 1], [0, 1, 0, 1]])
    told = Ratings.from_triples(
        np.repeat(names, 4), np.tile(np.arange(4), 2), labels.ravel().astype(float)
    )
    model.add_items(features=told)
    root, k = np.sqrt(model.scale_), 3
    for s in range(5):
        own = slice(s * (k + 1), (s + 1) * (k + 1))
        coefficients = model.item_feature_coefficient_samples_[:, own]
        expected = model.sample_means_[s, 1] + model.sample_unrated_means_[s, 1]
        expected = expected + labels @ coefficients
        np.testing.assert_allclose(
            model.item_factors_[-2:, s * k : (s + 1) * k], expected[:, :k] * root, atol=1e-9
        )
        np.testing.assert_allclose(model.item_bias_samples_[-2:, s], expected[:, k], atol=1e-9)
    assert not np.allclose(model.item_factors_[-1], model.item_factors_[-2])
