"""Recommendations, similar rows, explanations, scores."""

import numpy as np
import pytest

from matfact import Ratings
from matfact.models import ALS, NMF
from models.cases import EXPLICIT, SMALL, dense_matrix, named_ratings, unclipped

LINEAR = {name: new for name, new in SMALL.items() if name != "BPR"}
each_linear_model = pytest.mark.parametrize("new", list(LINEAR.values()), ids=list(LINEAR))
each_explicit = pytest.mark.parametrize("new", list(EXPLICIT.values()), ids=list(EXPLICIT))
each_model = pytest.mark.parametrize("new", list(SMALL.values()), ids=list(SMALL))


@pytest.fixture(scope="module")
def ratings():
    return named_ratings()


@each_model
def test_recommendations_are_the_best_unseen_items(new, ratings):
    model = unclipped(new).fit(ratings)
    for user in ("u00", "u17"):
        position = int(model.user_ids_.positions(user))
        scores = model.predict_all([user])[0]
        seen = ratings.user_indices[slice(*ratings.user_indptr[position : position + 2])]
        left = np.setdiff1d(np.arange(20), seen)
        expected = left[np.argsort(-scores[left], kind="stable")]
        items, values = model.recommend(user, n=4)
        assert items.tolist() == model.item_ids_.ids_of(expected[:4]).tolist()
        np.testing.assert_allclose(values, scores[expected[:4]])
        everything, _ = model.recommend(user, n=1000)
        assert len(everything) == len(left)
        all_items, _ = model.recommend(user, n=1000, exclude_seen=False)
        assert len(all_items) == 20


@each_model
def test_filters_of_recommendations(new, ratings):
    model = new().fit(ratings)
    films = ["film 03", "film 04", "film 05"]
    items, _ = model.recommend("u00", candidates=films, exclude_seen=False)
    assert sorted(items) == films
    items, _ = model.recommend("u00", candidates=films, exclude=["film 04"], exclude_seen=False)
    assert sorted(items) == ["film 03", "film 05"]
    items, scores = model.recommend("u00", candidates=[], exclude_seen=False)
    assert len(items) == len(scores) == 0
    for n in (0, -1, 2.5, True):
        with pytest.raises((ValueError, TypeError), match="n "):
            model.recommend("u00", n=n)


def test_equal_scores_come_in_the_order_of_the_items():
    model = ALS(n_factors=1, max_iter=1, random_state=0).fit(np.full((4, 5), 3.0))
    items, scores = model.recommend(2, exclude_seen=False)
    assert items.tolist() == [0, 1, 2, 3, 4]
    assert len(set(scores)) == 1


@each_model
def test_similar_rows_are_near_in_direction(new, ratings):
    model = new().fit(ratings)
    items, cosines = model.similar_items("film 03", n=5)
    assert len(items) == 5
    assert "film 03" not in items
    assert (np.diff(cosines) <= 0).all()
    factors = model.item_factors_.astype(float)
    place = int(model.item_ids_.positions(items[0]))
    expected = factors[place] @ factors[3] / np.linalg.norm(factors[place])
    assert cosines[0] == pytest.approx(expected / np.linalg.norm(factors[3]))
    users, _ = model.similar_users("u00", n=500)
    assert len(users) == 29


@each_linear_model
def test_explanations_add_up_to_the_prediction(new, ratings):
    model = unclipped(new, dtype=np.float64).fit(ratings)
    one = ratings.select(np.flatnonzero(ratings.users == 4))
    row = model.inverse_transform(model.fold_in(one)[4:5])[0]
    for item in (0, 13):
        films, shares = model.explain("u04", f"film {item:02}")
        assert sorted(films) == sorted(model.item_ids_.ids_of(one.user_indices))
        assert (np.diff(np.abs(shares)) <= 1e-12).all()
        base = model.mean_
        if model.item_biases_ is not None:
            base = base + model.item_biases_[item]
        if not (isinstance(model, NMF) and model.absent == "zero"):
            assert base + shares.sum() == pytest.approx(row[item], abs=1e-6)
    assert len(model.explain("u04", "film 03", n=2)[0]) == 2


@each_explicit
def test_score_of_ratings_is_minus_their_rmse(new, ratings):
    model = new().fit(ratings)
    users, items, values = ratings.to_triples()
    expected = np.sqrt(np.mean((model.predict(users, items) - values) ** 2))
    assert model.score(ratings) == pytest.approx(-expected, rel=1e-6)


@each_explicit
def test_score_of_a_matrix_hides_half_of_each_row(new):
    matrix = dense_matrix()
    model = new().fit(matrix)
    squares, count = 0.0, 0
    for parity in (0, 1):
        given = np.full(matrix.shape, np.nan)
        for row, values in enumerate(matrix):
            there = np.flatnonzero(~np.isnan(values))[parity::2]
            given[row, there] = values[there]
        predicted = model.inverse_transform(model.transform(given))
        hidden = ~np.isnan(matrix) & np.isnan(given)
        squares += np.sum((predicted - matrix)[hidden] ** 2)
        count += hidden.sum()
    assert model.score(matrix) == pytest.approx(-np.sqrt(squares / count), rel=1e-5)


def test_a_model_of_few_ratings_predicts_near_the_mean():
    ratings = Ratings.from_triples(["a", "b"], [1, 2], [4, 5])
    model = ALS(n_factors=2, regularization=10, bias_regularization=10, random_state=0).fit(ratings)
    np.testing.assert_allclose(model.predict_all(), 4.5, atol=0.5)
