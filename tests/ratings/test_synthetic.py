"""Synthetic ratings: valid, reproducible, and with the structure that they promise."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matfact import make_ratings
from matfact.evaluation import rmse
from matfact.ratings.baselines import fit_damped_means


@settings(deadline=None, max_examples=50)
@given(
    n_users=st.integers(1, 40),
    n_items=st.integers(1, 40),
    share=st.floats(0, 1),
    n_factors=st.integers(0, 3),
    exponent=st.sampled_from([0.0, 0.9, 4.0]),
    step=st.sampled_from([0.5, 1.0]),
)
def test_the_ratings_are_valid(n_users, n_items, share, n_factors, exponent, step):
    n_ratings = max(1, int(share * n_users * n_items))
    ratings = make_ratings(
        n_users, n_items, n_ratings, n_factors=n_factors, item_exponent=exponent, step=step
    )
    assert ratings.shape == (n_users, n_items)
    assert ratings.n_ratings == n_ratings
    cells = ratings.users.astype(np.int64) * n_items + ratings.user_indices
    assert (np.diff(cells) > 0).all()
    assert 0 <= cells[0] <= cells[-1] < n_users * n_items
    assert ratings.user_values.min() >= 1.0
    assert ratings.user_values.max() <= 5.0
    assert (ratings.user_values % step == 0).all()


@pytest.mark.parametrize("dense", [False, True])
def test_the_seed_decides(dense):
    n_ratings = 1500 if dense else 300
    first, again, other = (make_ratings(50, 40, n_ratings, random_state=seed) for seed in (0, 0, 1))
    for name in ("user_indptr", "user_indices", "user_values"):
        assert getattr(first, name).tolist() == getattr(again, name).tolist()
        assert getattr(first, name).tolist() != getattr(other, name).tolist()


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_a_generator_is_used_as_it_is(make):
    generator = make(7)
    first, second = (make_ratings(50, 40, 300, random_state=generator) for _ in range(2))
    again = make_ratings(50, 40, 300, random_state=make(7))
    assert first.user_values.tolist() == again.user_values.tolist()
    assert first.user_values.tolist() != second.user_values.tolist()


def test_the_global_random_state_is_left_alone():
    np.random.seed(3)
    make_ratings(20, 20, 50)
    assert np.random.random_sample() == np.random.RandomState(3).random_sample()


def test_popularity_has_a_long_tail_in_no_order():
    ratings = make_ratings()
    counts = np.diff(ratings.item_indptr)
    ranked = np.sort(counts)[::-1]
    assert ranked[:50].sum() > 0.25 * ratings.n_ratings  # a tenth of the items
    assert abs(np.corrcoef(np.arange(len(counts)), counts)[0, 1]) < 0.2


def test_an_exponent_of_zero_draws_all_alike():
    ratings = make_ratings(100, 100, 2000, user_exponent=0, item_exponent=0)
    for indptr in (ratings.user_indptr, ratings.item_indptr):
        assert np.diff(indptr).max() < 45  # 20 are expected


def test_half_stars_and_ratings_without_steps_or_limits():
    assert set(np.unique(make_ratings(step=0.5).user_values)) == set(np.arange(1.0, 5.5, 0.5))
    values = make_ratings(step=None, scale=None, dtype=np.float64).user_values
    assert len(np.unique(values)) == len(values)
    assert values.min() < 1.0
    assert values.max() > 5.0


def test_offsets_explain_part_and_factors_more():
    def error_of_means(n_factors, noise):
        ratings = make_ratings(n_factors=n_factors, noise=noise, step=0.5)
        users, items, values = ratings.to_triples()
        means = fit_damped_means(users, items, values.astype(float), ratings.shape)
        return values.std(), rmse(values.astype(float), means.predict(users, items))

    spread, error = error_of_means(n_factors=0, noise=0.1)
    assert error < 0.5 * spread
    _, error_with_factors = error_of_means(n_factors=4, noise=0.1)
    assert error_with_factors > 1.5 * error


def test_the_planted_factors_have_their_rank():
    ratings = make_ratings(60, 50, 3000, n_factors=3, noise=0, step=None, scale=None, dtype=float)
    matrix = ratings.to_triples()[2].reshape(60, 50)
    singular = np.linalg.svd(matrix, compute_uv=False)
    assert singular[4] > 1e-3  # 3 factors, and two for mean and offsets
    assert singular[5] < 1e-9 * singular[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_users": 0}, ValueError, "n_users is 0; give an integer of at least 1"),
        ({"n_items": -1}, ValueError, "n_items is -1; give an integer of at least 1"),
        ({"n_ratings": 0}, ValueError, "n_ratings is 0; give an integer of at least 1"),
        ({"n_ratings": 1.5}, TypeError, "n_ratings must be an integer, not float 1.5"),
        (
            {"n_users": 10, "n_items": 10, "n_ratings": 101},
            ValueError,
            "n_ratings is 101; 10 x 10 have 100 pairs",
        ),
        ({"n_factors": -1}, ValueError, "n_factors is -1; give an integer of at least 0"),
        ({"noise": -0.1}, ValueError, "noise is -0.1; give a finite number of at least 0"),
        ({"noise": float("nan")}, ValueError, "noise is nan; give a finite number"),
        ({"step": 0}, ValueError, "step is 0.0; give a finite number above 0"),
        ({"scale": (5, 1)}, ValueError, "scale is (5, 1); give the lowest and the highest"),
        ({"dtype": int}, TypeError, "dtype is int64; give float32 or float64"),
    ],
)
def test_arguments_out_of_range(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make_ratings(**arguments)
