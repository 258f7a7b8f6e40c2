"""ALS against closed forms."""

import numpy as np
import pytest

from matfact import ALS, Ratings
from models.cases import named_ratings

RIDGE = {"max_iter": 2, "tol": 0.0, "random_state": 0, "dtype": np.float64, "clip": False}


@pytest.fixture(scope="module")
def ratings():
    return named_ratings()


def rows_of(ratings, user):
    entries = slice(*ratings.user_indptr[user : user + 2])
    return ratings.user_indices[entries], ratings.user_values[entries].astype(float)


@pytest.mark.parametrize("n_factors", [1, 3])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_rows_without_biases_are_ridge_regressions(ratings, n_factors, exponent):
    model = ALS(
        n_factors=n_factors, biases=False, regularization=0.7, count_exponent=exponent, **RIDGE
    ).fit(ratings)
    scale = np.sqrt(np.mean(ratings.user_values.astype(float) ** 2))
    for user in range(30):
        items, values = rows_of(ratings, user)
        q = model.item_factors_[items]
        ridge = 0.7 * scale * len(items) ** exponent
        expected = np.linalg.solve(q.T @ q + ridge * np.eye(n_factors), q.T @ values)
        np.testing.assert_allclose(model.user_factors_[user], expected, rtol=1e-8)


def test_rows_with_biases_solve_both_at_once(ratings):
    model = ALS(n_factors=3, regularization=0.4, bias_regularization=0.9, **RIDGE).fit(ratings)
    scale = np.std(ratings.user_values.astype(float))
    for user in range(30):
        items, values = rows_of(ratings, user)
        x = np.column_stack([model.item_factors_[items], np.ones(len(items))])
        target = values - model.mean_ - model.item_biases_[items]
        penalty = np.diag([0.4 * scale] * 3 + [0.9]) * len(items) ** 0.5
        expected = np.linalg.solve(x.T @ x + penalty, x.T @ target)
        np.testing.assert_allclose(model.user_factors_[user], expected[:3], rtol=1e-7)
        assert model.user_biases_[user] == pytest.approx(expected[3], rel=1e-7)


def naive_objective(model, ratings):
    total = 0.0
    counts = np.zeros(ratings.n_users), np.zeros(ratings.n_items)
    weights = ratings.user_weights
    for entry, (u, i) in enumerate(zip(ratings.users, ratings.user_indices, strict=True)):
        w = 1.0 if weights is None else float(weights[entry])
        predicted = model.mean_ + model.user_factors_[u] @ model.item_factors_[i]
        predicted += model.user_biases_[u] + model.item_biases_[i]
        total += w * (ratings.user_values[entry] - predicted) ** 2
        counts[0][u] += w
        counts[1][i] += w
    sides = (model.user_factors_, model.user_biases_), (model.item_factors_, model.item_biases_)
    for n, (factors, biases) in zip(counts, sides, strict=True):
        size = n**model.count_exponent
        ridge = model.regularization * model.scale_
        total += np.sum(size * (ridge * (factors**2).sum(axis=1)))
        total += np.sum(size * model.bias_regularization * biases**2)
    return total


@pytest.mark.parametrize("weighted", [False, True])
def test_history_has_the_objective(ratings, weighted):
    if weighted:
        rng = np.random.default_rng(0)
        users, items, values = ratings.to_triples()
        weights = rng.uniform(0.5, 2, ratings.n_ratings)
        ratings = Ratings.from_triples(users, items, values, weights=weights)
    model = ALS(n_factors=3, **RIDGE | {"max_iter": 5}).fit(ratings)
    assert model.history_[-1].objective == pytest.approx(naive_objective(model, ratings), rel=1e-6)


@pytest.mark.parametrize("biases", [False, True])
def test_the_objective_never_rises(ratings, biases):
    model = ALS(n_factors=4, biases=biases, **RIDGE | {"max_iter": 40}).fit(ratings)
    assert (np.diff(model.history_.objectives) <= 1e-9).all()


def test_all_gradients_vanish_at_the_end(ratings):
    model = ALS(n_factors=2, **RIDGE | {"max_iter": 3000}).fit(ratings)
    start = naive_objective(model, ratings)
    rng = np.random.default_rng(0)
    step = 1e-4
    for array in (
        model.user_factors_,
        model.item_factors_,
        model.user_biases_,
        model.item_biases_,
    ):
        for place in rng.integers(array.size, size=4):
            array.flat[place] += step
            up = naive_objective(model, ratings)
            array.flat[place] -= 2 * step
            down = naive_objective(model, ratings)
            array.flat[place] += step
            assert abs(up - down) / (2 * step) < 1e-3
            assert min(up, down) > start - 1e-9


def test_a_weight_of_two_is_a_rating_given_twice():
    """Twice a rating is not possible in a matrix: two items with the same ratings stand in."""
    users, items, values = [0, 0, 1, 1, 2], [0, 1, 0, 1, 1], [5, 1, 4, 2, 3]
    heavy = Ratings.from_triples(users, items, values, shape=(3, 2), weights=[2, 1, 2, 1, 1])
    light = Ratings.from_triples(users, items, values, shape=(3, 2), weights=[4, 2, 4, 2, 2])
    plain = Ratings.from_triples(users, items, values, shape=(3, 2))
    parameters = {"n_factors": 1, "regularization": 0.3, "count_exponent": 1.0} | RIDGE
    same = [ALS(**parameters).fit(r).predict_all() for r in (heavy, light)]
    np.testing.assert_allclose(*same, rtol=1e-6)
    assert not np.allclose(same[0], ALS(**parameters).fit(plain).predict_all(), rtol=1e-3)


def test_conjugate_gradients_come_near_the_exact_solution(ratings):
    exact = ALS(n_factors=4, **RIDGE | {"max_iter": 60}).fit(ratings)
    inexact = ALS(n_factors=4, solver="cg", **RIDGE | {"max_iter": 60}).fit(ratings)
    assert inexact.history_[-1].objective == pytest.approx(exact.history_[-1].objective, rel=1e-3)
    np.testing.assert_allclose(inexact.predict_all(), exact.predict_all(), atol=0.05)


def test_auto_is_exact_for_few_factors_and_not_for_many(ratings):
    few = [ALS(n_factors=64, solver=s, **RIDGE).fit(ratings) for s in ("auto", "cholesky")]
    many = [ALS(n_factors=65, solver=s, **RIDGE).fit(ratings) for s in ("auto", "cg")]
    for one, other in (few, many):
        assert one.user_factors_.tobytes() == other.user_factors_.tobytes()


def test_no_regularization_and_few_ratings_give_finite_predictions():
    ratings = Ratings.from_triples([0, 0, 1], [0, 1, 0], [5, 1, 3], shape=(2, 2))
    for solver in ("cholesky", "cg"):
        model = ALS(
            n_factors=6, regularization=0, bias_regularization=0, solver=solver, random_state=0
        ).fit(ratings)
        assert np.isfinite(model.predict_all()).all()
        np.testing.assert_allclose(model.predict([0, 0, 1], [0, 1, 0]), [5, 1, 3], atol=0.05)


@pytest.mark.parametrize("scale", [1e-3, 1e3, 4096.0])
def test_the_scale_of_ratings_does_not_matter(ratings, scale):
    users, items, values = ratings.to_triples()
    scaled = Ratings.from_triples(users, items, values.astype(float) * scale, dtype=np.float64)
    parameters = {"n_factors": 3, "max_iter": 5, "random_state": 0, "dtype": np.float64}
    plain = ALS(**parameters).fit(ratings).predict_all()
    np.testing.assert_allclose(
        ALS(**parameters).fit(scaled).predict_all() / scale, plain, rtol=1e-5
    )


CHANGES = {
    "n_factors": 4,
    "regularization": 0.5,
    "bias_regularization": 0.1,
    "count_exponent": 1.0,
    "biases": False,
    "solver": "cg",
    "max_iter": 3,
    "random_state": 1,
    "dtype": np.float64,
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_parameter_changes_the_result(ratings, name):
    base = {"n_factors": 3, "max_iter": 5, "tol": 0.0, "random_state": 0}
    one, other = ALS(**base).fit(ratings), ALS(**base | {name: CHANGES[name]}).fit(ratings)
    assert not np.array_equal(one.predict_all(), other.predict_all())


def test_tol_patience_and_steps_change_the_result(ratings):
    base = {"n_factors": 3, "max_iter": 30, "random_state": 0}
    assert ALS(tol=0.1, **base).fit(ratings).n_iter_ < ALS(tol=1e-6, **base).fit(ratings).n_iter_
    lengths = [
        ALS(tol=0.0, patience=p, regularization=0.01, **base).fit(ratings, validation=0.3).n_iter_
        for p in (1, 8)
    ]
    assert lengths[0] < lengths[1]
    steps = [ALS(solver="cg", cg_steps=s, **base).fit(ratings).predict_all() for s in (1, 4)]
    assert not np.array_equal(*steps)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("solver", "svd", ValueError),
        ("cg_steps", 0, ValueError),
        ("count_exponent", -1, ValueError),
        ("bias_regularization", np.inf, ValueError),
        ("biases", None, TypeError),
    ],
)
def test_wrong_parameters(ratings, name, value, error):
    with pytest.raises(error, match=name):
        ALS(**{name: value}).fit(ratings)
