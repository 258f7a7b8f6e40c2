"""BPR: what it draws, what it learns, and what it does with new rows."""

import numpy as np
import pytest

from matfact import BPR, ImplicitALS, Ratings, make_ratings
from matfact.evaluation import evaluate_ranking, random_split
from matfact.models._logistic import logistic_minimum
from matfact.models._triples import Ranking


def two_tastes():
    """Users and items of two kinds; everyone has half of the items of the own kind."""
    rng = np.random.default_rng(0)
    matrix = np.full((60, 40), np.nan)
    for user in range(60):
        own = np.arange(40)[np.arange(40) % 2 == user % 2]
        matrix[user, rng.choice(own, 10, replace=False)] = 1
    return matrix


def test_the_other_half_of_the_own_kind_comes_first():
    matrix = two_tastes()
    model = BPR(n_factors=8, random_state=0).fit(matrix)
    for user, items, _ in model.recommend(n=10):
        assert (items % 2 == user % 2).all()
    kind = [items[0] % 2 == item % 2 for item, items, _ in model.similar_items(np.arange(40), n=1)]
    assert all(kind)


def choices_by_taste(seed=0):
    """Each of 300 users has 30 of 150 items, those that suit best, and some noise."""
    rng = np.random.default_rng(seed)
    liking = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 150)) + rng.normal(size=(300, 150))
    items = np.argsort(-liking, axis=1)[:, :30].ravel()
    return Ratings.from_triples(np.repeat(np.arange(300), 30), items, np.ones(9000))


def test_it_ranks_much_better_than_popularity():
    train, test = random_split(choices_by_taste(), 0.2, random_state=0)
    popular = BPR(n_factors=1, regularization=50.0, random_state=0).fit(train)
    model = BPR(n_factors=16, random_state=0).fit(train)
    by_popularity, by_taste = (
        evaluate_ranking(one, test).mean("ndcg@10") for one in (popular, model)
    )
    assert by_taste > 1.5 * by_popularity


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_items_are_drawn_as_asked_for_and_are_no_seen_ones(exponent):
    ratings = make_ratings(300, 40, 3000, random_state=0)
    model = BPR(popularity_exponent=exponent, random_state=0)
    solver = Ranking(model, ratings, {}, 0, 1)
    rng = np.random.default_rng(0)
    drawn = np.array([solver._others(rng) for _ in range(20)])
    has = np.zeros(ratings.shape, dtype=bool)
    has[ratings.users, ratings.user_indices] = True
    used = drawn >= 0
    assert used.mean() > 0.99
    users = np.broadcast_to(ratings.users, drawn.shape)
    assert not has[users[used], drawn[used]].any()
    # Of each user the items that it does not have come as often as their shares say.
    shares = np.diff(ratings.item_indptr) ** exponent * ~has
    shares /= shares.sum(axis=1, keepdims=True)
    expected = (shares * np.diff(ratings.user_indptr)[:, None]).sum(axis=0) * 20
    found = np.bincount(drawn[used], minlength=40)
    chi_square = np.sum((found - expected) ** 2 / expected)
    assert chi_square < 80  # 39 degrees of freedom: exceeded once in 10,000 times


def test_users_who_have_everything_leave_no_triples():
    matrix = np.full((4, 3), np.nan)
    matrix[0], matrix[1:, 0] = 1, 1
    model = BPR(n_factors=2, random_state=0, max_iter=3).fit(matrix)
    assert np.isfinite(model.history_.objectives).all()
    everything = BPR(n_factors=2, random_state=0, max_iter=3).fit(np.ones((3, 3)))
    assert everything.history_[-1].objective == 0


def test_dislikes_are_no_choices_and_are_not_drawn():
    ratings = Ratings.from_triples([0, 0, 1, 1], [0, 1, 1, 2], [1, -1, 1, 1], shape=(2, 4))
    solver = Ranking(BPR(), ratings, {}, 0, 1)
    others = np.array([solver._others(np.random.default_rng(seed)) for seed in range(50)])
    assert (others[:, 1] == -1).all()
    assert set(others[:, 0].tolist()) == {2, 3}


def test_every_parameter_changes_the_result():
    ratings = make_ratings(60, 40, 800, random_state=0)
    changes = [
        {"schedule": "constant"},
        {"learning_rate": 0.05},
        {"regularization": 0.1},
        {"bias_regularization": 0.5},
        {"biases": False},
        {"popularity_exponent": 0.5},
        {"max_iter": 4},
        {"random_state": 1},
        {"n_factors": 5},
    ]
    found = {
        BPR(**{"n_factors": 4, "max_iter": 3, "random_state": 0} | change)
        .fit(ratings)
        .predict_all()
        .tobytes()
        for change in [{}, *changes]
    }
    assert len(found) == len(changes) + 1


def test_a_new_user_is_at_the_minimum_and_like_a_trained_one():
    matrix = two_tastes()
    model = BPR(n_factors=8, random_state=0, dtype=np.float64).fit(matrix)
    folded = model.fold_in(matrix)
    assert (folded[:, -1] == 0).all()
    alone = model.fold_in(matrix[7:8])
    np.testing.assert_array_equal(alone[0], folded[7])
    for user, items, _ in model.recommend_new(matrix, n=10):
        assert (items % 2 == user % 2).all()


def test_a_new_item_goes_to_the_users_of_its_kind():
    matrix = two_tastes()
    model = BPR(n_factors=8, random_state=0).fit(matrix)
    column = np.full((60, 1), np.nan)
    column[0:20:2] = 1  # users of one kind
    before = model.item_factors_.copy()
    model.add_items(column)
    np.testing.assert_array_equal(model.item_factors_[:40], before)
    scores = model.predict(np.arange(20, 60), 40)
    assert scores[::2].mean() > scores[1::2].mean() + 0.5


def test_newton_finds_the_minimum():
    rng = np.random.default_rng(0)
    features, offsets = rng.normal(size=(200, 4)), rng.normal(size=200)
    weights, penalties = rng.uniform(0, 2, 200), rng.uniform(0.5, 2, 4)
    point = logistic_minimum(features, offsets, weights, penalties)
    slope = weights / (1 + np.exp(features @ point + offsets))
    np.testing.assert_allclose(penalties * point, features.T @ slope, atol=1e-8)
    assert np.isfinite(logistic_minimum(features[:1], offsets[:1], weights[:1], np.zeros(4))).all()


def test_what_it_does_not_do():
    ratings = make_ratings(30, 20, 200, random_state=0)
    model = BPR(n_factors=2, max_iter=2, random_state=0).fit(ratings)
    with pytest.raises(TypeError, match="use ImplicitALS for explanations"):
        model.explain(0, 1)
    weighted = Ratings.from_triples([0, 1], [0, 1], [1, 1], weights=[1, 2])
    with pytest.raises(ValueError, match="does not use the weights of ratings; use ImplicitALS"):
        BPR().fit(weighted)
    assert ImplicitALS(max_iter=1).fit(weighted).n_iter_ == 1


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"learning_rate": 0}, ValueError, "learning_rate"),
        ({"regularization": -1}, ValueError, "regularization"),
        ({"popularity_exponent": "1"}, TypeError, "popularity_exponent"),
        ({"schedule": "exponential"}, ValueError, "give 'adaptive' or 'constant'"),
        ({"biases": 1}, TypeError, "biases is 1"),
    ],
)
def test_wrong_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        BPR(**parameters).fit(np.eye(3))


def test_steps_that_are_too_large_diverge_with_a_remedy():
    ratings = make_ratings(100, 50, 1500, random_state=0)
    with pytest.raises(ArithmeticError, match="lower learning_rate, which is 1000"):
        BPR(schedule="constant", learning_rate=1000.0, regularization=1.0).fit(ratings)
