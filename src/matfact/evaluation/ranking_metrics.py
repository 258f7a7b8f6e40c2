"""Measures of how well lists of recommended items hold what users liked.

All of them follow from one thing: at which places of a user's list the relevant items stand. Lists
and relevant items are ragged: those of user u are ``items[indptr[u]:indptr[u + 1]]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._validation import check_integer
from matfact.evaluation.ranking_scores import RankingScores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    Ragged: TypeAlias = tuple[NDArray[np.int64], NDArray[np.integer[Any]]]

__all__ = ["METRICS", "Tally", "checked_k", "ndcg"]

METRICS = (
    "ndcg",
    "recall",
    "capped_recall",
    "precision",
    "hit_rate",
    "map",
    "mrr",
    "auc",
)


def checked_k(k: int | Sequence[int]) -> tuple[int, ...]:
    """Return lengths of lists as an ascending tuple of distinct ones.

    Raises
    ------
    TypeError, ValueError
        If one is not an integer of at least 1, or there is none.
    """
    given = k if isinstance(k, list | tuple | range | np.ndarray) else (k,)
    lengths = tuple(sorted({check_integer(one, "k", minimum=1) for one in given}))
    if not lengths:
        raise ValueError("k is empty; give a length of lists, or several")
    return lengths


class Tally:
    """Scores of lists that come block after block.

    Parameters
    ----------
    n_items : int
        Size of the catalogue.
    k : tuple of int
        Ascending.
    """

    def __init__(self, n_items: int, k: tuple[int, ...]) -> None:
        self._n_items = n_items
        self._k = k
        self._parts: list[dict[str, NDArray[np.float64]]] = []
        self._listed = {length: np.zeros(n_items, dtype=bool) for length in k}

    def add(
        self,
        lists: Ragged,
        relevant: Ragged,
        n_relevant: NDArray[Any],
        n_ranked: NDArray[Any] | None = None,
    ) -> None:
        """Count the lists of some users.

        Parameters
        ----------
        lists : tuple of ndarray
            Recommended items, the best first.
        relevant : tuple of ndarray
            Relevant items that are in the catalogue, ascending.
        n_relevant : ndarray of shape (n_users,)
            Number of relevant items, at least 1; also those that are not in the catalogue.
        n_ranked : ndarray of shape (n_users,), optional
            Number of items of which the lists are the best; by default the catalogue.
        """
        n_known = np.diff(relevant[0])
        n_others = (self._n_items if n_ranked is None else n_ranked) - n_known
        row, place, hit = hits_of(lists, relevant, self._n_items)
        scores: dict[str, NDArray[np.float64]] = {}
        for k in self._k:
            near = place < k
            self._listed[k][lists[1][near]] = True
            found = _scores(row[near], place[near], hit[near], n_relevant, k) | {
                "auc": _auc(row[near], hit[near], n_relevant, n_known, n_others)
            }
            scores |= {f"{name}@{k}": found[name] for name in METRICS}
        self._parts.append(scores)

    def result(self, users: NDArray[Any], n_without: int) -> RankingScores:
        """Return the scores of all lists so far.

        Parameters
        ----------
        users : ndarray
            Ids of the users, in the order of their lists.
        n_without : int
            Users that have no list.

        Returns
        -------
        RankingScores
        """
        names = [f"{name}@{k}" for k in self._k for name in METRICS]
        nothing = np.zeros(0)
        scores = {
            name: np.concatenate([nothing, *(part[name] for part in self._parts)]) for name in names
        }
        coverage = {k: float(listed.mean()) for k, listed in self._listed.items()}
        return RankingScores(self._k, users, scores, coverage, n_without)


def hits_of(
    lists: Ragged, relevant: Ragged, n_items: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return for each entry of the lists its row, its place (from 0) and whether it is relevant."""
    counts = np.diff(lists[0])
    row = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(lists[1])) - lists[0][row]
    rows_of_relevant = np.repeat(np.arange(len(counts)), np.diff(relevant[0]))
    keys = rows_of_relevant * n_items + relevant[1]  # ascending
    wanted = row * n_items + lists[1]
    at = np.searchsorted(keys, wanted)
    hit = np.zeros(len(wanted), dtype=bool)
    inside = at < len(keys)
    hit[inside] = keys[at[inside]] == wanted[inside]
    return row, place, hit


def _scores(
    row: NDArray[np.int64],
    place: NDArray[np.int64],
    hit: NDArray[np.bool_],
    n_relevant: NDArray[Any],
    k: int,
) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of each user by the first k entries of each list, but for auc."""
    n_users = len(n_relevant)

    def total(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(row, weights=values, minlength=n_users).astype(np.float64)

    hits = total(hit)
    most = np.minimum(n_relevant, k)
    # no list is as long as a k beyond the catalogue
    reach = max(int(most.max(initial=0)), int(place.max(initial=0)) + 1)
    gains = 1 / np.log2(np.arange(2, reach + 2))
    best_gain = np.concatenate([[0], np.cumsum(gains)])[most]
    first = np.full(n_users, np.inf)
    np.minimum.at(first, row[hit], place[hit] + 1.0)
    return {
        "ndcg": total(hit * gains[place]) / best_gain,
        "recall": hits / n_relevant,
        "capped_recall": hits / most,
        "precision": hits / k,
        "hit_rate": (hits > 0).astype(np.float64),
        "map": total(hit * _hits_so_far(row, hit, n_users) / (place + 1)) / most,
        "mrr": 1 / first,
    }


def _auc(
    row: NDArray[np.int64],
    hit: NDArray[np.bool_],
    n_relevant: NDArray[Any],
    n_known: NDArray[Any],
    n_others: NDArray[Any],
) -> NDArray[np.float64]:
    """Return the share of pairs of a relevant and another item that are in order.

    A pair whose relevant item is not in the catalogue is not; without other items it is one half.
    """
    n_users = len(n_relevant)
    hits, listed = (np.bincount(row, weights=one, minlength=n_users) for one in (hit, None))
    misses = np.bincount(row, ~hit * _hits_so_far(row, hit, n_users), n_users)
    below = (hits + n_known) / 2 * np.maximum(n_others - (listed - hits), 0)
    auc: NDArray[np.float64] = (misses + below) / (n_relevant * np.maximum(n_others, 1))
    return np.where(n_others > 0, auc, 0.5)


def _hits_so_far(
    row: NDArray[np.int64], hit: NDArray[np.bool_], n_users: int
) -> NDArray[np.float64]:
    """Return for each entry the hits of its list up to it."""
    hits = np.bincount(row, weights=hit, minlength=n_users)
    before = np.concatenate([[0], np.cumsum(hits)[:-1]])  # hits of earlier users
    so_far: NDArray[np.float64] = np.cumsum(hit) - before[row]
    return so_far


def ndcg(lists: Ragged, relevant: Ragged, n_items: int, k: int) -> NDArray[np.float64]:
    """Compute the normalized discounted cumulative gain of the first k items of lists.

    Parameters
    ----------
    lists, relevant : tuple of ndarray
        For each user the recommended items, the best first, and the relevant ones, ascending.
    n_items : int
        Size of the catalogue.
    k : int
        Length of the lists that counts.

    Returns
    -------
    ndarray
        Of the users who have relevant items.
    """
    n_relevant = np.diff(relevant[0])
    row, place, hit = hits_of(lists, relevant, n_items)
    near = place < k
    some = n_relevant > 0
    counted = np.maximum(n_relevant, 1)
    scores = _scores(row[near], place[near], hit[near], counted, k)["ndcg"]
    return scores[some]
