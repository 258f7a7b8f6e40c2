# length: most of it is documentation
"""Alternating least squares for implicit feedback."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from matfact._validation import check_integer, check_number
from matfact.kernels import als
from matfact.models._data import Rows
from matfact.models._factors import Factors
from matfact.models._implicit import ImplicitModel
from matfact.models._interactions import (
    ImplicitAlternating,
    InteractionRows,
    Weighting,
    balanced_weight,
)
from matfact.models._start import normal_start
from matfact.models._tuning import tune

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

    from matfact._random import RandomStateLike
    from matfact.models._growing import Floats, Side
    from matfact.models._tuning import Tuning
    from matfact.ratings import Ratings

__all__ = ["ImplicitALS"]

SOLVERS = ("auto", "cholesky", "cg", "subspace")
METHODS = {"cholesky": als.CHOLESKY, "cg": als.CONJUGATE_GRADIENT, "subspace": als.SUBSPACE}
LOSSES = ("ials", "classic")

MOST_FACTORS_CHOLESKY = 32
"""Up to here an exact solution costs little more than the inexact one."""


class ImplicitALS(ImplicitModel):
    r"""Matrix factorization of implicit feedback by alternating least squares.

    A pair of user and item has the score :math:`x_u \cdot h_i`. Pairs that occurred should have 1,
    all others 0, which counts less:

    .. math::

        \sum_{(u,i) \in S} w_{ui} (x_u \cdot h_i - p_{ui})^2
        + \alpha_0 \sum_{u,i} (x_u \cdot h_i)^2
        + \lambda \sum_u (n_u + \alpha_0 |I|)^\nu |x_u|^2
        + \lambda \sum_i (n_i + \alpha_0 |U|)^\nu |h_i|^2

    S are the interactions that were observed; the second sum goes over all pairs. :math:`n_u` is
    the sum of the weights of a user, :math:`n_i` of an item, :math:`|U|` and :math:`|I|` are the
    numbers of users and items [1]_ [2]_. Given all users, the best factors of an item are the
    solution of a linear system, and vice versa. An epoch solves them for all items, then for all
    users.

    A value above 0 is an interaction (p = 1), one below 0 a dislike (p = 0). A value of 0 has no
    weight, as if the pair were absent; but like all values it counts as seen when items are
    recommended.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the vectors x and h, at least 1.
    unobserved_weight : float or "auto", default="auto"
        :math:`\alpha_0`, above 0. "auto" gives all pairs together ten times the weight of all
        interactions, but none more than an interaction has on average: 0.1 where users have seen 1
        % of the items, 1 from 10 % on. `tune` searches for what suits best.
    regularization : float, default=0.01
        :math:`\lambda`, at least 0.
    count_exponent : float, default=1.0
        :math:`\nu`, at least 0: 0 regularizes all rows alike.
    alpha : float or None, default=None
        Weight of an interaction: w = alpha \|value\|, alpha above 0; None is w = 1 whatever the
        value. Weights of the `Ratings` multiply it.
    loss : {"ials", "classic"}, default="ials"
        "classic" is the loss of Hu, Koren and Volinsky [3]_: an observed pair has
        :math:`(\alpha_0 + w) (x \cdot h - p)^2` in place of both terms above. With
        ``unobserved_weight=1`` its weight is their confidence c = 1 + alpha r. The library implicit
        has c = alpha r instead, where alpha r = 1 + w, and ``count_exponent=0``.
    init_scale : float, default=0.1
        Factors start at random with this standard deviation over the root of n_factors, above 0.
    solver : {"auto", "cholesky", "cg", "subspace"}, default="auto"
        "cholesky" solves each system exactly; "cg" takes `cg_steps` steps of conjugate gradients
        from where the row stood, which is faster for many factors [4]_; "subspace" solves for 32
        factors at a time, once each, while the others of the row stand still [5]_. "auto" is
        "cholesky" up to 32 factors.
    cg_steps : int, default=3
        Steps of "cg", at least 1.
    max_iter : int, default=16
        Epochs at most, at least 1.
    tol : float, default=0.0
        Training stops when an epoch lowers the objective (with a validation part: 1 - NDCG, see
        `patience`) by less than this share of it; 0 never stops without a validation part.
    patience : int, default=3
        With a validation part: epochs in a row without improvement after which training stops. The
        validation metric is 1 - NDCG of lists of 10 items, over the users of the part.
    random_state : int, Generator, RandomState or None, default=None
        Of the start. Equal seeds give equal bits, for any number of threads.
    n_threads : int or None, default=None
        None: `matfact.threads`, else what OpenMP says.
    dtype : float32 or float64, default=float32
        Of factors and computation.
    warm_start : bool, default=False
        Whether `fit` goes on from the present factors.
    verbose : bool, default=False
        Whether to show a progress bar (with tqdm installed; else lines of ``logging``).

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n_users, n_factors), (n_items, n_factors)
        x and h.
    user_biases_, item_biases_ : None
    mean_ : float
        0.
    unobserved_weight_ : float
        :math:`\alpha_0` of the training.
    scale_ : float
        The same, by the name that all models have for what their parameters are in units of.
    user_ids_, item_ids_ : IdMap
        Ids of the rows.
    ratings_ : Ratings or None
        What the model was trained on.
    history_ : History
        Objective, validation metric and seconds of each epoch.
    n_iter_ : int
        Epochs run.
    best_iteration_ : int
        Epoch whose factors are kept.
    rating_range_ : (float, float)
        Smallest and largest value; scores may lie outside.
    n_features_in_ : int
        Number of items.

    Notes
    -----
    An epoch costs N k^2 + (n_users + n_items) k^3 / 3 multiply-adds for N interactions and k
    factors by "cholesky", about 4 (cg_steps + 1) (N k + (n_users + n_items) k^2 / 4) by "cg".
    Memory: the interactions by users and by items with a weight and a target each, and four copies
    of the factors; never an array of users times items.

    References
    ----------
    .. [1] S. Rendle, W. Krichene, L. Zhang, Y. Koren, "Revisiting the Performance of iALS on Item
       Recommendation Benchmarks", RecSys 2022.
    .. [2] I. Bayer, X. He, B. Kanagal, S. Rendle, "A Generic Coordinate Descent Framework for
       Learning from Implicit Feedback", WWW 2017.
    .. [3] Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets",
       ICDM 2008.
    .. [4] G. Takács, I. Pilászy, D. Tikk, "Applications of the Conjugate Gradient Method for
       Implicit Feedback Collaborative Filtering", RecSys 2011.
    .. [5] S. Rendle, W. Krichene, L. Zhang, Y. Koren, "iALS++: Speeding up Matrix Factorization
       with Subspace Optimization", 2021; there sides change after each block of factors.

    Examples
    --------
    >>> from matfact import ImplicitALS, make_ratings
    >>> clicks = make_ratings(200, 100, 3000, random_state=0)
    >>> model = ImplicitALS(n_factors=8, random_state=0).fit(clicks)
    >>> items, scores = model.recommend(7, n=3)
    >>> len(items)
    3
    """

    def __init__(
        self,
        *,
        n_factors: int = 64,
        unobserved_weight: float | Literal["auto"] = "auto",
        regularization: float = 0.01,
        count_exponent: float = 1.0,
        alpha: float | None = None,
        loss: Literal["ials", "classic"] = "ials",
        init_scale: float = 0.1,
        solver: Literal["auto", "cholesky", "cg", "subspace"] = "auto",
        cg_steps: int = 3,
        max_iter: int = 16,
        tol: float = 0.0,
        patience: int = 3,
        random_state: RandomStateLike = None,
        n_threads: int | None = None,
        dtype: DTypeLike = np.float32,
        warm_start: bool = False,
        verbose: bool = False,
    ) -> None:
        self.n_factors = n_factors
        self.unobserved_weight = unobserved_weight
        self.regularization = regularization
        self.count_exponent = count_exponent
        self.alpha = alpha
        self.loss = loss
        self.init_scale = init_scale
        self.solver = solver
        self.cg_steps = cg_steps
        self.max_iter = max_iter
        self.tol = tol
        self.patience = patience
        self.random_state = random_state
        self.n_threads = n_threads
        self.dtype = dtype
        self.warm_start = warm_start
        self.verbose = verbose

    @classmethod
    def tune(
        cls,
        ratings: Ratings,
        *,
        unobserved_weights: Sequence[float] | None = None,
        regularizations: Sequence[float] = (0.03, 0.01, 0.003, 0.001),
        n_factors: int = 32,
        max_factors: int = 128,
        max_iter: int = 16,
        users: float | int = 0.1,
        fold_in: float = 0.8,
        n_splits: int | None = None,
        k: int = 10,
        random_state: RandomStateLike = 0,
        **parameters: Any,
    ) -> Tuning:
        """Find parameters by the lists for users that are held out.

        All pairs of `unobserved_weights` and `regularizations` are tried with few factors, then
        the number of factors is doubled up to `max_factors`, each time with three regularizations
        around the best one of the size before [1]_.

        Parameters
        ----------
        ratings : Ratings
            Interactions.
        unobserved_weights : sequence of float, optional
            What to try, numbers above 0; by default three times what "auto" is, that, and a third.
        regularizations : sequence of float
            What to try, numbers above 0.
        n_factors : int, default=32
            Of the first trials, at least 1.
        max_factors : int, default=128
            Largest number to try.
        max_iter : int, default=16
            Epochs of a trial.
        users : float or int, default=0.1
            Share or number of the users to hold out; see `matfact.evaluation.held_out_users`.
        fold_in : float, default=0.8
            Share of their interactions that a model may see.
        n_splits : int, optional
            How often users are held out, others each time; by default until they are 1,000, at
            most five times.
        k : int, default=10
            Length of the lists whose NDCG decides.
        random_state : int, Generator, RandomState or None, default=0
            Of the held-out users.
        **parameters : object
            Further parameters of all models, such as ``alpha=1.0``.

        Returns
        -------
        Tuning
            With `model`, unfitted; ``ImplicitALS.tune(ratings).model.fit(ratings)``.

        Raises
        ------
        TypeError, ValueError
            If an argument is unsuitable, or too few users have two interactions.

        Notes
        -----
        Costs 12 trainings with 32 factors, and six with more, for each split. Equal seeds give
        equal results, for any number of threads.

        References
        ----------
        .. [1] S. Rendle, W. Krichene, L. Zhang, Y. Koren, "Revisiting the Performance of iALS on
           Item Recommendation Benchmarks", RecSys 2022.

        Examples
        --------
        >>> from matfact import ImplicitALS, make_ratings
        >>> clicks = make_ratings(200, 100, 3000, random_state=0)
        >>> result = ImplicitALS.tune(clicks, unobserved_weights=[0.1, 1.0], max_factors=32)
        >>> model = result.model.fit(clicks)
        >>> model.n_factors == result.best_params["n_factors"]
        True
        """
        return tune(
            cls,
            ratings,
            unobserved_weights=unobserved_weights,
            regularizations=regularizations,
            n_factors=n_factors,
            max_factors=max_factors,
            max_iter=max_iter,
            users=users,
            fold_in=fold_in,
            n_splits=n_splits,
            k=k,
            random_state=random_state,
            parameters=parameters,
        )

    def _check_parameters(self) -> None:
        if not isinstance(self.unobserved_weight, str):
            check_number(self.unobserved_weight, "unobserved_weight")
        elif self.unobserved_weight != "auto":
            raise ValueError(
                f'unobserved_weight is {self.unobserved_weight!r}; give a number above 0 or "auto"'
            )
        check_number(self.init_scale, "init_scale")
        for name in ("regularization", "count_exponent"):
            check_number(getattr(self, name), name, zero_allowed=True)
        if self.alpha is not None:
            check_number(self.alpha, "alpha")
        check_integer(self.cg_steps, "cg_steps", minimum=1)
        for name, known in (("solver", SOLVERS), ("loss", LOSSES)):
            if getattr(self, name) not in known:
                listed = ", ".join(map(repr, known))
                raise ValueError(f"{name} is {getattr(self, name)!r}; give one of {listed}")

    @property
    def unobserved_weight_(self) -> float:
        """Weight of each pair without an interaction, as it was trained with."""
        self._check_is_fitted()
        return self.scale_

    def balanced_weight(self, ratings: Ratings) -> float:
        """Return the `unobserved_weight` that "auto" stands for.

        Parameters
        ----------
        ratings : Ratings
            Interactions.

        Returns
        -------
        float
            Above 0.
        """
        return balanced_weight(Rows.of(ratings), ratings.n_items, self._weighting(1.0))

    def _scale_of(self, ratings: Ratings, mean: float) -> float:
        del mean
        if not isinstance(self.unobserved_weight, str):
            return float(self.unobserved_weight)
        return self.balanced_weight(ratings)

    def _weighting(self, unobserved: float | None = None) -> Weighting:
        alpha = None if self.alpha is None else float(self.alpha)
        weight = self.scale_ if unobserved is None else unobserved
        return Weighting(alpha, weight, self.loss == "classic")

    def _start(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        arrays = normal_start(
            ratings.shape, self.n_factors, np.dtype(self.dtype), seed, 1.0, float(self.init_scale)
        )
        del arrays["user_biases"], arrays["item_biases"]
        return arrays

    def _solver(
        self, ratings: Ratings, arrays: dict[str, NDArray[Any]], mean: float, seed: int
    ) -> ImplicitAlternating:
        del seed  # nothing is random after the start
        weighting = self._weighting()
        by_users, by_items = Rows.of(ratings), Rows.of(ratings.transpose())
        return ImplicitAlternating(
            by_users,
            weighting,
            users=InteractionRows.weighted(by_users, weighting),
            items=InteractionRows.weighted(by_items, weighting),
            factors=Factors.from_arrays(arrays, mean, 0.0),
            arrays=arrays,
            ridges=partial(self._ridges_of_shape, ratings.shape),
            method=METHODS[self._chosen_solver()],
            n_steps=self.cg_steps if self._chosen_solver() == "cg" else 1,
            n_threads=self._threads(),
        )

    def _solve_rows(self, rows: Rows, factors: Factors, side: Side) -> tuple[Floats, Floats | None]:
        return super()._solve_rows(InteractionRows.weighted(rows, self._weighting()), factors, side)

    def _ridges(
        self, counts: NDArray[np.float64], side: Side
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._ridges_of_shape((len(self.user_ids_), len(self.item_ids_)), counts, side)

    def _ridges_of_shape(
        self, shape: tuple[int, int], counts: NDArray[np.float64], side: Side
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        n_users, n_items = shape
        n_others = n_items if side == "users" else n_users
        sizes = counts + self.scale_ * n_others
        ridge = self.regularization * sizes**self.count_exponent
        return ridge, ridge

    def _gram(self, factors: Factors) -> NDArray[np.float64]:
        gram: NDArray[np.float64] = als.gram_matrix(factors.item_factors, self._threads())
        return self.scale_ * gram

    def _contributions(
        self,
        row: Rows,
        item: int,
        user: int,  # noqa: ARG002 (nothing else is known of users)
    ) -> NDArray[np.float64]:
        """Return what each interaction of a row adds to a score: h_i' A^-1 h_j times its target."""
        weighting, factors = self._weighting(), self._factors()
        weights = weighting.weights(row)
        targets = weighting.targets(row, weights).astype(np.float64)
        ridge, _ = self._ridges(InteractionRows.weighted(row, weighting).counts(), "users")
        seen = factors.item_factors[row.indices].astype(np.float64)
        normal = self._gram(factors) + (seen.T * weights) @ seen
        normal += float(ridge[0]) * np.eye(len(normal))
        # lstsq: without regularization the matrix may be singular.
        direction = np.linalg.lstsq(normal, factors.item_factors[item].astype(float), rcond=None)[0]
        contributions: NDArray[np.float64] = (seen @ direction) * targets
        return contributions

    def _chosen_solver(self) -> str:
        if self.solver != "auto":
            return self.solver
        return "cholesky" if self.n_factors <= MOST_FACTORS_CHOLESKY else "cg"
