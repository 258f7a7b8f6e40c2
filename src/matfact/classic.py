"""The textbook class: matrix factorization by gradient descent with in-place steps."""

# length: every name of the original class is documented in full here, in one place

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._random import random_source
from matfact._threads import resolve_n_threads
from matfact._validation import (
    check_finite,
    check_index,
    check_integer,
    check_number,
    dense_ratings,
    factor_array,
)
from matfact.exceptions import DivergenceError
from matfact.training.gradient_descent import DenseProblem
from matfact.training.history import History

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from matfact._random import RandomStateLike
    from matfact.training.gradient_descent import Run, Sweep

    Floats = NDArray[np.float64]

__all__ = ["matrix_factorization"]

CHECK_EVERY = 50
"""Iterations between two checks; the first is after iteration 1."""


class matrix_factorization:  # noqa: N801 (the name that users of the class know)
    """Factorize a ratings matrix into user features times item features.

    Model: ``data[i, j] ~ user_features[i, :] @ item_features[:, j]``. Objective: the sum of the
    squared errors over the ratings that are present. One iteration takes every scalar of
    `user_features` (user by user) and then of `item_features` (feature by feature) in turn, and
    adds `learning_rate` times its averaged gradient, each step seeing the steps before it::

        user_features[i, f] += learning_rate * 2 / m * sum_j (r_ij - p_ij) * item_features[f, j]
        item_features[f, j] += learning_rate * 2 / n * sum_i (r_ij - p_ij) * user_features[i, f]

    for n users and m items. A missing rating adds nothing to a sum; m and n stay the full counts.

    Parameters
    ----------
    data : array_like of shape (n_users, n_items)
        Ratings: booleans, integers or floats, NaN (or masked, in a masked array) where missing.
        Copied, as float64.
    features : int
        Number of features k of each user and item, at least 1.
    random_state : int, numpy.random.RandomState, numpy.random.Generator or None, default=None
        Where the first factors come from: uniform between 0.1 and 0.9, the users' drawn first.
        None is numpy's global state, so that ``np.random.seed`` decides; an integer is a seed and
        gives the factors that ``np.random.seed`` with it would give.
    n_threads : int or None, default=None
        Threads of the compiled kernels, at least 1. None: as ``matfact.threads`` says, else as
        OpenMP decides. Results do not depend on it.
    verbose : bool, default=True
        Whether `train_model` prints the sum of squared errors at each check.
    tol : float or None, default=None
        If given, `train_model` ends when, from one check to the next, the sum of squared errors
        falls by less than `tol` times its value.

    Attributes
    ----------
    data : ndarray of shape (n_users, n_items)
        A read-only view of the ratings. Another matrix of the same shape may be assigned.
    user_features : ndarray of float64, shape (n_users, k)
    item_features : ndarray of float64, shape (k, n_items)
        The factors. They may be changed in place, or assigned: a copy is taken.
    features, user_count, item_count : int
        k, n_users and n_items.
    history_ : matfact.training.History
        The checks of the last `train_model`: iteration, objective (sum of squared errors) and
        seconds, after iterations 1, 51, 101 and so on.

    Raises
    ------
    TypeError
        If `data` is not made of real numbers or is sparse, or another argument has a wrong type.
    ValueError
        If `data` is not 2-d, is empty, is all missing or holds an infinite value, or another
        argument is out of range.

    Notes
    -----
    An iteration costs ``2 n m k`` multiply-adds on a full matrix, less if it is long in one
    direction and trained for many iterations, and about ``6 k`` for each rating if more than
    45 % are missing (see `matfact.training.gradient_descent`). Memory: `data` as float64, about
    once more if some ratings are missing, and the factors twice.

    The class computes what https://gist.github.com/jdmoore7/0d15bcdacdb6fa5b4b46c00821a76e21
    does, to about 1e-12, except that bad calls raise exceptions.

    Examples
    --------
    >>> import numpy as np
    >>> from matfact import matrix_factorization
    >>> ratings = np.array([[5, 3, np.nan, 1], [4, np.nan, 1, 1], [1, 1, 5, 4]])
    >>> model = matrix_factorization(ratings, features=2, random_state=0, verbose=False)
    >>> model.train_model(learning_rate=0.1, iterations=500)
    >>> bool(model.MSE() < 0.1)
    True
    >>> model.predict().shape
    (3, 4)
    """

    def __init__(
        self,
        data: ArrayLike,
        features: int,
        *,
        random_state: RandomStateLike = None,
        n_threads: int | None = None,
        verbose: bool = True,
        tol: float | None = None,
    ) -> None:
        self._unfinished: Run | None = None
        self._set_data(dense_ratings(data))
        self._features = check_integer(features, "features", minimum=1)
        resolve_n_threads(n_threads)
        self.n_threads = n_threads
        self.verbose = verbose
        self.tol = None if tol is None else check_number(tol, "tol", zero_allowed=True)
        self.history_ = History()

        source = random_source(random_state)
        n_users, n_items = self._data.shape
        self._user_features = source.uniform(0.1, 0.9, size=(n_users, self._features))
        self._item_features = source.uniform(0.1, 0.9, size=(self._features, n_items))

    def __repr__(self) -> str:
        n_users, n_items = self._data.shape
        return f"<matrix_factorization: {n_users} x {n_items}, features={self._features}>"

    def __getstate__(self) -> dict[str, Any]:
        # A training that was interrupted holds the kernels' module, which cannot be copied.
        self._settle()
        return self.__dict__

    @property
    def features(self) -> int:
        """Number of features k."""
        return self._features

    @property
    def user_count(self) -> int:
        """Number of users, the rows of the data."""
        return self._problem.shape[0]

    @property
    def item_count(self) -> int:
        """Number of items, the columns of the data."""
        return self._problem.shape[1]

    @property
    def data(self) -> Floats:
        """The ratings, read-only; assign a matrix of the same shape to replace them."""
        view = self._data.view()
        view.flags.writeable = False
        return view

    @data.setter
    def data(self, data: ArrayLike) -> None:
        array = dense_ratings(data)
        if array.shape != self._data.shape:
            raise ValueError(
                f"data has shape {array.shape} and must keep {self._data.shape}; make a new "
                "matrix_factorization for ratings of another shape"
            )
        self._settle()
        self._set_data(array)

    @property
    def user_features(self) -> Floats:
        """Features of the users, of shape (n_users, k)."""
        self._settle()
        return self._user_features

    @user_features.setter
    def user_features(self, value: ArrayLike) -> None:
        factors = factor_array(value, "user_features", self._user_features.shape)
        self._settle()
        self._user_features = factors

    @property
    def item_features(self) -> Floats:
        """Features of the items, of shape (k, n_items)."""
        self._settle()
        return self._item_features

    @item_features.setter
    def item_features(self, value: ArrayLike) -> None:
        factors = factor_array(value, "item_features", self._item_features.shape)
        self._settle()
        self._item_features = factors

    def MSE(self) -> float:  # noqa: N802 (the name that users of the class know)
        """Return the SUM of the squared errors over the ratings that are present.

        The name is that of the original class. Takes ``n m k`` multiply-adds and no n x m array.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If the factors were changed in place to something that is not finite.
        """
        factors = self._checked_current_factors()
        return self._problem.squared_error(*factors, resolve_n_threads(self.n_threads))

    def predict(self) -> Floats:
        """Return the predicted ratings of all users for all items.

        Returns
        -------
        ndarray of float64, shape (n_users, n_items)
            ``user_features @ item_features``; as large as the data, 8 bytes a cell.
        """
        users, items = self._checked_current_factors()
        predictions: Floats = users @ items
        return predictions

    def single_gradient(
        self,
        user_row: int,
        item_col: int,
        wrt_user_idx: int | None = None,
        wrt_item_idx: int | None = None,
    ) -> float:
        """Return the gradient of one cell with respect to one feature of its user or item.

        Parameters
        ----------
        user_row, item_col : int
            The cell, from 0.
        wrt_user_idx, wrt_item_idx : int or None, default=None
            The feature, from 0; exactly one of the two.

        Returns
        -------
        float
            ``2 (r - p) x``, x being that feature of the other side: the direction in which the
            squared error falls. 0 if the rating is missing.

        Raises
        ------
        TypeError
            If an index is not an integer.
        IndexError
            If an index is out of range; negative ones are.
        ValueError
            If both features are given, or none.
        """
        if wrt_user_idx is not None and wrt_item_idx is not None:
            raise ValueError("Too many elements: give wrt_user_idx or wrt_item_idx, not both")
        if wrt_user_idx is None and wrt_item_idx is None:
            raise ValueError("insufficient elements: give wrt_user_idx or wrt_item_idx")
        row = check_index(user_row, "user_row", self.user_count)
        column = check_index(item_col, "item_col", self.item_count)
        users, items = self._checked_current_factors()
        error = self._data[row, column] - users[row] @ items[:, column]
        if wrt_user_idx is not None:
            factor = items[check_index(wrt_user_idx, "wrt_user_idx", self._features), column]
        else:
            factor = users[row, check_index(wrt_item_idx, "wrt_item_idx", self._features)]
        return 0.0 if np.isnan(self._data[row, column]) else float(2 * error * factor)

    def user_feature_gradient(self, user_row: int, wrt_user_idx: int) -> float:
        """Return the gradient for one feature of a user, averaged over all items.

        Parameters
        ----------
        user_row : int
            The user, from 0.
        wrt_user_idx : int
            The feature, from 0.

        Returns
        -------
        float
            The sum of `single_gradient` over the items, a missing rating adding 0, divided by the
            number of all items.

        Raises
        ------
        TypeError
            If an index is not an integer.
        IndexError
            If an index is out of range; negative ones are.
        """
        row = check_index(user_row, "user_row", self.user_count)
        feature = check_index(wrt_user_idx, "wrt_user_idx", self._features)
        users, items = self._checked_current_factors()
        errors = self._data[row] - users[row] @ items
        return float(np.nansum(2 * errors * items[feature]) / self.item_count)

    def item_feature_gradient(self, item_col: int, wrt_item_idx: int) -> float:
        """Return the gradient for one feature of an item, averaged over all users.

        Parameters
        ----------
        item_col : int
            The item, from 0.
        wrt_item_idx : int
            The feature, from 0.

        Returns
        -------
        float
            The sum of `single_gradient` over the users, a missing rating adding 0, divided by the
            number of all users.

        Raises
        ------
        TypeError
            If an index is not an integer.
        IndexError
            If an index is out of range; negative ones are.
        """
        column = check_index(item_col, "item_col", self.item_count)
        feature = check_index(wrt_item_idx, "wrt_item_idx", self._features)
        users, items = self._checked_current_factors()
        errors = self._data[:, column] - users @ items[:, column]
        return float(np.nansum(2 * errors * users[:, feature]) / self.user_count)

    def update_user_features(self, learning_rate: float) -> None:
        """Take one step for every user feature, each seeing the steps before it.

        Parameters
        ----------
        learning_rate : float
            Above 0.

        Raises
        ------
        DivergenceError
            If a value is not finite; the features are left as they were.
        """
        self._update("users", learning_rate)

    def update_item_features(self, learning_rate: float) -> None:
        """Take one step for every item feature, each seeing the steps before it.

        Parameters
        ----------
        learning_rate : float
            Above 0.

        Raises
        ------
        DivergenceError
            If a value is not finite; the features are left as they were.
        """
        self._update("items", learning_rate)

    def train_model(self, learning_rate: float = 0.1, iterations: int = 1000) -> None:
        """Train: each iteration updates the user features, then the item features.

        After iterations 1, 51, 101 and so on the sum of squared errors is computed, put into
        `history_`, printed if `verbose`, and compared with `tol`.

        Parameters
        ----------
        learning_rate : float, default=0.1
            Above 0.
        iterations : int, default=1000
            At least 0.

        Raises
        ------
        DivergenceError
            If a value is not finite, its `epoch` being the iteration; the factors are those of
            the iteration before. A smaller learning rate helps.
        KeyboardInterrupt
            On Ctrl-C; the factors are those of the last finished iteration.
        """
        rate = check_number(learning_rate, "learning_rate")
        total = check_integer(iterations, "iterations", minimum=0)
        n_threads = resolve_n_threads(self.n_threads)
        factors = self._checked_current_factors()
        began = time.perf_counter()
        self.history_ = History()

        run = self._problem.start(*factors, total, n_threads)
        self._unfinished = run  # Ctrl-C may come from here on; see _settle
        finished = 0
        try:
            while finished < total:
                length = min(CHECK_EVERY if finished else 1, total - finished)
                run.iterate(rate, length, n_threads)
                finished += length
                if finished % CHECK_EVERY == 1:
                    objective = run.squared_error(n_threads)
                    seconds = time.perf_counter() - began
                    self.history_.record(finished, objective=objective, seconds=seconds)
                    if self.verbose:
                        print(objective)
                    if self._has_converged():
                        break
        except DivergenceError:
            self._settle()
            raise
        self._settle()

    def _has_converged(self) -> bool:
        """Whether the objective fell by less than the fraction `tol` between the last checks."""
        if self.tol is None or len(self.history_) < 2:
            return False
        before, now = self.history_[-2].objective, self.history_[-1].objective
        return before - now < self.tol * before or before == 0

    def _update(self, sweep: Sweep, learning_rate: float) -> None:
        rate = check_number(learning_rate, "learning_rate")
        factors = self._checked_current_factors()
        n_threads = resolve_n_threads(self.n_threads)
        self._problem.iterate(*factors, rate, 1, n_threads, sweep=sweep)

    def _settle(self) -> None:
        """Bring the factors up to date after an interrupted training.

        After Ctrl-C `train_model` leaves at once, and the part of its work that may take long on a
        large matrix is done here, when the factors are read next.
        """
        if self._unfinished is not None:
            self._unfinished.finish(resolve_n_threads(self.n_threads))
            self._unfinished = None

    def _set_data(self, data: Floats) -> None:
        self._data = data
        self._problem = DenseProblem(data)

    def _checked_current_factors(self) -> tuple[Floats, Floats]:
        """Both factors, which the user may have changed in place."""
        self._settle()
        check_finite(self._user_features, "user_features")
        check_finite(self._item_features, "item_features")
        return self._user_features, self._item_features
