"""Features of users and items: every form of them, new rows that have nothing else, files."""

import numpy as np
import pytest
from scipy import sparse

from matfact import VBMF, Ratings, make_ratings
from matfact.evaluation import rmse
from matfact.exceptions import NotFittedError, UnknownIdError
from matfact.models._linking import LINK_OWN, LINK_SHARED
from matfact.persistence import load, save
from models.cases import same_bits
from persistence.model_files import assert_equal_models

GENRES = ["drama", "comedy", "war"]


def model_of(**kwargs):
    given = {"n_factors": 3, "random_state": 0, "dtype": np.float64, "max_iter": 8, "tol": 0}
    return VBMF(**given | kwargs)


def table_of(rng, n):
    """Labels, a row each; the first has none."""
    table = (rng.random((n, 3)) < 0.4).astype(float)
    table[0] = 0
    table[1, 2] = 1
    return table


def as_named(table, names):
    """The same as Ratings of names and genres."""
    rows, columns = np.nonzero(table)
    return Ratings.from_triples(
        np.asarray(names)[rows], np.asarray(GENRES)[columns], table[rows, columns]
    )


def data(seed=0, n_users=60, n_items=45):
    """Ratings with a table of features for each side."""
    rng = np.random.default_rng(seed)
    ratings = make_ratings(n_users, n_items, 900, noise=0.7, random_state=seed)
    return ratings.astype(np.float64), table_of(rng, n_users), table_of(rng, n_items)


def named(seed=0):
    """The same, by names."""
    ratings, of_users, of_items = data(seed)
    users, items, values = ratings.to_triples()
    people = np.array([f"u{n:02}" for n in range(60)])
    films = np.array([f"film {n:02}" for n in range(45)])
    together = Ratings.from_triples(people[users], films[items], values, dtype=np.float64)
    return together, as_named(of_users, people), as_named(of_items, films)


RATINGS, USERS, ITEMS = data()


def fitted(**kwargs):
    return model_of(**kwargs).fit(RATINGS, user_features=USERS, item_features=ITEMS)


def numbers_of(model):
    """All numbers of a model by name."""
    names = [name for name in vars(model) if name.endswith("_") and name != "history_"]
    found = {name: getattr(model, name) for name in names}
    return {name: array for name, array in found.items() if isinstance(array, np.ndarray)}


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize(
    "form",
    [
        sparse.csr_matrix,
        sparse.csc_array,
        sparse.coo_matrix,
        lambda table: table.astype(bool),
        lambda table: table.astype(int).tolist(),
        lambda table: np.where(table == 0, np.nan, table),
        lambda table: Ratings.from_triples(*np.nonzero(table), table[np.nonzero(table)]),
        lambda table: Ratings.from_triples(
            *np.nonzero(table), table[np.nonzero(table)], shape=table.shape
        ),
    ],
    ids=["csr", "csc", "coo", "bool", "list", "nan", "ratings", "numbered"],
)
def test_every_form_gives_the_same_bits(form):
    expected = fitted(max_iter=3)
    found = model_of(max_iter=3).fit(RATINGS, user_features=form(USERS), item_features=form(ITEMS))
    assert same_bits(found, expected)
    for name in (*LINK_OWN, *LINK_SHARED):
        one, other = (getattr(model, f"{name}_") for model in (found, expected))
        assert (one is None) == (other is None)
        np.testing.assert_array_equal(one, other)


def test_a_fit_to_a_matrix_of_ratings():
    users, items, values = RATINGS.to_triples()
    matrix = np.full(RATINGS.shape, np.nan)
    matrix[users, items] = values
    one = model_of(max_iter=2).fit(matrix, item_features=ITEMS)
    other = model_of(max_iter=2).fit(RATINGS, item_features=sparse.csr_array(ITEMS))
    assert same_bits(one, other)


def test_what_a_model_with_features_has():
    ratings, of_users, of_items = named()
    model = model_of().fit(ratings, item_features=of_items)
    assert model.user_feature_names_ is model.user_feature_coefficients_ is None
    assert model.user_feature_means_ is None
    assert sorted(model.item_feature_names_.ids.tolist()) == sorted(GENRES)
    assert model.item_feature_coefficients_.shape == (3, 4)
    assert model.item_feature_means_.shape == (45, 4)
    assert model.feature_precisions_.shape == model.feature_covariances_.shape == (2, 4, 4)
    assert model.influence_precisions_ is model.user_influences_ is None
    # what features say of a row is the sum of what each of them does
    places = model.item_ids_.positions([f"film {n:02}" for n in range(45)])
    genres = model.item_feature_names_.positions(GENRES)
    expected = ITEMS @ model.item_feature_coefficients_[genres]
    np.testing.assert_allclose(model.item_feature_means_[places], expected, atol=1e-12)
    both = model_of().fit(ratings, item_features=of_items, user_features=of_users)
    assert both.user_feature_coefficients_.shape == (3, 4)


@pytest.mark.parametrize("covariance", ["full", "mean"])
@pytest.mark.parametrize("link", [None, "both"])
def test_the_bound_never_rises(link, covariance):
    for seed in (0, 1):
        ratings, users, items = data(seed)
        model = model_of(n_factors=6, link=link, covariance=covariance, max_iter=40)
        model.fit(ratings, user_features=users, item_features=items)
        objectives = np.array(model.history_.objectives)
        assert len(objectives) == 40
        assert np.all(np.diff(objectives) <= 1e-6 * np.abs(objectives[1:]))


def test_the_unit_of_features_does_not_matter():
    one = fitted().predict_all()
    other = model_of().fit(RATINGS, user_features=100 * USERS, item_features=1e-3 * ITEMS)
    np.testing.assert_allclose(other.predict_all(), one, atol=1e-8)
    for scale in (1e200, 1e-200):
        wide = model_of().fit(RATINGS, user_features=scale * USERS, item_features=ITEMS)
        np.testing.assert_allclose(wide.predict_all(), one, atol=1e-8)


def test_features_that_are_all_zero():
    model = model_of().fit(RATINGS, item_features=0 * ITEMS)
    assert not model.item_feature_means_.any()
    np.testing.assert_allclose(model.predict_all(), model_of().fit(RATINGS).predict_all())


def test_single_precision_is_enough():
    one, other = (fitted(dtype=dtype).predict_all() for dtype in (np.float32, np.float64))
    np.testing.assert_allclose(one, other, atol=2e-3)


def test_same_bits_for_any_number_of_threads():
    models = [fitted(link="both", n_threads=n) for n in (1, 2, 3)]
    assert same_bits(models[0], models[1])
    assert same_bits(models[0], models[2])


# ---------------------------------------------------------------- what they are for


def linear(seed=0, n_users=150, n_items=120):
    """Items whose bias and factors are linear in four features, and a fifth that says nothing."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n_items, 5))
    weights = rng.normal(size=(5, 3)) * np.array([[1], [1], [1], [1], [0]])
    truth = 3 + (table @ weights)[:, :2] @ (0.5 * rng.normal(size=(2, n_users)))
    truth = truth.T + 0.4 * (table @ weights)[:, 2] + 0.4 * rng.normal(size=(n_users, 1))
    noisy = truth + rng.normal(0, 0.5, truth.shape)
    seen = rng.random(truth.shape) < 0.25
    return noisy, seen, table


@pytest.mark.parametrize("link", [None, "both"])
def test_items_that_nobody_has_rated(link):
    noisy, seen, table = linear()
    cold = np.arange(120) % 5 == 0
    users, items = np.nonzero(seen & ~cold)
    train = Ratings.from_triples(users, items, noisy[users, items], shape=noisy.shape)
    u, i = np.nonzero(seen & cold)
    truth = noisy[u, i]
    model = VBMF(n_factors=4, link=link, random_state=0, max_iter=60)
    with_features = rmse(truth, model.fit(train, item_features=table).predict(u, i))
    of_user = np.array([noisy[user, seen[user] & ~cold].mean() for user in range(len(noisy))])
    baselines = rmse(truth, np.full(len(truth), train.mean)), rmse(truth, of_user[u])
    without = rmse(truth, model.fit(train).predict(u, i))
    assert with_features < 0.8 * min(baselines)
    assert with_features < 0.8 * without


def test_users_who_have_rated_nothing():
    noisy, seen, table = linear()
    noisy, seen = noisy.T, seen.T
    cold = np.arange(120) % 5 == 0
    users, items = np.nonzero(seen & ~cold[:, np.newaxis])
    train = Ratings.from_triples(users, items, noisy[users, items], shape=noisy.shape)
    u, i = np.nonzero(seen & cold[:, np.newaxis])
    truth = noisy[u, i]
    model = VBMF(n_factors=4, random_state=0, max_iter=60).fit(train, user_features=table)
    found = rmse(truth, model.predict(u, i))
    assert found < 0.8 * rmse(truth, np.full(len(truth), train.mean))
    # the same for rows that come later, and for those folded in
    warm = Ratings.from_triples(users, items, noisy[users, items], dtype=np.float32)
    later = VBMF(n_factors=4, random_state=0, max_iter=60)
    rows = np.flatnonzero(~cold)
    names = np.arange(5)
    at, column = np.indices((len(rows), 5)).reshape(2, -1)
    later.fit(
        warm, user_features=Ratings.from_triples(rows[at], names[column], table[rows].ravel())
    )
    rows = np.flatnonzero(cold)
    at, column = np.indices((len(rows), 5)).reshape(2, -1)
    new = Ratings.from_triples(rows[at], names[column], table[rows].ravel())
    nothing = np.full((len(rows), 150), np.nan)
    folded = later.fold_in(nothing, features=table[rows])
    later.add_users(features=new)
    assert rmse(truth, later.predict(u, i)) < 0.8 * rmse(truth, np.full(len(truth), train.mean))
    places = later.user_ids_.positions(rows)
    np.testing.assert_allclose(later.user_factors_[places], folded[:, :4], atol=1e-6)
    np.testing.assert_allclose(later.user_biases_[places], folded[:, 4], atol=1e-6)


def test_ids_with_features_only_are_known_after_fit():
    ratings, of_users, _ = named()
    more = Ratings.from_triples(["film 03", "unseen", "unseen"], ["war", "war", "drama"], [1, 1, 1])
    model = model_of().fit(ratings, item_features=more, user_features=of_users)
    assert len(model.item_ids_) == model.n_features_in_ == 46
    assert len(model.ratings_.item_ids) == 46
    assert np.isfinite(model.predict("u05", "unseen"))
    assert model.predict("u05", "unseen") != pytest.approx(model.predict("u06", "unseen"))
    _, std = model.predict("u05", ["unseen", "film 03"], return_std=True)
    assert std[0] > std[1]
    assert "unseen" in model.recommend("u05", n=46)[0]
    with pytest.raises(UnknownIdError):
        model_of().fit(ratings).predict("u05", "unseen")
    # such an item has just what its features say
    at = model.item_ids_.positions("unseen")
    expected = model.prior_means_[1] + model.item_feature_means_[at] + model.unrated_means_[1]
    found = model.item_factors_[at] / np.sqrt(model.scale_)
    np.testing.assert_allclose(found, expected[:3], atol=1e-9)


def test_a_validation_share_keeps_rows_and_features_together():
    model = model_of().fit(RATINGS, item_features=ITEMS, validation=0.3)
    expected = ITEMS @ model.item_feature_coefficients_
    np.testing.assert_allclose(model.item_feature_means_, expected, atol=1e-12)
    assert np.isfinite(model.history_.validations).all()


# ---------------------------------------------------------------- new rows


def test_fold_in_with_features():
    model = fitted(link="both", covariance="full", max_iter=300)
    own = np.column_stack([model.user_factors_, model.user_biases_])
    rows = model.fold_in(RATINGS, features=USERS)
    assert np.abs(rows - own).max() < 0.02 * np.abs(own).max()
    without = model.fold_in(RATINGS)
    told = USERS.any(axis=1)
    assert np.abs(without - rows)[told].max() > 1e-3
    np.testing.assert_array_equal(without[~told], rows[~told])
    labels = Ratings.from_triples([3, 3, 999], [0, 2, 1], [1.0, 1.0, 1.0])
    one = model.fold_in(RATINGS, features=labels)
    np.testing.assert_array_equal(np.delete(one, 3, 0), np.delete(without, 3, 0))
    assert np.abs(one[3] - without[3]).max() > 0
    before = numbers_of(model)
    assert all(before[name] is array for name, array in numbers_of(model).items())


def test_add_items_with_and_without_ratings():
    ratings, of_users, of_items = named()
    model = model_of(covariance="full").fit(ratings, user_features=of_users, item_features=of_items)
    before = model.predict_all()
    new = Ratings.from_triples(["u03", "u09"], ["rated", "rated"], [5.0, 1.0])
    labels = Ratings.from_triples(
        ["rated", "unrated", "unrated", "other"], ["war", "war", "drama", "comedy"], np.ones(4)
    )
    assert model.add_items(new, features=labels) is model
    assert sorted(model.item_ids_.ids[45:].tolist()) == ["other", "rated", "unrated"]
    np.testing.assert_array_equal(model.predict_all()[:, :45], before)
    assert model.item_covariances_.shape == (48, 4, 4)
    assert model.n_features_in_ == 48
    genres = dict(zip(GENRES, model.item_feature_names_.positions(GENRES).tolist(), strict=True))
    b = model.item_feature_coefficients_
    for name, expected in (
        ("rated", b[genres["war"]]),
        ("unrated", b[genres["war"]] + b[genres["drama"]]),
        ("other", b[genres["comedy"]]),
    ):
        place = model.item_ids_.positions(name)
        np.testing.assert_allclose(model.item_feature_means_[place], expected, atol=1e-12)
    place = model.item_ids_.positions("unrated")
    prior = model.prior_means_[1] + model.item_feature_means_[place] + model.unrated_means_[1]
    np.testing.assert_allclose(model.item_factors_[place] / model.scale_**0.5, prior[:3], atol=1e-9)
    # without features: as the prior of all
    model.add_items(Ratings.from_triples(["u01"], ["plain"], [3.0]))
    assert not model.item_feature_means_[48].any()
    with pytest.raises(ValueError, match="'other', which is known already"):
        model.add_items(features=labels)
    assert len(model.item_ids_) == len(model.item_factors_) == 49
    assert np.isfinite(model.partial_fit(new).predict_all()).all()


def test_what_features_say_stays_in_later_epochs():
    ratings, _, of_items = named()
    model = model_of().fit(ratings, item_features=of_items)
    model.add_items(features=Ratings.from_triples(["new"], ["war"], [1.0]))
    means = model.item_feature_means_.copy()
    assert means[45].any()
    more = Ratings.from_triples(["u00", "nobody"], ["film 01", "film 02"], [4.0, 3.0])
    model.partial_fit(more)
    np.testing.assert_array_equal(model.item_feature_means_, means)
    assert sorted(model.item_feature_names_.ids.tolist()) == sorted(GENRES)
    prior = model.prior_means_[1] + means[45]
    assert np.abs(model.item_factors_[45] / model.scale_**0.5 - prior[:3]).max() < 0.2
    assert model.item_ids_.positions("new") == 45


def test_numbered_rows_are_numbered_on():
    model = fitted()
    model.add_items(features=ITEMS[[3, 1]])
    assert model.predict(0, 46).shape == ()
    np.testing.assert_allclose(
        model.item_feature_means_[45:], model.item_feature_means_[[3, 1]], atol=1e-12
    )
    columns = np.full((60, 2), np.nan)
    columns[4, 0] = 2
    columns[7, 1] = 5
    model.add_items(columns, features=ITEMS[[5, 6]])
    np.testing.assert_allclose(
        model.item_feature_means_[47:], model.item_feature_means_[[5, 6]], atol=1e-12
    )
    numbered = Ratings.from_triples([0, 1], [2, 1], [1.0, 1.0], shape=(2, 3))
    model.add_users(features=numbered)
    assert model.predict(61, 48).shape == ()
    with pytest.raises(ValueError, match="features has 3 rows for 2 rows of ratings"):
        model.add_items(np.where(np.ones((62, 2)), 3.0, 0), features=ITEMS[:3])


def test_timestamps_stay_where_rows_come_without_ratings():
    users, items, values = RATINGS.to_triples()
    times = np.arange(len(values))
    timed = Ratings.from_triples(users, items, values, timestamps=times, shape=(60, 45))
    model = model_of(max_iter=2).fit(timed, item_features=ITEMS)
    model.add_items(features=ITEMS[:2])
    assert model.ratings_.timestamps is not None
    assert model.ratings_.shape == (60, 47)


def test_weights_stay_where_ids_have_features_only():
    users, items, values = RATINGS.to_triples()
    weights = np.random.default_rng(0).uniform(0.5, 2, len(values))
    ratings = Ratings.from_triples(users, items, values, weights=weights, timestamps=items)
    more = Ratings.from_triples([3, 99], [0, 0], [1.0, 1.0])
    model = model_of(max_iter=2).fit(ratings, user_features=more)
    np.testing.assert_allclose(model.ratings_.user_weights, ratings.user_weights, rtol=1e-6)
    np.testing.assert_array_equal(model.ratings_.timestamps, ratings.timestamps)
    assert model.ratings_.shape == (61, 45)


def test_explanations_know_the_features_of_the_user():
    model = fitted(clip=False)
    row = model.fold_in(RATINGS, features=USERS)[4]
    assert USERS[4].any()
    _, parts = model.explain(4, 7)
    from_row = model.inverse_transform(row[np.newaxis])[0, 7]
    assert parts.sum() + model.mean_ + model.item_biases_[7] == pytest.approx(from_row, rel=1e-9)


# ---------------------------------------------------------------- going on


@pytest.mark.parametrize("link", [None, "both"])
def test_a_fit_in_parts_equals_one_in_whole(link):
    whole = fitted(link=link, max_iter=5)
    parts = fitted(link=link, max_iter=2, warm_start=True)
    parts.set_params(max_iter=3).fit(RATINGS, user_features=USERS, item_features=ITEMS)
    assert same_bits(parts, whole)
    for name in (*LINK_OWN, *LINK_SHARED):
        np.testing.assert_array_equal(getattr(parts, f"{name}_"), getattr(whole, f"{name}_"))


def test_a_warm_start_without_the_features_leaves_what_they_said():
    model = fitted(warm_start=True)
    before = model.item_feature_coefficients_.copy(), model.item_feature_means_.copy()
    objective = model.history_.objectives[-1]
    model.fit(RATINGS)
    np.testing.assert_array_equal(model.item_feature_coefficients_, before[0])
    np.testing.assert_array_equal(model.item_feature_means_, before[1])
    assert len(model.item_feature_names_) == 3
    assert model.history_.objectives[-1] < objective + 0.05
    model.set_params(warm_start=False).fit(RATINGS)  # a new beginning
    assert model.item_feature_names_ is model.item_feature_coefficients_ is None


def test_a_warm_start_with_some_of_the_features():
    ratings, _, of_items = named()
    model = model_of(warm_start=True).fit(ratings, item_features=of_items)
    names = model.item_feature_names_
    model.fit(ratings, item_features=Ratings.from_triples(["film 01"], ["war"], [1.0]))
    assert model.item_feature_names_ == names
    with pytest.raises(UnknownIdError, match=r"item_features.*'opera'"):
        model.fit(ratings, item_features=Ratings.from_triples(["film 01"], ["opera"], [1.0]))
    assert model.item_feature_names_ == names
    assert not any(name.startswith("_fit") for name in vars(model))


def test_a_model_without_features_takes_none():
    model = model_of(warm_start=True).fit(RATINGS)
    before = numbers_of(model)
    with pytest.raises(ValueError, match="fitted without item_features, and a warm start"):
        model.fit(RATINGS, item_features=ITEMS)
    for call in (
        lambda: model.fold_in(RATINGS, features=USERS),
        lambda: model.add_users(features=USERS),
    ):
        with pytest.raises(ValueError, match="fitted without user_features; fit it with them"):
            call()
    with pytest.raises(ValueError, match="fitted without item_features; fit it with them"):
        model.add_items(features=ITEMS)
    for side in ("users", "items"):
        with pytest.raises(ValueError, match=f"add_{side} got neither X nor features"):
            getattr(model, f"add_{side}")()
    assert all(before[name] is array for name, array in numbers_of(model).items())
    model.set_params(warm_start=False).fit(RATINGS, item_features=ITEMS)
    assert model.item_feature_names_ is not None


def test_an_interrupted_training_keeps_the_names():
    def interrupt(state):
        if state.epoch == 2:
            raise KeyboardInterrupt

    cut, whole = model_of(max_iter=5, warm_start=True), model_of(max_iter=5)
    whole.fit(RATINGS, item_features=ITEMS)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(RATINGS, item_features=ITEMS, callbacks=[interrupt])
    assert len(cut.item_feature_names_) == 3
    cut.set_params(max_iter=3).fit(RATINGS, item_features=ITEMS)
    assert same_bits(cut, whole)


# ---------------------------------------------------------------- what is refused


def test_before_fit():
    for call in (
        lambda: model_of().fold_in(RATINGS, features=USERS),
        lambda: model_of().add_users(features=USERS),
        lambda: model_of().add_items(features=ITEMS),
    ):
        with pytest.raises(NotFittedError):
            call()


def test_unknown_features_are_named():
    ratings, of_users, of_items = named()
    model = model_of(max_iter=2).fit(ratings, user_features=of_users, item_features=of_items)
    strange = Ratings.from_triples(["x"], ["opera"], [1.0])
    for call in (
        lambda: model.add_users(features=strange),
        lambda: model.add_items(features=strange),
        lambda: model.fold_in(ratings, features=strange),
    ):
        with pytest.raises(UnknownIdError, match=r"features.*'opera'"):
            call()
    numbered = fitted(max_iter=2)
    with pytest.raises(UnknownIdError, match=r"features.*3"):
        numbered.add_items(features=np.ones((1, 4)))
    with pytest.raises(ValueError, match="features has 2 columns, and the model 3 features"):
        numbered.add_items(features=np.ones((1, 2)))
    assert len(model.item_ids_) == len(model.item_factors_) == 45
    with pytest.raises(ValueError, match="the items of this model have names"):
        model.add_items(features=np.ones((1, 3)))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (ITEMS[:40], "item_features has 40 rows for 45 rows of ratings"),
        (np.vstack([ITEMS, ITEMS]), "item_features has 90 rows for 45 rows"),
        (sparse.csr_matrix(ITEMS[:3]), "item_features has 3 rows"),
        (np.where(ITEMS == 1, np.inf, 0), r"item_features.*inf"),
        (sparse.csr_matrix(np.where(ITEMS == 1, np.inf, 0)), r"item_features.*inf"),
        (sparse.csr_matrix(np.where(ITEMS == 1, np.nan, 0)), r"item_features.*nan"),
        (ITEMS[:, 0], "item_features has 1 dimension"),
        (ITEMS[:, :0], r"item_features has 0 feature"),
        (ITEMS * 1j, "item_features has dtype complex"),
        ("labels", "item_features"),
        (3, "item_features"),
        ({"a": 1}, "item_features"),
        ([["drama"]] * 45, "item_features"),
        (np.full((45, 2), np.nan), "item_features"),
    ],
)
def test_unsuitable_features_are_refused(features, message):
    model = model_of().fit(RATINGS)
    before = numbers_of(model)
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(RATINGS, item_features=features)
    assert all(before[name] is array for name, array in numbers_of(model).items())
    assert not any(name.startswith("_fit") for name in vars(model))


def test_wrong_parameters_are_named_first():
    with pytest.raises(TypeError, match="dtype"):
        model_of(dtype=np.int32).fit(RATINGS, item_features=ITEMS)
    with pytest.raises(ValueError, match="n_factors"):
        model_of(n_factors=0).fit(RATINGS, item_features=ITEMS)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("link", [None, "users", "both"])
@pytest.mark.parametrize("covariance", ["mean", "full", "diag"])
def test_files_hold_features(link, covariance, tmp_path):
    ratings, _, of_items = named()
    model = model_of(link=link, covariance=covariance, warm_start=True)
    model.fit(ratings, item_features=of_items)
    save(model, tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    assert_equal_models(loaded, model)
    assert loaded.item_feature_names_ == model.item_feature_names_
    again = [one.fit(ratings, item_features=of_items) for one in (loaded, model)]
    assert same_bits(*again)
    for one in again:
        one.add_items(features=Ratings.from_triples(["new"], ["war"], [1.0]))
    assert loaded.predict("u00", "new") == model.predict("u00", "new")


def test_files_hold_numbered_features_without_ratings(tmp_path):
    model = fitted()
    save(model, tmp_path / "model.npz", include_ratings=False)
    loaded = load(tmp_path / "model.npz")
    assert loaded.item_feature_names_.is_range
    loaded.add_items(features=ITEMS[:2])
    model.add_items(features=ITEMS[:2])
    np.testing.assert_array_equal(loaded.predict_all(), model.predict_all())
