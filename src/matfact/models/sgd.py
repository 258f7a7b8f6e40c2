# length: most of it is documentation
"""Stochastic gradient descent on ratings, the same for any number of threads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from matfact._validation import check_number
from matfact.kernels import sgd
from matfact.models._base import FactorModel
from matfact.models._start import normal_start, scale_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from matfact._random import RandomStateLike
    from matfact.models._growing import Side
    from matfact.ratings import Ratings
    from matfact.training import BestState

__all__ = ["SGD"]

SCHEDULES = ("adaptive", "constant", "exponential")

DEFAULT_RATES = {"adaptive": 0.045, "constant": 0.01, "exponential": 0.03}

MANY_RATINGS = 4_000_000
"""From here on the grid has 16 rows and columns of blocks, else 8: as many threads can be used, and
blocks should be long. It does not depend on the number of threads, as the result does on it."""

ORDER_STREAM = 2
"""Marks the random numbers of the order of epochs among all that follow from one seed."""


class SGD(FactorModel):
    r"""Matrix factorization by stochastic gradient descent, with biases.

    Predicts :math:`\hat r_{ui} = \mu + b_u + c_i + p_u \cdot q_i` and minimises

    .. math::

        \sum_{(u,i)} (r_{ui} - \hat r_{ui})^2 + \lambda s (|p_u|^2 + |q_i|^2)
        + \lambda_b (b_u^2 + c_i^2)

    over the ratings that are present, by a step for each of them, with
    :math:`e = r_{ui} - \hat r_{ui}`,

    .. math::

        p_u \mathrel{+}= \eta_u (e q_i - \lambda s p_u), \quad
        q_i \mathrel{+}= \eta_i (e p_u - \lambda s q_i), \quad
        b_u \mathrel{+}= \eta_u' (e - \lambda_b b_u), \quad
        c_i \mathrel{+}= \eta_i' (e - \lambda_b c_i).

    s is the standard deviation of the ratings (around :math:`\mu`); it enters the steps too, so
    that the parameters suit ratings of any scale.

    The matrix is cut into a fixed grid of blocks; blocks without a common user or item are worked
    on side by side, so that results are the same to the last bit for any number of threads.

    Parameters
    ----------
    n_factors : int, default=32
        Length of the vectors p and q, at least 1.
    schedule : {"adaptive", "constant", "exponential"}, default="adaptive"
        The steps. "adaptive": for each user and item the learning rate over the root of the sum of
        its mean squared gradients so far (AdaGrad, a number for the factors of a row and one for
        its bias [1]_); needs no tuning. "constant": the learning rate (over s for factors).
        "exponential": that times ``decay ** (epoch - 1)``.
    learning_rate : float or None, default=None
        Above 0; None is 0.045, 0.01 and 0.03 for the three schedules.
    decay : float, default=0.85
        Of the schedule "exponential", above 0, at most 1.
    regularization : float, default=0.08
        :math:`\lambda`, at least 0.
    bias_regularization : float, default=0.05
        :math:`\lambda_b`, at least 0.
    biases : bool, default=True
        Whether there are b and c; without them :math:`\mu` is 0 too.
    max_iter : int, default=20
        Epochs at most, at least 1.
    tol : float, default=0.0
        Training stops when an epoch lowers the objective (with a validation part: the error, see
        `patience`) by less than this share of it; 0 never stops without a validation part.
    patience : int, default=3
        With a validation part: epochs in a row without improvement after which training stops.
    random_state : int, Generator, RandomState or None, default=None
        Of the start and of the order of blocks. Equal seeds give equal bits, for any number of
        threads.
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
    scale_ : float
        s.
    user_squares_, item_squares_ : ndarray of shape (n_users, 2), (n_items, 2)
        Sums of squared gradients, of factors and of biases, with which the adaptive schedule goes
        on.
    user_ids_, item_ids_ : IdMap
        Ids of the rows.
    ratings_ : Ratings or None
        What the model was trained on.
    history_ : History
        Of each epoch the sum of squared errors (each taken before its step), validation error and
        seconds.
    n_iter_, best_iteration_ : int
        Epochs run, and the epoch whose factors are kept.
    rating_range_ : (float, float)
        Smallest and largest training rating.
    n_features_in_ : int
        Number of items.

    Notes
    -----
    An epoch costs about 5 N k multiply-adds for N ratings and k factors. Memory: the ratings by
    users, 12 bytes a rating (16 in float64), and three copies of the factors. Weights of ratings
    are not supported.

    References
    ----------
    .. [1] W.-S. Chin, Y. Zhuang, Y.-C. Juan, C.-J. Lin, "A Learning-rate Schedule for Stochastic
       Gradient Methods to Matrix Factorization", PAKDD 2015. Grid of blocks: R. Gemulla,
       E. Nijkamp, P. Haas, Y. Sismanis, "Large-scale Matrix Factorization with Distributed
       Stochastic Gradient Descent", KDD 2011.

    Examples
    --------
    >>> from matfact import SGD, make_ratings
    >>> ratings = make_ratings(200, 100, 5000, random_state=0)
    >>> model = SGD(n_factors=4, random_state=0).fit(ratings)
    >>> len(model.recommend(0, n=3)[0])
    3
    """

    _own_arrays: ClassVar[tuple[str, ...]] = ("user_squares", "item_squares")

    user_squares_: NDArray[np.floating[Any]]
    item_squares_: NDArray[np.floating[Any]]

    def __init__(
        self,
        *,
        n_factors: int = 32,
        schedule: Literal["adaptive", "constant", "exponential"] = "adaptive",
        learning_rate: float | None = None,
        decay: float = 0.85,
        regularization: float = 0.08,
        bias_regularization: float = 0.05,
        biases: bool = True,
        max_iter: int = 20,
        tol: float = 0.0,
        patience: int = 3,
        random_state: RandomStateLike = None,
        n_threads: int | None = None,
        dtype: DTypeLike = np.float32,
        clip: bool = True,
        warm_start: bool = False,
        verbose: bool = False,
    ) -> None:
        self.n_factors = n_factors
        self.schedule = schedule
        self.learning_rate = learning_rate
        self.decay = decay
        self.regularization = regularization
        self.bias_regularization = bias_regularization
        self.biases = biases
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
        if self.schedule not in SCHEDULES:
            known = ", ".join(map(repr, SCHEDULES))
            raise ValueError(f"schedule is {self.schedule!r}; give one of {known}")
        if self.learning_rate is not None:
            check_number(self.learning_rate, "learning_rate")
        if check_number(self.decay, "decay") > 1:
            raise ValueError(f"decay is {self.decay}; give a number above 0 and at most 1")
        for name in ("regularization", "bias_regularization"):
            check_number(getattr(self, name), name, zero_allowed=True)
        if not isinstance(self.biases, bool | np.bool_):
            raise TypeError(f"biases is {self.biases!r}; give True or False")

    def _check_ratings(self, ratings: Ratings) -> None:
        if ratings.user_weights is not None:
            raise ValueError("SGD does not use the weights of ratings; use ALS or NMF")
        scale, limits = scale_of(ratings, self._mean_of(ratings)), np.finfo(np.dtype(self.dtype))
        # Sums of squared gradients begin with this power.
        if not float(limits.tiny) <= scale**3 <= float(limits.max):
            raise ValueError(
                f"ratings have a standard deviation of {scale:.3g}, whose third power is beyond "
                f"{limits.dtype}; multiply them by a constant, or give dtype=float64"
            )

    def _mean_of(self, ratings: Ratings) -> float:
        return ratings.mean if self.biases else 0.0

    def _start(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        dtype = np.dtype(self.dtype)
        scale = scale_of(ratings, self._mean_of(ratings))
        arrays = normal_start(ratings.shape, self.n_factors, dtype, seed, scale)
        if not self.biases:
            del arrays["user_biases"], arrays["item_biases"]
        # Gradients of factors have the dimension of ratings to the power 3/2, those of biases 1.
        arrays["user_squares"], arrays["item_squares"] = (
            np.tile(np.array([scale**3, scale**2], dtype=dtype), (size, 1))
            for size in ratings.shape
        )
        return arrays

    def _solver(
        self, ratings: Ratings, arrays: dict[str, NDArray[Any]], mean: float, seed: int
    ) -> _Stochastic:
        return _Stochastic(self, ratings, arrays, mean, self.scale_, seed, self._threads())

    def _ridges(
        self,
        counts: NDArray[np.float64],
        side: Side,  # noqa: ARG002 (both sides alike)
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the regularization of each single step adds up to for a row."""
        counts = np.where(counts > 0, counts, 1.0)
        return self.regularization * self.scale_ * counts, self.bias_regularization * counts


class _Stochastic:
    """The solver: a step for each rating, block after block."""

    def __init__(
        self,
        model: SGD,
        ratings: Ratings,
        arrays: dict[str, NDArray[Any]],
        mean: float,
        scale: float,
        seed: int,
        n_threads: int,
    ) -> None:
        self.arrays = arrays
        self.best: BestState | None = None
        self._model = model
        self._mean = mean
        self._scale = scale
        self._seed = seed
        self._threads = n_threads
        # The kernel has no biases if their learning rate is 0 and they are.
        self._no_biases = {
            "user_biases": np.zeros(ratings.n_users, dtype=ratings.dtype),
            "item_biases": np.zeros(ratings.n_items, dtype=ratings.dtype),
        }
        self._n_blocks = 16 if ratings.n_ratings >= MANY_RATINGS else 8
        self._nodes, self._block_indptr = sgd.arrange(
            ratings.user_indptr,
            ratings.user_indices,
            ratings.user_values,
            ratings.n_items,
            self._n_blocks,
        )

    @property
    def learning_rate(self) -> float:
        """The learning rate of the first epoch."""
        rate = self._model.learning_rate
        return DEFAULT_RATES[self._model.schedule] if rate is None else float(rate)

    def epoch(self, number: int) -> float:
        """Take a step for each rating; return the sum of squared errors before the steps."""
        model, arrays = self._model, self.arrays
        rate = self.learning_rate
        if model.schedule == "exponential":
            rate *= float(model.decay) ** (number - 1)
        order = np.random.default_rng([self._seed, ORDER_STREAM, number]).permutation(
            self._n_blocks
        )
        is_adaptive = model.schedule == "adaptive"
        factor_rate = rate * math.sqrt(self._scale) if is_adaptive else rate / self._scale
        bias_rate = rate * self._scale if is_adaptive else rate
        biases = self._no_biases | arrays
        return sgd.epoch(
            self._nodes,
            self._block_indptr,
            order,
            arrays["user_factors"],
            arrays["item_factors"],
            biases["user_biases"],
            biases["item_biases"],
            arrays["user_squares"],
            arrays["item_squares"],
            self._mean,
            factor_rate,
            bias_rate if model.biases else 0.0,
            float(model.regularization) * self._scale,
            float(model.bias_regularization),
            is_adaptive,
            self._threads,
        )

    def remedy(self) -> str:
        """Tell what to change when a value is not finite."""
        return f"lower learning_rate, which is {self.learning_rate}"
