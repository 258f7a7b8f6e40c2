"""Between the units of the ratings and those of the solvers, in which their mean square is 1.

Biases have the unit of the ratings, factors its root. Vectors are factors and then the bias.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matfact.models._data import Rows
    from matfact.models._factors import Factors
    from matfact.models._growing import Floats

__all__ = ["design", "ratings_vectors", "scaled_vectors", "standardized"]


def ratings_vectors(vectors: Floats, scale: float) -> tuple[Floats, Floats]:
    """Return factors and biases in units of the ratings."""
    of = vectors.dtype.type
    return vectors[:, :-1] * of(math.sqrt(scale)), vectors[:, -1] * of(scale)


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


def scaled_vectors(factors: Floats, biases: Floats | None, scale: float) -> Floats:
    """Return factors and biases, side by side, in units of the solver."""
    assert biases is not None  # noqa: S101 (the model always has them)
    root = factors.dtype.type(math.sqrt(scale))
    return np.column_stack([factors / root, biases / factors.dtype.type(scale)])
