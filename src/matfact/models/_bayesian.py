# length: most of it is documentation
"""What the Bayesian models have in common: links of priors to what was rated, and to features."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.models._base import FactorModel
from matfact.models._data import Rows, model_ratings
from matfact.models._features import Features, with_rows, without_ratings
from matfact.models._linking import (
    LINK_OWN,
    LINK_SHARED,
    LINKED,
    feature_means,
    influences_of,
    link_shapes,
    link_start,
    rated_means,
)
from matfact.models._posteriors import SIDES, with_unrated
from matfact.ratings import IdMap, Ratings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from numpy.typing import NDArray

    from matfact.models._factors import Factors
    from matfact.models._growing import Floats, Side
    from matfact.models._linking import LinkedSides
    from matfact.training import TrainingState

    Doubles = NDArray[np.float64]

__all__ = ["BayesianModel", "assumed_parts"]

AUTO_FACTORS = ((1_000_000, 16), (10_000_000, 32), (math.inf, 64))
"""Numbers of ratings below which ``n_factors="auto"`` is so many."""


class BayesianModel(FactorModel):
    """Base of the models whose priors may depend on what a row has rated, and on its features."""

    link: LinkedSides

    prior_means_: NDArray[np.float64]
    unrated_means_: NDArray[np.float64]
    user_influences_: NDArray[np.float64] | None
    item_influences_: NDArray[np.float64] | None
    influence_precisions_: NDArray[np.float64] | None
    influence_covariances_: NDArray[np.float64] | None
    user_feature_names_: IdMap | None
    item_feature_names_: IdMap | None
    user_feature_coefficients_: NDArray[np.float64] | None
    item_feature_coefficients_: NDArray[np.float64] | None
    feature_precisions_: NDArray[np.float64] | None
    feature_covariances_: NDArray[np.float64] | None
    user_feature_means_: NDArray[np.float64] | None
    item_feature_means_: NDArray[np.float64] | None

    def _check_n_factors(self) -> None:
        if not isinstance(self.n_factors, str):
            super()._check_n_factors()
        elif self.n_factors != "auto":
            raise ValueError(
                f"n_factors is {self.n_factors!r}; give an integer of at least 1, or 'auto'"
            )

    def _n_factors_for(self, ratings: Ratings) -> int:
        """Return the number of factors of a new training."""
        if self.n_factors != "auto":
            return int(self.n_factors)
        return next(factors for limit, factors in AUTO_FACTORS if ratings.n_ratings < limit)

    def _n_factors_again(self) -> int:
        """Return the number of factors of a training that goes on."""
        return self.n_factors_ if self.n_factors == "auto" else int(self.n_factors)

    def _check_parameters(self) -> None:
        if self.link not in tuple(LINKED):
            known = ", ".join(map(repr, LINKED))
            raise ValueError(f"link is {self.link!r}; give one of {known}")

    def fit(
        self,
        X: object,
        y: object = None,
        *,
        validation: object = None,
        callbacks: Sequence[Callable[[TrainingState], object]] = (),
        user_features: object = None,
        item_features: object = None,
    ) -> Self:
        """Factorize ratings, on request with features of users and items.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, or array_like of shape (n_users, n_items)
            Missing ratings are absent (Ratings, scipy.sparse; a stored 0 is a rating) or NaN
            (dense). A fitted model speaks the ids of its `Ratings`, else row and column numbers.
        y : None
            Ignored; there for scikit-learn.
        validation : Ratings, matrix like X, or float, default=None
            Ratings that are not trained on: after each epoch their error is measured, training
            stops when it has not improved for `patience` epochs, and the best epoch is restored. A
            float is the share of X to set aside at random, 0 < validation < 1. Users and items
            that X does not have get the prediction for an unknown one.
        callbacks : sequence of callables, default=()
            Each is called after every epoch with a `matfact.training.TrainingState`; training
            stops when one returns True.
        user_features, item_features : Ratings, matrix or None, default=None
            What is known of users and items besides ratings. As `Ratings` the "users" are ids of
            users (items), the "items" names of features, the "ratings" their values, 1 for a label:
            ``Ratings.from_triples(films, genres, np.ones(len(films)))``. Ids without a rating
            become known to the model, which predicts for them by their features. As a matrix, dense
            or sparse: a row for each row (column) of X, names are column numbers, NaN is 0. Values
            are taken as they are; bring columns to one scale.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter, X or features are unsuitable. An earlier fit is then untouched.
        UnknownIdError
            If a warm start gets a feature that the model was not fitted with.
        DivergenceError
            If a value becomes infinite or NaN; the model then holds the epoch before.

        Notes
        -----
        See `ALS.fit` for Ctrl-C and ``warm_start=True``. Where training goes on without the
        features (`partial_fit`, too), what they say of each row stays as it is, and of new rows
        they say nothing.
        """
        self._check_common_parameters()
        self._check_parameters()
        given = {
            side: Features.of(features, f"{side[:-1]}_features")
            for side, features in zip(SIDES, (user_features, item_features), strict=True)
            if features is not None
        }
        goes_on = self.warm_start and self._is_fitted()
        names = self._feature_names() if goes_on else {}
        if given:
            ratings = model_ratings(X, self.dtype)
            known = dict(zip(SIDES, (ratings.user_ids, ratings.item_ids), strict=True))
            further = {side: given[side].ids_beyond(known[side]) for side in given}
            nothing = np.zeros(0, dtype=np.int64)
            X = with_rows(ratings, *(further.get(side, nothing) for side in SIDES))
            for side, features in given.items():
                if goes_on and side not in names:
                    raise ValueError(
                        f"this model was fitted without {features.name}, and a warm start needs "
                        "the same links, so set warm_start=False for a new beginning"
                    )
        self._fit_names = {side: table.names for side, table in given.items()} | names
        self._fit_features = given
        try:
            return super().fit(X, y, validation=validation, callbacks=callbacks)
        finally:
            del self._fit_names, self._fit_features

    def _feature_names(self) -> dict[Side, IdMap]:
        """Return the names of the features of the sides that have them."""
        if hasattr(self, "_fit_names"):
            names: dict[Side, IdMap] = self._fit_names
            return names
        if not self._is_fitted():
            return {}
        found = zip(SIDES, (self.user_feature_names_, self.item_feature_names_), strict=True)
        return {side: names for side, names in found if names is not None}

    def _features_of(self, ratings: Ratings) -> dict[Side, tuple[Rows, Rows]]:
        """Return the features that `fit` was given, by rows and by columns."""
        given: dict[Side, Features] = getattr(self, "_fit_features", {})
        ids = {"users": ratings.user_ids, "items": ratings.item_ids}
        names = self._feature_names()
        return {side: table.aligned(ids[side], names[side]) for side, table in given.items()}

    def _link_start(self, ratings: Ratings, n_factors: int) -> dict[str, NDArray[Any]]:
        """Return the arrays of the links before the first epoch."""
        counts = {side: len(names) for side, names in self._feature_names().items()}
        return link_start(link_shapes(ratings.shape, n_factors, LINKED[self.link], counts))

    def _set_result(self, factors: Factors, arrays: dict[str, NDArray[Any]]) -> None:
        names = self._feature_names()
        super()._set_result(factors, arrays)
        self.user_feature_names_ = names.get("users")
        self.item_feature_names_ = names.get("items")

    def _further_shapes(self) -> dict[str, tuple[int, ...] | None]:
        """Return the shapes of the links' arrays of a fitted model; None where there is none."""
        shape = len(self.user_factors_), len(self.item_factors_)
        counts = {side: len(names) for side, names in self._feature_names().items()}
        # Of the arrays, not the parameter, which may be another one by now.
        linked = [side for side in SIDES if getattr(self, f"{influences_of(side)}_") is not None]
        shapes = link_shapes(shape, self.n_factors_, linked, counts)
        return {name: shapes.get(name) for name in (*LINK_OWN, *LINK_SHARED)}

    def _carried_over(self, fresh: dict[str, NDArray[Any]], ratings: Ratings) -> None:
        for name in ("user_influences", "item_influences"):
            if (getattr(self, f"{name}_") is None) != (name not in fresh):
                raise ValueError(
                    f"link is {self.link!r} now and was another one; a warm start needs the same, "
                    "so set warm_start=False for a new beginning"
                )
        super()._carried_over(fresh, ratings)

    def _further_rows(
        self, rows: Rows, factors: Factors, side: Side, told: Doubles | None
    ) -> dict[str, Floats]:
        """Return by name what the links keep of solved rows: new ones say nothing of others."""
        size = self.n_factors_ + 1
        further: dict[str, Floats] = {}
        if "influences" in factors.more_of_users:
            further["influences"] = np.zeros((len(rows), size))
        if side in self._feature_names():
            further["feature_means"] = np.zeros((len(rows), size)) if told is None else told
        return further

    def _solve_rows(
        self, rows: Rows, factors: Factors, side: Side, told: Doubles | None = None
    ) -> tuple[Floats, Floats]:
        # Nothing else that is kept of rows is asked for.
        solved = self._solve_arrays(rows, replace(factors, more_of_users={}), side, told)
        return solved["factors"], solved["biases"]

    def _ridges(self, counts: Doubles, side: Side) -> tuple[Floats, Floats]:
        """Nothing: the prior is a matrix."""
        del side
        return np.zeros_like(counts), np.zeros_like(counts)

    def fold_in(self, X: object, *, features: object = None) -> Floats:
        """Compute the factors of users from their ratings, without changing the model.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, or array_like of shape (n_rows, n_items)
            Ratings of any users, also such as the model has never seen, of items that it knows. A
            matrix has a column for each item of the fit.
        features : Ratings, matrix or None, default=None
            Features of these users, as `user_features` of `fit`.

        Returns
        -------
        ndarray of shape (n_rows, n_factors) or (n_rows, n_factors + 1)
            A row for each user of X, in the order of ``X.user_ids``; the last column is the bias.
            `inverse_transform` turns the rows into predictions.

        Raises
        ------
        UnknownIdError
            If an item, or a feature, is unknown.
        NotFittedError
            If the model is not fitted.
        ValueError, TypeError
            If X or `features` are unsuitable.

        Notes
        -----
        Nearly one more half step of the training: how reliable each user is follows from a first
        solution, and features that the model knows of its users do not count, unless they are given
        again. Costs 2 n_ratings n_factors^2 multiply-adds and n_factors^3 for each row.
        """
        self._check_is_fitted()
        rows = self._rows(X)
        ids = X.user_ids if isinstance(X, Ratings) else IdMap.range(len(rows))
        told = self._told("users", features, ids)
        return np.column_stack(self._solve_rows(rows, self._factors(), "users", told))

    def add_users(self, X: object = None, *, features: object = None) -> Self:
        """Add users to the model; nothing that it knows about others changes.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, array_like of shape (n_new, n_items), or None
            Ratings of new users, of items that the model knows. Ids must be new. If the model
            numbers its users, further rows get the next numbers. None: there are features only.
        features : Ratings, matrix or None, default=None
            Features of these users, as `user_features` of `fit`. Users that X does not have are
            added by their features alone.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        ValueError
            If a user is known already, or neither X nor `features` is given.
        UnknownIdError
            If an item, or a feature, is unknown.

        Notes
        -----
        The new rows are those of `fold_in`. Costs a copy of the users' factors besides.
        """
        return self._added("users", X, features)

    def add_items(self, X: object = None, *, features: object = None) -> Self:
        """Add items to the model; nothing that it knows about others changes.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, array_like of shape (n_users, n_new), or None
            Ratings of new items, by users that the model knows. Ids must be new. If the model
            numbers its items, further columns get the next numbers; a matrix has a row for each
            user. None: there are features only.
        features : Ratings, matrix or None, default=None
            Features of these items, as `item_features` of `fit`. Items that X does not have are
            added by their features alone.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        ValueError
            If an item is known already, or neither X nor `features` is given.
        UnknownIdError
            If a user, or a feature, is unknown.

        Notes
        -----
        As `add_users` with users and items exchanged.
        """
        return self._added("items", X, features)

    def _added(self, side: Side, X: object, features: object) -> Self:
        self._check_is_fitted()
        if X is None and features is None:
            raise ValueError(f"add_{side} got neither X nor features; give one of them, or both")
        table = None
        if features is not None:
            table = self._numbered_features(features, side)
        if X is not None:
            ratings = self._numbered_on(X, side)
        else:
            ratings = self._without_ratings(side, table)
        own = ratings.user_ids if side == "users" else ratings.item_ids
        if table is not None and X is not None and not table.is_matrix:
            further, nothing = table.ids_beyond(own), np.zeros(0, dtype=np.int64)
            both = (further, nothing) if side == "users" else (nothing, further)
            ratings = with_rows(ratings, *both)
            own = ratings.user_ids if side == "users" else ratings.item_ids
        return self._grown(side, ratings, self._told(side, table, own))

    def _numbered_features(self, features: object, side: Side) -> Features:
        """Return features of new rows, numbered on as `_numbered_on` does with ratings."""
        table = Features.of(features, "features")
        known = self.user_ids_ if side == "users" else self.item_ids_
        if table.is_matrix or not (known.is_range and table.table.user_ids.is_range):
            return table
        new = IdMap(np.arange(table.table.n_users) + len(known))
        return replace(table, table=table.table.with_ids(new, table.names))

    def _without_ratings(self, side: Side, table: Features | None) -> Ratings:
        """Return ratings that are none, of new rows of a side."""
        assert table is not None  # noqa: S101 (the caller has looked)
        known = self.user_ids_ if side == "users" else self.item_ids_
        new = table.table.user_ids
        if table.is_matrix:
            if not known.is_range:
                raise ValueError(f"the {side} of this model have names; give Ratings with names")
            new = IdMap(np.arange(table.table.n_users) + len(known))
        ids = (new, self.item_ids_) if side == "users" else (self.user_ids_, new)
        return without_ratings(*ids, self.dtype, self.ratings_)

    def _told(self, side: Side, features: object, ids: IdMap) -> Doubles | None:
        """Return what features say of rows with these ids."""
        if features is None:
            return None
        table = features
        if not isinstance(table, Features):
            table = Features.of(features, "features")
        names = self._feature_names().get(side)
        if names is None:
            raise ValueError(
                f"this model was fitted without {side[:-1]}_features; fit it with them"
            )
        table.ids_beyond(ids)  # checks the number of rows of a matrix
        return self._feature_means(table.aligned(ids, names)[0], side)

    def _feature_means(self, rows: Rows, side: Side) -> Doubles:
        """Return what features say of rows of a side."""
        coefficients = (self.user_feature_coefficients_, self.item_feature_coefficients_)
        own = coefficients[SIDES.index(side)]
        assert own is not None  # noqa: S101 (there are names)
        return feature_means(rows, own, self._threads())

    def _prior_means(
        self, rows: Rows, factors: Factors, side: Side, told: Doubles | None
    ) -> Doubles:
        """Return the means of the priors of rows, one for all if they do not differ."""
        means: Doubles = self.prior_means_[SIDES.index(side)][np.newaxis]
        influences = factors.more_of_items.get("influences")
        if influences is not None:
            means = means + rated_means(rows, influences, self._threads())
        if told is not None:
            means = means + told
        return with_unrated(means, rows.counts() == 0, self.unrated_means_[SIDES.index(side)])

    def _link_covariance(self, side: Side) -> Doubles | None:
        """Return the mean covariance of what the links say of rows; None without links."""
        place = SIDES.index(side)
        there = [influences_of(side), f"{side[:-1]}_feature_coefficients"]
        kinds = (self.influence_covariances_, self.feature_covariances_)
        found = [
            kind[place]
            for name, kind in zip(there, kinds, strict=True)
            if kind is not None and getattr(self, f"{name}_") is not None
        ]
        return sum(found[1:], found[0]) if found else None


def assumed_parts(
    n_rated: int, mean: Doubles, influences: Floats | None, direction: Doubles
) -> Doubles | float:
    """Return what the prior of a user adds to a prediction, handed to each rating.

    Parameters
    ----------
    n_rated : int
        Ratings of the user.
    mean : ndarray of shape (n_factors + 1,)
        Of the prior without the link, which all ratings have equal parts in.
    influences : ndarray of shape (n_rated, n_factors + 1) or None
        What each item that is rated says of the user.
    direction : ndarray of shape (n_factors + 1,)
        What the prediction changes by with the mean of the prior.
    """
    count = max(n_rated, 1)
    parts: Doubles | float = direction @ mean / count
    if influences is not None:
        parts = parts + influences @ direction / math.sqrt(count)
    return parts
