# length: most of it is documentation
"""Bayesian personalized ranking for implicit feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

import numpy as np

from matfact._validation import check_number
from matfact.models._implicit import ImplicitModel
from matfact.models._logistic import logistic_minimum
from matfact.models._start import normal_start
from matfact.models._triples import Ranking

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from matfact._random import RandomStateLike
    from matfact.models._data import Rows
    from matfact.models._factors import Factors
    from matfact.models._growing import Floats, Side
    from matfact.ratings import Ratings

__all__ = ["BPR"]

SCHEDULES = ("adaptive", "constant")

FOLD_STREAM = 3
"""Marks the random numbers of new rows among all that follow from one seed."""

MOST_OTHERS = 256
MOST_PAIRS = 20_000
"""Rows that a new one is compared with, and pairs of one new row."""


class BPR(ImplicitModel):
    r"""Matrix factorization for ranking: Bayesian personalized ranking.

    The score of an item is :math:`c_i + p_u \cdot q_i`. What a user has chosen (a value above 0)
    should score higher than what the user has not:

    .. math::

        \sum_{(u,i,j)} -\log \sigma(x_{uij})
        + \tfrac{\lambda}{2} (|p_u|^2 + |q_i|^2 + |q_j|^2)
        + \tfrac{\lambda_c}{2} (c_i^2 + c_j^2), \quad
        x_{uij} = c_i - c_j + p_u \cdot (q_i - q_j),

    over the interactions (u, i), each with another item j that is drawn anew in every epoch and is
    none that the user has, whatever its value [1]_. Training takes a step for each triple.

    Items are cut into blocks that meet as in a tournament; triples of blocks without a common user
    or item are worked on side by side, so that results are the same to the last bit for any number
    of threads, and any pair of items can be compared.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors p and q, at least 1.
    schedule : {"adaptive", "constant"}, default="adaptive"
        The steps. "adaptive": for each user and item the learning rate over the root of 1 plus the
        sum of its mean squared gradients so far (AdaGrad). "constant": the learning rate.
    learning_rate : float, default=0.1
        Above 0.
    regularization : float, default=0.02
        :math:`\lambda`, at least 0.
    bias_regularization : float, default=0.02
        :math:`\lambda_c`, at least 0.
    biases : bool, default=True
        Whether items have a bias c; without it popularity goes into the factors.
    popularity_exponent : float, default=0.0
        Other items are drawn in proportion to their number of interactions to this power, at least
        0: 0 draws all alike, 1 as often as they occur (what "in-batch" negatives amount to).
    max_iter : int, default=60
        Epochs at most, at least 1.
    tol : float, default=0.0
        Training stops when an epoch lowers the objective (with a validation part: 1 - NDCG, see
        `patience`) by less than this share of it; 0 never stops without a validation part. The
        objective scatters with the items drawn.
    patience : int, default=3
        With a validation part: epochs in a row without improvement after which training stops. The
        validation metric is 1 - NDCG of lists of 10 items, over the users of the part.
    random_state : int, Generator, RandomState or None, default=None
        Of the start and of what is drawn. Equal seeds give equal bits, for any number of threads.
    n_threads : int or None, default=None
        None: `matfact.threads`, else what OpenMP says. More than 4 (8 from 4 million interactions
        on) are not used.
    dtype : float32 or float64, default=float32
        Of factors and computation.
    warm_start : bool, default=False
        Whether `fit` goes on from the present factors.
    verbose : bool, default=False
        Whether to show a progress bar (with tqdm installed; else lines of ``logging``).

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n_users, n_factors), (n_items, n_factors)
        p and q.
    user_biases_ : ndarray of shape (n_users,)
        Zeros: a bias of a user changes no ranking.
    item_biases_ : ndarray of shape (n_items,)
        c.
    mean_ : float
        0.
    scale_ : float
        Root mean square of the values; not used by this model.
    user_squares_, item_squares_ : ndarray of shape (n_users, 2), (n_items, 2)
        1 plus the sums of squared gradients, with which the adaptive schedule goes on.
    user_ids_, item_ids_ : IdMap
        Ids of the rows.
    ratings_ : Ratings or None
        What the model was trained on.
    history_ : History
        Of each epoch the sum of the losses (each taken before its step), validation metric and
        seconds.
    n_iter_, best_iteration_ : int
        Epochs run, and the epoch whose factors are kept.
    rating_range_ : (float, float)
        Smallest and largest value; scores may lie outside.
    n_features_in_ : int
        Number of items.

    Notes
    -----
    An epoch costs about 8 N k multiply-adds for N interactions and k factors. Memory: 28 bytes an
    interaction, and three copies of the factors. Weights of ratings are not supported.

    `fold_in` and `add_users` find the p that minimises the loss of the user's interactions against
    256 fixed items (fewer for users with many interactions), to rounding. A training row is near
    that minimum, not at it. `add_items` compares a new item with fixed items for the users who have
    it, and for as many others with what ranks high there. The result for a row depends on that row
    alone. Costs some milliseconds a row.

    References
    ----------
    .. [1] S. Rendle, C. Freudenthaler, Z. Gantner, L. Schmidt-Thieme, "BPR: Bayesian Personalized
       Ranking from Implicit Feedback", UAI 2009.

    Examples
    --------
    >>> from matfact import BPR, make_ratings
    >>> clicks = make_ratings(200, 100, 3000, random_state=0)
    >>> model = BPR(n_factors=8, max_iter=5, random_state=0).fit(clicks)
    >>> len(model.recommend([3, 5], n=4))
    2
    """

    _own_arrays: ClassVar[tuple[str, ...]] = ("user_squares", "item_squares")

    user_squares_: NDArray[np.floating[Any]]
    item_squares_: NDArray[np.floating[Any]]

    def __init__(
        self,
        *,
        n_factors: int = 64,
        schedule: Literal["adaptive", "constant"] = "adaptive",
        learning_rate: float = 0.1,
        regularization: float = 0.02,
        bias_regularization: float = 0.02,
        biases: bool = True,
        popularity_exponent: float = 0.0,
        max_iter: int = 60,
        tol: float = 0.0,
        patience: int = 3,
        random_state: RandomStateLike = None,
        n_threads: int | None = None,
        dtype: DTypeLike = np.float32,
        warm_start: bool = False,
        verbose: bool = False,
    ) -> None:
        self.n_factors = n_factors
        self.schedule = schedule
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.bias_regularization = bias_regularization
        self.biases = biases
        self.popularity_exponent = popularity_exponent
        self.max_iter = max_iter
        self.tol = tol
        self.patience = patience
        self.random_state = random_state
        self.n_threads = n_threads
        self.dtype = dtype
        self.warm_start = warm_start
        self.verbose = verbose

    def _check_parameters(self) -> None:
        check_number(self.learning_rate, "learning_rate")
        for name in ("regularization", "bias_regularization", "popularity_exponent"):
            check_number(getattr(self, name), name, zero_allowed=True)
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}; give 'adaptive' or 'constant'")
        if not isinstance(self.biases, bool | np.bool_):
            raise TypeError(f"biases is {self.biases!r}; give True or False")

    def _check_ratings(self, ratings: Ratings) -> None:
        super()._check_ratings(ratings)
        if ratings.user_weights is not None:
            raise ValueError("BPR does not use the weights of ratings; use ImplicitALS")

    def _start(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        dtype = np.dtype(self.dtype)
        arrays = normal_start(ratings.shape, self.n_factors, dtype, seed, 1.0)
        arrays["user_squares"], arrays["item_squares"] = (
            np.ones((size, 2), dtype=dtype) for size in ratings.shape
        )
        return arrays

    def _solver(
        self, ratings: Ratings, arrays: dict[str, NDArray[Any]], mean: float, seed: int
    ) -> Ranking:
        del mean
        return Ranking(self, ratings, arrays, seed, self._threads())

    def _ridges(
        self,
        counts: NDArray[np.float64],
        side: Side,  # noqa: ARG002 (both sides alike)
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the regularization of each single step adds up to for a row."""
        return self.regularization * counts, self.bias_regularization * counts

    def _solve_rows(self, rows: Rows, factors: Factors, side: Side) -> tuple[Floats, Floats | None]:
        dtype = factors.item_factors.dtype
        own = np.zeros((len(rows), factors.item_factors.shape[1]), dtype=dtype)
        biases = np.zeros(len(rows), dtype=dtype)
        rng = np.random.default_rng([self.seed_, FOLD_STREAM])
        order = rng.permutation(len(factors.item_factors))
        for row in range(len(rows)):
            entries = slice(rows.indptr[row], rows.indptr[row + 1])
            taken = rows.indices[entries]
            chosen = taken[rows.values[entries] > 0]
            others = order[~np.isin(order[: MOST_OTHERS + len(taken)], taken).nonzero()[0]]
            others = others[: max(1, min(MOST_OTHERS, MOST_PAIRS // max(1, len(chosen))))]
            if not len(chosen) or not len(others):
                continue
            if side == "users":
                own[row] = self._new_user(factors, chosen, others)
            else:
                solved = self._new_item(factors, chosen, others)
                own[row], biases[row] = solved[:-1], solved[-1]
        return own, biases

    def _new_user(
        self, factors: Factors, chosen: NDArray[Any], others: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Compare each chosen item with each other one."""
        items, biases = _doubles(factors.item_factors), _doubles(factors.item_biases)
        differences = items[chosen][:, np.newaxis] - items[others]
        offsets = biases[chosen][:, np.newaxis] - biases[others]
        weights = np.full(offsets.size, 1 / len(others))
        ridge, _ = self._ridges(np.array([float(len(chosen))]), "users")
        return logistic_minimum(
            differences.reshape(offsets.size, -1),
            offsets.ravel(),
            weights,
            np.full(items.shape[1], float(ridge[0])),
        )

    def _new_item(
        self, factors: Factors, chosen: NDArray[Any], others: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Compare a new item with others, for users who have it and for some who have not.

        `factors` come transposed: the users are its items.
        """
        users = _doubles(factors.item_factors)
        users = np.column_stack([users, np.ones(len(users))])
        rng = np.random.default_rng([self.seed_, FOLD_STREAM, 1])
        size = min(MOST_OTHERS, len(factors.user_factors))
        known = rng.choice(len(factors.user_factors), size, replace=False)
        scores = users[:, :-1] @ _doubles(factors.user_factors)[known].T
        scores += _doubles(factors.user_biases)[known]
        low, high = np.median(scores, axis=1), np.quantile(scores, 0.9, axis=1)
        features = np.concatenate([users[chosen], -users[others]])
        offsets = np.concatenate([-low[chosen], high[others]])
        weights = np.concatenate(
            [np.ones(len(chosen)), np.full(len(others), len(chosen) / len(others))]
        )
        ridge, bias_ridge = self._ridges(np.array([2.0 * len(chosen)]), "items")
        penalties = np.append(np.full(users.shape[1] - 1, float(ridge[0])), float(bias_ridge[0]))
        if not self.biases:
            features = features[:, :-1]
            return np.append(logistic_minimum(features, offsets, weights, penalties[:-1]), 0.0)
        return logistic_minimum(features, offsets, weights, penalties)

    def explain(self, user: Any, item: Any, n: int | None = None) -> NoReturn:
        """Raise: scores of this model are no sums over what a user has chosen.

        Parameters
        ----------
        user, item : id
        n : int, default=None

        Raises
        ------
        TypeError
            Always; `ImplicitALS` explains.
        """
        del user, item, n
        self._check_is_fitted()
        raise TypeError(
            "the scores of BPR are not linear in what a user has chosen, so there is no sum to "
            "show; use ImplicitALS for explanations"
        )


def _doubles(array: Any) -> NDArray[np.float64]:
    return np.asarray(array, dtype=np.float64)
