# length: most of it is documentation
"""What a fitted model answers: predictions, recommendations, similar rows, explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from matfact._validation import check_integer
from matfact.models._data import Rows
from matfact.models._growing import Growing
from matfact.ratings import Ratings

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from matfact.ratings import IdMap

    Ranked: TypeAlias = tuple[NDArray[Any], NDArray[np.float64]]

__all__ = ["Serving"]


class Serving(Growing):
    """Predictions and recommendations of a fitted model."""

    def predict(
        self, users: Any, items: Any = None, *, unknown: Literal["raise", "mean"] = "raise"
    ) -> NDArray[np.float64]:
        """Predict ratings of pairs, or fill the rows of a matrix.

        Parameters
        ----------
        users, items : array_like of ids, of one length, or single ids
            Pairs: the rating of ``users[j]`` for ``items[j]``. A single id is paired with all of
            the other side. Without `items`, `users` is a dense matrix of ratings whose rows are
            taken as new users: then the result is ``inverse_transform(transform(users))``.
        unknown : {"raise", "mean"}, default="raise"
            Whether an unknown id raises, or is taken as an average user or item.

        Returns
        -------
        ndarray of float64
            Of the shape of the pairs, or of the matrix; within the range of the training ratings if
            `clip` is True.

        Raises
        ------
        UnknownIdError
            If an id is unknown and `unknown` is "raise".
        NotFittedError
            If the model is not fitted.

        Notes
        -----
        Costs n_factors multiply-adds a pair.
        """
        self._check_is_fitted()
        if items is None:
            if hasattr(users, "tocsr"):
                raise ValueError(
                    "predict without items fills all of a matrix, and a sparse one would become "
                    "dense; call inverse_transform(transform(X)) on as many rows as fit in memory"
                )
            if np.ndim(users) != 2:
                raise ValueError(
                    "predict needs users and items, or a matrix of ratings. Reshape your data: "
                    "Expected 2D array of ratings, got 1D array instead"
                )
            return self.inverse_transform(self.transform(users))
        if unknown not in ("raise", "mean"):
            raise ValueError(f"unknown is {unknown!r}; give 'raise' or 'mean'")
        how: Literal["raise", "ignore"] = "raise" if unknown == "raise" else "ignore"
        of_users = self.user_ids_.positions(users, name="users", unknown=how)
        of_items = self.item_ids_.positions(items, name="items", unknown=how)
        if of_users.ndim and of_items.ndim and of_users.shape != of_items.shape:
            raise ValueError(
                f"users has shape {of_users.shape} and items {of_items.shape}; give pairs, or a "
                "single id on one side"
            )
        of_users, of_items = np.broadcast_arrays(of_users, of_items)
        shape = of_users.shape
        out = self._factors().predict_pairs(
            np.ascontiguousarray(of_users.ravel()),
            np.ascontiguousarray(of_items.ravel()),
            self._threads(),
        )
        return self._clipped(out).reshape(shape)

    def predict_all(self, users: Any = None) -> NDArray[np.float64]:
        """Predict the ratings of all items for some users.

        Parameters
        ----------
        users : array_like of ids, default=None
            None for all users of the model.

        Returns
        -------
        ndarray of shape (n_users, n_items), float64
            Columns in the order of ``item_ids_``. All of them: 8 n_users n_items bytes.

        Raises
        ------
        UnknownIdError
            If a user is unknown.
        """
        self._check_is_fitted()
        if users is None:
            positions = np.arange(len(self.user_ids_))
        else:
            positions = np.atleast_1d(self.user_ids_.positions(users, name="users"))
        return self._clipped(self._factors().predict_rows(positions))

    def score(self, X: Any, y: object = None) -> float:  # noqa: ARG002 (scikit-learn passes it)
        """Return minus the root mean squared error of predictions: higher is better.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, or array_like of shape (n_rows, n_items)
            `Ratings` are compared with the predictions for their users and items; these may have
            been held out of the fit. The rows of a matrix are taken as new users, as scikit-learn
            does in cross-validation: each rating is predicted from the row's other half (those
            at even places from those at odd ones, and vice versa).
        y : None
            Ignored.

        Returns
        -------
        float
            In the unit of the ratings.

        Raises
        ------
        UnknownIdError
            If `Ratings` have a user or an item that the model does not know.
        """
        self._check_is_fitted()
        if isinstance(X, Ratings):
            users = self.user_ids_.positions(X.user_ids.ids, name="users")[X.users]
            items = self.item_ids_.positions(X.item_ids.ids, name="items")[X.user_indices]
            predicted = self._factors().predict_pairs(users, items, self._threads())
            return -_rmse(X.user_values, self._clipped(predicted))
        rows = self._rows(X)
        squares, count = 0.0, 0
        even, odd = rows.halves()
        for given, hidden in ((even, odd), (odd, even)):
            factors = self._factors().with_users(*self._solve_rows(given, self._factors(), "users"))
            predicted = self._clipped(
                factors.predict_pairs(
                    hidden.row_of_each(), hidden.indices.astype(np.int64), self._threads()
                )
            )
            squares += float(np.sum((predicted - hidden.values) ** 2))
            count += len(hidden.values)
        return -float(np.sqrt(squares / count))

    def recommend(
        self,
        user: Any,
        n: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
    ) -> Ranked:
        """Return the items with the highest predictions for a user.

        Parameters
        ----------
        user : id
        n : int, default=10
            Items wanted, at least 1; the result is shorter if fewer are left.
        exclude_seen : bool, default=True
            Leave out what the user has rated in the training data.
        candidates : array_like of ids, default=None
            Recommend only these.
        exclude : array_like of ids, default=None
            Leave these out.

        Returns
        -------
        items : ndarray of ids
            The best first; of equal predictions the item first in ``item_ids_``.
        scores : ndarray of float64
            Their predictions, not clipped.

        Raises
        ------
        UnknownIdError
            If an id is unknown.
        ValueError
            If `exclude_seen` is True and the model was saved without its ratings.

        Notes
        -----
        Costs n_items n_factors multiply-adds and a sort of the items.
        """
        self._check_is_fitted()
        n = check_integer(n, "n", minimum=1)
        position = _single(self.user_ids_, user, "user")
        left = np.ones(len(self.item_ids_), dtype=bool)
        if candidates is not None:
            left[:] = False
            left[self.item_ids_.positions(candidates, name="candidates")] = True
        if exclude is not None:
            left[self.item_ids_.positions(exclude, name="exclude")] = False
        if exclude_seen:
            known = self._known_ratings("exclude_seen=True")
            entries = slice(*known.user_indptr[position : position + 2])
            left[known.user_indices[entries]] = False
        scores = self._factors().predict_rows(np.array([position]))[0]
        return _ranked(self.item_ids_, np.flatnonzero(left), scores, n)

    def similar_items(self, item: Any, n: int = 10) -> Ranked:
        """Return the items whose factors point in the most similar direction.

        Parameters
        ----------
        item : id
        n : int, default=10
            Items wanted, at least 1; the result is shorter if there are fewer.

        Returns
        -------
        items : ndarray of ids
            The most similar first, without `item` itself.
        similarities : ndarray of float64
            Cosines between factors, from -1 to 1; 0 for an item without ratings.

        Raises
        ------
        UnknownIdError
            If the item is unknown.
        """
        self._check_is_fitted()
        return _similar(self.item_factors_, self.item_ids_, item, n, "item")

    def similar_users(self, user: Any, n: int = 10) -> Ranked:
        """Return the users whose factors point in the most similar direction.

        Parameters
        ----------
        user : id
        n : int, default=10
            Users wanted, at least 1; the result is shorter if there are fewer.

        Returns
        -------
        users : ndarray of ids
            The most similar first, without `user` itself.
        similarities : ndarray of float64
            Cosines between factors, from -1 to 1; 0 for a user without ratings.

        Raises
        ------
        UnknownIdError
            If the user is unknown.
        """
        self._check_is_fitted()
        return _similar(self.user_factors_, self.user_ids_, user, n, "user")

    def explain(self, user: Any, item: Any, n: int | None = None) -> Ranked:
        """Tell how much each rating of a user adds to the prediction for an item.

        Given all items, the factors of a user are linear in the user's ratings, and so is a
        prediction: the mean, the bias of the item, and a sum over what the user has rated.

        Parameters
        ----------
        user, item : id
        n : int, default=None
            Contributions wanted, the largest ones; None for all.

        Returns
        -------
        items : ndarray of ids
            Items that the user has rated, those with the largest contributions (of either sign)
            first.
        contributions : ndarray of float64
            Their sum, with the mean and the item's bias, is the prediction for the row that
            `fold_in` gives, before clipping.

        Raises
        ------
        UnknownIdError
            If an id is unknown.
        ValueError
            If the model was saved without its ratings.
        """
        self._check_is_fitted()
        position = _single(self.user_ids_, user, "user")
        target = _single(self.item_ids_, item, "item")
        known = self._known_ratings("explain")
        row = Rows.of(known).chosen(np.array([position]))
        contributions = self._contributions(row, target)
        order = np.argsort(-np.abs(contributions), kind="stable")
        if n is not None:
            order = order[: check_integer(n, "n", minimum=1)]
        return self.item_ids_.ids_of(row.indices[order]), contributions[order]

    def _contributions(self, row: Rows, item: int) -> NDArray[np.float64]:
        """Return what each rating of a row adds to a prediction: x_i' A^-1 w_j (r_j - ...) x_j."""
        factors = self._factors()
        ridge, bias_ridge = self._ridges(row.counts(), "users")
        design = factors.item_factors.astype(np.float64)
        penalty = np.full(design.shape[1], float(ridge[0]))
        residual = row.values.astype(np.float64) - factors.mean
        if factors.item_biases is not None:
            design = np.column_stack([design, np.ones(len(design))])
            penalty = np.append(penalty, float(bias_ridge[0]))
            residual -= factors.item_biases[row.indices]
        solved, biases = self._solve_rows(row, factors, "users")
        free = self._free_factors(solved if biases is None else np.column_stack([solved, biases]))
        design, penalty = design[:, free], penalty[free]
        rated = design[row.indices]
        weights = np.ones(len(residual)) if row.weights is None else row.weights
        normal = (rated.T * weights) @ rated + np.diag(penalty)
        # lstsq: without regularization the matrix may be singular.
        direction = np.linalg.lstsq(normal, design[item], rcond=None)[0]
        contributions: NDArray[np.float64] = (rated @ direction) * weights * residual
        return contributions


def _single(ids: IdMap, one: Any, name: str) -> int:
    position = ids.positions(one, name=name)
    if position.ndim:
        raise ValueError(f"{name} is {one!r}; give a single id")
    return int(position)


def _ranked(ids: IdMap, left: NDArray[np.int64], scores: NDArray[np.float64], n: int) -> Ranked:
    """Return the n best of some positions; of equal scores the one first in the order."""
    order = left[np.argsort(-scores[left], kind="stable")[:n]]
    return ids.ids_of(order), scores[order]


def _similar(factors: NDArray[Any], ids: IdMap, one: Any, n: int, name: str) -> Ranked:
    n = check_integer(n, "n", minimum=1)
    position = _single(ids, one, name)
    rows = factors.astype(np.float64)
    lengths = np.sqrt(np.einsum("rf,rf->r", rows, rows))
    lengths[lengths == 0] = 1.0
    cosines = np.einsum("rf,f->r", rows, rows[position]) / lengths / lengths[position]
    return _ranked(ids, np.delete(np.arange(len(ids)), position), cosines, n)


def _rmse(truth: NDArray[Any], predicted: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))
