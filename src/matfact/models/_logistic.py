"""Regularized logistic regression of one row, by Newton's method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

__all__ = ["logistic_minimum"]

MOST_STEPS = 50
SMALL_STEP = 1e-8


def logistic_minimum(
    features: Doubles, offsets: Doubles, weights: Doubles, penalties: Doubles
) -> Doubles:
    """Return the t that minimizes sum_r w_r log(1 + exp(-f_r.t - o_r)) + sum_f penalty_f t_f^2 / 2.

    Parameters
    ----------
    features : ndarray of shape (n, k)
        f.
    offsets, weights : ndarray of shape (n,)
        o, w; weights are at least 0.
    penalties : ndarray of shape (k,)
        At least 0; where the minimum is at infinity, a few steps towards it are taken.

    Returns
    -------
    ndarray of shape (k,)
    """
    point = np.zeros(features.shape[1])
    value = _objective(features, offsets, weights, penalties, point)
    for _ in range(MOST_STEPS):
        slope = 1 / (1 + np.exp(np.clip(features @ point + offsets, -500, 500)))
        gradient = penalties * point - features.T @ (weights * slope)
        curvature = (features.T * (weights * slope * (1 - slope))) @ features + np.diag(penalties)
        # lstsq: without penalties the matrix may be singular.
        step = np.linalg.lstsq(curvature, -gradient, rcond=None)[0]
        for _ in range(30):  # halved until the objective falls
            following = _objective(features, offsets, weights, penalties, point + step)
            if following <= value:
                break
            step /= 2
        else:
            break
        point, value = point + step, following
        if np.abs(step).max() <= SMALL_STEP * max(1.0, float(np.abs(point).max())):
            break
    return point


def _objective(
    features: Doubles, offsets: Doubles, weights: Doubles, penalties: Doubles, point: Doubles
) -> float:
    losses = np.logaddexp(0.0, -(features @ point + offsets))
    return float(weights @ losses + 0.5 * penalties @ point**2)
