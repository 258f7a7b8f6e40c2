# length: most of it is documentation
"""Variational Bayes matrix factorization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np

from matfact.models._arrays import SHARED, Covariance, row_shapes, shared_shapes, variational_start
from matfact.models._bayesian import assumed_parts
from matfact.models._data import Rows
from matfact.models._drifting import DriftingModel
from matfact.models._factors import Factors
from matfact.models._folding import solve_new
from matfact.models._levels import DRIFT
from matfact.models._linking import LINK_OWN, LINK_SHARED, Links
from matfact.models._posteriors import SIDES, column_covariances, moved_covariance
from matfact.models._uncertainty import variances
from matfact.models._units import design, ratings_vectors
from matfact.models._variational import Variational

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from matfact._random import RandomStateLike
    from matfact.models._growing import Floats, Side
    from matfact.models._linking import LinkedSides
    from matfact.models._posteriors import Posteriors
    from matfact.ratings import Ratings

__all__ = ["VBMF"]


KEPT = ("user_covariances", "item_covariances", "user_bias_covariances", "item_bias_covariances")
"""What may be kept of the uncertainty of each row."""


class VBMF(DriftingModel):
    r"""Matrix factorization of ratings by variational Bayes: nothing to tune.

    A rating is a mean, two biases, the product of two vectors, and noise:

    .. math::

        r_{ui} = \mu + b_u + c_i + p_u \cdot q_i + \varepsilon_{ui}, \quad
        \varepsilon_{ui} \sim N(0, 1 / (\alpha \tau_u)), \quad
        (p_u, b_u) \sim N(m_U, \Lambda_U^{-1}), \quad (q_i, c_i) \sim N(m_I, \Lambda_I^{-1})

    The posterior is approximated by a normal distribution for each user and each item. Everything
    that other models call regularization is learned from the ratings: the noise of all and how
    reliable each user is, the two priors with full matrices, and the covariances of the posteriors.
    With ``covariance="mean"`` those of factors are one matrix for each side, their mean S weighted
    by the ratings of each row [1]_ [2]_, while each row keeps what its factors and its bias have in
    common. With :math:`x_i = (q_i, 1)` and the :math:`n_u` ratings of a user,

    .. math::

        A_u = \alpha \tau_u \Big(\sum_i x_i x_i^T + n_u S_I\Big) + \Lambda_U, \quad
        (p_u, b_u) = A_u^{-1} \Big(\alpha \tau_u \sum_i \big((r_{ui} - \mu - c_i) x_i - k_i\big)
        + \Lambda_U m_U\Big)

    where :math:`(k_i, v_i)` is the last row of :math:`A_i^{-1}`, that of the bias; the row and
    column of the bias are 0 in :math:`S_I`. Of an item each rating counts :math:`\tau_u`. An epoch
    solves for all items, then for all users; then :math:`S = \sum n A^{-1} / N` of both, the
    priors' maximum given the posteriors (with one row of variance 1 added), and the noise.

    The reliability of a user follows from the expected squared error :math:`E_u` of the user's
    ratings: :math:`\tau_u = (20 + n_u) / (20 + \alpha E_u)`, as if each user had given 20 ratings
    more of ordinary noise; 2 at most, so that those who give everything the same rating do not
    rule. :math:`\alpha` is such that :math:`1 / \alpha = \sum_u \tau_u E_u / N`.

    With ``covariance="full"`` each row keeps its own :math:`S_i = A_i^{-1}`, and the sums of
    :math:`S_i` and :math:`k_i` over the ratings take the place of :math:`n_u S_I` and
    :math:`n_u k_I`: variational Bayes without a further approximation. With "diag" the diagonals
    are kept; all k are 0 then.

    So the uncertainty of rows with few ratings counts as what it is. More factors than the ratings
    support do no harm: they are learned to be zero.

    `fit` takes features of users and of items, too: labels such as genres, or numbers. They move
    the mean of the prior as `link` does, :math:`m_I + B^T f_i`, by coefficients that are learned
    with their uncertainty. So there are predictions for items without a rating, and better ones for
    those with few. New rows may come with features: `add_users`, `add_items`, `fold_in`.

    Parameters
    ----------
    n_factors : int or "auto", default="auto"
        Length of the vectors p and q, at least 1. "auto": 16 for less than a million ratings, 32
        for less than ten millions, else 64; a model that goes on keeps its number.
    covariance : {"mean", "full", "diag"}, default="mean"
        What is kept of the uncertainty of rows: the mean covariance of a side and of each row what
        concerns its bias, the covariance of each row, or its diagonal. "full" is the exact
        algorithm; on MovieLens 100K it lowers the error by .05 % and takes twice as long.
    link : {"users", "items", "both"} or None, default=None
        Sides whose priors depend on what each row has rated, whatever the ratings: the mean of a
        user's prior is then :math:`m_U + B^T x_u`, where :math:`x_u` has :math:`1 / \sqrt{n_u}` for
        each item rated. It is the implicit feedback of SVD++ [3]_, here learned by evidence like
        all else. On MovieLens 100K "both" lowers the error by 2 %; it takes four times as long.
    drift : bool, default=False
        Whether the level of each user drifts with the time of the ratings, as learned by evidence;
        see Notes. Needs `Ratings` with timestamps.
    max_iter : int, default=30
        Epochs at most, at least 1.
    tol : float, default=3e-4
        Training stops when an epoch lowers the objective (with a validation part: the error) by
        less than this share of it; 0 never stops without a validation part.
    patience : int, default=3
        With a validation part: epochs in a row without improvement after which training stops.
    random_state : int, Generator, RandomState or None, default=None
        Of the start. Equal seeds give equal bits, for any number of threads.
    n_threads : int or None, default=None
        None: `matfact.threads`, else what OpenMP says.
    dtype : float32 or float64, default=float32
        Of factors and of the computation of rows.
    clip : bool, default=True
        Whether predictions are cut to the range of the ratings.
    warm_start : bool, default=False
        Whether `fit` goes on from the present state.
    verbose : bool, default=False
        Whether to show a progress bar (with tqdm installed; else lines of ``logging``).

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n_users, n_factors), (n_items, n_factors)
        Means of p and q.
    user_biases_, item_biases_ : ndarray of shape (n_users,), (n_items,)
        Means of b and c.
    mean_ : float
        :math:`\mu`, the mean of the ratings.
    prior_ : float
        Prediction for an unknown user and an unknown item.
    scale_ : float
        Standard deviation s of the ratings. What follows is in units in which it is 1: biases in
        s, factors in the root of s.
    prior_means_ : ndarray of float64, shape (2, n_factors + 1)
        :math:`m_U` and :math:`m_I`; the bias comes last.
    prior_precisions_, mean_covariances_ : ndarray of float64, (2, n_factors + 1, n_factors + 1)
        :math:`\Lambda_U` and :math:`\Lambda_I`; :math:`S_U` and :math:`S_I`.
    unrated_means_ : ndarray of float64, shape (2, n_factors + 1)
        What rows without ratings are more than the prior and their features say; see Notes.
    noise_precision_ : ndarray of float64, shape (1,)
        :math:`\alpha`.
    user_reliabilities_ : ndarray of float64, shape (n_users,)
        :math:`\tau`, above 0 and at most 2: a user's ratings have noise of variance
        ``scale_**2 / (noise_precision_ * user_reliabilities_)``.
    user_bias_covariances_, item_bias_covariances_ : ndarray or None
        With ``covariance="mean"`` the last row of the covariance of each row, of shape (n_users,
        n_factors + 1), (n_items, ...); else None. Of the model's dtype.
    user_covariances_, item_covariances_ : ndarray or None
        With ``covariance="full"`` the covariance of each row, of shape (n_users, n_factors + 1,
        n_factors + 1), the bias last; with "diag" its diagonal, of shape (n_users, 1, n_factors +
        1); else None. Of the model's dtype.
    user_influences_, item_influences_ : ndarray of float64 or None
        With `link` what having been rated by a user says of items, of shape (n_users, n_factors +
        1), and having rated an item of users: the rows of :math:`B`. None without that link.
    influence_precisions_, influence_covariances_ : ndarray of float64 or None
        Of the links of users and of items, each of shape (2, n_factors + 1, n_factors + 1): the
        precision of the prior of the rows of B, and the mean covariance of :math:`B^T x_u`. What
        stands for a side without a link has no meaning. None without `link`.
    user_feature_names_, item_feature_names_ : IdMap or None
        Names of the features that `fit` was given; None if there were none.
    user_feature_coefficients_, item_feature_coefficients_ : ndarray of float64 or None
        What each feature says, in the order of its name, for the values as they were given: of
        shape (n_features, n_factors + 1).
    user_feature_means_, item_feature_means_ : ndarray of float64 or None
        What its features add to the mean of the prior of each row, of shape (n_users, n_factors +
        1), (n_items, n_factors + 1).
    feature_precisions_, feature_covariances_ : ndarray of float64 or None
        As `influence_precisions_` and so on; the precisions are for values whose sum of squares in
        a row is 1 on average.
    drift_variance_, drift_time_ : ndarray of float64, shape (1,), or None
        With `drift` the variance :math:`\sigma^2` of levels, and the time :math:`T` in which
        they are forgotten, in the unit of the timestamps (datetime64: seconds). None without.
    drift_indptr_, drift_times_, drift_levels_, drift_covariances_ : ndarray or None
        With `drift` the distinct times of each user's ratings, user by user (those of user u begin
        at place ``drift_indptr_[u]``), and at these the means of the levels, and their variances
        and covariances with the next level of the same user, of shape (2, n_states).
    drift_steps_ : ndarray of float64, shape (2,), or None
        Steps of the search for :math:`\sigma^2` and :math:`T`, which a training goes on with.
    user_ids_, item_ids_ : IdMap
        Ids of the rows.
    ratings_ : Ratings or None
        What the model was trained on.
    history_ : History
        Objective (negative evidence bound for each rating, in nats), validation error and seconds
        of each epoch.
    n_iter_ : int
        Epochs run.
    best_iteration_ : int
        Epoch whose state is kept.
    rating_range_ : (float, float)
        Smallest and largest rating.
    n_features_in_ : int
        Number of items.

    Notes
    -----
    An epoch costs N k^2 + (n_users + n_items) k^3 multiply-adds for N ratings and k factors.
    Memory: the ratings by users and by items, three copies of the factors. ``covariance="full"``
    takes another N k^2 multiply-adds and (n_users + n_items) (n_factors + 1)^2 numbers, the others
    so many without the square; in files as well, and during the training twice, three times with a
    validation part. What ratings count by the reliabilities takes two numbers for each. A link, or
    features, of a side: its 256 leading singular vectors, found anew at the start of each fit, 2 kB
    of memory for each row, and 256 (n_users + n_items) k multiply-adds an epoch.

    Weights of the `Ratings` count as so many ratings. Rows without ratings are as the others on
    average; with features, which may be those of new rows, each of the others counts as often as it
    is rated. `explain` hands what is assumed of an average user to a user's ratings in equal parts.

    With ``drift=True`` a rating has a further part, the level of the user at its time: an
    Ornstein-Uhlenbeck process [4]_,

    .. math::

        \mathrm{Cov}(x_u(s), x_u(t)) = \sigma^2 e^{-|s - t| / T},

    whose exact posterior takes time linear in the ratings: a fit takes 1.1 to 2.6 times as long,
    the less with a link or more factors. The parameters begin at .03 and the likeliest of some
    quantiles of the gaps between a user's ratings; from the third epoch on each moves by a step if
    that raises the evidence. `predict` takes levels at the times that it is given; so do `score`,
    `cross_validate` and validation parts, for ratings that have timestamps. All else
    (recommendations, explanations, new rows) is at no time in particular: levels are 0, their mean.

    Most of what a drift of minutes gains on ratings held out at random is no forecast. On MovieLens
    100K their error falls by 1.6 %: 90 % of them lie within a minute of another rating of the same
    user, which tells of the level, and which no recommender could know of in advance. The error
    of the newest 20 % of each user's ratings falls by 0.2 %.

    With ``covariance="full"`` each step of an epoch lowers the objective, apart from rounding: it
    is the bound of the evidence, with priors, noise and reliabilities at their maximum. Otherwise
    the covariances stand for others, so that the objective is an approximation and may rise a
    little from one epoch to the next; where it does, `tol` ends the training.

    References
    ----------
    .. [1] Y. J. Lim, Y. W. Teh, "Variational Bayesian Approach to Movie Rating Prediction", KDD Cup
       and Workshop 2007.
    .. [2] R. Salakhutdinov, A. Mnih, "Bayesian Probabilistic Matrix Factorization using Markov
       Chain Monte Carlo", ICML 2008: the model, with samples in place of the approximation.
    .. [3] Y. Koren, "Factorization Meets the Neighborhood", KDD 2008.
    .. [4] C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press
       2006: appendix B.2, the process; chapter 5, the evidence of its parameters.

    Examples
    --------
    >>> from matfact import VBMF, make_ratings
    >>> ratings = make_ratings(200, 100, 3000, random_state=0)
    >>> model = VBMF(n_factors=8, random_state=0).fit(ratings)
    >>> model.predict([3, 4], [5, 6]).shape
    (2,)

    An item without a rating, by what is known of it:

    >>> import numpy as np
    >>> genres = np.random.default_rng(0).integers(0, 2, (100, 5))
    >>> model = VBMF(random_state=0).fit(ratings, item_features=genres)
    >>> model.add_items(features=[[0, 1, 1, 0, 0]]).predict([3, 4], 100).shape
    (2,)
    """

    prior_precisions_: NDArray[np.float64]
    mean_covariances_: NDArray[np.float64]
    noise_precision_: NDArray[np.float64]
    unrated_means_: NDArray[np.float64]
    user_reliabilities_: NDArray[np.float64]
    user_covariances_: NDArray[np.floating[Any]] | None
    item_covariances_: NDArray[np.floating[Any]] | None
    user_bias_covariances_: NDArray[np.floating[Any]] | None
    item_bias_covariances_: NDArray[np.floating[Any]] | None

    _own_arrays: ClassVar[tuple[str, ...]] = ("user_reliabilities", *KEPT, *LINK_OWN)
    _shared_arrays: ClassVar[tuple[str, ...]] = (*SHARED, *LINK_SHARED, *DRIFT)

    def __init__(
        self,
        *,
        n_factors: int | Literal["auto"] = "auto",
        covariance: Covariance = "mean",
        link: LinkedSides = None,
        drift: bool = False,
        max_iter: int = 30,
        tol: float = 3e-4,
        patience: int = 3,
        random_state: RandomStateLike = None,
        n_threads: int | None = None,
        dtype: DTypeLike = np.float32,
        clip: bool = True,
        warm_start: bool = False,
        verbose: bool = False,
    ) -> None:
        self.n_factors = n_factors
        self.covariance = covariance
        self.link = link
        self.drift = drift
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
        super()._check_parameters()
        if self.covariance not in (known := get_args(Covariance)):
            names = ", ".join(map(repr, known))
            raise ValueError(f"covariance is {self.covariance!r}; give one of {names}")

    def _start(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        return self._start_of(ratings, seed, self._n_factors_for(ratings))

    def _start_again(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        return self._start_of(ratings, seed, self._n_factors_again())

    def _start_of(self, ratings: Ratings, seed: int, n_factors: int) -> dict[str, NDArray[Any]]:
        arrays = variational_start(
            ratings.shape, n_factors, self.covariance, self.dtype, seed, self._unit(ratings)
        )
        return arrays | self._link_start(ratings, n_factors) | self._drift_start(ratings)

    def _unit(self, ratings: Ratings) -> float:
        return self._scale_of(ratings, self._mean_of(ratings))

    def _solver(
        self, ratings: Ratings, arrays: dict[str, NDArray[Any]], mean: float, seed: int
    ) -> Variational:
        rows = {"users": Rows.of(ratings), "items": Rows.of(ratings.transpose())}
        changing = {name: one for name, one in arrays.items() if name not in self._fixed_arrays}
        return Variational(
            rows,
            Factors.from_arrays(arrays, mean, ratings.mean),
            changing,
            Links(rows, arrays, self._features_of(ratings), seed, self._threads()),
            self.scale_,
            self._threads(),
            self._drift_of(ratings, arrays),
        )

    def predict(
        self,
        users: Any,
        items: Any = None,
        *,
        unknown: Literal["raise", "mean"] = "raise",
        return_std: bool = False,
        timestamps: Any = None,
    ) -> Any:
        """Predict ratings of pairs, or fill the rows of a matrix; on request with their spread.

        Parameters
        ----------
        users, items : array_like of ids, of one length, or single ids
            Pairs: the rating of ``users[j]`` for ``items[j]``. A single id is paired with all of
            the other side. Without `items`, `users` is a dense matrix of ratings whose rows are
            taken as new users: then the result is ``inverse_transform(transform(users))``.
        unknown : {"raise", "mean"}, default="raise"
            Whether an unknown id raises, or is taken as an average user or item.
        return_std : bool, default=False
            Whether to return standard deviations, too. Needs `items`, and unless ``covariance`` is
            "full" the ratings of the training.
        timestamps : array_like of the shape of the pairs, a single time, or None, default=None
            With ``drift=True``: when the ratings are given, as those of the training (datetime64
            as seconds since 1970). None: at no time in particular, with levels of 0, of which
            `std` counts the whole variance.

        Returns
        -------
        predicted : ndarray of float64
            Of the shape of the pairs, or of the matrix; within the range of the training ratings if
            `clip` is True.
        std : ndarray of float64, of the same shape
            With ``return_std=True``: the standard deviation of the rating itself, that is of what
            is not known of user, item and level of the user, and of the noise.

        Raises
        ------
        UnknownIdError
            If an id is unknown and `unknown` is "raise".
        NotFittedError
            If the model is not fitted.
        ValueError
            If ``return_std=True`` or `timestamps` lack `items`, the model was saved without its
            ratings, or `timestamps` do not fit the pairs, or the model has no drift.

        Notes
        -----
        Costs n_factors multiply-adds a pair. Standard deviations cost a half step for each user and
        each item among the pairs unless ``covariance`` is "full", (n_factors + 1)^2 numbers of
        memory for each of them, and some n_factors^2 multiply-adds a pair. On MovieLens 100K 80 %
        of held-out ratings lie within 1.28 standard deviations, where a normal distribution has
        80 %.
        """
        if not return_std and timestamps is None:
            return super().predict(users, items, unknown=unknown)
        self._check_is_fitted()
        if items is None:
            name = "timestamps" if timestamps is not None else "return_std"
            raise ValueError(f"{name} needs users and items: pairs, not a matrix")
        of_users, of_items = self._pair_positions(users, items, unknown)
        times = None if timestamps is None else self._times_of_pairs(timestamps, of_users.shape)
        predicted = self._predicted(of_users.ravel(), of_items.ravel(), times)
        predicted = predicted.reshape(of_users.shape)
        if not return_std:
            return predicted
        kept = _kept(self.user_covariances_) == "full"
        variance = variances(
            of_users.ravel(),
            of_items.ravel(),
            None if kept else self._known_ratings("return_std"),
            self._factors(),
            self.scale_,
            self._shared(),
            {side: self._link_covariance(side) for side in SIDES},
            self._threads(),
        )
        variance += self._variances_of_time(of_users.ravel(), times)
        return predicted, np.sqrt(variance).reshape(of_users.shape)

    def _further_shapes(self) -> dict[str, tuple[int, ...] | None]:
        shape = len(self.user_factors_), len(self.item_factors_)
        own = row_shapes(shape, self.n_factors_, _kept(self.user_covariances_))
        shapes: dict[str, tuple[int, ...] | None] = {name: own.get(name) for name in KEPT}
        shapes["user_reliabilities"] = shape[:1]
        return shapes | shared_shapes(self.n_factors_) | super()._further_shapes()

    def _shared(self) -> dict[str, Any]:
        return {name: getattr(self, f"{name}_") for name in SHARED}

    def _carried_over(self, fresh: dict[str, NDArray[Any]], ratings: Ratings) -> None:
        before, now = _kept(self.user_covariances_), _kept(fresh.get("user_covariances"))
        if before != now:
            raise ValueError(
                f"covariance was {before!r} and is {now!r} now; a warm start needs the same, "
                "so set warm_start=False for a new beginning"
            )
        super()._carried_over(fresh, ratings)

    def _solve_arrays(
        self, rows: Rows, factors: Factors, side: Side, told: NDArray[np.float64] | None = None
    ) -> dict[str, Floats]:
        like = factors.more_of_users.get("covariances")
        own = None if like is None else np.zeros((len(rows), *like.shape[1:]), dtype=like.dtype)
        prior_means = self._prior_means(rows, factors, side, told)
        found, solved = solve_new(
            rows,
            factors,
            self.scale_,
            self._shared(),
            side,
            self._threads(),
            self.n_iter_,
            prior_means,
            own,
        )
        solved["factors"], solved["biases"] = ratings_vectors(found.means, self.scale_)
        return (
            solved
            | self._uncertain_rows(found, own, side)
            | self._further_rows(rows, factors, side, told)
        )

    def _uncertain_rows(
        self, found: Posteriors, covariances: Floats | None, side: Side
    ) -> dict[str, Floats]:
        """Return by name what is kept of the uncertainty of solved rows."""
        name, kept = "covariances", covariances
        if kept is None:
            name, kept = "bias_covariances", found.bias_covariances
        of_links, place = self._link_covariance(side), SIDES.index(side)
        if of_links is not None:
            precision = self.prior_precisions_[place]
            if covariances is None:
                mean = self.mean_covariances_[place]
                kept = kept + moved_covariance(mean, precision, of_links)[-1].astype(kept.dtype)
            else:
                kept += moved_covariance(kept, precision, of_links).astype(kept.dtype)
        return {name: kept}

    def _contributions(self, row: Rows, item: int, user: int) -> NDArray[np.float64]:
        factors, shared, scale = self._factors(), self._shared(), self.scale_
        vectors, offsets = (part.astype(np.float64) for part in design(factors, scale))
        noise, precision = float(shared["noise_precision"][0]), shared["prior_precisions"][0]
        columns = column_covariances(factors, shared, "users").astype(np.float64)
        columns = columns[np.minimum(row.indices, len(columns) - 1)]  # one may stand for all
        if columns.shape[1] == 1:
            columns = columns * np.eye(columns.shape[2])
        last_rows = factors.more_of_items.get("bias_covariances")
        correlations = (columns[:, -1] if last_rows is None else last_rows[row.indices]).copy()
        correlations[:, -1] = columns[:, -1] = columns[:, :, -1] = 0
        weights = np.ones(len(row.values)) if row.weights is None else row.weights.astype(float)
        told = self.user_feature_means_
        told = None if told is None else told[user : user + 1]
        weights *= self._solve_arrays(row, factors, "users", told)["reliabilities"][0]
        rated = vectors[row.indices]
        covariance = np.tensordot(weights, columns, axes=1)
        normal = noise * ((rated.T * weights) @ rated + covariance) + precision
        direction = np.linalg.solve(normal, vectors[item])
        residual = (row.values.astype(float) - factors.mean) / scale - offsets[row.indices]
        parts = noise * weights * (residual * (rated @ direction) - correlations @ direction)
        mean = shared["prior_means"][0]
        if told is not None:
            mean = mean + told[0]
        influences = factors.more_of_items.get("influences")
        rated_influences = None if influences is None else influences[row.indices]
        parts += assumed_parts(len(parts), mean, rated_influences, precision @ direction)
        contributions: NDArray[np.float64] = scale * parts
        return contributions


def _kept(covariances: NDArray[Any] | None) -> Covariance:
    """Tell what an array of covariances, a row each, is."""
    if covariances is None:
        return "mean"
    return "diag" if covariances.shape[1] == 1 else "full"
