"""VBMF whose priors depend on what a row has rated."""

import numpy as np
import pytest

from matfact import VBMF, Ratings, make_ratings
from matfact.evaluation import random_split, rmse
from matfact.models._linking import LINK_OWN, LINK_SHARED
from matfact.persistence import load, save
from models.cases import same_bits
from persistence.model_files import assert_equal_models

each_link = pytest.mark.parametrize("link", ["users", "items", "both"])
each_covariance = pytest.mark.parametrize("covariance", ["mean", "full", "diag"])


def small(seed=0, **kwargs):
    return make_ratings(60, 45, 900, noise=0.7, random_state=seed, **kwargs).astype(np.float64)


def linked(link="both", ratings=None, **kwargs):
    given = {"n_factors": 3, "random_state": 0, "dtype": np.float64, "max_iter": 8, "tol": 0}
    return VBMF(link=link, **given | kwargs).fit(small() if ratings is None else ratings)


def weighted():
    users, items, values = small(2).to_triples()
    weights = np.random.default_rng(0).uniform(0.2, 2.5, len(values))
    weights[users == 3] = 0
    return Ratings.from_triples(users, items, values, weights=weights, shape=(61, 46))


def sparse_rows():
    """A few ratings a row, and rows without any."""
    users, items, values = make_ratings(80, 90, 300, noise=0.5, random_state=1).to_triples()
    return Ratings.from_triples(users, items, values, shape=(85, 92), dtype=np.float64)


DATA = {"small": small(), "second": small(1), "weights": weighted(), "few": sparse_rows()}


@each_link
@pytest.mark.parametrize("ratings", DATA.values(), ids=DATA)
def test_the_bound_never_rises(ratings, link):
    for n_factors in (1, 8):
        model = linked(link, ratings, covariance="full", n_factors=n_factors, max_iter=40)
        objectives = np.array(model.history_.objectives)
        assert len(objectives) == 40
        assert np.all(np.diff(objectives) <= 1e-6 * np.abs(objectives[1:]))
        assert objectives[-1] < objectives[0] - 1e-3


@pytest.mark.parametrize("ratings", DATA.values(), ids=DATA)
def test_the_bound_of_mean_covariances_rarely_rises(ratings):
    model = linked("both", ratings, covariance="mean", n_factors=8, max_iter=40)
    objectives = np.array(model.history_.objectives)
    assert np.all(np.diff(objectives) <= 1e-6 * np.abs(objectives[1:]))


def test_a_model_without_links_has_no_arrays_of_them():
    model = linked(None)
    for name in (*LINK_OWN, *LINK_SHARED):
        assert getattr(model, f"{name}_") is None


@each_link
def test_arrays_of_the_links(link):
    model = linked(link)
    size = model.n_factors + 1
    shapes = {"item": (45, size), "user": (60, size)}
    there = {"users": ["item"], "items": ["user"], "both": ["user", "item"]}[link]
    for name, shape in shapes.items():
        influences = getattr(model, f"{name}_influences_")
        if name in there:
            assert influences.shape == shape
            assert influences.dtype == np.float64
            assert np.abs(influences).max() > 0
        else:
            assert influences is None
    assert model.influence_precisions_.shape == (2, size, size)
    assert model.influence_covariances_.shape == (2, size, size)
    assert model.user_feature_means_ is model.feature_precisions_ is None


@pytest.mark.parametrize("link", ["user", True, 1, "all", ["users"]])
def test_a_wrong_link_is_refused(link):
    with pytest.raises(ValueError, match=r"link is .*; give one of None, 'users', 'items', 'both'"):
        VBMF(link=link).fit(small())


def test_a_warm_start_with_another_link_is_refused():
    model = linked("users", warm_start=True)
    before = model.user_factors_
    for other in (None, "items", "both"):
        with pytest.raises(ValueError, match=f"link is {other!r} now and was another one"):
            model.set_params(link=other).fit(small())
    assert model.user_factors_ is before
    model.set_params(link="users").fit(small())


def test_a_link_helps_where_what_is_rated_tells_of_users():
    """Users of two kinds rate mostly films of their own kind, and one kind is strict."""
    rng = np.random.default_rng(0)
    kinds, films = rng.integers(0, 2, 400) * 2 - 1, rng.integers(0, 2, 120) * 2 - 1
    chance = np.where(np.equal.outer(kinds, films), 0.08, 0.015)
    users, items = np.nonzero(rng.random(chance.shape) < chance)
    values = 3 + 0.8 * kinds[users] + rng.normal(0, 0.9, len(users))
    ratings = Ratings.from_triples(users, items, values, shape=chance.shape)
    train, test = random_split(ratings, 0.3, random_state=0)
    u, i, truth = test.to_triples()

    def excess(link):
        model = VBMF(n_factors=2, link=link, random_state=0, max_iter=60).fit(train)
        return rmse(truth, model.predict(u, i)) ** 2 - rmse(truth, 3 + 0.8 * kinds[u]) ** 2

    plain = excess(None)
    assert excess("users") < 0.8 * plain
    assert excess("both") < 0.8 * plain


@each_covariance
def test_same_bits_for_any_number_of_threads(covariance):
    ratings = make_ratings(200, 150, 4000, random_state=0)
    models = [
        linked(
            "both",
            ratings,
            n_factors=8,
            covariance=covariance,
            dtype=np.float32,
            max_iter=3,
            n_threads=n_threads,
        )
        for n_threads in (1, 2, 3)
    ]
    assert same_bits(models[0], models[1])
    assert same_bits(models[0], models[2])


@each_link
@each_covariance
def test_files_hold_links(link, covariance, tmp_path):
    model = linked(link, covariance=covariance, warm_start=True)
    save(model, tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    assert_equal_models(loaded, model)
    new = np.full((2, 45), np.nan)
    new[0, [1, 4, 6]] = 3, 2, 5
    assert loaded.fold_in(new).tobytes() == model.fold_in(new).tobytes()
    assert same_bits(loaded.fit(small()), model.fit(small()))


def test_the_parameter_may_change_before_saving(tmp_path):
    """A file holds the model as it was fitted, whatever its next fit would be."""
    model = linked("both").set_params(link=None, n_factors=5, covariance="diag")
    save(model, tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.user_influences_, model.user_influences_)
    new = np.full((1, 45), np.nan)
    new[0, [1, 4]] = 3, 2
    model.add_users(new)
    assert model.user_influences_.shape == (61, 4)


@each_link
@each_covariance
def test_new_rows_say_nothing_of_others(link, covariance):
    model = linked(link, covariance=covariance)
    users, items = np.full((2, 45), np.nan), np.full((62, 1), np.nan)
    users[0, [1, 4, 6]] = 3, 2, 5
    items[[3, 60, 61], 0] = 1, 5, 2
    folded = model.fold_in(users)
    before = model.predict_all()
    model.add_users(users)
    np.testing.assert_allclose(model.user_factors_[60:], folded[:, :3], rtol=1e-12)
    model.add_items(items)
    assert model.predict_all().shape == (62, 46)
    np.testing.assert_array_equal(model.predict_all()[:60, :45], before)
    if link != "users":
        assert model.user_influences_.shape == (62, 4)
        assert not model.user_influences_[60:].any()
    if link != "items":
        assert model.item_influences_.shape == (46, 4)
        assert not model.item_influences_[45:].any()
    predicted, std = model.predict([60, 61], [45, 0], return_std=True)
    assert np.isfinite(predicted).all()
    assert np.isfinite(std).all()


@each_covariance
def test_partial_fit_takes_in_new_rows(covariance):
    users, items, values = small().to_triples()
    named = Ratings.from_triples([f"u{u}" for u in users], [f"i{i}" for i in items], values)
    model = linked("both", named, covariance=covariance)
    kept = model.item_influences_[model.item_ids_.positions("i3")].copy()
    more = Ratings.from_triples(["new", "u3", "new"], ["i2", "other", "i0"], [4.0, 2.0, 1.0])
    model.partial_fit(more)
    assert len(model.user_influences_) == len(model.user_ids_)
    assert len(model.item_influences_) == len(model.item_ids_)
    moved = model.item_influences_[model.item_ids_.positions("i3")]
    assert 0 < np.abs(moved - kept).max() < 0.5 * np.abs(model.item_influences_).max()
    assert model.item_influences_[model.item_ids_.positions("other")].any()
    assert np.isfinite(model.predict_all()).all()


@each_link
def test_known_rows_folded_in_are_nearly_the_fitted_ones(link):
    ratings = small()
    model = linked(link, ratings, covariance="full", max_iter=300)
    rows = model.fold_in(ratings)
    own = np.column_stack([model.user_factors_, model.user_biases_])
    assert np.abs(rows - own).max() < 0.02 * np.abs(own).max()


@each_link
@each_covariance
def test_explanations_add_up(link, covariance):
    ratings = DATA["weights"]
    model = linked(link, ratings, covariance=covariance, clip=False)
    row = model.fold_in(ratings)[4]
    _, parts = model.explain(4, 7)
    from_row = model.inverse_transform(row[np.newaxis])[0, 7]
    assert parts.sum() + model.mean_ + model.item_biases_[7] == pytest.approx(from_row, rel=1e-9)


@each_covariance
def test_spreads(covariance):
    model = linked("both", covariance=covariance)
    noise = model.scale_ / np.sqrt(model.noise_precision_[0])
    _, std = model.predict([0, 5, 99], [3, 99, 99], unknown="mean", return_std=True)
    assert np.all(std > noise)
    assert std[2] > std[0]


def test_the_uncertainty_of_the_link_counts():
    model = linked("both", covariance="full")
    _, std = model.predict(99, 99, unknown="mean", return_std=True)
    model.influence_covariances_ = np.zeros_like(model.influence_covariances_)
    _, less = model.predict(99, 99, unknown="mean", return_std=True)
    assert less < std


def test_single_precision_is_enough():
    one, other = (linked("both", dtype=dtype).predict_all() for dtype in (np.float32, np.float64))
    np.testing.assert_allclose(one, other, atol=2e-3)


@each_link
def test_equal_ratings_and_a_single_one(link):
    for matrix in (np.full((3, 4), 2.0), np.array([[5.0, np.nan], [np.nan, np.nan]])):
        model = VBMF(n_factors=2, link=link, random_state=0).fit(matrix)
        np.testing.assert_allclose(model.predict_all(), np.nanmean(matrix), atol=1e-5)


def test_large_designs(monkeypatch):
    """The leading directions of the link are enough."""
    ratings = make_ratings(150, 120, 3000, noise=0.7, random_state=0).astype(np.float64)
    exact = linked("both", ratings).predict_all()
    monkeypatch.setattr("matfact.models._designs.EXACT_SIZE", 10)
    monkeypatch.setattr("matfact.models._designs.RANK", 60)
    away = linked("both", ratings).predict_all() - exact
    assert 0 < np.sqrt(np.mean(away**2)) < 0.05
    first, second = (linked("both", ratings, max_iter=2) for _ in range(2))
    assert same_bits(first, second)


def test_rows_without_ratings_are_as_others_on_average():
    """A film that nobody has rated is not one that everybody avoids."""
    rng = np.random.default_rng(0)
    quality = np.sort(rng.normal(size=100))
    chance = np.where(quality > 0, 0.25, 0.03)  # the better ones are rated by far more users
    chance[::10] = 0
    users, items = np.nonzero(rng.random((200, 100)) < chance)
    values = 3 + quality[items] + rng.normal(0, 0.5, len(users))
    ratings = Ratings.from_triples(users, items, values, shape=(201, 100))
    model = VBMF(n_factors=2, link="both", random_state=0, clip=False, max_iter=60).fit(ratings)
    rated = np.unique(items)
    usual = model.item_biases_[rated].mean()
    np.testing.assert_allclose(model.item_biases_[::10], usual, atol=1e-3)
    folded = model.fold_in(np.full((1, 100), np.nan))
    np.testing.assert_allclose(folded[0, :2], model.user_factors_[200], atol=0.02)
    np.testing.assert_allclose(folded[0, 2], model.user_biases_[200], atol=0.02)
    means = model.item_factors_[rated].mean(axis=0)
    np.testing.assert_allclose(model.item_factors_[0], means, atol=1e-3)
