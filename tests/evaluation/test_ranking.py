"""Protocols of ranking evaluation, against lists that are asked for one user at a time."""

import numpy as np
import pytest

from matfact import ALS, ImplicitALS, Ratings, make_ratings
from matfact.evaluation import (
    evaluate_held_out,
    evaluate_ranking,
    evaluate_sampled,
    held_out_users,
    leave_k_out,
    random_split,
    temporal_split,
)
from matfact.exceptions import NotFittedError, SampledMetricWarning


@pytest.fixture(scope="module")
def ratings():
    return make_ratings(80, 50, 1500, random_state=0)


@pytest.fixture(scope="module")
def split(ratings):
    return random_split(ratings, 0.3, random_state=0)


@pytest.fixture(scope="module")
def model(split):
    return ImplicitALS(n_factors=6, random_state=0).fit(split[0])


def recalls(model, test, k, least=None):
    """Recall of each user with relevant items, by lists of one user after the other."""
    out = {}
    for user in range(test.n_users):
        own = test.users == user
        liked = own & (test.user_values > 0 if least is None else test.user_values >= least)
        relevant = test.item_ids.ids_of(test.user_indices[liked]).tolist()
        if relevant:
            name = test.user_ids.ids_of([user])[0]
            listed = model.recommend(name, k)[0].tolist()
            out[name] = len({*listed} & {*relevant}) / len(relevant)
    return out


@pytest.mark.parametrize("least", [None, 4])
def test_held_out_ratings(model, split, least):
    found = evaluate_ranking(model, split[1], k=(5, 10), at_least=least)
    for k in (5, 10):
        expected = recalls(model, split[1], k, least)
        assert found.users.tolist() == list(expected)
        np.testing.assert_allclose(found.scores[f"recall@{k}"], list(expected.values()))
    n_users = np.count_nonzero(np.diff(split[1].user_indptr))
    assert found.n_without == n_users - len(found.users)


def test_blocks_change_nothing(model, split, monkeypatch):
    whole = evaluate_ranking(model, split[1])
    monkeypatch.setattr("matfact.evaluation.ranking.BLOCK_USERS", 7)
    assert evaluate_ranking(model, split[1]).to_dict() == whole.to_dict()


def test_unknown_users_are_left_out_and_unknown_items_are_missed():
    train = Ratings.from_triples(["a", "a", "b", "b"], ["x", "y", "y", "z"], [1, 1, 1, 1])
    model = ImplicitALS(n_factors=2, random_state=0).fit(train)
    test = Ratings.from_triples(["a", "a", "new"], ["z", "unheard of", "x"], [1, 1, 1])
    found = evaluate_ranking(model, test, k=3)
    assert found.users.tolist() == ["a"]
    assert found.n_without == 1
    assert found.mean("recall@3") == 0.5
    assert found.mean("hit_rate@3") == 1


def test_nobody_is_left(model):
    strangers = Ratings.from_triples(["x"], [0], [1])
    found = evaluate_ranking(model, strangers)
    assert (len(found.users), found.n_without, found.mean("ndcg@10")) == (0, 1, 0)


def test_candidates_and_seen_items(model, split):
    some = evaluate_ranking(model, split[1], k=50, candidates=[1, 2, 3])
    assert some.coverage[50] <= 3 / 50
    seen_too = evaluate_ranking(model, split[1], k=50, exclude_seen=False)
    assert seen_too.mean("recall@50") == 1  # the whole catalogue
    assert seen_too.mean("precision@50") == evaluate_ranking(model, split[1], k=50).mean(
        "precision@50"
    )


@pytest.mark.parametrize("new", [lambda: ALS(n_factors=3, random_state=0), ImplicitALS])
def test_the_splits_of_ratings(new, ratings):
    timed = Ratings.from_triples(*ratings.to_triples(), timestamps=np.arange(1500)[::-1])
    for train, test in (
        leave_k_out(ratings, random_state=0),
        leave_k_out(ratings, 3, random_state=0),
        temporal_split(timed, last_per_user=1),
        temporal_split(timed, 0.1),
    ):
        found = evaluate_ranking(new().fit(train), test)
        assert 0 < found.mean("ndcg@10") < 1


def test_users_held_out(ratings):
    parts = held_out_users(ratings, 20, fold_in=0.75, random_state=0)
    assert parts.given.n_users == parts.hidden.n_users == 20
    assert parts.given.user_ids == parts.hidden.user_ids
    held = parts.given.user_ids.ids
    counts = np.diff(ratings.user_indptr)
    assert not np.diff(parts.train.user_indptr)[held].any()
    assert parts.train.n_ratings == 1500 - counts[held].sum()
    given, hidden = (np.diff(part.user_indptr) for part in (parts.given, parts.hidden))
    assert (given + hidden == counts[held]).all()
    assert (given == np.clip(np.round(0.75 * counts[held]), 1, counts[held] - 1)).all()
    pairs = [
        {*zip(*(column.tolist() for column in part.to_triples()[:2]), strict=True)}
        for part in (parts.train, parts.given, parts.hidden)
    ]
    assert sum(map(len, pairs)) == len(set.union(*pairs)) == 1500
    again = held_out_users(ratings, 0.25, fold_in=0.75, random_state=0)
    assert again.given.user_ids == parts.given.user_ids
    other = held_out_users(ratings, 20, random_state=1)
    assert other.given.user_ids != parts.given.user_ids


def test_lists_for_held_out_users(ratings):
    parts = held_out_users(ratings, 20, random_state=0)
    model = ImplicitALS(n_factors=6, random_state=0).fit(parts.train)
    found = evaluate_held_out(model, parts, k=(5, 8))
    lists = model.recommend_new(parts.given, 8)
    for place, user in enumerate(parts.given.user_ids.ids.tolist()):
        hidden = parts.hidden.user_indices[slice(*parts.hidden.user_indptr[place : place + 2])]
        listed = lists[place][1]
        expected = len(np.intersect1d(listed, hidden)) / min(8, len(hidden))
        assert found.scores["capped_recall@8"][place] == pytest.approx(expected)
        assert found.users[place] == user
    with_threshold = evaluate_held_out(model, parts, at_least=4.5)
    assert len(with_threshold.users) + with_threshold.n_without == 20


def test_sampled_metrics_warn_and_look_better_than_they_are(model, split):
    with pytest.warns(SampledMetricWarning, match="use evaluate_ranking"):
        few = evaluate_sampled(model, split[1], n_negatives=5, random_state=0)
    with pytest.warns(SampledMetricWarning):
        again = evaluate_sampled(model, split[1], n_negatives=5, random_state=0)
    with pytest.warns(SampledMetricWarning):
        everything = evaluate_sampled(model, split[1], n_negatives=1000, random_state=0)
    exact = evaluate_ranking(model, split[1])
    assert few.to_dict() == again.to_dict()
    assert few.mean("ndcg@10") > exact.mean("ndcg@10")
    np.testing.assert_allclose(everything.scores["ndcg@10"], exact.scores["ndcg@10"])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m, r: evaluate_ranking(m, r.to_scipy()), TypeError, "ratings must be Ratings"),
        (lambda m, r: evaluate_ranking(m, r, k=0), ValueError, "k is 0"),
        (lambda m, r: evaluate_ranking(m, r, at_least="4"), TypeError, "at_least is '4'"),
        (lambda m, r: evaluate_sampled(m, r, n_negatives=0), ValueError, "n_negatives is 0"),
        (evaluate_held_out, TypeError, "give what held_out_users returns"),
        (lambda m, r: held_out_users(r, 80), ValueError, "users is 80"),
        (lambda m, r: held_out_users(r, 1.5), ValueError, "users is 1.5"),
        (lambda m, r: held_out_users(r, 0), ValueError, "users is 0"),
        (lambda m, r: held_out_users(r, fold_in=1.0), ValueError, "fold_in is 1.0"),
    ],
)
def test_wrong_arguments(model, ratings, call, error, message):
    with pytest.raises(error, match=message):
        call(model, ratings)


def liked(users, items, values=None, **given):
    return Ratings.from_triples(users, items, values or [1.0] * len(users), **given)


def test_pairs_with_an_unknown_item_are_not_in_order():
    model = ImplicitALS(n_factors=2, random_state=0).fit(liked([0, 0, 0, 1, 1], [0, 1, 2, 3, 4]))
    test = liked([0] * 4, [0, 1, 2, 99])
    scores = evaluate_ranking(model, test, exclude_seen=False)
    top = list(model.recommend(0, 5, exclude_seen=False)[0])
    in_order = sum(top.index(item) < top.index(other) for item in (0, 1, 2) for other in (3, 4))
    assert scores.mean("auc@10") == pytest.approx(in_order / 8)


def test_without_other_items_there_is_nothing_to_order():
    ones = np.ones((2, 3))
    model = ImplicitALS(n_factors=2, random_state=0).fit(ones)
    users, items = np.nonzero(ones)
    test = liked(users, items, shape=(2, 3))
    assert evaluate_ranking(model, test, exclude_seen=False).mean("auc@10") == 0.5


@pytest.mark.filterwarnings("ignore::matfact.exceptions.SampledMetricWarning")
def test_sampled_auc_is_among_what_was_drawn():
    train, test = leave_k_out(make_ratings(30, 200, 900, random_state=0), 2, random_state=0)
    model = ImplicitALS(n_factors=3, random_state=0).fit(train)
    exact = evaluate_ranking(model, test, k=200).mean("auc@200")
    for n_negatives in (5, 50, 199):
        scores = evaluate_sampled(model, test, n_negatives=n_negatives, k=200, random_state=0).mean(
            "auc@200"
        )
        assert abs(scores - exact) < 0.12


@pytest.mark.filterwarnings("ignore::matfact.exceptions.SampledMetricWarning")
def test_nothing_of_the_test_part_is_drawn():
    model = ImplicitALS(n_factors=2, random_state=0).fit(
        liked([0, 0, 1, 1], [0, 1, 0, 1], shape=(2, 4))
    )
    test = liked([0, 0], [2, 3], [5.0, 1.0], shape=(2, 4))
    assert evaluate_sampled(model, test, at_least=4, random_state=0).coverage == {10: 0.25}


@pytest.mark.filterwarnings("ignore::matfact.exceptions.SampledMetricWarning")
@pytest.mark.parametrize("evaluate", [evaluate_ranking, evaluate_sampled])
def test_a_model_that_is_not_fitted(evaluate):
    with pytest.raises(NotFittedError):
        evaluate(ImplicitALS(), liked([0], [0]))


def test_lists_longer_than_any_catalogue():
    train, test = leave_k_out(make_ratings(30, 20, 300, random_state=0), random_state=0)
    model = ImplicitALS(n_factors=3, random_state=0).fit(train)
    long, whole = (evaluate_ranking(model, test, k=k) for k in (10**18, np.array([20])))
    assert long.mean(f"ndcg@{10**18}") == whole.mean("ndcg@20")


def test_nan_as_a_threshold_is_refused():
    model = ImplicitALS(n_factors=2, random_state=0).fit(liked([0, 1], [0, 1]))
    with pytest.raises(ValueError, match="at_least is NaN"):
        evaluate_ranking(model, liked([0], [1]), at_least=float("nan"))


def test_timestamps_stay_with_held_out_users():
    ratings = make_ratings(30, 20, 300, random_state=0)
    users, items, values = ratings.to_triples()
    times = 20 * users + items
    parts = held_out_users(
        Ratings.from_triples(users, items, values, timestamps=times), 5, random_state=0
    )
    for part in (parts.train, parts.given, parts.hidden):
        user, item, _ = part.to_triples()
        np.testing.assert_array_equal(part.timestamps, 20 * user + item)
