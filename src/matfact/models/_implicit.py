"""The contract of estimators for implicit feedback, where it differs from that for ratings.

Such a model ranks. Its predictions are scores without a unit; what they are good for is measured on
the best items of each user, and so are validation parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from matfact.evaluation.ranking_metrics import ndcg
from matfact.models._base import FactorModel
from matfact.models._data import Rows, model_ratings
from matfact.ratings import Ratings
from matfact.recommend import Filters, Lists, best_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from matfact.models._factors import Factors

__all__ = ["ImplicitModel"]

LIST_LENGTH = 10
"""Items of a list that scores and validation look at."""


class ImplicitModel(FactorModel):
    """Base of the estimators for clicks, plays and purchases."""

    clip: ClassVar[bool] = False  # type: ignore[misc]  # scores have no range
    # What cross-validation and search look at where nothing else is asked for.
    _default_metrics: ClassVar[tuple[str, ...]] = (f"ndcg@{LIST_LENGTH}",)

    def _mean_of(self, ratings: Ratings) -> float:  # noqa: ARG002 (the same for all)
        return 0.0

    def _prior_of(self, ratings: Ratings) -> float:  # noqa: ARG002 (the same for all)
        return 0.0

    def _check_ratings(self, ratings: Ratings) -> None:
        if not (ratings.user_values > 0).any():
            raise ValueError(
                f"{type(self).__name__} needs interactions, and no value is above 0; give counts, "
                "or 1 for each pair that occurred"
            )

    def _validation_error(
        self,
        ratings: Ratings,
        validation: Any,
        factors: Factors,
        limits: tuple[float, float],
        arrays: Mapping[str, Any],
    ) -> Callable[[], float] | None:
        """Return a function that gives 1 - NDCG of lists without what was trained on, or None."""
        del limits, arrays
        if validation is None:
            return None
        known = model_ratings(validation, self.dtype, "validation")
        users, relevant = _liked(known, ratings)
        if not len(users):
            raise ValueError(
                "validation has no value above 0 of a user and an item of X, so no list can be "
                "judged by it; split X, or check that both have the same ids"
            )
        seen = Rows.of(ratings).chosen(users)
        n_threads = self._threads()

        def error() -> float:
            return 1.0 - float(_ndcg_of_lists(factors, users, seen, relevant, n_threads).mean())

        return error

    def score(self, X: Any, y: object = None) -> float:  # noqa: ARG002 (scikit-learn passes it)
        """Return the NDCG of lists of 10 items, averaged over users: higher is better.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, or array_like of shape (n_rows, n_items)
            `Ratings` held out of the fit: of each of their users, the list of the best items that
            were not trained on is compared with the items of X whose value is above 0. The rows of
            a matrix are taken as new users: the list follows from one half of the row (the entries
            at even places, and then at odd ones) and is compared with the other. What has no value
            above 0 to find does not count; 0 if nothing has.
        y : None
            Ignored.

        Returns
        -------
        float
            From 0 to 1.

        Raises
        ------
        UnknownIdError
            If `Ratings` have a user or an item that the model does not know.
        """
        self._check_is_fitted()
        if isinstance(X, Ratings):
            known = self._known_ratings("score")
            self.user_ids_.positions(X.user_ids.ids, name="users")
            self.item_ids_.positions(X.item_ids.ids, name="items")
            users, relevant = _liked(X, known)
            seen = Rows.of(known).chosen(users)
            found = _ndcg_of_lists(self._factors(), users, seen, relevant, self._threads())
            return float(found.mean()) if len(found) else 0.0
        even, odd = self._rows(X).halves()
        scores = []
        for given, hidden in ((even, odd), (odd, even)):
            factors = self._factors().with_users(*self._solve_rows(given, self._factors(), "users"))
            everyone, liked = np.arange(len(given)), hidden.above_zero()
            scores.append(_ndcg_of_lists(factors, everyone, given, liked, self._threads()))
        both = np.concatenate(scores)
        return float(both.mean()) if len(both) else 0.0


def _liked(held_out: Ratings, ratings: Ratings) -> tuple[NDArray[np.int64], Rows]:
    """Return the users of held-out ratings and what they liked, by positions in `ratings`.

    Users that `ratings` do not have are left out, and so are items.
    """
    users = ratings.user_ids.positions(held_out.user_ids.ids, unknown="ignore")
    items = ratings.item_ids.positions(held_out.item_ids.ids, unknown="ignore")
    user, item = users[held_out.users], items[held_out.user_indices]
    kept = (user >= 0) & (item >= 0) & (held_out.user_values > 0)
    order = np.lexsort((item[kept], user[kept]))
    distinct, counts = np.unique(user[kept], return_counts=True)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    values = held_out.user_values[kept][order]
    return distinct, Rows(indptr, item[kept][order].astype(np.int32), values, None)


def _ndcg_of_lists(
    factors: Factors, users: NDArray[np.int64], seen: Rows, relevant: Rows, n_threads: int
) -> NDArray[np.float64]:
    """Return the NDCG of the best items that users have not seen; of those who like something."""
    lists, _ = best_columns(
        factors.user_factors[users],
        factors.item_factors,
        factors.item_biases,
        Filters(excluded=Lists(seen.indptr, seen.indices)),
        LIST_LENGTH,
        n_threads,
    )
    n_items = len(factors.item_factors)
    return ndcg(lists, (relevant.indptr, relevant.indices), n_items, LIST_LENGTH)
