"""Ranking metrics against plain loops over one user at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matfact.evaluation.ranking_metrics import METRICS, Tally, checked_k, ndcg


def naive(listed, liked, n_relevant, k, n_items):
    """All metrics of one user, as their definitions read."""
    top = listed[:k]
    hits = [item in liked for item in top]
    n_hits = sum(hits)
    gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit)
    best = sum(1 / math.log2(place + 2) for place in range(min(k, n_relevant)))
    precisions = [sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit]
    firsts = [1 / (place + 1) for place, hit in enumerate(hits) if hit]
    # A pair (relevant, other) is in order if the relevant one stands before; what is not listed is
    # in random order behind the list. Relevant items that are not in the catalogue never do.
    n_others, in_order, found = n_items - len(liked), 0.0, 0
    for hit in hits:
        if hit:
            found += 1
        else:
            in_order += found
    misses = len(top) - n_hits
    in_order += (n_hits + len(liked)) / 2 * max(n_others - misses, 0)
    return {
        "ndcg": gain / best,
        "recall": n_hits / n_relevant,
        "capped_recall": n_hits / min(k, n_relevant),
        "precision": n_hits / k,
        "hit_rate": float(n_hits > 0),
        "map": sum(precisions) / min(k, n_relevant),
        "mrr": firsts[0] if firsts else 0.0,
        "auc": in_order / (n_relevant * n_others) if n_others else 0.5,
    }


def ragged(rows):
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return indptr, np.concatenate([np.zeros(0), *rows]).astype(np.int64)


N_ITEMS = 12
items = st.lists(st.integers(0, N_ITEMS - 1), unique=True)
users = st.lists(st.tuples(items, items.filter(bool), st.integers(0, 3)), min_size=1, max_size=6)


@given(users, st.sets(st.integers(1, 15), min_size=1, max_size=3))
def test_every_metric_of_every_user(cases, lengths):
    k = checked_k(sorted(lengths))
    lists = [case[0] for case in cases]
    liked = [sorted(case[1]) for case in cases]
    n_relevant = np.array([min(len(case[1]) + case[2], N_ITEMS) for case in cases])
    tally = Tally(N_ITEMS, k)
    half = len(cases) // 2  # in two blocks
    for part in (slice(None, half), slice(half, None)):
        tally.add(ragged(lists[part]), ragged(liked[part]), n_relevant[part])
    found = tally.result(np.arange(len(cases)), 0)
    assert set(found.scores) == {f"{name}@{length}" for name in METRICS for length in k}
    for length in k:
        for user, (listed, own) in enumerate(zip(lists, liked, strict=True)):
            expected = naive(listed, own, int(n_relevant[user]), length, N_ITEMS)
            for name, value in expected.items():
                assert found.scores[f"{name}@{length}"][user] == pytest.approx(value, abs=1e-12)
        shown = {item for listed in lists for item in listed[:length]}
        assert found.coverage[length] == pytest.approx(len(shown) / N_ITEMS)
    values = found.scores[f"ndcg@{k[0]}"]
    assert found.mean(f"ndcg@{k[0]}") == pytest.approx(values.mean())
    if len(cases) > 1:
        error = values.std(ddof=1) / math.sqrt(len(values))
        assert found.standard_error(f"ndcg@{k[0]}") == pytest.approx(error)


def test_by_hand():
    tally = Tally(10, (3,))
    tally.add(ragged([[4, 1, 7]]), ragged([[1, 2]]), np.array([2]))
    found = tally.result(np.array(["ann"]), 2)
    means = found.to_dict()
    assert means["ndcg@3"] == pytest.approx(1 / math.log2(3) / (1 + 1 / math.log2(3)))
    assert means["recall@3"] == means["capped_recall@3"] == 0.5
    assert means["precision@3"] == pytest.approx(1 / 3)
    assert means["hit_rate@3"] == 1
    assert means["map@3"] == pytest.approx(0.5 / 2)
    assert means["mrr@3"] == 0.5
    # Item 1 is before 7 and behind 4; 2 is before or behind the 6 unlisted ones at random.
    assert means["auc@3"] == pytest.approx((1 + 1.5 * 6) / (2 * 8))
    assert means["coverage@3"] == pytest.approx(0.3)
    assert str(found).splitlines()[0] == "1 users, 2 left out"
    assert "  mrr@3             0.5000 +- nan" in str(found)
    with pytest.raises(KeyError, match="there is no metric 'ndcg@5'"):
        found.mean("ndcg@5")


def test_ndcg_leaves_out_users_without_relevant_items():
    lists, relevant = ragged([[0, 1], [1, 0], []]), ragged([[0], [], [2]])
    assert ndcg(lists, relevant, 3, 2).mean() == pytest.approx(0.5)
    assert not len(ndcg(ragged([[0]]), ragged([[]]), 3, 2))


@pytest.mark.parametrize("k", [0, -1, 2.0, "5", True, [], [5, 0]])
def test_lengths_of_lists(k):
    with pytest.raises((TypeError, ValueError), match="k "):
        checked_k(k)
    assert checked_k([10, 5, 10]) == (5, 10)
