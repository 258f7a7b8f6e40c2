"""Posteriors of variational Bayes: what a half step computes, and what it is given.

Everything here is in units in which ratings have mean 0 and mean square 1; vectors are factors and
then the bias. Of each side three things are learned: the prior of its rows, and the mean covariance
of their posteriors, weighted by the ratings that each takes part in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import vb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.models._data import Rows
    from matfact.models._factors import Factors
    from matfact.models._growing import Floats, Side

    Doubles = NDArray[np.float64]

__all__ = [
    "SHARED",
    "SIDES",
    "Posteriors",
    "covariance_of_design",
    "design",
    "scaled_vectors",
    "shared_start",
    "solve_side",
]

SIDES = ("users", "items")

SHARED = ("prior_means", "prior_precisions", "mean_covariances", "noise_precision")
"""What is learned of a side as a whole; the first axis is that of users and items."""

PRIOR_PRECISION = 5.0
"""Of factors and biases before anything is learned."""


@dataclass(frozen=True, slots=True)
class Posteriors:
    """What a half step finds.

    Attributes
    ----------
    means : ndarray of shape (n, n_factors + 1)
    each : ndarray of shape (n, n_factors + 1, n_factors + 1) or None
        Covariance of each row, if it was wanted.
    covariances, weighted : ndarray of shape (n_factors + 1, n_factors + 1)
        Sums of the covariances, plain and weighted by the ratings of the rows.
    log_determinants : float
        Sum of their logarithms.
    n_failed : int
        Rows without a finite posterior.
    """

    means: Floats
    each: Floats | None
    covariances: Doubles
    weighted: Doubles
    log_determinants: float
    n_failed: int


def shared_start(n_factors: int) -> dict[str, Doubles]:
    """Return what is assumed of both sides before the first epoch."""
    size = n_factors + 1
    return {
        "prior_means": np.zeros((2, size)),
        "prior_precisions": np.tile(PRIOR_PRECISION * np.eye(size), (2, 1, 1)),
        "mean_covariances": np.zeros((2, size, size)),
        "noise_precision": np.ones(1),
    }


def solve_side(
    rows: Rows,
    factors: Factors,
    scale: float,
    shared: dict[str, Any],
    side: Side,
    n_threads: int,
    *,
    want_each: bool = False,
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
    want_each : bool, default=False
        Whether to return the covariance of each row.
    """
    own = SIDES.index(side)
    other, offsets = design(factors, scale)
    covariance, correlation = covariance_of_design(shared, 1 - own)
    dtype = other.dtype
    values = ((rows.values - dtype.type(factors.mean)) / dtype.type(scale)).astype(dtype)
    size = other.shape[1]
    means = np.zeros((len(rows), size), dtype=dtype)
    each = np.zeros((len(rows), size, size), dtype=dtype) if want_each else None
    n_failed, covariances, weighted, log_determinants = vb.posterior_rows(
        rows.indptr,
        rows.indices,
        values,
        rows.weights,
        other,
        offsets,
        float(shared["noise_precision"][0]),
        np.ascontiguousarray(shared["prior_precisions"][own]),
        np.ascontiguousarray(shared["prior_means"][own]),
        covariance,
        correlation,
        means,
        each,
        n_threads,
    )
    return Posteriors(means, each, covariances, weighted, log_determinants, n_failed)


def design(factors: Factors, scale: float) -> tuple[Floats, Floats]:
    """Return what the vectors of users are multiplied with, (factors, 1), and the items' biases."""
    vectors = scaled_vectors(factors.item_factors, factors.item_biases, scale)
    offsets = vectors[:, -1].copy()
    vectors[:, -1] = 1
    return vectors, offsets


def covariance_of_design(shared: dict[str, Any], side: int) -> tuple[Doubles, Doubles]:
    """Return the mean covariance of `design`, and what it has in common with the biases."""
    covariance = shared["mean_covariances"][side].copy()
    correlation = covariance[:, -1].copy()
    correlation[-1] = covariance[-1] = covariance[:, -1] = 0
    return covariance, correlation


def scaled_vectors(factors: Floats, biases: Floats | None, scale: float) -> Floats:
    """Return factors and biases, side by side, in units of the solver."""
    assert biases is not None  # noqa: S101 (the model always has them)
    root = factors.dtype.type(math.sqrt(scale))
    return np.column_stack([factors / root, biases / factors.dtype.type(scale)])
