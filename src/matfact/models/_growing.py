# length: most of it is documentation
"""New users and items of a fitted model: folding in, adding, transforming."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from matfact.exceptions import DivergenceError
from matfact.kernels import als
from matfact.models._data import Rows, carried_over, model_ratings, united
from matfact.models._factors import Factors
from matfact.models._fitted import FittedModel
from matfact.ratings import IdMap, Ratings

if TYPE_CHECKING:
    from typing import Self, TypeAlias

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Side: TypeAlias = Literal["users", "items"]

__all__ = ["Growing"]

INNER_STEPS = 50
"""Sweeps over the factors of one row, where an exact solution needs several."""


class Growing(FittedModel):
    """What a fitted model does with ratings of users or items that it has not seen."""

    _method: ClassVar[int] = als.CHOLESKY
    """How `_solve_rows` solves."""

    @abstractmethod
    def _start(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        """Return the arrays that a training begins with."""

    def _start_again(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        """Return the same for a fitted model, which keeps the sizes that it chose itself."""
        return self._start(ratings, seed)

    @abstractmethod
    def _ridges(self, counts: NDArray[np.float64], side: Side) -> tuple[Floats, Floats]:
        """Return the regularization of factors and of biases for rows of so many ratings.

        The rows are users or items (`side`); what is minimised for each is its sum of squared
        errors + ridge |factors|^2 + bias_ridge bias^2.
        """

    def _solve_rows(self, rows: Rows, factors: Factors, side: Side) -> tuple[Floats, Floats | None]:
        """Return the factors and biases of rows of users, given the items of `factors`.

        It is the half step of the training (`side` says whether the rows are users; for items
        `factors` comes transposed). Rows without ratings get zeros.
        """
        dtype = factors.item_factors.dtype
        own = np.zeros((len(rows), factors.item_factors.shape[1]), dtype=dtype)
        biases = None if factors.item_biases is None else np.zeros(len(rows), dtype=dtype)
        with np.errstate(over="ignore"):  # then no row has a finite solution, which is told below
            ridge, bias_ridge = (r.astype(dtype) for r in self._ridges(rows.counts(), side))
        n_failed = als.solve_rows(
            rows.indptr,
            rows.indices,
            rows.values,
            rows.weights,
            factors.item_factors,
            factors.item_biases,
            own,
            biases,
            factors.mean,
            ridge,
            bias_ridge,
            self._gram(factors),
            self._method,
            INNER_STEPS,
            self._threads(),
        )
        if n_failed:
            raise DivergenceError(
                f"{n_failed} rows have no finite solution; use dtype=float64 if ratings are very "
                "large, or raise regularization",
                self.n_iter_,
            )
        return own, biases

    def _solve_arrays(
        self,
        rows: Rows,
        factors: Factors,
        side: Side,
        told: NDArray[np.float64] | None = None,  # noqa: ARG002 (for models with features)
    ) -> dict[str, Floats]:
        """Return by name what `_solve_rows` does, and what else a model keeps of solved rows.

        `told` is what features say of the rows, in the form of the model.
        """
        own, biases = self._solve_rows(rows, factors, side)
        return {"factors": own} if biases is None else {"factors": own, "biases": biases}

    def _gram(self, factors: Factors) -> NDArray[np.float64] | None:  # noqa: ARG002 (for others)
        """Return the gram matrix of the items if absent ratings count as zeros, else None."""
        return None

    def _free_factors(self, row: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which numbers of a solved row are not held at a bound."""
        return np.ones(row.shape[-1], dtype=bool)

    def fold_in(self, X: object) -> Floats:
        """Compute the factors of users from their ratings, without changing the model.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, or array_like of shape (n_rows, n_items)
            Ratings of any users, also such as the model has never seen, of items that it knows. A
            matrix has a column for each item of the fit.

        Returns
        -------
        ndarray of shape (n_rows, n_factors) or (n_rows, n_factors + 1)
            A row for each user of X, in the order of ``X.user_ids``; the last column is the bias,
            if the model has biases. Zeros for a user without ratings, whose prediction is then
            that of an average user. `inverse_transform` turns the rows into predictions.

        Raises
        ------
        UnknownIdError
            If an item is unknown.
        NotFittedError
            If the model is not fitted.
        ValueError, TypeError
            If X is unsuitable.

        Notes
        -----
        A row is the exact minimum of the model's objective given all items: the same as one more
        half step of the training. Costs n_ratings n_factors^2 multiply-adds and n_factors^3 / 3 for
        each row.
        """
        self._check_is_fitted()
        rows = self._rows(X)
        factors, biases = self._solve_rows(rows, self._factors(), "users")
        return factors if biases is None else np.column_stack([factors, biases])

    def transform(self, X: object) -> Floats:
        """Compute the factors of rows of ratings: `fold_in` under scikit-learn's name.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, or array_like of shape (n_rows, n_items)
            See `fold_in`. The rows of a matrix are taken as new users, whatever their number.

        Returns
        -------
        ndarray of shape (n_rows, n_factors) or (n_rows, n_factors + 1)
            See `fold_in`.
        """
        return self.fold_in(X)

    def inverse_transform(self, X: Any) -> NDArray[np.float64]:
        """Predict the ratings of all items from rows of factors.

        Parameters
        ----------
        X : array_like of shape (n_rows, n_factors) or (n_rows, n_factors + 1)
            What `transform` returned.

        Returns
        -------
        ndarray of shape (n_rows, n_items)
            Predictions, within the range of the training ratings if `clip` is True. All of them:
            8 n_rows n_items bytes.

        Raises
        ------
        ValueError
            If the number of columns is another one.
        """
        self._check_is_fitted()
        array = np.asarray(X)
        n_factors = self.item_factors_.shape[1]
        has_biases = self.user_biases_ is not None
        if array.ndim != 2 or array.shape[1] != n_factors + has_biases:
            raise ValueError(
                f"X has shape {array.shape}; give rows of {n_factors + has_biases} numbers, as "
                "transform returns them"
            )
        rows = self._factors().with_users(
            array[:, :n_factors], array[:, n_factors] if has_biases else None
        )
        return self._clipped(rows.predict_rows(np.arange(len(array))))

    def _clipped(self, predictions: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.clip:
            np.clip(predictions, *self.rating_range_, out=predictions)
        return predictions

    def add_users(self, X: object) -> Self:
        """Add users to the model; nothing that it knows about others changes.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, or array_like of shape (n_new, n_items)
            Ratings of new users, of items that the model knows. Ids must be new. If the model
            numbers its users, further rows get the next numbers.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        ValueError
            If a user is known already (`partial_fit` updates known users).
        UnknownIdError
            If an item is unknown.

        Notes
        -----
        The new rows are those of `fold_in`. Costs a copy of the users' factors besides.
        """
        self._check_is_fitted()
        return self._grown("users", self._numbered_on(X, "users"))

    def add_items(self, X: object) -> Self:
        """Add items to the model; nothing that it knows about others changes.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, or array_like of shape (n_users, n_new)
            Ratings of new items, by users that the model knows. Ids must be new. If the model
            numbers its items, further columns get the next numbers; a matrix has a row for each
            user.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        ValueError
            If an item is known already (`partial_fit` updates known items).
        UnknownIdError
            If a user is unknown.

        Notes
        -----
        As `add_users` with users and items exchanged.
        """
        self._check_is_fitted()
        return self._grown("items", self._numbered_on(X, "items"))

    def _grown(self, side: Side, ratings: Ratings, told: NDArray[np.float64] | None = None) -> Self:
        """Add the rows of a side that ratings are of; `told` is as for `_solve_arrays`."""
        factors, own, other = self._factors(), self.user_ids_, self.item_ids_
        new, rows = ratings.user_ids, ratings
        if side == "items":
            factors, own, other = factors.transposed(), other, own
            new, rows = ratings.item_ids, ratings.transpose()
        known_columns: Side = "items" if side == "users" else "users"
        aligned = Rows.aligned(rows, other, known_columns)
        ids = own.extend(new.ids)
        solved = self._solve_arrays(aligned, factors, side, told)
        together = None if self.ratings_ is None else united(self.ratings_, ratings)
        self._append(side[:-1], solved, ratings)
        setattr(self, f"{side[:-1]}_ids_", ids)
        self.ratings_, self.n_features_in_ = together, len(self.item_ids_)
        return self

    def _numbered_on(self, X: object, side: Side) -> Ratings:
        """Return ratings of new users (items), numbered on from the known ones if they are numbers.

        The other side of a matrix gets the ids of the model.
        """
        ratings = model_ratings(X, self.dtype)
        axis = 0 if side == "users" else 1
        known, new = (self.user_ids_, self.item_ids_), [ratings.user_ids, ratings.item_ids]
        if not isinstance(X, Ratings):
            other = known[1 - axis]
            if ratings.shape[1 - axis] != len(other):
                raise ValueError(
                    f"X has shape {ratings.shape}; new {side} need "
                    f"{len(other)} {('columns', 'rows')[axis]}, as many as the model has "
                    f"{('items', 'users')[axis]}"
                )
            if not known[axis].is_range:
                raise ValueError(f"the {side} of this model have names; give Ratings with names")
            new[1 - axis] = other
        elif not (known[axis].is_range and new[axis].is_range):
            return ratings
        new[axis] = IdMap(np.arange(ratings.shape[axis]) + len(known[axis]))
        return ratings.with_ids(*new)

    def _append(self, side: str, solved: dict[str, Floats], ratings: Ratings) -> None:
        """Lengthen the arrays of a side by solved rows, and others of the solver by fresh ones."""
        rows: dict[str, Any] = {f"{side}_{name}": array for name, array in solved.items()}
        missing = [
            name
            for name in self._own_arrays
            if name.startswith(side) and name not in rows and getattr(self, f"{name}_") is not None
        ]
        if missing:
            fresh = self._start_again(ratings, self.seed_)
            rows |= {name: fresh[name] for name in missing}
        longer = {n: np.concatenate([getattr(self, f"{n}_"), rows[n]]) for n in rows}
        for name, array in longer.items():
            setattr(self, f"{name}_", array)

    def _united(self, ratings: Ratings, X: object) -> Ratings:
        """Return the ratings of the model together with others, for `partial_fit`."""
        known = self._known_ratings("partial_fit")
        if not isinstance(X, Ratings):
            self._check_n_columns(ratings.n_items)
            if not (self.user_ids_.is_range and self.item_ids_.is_range):
                raise ValueError("the rows of this model have names; give Ratings, not a matrix")
        return united(known, ratings)

    def _carried_over(self, fresh: dict[str, NDArray[Any]], ratings: Ratings) -> None:
        """Set the arrays for other ratings: rows of known ids as they are, the others folded in."""
        names = [name for name in fresh if name not in self._shared_arrays]
        old = {name: getattr(self, f"{name}_", None) for name in names}
        arrays = {name: array for name, array in old.items() if array is not None}
        new_users, new_items = carried_over(arrays, fresh, self.user_ids_, self.item_ids_, ratings)
        for name in set(self._shared_arrays) & set(fresh):
            fresh[name][...] = getattr(self, f"{name}_")
        if len(new_users):
            rows = Rows.of(ratings).chosen(new_users, left_out=new_items)
            self._fold_into(fresh, "user", new_users, rows)
        if len(new_items):
            rows = Rows.of(ratings.transpose()).chosen(new_items)
            self._fold_into(fresh, "item", new_items, rows)

    def _fold_into(
        self, arrays: dict[str, NDArray[Any]], side: str, places: NDArray[np.int64], rows: Rows
    ) -> None:
        factors = Factors.from_arrays(arrays, self.mean_, self.prior_)
        if side == "item":
            factors = factors.transposed()
        solved = self._solve_arrays(rows, factors, "users" if side == "user" else "items")
        for name, array in solved.items():
            arrays[f"{side}_{name}"][places] = array
