"""How well a trained model ranks: held-out interactions of known users, and held-out users."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._validation import check_integer
from matfact.evaluation._generator import generator
from matfact.evaluation.ranking_metrics import Tally, checked_k
from matfact.evaluation.splits import checked_ratings
from matfact.evaluation.user_splits import HeldOutUsers
from matfact.exceptions import SampledMetricWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from matfact._random import RandomStateLike
    from matfact.evaluation.ranking_scores import RankingScores
    from matfact.ratings import IdMap, Ratings

__all__ = [
    "checked_least",
    "evaluate_held_out",
    "evaluate_ranking",
    "evaluate_sampled",
]

BLOCK_USERS = 10_000
"""Users whose lists are in memory at a time."""

BLOCK_ENTRIES = 2_000_000
"""Entries of these lists: lists of all items are long, and each entry takes about 80 bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Relevant:
    """What is relevant to the users of a test part, in the positions of a model.

    Attributes
    ----------
    users : ndarray of int64
        Positions of the users who have something relevant.
    indptr, items : ndarray
        Of each of them the relevant items that the model knows, ascending.
    counts : ndarray
        Number of relevant items of each, with those that the model does not know.
    n_without : int
        Users of the test part who are left out.
    """

    users: NDArray[np.int64]
    indptr: NDArray[np.int64]
    items: NDArray[np.int64]
    counts: NDArray[np.int64]
    n_without: int

    @classmethod
    def of(cls, test: Ratings, users: IdMap, items: IdMap, at_least: float | None) -> _Relevant:
        values = test.user_values
        liked = values > 0 if at_least is None else values >= at_least
        user = users.positions(test.user_ids.ids, unknown="ignore")[test.users]
        item = items.positions(test.item_ids.ids, unknown="ignore")[test.user_indices]
        counted = liked & (user >= 0)
        some, counts = np.unique(user[counted], return_counts=True)
        known = counted & (item >= 0)
        order = np.lexsort((item[known], user[known]))
        place = np.searchsorted(some, user[known][order])
        sizes = np.bincount(place, minlength=len(some))
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        n_with_ratings = int(np.count_nonzero(np.diff(test.user_indptr)))
        return cls(some, indptr, item[known][order], counts, n_with_ratings - len(some))

    def of_place(self, place: int) -> NDArray[np.int64]:
        """Return the relevant items of one user."""
        return self.items[self.indptr[place] : self.indptr[place + 1]]

    def block(self, start: int, size: int) -> tuple[Any, Any]:
        """Return (indptr, items) and counts of some of the users."""
        indptr = self.indptr[start : start + size + 1]
        items = self.items[indptr[0] : indptr[-1]]
        return (indptr - indptr[0], items), self.counts[start : start + size]


def evaluate_ranking(
    model: Any,
    test: Ratings,
    *,
    k: int | Sequence[int] = 10,
    at_least: float | None = None,
    exclude_seen: bool = True,
    candidates: Any = None,
) -> RankingScores:
    """Compare the lists that a model recommends with held-out interactions of its users.

    Parameters
    ----------
    model : estimator
        Fitted, on ratings that do not hold those of the test: from `random_split`, `leave_k_out`
        (leave-one-out with ``k=1``), `temporal_split`.
    test : Ratings
        Held-out ratings. Users that the model does not know are left out; items that it does not
        know count as relevant and cannot be hit. Users that it knows without a rating, as
        `temporal_split` leaves them, count: their lists follow from item biases, and without
        biases from the order of the items. Drop them first where that would mislead.
    k : int or sequence of int, default=10
        Lengths of lists, at least 1.
    at_least : float, optional
        Value from which an item is relevant; by default all above 0. Give 4 for ratings from 1 to
        5.
    exclude_seen : bool, default=True
        Whether lists leave out what the user has in the training data.
    candidates : array_like of ids, optional
        Items that lists are made from; by default all.

    Returns
    -------
    RankingScores

    Raises
    ------
    TypeError, ValueError
        If an argument is unsuitable.

    Notes
    -----
    All items are ranked, exactly. Lists of 10,000 users are in memory at a time, of fewer if `k` is
    above 200.

    Examples
    --------
    >>> from matfact import ImplicitALS, make_ratings
    >>> from matfact.evaluation import evaluate_ranking, leave_k_out
    >>> train, test = leave_k_out(make_ratings(90, 50, 1500, random_state=0), random_state=0)
    >>> model = ImplicitALS(n_factors=8, random_state=0).fit(train)
    >>> scores = evaluate_ranking(model, test, k=(5, 10))
    >>> scores.mean("hit_rate@5") <= scores.mean("hit_rate@10")
    True
    """
    test, lengths, least = checked_ratings(test), checked_k(k), checked_least(at_least)
    model.recommend([])  # which a model that is not fitted refuses
    relevant = _Relevant.of(test, model.user_ids_, model.item_ids_, least)
    tally = Tally(len(model.item_ids_), lengths)
    ids = model.user_ids_.ids_of(relevant.users)
    longest = min(lengths[-1], len(model.item_ids_))
    start = 0
    for lists in model.iter_recommend(
        ids,
        lengths[-1],
        block_size=max(1, min(BLOCK_USERS, BLOCK_ENTRIES // longest)),
        exclude_seen=exclude_seen,
        candidates=candidates,
    ):
        tally.add((lists.indptr, lists.item_positions), *relevant.block(start, len(lists)))
        start += len(lists)
    return tally.result(ids, relevant.n_without)


def evaluate_sampled(
    model: Any,
    test: Ratings,
    *,
    n_negatives: int = 100,
    k: int | Sequence[int] = 10,
    at_least: float | None = None,
    random_state: RandomStateLike = None,
) -> RankingScores:
    """Rank each user's held-out items among a few sampled ones, as some publications do.

    Such metrics do not order models as the exact ones of `evaluate_ranking` do [1]_, which cost
    little here. They serve comparisons with published figures only; hence the warning.

    Parameters
    ----------
    model : estimator
        Fitted.
    test : Ratings
        Held-out ratings, as for `evaluate_ranking`.
    n_negatives : int, default=100
        Items that are drawn for each user, without those that the user has in the training data or
        the test part; at least 1.
    k : int or sequence of int, default=10
        Lengths of lists.
    at_least : float, optional
        Value from which an item is relevant; by default all above 0.
    random_state : int, Generator, RandomState or None, default=None
        Of the drawing.

    Returns
    -------
    RankingScores
        ``auc`` is over the sampled items, too.

    Warns
    -----
    SampledMetricWarning
        Always.

    Raises
    ------
    TypeError, ValueError
        If an argument is unsuitable, or the model was saved without its ratings.

    References
    ----------
    .. [1] W. Krichene, S. Rendle, "On Sampled Metrics for Item Recommendation", KDD 2020.
    """
    n_negatives = check_integer(n_negatives, "n_negatives", minimum=1)
    model.recommend([])  # which a model that is not fitted refuses
    test, lengths, least = checked_ratings(test), checked_k(k), checked_least(at_least)
    warnings.warn(
        "metrics among sampled items do not order models as exact ones do (Krichene & Rendle, KDD "
        "2020); use evaluate_ranking unless you compare with such figures",
        SampledMetricWarning,
        stacklevel=2,
    )
    rng = generator(random_state)
    relevant = _Relevant.of(test, model.user_ids_, model.item_ids_, least)
    n_items, known = len(model.item_ids_), model.ratings_
    if known is None:
        raise ValueError("the model was saved without its ratings, which tell what users have seen")
    tested = _Relevant.of(test, model.user_ids_, model.item_ids_, -np.inf)
    lists = []
    for place, user in enumerate(relevant.users.tolist()):
        liked = relevant.of_place(place)
        seen = known.user_indices[known.user_indptr[user] : known.user_indptr[user + 1]]
        of_test = tested.of_place(int(np.searchsorted(tested.users, user)))
        others = np.setdiff1d(np.arange(n_items), np.union1d(of_test, seen))
        drawn = rng.choice(others, min(n_negatives, len(others)), replace=False)
        lists.append(model.item_ids_.ids_of(np.concatenate([liked, drawn])))
    ids = model.user_ids_.ids_of(relevant.users)
    found = model.recommend(ids, lengths[-1], exclude_seen=False, candidates=lists)
    tally = Tally(n_items, lengths)
    n_ranked = np.array([len(one) for one in lists], dtype=np.int64)
    tally.add((found.indptr, found.item_positions), *relevant.block(0, len(ids)), n_ranked)
    return tally.result(ids, relevant.n_without)


def evaluate_held_out(
    model: Any, parts: HeldOutUsers, *, k: int | Sequence[int] = 10, at_least: float | None = None
) -> RankingScores:
    """Compare the lists for held-out users with what is hidden of them.

    Parameters
    ----------
    model : estimator
        Fitted to ``parts.train``; it folds in ``parts.given``.
    parts : HeldOutUsers
        From `held_out_users`.
    k : int or sequence of int, default=10
        Lengths of lists.
    at_least : float, optional
        Value from which an item is relevant; by default all above 0.

    Returns
    -------
    RankingScores

    Raises
    ------
    TypeError, ValueError
        If an argument is unsuitable.
    """
    if not isinstance(parts, HeldOutUsers):
        raise TypeError(f"parts is a {type(parts).__name__}; give what held_out_users returns")
    lengths, least = checked_k(k), checked_least(at_least)
    lists = model.recommend_new(parts.given, lengths[-1])
    everyone = parts.given.user_ids
    relevant = _Relevant.of(parts.hidden, everyone, model.item_ids_, least)
    starts = lists.indptr[relevant.users]
    counts = np.diff(lists.indptr)[relevant.users]
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    entries = np.repeat(starts - indptr[:-1], counts) + np.arange(indptr[-1])
    tally = Tally(len(model.item_ids_), lengths)
    tally.add((indptr, lists.item_positions[entries]), *relevant.block(0, len(relevant.users)))
    return tally.result(everyone.ids_of(relevant.users), relevant.n_without)


def checked_least(at_least: Any) -> float | None:
    """Return a threshold of relevance as a float, or None.

    Raises
    ------
    TypeError, ValueError
        If it is no number.
    """
    if at_least is None:
        return None
    if isinstance(at_least, bool) or not isinstance(at_least, int | float | np.number):
        raise TypeError(f"at_least is {at_least!r}; give a number, or None for all values above 0")
    if np.isnan(at_least):
        raise ValueError("at_least is NaN; give a number, or None for all values above 0")
    return float(at_least)
