"""Levels of users that drift with time: the numpy twin of the compiled `drift` kernels.

The level of a user is a stationary Ornstein-Uhlenbeck process: levels at the times s and t have the
covariance variance exp(-abs(s - t) / time). States are its values at ascending times. All users are
worked on side by side, a state of each at a time.

===========  ===========================  ==========================================================
indptr       int64 (users + 1,)           states of each user
times        float64 (states,)            ascending within a user
precisions   float64 (states,)            what observations add to the prior precision; at least 0
pulls        float64 (states,)            their precisions times what they say, summed
variance     float                        of a level; above 0
time         float                        in which levels forget: above 0
means        float64 (states,) or None    out; None, with covariances: the evidence is wanted only
covariances  float64 (2, states) or None  out: variance of each state; covariance with the next one
                                          of the same user, 0 for the last
n_threads    int                          ignored
===========  ===========================  ==========================================================

Preconditions, checked by the caller: C order, finite numbers, indptr ascending. Gaps are taken as
1e-6 of `time` at least: below, the matrices would be singular.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

__all__ = ["posterior_levels"]

LEAST_GAP = 1e-6


def posterior_levels(
    indptr: NDArray[np.int64],
    times: Doubles,
    precisions: Doubles,
    pulls: Doubles,
    variance: float,
    time: float,
    means: Doubles | None,
    covariances: Doubles | None,
    n_threads: int,
) -> float:
    """Compute the posterior of all states; return the evidence.

    Returns
    -------
    float
    """
    n = len(times)
    if not n:
        return 0.0
    diagonal, beside, forgotten = _precision(indptr, times, variance, time)
    diagonal += precisions
    steps = _steps(indptr)
    ratios, solved = np.zeros(n), pulls.copy()  # L^-1 pulls, and the elements of L
    for before in steps:  # the states that have a next one
        k = before + 1
        ratios[before] = beside[before] / diagonal[before]
        solved[k] -= ratios[before] * solved[before]
        diagonal[k] -= ratios[before] * beside[before]
    evidence = np.sum(solved**2 / diagonal) - np.sum(np.log(diagonal * variance))
    evidence -= np.sum(np.log(forgotten))
    if means is not None and covariances is not None:
        means[:], covariances[0], covariances[1] = solved / diagonal, 1 / diagonal, 0
        for k in reversed(steps):
            means[k] -= ratios[k] * means[k + 1]
            covariances[0, k] += ratios[k] ** 2 * covariances[0, k + 1]
            covariances[1, k] = -ratios[k] * covariances[0, k + 1]
    return float(evidence / 2)


def _precision(
    indptr: NDArray[np.int64], times: Doubles, variance: float, time: float
) -> tuple[Doubles, Doubles, Doubles]:
    """Return the prior precision: diagonal, and beside it; and 1 - f^2 of each gap, or 1."""
    n = len(times)
    diagonal, beside, forgotten = np.ones(n), np.zeros(n), np.ones(n)
    has_next = np.ones(n, dtype=bool)
    has_next[indptr[1:][np.diff(indptr) > 0] - 1] = False
    k = np.flatnonzero(has_next)
    with np.errstate(over="ignore"):
        gaps = np.maximum((times[k + 1] - times[k]) / time, LEAST_GAP)
        kept = np.expm1(-gaps)  # f - 1
    forgotten[k] = -kept * (2 + kept)
    kept += 1
    more = kept**2 / forgotten[k]
    diagonal[k] += more
    diagonal[k + 1] += more
    beside[k] = -kept / (forgotten[k] * variance)
    return diagonal / variance, beside, forgotten


def _steps(indptr: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the first states of users that have another one, then the second ones, and so on."""
    counts = np.diff(indptr)
    order = np.argsort(-counts, kind="stable")
    firsts = indptr[:-1][order]
    longer = len(counts) - np.searchsorted(counts[order][::-1], np.arange(1, counts.max()), "right")
    return [firsts[:number] + step for step, number in enumerate(longer)]
