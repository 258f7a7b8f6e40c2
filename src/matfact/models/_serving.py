# length: most of it is documentation
"""What a fitted model answers: predictions, scores, explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from matfact._validation import check_integer
from matfact.models._data import Rows
from matfact.models._recommending import Recommending, single_position
from matfact.ratings import Ratings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    Ranked: TypeAlias = tuple[NDArray[Any], NDArray[np.float64]]

__all__ = ["Serving"]


class Serving(Recommending):
    """Predictions and explanations of a fitted model."""

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
        of_users, of_items = self._pair_positions(users, items, unknown)
        return self._predicted(of_users.ravel(), of_items.ravel(), None).reshape(of_users.shape)

    def _predicted(
        self,
        users: NDArray[np.int64],
        items: NDArray[np.int64],
        timestamps: NDArray[Any] | None,
    ) -> NDArray[np.float64]:
        """Return the predictions for pairs of positions."""
        predicted = self._factors().predict_pairs(users, items, self._threads())
        predicted += self._effects_of_time(users, timestamps)
        return self._clipped(predicted)

    def _effects_of_time(
        self,
        users: NDArray[np.int64],  # noqa: ARG002 (for models that know more of them)
        timestamps: NDArray[Any] | None,  # noqa: ARG002 (as `users`)
        arrays: Mapping[str, NDArray[Any]] | None = None,  # noqa: ARG002 (as `users`)
    ) -> NDArray[np.float64] | float:
        """Return what the times of pairs add to their predictions.

        `arrays` are those of a training; without them the model has to be fitted.
        """
        return 0.0

    def _pair_positions(
        self, users: Any, items: Any, unknown: Literal["raise", "mean"]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of pairs, of one shape; -1 for unknown ids."""
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
        return of_users, of_items

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
            at even places from those at odd ones, and vice versa). A model with effects of time
            counts them at the timestamps of `Ratings` that have them.
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
            return -_rmse(X.user_values, self._predicted(users, items, X.timestamps))
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
        position = single_position(self.user_ids_, user, "user")
        target = single_position(self.item_ids_, item, "item")
        known = self._known_ratings("explain")
        row = Rows.of(known).chosen(np.array([position]))
        contributions = self._contributions(row, target, position)
        order = np.argsort(-np.abs(contributions), kind="stable")
        if n is not None:
            order = order[: check_integer(n, "n", minimum=1)]
        return self.item_ids_.ids_of(row.indices[order]), contributions[order]

    def _contributions(
        self,
        row: Rows,
        item: int,
        user: int,  # noqa: ARG002 (for models that know more of users than their ratings)
    ) -> NDArray[np.float64]:
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


def _rmse(truth: NDArray[Any], predicted: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))
