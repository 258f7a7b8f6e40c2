"""Training with a validation error: which iterate is kept, when it stops, what divergence does."""

import numpy as np
import pytest

from matfact.exceptions import DivergenceError
from matfact.ratings import Ratings
from matfact.training.early_stopping import BestIterate, train_with_validation
from matfact.training.gradient_descent import ObservedProblem


def make_problem():
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((12, 10)) < 0.5)
    ratings = Ratings.from_triples(
        users, items, rng.random(len(users)), shape=(12, 10), dtype=np.float64
    )
    return ObservedProblem(ratings), rng.random((12, 3)), rng.random((3, 10))


def train(errors, *, n_iterations=20, patience=3, learning_rate=0.1):
    """Train while the validation error takes the given values; the first is that of the start."""
    problem, users, items = make_problem()
    remaining, seen = iter(errors), []
    best = train_with_validation(
        problem,
        users,
        items,
        learning_rate=learning_rate,
        n_iterations=n_iterations,
        patience=patience,
        n_threads=1,
        validation_error=lambda: next(remaining),
        after_iteration=seen.append,
    )
    return best, seen, users, items


def factors_after(n_iterations, learning_rate=0.1):
    problem, users, items = make_problem()
    problem.iterate(users, items, learning_rate, n_iterations, 1)
    return users, items


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([9, 8, 7, 7, 7, 7], BestIterate(2, 7, 5)),  # an equal error is no improvement
        ([9, 10, 8, 9, 9, 7, 9, 9, 9], BestIterate(5, 7, 8)),
        ([1, 2, 3, 4], BestIterate(0, 1, 3)),
    ],
)
def test_the_best_iterate_is_kept(errors, expected):
    best, seen, users, items = train(errors)
    assert best == expected
    assert seen == errors[1:]
    expected_users, expected_items = factors_after(expected.iteration)
    np.testing.assert_allclose(users, expected_users, rtol=1e-12)
    np.testing.assert_allclose(items, expected_items, rtol=1e-12)


def test_the_number_of_iterations_is_a_limit():
    best, _, _, _ = train([9, 8, 7, 6], n_iterations=3)
    assert best == BestIterate(3, 6, 3)


def test_no_iterations():
    best, seen, users, _ = train([9], n_iterations=0)
    assert best == BestIterate(0, 9, 0)
    assert seen == []
    np.testing.assert_array_equal(users, factors_after(0)[0])


@pytest.mark.usefixtures("backend")
def test_divergence_counts_from_the_start():
    with pytest.raises(DivergenceError, match=r"in iteration \d+: a value is not finite") as caught:
        train([1] * 1000, n_iterations=900, patience=1000, learning_rate=1e6)
    assert caught.value.epoch > 0
    assert caught.value.learning_rate == 1e6


@pytest.mark.parametrize("error", [float("nan"), float("inf")])
def test_a_validation_error_that_is_not_finite(error):
    with pytest.raises(DivergenceError, match="in iteration 2: "):
        train([9, 8, error])
