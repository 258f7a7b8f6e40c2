"""Synthetic ratings: valid, reproducible, and with the structure that they promise."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matfact.evaluation import rmse
from matfact.ratings.baselines import fit_damped_means
from matfact.ratings.synthetic import DENSEST, synthetic_ratings


@settings(deadline=None)
@given(
    n_users=st.integers(1, 40),
    n_items=st.integers(1, 40),
    share=st.floats(0, 1),
    rank=st.integers(0, 3),
    step=st.sampled_from([0.5, 1.0]),
)
def test_the_table_is_valid(n_users, n_items, share, rank, step):
    most = max(1, int(DENSEST * n_users * n_items))
    n_ratings = max(1, int(share * most))
    table = synthetic_ratings(n_users, n_items, n_ratings, rank=rank, step=step)
    assert table.shape == (n_users, n_items)
    assert len(table.users) == len(table.items) == table.n_ratings == n_ratings
    assert (table.users.min(), table.items.min()) >= (0, 0)
    assert table.users.max() < n_users
    assert table.items.max() < n_items
    assert len(set(zip(table.users.tolist(), table.items.tolist(), strict=True))) == n_ratings
    assert table.values.min() >= 1.0
    assert table.values.max() <= 5.0
    assert (table.values % step == 0).all()


def test_the_seed_decides():
    first, again, other = (synthetic_ratings(random_state=seed) for seed in (0, 0, 1))
    assert first.values.tolist() == again.values.tolist()
    assert first.users.tolist() == again.users.tolist()
    assert first.values.tolist() != other.values.tolist()


def test_a_generator_is_used_as_it_is():
    tables = [synthetic_ratings(random_state=np.random.default_rng(7)) for _ in range(2)]
    assert tables[0].values.tolist() == tables[1].values.tolist()
    assert tables[0].values.tolist() == synthetic_ratings(random_state=7).values.tolist()


def test_the_global_random_state_is_left_alone():
    np.random.seed(3)
    synthetic_ratings(20, 20, 50)
    assert np.random.random_sample() == np.random.RandomState(3).random_sample()


def test_popularity_has_a_long_tail_in_no_order():
    table = synthetic_ratings()
    counts = np.bincount(table.items, minlength=table.shape[1])
    ranked = np.sort(counts)[::-1]
    assert ranked[:50].sum() > 0.25 * table.n_ratings  # a tenth of the items
    assert abs(np.corrcoef(np.arange(len(counts)), counts)[0, 1]) < 0.2


def test_half_stars_occur():
    table = synthetic_ratings(step=0.5)
    assert set(np.unique(table.values)) == set(np.arange(1.0, 5.5, 0.5))


def test_offsets_explain_part_and_factors_more():
    def error_of_means(rank, noise):
        table = synthetic_ratings(rank=rank, noise=noise, step=0.5)
        means = fit_damped_means(table.users, table.items, table.values, table.shape)
        return table.values.std(), rmse(table.values, means.predict(table.users, table.items))

    spread, error = error_of_means(rank=0, noise=0.1)
    assert error < 0.5 * spread
    _, error_with_factors = error_of_means(rank=4, noise=0.1)
    assert error_with_factors > 1.5 * error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_users": 0}, "n_users is 0; it must be at least 1"),
        ({"n_items": -1}, "n_items is -1; it must be at least 1"),
        ({"n_ratings": 0}, "n_ratings is 0; it must be at least 1"),
        ({"n_users": 10, "n_items": 10, "n_ratings": 41}, "10 x 10 cells allow at most 40 (40%)"),
        ({"rank": -1}, "rank is -1; it must not be negative"),
        ({"noise": -0.1}, "noise is -0.1; give a number >= 0"),
        ({"noise": float("nan")}, "noise is nan; give a number >= 0"),
        ({"step": 0.1}, "step is 0.1; give 1.0 (whole stars) or 0.5 (half stars)"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        synthetic_ratings(**arguments)
