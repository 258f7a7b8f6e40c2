"""Posteriors of variational Bayes: what a half step computes, and what it is given.

Everything here is in units in which ratings have mean 0 and mean square 1; vectors are factors and
then the bias. Of each side are learned: the prior of its rows, and the mean covariance of their
posteriors, weighted by the ratings that each takes part in. Where a model keeps the covariance of
each row, or of its bias with the rest, those stand in place of the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import pairs, vb
from matfact.models._products import product
from matfact.models._units import design, standardized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.models._data import Rows
    from matfact.models._factors import Factors
    from matfact.models._growing import Floats, Side

    Doubles = NDArray[np.float64]

__all__ = [
    "SIDES",
    "Posteriors",
    "column_covariances",
    "draw_side",
    "expected_errors",
    "moved_covariance",
    "solve_side",
    "with_unrated",
]

SIDES: tuple[Side, Side] = ("users", "items")


@dataclass(frozen=True, slots=True)
class Posteriors:
    """What a half step finds.

    Attributes
    ----------
    means : ndarray of shape (n, n_factors + 1)
    covariances, weighted : ndarray of shape (n_factors + 1, n_factors + 1)
        Sums of the covariances, plain and weighted by the ratings of the rows.
    log_determinants : float
        Sum of their logarithms.
    bias_covariances : ndarray of shape (n, n_factors + 1)
        Of the bias of each row with the factors, and its variance.
    uncertainties : ndarray of float64, shape (n,)
        Expected squared error of the ratings of each row, summed, beyond that of the mean.
    n_failed : int
        Rows without a finite posterior.
    """

    means: Floats
    covariances: Doubles
    weighted: Doubles
    log_determinants: float
    bias_covariances: Floats
    uncertainties: Doubles
    n_failed: int


def solve_side(
    rows: Rows,
    factors: Factors,
    scale: float,
    shared: dict[str, Any],
    side: Side,
    n_threads: int,
    *,
    prior_means: Doubles | None = None,
    covariances: Floats | None = None,
) -> Posteriors:
    """Compute the posteriors of rows of one side, given the items of `factors`.

    Parameters
    ----------
    rows : Rows
        Ratings in their own units; what they count depends on the reliability of users.
    factors : Factors
        With the other side as items.
    scale : float
        Unit of the ratings.
    shared : dict
        What `SHARED` names.
    side : {"users", "items"}
        Of the rows.
    n_threads : int
    prior_means : ndarray of float64, shape (1 or n, n_factors + 1), default=None
        Means of the prior: one, or one for each row; None for the side's own in `shared`.
    covariances : ndarray of shape (n, n_factors + 1 or 1, n_factors + 1), default=None
        Takes the covariance of each row, or its diagonal.
    """
    own = SIDES.index(side)
    other, offsets = design(factors, scale)
    dtype = other.dtype
    precision = np.ascontiguousarray(shared["prior_precisions"][own])
    noise = float(shared["noise_precision"][0])
    if prior_means is None:
        prior_means = shared["prior_means"][own][np.newaxis]
    rows = standardized(rows, factors.mean, scale)
    means = np.zeros((len(rows), other.shape[1]), dtype=dtype)
    n_failed, total, weighted, log_determinants, last_rows, uncertainties = vb.posterior_rows(
        rows.indptr,
        rows.indices,
        rows.values,
        rows.weights,
        other,
        offsets,
        noise,
        precision,
        product(prior_means, precision, n_threads),
        column_covariances(factors, shared, side),
        factors.more_of_items.get("bias_covariances"),
        means,
        covariances,
        n_threads,
    )
    return Posteriors(
        means, total, weighted, log_determinants, last_rows, np.maximum(uncertainties, 0), n_failed
    )


def expected_errors(
    rows: Rows, factors: Factors, scale: float, uncertainties: Doubles, n_threads: int
) -> Doubles:
    """Return the sum of the expected squared errors of the ratings of each row, in squared units.

    Parameters
    ----------
    rows : Rows
        Ratings of the users of `factors`, in their own units.
    factors : Factors
    scale : float
        Unit of the result.
    uncertainties : ndarray of shape (n,)
        What it is more than that of the means.
    n_threads : int
    """
    squares = pairs.squared_errors(
        rows.indptr,
        rows.indices,
        rows.values,
        rows.weights,
        factors.user_factors,
        factors.item_factors,
        factors.user_biases,
        factors.item_biases,
        factors.mean,
        n_threads,
    )
    errors: Doubles = squares / scale**2 + uncertainties
    return errors


def draw_side(
    rows: Rows,
    vectors: Floats,
    precision: Doubles,
    noise_precision: float,
    prior_means: Doubles,
    normals: Floats | None,
    n_threads: int,
) -> Floats | None:
    """Draw rows of one side from their posterior, given vectors of the other side.

    Parameters
    ----------
    rows : Rows
        Ratings in units of the solver.
    vectors : ndarray of shape (n_columns, n_factors + 1)
        Factors and biases of the other side, likewise.
    precision : ndarray of shape (n_factors + 1, n_factors + 1)
    noise_precision : float
    prior_means : ndarray of shape (1 or n, n_factors + 1)
    normals : ndarray of shape (n, n_factors + 1) or None
        Independent standard normal numbers; None for the mean of each row.
    n_threads : int

    Returns
    -------
    ndarray of shape (n, n_factors + 1) or None
        None if a row has no finite posterior.
    """
    other, offsets = vectors.copy(), vectors[:, -1].copy()
    other[:, -1] = 1
    drawn = np.empty((len(rows), vectors.shape[1]), dtype=vectors.dtype)
    n_failed = vb.draw_rows(
        rows.indptr,
        rows.indices,
        rows.values,
        rows.weights,
        other,
        offsets,
        noise_precision,
        np.ascontiguousarray(precision),
        product(prior_means, precision, n_threads),
        np.zeros_like(drawn) if normals is None else normals,
        None,
        drawn,
        n_threads,
    )
    return None if n_failed else drawn


def column_covariances(factors: Factors, shared: dict[str, Any], side: Side) -> Floats:
    """Return the covariance of each item of `factors` or their mean, or diagonals.

    Parameters
    ----------
    factors : Factors
    shared : dict
        What `SHARED` names.
    side : {"users", "items"}
        Of the rows that are to be solved for; the items of `factors` are the other one.

    Returns
    -------
    ndarray of shape (n_items or 1, n_factors + 1 or 1, n_factors + 1)
    """
    if "covariances" in factors.more_of_items:
        return factors.more_of_items["covariances"]
    mean = shared["mean_covariances"][1 - SIDES.index(side)]
    one: Floats = mean[np.newaxis].astype(factors.item_factors.dtype)
    return one


def with_unrated(means: Doubles, unrated: NDArray[np.bool_], unrated_mean: Doubles) -> Doubles:
    """Return the means of priors of rows, with what is added for those without ratings.

    Parameters
    ----------
    means : ndarray of shape (1 or n, n_factors + 1)
        One row stands for all.
    unrated : ndarray of bool, shape (n,)
    unrated_mean : ndarray of shape (n_factors + 1,)
        What is added; see `matfact.models._linking.Links.unrated_mean`.
    """
    if not unrated.any():
        return means
    return means + unrated[:, np.newaxis] * unrated_mean


def moved_covariance(covariance: Floats, precision: Doubles, of_mean: Doubles) -> Doubles:
    """Return what the uncertainty of the prior's mean adds to the covariance of a row, or of each.

    Parameters
    ----------
    covariance : ndarray of shape (n_factors + 1, n_factors + 1) or (n, n_factors + 1 or 1, ...)
        Of the row given the mean; of each, or its diagonal.
    precision, of_mean : ndarray of shape (n_factors + 1, n_factors + 1)
        Of the prior; covariance of its mean.
    """
    if covariance.shape[-2] == 1:
        squares: Doubles = np.square(covariance) * np.diagonal(precision @ of_mean @ precision)
        return squares
    gain = covariance @ precision
    moved: Doubles = gain @ of_mean @ np.swapaxes(gain, -1, -2)
    return moved
