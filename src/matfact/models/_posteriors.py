"""Posteriors of variational Bayes: what a half step computes, and what it is given.

Everything here is in units in which ratings have mean 0 and mean square 1; vectors are factors and
then the bias. Of each side three things are learned: the prior of its rows, and the mean covariance
of their posteriors, weighted by the ratings that each takes part in. Where a model keeps the
covariance of each row, those stand in place of the mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import vb
from matfact.models._products import product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.models._data import Rows
    from matfact.models._factors import Factors
    from matfact.models._growing import Floats, Side

    Doubles = NDArray[np.float64]

__all__ = [
    "PRIOR_PRECISION",
    "SHARED",
    "SIDES",
    "Posteriors",
    "column_covariances",
    "design",
    "draw_side",
    "moved_covariance",
    "scaled_vectors",
    "shared_shapes",
    "shared_start",
    "solve_side",
    "standardized",
    "with_unrated",
]

SIDES: tuple[Side, Side] = ("users", "items")

SHARED = (
    "prior_means",
    "prior_precisions",
    "mean_covariances",
    "noise_precision",
    "unrated_means",
)
"""What is learned of a side as a whole; the first axis is that of users and items."""

PRIOR_PRECISION = 5.0
"""Of factors and biases before anything is learned."""


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
    uncertainty : float
        Expected squared error of the ratings, summed, beyond that of the means.
    n_failed : int
        Rows without a finite posterior.
    """

    means: Floats
    covariances: Doubles
    weighted: Doubles
    log_determinants: float
    uncertainty: float
    n_failed: int


def shared_shapes(n_factors: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what is learned of both sides."""
    size = n_factors + 1
    return {
        "prior_means": (2, size),
        "prior_precisions": (2, size, size),
        "mean_covariances": (2, size, size),
        "noise_precision": (1,),
        "unrated_means": (2, size),
    }


def shared_start(n_factors: int) -> dict[str, Doubles]:
    """Return what is assumed of both sides before the first epoch."""
    arrays = {name: np.zeros(shape) for name, shape in shared_shapes(n_factors).items()}
    arrays["prior_precisions"][...] = PRIOR_PRECISION * np.eye(n_factors + 1)
    arrays["noise_precision"][...] = 1
    return arrays


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
        Ratings in their own units.
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
    rows, size = standardized(rows, factors.mean, scale), other.shape[1]
    means = np.zeros((len(rows), size), dtype=dtype)
    n_failed, total, weighted, log_determinants, uncertainty = vb.posterior_rows(
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
        means,
        covariances,
        n_threads,
    )
    # sum tr(T A^-1), T being what the ratings add to the prior in A = noise T + precision
    uncertainty += (len(rows) * size - float(np.sum(precision * total))) / noise
    return Posteriors(means, total, weighted, log_determinants, max(uncertainty, 0.0), n_failed)


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


def standardized(rows: Rows, mean: float, scale: float) -> Rows:
    """Return ratings in units of the solver."""
    of = rows.values.dtype.type
    return replace(rows, values=(rows.values - of(mean)) / of(scale))


def design(factors: Factors, scale: float) -> tuple[Floats, Floats]:
    """Return what the vectors of users are multiplied with, (factors, 1), and the items' biases."""
    vectors = scaled_vectors(factors.item_factors, factors.item_biases, scale)
    offsets = vectors[:, -1].copy()
    vectors[:, -1] = 1
    return vectors, offsets


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


def moved_covariance(covariance: Doubles, precision: Doubles, of_mean: Doubles) -> Doubles:
    """Return what the uncertainty of the prior's mean adds to the covariance of a row, or of each.

    Parameters
    ----------
    covariance : ndarray of shape (n_factors + 1, n_factors + 1) or (n, n_factors + 1 or 1, ...)
        Of the row given the mean; of each, or its diagonal.
    precision, of_mean : ndarray of shape (n_factors + 1, n_factors + 1)
        Of the prior; covariance of its mean.
    """
    if covariance.shape[-2] == 1:
        return covariance**2 * np.diagonal(precision @ of_mean @ precision)
    gain = covariance @ precision
    moved: Doubles = gain @ of_mean @ np.swapaxes(gain, -1, -2)
    return moved


def scaled_vectors(factors: Floats, biases: Floats | None, scale: float) -> Floats:
    """Return factors and biases, side by side, in units of the solver."""
    assert biases is not None  # noqa: S101 (the model always has them)
    root = factors.dtype.type(math.sqrt(scale))
    return np.column_stack([factors / root, biases / factors.dtype.type(scale)])
