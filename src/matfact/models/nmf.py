"""Non-negative matrix factorization with missing entries and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from matfact._validation import check_integer, check_number
from matfact.kernels import als, pairs
from matfact.models._alternating import Alternating
from matfact.models._base import FactorModel
from matfact.models._data import Rows
from matfact.models._factors import Factors
from matfact.models._start import START_STREAM

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from matfact._random import RandomStateLike
    from matfact.models._growing import Floats, Side
    from matfact.ratings import Ratings

__all__ = ["NMF"]

ABSENT = ("missing", "zero")

SMALLEST_LEVEL = 1e-30
"""Of the start, where all ratings are 0: factors of exactly 0 never change."""


class NMF(FactorModel):
    r"""Non-negative matrix factorization of ratings, missing ones left out.

    Predicts :math:`\hat r_{ui} = p_u \cdot q_i` with :math:`p, q \ge 0` and minimises

    .. math::

        \sum_{(u,i)} w_{ui} (r_{ui} - \hat r_{ui})^2
        + \lambda s \sum_u n_u^\nu |p_u|^2 + \lambda s \sum_i n_i^\nu |q_i|^2

    over the ratings that are present, which must not be negative; s is the root of their mean
    square, so that one :math:`\lambda` suits ratings of any scale. Given all users, the factors of
    an item are a non-negative least squares problem in n_factors unknowns; an epoch improves them
    for all items, then for all users, by sweeps of coordinate descent on the normal equations [1]_.
    The objective never rises.

    Parameters
    ----------
    n_factors : int, default=16
        Length of the vectors p and q, at least 1.
    regularization : float, default=0.045
        :math:`\lambda`, at least 0.
    count_exponent : float, default=1.0
        :math:`\nu`: 0 is the same penalty for all rows, 1 one in proportion to their ratings.
    absent : {"missing", "zero"}, default="missing"
        What a rating that is not there means: unknown, or a rating of 0 with weight 1, as in
        ``sklearn.decomposition.NMF``. With "zero" nothing of the size of the matrix is made.
    inner_sweeps : int, default=5
        Sweeps over the factors of a row in each half step, at least 1; fewer are made where nothing
        changes any more.
    max_iter : int, default=20
        Epochs at most, at least 1.
    tol : float, default=1e-4
        Training stops when an epoch lowers the objective (with a validation part: the error, see
        `patience`) by less than this share of it; 0 never stops.
    patience : int, default=3
        With a validation part: epochs in a row without improvement after which training stops.
    random_state : int, Generator, RandomState or None, default=None
        Of the start. Equal seeds give equal bits, for any number of threads.
    n_threads : int or None, default=None
        None: `matfact.threads`, else what OpenMP says.
    dtype : float32 or float64, default=float32
        Of factors and computation.
    clip : bool, default=True
        Whether predictions are cut to the range of the training ratings (and 0, where absent ones
        are zeros).
    warm_start : bool, default=False
        Whether `fit` goes on from the present factors.
    verbose : bool, default=False
        Whether to show a progress bar (with tqdm installed; else lines of ``logging``).

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n_users, n_factors), (n_items, n_factors)
        p and q. A row without ratings has the mean of the others (zeros if absent ratings are
        zeros).
    user_biases_, item_biases_ : None
        There are none.
    mean_ : float
        0; the mean rating is `prior_`, the prediction for an unknown user and item.
    scale_ : float
        s.
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
    An epoch costs N k (k + 1) + (n_users + n_items) k^2 inner_sweeps multiply-adds for N ratings
    and k factors. Memory: the ratings by users and by items, and three copies of the factors.

    References
    ----------
    .. [1] C.-J. Hsieh, I. Dhillon, "Fast coordinate descent methods with variable selection for
       non-negative matrix factorization", KDD 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from matfact import NMF
    >>> ratings = np.array([[5, 3, np.nan, 1], [4, np.nan, 1, 1], [1, 1, 5, 4]])
    >>> model = NMF(n_factors=2, regularization=0.01, random_state=0).fit(ratings)
    >>> bool((model.user_factors_ >= 0).all())
    True
    """

    _method: ClassVar[int] = als.NON_NEGATIVE
    _needs_positive_ratings: ClassVar[bool] = True

    def __init__(
        self,
        *,
        n_factors: int = 16,
        regularization: float = 0.045,
        count_exponent: float = 1.0,
        absent: Literal["missing", "zero"] = "missing",
        inner_sweeps: int = 5,
        max_iter: int = 20,
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
        self.count_exponent = count_exponent
        self.absent = absent
        self.inner_sweeps = inner_sweeps
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
        for name in ("regularization", "count_exponent"):
            check_number(getattr(self, name), name, zero_allowed=True)
        check_integer(self.inner_sweeps, "inner_sweeps", minimum=1)
        if self.absent not in ABSENT:
            raise ValueError(f"absent is {self.absent!r}; give 'missing' or 'zero'")

    def _check_ratings(self, ratings: Ratings) -> None:
        negative = ratings.user_values < 0
        if negative.any():
            place = int(negative.argmax())
            user = ratings.user_ids.ids_of([ratings.users[place]])[0]
            item = ratings.item_ids.ids_of([ratings.user_indices[place]])[0]
            raise ValueError(
                "Negative values in data passed to NMF: the rating of user "
                f"{user} for item {item} is {ratings.user_values[place]}; shift the ratings to "
                "start at 0, or use ALS"
            )

    def _mean_of(self, ratings: Ratings) -> float:  # noqa: ARG002 (the same for all)
        return 0.0

    def _clip_range(self, ratings: Ratings) -> tuple[float, float]:
        low, high = super()._clip_range(ratings)
        return (min(low, 0.0), high) if self.absent == "zero" else (low, high)

    def _start(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        """Draw factors around those that predict the mean rating everywhere."""
        rng = np.random.default_rng([seed, START_STREAM])
        mean = abs(ratings.mean)
        if self.absent == "zero":
            mean *= ratings.n_ratings / (ratings.n_users * ratings.n_items)
        level = np.sqrt(max(mean, SMALLEST_LEVEL) / self.n_factors)
        users, items = (
            (level * rng.uniform(0.5, 1.5, (size, self.n_factors))).astype(self.dtype)
            for size in ratings.shape
        )
        return {"user_factors": users, "item_factors": items}

    def _solver(
        self, ratings: Ratings, arrays: dict[str, NDArray[Any]], mean: float, seed: int
    ) -> _NonNegative:
        del seed  # nothing is random after the start
        return _NonNegative(
            Rows.of(ratings),
            Rows.of(ratings.transpose()),
            Factors.from_arrays(arrays, mean, ratings.mean),
            arrays,
            ridges=self._ridges,
            gram=self._gram,
            method=self._method,
            n_steps=self.inner_sweeps,
            n_threads=self._threads(),
        )

    def _ridges(
        self,
        counts: NDArray[np.float64],
        side: Side,  # noqa: ARG002 (both sides alike)
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        size = np.where(counts > 0, counts, 1.0) ** self.count_exponent
        ridge = self.regularization * self.scale_ * size
        return ridge, ridge

    def _gram(self, factors: Factors) -> NDArray[np.float64] | None:
        if self.absent == "missing":
            return None
        gram: NDArray[np.float64] = als.gram_matrix(factors.item_factors, self._threads())
        return gram

    def _solve_rows(self, rows: Rows, factors: Factors, side: Side) -> tuple[Floats, Floats | None]:
        own, biases = super()._solve_rows(rows, factors, side)
        others = self.user_factors_ if side == "users" else self.item_factors_
        self._fill_empty(own, rows.indptr, others)
        return own, biases

    def _finish(self, factors: Factors, ratings: Ratings) -> None:
        self._fill_empty(factors.user_factors, ratings.user_indptr, factors.user_factors)
        self._fill_empty(factors.item_factors, ratings.item_indptr, factors.item_factors)

    def _fill_empty(self, own: Floats, indptr: NDArray[np.int64], others: Floats) -> None:
        """Give rows without ratings the mean of those that have some: zeros would predict 0."""
        empty = np.diff(indptr) == 0
        filled = others[others.any(axis=1)]
        if self.absent == "missing" and empty.any() and len(filled):
            own[empty] = filled.mean(axis=0, dtype=np.float64)

    def _free_factors(self, row: NDArray[Any]) -> NDArray[np.bool_]:
        return np.asarray(row[0] > 0)


class _NonNegative(Alternating):
    """The solver: half steps over items and users with factors of at least zero."""

    def remedy(self) -> str:
        return "use dtype=float64 if ratings are very large"

    def _squared_error(self) -> float:
        """Return the squared error, over all pairs if absent ratings are zeros.

        The predictions of absent pairs add the sum of all squared predictions, which is a product
        of two gram matrices, less that over the ratings.
        """
        of_ratings = super()._squared_error()
        gram = self._gram_of_others(self._factors, "users")
        if gram is None:
            return of_ratings
        rows, threads = self._users, self._threads
        users = als.gram_matrix(self._factors.user_factors, threads)
        predicted = pairs.squared_errors(
            rows.indptr,
            rows.indices,
            np.zeros_like(rows.values),
            None,
            self._factors.user_factors,
            self._factors.item_factors,
            None,
            None,
            0.0,
            threads,
        )
        return of_ratings + float(np.sum(users * gram)) - float(predicted.sum())
