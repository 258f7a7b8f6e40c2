# length: most of it is documentation
"""Bayesian probabilistic matrix factorization by Gibbs sampling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from matfact._validation import check_integer
from matfact.models._arrays import variational_start
from matfact.models._bayesian import BayesianModel, assumed_parts
from matfact.models._chain import CHAIN, SAMPLES, chain_shapes, chain_start, slot_of
from matfact.models._data import Rows
from matfact.models._factors import Factors
from matfact.models._folding import solve_new
from matfact.models._gibbs import Gibbs
from matfact.models._linking import (
    LINK_OWN,
    LINK_SHARED,
    Links,
    feature_means,
    rated_means,
)
from matfact.models._posteriors import SIDES, with_unrated
from matfact.models._units import standardized
from matfact.models._variational import Variational

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from matfact._random import RandomStateLike
    from matfact.models._growing import Floats, Side
    from matfact.models._linking import LinkedSides
    from matfact.ratings import Ratings

    Doubles = NDArray[np.float64]

__all__ = ["BPMF"]

START_EPOCHS = 10
"""Epochs of variational Bayes that the chain begins with."""

BLOCK_PAIRS = 1 << 16
"""Pairs whose vectors are in memory at a time."""


class BPMF(BayesianModel):
    r"""Bayesian matrix factorization of ratings by Gibbs sampling: the mean of many models.

    The model is that of `VBMF`; instead of one approximate posterior there is a chain of draws from
    the exact one [1]_. A sweep draws, each given all else,

    .. math::

        (q_i, c_i), \quad (p_u, b_u) \sim N(A_u^{-1} b_u, A_u^{-1}), \quad
        A_u = \alpha \sum_i x_i x_i^T + \Lambda_U, \quad
        b_u = \alpha \sum_i (r_{ui} - \mu - c_i) x_i + \Lambda_U m_U

    with :math:`x_i = (q_i, 1)`, after each side its prior :math:`(m, \Lambda)` from a
    normal-Wishart distribution, and in the end the noise: the :math:`\alpha` of all and from
    gamma distributions what it is multiplied with for each user, the reliability :math:`\tau_u` as
    in `VBMF`, which is left out above. A prediction is the
    mean over the samples that are kept. The chain begins at a solution of `VBMF`, so that few
    sweeps are lost.

    `fit` takes features of users and of items, as that of `VBMF` does.

    Its intervals hold what they say. It is among the slowest models, in training as well as in
    serving: each user and item has `n_samples` vectors.

    Parameters
    ----------
    n_factors : int or "auto", default="auto"
        Length of the vectors p and q of a sample, at least 1. "auto" as in `VBMF`.
    n_samples : int, default=100
        Samples that are kept, the last ones, at least 1.
    burn_in : int, default=20
        Sweeps before the first sample that is kept, at least 0.
    thinning : int, default=4
        One sweep in so many gives a sample, at least 1.
    link : {"users", "items", "both"} or None, default=None
        Sides whose priors depend on what each row has rated; see `VBMF`.
    max_iter : int, default=420
        Sweeps at most, at least 1.
    tol : float, default=0.0
        With a validation part: the improvement of the error that counts as one. Without one
        anything but 0 ends the chain by chance, at the first sweep that fits worse than the last.
    patience : int, default=60
        With a validation part: sweeps in a row without improvement after which training stops,
        those of the burn-in not counted. Only one in `thinning` can improve anything.
    random_state : int, Generator, RandomState or None, default=None
        Of start and draws. Equal seeds give equal bits, for any number of threads.
    n_threads : int or None, default=None
        None: `matfact.threads`, else what OpenMP says.
    dtype : float32 or float64, default=float32
        Of factors and of the computation of rows.
    clip : bool, default=True
        Whether predictions are cut to the range of the ratings.
    warm_start : bool, default=False
        Whether `fit` goes on from the present state of the chain.
    verbose : bool, default=False
        Whether to show a progress bar (with tqdm installed; else lines of ``logging``).

    Attributes
    ----------
    user_factors_, item_factors_ : ndarray of shape (n_users, n_samples n_factors), (n_items, ...)
        p and q of all samples side by side, p divided by the number of samples, so that products of
        rows are means over the samples; zeros where there is no sample.
    user_biases_, item_biases_ : ndarray of shape (n_users,), (n_items,)
        Means of b and c over the samples.
    user_bias_samples_, item_bias_samples_ : ndarray of shape (n_users, n_samples), (n_items, ...)
        b and c of each sample, in units of `scale_`.
    sample_means_, sample_precisions_, sample_noises_ : ndarray of float64
        m, Lambda, alpha of each sample: (n_samples, 2, n_factors + 1), one axis more, (n_samples,).
    sample_unrated_means_ : ndarray of float64, shape (n_samples, 2, n_factors + 1)
        What rows without ratings are more than the prior says, see `VBMF`.
    n_kept_ : ndarray of float64, shape (1,)
        Samples that were kept, later overwritten ones included.
    user_reliability_samples_ : ndarray of shape (n_users, n_samples)
        tau of each sample; 1 where there is none. user_reliabilities_ is the newest.
    user_draws_, item_draws_ : ndarray of shape (n_users, n_factors + 1), (n_items, n_factors + 1)
        Where the chain stands; prior_means_, prior_precisions_, noise_precision_, unrated_means_
        and what follows likewise, but for the samples.
    user_influences_, item_influences_, influence_precisions_ : ndarray of float64 or None
        With `link`: as in `VBMF`, drawn. `influence_covariances_` is left from the start.
    user_influence_samples_, item_influence_samples_ : ndarray or None
        Influences of all samples side by side: of shape (n_users, n_samples (n_factors + 1)),
        (n_items, ...).
    user_feature_names_, item_feature_names_ : IdMap or None
        Names of the features that `fit` was given; None if there were none.
    user_feature_coefficients_, item_feature_coefficients_ : ndarray of float64 or None
        As in `VBMF`, drawn; user_feature_means_, item_feature_means_ and feature_precisions_
        likewise. `feature_covariances_` is left from the start.
    user_feature_coefficient_samples_, item_feature_coefficient_samples_ : ndarray or None
        Coefficients of all samples side by side: (n_features, n_samples (n_factors + 1)).
    mean_, prior_, scale_ : float
        As in `VBMF`. A chain that goes on with other ratings keeps `mean_` and `scale_`, in units
        of which its samples are.
    user_ids_, item_ids_ : IdMap
        Ids of the rows.
    ratings_ : Ratings or None
        What the model was trained on.
    history_ : History
        Objective (negative log likelihood of a rating given the draws, in nats), validation error
        and seconds of each sweep.
    n_iter_ : int
        Sweeps run.
    best_iteration_ : int
        Sweep whose state is kept.
    rating_range_ : (float, float)
        Smallest and largest rating.
    n_features_in_ : int
        Number of items.

    Notes
    -----
    A sweep costs N k^2 / 2 + (n_users + n_items) k^3 / 6 multiply-adds for N ratings and k factors.
    Memory: 16 n_samples (n_factors + 1)^2 bytes, and n_samples (n_users + n_items) (n_factors + 1)
    numbers, twice during the training, three times with a validation part; with a link as many
    again for the other side than the linked one, and for each feature as many as for a row.

    Predictions cost n_samples n_factors multiply-adds, `fold_in` a solution for each sample.

    `explain` tells nothing of what features say of a user: its contributions are those of `fold_in`
    without them.

    References
    ----------
    .. [1] R. Salakhutdinov, A. Mnih, "Bayesian Probabilistic Matrix Factorization using Markov
       Chain Monte Carlo", ICML 2008.

    Examples
    --------
    >>> from matfact import BPMF, make_ratings
    >>> ratings = make_ratings(200, 100, 3000, random_state=0)
    >>> model = BPMF(n_factors=8, n_samples=20, max_iter=60, random_state=0).fit(ratings)
    >>> rating, std = model.predict([3, 4], [5, 6], return_std=True)
    >>> std.shape
    (2,)
    """

    prior_precisions_: NDArray[np.float64]
    noise_precision_: NDArray[np.float64]
    sample_means_: NDArray[np.float64]
    sample_precisions_: NDArray[np.float64]
    sample_noises_: NDArray[np.float64]
    sample_unrated_means_: NDArray[np.float64]
    unrated_means_: NDArray[np.float64]
    n_kept_: NDArray[np.float64]
    user_draws_: NDArray[np.floating[Any]]
    item_draws_: NDArray[np.floating[Any]]
    user_reliabilities_: NDArray[np.floating[Any]]
    user_reliability_samples_: NDArray[np.floating[Any]]
    user_bias_samples_: NDArray[np.floating[Any]]
    item_bias_samples_: NDArray[np.floating[Any]]
    user_influence_samples_: NDArray[np.floating[Any]] | None
    item_influence_samples_: NDArray[np.floating[Any]] | None
    user_feature_coefficient_samples_: NDArray[np.float64] | None
    item_feature_coefficient_samples_: NDArray[np.float64] | None

    _own_arrays: ClassVar[tuple[str, ...]] = (
        *LINK_OWN,
        "user_reliabilities",
        "user_reliability_samples",
        "user_draws",
        "item_draws",
        "user_bias_samples",
        "item_bias_samples",
        "user_influence_samples",
        "item_influence_samples",
    )
    _shared_arrays: ClassVar[tuple[str, ...]] = (
        *CHAIN,
        *SAMPLES,
        *LINK_SHARED,
        "user_feature_coefficient_samples",
        "item_feature_coefficient_samples",
    )

    def __init__(
        self,
        *,
        n_factors: int | Literal["auto"] = "auto",
        n_samples: int = 100,
        burn_in: int = 20,
        thinning: int = 4,
        link: LinkedSides = None,
        max_iter: int = 420,
        tol: float = 0.0,
        patience: int = 60,
        random_state: RandomStateLike = None,
        n_threads: int | None = None,
        dtype: DTypeLike = np.float32,
        clip: bool = True,
        warm_start: bool = False,
        verbose: bool = False,
    ) -> None:
        self.n_factors = n_factors
        self.n_samples = n_samples
        self.burn_in = burn_in
        self.thinning = thinning
        self.link = link
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
        check_integer(self.n_samples, "n_samples", minimum=1)
        check_integer(self.burn_in, "burn_in", minimum=0)
        check_integer(self.thinning, "thinning", minimum=1)

    def _start(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        del seed  # where the chain begins is found out when it does
        return self._start_of(ratings, self._n_factors_for(ratings))

    def _start_again(self, ratings: Ratings, seed: int) -> dict[str, NDArray[Any]]:
        del seed
        return self._start_of(ratings, self._n_factors_again())

    def _start_of(self, ratings: Ratings, n_factors: int) -> dict[str, NDArray[Any]]:
        links = self._link_start(ratings, n_factors)
        of_links = {name: array.shape for name, array in links.items()}
        shapes = chain_shapes(ratings.shape, n_factors, self.n_samples, of_links)
        return chain_start(shapes, self.dtype) | links

    def _units(self, ratings: Ratings, *, goes_on: bool) -> tuple[float, float]:
        # The samples that are kept are in the units of the ratings that the chain began with.
        return (self.mean_, self.scale_) if goes_on else super()._units(ratings, goes_on=goes_on)

    def _solver(
        self, ratings: Ratings, arrays: dict[str, NDArray[Any]], mean: float, seed: int
    ) -> Gibbs:
        rows = {"users": Rows.of(ratings), "items": Rows.of(ratings.transpose())}
        links = Links(rows, arrays, self._features_of(ratings), seed, self._threads())

        def begin() -> dict[str, NDArray[Any]]:
            n_factors = arrays["sample_means"].shape[2] - 1
            start = variational_start(
                ratings.shape, n_factors, "mean", self.dtype, seed, self.scale_
            )
            factors = Factors.from_arrays(start, mean, ratings.mean)
            solver = Variational(rows, factors, start, links, self.scale_, self._threads())
            for number in range(1, START_EPOCHS + 1):
                solver.epoch(number)
            return start

        return Gibbs(
            rows,
            arrays,
            links,
            begin,
            mean,
            self.scale_,
            self.burn_in,
            self.thinning,
            seed,
            self._threads(),
        )

    def _warm_up(self) -> int:
        return self.burn_in

    def predict(
        self,
        users: Any,
        items: Any = None,
        *,
        unknown: Literal["raise", "mean"] = "raise",
        return_std: bool = False,
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
            Whether to return standard deviations, too. Needs `items`.

        Returns
        -------
        predicted : ndarray of float64
            Of the shape of the pairs, or of the matrix; within the range of the training ratings if
            `clip` is True.
        std : ndarray of float64, of the same shape
            With ``return_std=True``: the standard deviation of the rating itself, that is of the
            samples' predictions, and of the noise.

        Raises
        ------
        UnknownIdError
            If an id is unknown and `unknown` is "raise".
        NotFittedError
            If the model is not fitted.
        ValueError
            If ``return_std=True`` lacks `items`.

        Notes
        -----
        Costs n_samples n_factors multiply-adds a pair. With few samples standard deviations are too
        small: use 20 at least.
        """
        predicted = super().predict(users, items, unknown=unknown)
        if not return_std:
            return predicted
        if items is None:
            raise ValueError("return_std needs users and items: pairs, not a matrix")
        of_users, of_items = self._pair_positions(users, items, unknown)
        variance = self._variances(of_users.ravel(), of_items.ravel())
        return predicted, np.sqrt(variance).reshape(of_users.shape)

    @property
    def n_factors_(self) -> int:
        """Number of factors of a sample."""
        return int(self.item_factors_.shape[1] // self.item_bias_samples_.shape[1])

    def _n_used(self) -> int:
        """Return the number of samples there are: one, if it is that of the burn-in."""
        return max(1, min(int(self.n_kept_[0]), len(self.sample_noises_)))

    def _vectors(
        self,
        factors: Factors,
        number: int,
        *,
        of_users: bool,
        places: slice | NDArray[np.int64] = slice(None),
    ) -> Floats:
        """Return factors and biases of the items of a sample, in units of the solver.

        `of_users` tells that the items of `factors` are users; `places` which of them.
        """
        width = self.sample_means_.shape[2] - 1
        block = factors.item_factors[places, slot_of(number, width)]
        root = math.sqrt(self.scale_) / (self._n_used() if of_users else 1)
        biases = factors.more_of_items["bias_samples"][places, number]
        return np.column_stack([block / block.dtype.type(root), biases])

    def _variances(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> Doubles:
        """Return the variances of ratings, noise included."""
        out = np.empty(len(users))
        for start in range(0, len(users), BLOCK_PAIRS):
            some = slice(start, start + BLOCK_PAIRS)
            out[some] = self._block_variances(users[some], items[some])
        return out

    def _block_variances(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> Doubles:
        factors, count = self._factors(), self._n_used()
        total, squares, spread = (np.zeros(len(users)) for _ in range(3))
        for number in range(count):
            p = self._vectors_or_zeros(factors.transposed(), number, users, of_users=True)
            q = self._vectors_or_zeros(factors, number, items, of_users=False)
            predicted = np.einsum("nf,nf->n", p[:, :-1], q[:, :-1]) + p[:, -1] + q[:, -1]
            total += predicted
            squares += predicted**2
            noises = 1 / self.user_reliability_samples_[:, number].astype(np.float64)
            noises = np.where(users < 0, noises.mean(), noises[users])
            spread += noises / self.sample_noises_[number]
            for place, other, positions in ((0, q, users), (1, p, items)):
                unknown = positions < 0
                if unknown.any():
                    covariance = np.linalg.inv(self.sample_precisions_[number, place])
                    x = other[unknown]
                    x[:, -1] = 1
                    spread[unknown] += np.einsum("nf,fg,ng->n", x, covariance, x, optimize=True)
        of_samples = np.maximum(squares / count - (total / count) ** 2, 0)
        variances: Doubles = (of_samples + spread / count) * self.scale_**2
        return variances

    def _vectors_or_zeros(
        self, factors: Factors, number: int, positions: NDArray[np.int64], *, of_users: bool
    ) -> Doubles:
        """Return the vectors at positions; zeros for unknown ones."""
        places = np.maximum(positions, 0)
        found = self._vectors(factors, number, of_users=of_users, places=places).astype(np.float64)
        found[positions < 0] = 0
        return found

    def _further_shapes(self) -> dict[str, tuple[int, ...] | None]:
        shape = len(self.user_factors_), len(self.item_factors_)
        links = super()._further_shapes()
        n_samples = self.item_bias_samples_.shape[1]
        shapes = chain_shapes(shape, self.n_factors_, n_samples, links)
        names = (*self._own_arrays, *self._shared_arrays, "user_factors", "item_factors")
        return {name: shapes.get(name) for name in names} | links

    def _carried_over(self, fresh: dict[str, NDArray[Any]], ratings: Ratings) -> None:
        old, new = self.sample_means_.shape, fresh["sample_means"].shape
        numbers = (
            ("n_samples", old[0], new[0]),
            ("n_factors", old[2] - 1, new[2] - 1),
        )
        for name, before, now in numbers:
            if before != now:
                raise ValueError(
                    f"{name} was {before} and is {now} now; a warm start needs the same number, so "
                    "set warm_start=False for a new beginning"
                )
        super()._carried_over(fresh, ratings)

    def _solve_arrays(
        self, rows: Rows, factors: Factors, side: Side, told: Doubles | None = None
    ) -> dict[str, Floats]:
        """Return the means of the rows' posteriors given each sample.

        `told` has a column for each number of each sample.
        """
        count = self._n_used()
        size, dtype = self.sample_means_.shape[2], factors.item_factors.dtype
        own = np.zeros((len(rows), factors.item_factors.shape[1]), dtype=dtype)
        biases = np.zeros((len(rows), len(self.sample_noises_)), dtype=dtype)
        reliabilities = np.ones_like(biases)
        share = math.sqrt(self.scale_) / (count if side == "users" else 1)
        newest = (max(int(self.n_kept_[0]), 1) - 1) % len(self.sample_noises_)
        draws = np.zeros((len(rows), size), dtype=dtype)
        for number in range(count):
            found, reliabilities[:, number] = self._solve_sample(rows, factors, side, number, told)
            own[:, slot_of(number, size - 1)] = found[:, :-1] * dtype.type(share)
            biases[:, number] = found[:, -1]
            if number == newest:
                draws = found
        means = biases[:, :count].mean(axis=1, dtype=np.float64) * self.scale_
        mean_told = None
        if told is not None:
            mean_told = told.reshape(len(rows), -1, size)[:, :count].mean(axis=1)
        solved = {
            "factors": own,
            "biases": means.astype(dtype),
            "bias_samples": biases,
            "draws": draws,  # the chain goes on with rows that fit the others
        }
        if side == "users":
            solved["reliability_samples"] = reliabilities
            solved["reliabilities"] = reliabilities[:, newest].copy()
        if "influence_samples" in factors.more_of_users:
            shape = len(rows), factors.more_of_users["influence_samples"].shape[1]
            solved["influence_samples"] = np.zeros(shape, dtype=dtype)
        return solved | self._further_rows(rows, factors, side, mean_told)

    def _solve_sample(
        self, rows: Rows, factors: Factors, side: Side, number: int, told: Doubles | None
    ) -> tuple[Floats, Floats | float]:
        """Return the means of the rows' posteriors given a sample, and the reliabilities of users.

        Numbers are in units of the solver.
        """
        vectors, more = self._vectors(factors, number, of_users=side == "items"), {}
        if side == "items":
            more["reliabilities"] = factors.more_of_items["reliability_samples"][:, number]
        given = Factors(
            np.zeros((0, vectors.shape[1] - 1), dtype=vectors.dtype),
            vectors[:, :-1].copy(),
            np.zeros(0, dtype=vectors.dtype),
            vectors[:, -1].copy(),
            0.0,
            0.0,
            more_of_items=more,
        )
        shared = {
            "noise_precision": self.sample_noises_[number : number + 1],
            "prior_precisions": self.sample_precisions_[number],
            "mean_covariances": np.zeros_like(self.sample_precisions_[number]),
        }
        found, tau = solve_new(
            standardized(rows, self.mean_, self.scale_),
            given,
            1.0,
            shared,
            side,
            self._threads(),
            self.n_iter_,
            self._sample_prior_means(rows, factors, SIDES.index(side), number, told),
        )
        return found.means, tau.get("reliabilities", 1.0)

    def _sample_prior_means(
        self, rows: Rows, factors: Factors, place: int, number: int, told: Doubles | None
    ) -> Doubles:
        """Return the means of the priors of rows in a sample, one for all if they do not differ."""
        means: Doubles = self.sample_means_[number, place][np.newaxis]
        own = slot_of(number, means.shape[1])
        influences = factors.more_of_items.get("influence_samples")
        if influences is not None:
            of_sample = influences[:, own].astype(np.float64)
            means = means + rated_means(rows, of_sample, self._threads())
        if told is not None:
            means = means + told[:, own]
        return with_unrated(means, rows.counts() == 0, self.sample_unrated_means_[number, place])

    def _feature_means(self, rows: Rows, side: Side) -> Doubles:
        samples = (self.user_feature_coefficient_samples_, self.item_feature_coefficient_samples_)
        own = samples[SIDES.index(side)]
        assert own is not None  # noqa: S101 (there are names)
        return feature_means(rows, own, self._threads())

    def _contributions(self, row: Rows, item: int, user: int) -> Doubles:
        del user  # what features say of users is not kept for each sample
        factors, count = self._factors(), self._n_used()
        weights = np.ones(len(row.values)) if row.weights is None else row.weights.astype(float)
        values = (row.values.astype(np.float64) - self.mean_) / self.scale_
        influences = factors.more_of_items.get("influence_samples")
        total = np.zeros(len(values))
        for number in range(count):
            vectors = self._vectors(factors, number, of_users=False).astype(np.float64)
            offsets = vectors[row.indices, -1]
            vectors[:, -1] = 1
            rated = vectors[row.indices]
            precision = self.sample_precisions_[number, 0]
            reliability = self._solve_sample(row, factors, "users", number, None)[1]
            noise = self.sample_noises_[number] * np.ravel(reliability)[0]
            normal = noise * (rated.T * weights) @ rated + precision
            direction = np.linalg.solve(normal, vectors[item])
            total += noise * weights * (values - offsets) * (rated @ direction)
            rated_influences = None
            if influences is not None:
                rated_influences = influences[row.indices, slot_of(number, len(precision))]
            mean = self.sample_means_[number, 0]
            total += assumed_parts(len(total), mean, rated_influences, precision @ direction)
        contributions: Doubles = self.scale_ * total / count
        return contributions
