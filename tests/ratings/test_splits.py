"""Random splits: every rating in one part, the sizes asked for, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matfact.ratings.splits import random_split

SHARES = st.floats(0, 1, exclude_max=True)


def split_of(n_ratings, test=0.1, validation=0.1, seed=0):
    rng = np.random.default_rng(seed)
    return random_split(n_ratings, test=test, validation=validation, rng=rng)


@given(n_ratings=st.integers(1, 300), test=SHARES, validation=SHARES)
def test_every_rating_is_in_exactly_one_part(n_ratings, test, validation):
    split = split_of(n_ratings, test, validation)
    parts = [split.train, split.validation, split.test]
    assert np.sort(np.concatenate(parts)).tolist() == list(range(n_ratings))
    assert all((np.diff(part) > 0).all() for part in parts)
    assert len(split.train) > 0


@pytest.mark.parametrize(
    ("n_ratings", "test", "validation", "sizes"),
    [
        (100_000, 0.1, 0.1, (81_000, 9_000, 10_000)),
        (10, 0.0, 0.0, (10, 0, 0)),
        (10, 0.3, 0.0, (7, 0, 3)),
        (2, 0.0, 0.01, (1, 1, 0)),  # a validation part is asked for, so there is one
        (2, 0.99, 0.5, (1, 0, 1)),  # a training part comes first
        (1, 0.99, 0.99, (1, 0, 0)),
    ],
)
def test_sizes(n_ratings, test, validation, sizes):
    split = split_of(n_ratings, test, validation)
    assert (len(split.train), len(split.validation), len(split.test)) == sizes


def test_the_seed_decides():
    assert split_of(100).test.tolist() == split_of(100).test.tolist()
    assert split_of(100).test.tolist() != split_of(100, seed=1).test.tolist()


def test_the_test_part_does_not_depend_on_the_validation_share():
    assert split_of(100).test.tolist() == split_of(100, validation=0.5).test.tolist()


def test_every_rating_has_the_same_chance():
    counts = np.zeros(20)
    for seed in range(2000):
        counts[split_of(20, test=0.25, seed=seed).test] += 1
    assert abs(counts / 2000 - 0.25).max() < 0.05


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0, float("nan")])
@pytest.mark.parametrize("name", ["test", "validation"])
def test_shares_out_of_range(name, share):
    with pytest.raises(ValueError, match=f"{name} is {share}; give a share of the ratings, 0 <= "):
        split_of(10, **{name: share})


def test_no_ratings():
    with pytest.raises(ValueError, match="n_ratings is 0; a split needs at least 1 rating"):
        split_of(0)
