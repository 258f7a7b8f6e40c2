"""ImplicitALS.tune: what it tries, and that it takes the best."""

import numpy as np
import pytest

from matfact import ImplicitALS, make_ratings
from matfact.evaluation import evaluate_held_out, held_out_users


@pytest.fixture(scope="module")
def ratings():
    return make_ratings(150, 80, 3000, random_state=0)


@pytest.fixture(scope="module")
def result(ratings):
    return ImplicitALS.tune(
        ratings,
        unobserved_weights=[0.05, 0.5],
        regularizations=[0.1, 0.001],
        n_factors=4,
        max_factors=16,
        max_iter=3,
        users=0.2,
        k=5,
        random_state=3,
        alpha=0.5,
    )


def test_all_pairs_and_then_more_factors(result):
    tried = [tuple(trial.params.values()) for trial in result.trials]
    assert tried[:4] == [(4, 0.05, 0.1), (4, 0.05, 0.001), (4, 0.5, 0.1), (4, 0.5, 0.001)]
    first = max(result.trials[:4], key=lambda trial: trial.score).params
    steps = [first["regularization"] * step for step in (1 / 3, 1, 3)]
    assert tried[4:7] == [(8, first["unobserved_weight"], step) for step in steps]
    second = max(result.trials[4:7], key=lambda trial: trial.score).params
    steps = [second["regularization"] * step for step in (1 / 3, 1, 3)]
    assert tried[7:] == [(16, first["unobserved_weight"], step) for step in steps]


def test_weights_around_the_automatic_one(ratings):
    few = {"regularizations": 0.01, "n_factors": 4, "max_factors": 4, "max_iter": 1, "n_splits": 1}
    result = ImplicitALS.tune(ratings, alpha=0.5, **few)
    automatic = ImplicitALS(alpha=0.5, n_factors=2, max_iter=1).fit(ratings).unobserved_weight_
    tried = [trial.params["unobserved_weight"] for trial in result.trials]
    assert tried == pytest.approx([3 * automatic, automatic, automatic / 3])


def test_the_best_trial_is_taken(result, ratings):
    best = max(result.trials, key=lambda trial: trial.score)
    assert result.best_score == best.score
    assert result.best_params == best.params
    rng, scores = np.random.default_rng(3), []
    for _ in range(5):  # as there are few users
        parts = held_out_users(ratings, 0.2, random_state=rng)
        model = ImplicitALS(**best.params, alpha=0.5, max_iter=3, random_state=0).fit(parts.train)
        scores.append(evaluate_held_out(model, parts, k=5).scores["ndcg@5"])
    scores = np.concatenate(scores)
    assert scores.mean() == best.score
    assert scores.std(ddof=1) / np.sqrt(len(scores)) == best.standard_error
    assert result.model.get_params() == ImplicitALS(**best.params, alpha=0.5).get_params()


def test_users_are_held_out_as_often_as_wanted(ratings):
    grids = {
        "unobserved_weights": 0.1,
        "regularizations": 0.01,
        "n_factors": 8,
        "max_factors": 16,
        "max_iter": 2,
    }
    once, twice = (ImplicitALS.tune(ratings, **grids, n_splits=n) for n in (1, 2))
    assert once.best_score != twice.best_score
    with pytest.raises(ValueError, match="n_splits"):
        ImplicitALS.tune(ratings, **grids, n_splits=0)


def test_the_table_has_the_best_first(result):
    header, first, *others = str(result).splitlines()
    assert header.split() == ["NDCG", "+-", "parameters"]
    assert first.split()[0] == f"{result.best_score:.4f}"
    assert len(others) == len(result.trials) - 1


def test_the_number_of_threads_does_not_matter(ratings):
    grids = {
        "unobserved_weights": 0.1,
        "regularizations": np.array([0.01]),
        "n_factors": 8,
        "max_factors": 16,
    }
    one, two = (ImplicitALS.tune(ratings, **grids, n_threads=n) for n in (1, 2))
    assert one.trials == two.trials


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unobserved_weights": []}, "unobserved_weights is empty"),
        ({"regularizations": [0.1, -1]}, "regularizations is -1"),
        ({"n_factors": 0}, "n_factors is 0"),
        ({"n_factors": 8, "max_factors": 4}, "max_factors is 4"),
        ({"k": 0}, "k is 0"),
        ({"users": 150}, "users is 150"),
        ({"solver": "lu"}, "solver is 'lu'"),
    ],
)
def test_wrong_arguments(ratings, options, message):
    with pytest.raises(ValueError, match=message):
        ImplicitALS.tune(ratings, **options)
