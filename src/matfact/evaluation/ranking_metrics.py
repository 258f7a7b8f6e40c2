"""Measures of how well lists of recommended items hold what users liked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Ragged: TypeAlias = tuple[NDArray[np.int64], NDArray[np.integer[Any]]]

__all__ = ["ndcg"]


def ndcg(lists: Ragged, relevant: Ragged, k: int) -> float:
    """Compute the mean normalized discounted cumulative gain of the first k items of lists.

    Parameters
    ----------
    lists, relevant : tuple of ndarray
        For each user the recommended items, the best first, and the relevant ones: starts of
        shape (n_users + 1,), and items.
    k : int
        Length of the lists that counts.

    Returns
    -------
    float
        Mean over the users who have relevant items; 0 if there are none.
    """
    scores = []
    for user in range(len(lists[0]) - 1):
        listed = lists[1][lists[0][user] : lists[0][user + 1]][:k]
        liked = relevant[1][relevant[0][user] : relevant[0][user + 1]]
        if len(liked):
            discounts = 1 / np.log2(np.arange(2, k + 2))
            gain = discounts[: len(listed)][np.isin(listed, liked)].sum()
            scores.append(gain / discounts[: len(liked)].sum())
    return float(np.mean(scores)) if scores else 0.0
