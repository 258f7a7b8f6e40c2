"""Alternating least squares for ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from matfact._validation import check_integer, check_number
from matfact.kernels import als
from matfact.models._alternating import Alternating
from matfact.models._base import FactorModel
from matfact.models._data import Rows
from matfact.models._factors import Factors
from matfact.models._start import normal_start, scale_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from matfact._random import RandomStateLike
    from matfact.models._growing import Side
    from matfact.ratings import Ratings

__all__ = ["ALS"]

SOLVERS = ("auto", "cholesky", "cg")

MOST_FACTORS_CHOLESKY = 64
"""Up to here an exact solution costs little more than the inexact one."""


class ALS(FactorModel):
    r"""Matrix factorization by alternating least squares, with biases.

    Predicts :math:`\hat r_{ui} = \mu + b_u + c_i + p_u \cdot q_i` and minimises

    .. math::

        \sum_{(u,i)} w_{ui} (r_{ui} - \hat r_{ui})^2
        + \sum_u n_u^\nu (\lambda s |p_u|^2 + \lambda_b b_u^2)
        + \sum_i n_i^\nu (\lambda s |q_i|^2 + \lambda_b c_i^2)

    over the ratings that are present; :math:`n_u` is the number of ratings of a user (the sum of
    their weights), :math:`n_i` that of an item, and s the standard deviation of the ratings (around
    :math:`\mu`), so that one :math:`\lambda` suits ratings of any scale. Given all users, the best
    factors and bias of an item are the solution of a linear system of n_factors + 1 equations;
    given all items, those of a user. An epoch solves them for all items, then for all users.

    Parameters
    ----------
    n_factors : int, default=16
        Length of the vectors p and q, at least 1.
    regularization : float, default=1.2
        :math:`\lambda`, at least 0. With 0, rows with fewer ratings than factors have many
        solutions; one with zeros in it is taken.
    bias_regularization : float, default=1.0
        :math:`\lambda_b`, at least 0.
    count_exponent : float, default=0.5
        :math:`\nu`: 0 is ridge regression of each row, 1 is ALS-WR, "weighted lambda" [1]_ (its
        :math:`\lambda` is then about 0.1). At least 0. In between lie better predictions for rows
        with few and with many ratings.
    biases : bool, default=True
        Whether there are b and c; without them :math:`\mu` is 0 too.
    solver : {"auto", "cholesky", "cg"}, default="auto"
        "cholesky" solves each system exactly; "cg" takes `cg_steps` steps of conjugate gradients
        from where the row stood, which is faster for many factors [2]_. "auto" is "cholesky" up to
        64 factors.
    cg_steps : int, default=3
        Steps of "cg", at least 1.
    max_iter : int, default=15
        Epochs at most, at least 1.
    tol : float, default=1e-4
        Training stops when an epoch lowers the objective (with a validation part: the error, see
        `patience`) by less than this share of it; 0 never stops.
    patience : int, default=3
        With a validation part: epochs in a row without improvement after which training stops.
    random_state : int, Generator, RandomState or None, default=None
        Of the start of the users' factors. Equal seeds give equal bits, for any number of threads.
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
        :math:`\mu`, the weighted mean of the training ratings.
    scale_ : float
        s.
    user_ids_, item_ids_ : IdMap
        Ids of the rows.
    ratings_ : Ratings or None
        What the model was trained on.
    history_ : History
        Objective, validation error and seconds of each epoch.
    n_iter_ : int
        Epochs run.
    best_iteration_ : int
        Epoch whose factors are kept.
    rating_range_ : (float, float)
        Smallest and largest training rating.
    n_features_in_ : int
        Number of items.

    Notes
    -----
    An epoch costs N k (k + 1) + (n_users + n_items) k^3 / 3 multiply-adds for N ratings and k =
    n_factors + 1 by "cholesky", about 4 (cg_steps + 1) N k by "cg". Memory: the ratings by users
    and by items, and three copies of the factors.

    References
    ----------
    .. [1] Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-scale Parallel Collaborative
       Filtering for the Netflix Prize", AAIM 2008.
    .. [2] G. Takács, I. Pilászy, D. Tikk, "Applications of the Conjugate Gradient Method for
       Implicit Feedback Collaborative Filtering", RecSys 2011.

    Examples
    --------
    >>> from matfact import ALS, make_ratings
    >>> ratings = make_ratings(200, 100, 5000, random_state=0)
    >>> model = ALS(n_factors=4, random_state=0).fit(ratings)
    >>> model.predict([0, 1], [5, 7]).shape
    (2,)
    """

    def __init__(
        self,
        *,
        n_factors: int = 16,
        regularization: float = 1.2,
        bias_regularization: float = 1.0,
        count_exponent: float = 0.5,
        biases: bool = True,
        solver: Literal["auto", "cholesky", "cg"] = "auto",
        cg_steps: int = 3,
        max_iter: int = 15,
        tol: float = 1e-4,
        patience: int = 3,
        random_state: RandomStateLike = None,
        n_threads: int | None = None,
        dtype: DTypeLike = np.float32,
        clip: bool = True,
        warm_start: bool = False,
        verbose: bool = False,
    ) -> None:
        self.n_factors = n_factors
        self.regularization = regularization
        self.bias_regularization = bias_regularization
        self.count_exponent = count_exponent
        self.biases = biases
        self.solver = solver
        self.cg_steps = cg_steps
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
        for name in ("regularization", "bias_regularization", "count_exponent"):
            check_number(getattr(self, name), name, zero_allowed=True)
        check_integer(self.cg_steps, "cg_steps", minimum=1)
        if self.solver not in SOLVERS:
            known = ", ".join(map(repr, SOLVERS))
            raise ValueError(f"solver is {self.solver!r}; give one of {known}")
        if not isinstance(self.biases, bool | np.bool_):
            raise TypeError(f"biases is {self.biases!r}; give True or False")

    def _mean_of(self, ratings: Ratings) -> float:
        return ratings.mean if self.biases else 0.0

    def _start(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        scale = scale_of(ratings, self._mean_of(ratings))
        arrays = normal_start(ratings.shape, self.n_factors, np.dtype(self.dtype), seed, scale)
        arrays["item_factors"][...] = 0  # an epoch begins with the items
        if not self.biases:
            del arrays["user_biases"], arrays["item_biases"]
        return arrays

    def _solver(
        self, ratings: Ratings, arrays: dict[str, NDArray[Any]], mean: float, seed: int
    ) -> Alternating:
        del seed  # nothing is random after the start
        return Alternating(
            Rows.of(ratings),
            Rows.of(ratings.transpose()),
            Factors.from_arrays(arrays, mean, ratings.mean),
            arrays,
            ridges=self._ridges,
            gram=self._gram,
            method=als.CONJUGATE_GRADIENT if self._uses_cg() else als.CHOLESKY,
            n_steps=self.cg_steps,
            n_threads=self._threads(),
        )

    def _ridges(
        self,
        counts: NDArray[np.float64],
        side: Side,  # noqa: ARG002 (both sides alike)
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        size = np.where(counts > 0, counts, 1.0) ** self.count_exponent
        return self.regularization * self.scale_ * size, self.bias_regularization * size

    def _uses_cg(self) -> bool:
        if self.solver == "auto":
            return bool(self.n_factors > MOST_FACTORS_CHOLESKY)
        return self.solver == "cg"
