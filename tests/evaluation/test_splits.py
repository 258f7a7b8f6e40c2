"""Splits: which rating is where, the sizes asked for, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matfact import Ratings
from matfact.evaluation import (
    Folds,
    given_folds,
    leave_k_out,
    random_folds,
    random_split,
    temporal_split,
    user_folds,
)


def ratings_of(counts, n_items=12, seed=0, timestamps=True):
    """Ratings of users that have so many each; the value of a rating is its position."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(len(counts)), counts)
    items = np.concatenate([np.sort(rng.permutation(n_items)[:n]) for n in counts] or [[]])
    n = len(users)
    return Ratings.from_triples(
        users,
        items.astype(int),
        np.arange(n),
        shape=(len(counts), n_items),
        weights=np.arange(n) + 0.5,
        timestamps=rng.integers(0, 6, n) if timestamps else None,
    )


RATINGS = st.lists(st.integers(0, 12), min_size=1, max_size=20).filter(lambda c: sum(c) > 5)
SOME = ratings_of([0, 1, 2, 12, 5, 9])


def assert_parts(ratings, *pairs):
    """Each pair is the whole in two parts; over all pairs each rating is tested once."""
    for train, test in pairs:
        assert train.shape == test.shape == ratings.shape
        assert train.user_ids is test.user_ids is ratings.user_ids
        both = np.sort(np.concatenate([train.user_values, test.user_values]))
        assert both.tolist() == list(range(ratings.n_ratings))
        for part in (train, test):  # the columns go together
            places = part.user_values.astype(int)
            assert (part.users == ratings.users[places]).all()
            assert (part.user_indices == ratings.user_indices[places]).all()
            assert (part.user_weights == ratings.user_weights[places]).all()
    if len(pairs) > 1:
        tested = np.sort(np.concatenate([test.user_values for _, test in pairs]))
        assert tested.tolist() == list(range(ratings.n_ratings))


@given(RATINGS, st.floats(0.2, 0.8), st.integers(0, 99))
def test_random_split(counts, share, seed):
    ratings = ratings_of(counts)
    train, test = random_split(ratings, share, random_state=seed)
    assert_parts(ratings, (train, test))
    assert test.n_ratings == round(share * ratings.n_ratings)


@given(RATINGS, st.integers(2, 6), st.integers(0, 99))
def test_random_folds(counts, n_folds, seed):
    ratings = ratings_of(counts)
    folds = random_folds(ratings, n_folds, random_state=seed)
    assert len(folds) == n_folds
    assert_parts(ratings, *folds)
    sizes = np.bincount(folds.numbers)
    assert sizes.max() - sizes.min() <= 1


@given(RATINGS, st.integers(2, 6), st.integers(0, 99))
def test_user_folds(counts, n_folds, seed):
    ratings = ratings_of(counts)
    folds = user_folds(ratings, n_folds, random_state=seed)
    assert_parts(ratings, *folds)
    sizes = np.bincount(folds.numbers)
    assert sizes.max() - sizes.min() <= 1
    for user in range(ratings.n_users):
        of_user = np.bincount(folds.numbers[ratings.users == user], minlength=n_folds)
        assert of_user.max() - of_user.min() <= 1


@given(RATINGS.filter(lambda c: max(c) > 3), st.integers(1, 3), st.integers(0, 99))
def test_leave_k_out(counts, k, seed):
    ratings = ratings_of(counts)
    train, test = leave_k_out(ratings, k, random_state=seed)
    assert_parts(ratings, (train, test))
    expected = [k if count > k else 0 for count in counts]
    assert np.diff(test.user_indptr).tolist() == expected


@given(RATINGS, st.floats(0.2, 0.8))
def test_temporal_split(counts, share):
    ratings = ratings_of(counts)
    train, test = temporal_split(ratings, share)
    assert_parts(ratings, (train, test))
    assert test.n_ratings == round(share * ratings.n_ratings)
    last, first = train.timestamps.max(), test.timestamps.min()
    assert last <= first
    # Of the ratings at the border the later positions are tested.
    if last == first:
        in_train = train.user_values[train.timestamps == last]
        assert in_train.max() < test.user_values[test.timestamps == first].min()


@given(RATINGS.filter(lambda c: max(c) > 3), st.integers(1, 3))
def test_the_latest_of_each_user(counts, k):
    ratings = ratings_of(counts)
    train, test = temporal_split(ratings, last_per_user=k)
    assert_parts(ratings, (train, test))
    assert np.diff(test.user_indptr).tolist() == [k if count > k else 0 for count in counts]
    for user in np.unique(test.users):
        key_train = list(zip(*(getattr(train, n)[train.users == user] for n in KEY), strict=True))
        key_test = list(zip(*(getattr(test, n)[test.users == user] for n in KEY), strict=True))
        assert max(key_train) < min(key_test)


KEY = ("timestamps", "user_values")


def test_times_may_be_dates():
    times = np.array(["2020-01-03", "2020-01-01", "2020-01-02"], dtype="M8[D]")
    ratings = Ratings.from_triples([1, 1, 2], [1, 2, 1], [1, 2, 3], timestamps=times)
    _, test = temporal_split(ratings, 0.3)
    assert test.user_values.tolist() == [1]


@pytest.mark.parametrize(
    "split",
    [
        lambda seed: [random_split(SOME, 0.3, random_state=seed)],
        lambda seed: list(random_folds(SOME, 3, random_state=seed)),
        lambda seed: list(user_folds(SOME, 3, random_state=seed)),
        lambda seed: [leave_k_out(SOME, 2, random_state=seed)],
    ],
)
def test_the_seed_decides(split):
    def tested(seed):
        return [test.user_values.tolist() for _, test in split(seed)]

    assert tested(1) == tested(1)
    assert tested(1) != tested(2)
    generators = np.random.default_rng(1), np.random.default_rng(1)
    assert tested(generators[0]) == tested(generators[1])
    states = np.random.RandomState(1), np.random.RandomState(1)
    assert tested(states[0]) == tested(states[1])
    np.random.seed(3)
    first = tested(None)
    np.random.seed(3)
    assert tested(None) == first


def test_folds_are_a_sequence():
    folds = random_folds(SOME, 3, random_state=0)
    assert len(folds) == 3
    assert repr(folds) == f"<Folds: 3 of {SOME!r}>"
    assert [t.n_ratings for _, t in folds] == [t.n_ratings for _, t in folds]
    assert folds[-1][1].user_values.tolist() == folds[2][1].user_values.tolist()
    assert len(folds[1:]) == 2
    with pytest.raises(IndexError):
        folds[3]
    with pytest.raises(ValueError, match="read-only"):
        folds.numbers[0] = 1


def test_given_folds_follow_their_ratings():
    users = np.array(["eve", "ann", "bob", "ann", "eve"])
    items = np.array([5, 7, 5, 5, 7])
    values = np.array([1.0, 2, 3, 4, 5])
    labels = np.array(["u2", "u1", "u1", "u2", "u2"])
    folds = given_folds(users, items, values, labels, timestamps=values.astype(int))
    found = [{(u, i, v) for u, i, v in zip(*test.to_triples(), strict=True)} for _, test in folds]
    assert found == [
        {("ann", 7, 2.0), ("bob", 5, 3.0)},
        {("eve", 5, 1.0), ("ann", 5, 4.0), ("eve", 7, 5.0)},
    ]
    assert (folds.ratings.timestamps == folds.ratings.user_values).all()


def test_given_folds_of_positions():
    folds = given_folds([3, 0], [0, 1], [1.0, 2.0], [0, 1], shape=(4, 2), dtype=np.float64)
    assert folds.ratings.shape == (4, 2)
    assert folds.ratings.dtype == np.float64
    assert [test.user_values.tolist() for _, test in folds] == [[1.0], [2.0]]


def few():
    return Ratings.from_triples([0, 1], [0, 1], [1, 2])


def with_folds(folds):
    return lambda: given_folds([1, 2], [1, 2], [3, 4], folds)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: random_folds(few(), 3), ValueError, "n_folds is 3, more than the 2 ratings"),
        (lambda: user_folds(few(), 3), ValueError, "n_folds is 3, more than the 2 ratings"),
        (lambda: random_folds(SOME, 1), ValueError, "n_folds is 1; give an integer of at least 2"),
        (lambda: random_folds(SOME, 2.5), TypeError, "n_folds must be an integer"),
        (lambda: random_split(few(), 0.1), ValueError, "test is 0.1 of 2 ratings, which leaves a"),
        (lambda: random_split(SOME, 1.0), ValueError, "test is 1.0; give a share"),
        (lambda: random_split(SOME, 0), ValueError, "test is 0.0; give a finite number above 0"),
        (lambda: random_split(SOME, "x"), TypeError, "test must be a number"),
        (lambda: random_split(np.eye(3)), TypeError, "ratings must be Ratings, not ndarray"),
        (lambda: random_split(SOME, random_state="x"), TypeError, "random_state must be"),
        (lambda: leave_k_out(SOME, 0), ValueError, "k is 0; give an integer of at least 1"),
        (lambda: leave_k_out(SOME, 12), ValueError, "k is 12 and no user has more than 12 ratings"),
        (lambda: temporal_split(few()), ValueError, "the ratings have no timestamps; build them"),
        (
            lambda: temporal_split(SOME, last_per_user=20),
            ValueError,
            "last_per_user is 20 and no user has more than 12",
        ),
        (with_folds([1, 1]), ValueError, "folds has only the fold"),
        (with_folds([1]), ValueError, r"folds has shape \(1,\); give one for each of the 2"),
        (with_folds([0.5, 1.5]), TypeError, "folds has dtype float64; give integers or text"),
        (lambda: Folds(SOME, np.zeros(29)), TypeError, "numbers has dtype float64"),
        (lambda: Folds(SOME, np.zeros(3, int)), ValueError, r"numbers has shape \(3,\)"),
        (lambda: Folds(SOME, np.full(29, -1)), ValueError, r"numbers\[0\] is -1"),
        (lambda: Folds(SOME, np.zeros(29, int)), ValueError, "fold 1 is empty"),
        (lambda: Folds(SOME, np.arange(29) % 2 * 2), ValueError, "fold 1 is empty"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
