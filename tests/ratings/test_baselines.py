"""Damped means: the solution of their equations, and what happens at the edges."""

import numpy as np
import pytest

from matfact.ratings.baselines import fit_damped_means
from matfact.ratings.synthetic import make_ratings


def small_ratings():
    return make_ratings(30, 25, 200, random_state=1, dtype=np.float64)


def fit(ratings, **options):
    users, items, values = ratings.users, ratings.user_indices, ratings.user_values
    return fit_damped_means(users, items, values, ratings.shape, **options)


def exact_offsets(ratings, damping):
    """Solve the damped least squares problem as one dense linear system."""
    n_users, n_items = ratings.shape
    design = np.zeros((ratings.n_ratings, n_users + n_items))
    design[np.arange(ratings.n_ratings), ratings.users] = 1.0
    design[np.arange(ratings.n_ratings), n_users + ratings.user_indices] = 1.0
    centred = ratings.user_values - ratings.mean
    gram = design.T @ design + damping * np.eye(n_users + n_items)
    return np.split(np.linalg.solve(gram, design.T @ centred), [n_users])


@pytest.mark.parametrize("damping", [2.0, 5.0, 50.0])
def test_the_offsets_solve_the_least_squares_problem(damping):
    ratings = small_ratings()
    means = fit(ratings, damping=damping)
    user_offsets, item_offsets = exact_offsets(ratings, damping)
    assert means.global_mean == pytest.approx(ratings.mean)
    np.testing.assert_allclose(means.user_offsets, user_offsets, atol=2e-3)
    np.testing.assert_allclose(means.item_offsets, item_offsets, atol=2e-3)


def test_predictions_add_mean_and_offsets():
    means = fit(small_ratings())
    predicted = means.predict(np.array([3, 4]), np.array([7, 7]))
    expected = means.global_mean + means.user_offsets[[3, 4]] + means.item_offsets[7]
    assert predicted.tolist() == expected.tolist()


def test_one_rating_moves_an_offset_little_and_many_move_it_far():
    users = np.array([0] * 50 + [1] * 50 + [2])
    items = np.arange(101)
    values = np.array([1.0] * 50 + [5.0] * 50 + [5.0])
    means = fit_damped_means(users, items, values, (3, 101))
    assert means.user_offsets[1] > 4 * means.user_offsets[2] > 0


def test_users_and_items_without_ratings_get_no_offset():
    table = [np.array([0, 0]), np.array([0, 2]), np.array([1.0, 3.0])]
    for damping in (0.0, 5.0):
        means = fit_damped_means(*table, (2, 3), damping=damping)
        assert means.user_offsets[1] == 0.0
        assert means.item_offsets[1] == 0.0


def test_equal_ratings_leave_no_offsets():
    means = fit_damped_means(np.array([0, 1]), np.array([0, 0]), np.array([4.0, 4.0]), (2, 1))
    assert means.global_mean == 4.0
    assert not means.user_offsets.any()
    assert not means.item_offsets.any()


def test_integer_ratings_are_fine_and_inputs_are_left_alone():
    users, items, values = np.array([0, 1]), np.array([1, 0]), np.array([2, 5])
    fit_damped_means(users, items, values, (2, 2))
    assert (users.tolist(), items.tolist(), values.tolist()) == ([0, 1], [1, 0], [2, 5])


def test_no_ratings():
    nothing = np.array([], dtype=np.int64)
    with pytest.raises(ValueError, match="values is empty; means need at least 1 rating"):
        fit_damped_means(nothing, nothing, nothing, (2, 2))


@pytest.mark.parametrize("damping", [-1.0, float("inf"), float("nan")])
def test_damping_out_of_range(damping):
    with pytest.raises(ValueError, match=f"damping is {damping}; give a number >= 0"):
        fit(small_ratings(), damping=damping)
