"""New users, items and ratings: what changes, and what must not."""

import numpy as np
import pytest

from matfact import Ratings
from matfact.exceptions import UnknownIdError
from matfact.models import ALS, BPMF, NMF, VBMF
from models.cases import (
    EXPLICIT,
    IMPLICIT_CLASSES,
    SMALL,
    dense_matrix,
    named_ratings,
    state_of,
    unclipped,
)

each_explicit = pytest.mark.parametrize("new", list(EXPLICIT.values()), ids=list(EXPLICIT))
point_estimates = pytest.mark.parametrize(
    "new", [new for new in EXPLICIT.values() if not isinstance(new(), VBMF | BPMF)]
)
each_model = pytest.mark.parametrize("new", list(SMALL.values()), ids=list(SMALL))

NEWCOMERS = Ratings.from_triples(
    ["ann", "ann", "bea", "ann"], ["film 03", "film 01", "film 19", "film 07"], [5, 1, 4, 2]
)
PREMIERES = Ratings.from_triples(
    ["u03", "u01", "u20", "u03"], ["first", "first", "second", "second"], [5, 4, 1, 2]
)


@pytest.fixture(scope="module")
def ratings():
    return named_ratings()


@each_model
def test_fold_in_changes_nothing(new, ratings):
    model = new().fit(ratings)
    before = {name: array.copy() for name, array in state_of(model).items()}
    rows = model.fold_in(NEWCOMERS)
    width = model.item_factors_.shape[1]
    assert rows.shape == (2, width + (model.user_biases_ is not None))
    assert all(np.array_equal(before[name], array) for name, array in state_of(model).items())


@pytest.mark.parametrize("name", ["ALS", "ALS-plain", "NMF", "NMF-zero"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fold_in_of_the_training_users_is_one_more_half_step(name, dtype, ratings):
    """The last half step of an epoch is that of the users, so theirs are the model's own rows."""
    more = {"inner_sweeps": 50} if name.startswith("NMF") else {}
    model = SMALL[name](dtype=dtype, **more).fit(ratings)
    rows = model.fold_in(ratings)
    atol = 1e-6 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(rows[:, :3], model.user_factors_, atol=atol)
    if model.user_biases_ is not None:
        np.testing.assert_allclose(rows[:, 3], model.user_biases_, atol=atol)


@point_estimates
def test_fold_in_minimises_the_error_of_a_row(new, ratings):
    """Small changes of a row, in any direction that is allowed, do not lower its objective."""
    model = new(dtype=np.float64).fit(ratings)
    ridge, bias_ridge = model._ridges(np.array([3.0]), "users")
    one = Ratings.from_triples(["ann"] * 3, ["film 03", "film 01", "film 07"], [5, 1, 2])
    items = model.item_ids_.positions(["film 03", "film 01", "film 07"])
    truth = np.array([5.0, 1.0, 2.0])

    def objective(row):
        if model.user_biases_ is None:
            predicted = model.mean_ + model.item_factors_ @ row
            penalty = ridge[0] * row @ row
        else:
            predicted = model.mean_ + model.item_factors_ @ row[:3] + model.item_biases_ + row[3]
            penalty = ridge[0] * row[:3] @ row[:3] + bias_ridge[0] * row[3] ** 2
        rest = truth - predicted[items]
        loss = rest @ rest
        if isinstance(model, NMF) and model.absent == "zero":
            loss += predicted @ predicted - predicted[items] @ predicted[items]
        return loss + penalty

    row = model.fold_in(one)[0]
    lowest = objective(row)
    rng = np.random.default_rng(0)
    for _ in range(200):
        other = row + 0.02 * rng.normal(size=len(row))
        if isinstance(model, NMF):
            other = np.maximum(other, 0)
        assert objective(other) > lowest - 1e-6


@each_model
def test_a_user_without_ratings_is_an_average_one(new, ratings):
    model = unclipped(new).fit(ratings)
    ids = ratings.item_ids
    one = Ratings.from_triples(["ann"], ["film 00"], [5], user_ids=["ann", "bea"], item_ids=ids)
    filled = model.inverse_transform(model.fold_in(one))
    assert filled.shape == (2, 20)
    if isinstance(model, VBMF):  # who has learned what an average user is
        scale = np.sqrt(model.scale_) * np.array([1, 1, 1, np.sqrt(model.scale_)])
        expected = model.prior_means_[0] + model.unrated_means_[0]
        np.testing.assert_allclose(model.fold_in(one)[1], scale * expected, rtol=1e-4)
    elif isinstance(model, BPMF):
        means = (model.sample_means_ + model.sample_unrated_means_)[:, 0] * np.sqrt(model.scale_)
        expected = np.append(means[:, :3] / 3, means[:, 3].mean() * np.sqrt(model.scale_))
        np.testing.assert_allclose(model.fold_in(one)[1], expected, rtol=1e-4, atol=1e-6)
    elif model.user_biases_ is not None:
        expected = model.mean_ + model.item_biases_
        np.testing.assert_allclose(filled[1], expected, rtol=1e-6)
    elif isinstance(model, NMF) and model.absent == "missing":
        expected = model.item_factors_ @ model.user_factors_.mean(axis=0)
        np.testing.assert_allclose(filled[1], expected, rtol=1e-4)


@each_model
def test_transform_and_its_inverse(new):
    matrix = dense_matrix()
    model = new().fit(matrix)
    rows = model.transform(matrix[:5])
    np.testing.assert_array_equal(rows, model.fold_in(matrix[:5]))
    filled = model.inverse_transform(rows)
    assert filled.shape == (5, 8)
    np.testing.assert_allclose(model.predict(matrix[:5]), filled)
    if not isinstance(model, IMPLICIT_CLASSES):
        low, high = model.rating_range_
        assert filled.min() >= low
        assert filled.max() <= high
    np.testing.assert_array_equal(new().fit_transform(matrix), new().fit(matrix).transform(matrix))
    with pytest.raises(ValueError, match=r"X has shape \(5, 9\)"):
        model.inverse_transform(np.ones((5, 9)))


@each_model
def test_added_users_leave_the_others_alone(new, ratings):
    model = new().fit(ratings)
    before = {name: array.copy() for name, array in state_of(model).items()}
    expected = model.fold_in(NEWCOMERS)
    assert model.add_users(NEWCOMERS) is model
    for name, array in state_of(model).items():
        assert np.array_equal(array[: len(before[name])], before[name])
        assert len(array) == len(before[name]) + 2 * name.startswith("user")
    width = model.item_factors_.shape[1]
    np.testing.assert_array_equal(model.user_factors_[30:], expected[:, :width])
    assert np.isfinite(model.predict(["ann", "bea", "u00"], "film 04")).all()
    assert "film 03" not in model.recommend("ann", n=99)[0]
    assert len(model.recommend("ann", n=99)[0]) == 17
    assert model.predict_all().shape == (32, 20)


@each_model
def test_added_items_leave_the_others_alone(new, ratings):
    model = new().fit(ratings)
    before = {name: array.copy() for name, array in state_of(model).items()}
    model.add_items(PREMIERES)
    for name, array in state_of(model).items():
        assert np.array_equal(array[: len(before[name])], before[name])
        assert len(array) == len(before[name]) + 2 * name.startswith("item")
    assert model.predict_all().shape == (30, 22)
    assert model.n_features_in_ == 22
    assert np.isfinite(model.predict("u00", ["first", "second"])).all()
    assert "first" not in model.recommend("u03", n=99)[0]


@each_model
def test_added_rows_of_a_matrix_are_numbered_on(new):
    matrix = dense_matrix(14, 9)
    model = new().fit(matrix[:12, :8])
    model.add_users(matrix[12:, :8])
    assert model.user_ids_.is_range
    model.add_items(matrix[:, 8:])
    assert model.predict_all().shape == (14, 9)
    with pytest.raises(ValueError, match=r"new users need 9 columns"):
        model.add_users(matrix[:2, :4])
    with pytest.raises(ValueError, match=r"new items need 14 rows"):
        model.add_items(matrix[:3, :2])


@each_model
def test_known_or_unknown_ids_in_the_wrong_place(new, ratings):
    model = new().fit(ratings)
    before = state_of(model)
    with pytest.raises(ValueError, match=r"'u03'.*known"):
        model.add_users(Ratings.from_triples(["u03"], ["film 00"], [3]))
    with pytest.raises(UnknownIdError, match="'film 77'"):
        model.add_users(Ratings.from_triples(["ann"], ["film 77"], [3]))
    with pytest.raises(ValueError, match=r"'film 00'.*known"):
        model.add_items(Ratings.from_triples(["u03"], ["film 00"], [3]))
    with pytest.raises(UnknownIdError, match="'ann'"):
        model.add_items(Ratings.from_triples(["ann"], ["new"], [3]))
    with pytest.raises(ValueError, match="have names"):
        model.add_users(np.ones((1, 20)))
    with pytest.raises(UnknownIdError, match="'film 77'"):
        model.fold_in(Ratings.from_triples(["ann"], ["film 77"], [3]))
    assert all(before[name] is array for name, array in state_of(model).items())


@each_model
def test_swapped_users_and_items_are_noticed(new, ratings):
    model = new().fit(ratings)
    with pytest.raises(UnknownIdError):
        model.predict("film 00", "u00")
    with pytest.raises(UnknownIdError):
        model.fold_in(ratings.transpose())


@each_model
def test_items_without_ratings_do_not_matter_for_fold_in(new, ratings):
    model = new().fit(ratings)
    wider = Ratings.from_triples(
        ["ann"], ["film 03"], [5], item_ids=["film 99", "film 03", "film 98"]
    )
    plain = Ratings.from_triples(["ann"], ["film 03"], [5])
    np.testing.assert_array_equal(model.fold_in(wider), model.fold_in(plain))


@each_model
def test_partial_fit_takes_in_new_rows_and_better_ratings(new, ratings):
    model = new().fit(ratings)
    user, item = ratings.users[0], ratings.user_indices[0]
    user, item = ratings.user_ids.ids[user], ratings.item_ids.ids[item]
    more = Ratings.from_triples([user, "ann", "u00"], [item, "new film", "film 01"], [2, 5, 4])
    model.partial_fit(more)
    assert model.n_iter_ == 5
    assert model.predict_all().shape == (31, 21)
    users, items, values = model.ratings_.to_triples()
    assert values[(users == user) & (items == item)].tolist() == [2]
    assert values[(users == "u00") & (items == "film 01")].tolist() == [4]
    assert np.isfinite(model.history_.objectives).all()


@each_model
def test_partial_fit_from_the_beginning_is_one_epoch(new, ratings):
    once = new(max_iter=1).fit(ratings)
    again = new().partial_fit(ratings)
    assert once.user_factors_.tobytes() == again.user_factors_.tobytes()
    assert again.n_iter_ == 1


@each_model
def test_partial_fit_of_a_matrix_with_other_columns_is_refused(new):
    matrix = dense_matrix()
    model = new().fit(matrix)
    with pytest.raises(ValueError, match=r"X has 7 features, but .* is expecting 8"):
        model.partial_fit(matrix[:, :7])
    model.partial_fit(np.vstack([matrix, matrix[:1]]))
    assert model.predict_all().shape == (13, 8)


def test_weights_of_folded_in_rows_count():
    ratings = named_ratings()
    model = ALS(n_factors=3, count_exponent=1, random_state=0).fit(ratings)
    films = ["film 03", "film 03", "film 01"]
    once = Ratings.from_triples(["ann"] * 2, films[1:], [5, 1], weights=[2, 1])
    twice = Ratings.from_triples(["ann"] * 2, films[1:], [5, 1], weights=[4, 2])
    light = Ratings.from_triples(["ann"] * 2, films[1:], [5, 1])
    assert not np.allclose(model.fold_in(once), model.fold_in(light), atol=1e-4)
    # Penalties grow with the weights: twice all weights is the same problem.
    np.testing.assert_allclose(model.fold_in(once), model.fold_in(twice), rtol=1e-4)
