# length: most of it is documentation
"""Gradient descent on all ratings at once: the classic algorithm as an estimator."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._validation import check_number
from matfact.exceptions import DivergenceError
from matfact.kernels import gd
from matfact.models._alternating import weighted_squares
from matfact.models._base import FactorModel
from matfact.models._start import normal_start, scale_of
from matfact.ratings.baselines import fit_damped_means

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from matfact._random import RandomStateLike
    from matfact.models._growing import Side
    from matfact.ratings import Ratings
    from matfact.training import BestState

__all__ = ["GD"]

DEFAULT_RATE = 0.2
MOST_HALVINGS = 10

START_SPREAD = 0.01
"""A small start lets the strongest directions grow first, so that stopping early leaves the weak
ones, which are mostly noise, near zero."""


class GD(FactorModel):
    r"""Matrix factorization by gradient descent with in-place steps, after damped means.

    Predicts :math:`\hat r_{ui} = \mu + b_u + c_i + p_u \cdot q_i`. The biases are damped means,
    computed beforehand (`bias_damping`); then the factors descend on

    .. math::

        \sum_{(u,i)} (r_{ui} - \hat r_{ui})^2
        + \lambda s (\bar n_u \sum_u |p_u|^2 + \bar n_i \sum_i |q_i|^2),

    where s is the standard deviation of what the biases leave and the :math:`\bar n` are the mean
    numbers of ratings of users and items. An epoch changes one factor after another, for all users
    and then for all items, as `matfact.matrix_factorization` does,

    .. math::

        p_{uf} \mathrel{+}= \frac{2 \eta}{s \bar n_u} \sum_i e_{ui} q_{if}

    with the newest errors e, after shrinking all factors by :math:`1 - 2 \eta \lambda`. The scale s
    makes one learning rate suit all scales of ratings.

    Parameters
    ----------
    n_factors : int, default=16
        Length of the vectors p and q, at least 1.
    learning_rate : float or None, default=None
        :math:`\eta`, above 0. None is 0.2, halved (up to ten times) if training diverges, as it may
        where a few rows have most of the ratings.
    regularization : float, default=0.3
        :math:`\lambda`, at least 0, with :math:`2 \eta \lambda < 1`.
    biases : bool, default=True
        Whether there are b and c; without them :math:`\mu` is 0 too.
    bias_damping : float, default=5.0
        Imagined ratings without bias that each user and item gets, at least 0.
    max_iter : int, default=60
        Epochs at most, at least 1.
    tol : float, default=0.0
        Training stops when an epoch lowers the objective (with a validation part: the error, see
        `patience`) by less than this share of it; 0 never stops without a validation part. The
        first epochs change little, as the start is small.
    patience : int, default=10
        With a validation part: epochs in a row without improvement after which training stops.
    random_state : int, Generator, RandomState or None, default=None
        Of the start. Equal seeds give equal bits, for any number of threads.
    n_threads : int or None, default=None
        None: `matfact.threads`, else what OpenMP says.
    dtype : float32 or float64, default=float32
        Of factors and computation.
    clip : bool, default=True
        Whether predictions are cut to the range of the training ratings.
    warm_start : bool, default=False
        Whether `fit` goes on from the present factors.
    verbose : bool, default=False
        Whether to show a progress bar (with tqdm installed; else lines of ``logging``).

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n_users, n_factors), (n_items, n_factors)
        p and q.
    user_biases_, item_biases_ : ndarray of shape (n_users,), (n_items,), or None
        b and c.
    mean_ : float
        :math:`\mu`, the mean of the training ratings.
    learning_rate_ : float
        :math:`\eta` after halvings.
    user_ids_, item_ids_ : IdMap
        Ids of the rows.
    ratings_ : Ratings or None
        What the model was trained on.
    history_ : History
        Objective, validation error and seconds of each epoch.
    n_iter_, best_iteration_ : int
        Epochs run, and the epoch whose factors are kept.
    rating_range_ : (float, float)
        Smallest and largest training rating.
    n_features_in_ : int
        Number of items.

    Notes
    -----
    An epoch costs 6 N k multiply-adds for N ratings and k factors; far more epochs are needed than
    with `ALS` or `SGD`. Weights of ratings are not supported. Memory: the ratings by users and by
    items, twice, and four copies of the factors.

    Examples
    --------
    >>> from matfact import GD, make_ratings
    >>> ratings = make_ratings(200, 100, 5000, random_state=0)
    >>> model = GD(n_factors=4, max_iter=50, random_state=0).fit(ratings)
    >>> model.item_factors_.shape
    (100, 4)
    """

    learning_rate_: float
    ridges_: tuple[float, float]

    def __init__(
        self,
        *,
        n_factors: int = 16,
        learning_rate: float | None = None,
        regularization: float = 0.3,
        biases: bool = True,
        bias_damping: float = 5.0,
        max_iter: int = 60,
        tol: float = 0.0,
        patience: int = 10,
        random_state: RandomStateLike = None,
        n_threads: int | None = None,
        dtype: DTypeLike = np.float32,
        clip: bool = True,
        warm_start: bool = False,
        verbose: bool = False,
    ) -> None:
        self.n_factors = n_factors
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.biases = biases
        self.bias_damping = bias_damping
        self.max_iter = max_iter
        self.tol = tol
        self.patience = patience
        self.random_state = random_state
        self.n_threads = n_threads
        self.dtype = dtype
        self.clip = clip
        self.warm_start = warm_start
        self.verbose = verbose

    def _check_parameters(self) -> None:
        check_number(self.regularization, "regularization", zero_allowed=True)
        check_number(self.bias_damping, "bias_damping", zero_allowed=True)
        rate = DEFAULT_RATE
        if self.learning_rate is not None:
            rate = check_number(self.learning_rate, "learning_rate")
        if 2 * rate * self.regularization >= 1:
            raise ValueError(
                f"regularization is {self.regularization} at learning rate {rate}; their product "
                "must be below 0.5, or factors would change sign in each epoch"
            )
        if not isinstance(self.biases, bool | np.bool_):
            raise TypeError(f"biases is {self.biases!r}; give True or False")

    def _check_ratings(self, ratings: Ratings) -> None:
        if ratings.user_weights is not None:
            raise ValueError("GD does not use the weights of ratings; use ALS or NMF")

    def _mean_of(self, ratings: Ratings) -> float:
        return ratings.mean if self.biases else 0.0

    def _start(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        arrays = normal_start(
            ratings.shape,
            self.n_factors,
            np.dtype(self.dtype),
            seed,
            scale_of(ratings, self._mean_of(ratings)),
            START_SPREAD * math.sqrt(self.n_factors),
        )
        if not self.biases:
            del arrays["user_biases"], arrays["item_biases"]
            return arrays
        means = fit_damped_means(
            ratings.users.astype(np.int64),
            ratings.user_indices.astype(np.int64),
            ratings.user_values.astype(np.float64),
            ratings.shape,
            damping=self.bias_damping,
        )
        arrays["user_biases"][...] = means.user_offsets
        arrays["item_biases"][...] = means.item_offsets
        return arrays

    def _train(
        self, ratings: Ratings, arrays: dict[str, NDArray[Any]], *rest: Any, **how: Any
    ) -> None:
        """Train with ever smaller rates, if the default one may be changed and diverges."""
        if self.learning_rate is not None:
            rates = [float(self.learning_rate)]
        elif self.warm_start and self._is_fitted():
            rates = [self.learning_rate_]
        else:
            rates = [DEFAULT_RATE * 0.5**halvings for halvings in range(MOST_HALVINGS + 1)]
        start = {name: array.copy() for name, array in arrays.items()}
        for rate in rates:
            self.learning_rate_ = rate
            for name, array in arrays.items():
                np.copyto(array, start[name])
            try:
                super()._train(ratings, arrays, *rest, **how)
            except DivergenceError:
                if rate == rates[-1]:
                    raise
            else:
                return

    def _solver(
        self, ratings: Ratings, arrays: dict[str, NDArray[Any]], mean: float, seed: int
    ) -> _Descent:
        del seed  # nothing is random after the start
        solver = _Descent(
            ratings,
            arrays,
            mean,
            learning_rate=self.learning_rate_,
            regularization=float(self.regularization),
            n_threads=self._threads(),
        )
        self.ridges_ = solver.ridges
        return solver

    def _ridges(
        self, counts: NDArray[np.float64], side: Side
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        ridge = self.ridges_[0 if side == "users" else 1]
        return np.full(len(counts), ridge), np.full(len(counts), float(self.bias_damping))


class _Descent:
    """The solver: sweeps over what the biases leave."""

    def __init__(
        self,
        ratings: Ratings,
        arrays: dict[str, NDArray[Any]],
        mean: float,
        *,
        learning_rate: float,
        regularization: float,
        n_threads: int,
    ) -> None:
        self.arrays = arrays
        self.best: BestState | None = None
        self.learning_rate = learning_rate
        self._threads = n_threads
        self._ratings = ratings
        self._by_user = ratings.user_values - _base(arrays, ratings, mean)
        by_item = ratings.transpose()
        swapped = {
            "user_biases": arrays.get("item_biases"),
            "item_biases": arrays.get("user_biases"),
        }
        self._by_item = by_item.user_values - _base(swapped, by_item, mean)
        dtype = arrays["user_factors"].dtype
        self._by_user, self._by_item = self._by_user.astype(dtype), self._by_item.astype(dtype)
        scale = math.sqrt(float(np.mean(self._by_user.astype(np.float64) ** 2))) or 1.0
        counts = ratings.n_ratings / ratings.n_users, ratings.n_ratings / ratings.n_items
        steps = (2 * self.learning_rate / (scale * count) for count in counts)
        self._user_step, self._item_step = steps
        self._shrinkage = dtype.type(1 - 2 * self.learning_rate * regularization)
        users, items = (regularization * scale * count for count in counts)
        self.ridges = users, items

    def epoch(self, number: int) -> float:  # noqa: ARG002 (all epochs are alike)
        """Shrink the factors and sweep over all users and items; return the objective."""
        users, items = self.arrays["user_factors"], self.arrays["item_factors"]
        users *= self._shrinkage
        columns = np.ascontiguousarray((items * self._shrinkage).T)
        r = self._ratings
        finished = gd.observed_iterations(
            r.user_indptr,
            r.user_indices,
            self._by_user,
            r.item_indptr,
            r.item_indices,
            self._by_item,
            users,
            columns,
            self._user_step,
            self._item_step,
            1,
            self._threads,
        )
        if not finished:
            return math.nan
        items[...] = columns.T
        error = gd.observed_squared_error(
            r.user_indptr, r.user_indices, self._by_user, users, columns, self._threads
        )
        penalties = (
            ridge * weighted_squares(rows, np.ones(len(rows)))
            for ridge, rows in zip(self.ridges, (users, items), strict=True)
        )
        return float(error) + sum(penalties)

    def remedy(self) -> str:
        """Tell what to change when a value is not finite."""
        return "lower learning_rate"


def _base(arrays: dict[str, Any], ratings: Ratings, mean: float) -> NDArray[np.float64]:
    """Return what mean and biases predict for each rating."""
    base = np.full(ratings.n_ratings, mean)
    if arrays.get("user_biases") is not None:
        base += arrays["user_biases"][ratings.users]
        base += arrays["item_biases"][ratings.user_indices]
    return base
