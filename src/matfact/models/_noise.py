r"""How noisy the ratings of each user are.

The noise of the ratings of user u has the precision alpha tau_u, where tau_u is the reliability of
the user. With E_u for the sum of the expected squared errors of the user's n_u ratings (or of so
much weight), alpha and tau minimise

    1/2 sum_u (n_u log(2 pi / (alpha tau_u)) + alpha tau_u E_u + nu (tau_u - 1 - log tau_u))

so that tau_u = (nu + n_u) / (nu + alpha E_u) and alpha = N / sum_u tau_u E_u: it is as if each user
had given nu ratings more, with the noise that all have. Without a limit those who give all items
the same rating, which are easily predicted, would rule what is learned of the items.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.models._data import Rows

    Doubles = NDArray[np.float64]

__all__ = [
    "PRIOR_RATINGS",
    "drawn_reliabilities",
    "learned_noise",
    "reliabilities",
    "weighted",
]

PRIOR_RATINGS = 20.0
"""nu: ratings of ordinary noise that each user is taken to have given besides the real ones."""

MOST_RELIABLE = 2.0
"""No reliability is larger."""

LEAST_NOISE = 1e-8
"""Variance of noise, at least: ratings without any would want infinite precision."""

STEPS = 5
"""Times that the precision of all and the reliabilities are computed in turn."""


def reliabilities(counts: Doubles, errors: Doubles, precision: float) -> Doubles:
    """Return tau, given n, E and alpha."""
    found: Doubles = (PRIOR_RATINGS + counts) / (PRIOR_RATINGS + precision * errors)
    return np.minimum(found, MOST_RELIABLE)


def drawn_reliabilities(
    counts: Doubles, errors: Doubles, precision: float, rng: np.random.Generator
) -> Doubles:
    """Draw tau given n, E and alpha, where nu chi-squared reliabilities have the prior.

    What is above the limit is set to it: not quite a draw, for the few users whom it concerns.
    """
    drawn = rng.gamma((PRIOR_RATINGS + counts) / 2, 2 / (PRIOR_RATINGS + precision * errors))
    return np.minimum(drawn, MOST_RELIABLE)


def learned_noise(
    counts: Doubles, errors: Doubles, precision: float
) -> tuple[float, Doubles, float]:
    """Return alpha, tau and what they minimise, given n, E and the alpha of before."""
    total = float(counts.sum())
    tau = reliabilities(counts, errors, precision)
    for _ in range(STEPS):
        precision = 1 / max(float(tau @ errors) / total, LEAST_NOISE)
        tau = reliabilities(counts, errors, precision)
    logarithms = np.log(tau)
    nats = total * math.log(2 * math.pi / precision) - float(counts @ logarithms)
    nats += precision * float(tau @ errors) + PRIOR_RATINGS * float(np.sum(tau - 1 - logarithms))
    return precision, tau, nats / 2


def weighted(
    rows: Rows, of_rows: NDArray[np.floating] | None, of_columns: NDArray[np.floating] | None
) -> Rows:
    """Return ratings that count as much more as the reliability of each row, or column, says."""
    dtype = rows.values.dtype
    if of_rows is not None:
        weights = np.repeat(of_rows.astype(dtype), np.diff(rows.indptr))
    elif of_columns is not None:
        weights = of_columns.astype(dtype)[rows.indices]
    else:
        return rows
    return replace(rows, weights=weights if rows.weights is None else weights * rows.weights)
