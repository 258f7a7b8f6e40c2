# length: most of it is documentation
"""The contract of all estimators: fitting, and what a fitted model consists of.

What a fitted model can do stands in `_serving` (predictions, explanations), `_recommending` and
`_growing` (new users, new items, new ratings). A model class has parameters, documentation and a
solver (see `matfact.training.loop.Trainable`); it has no inner loops.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._random import random_source
from matfact._threads import resolve_n_threads
from matfact._validation import check_integer, check_number
from matfact.models._data import model_ratings, validation_pairs, validation_share
from matfact.models._factors import Factors
from matfact.models._serving import Serving
from matfact.models._start import scale_of
from matfact.training import History, StoppingRule, train

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from typing import Self, TypeAlias

    from numpy.typing import NDArray

    from matfact.ratings import Ratings
    from matfact.training import BestState, Trainable, TrainingState

    Arrays: TypeAlias = dict[str, NDArray[Any]]
    Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = ["FactorModel"]

LARGEST_SEED = 2**63 - 1


class FactorModel(Serving, ABC):
    """Base of the estimators that factorize ratings."""

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise if a parameter of the model itself is wrong; common ones are checked here."""

    @abstractmethod
    def _solver(self, ratings: Ratings, arrays: Arrays, mean: float, seed: int) -> Trainable:
        """Return the solver that updates the arrays."""

    def _mean_of(self, ratings: Ratings) -> float:
        """Return the constant of the model; the factors and biases explain the rest."""
        return ratings.mean

    def _prior_of(self, ratings: Ratings) -> float:
        """Return what is predicted for an unknown user and an unknown item."""
        return ratings.mean

    def _clip_range(self, ratings: Ratings) -> tuple[float, float]:
        """Return the limits of predictions: the smallest and the largest rating."""
        return float(ratings.user_values.min()), float(ratings.user_values.max())

    def _check_ratings(self, ratings: Ratings) -> None:
        """Raise if the model has no use for such ratings."""

    def fit(
        self,
        X: object,
        y: object = None,  # noqa: ARG002 (scikit-learn passes it)
        *,
        validation: object = None,
        callbacks: Sequence[Callable[[TrainingState], object]] = (),
    ) -> Self:
        """Factorize ratings.

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
            that X does not have get the prediction for an unknown one; a model for implicit
            feedback leaves them out, and refuses a part of which nothing is left.
        callbacks : sequence of callables, default=()
            Each is called after every epoch with a `matfact.training.TrainingState`; training
            stops when one returns True.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter or X is unsuitable. An earlier fit is then untouched.
        DivergenceError
            If a value becomes infinite or NaN; the model then holds the epoch before.

        Notes
        -----
        Ctrl-C leaves the model fitted, in the state of the last finished epoch; with
        ``warm_start=True`` the next fit goes on from there, to the same numbers as without the
        interruption. With ``warm_start=True`` rows are matched by id, `max_iter` counts the further
        epochs, and users and items that are new start from what their ratings say (`fold_in`).
        """
        self._check_common_parameters()
        self._check_parameters()
        ratings = model_ratings(X, self.dtype)
        self._check_ratings(ratings)
        seed = self._seed_of_fit()
        validation = _checked_validation(validation)
        if isinstance(validation, float):
            ratings, validation = validation_share(ratings, validation, seed)
        if self.warm_start and self._is_fitted():
            arrays = self._arrays_for(ratings, seed)
            history, best = self.history_, self._resumed_best()
        else:
            arrays, history, best = self._start(ratings, seed), History(), None
        self._train(ratings, arrays, history, best, seed, validation, callbacks)
        return self

    def fit_transform(self, X: object, y: object = None, **fit_params: Any) -> Floats:
        """Fit the model and return the factors of its users.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, or array_like of shape (n_users, n_items)
            See `fit`.
        y : None
            Ignored.
        **fit_params : object
            Keywords of `fit`.

        Returns
        -------
        ndarray of shape (n_users, n_factors) or (n_users, n_factors + 1)
            What ``fit(X).transform(X)`` returns.
        """
        self.fit(X, y, **fit_params)
        return self.transform(X)

    def partial_fit(self, X: object, y: object = None) -> Self:  # noqa: ARG002 (as fit)
        """Take in further ratings: one more epoch over all ratings, from where the model stands.

        Users and items that are new are added first (see `add_users`). Where X has a rating of a
        pair that is known already, it replaces the old one.

        Parameters
        ----------
        X : Ratings, sparse matrix or array, or array_like
            As for `fit`. Rows and columns of a matrix are numbered as in the matrix of the fit, and
            its columns must be as many; further rows are new users.
        y : None
            Ignored.

        Returns
        -------
        estimator
            Itself; an unfitted one is fitted by one epoch.

        Raises
        ------
        TypeError, ValueError
            If X is unsuitable, or the model was loaded without its ratings.

        Notes
        -----
        Costs an epoch over all ratings. Use `add_users` and `add_items` to leave the rows of others
        as they are, at the cost of the new rows only.
        """
        self._check_common_parameters()
        self._check_parameters()
        ratings = model_ratings(X, self.dtype)
        self._check_ratings(ratings)
        if self._is_fitted():
            seed = self.seed_
            ratings = self._united(ratings, X)
            arrays, history = self._arrays_for(ratings, seed), self.history_
        else:
            seed = self._seed_of_fit()
            arrays, history = self._start(ratings, seed), History()
        self._train(ratings, arrays, history, None, seed, None, (), max_epochs=1)
        return self

    def save(self, path: str | os.PathLike[str], *, include_ratings: bool = True) -> None:
        """Write the model to a file, which `matfact.load` reads.

        Parameters
        ----------
        path : str or path-like
            The file; it appears whole or not at all, and replaces one that is there.
        include_ratings : bool, default=True
            Whether the training ratings are written too. Without them the file is smaller, and the
            loaded model can neither leave out what a user has seen, nor explain, nor
            `partial_fit`.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError
            If ids are neither numbers nor text.
        OSError
            If writing fails.
        """
        from matfact.persistence import save  # noqa: PLC0415 (the one look upwards, when called)

        save(self, path, include_ratings=include_ratings)

    def _train(
        self,
        ratings: Ratings,
        arrays: Arrays,
        history: History,
        best: BestState | None,
        seed: int,
        validation: Any,
        callbacks: Sequence[Callable[[TrainingState], object]],
        max_epochs: int | None = None,
    ) -> None:
        """Run the loop; whatever ends it, the model is then fitted to what the arrays hold."""
        mean, scale = self._units(ratings, goes_on=bool(len(history)))
        factors = Factors.from_arrays(arrays, mean, self._prior_of(ratings))
        limits = self._clip_range(ratings)
        error = self._validation_error(ratings, validation, factors, limits, arrays)
        self.scale_ = scale
        solver = self._solver(ratings, arrays, mean, seed)
        solver.best = best
        history = History(history)
        rule = StoppingRule(
            self.max_iter if max_epochs is None else max_epochs,
            0.0 if max_epochs is not None else float(self.tol),
            self.patience,
            self._warm_up(),
            self._may_settle_after(),
        )
        epoch = history[-1].iteration if len(history) else 0
        try:
            epoch = train(
                solver,
                history,
                rule,
                validation_error=error,
                callbacks=callbacks,
                verbose=self.verbose,
                description=type(self).__name__,
            )
        except BaseException:
            epoch = history[-1].iteration if len(history) else epoch
            raise
        finally:
            self._finish(factors, ratings)
            self._set_result(factors, arrays)
            self.user_ids_, self.item_ids_ = ratings.user_ids, ratings.item_ids
            self.ratings_, self.rating_range_ = ratings, limits
            self.history_, self.seed_, self._best = history, seed, solver.best
            self.n_iter_ = history[-1].iteration if len(history) else 0
            self.best_iteration_ = epoch
            self.n_features_in_ = ratings.n_items

    def _units(self, ratings: Ratings, *, goes_on: bool) -> tuple[float, float]:
        """Return the constant of the model, and what the parameters of the solver are in units of.

        `goes_on` tells that epochs went before.
        """
        del goes_on
        mean = self._mean_of(ratings)
        return mean, self._scale_of(ratings, mean)

    def _scale_of(self, ratings: Ratings, mean: float) -> float:
        """Return what the parameters of the solver are in units of."""
        return scale_of(ratings, mean)

    def _finish(self, factors: Factors, ratings: Ratings) -> None:
        """Change factors, in place, that training leaves alone."""

    def _warm_up(self) -> int:
        """Return the number of first epochs that tell nothing about those to come."""
        return 0

    def _may_settle_after(self) -> int:
        """Return the number of first epochs whose objectives are not of one kind."""
        return 0

    def _set_result(self, factors: Factors, arrays: Arrays) -> None:
        self.user_factors_, self.item_factors_ = factors.user_factors, factors.item_factors
        self.user_biases_, self.item_biases_ = factors.user_biases, factors.item_biases
        self.mean_, self.prior_ = factors.mean, factors.prior
        for name in (*self._own_arrays, *self._shared_arrays):
            setattr(self, f"{name}_", arrays.get(name))

    def _validation_error(
        self,
        ratings: Ratings,
        validation: Any,
        factors: Factors,
        limits: tuple[float, float],
        arrays: Arrays,
    ) -> Callable[[], float] | None:
        """Return a function that gives the RMSE of the arrays as they stand, or None."""
        if validation is None:
            return None
        validation = model_ratings(validation, self.dtype, "validation")
        users, items, truth = validation_pairs(validation, ratings)
        n_threads, times = self._threads(), validation.timestamps

        def error() -> float:
            predicted = factors.predict_pairs(users, items, n_threads)
            predicted += self._effects_of_time(users, times, arrays)
            if self.clip:
                np.clip(predicted, *limits, out=predicted)
            return float(np.sqrt(np.mean((truth - predicted) ** 2)))

        return error

    def _arrays_for(self, ratings: Ratings, seed: int) -> Arrays:
        """Return the arrays of the model for the users and items of other ratings."""
        arrays = self._start_again(ratings, seed)
        self._carried_over(arrays, ratings)
        return arrays

    def _resumed_best(self) -> BestState | None:
        best: BestState | None = getattr(self, "_best", None)
        return best

    def _seed_of_fit(self) -> int:
        """Draw the seed of a training, from which all its random numbers follow.

        A training that goes on keeps the one that it began with.
        """
        if self.warm_start and self._is_fitted():
            return self.seed_
        if isinstance(self.random_state, int | np.integer) and not isinstance(
            self.random_state, bool
        ):
            random_source(self.random_state)  # checks the range
            return int(self.random_state)
        source = random_source(self.random_state)
        if isinstance(source, np.random.Generator):
            return int(source.integers(LARGEST_SEED))
        return int(source.randint(LARGEST_SEED, dtype=np.int64))

    def _check_n_factors(self) -> None:
        check_integer(self.n_factors, "n_factors", minimum=1)

    def _check_common_parameters(self) -> None:
        self._check_n_factors()
        check_integer(self.max_iter, "max_iter", minimum=1)
        check_integer(self.patience, "patience", minimum=1)
        check_number(self.tol, "tol", zero_allowed=True)
        resolve_n_threads(self.n_threads)
        if np.dtype(self.dtype) not in (np.float32, np.float64):
            raise TypeError(f"dtype is {self.dtype!r}; give float32 or float64")
        for name in ("clip", "warm_start"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise TypeError(f"{name} is {getattr(self, name)!r}; give True or False")


def _checked_validation(validation: Any) -> Any:
    """Return a share as a float, anything else as it is."""
    if isinstance(validation, float | np.floating):
        share = float(validation)
        if not 0.0 < share < 1.0:
            raise ValueError(f"validation is {share}; give a share of the ratings between 0 and 1")
        return share
    if isinstance(validation, bool | int | str):
        raise TypeError(
            f"validation is {validation!r}; give ratings, or a share of them as a float such as 0.1"
        )
    return validation
