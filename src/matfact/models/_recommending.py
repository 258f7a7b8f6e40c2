# length: most of it is documentation
"""What a fitted model recommends: the best items of users, and similar users and items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from matfact._validation import check_integer
from matfact.models._growing import Growing
from matfact.ratings._factorize import id_array
from matfact.recommend import (
    Filters,
    best_columns,
    given_lists,
    joined,
    rows_of,
    stacked,
    union,
    without,
)
from matfact.recommendations import Recommendations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from numpy.typing import NDArray

    from matfact.models._factors import Factors
    from matfact.ratings import IdMap
    from matfact.recommend import Lists

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Ranked: TypeAlias = tuple[NDArray[Any], NDArray[np.float64]]
    OneId: TypeAlias = str | bytes | float | np.generic  # int is a float to type checkers
    ManyIds: TypeAlias = list[Any] | NDArray[Any]
    Metric: TypeAlias = Literal["cosine", "inner"]

__all__ = ["Recommending", "single_position"]

METRICS = ("cosine", "inner")

BLOCK_USERS = 4096
"""Users whose seen items are copied at a time."""


class Recommending(Growing):
    """Recommendations of a fitted model."""

    @overload
    def recommend(
        self,
        users: OneId,
        n: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
    ) -> Ranked: ...
    @overload
    def recommend(
        self,
        users: ManyIds | None = None,
        n: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
    ) -> Recommendations: ...
    @overload
    def recommend(
        self,
        users: Any,
        n: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
    ) -> Any: ...
    def recommend(
        self,
        users: Any = None,
        n: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
    ) -> Any:
        """Return the items with the highest predictions for a user, or for many.

        Parameters
        ----------
        users : id, array_like of ids, or None, default=None
            None for all users of the model.
        n : int, default=10
            Items wanted, at least 1; a list is shorter if fewer are left.
        exclude_seen : bool, default=True
            Leave out what a user has in the training data.
        candidates : array_like of ids, or list of such, default=None
            Recommend only these. A list that holds a list or an array for each user gives each
            user its own candidates.
        exclude : array_like of ids, or list of such, default=None
            Leave these out; for each user its own as with `candidates`.

        Returns
        -------
        (items, scores) or Recommendations
            For a single user two arrays, ids and predictions (float64, not clipped), the best
            first; of equal predictions the item first in ``item_ids_``. For many users their
            lists. Exact: no item with a higher prediction is left out.

        Raises
        ------
        UnknownIdError
            If an id is unknown.
        ValueError
            If `exclude_seen` is True and the model was saved without its ratings, or there is
            another number of lists than of users.

        Notes
        -----
        Costs n_items n_factors multiply-adds a user, in the precision of the factors. Memory: the
        result, a copy of the item factors, up to 50 MB, 32 MB a thread, and up to 20 bytes for each
        id in lists for each user; there is never an array of users times items. `iter_recommend`
        does with a part of the result at a time.
        """
        positions = self._users_asked_for(users)
        rows = np.atleast_1d(positions)
        blocks = self._blocks(rows, n, BLOCK_USERS, exclude_seen, candidates, exclude)
        found = self._named(self.user_ids_.ids_of(rows), *joined(list(blocks)))
        return found if positions.ndim else found[0][1:]

    def iter_recommend(
        self,
        users: Any = None,
        n: int = 10,
        *,
        block_size: int = 10_000,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
    ) -> Iterator[Recommendations]:
        """Yield recommendations for some users after the other, for results larger than memory.

        Parameters
        ----------
        users, n, exclude_seen, candidates, exclude
            As for `recommend`; arguments are checked at once, before the first block.
        block_size : int, default=10_000
            Users in a block, at least 1.

        Returns
        -------
        iterator of Recommendations
            Together what `recommend` returns for the users.

        Raises
        ------
        UnknownIdError, ValueError
            As in `recommend`.
        """
        rows = np.atleast_1d(self._users_asked_for(users))
        size = check_integer(block_size, "block_size", minimum=1)
        blocks = self._blocks(rows, n, size, exclude_seen, candidates, exclude)
        ids = self.user_ids_.ids_of(rows)
        return (
            self._named(ids[number * size : (number + 1) * size], *block)
            for number, block in enumerate(blocks)
        )

    def _blocks(
        self,
        rows: NDArray[np.int64],
        n: int,
        block_size: int,
        exclude_seen: bool,
        candidates: Any,
        exclude: Any,
    ) -> Iterator[tuple[Lists, NDArray[np.float64]]]:
        """Check arguments at once; return an iterator of lists, for some users after the other."""
        n = check_integer(n, "n", minimum=1)
        if exclude_seen:
            self._known_ratings("exclude_seen=True")
        filters = self._filters(len(rows), candidates, exclude)
        factors = self._factors()

        def blocks() -> Iterator[tuple[Lists, NDArray[np.float64]]]:
            for start in range(0, len(rows), block_size):
                some = slice(start, min(start + block_size, len(rows)))
                own = filters.of_rows(some)
                if exclude_seen:
                    excluded = union(own.excluded, self._seen(rows[some]), len(self.item_ids_))
                    own = Filters(own.candidates, own.lists, excluded)
                yield self._best_items(factors, rows[some], own, n)

        return blocks()

    def recommend_new(
        self,
        X: object,
        n: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
    ) -> Recommendations:
        """Recommend to users by their ratings, without changing the model.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, or array_like of shape (n_rows, n_items)
            Ratings of any users, as for `fold_in`.
        n, candidates, exclude
            As for `recommend`, with a list for each row of X.
        exclude_seen : bool, default=True
            Leave out what X has of a user.

        Returns
        -------
        Recommendations
            A list for each user of X. Users without ratings get what an average one would.

        Raises
        ------
        UnknownIdError, ValueError, TypeError
            As in `fold_in` and `recommend`.
        """
        self._check_is_fitted()
        n = check_integer(n, "n", minimum=1)
        rows = self._rows(X)
        solved = self._factors().with_users(*self._solve_rows(rows, self._factors(), "users"))
        seen = None
        everyone = np.arange(len(rows))
        if exclude_seen:
            seen = given_lists(np.split(rows.indices, rows.indptr[1:-1]), len(self.item_ids_))
        filters = self._filters(len(rows), candidates, exclude)
        excluded = union(filters.excluded, seen, len(self.item_ids_))
        filters = Filters(filters.candidates, filters.lists, excluded)
        ids = X.user_ids.ids if hasattr(X, "user_ids") else everyone
        return self._named(np.array(ids), *self._best_items(solved, everyone, filters, n))

    @overload
    def similar_items(self, items: OneId, n: int = 10, *, metric: Metric = "cosine") -> Ranked: ...
    @overload
    def similar_items(
        self, items: ManyIds, n: int = 10, *, metric: Metric = "cosine"
    ) -> Recommendations: ...
    @overload
    def similar_items(self, items: Any, n: int = 10, *, metric: Metric = "cosine") -> Any: ...
    def similar_items(self, items: Any, n: int = 10, *, metric: Metric = "cosine") -> Any:
        """Return the items whose factors are the most similar.

        Parameters
        ----------
        items : id or array_like of ids
        n : int, default=10
            Items wanted, at least 1; a list is shorter if there are fewer.
        metric : {"cosine", "inner"}, default="cosine"
            "cosine" compares directions, from -1 to 1; it is 0 for an item without ratings.
            "inner" is the product of the factors, which favours long ones: popular items.

        Returns
        -------
        (items, similarities) or Recommendations
            For a single item two arrays, the most similar first, without the item itself. For many
            their lists.

        Raises
        ------
        UnknownIdError
            If an item is unknown.
        """
        self._check_is_fitted()
        return self._similar(self.item_factors_, self.item_ids_, items, n, metric, "items")

    @overload
    def similar_users(self, users: OneId, n: int = 10, *, metric: Metric = "cosine") -> Ranked: ...
    @overload
    def similar_users(
        self, users: ManyIds, n: int = 10, *, metric: Metric = "cosine"
    ) -> Recommendations: ...
    @overload
    def similar_users(self, users: Any, n: int = 10, *, metric: Metric = "cosine") -> Any: ...
    def similar_users(self, users: Any, n: int = 10, *, metric: Metric = "cosine") -> Any:
        """Return the users whose factors are the most similar.

        Parameters
        ----------
        users : id or array_like of ids
        n : int, default=10
            Users wanted, at least 1; a list is shorter if there are fewer.
        metric : {"cosine", "inner"}, default="cosine"
            As for `similar_items`.

        Returns
        -------
        (users, similarities) or Recommendations
            As `similar_items` returns.

        Raises
        ------
        UnknownIdError
            If a user is unknown.
        """
        self._check_is_fitted()
        return self._similar(self.user_factors_, self.user_ids_, users, n, metric, "users")

    def _users_asked_for(self, users: Any) -> NDArray[np.int64]:
        self._check_is_fitted()
        if users is None:
            return np.arange(len(self.user_ids_))
        return self.user_ids_.positions(users, name="users")

    def _seen(self, users: NDArray[np.int64]) -> Lists:
        known = self._known_ratings("exclude_seen=True")
        return rows_of(known.user_indptr, known.user_indices, users)

    def _filters(self, n_rows: int, candidates: Any, exclude: Any) -> Filters:
        """Return what users name by ids as positions."""
        n_items = len(self.item_ids_)
        lists = self._lists_of_ids(candidates, n_rows, "candidates")
        excluded = self._lists_of_ids(exclude, n_rows, "exclude")
        everywhere: NDArray[np.int32] | None = None
        if candidates is not None and lists is None:
            everywhere = np.unique(self.item_ids_.positions(candidates, name="candidates"))
        if exclude is not None and excluded is None:
            left_out = np.unique(self.item_ids_.positions(exclude, name="exclude"))
            if lists is not None:
                lists = without(lists, left_out)
            else:
                allowed = np.arange(n_items) if everywhere is None else everywhere
                everywhere = np.setdiff1d(allowed, left_out)
        if everywhere is not None:
            everywhere = everywhere.astype(np.int32)
        return Filters(everywhere, lists, excluded)

    def _lists_of_ids(self, given: Any, n_rows: int, name: str) -> Lists | None:
        """Return one list of positions for each row, or None if there is one for all of them."""
        if not isinstance(given, list | tuple) or not given:
            return None
        if not all(isinstance(one, list | np.ndarray) for one in given):
            return None
        if len(given) != n_rows:
            raise ValueError(
                f"{name} has {len(given)} lists for {n_rows} users; give one for each, or ids for "
                "all of them"
            )
        # block by block: ids need far more memory than positions
        blocks = (given[start : start + BLOCK_USERS] for start in range(0, n_rows, BLOCK_USERS))
        return stacked([self._positions_of_lists(block, name) for block in blocks])

    def _positions_of_lists(self, given: Any, name: str) -> Lists:
        lengths = [len(one) for one in given]
        parts = [id_array(one, name) for one in given if len(one)]
        if len({part.dtype.kind for part in parts}) > 1:  # which numpy would turn into text
            parts = [part.astype(object) for part in parts]
        together = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
        positions = self.item_ids_.positions(together, name=name) if parts else together
        return given_lists(np.split(positions, np.cumsum(lengths)[:-1]), len(self.item_ids_))

    def _best_items(
        self, factors: Factors, rows: NDArray[np.int64], filters: Filters, n: int
    ) -> tuple[Lists, NDArray[np.float64]]:
        """Return the best items of some users of `factors`, and their predictions."""
        lists, scores = best_columns(
            factors.user_factors[rows],
            factors.item_factors,
            factors.item_biases,
            filters,
            n,
            self._threads(),
        )
        offsets = np.full(len(rows), factors.mean)
        if factors.user_biases is not None:
            offsets += factors.user_biases[rows]
        scores += np.repeat(offsets, np.diff(lists.indptr))
        return lists, scores

    def _named(
        self, users: NDArray[Any], lists: Lists, scores: NDArray[np.float64]
    ) -> Recommendations:
        items = self.item_ids_.ids_of(lists.items)
        return Recommendations(users, lists.indptr, items, lists.items, scores)

    def _similar(
        self, factors: Floats, ids: IdMap, wanted: Any, n: int, metric: str, name: str
    ) -> Any:
        n = check_integer(n, "n", minimum=1)
        if metric not in METRICS:
            raise ValueError(f"metric is {metric!r}; give 'cosine' or 'inner'")
        positions = ids.positions(wanted, name=name)
        rows = np.atleast_1d(positions)
        if metric == "cosine":
            lengths = np.sqrt(np.einsum("rf,rf->r", factors, factors, dtype=np.float64))
            lengths[lengths == 0] = 1.0
            factors = (factors / lengths[:, np.newaxis]).astype(factors.dtype)
        itself = given_lists(list(rows[:, np.newaxis]), len(ids))
        lists, scores = best_columns(
            factors[rows], factors, None, Filters(excluded=itself), n, self._threads()
        )
        if metric == "cosine":
            np.clip(scores, -1.0, 1.0, out=scores)  # rounding may lead beyond
        found = Recommendations(
            ids.ids_of(rows), lists.indptr, ids.ids_of(lists.items), lists.items, scores
        )
        return found if positions.ndim else found[0][1:]


def single_position(ids: IdMap, one: Any, name: str) -> int:
    """Return the position of a single id.

    Raises
    ------
    ValueError
        If there are several.
    UnknownIdError
        If it is unknown.
    """
    position = ids.positions(one, name=name)
    if position.ndim:
        raise ValueError(f"{name} is {one!r}; give a single id")
    return int(position)
