"""The links of both sides of a model: which there are, and where their numbers are kept.

A model has these arrays for them, in units of the solver (see `_posteriors`); those of a link that
it does not have are absent. The first axis of what stands for both sides is users, items.

item_influences, user_influences      B of the users' and of the items' link to what they rated
influence_precisions, .._covariances  Omega, and the mean covariance of B' x
user_feature_coefficients, item_..    B of the links to features
feature_precisions, .._covariances    the same of these
user_feature_means, item_..           B' x of each row
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from matfact.models._arrays import PRIOR_PRECISION
from matfact.models._designs import Design
from matfact.models._drawing import draw_precision
from matfact.models._links import COEFFICIENT_VARIANCE, Link
from matfact.models._posteriors import SIDES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from matfact.models._data import Rows
    from matfact.models._growing import Side

    Doubles = NDArray[np.float64]
    Arrays = dict[str, NDArray[Any]]
    FeatureRows = Mapping[Side, tuple[Rows, Rows]]

__all__ = [
    "LINK_OWN",
    "LINK_SHARED",
    "LinkedSides",
    "Links",
    "feature_means",
    "influences_of",
    "link_shapes",
    "link_start",
    "rated_means",
]

LINK_OWN = ("user_influences", "item_influences", "user_feature_means", "item_feature_means")
LINK_SHARED = (
    "influence_precisions",
    "influence_covariances",
    "user_feature_coefficients",
    "item_feature_coefficients",
    "feature_precisions",
    "feature_covariances",
)

LinkedSides: TypeAlias = Literal["users", "items", "both"] | None

LINKED: dict[str | None, tuple[Side, ...]] = {
    None: (),
    "users": ("users",),
    "items": ("items",),
    "both": SIDES,
}
"""The sides that each value of the parameter `link` means."""


def influences_of(side: str) -> str:
    """Return the name of what columns say of a side's rows."""
    return "item_influences" if side == "users" else "user_influences"


def link_shapes(
    shape: tuple[int, int], n_factors: int, linked: Collection[Side], n_features: Mapping[Side, int]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the links' arrays.

    Parameters
    ----------
    shape : tuple of int
        Users and items.
    n_factors : int
    linked : collection of side
        Sides with a link to what they rated.
    n_features : mapping of side to int
        Of the sides that have features.
    """
    size = n_factors + 1
    shapes: dict[str, tuple[int, ...]] = {}
    for kind, there in (("influence", linked), ("feature", n_features)):
        if there:
            shapes[f"{kind}_precisions"] = shapes[f"{kind}_covariances"] = (2, size, size)
    for side in linked:
        shapes[influences_of(side)] = (shape[1 - SIDES.index(side)], size)
    for side, count in n_features.items():
        shapes[f"{side[:-1]}_feature_coefficients"] = (count, size)
        shapes[f"{side[:-1]}_feature_means"] = (shape[SIDES.index(side)], size)
    return shapes


def link_start(shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
    """Return what is assumed of the links before the first epoch: nothing, as likely as rows."""
    arrays: Arrays = {name: np.zeros(shape) for name, shape in shapes.items()}
    for name in ("influence_precisions", "feature_precisions"):
        if name in arrays:
            arrays[name][...] = PRIOR_PRECISION * np.eye(arrays[name].shape[-1])
    return arrays


def rated_means(rows: Rows, influences: Doubles, n_threads: int) -> Doubles:
    """Return B' x of any rows, given what columns say of them."""
    return Design.of_rated(rows, rows, n_threads).times(influences)


def feature_means(rows: Rows, coefficients: Doubles, n_threads: int) -> Doubles:
    """Return what features say of rows, given what each feature says."""
    return Design.as_given(rows, n_threads).times(coefficients)


@dataclass(slots=True, eq=False)
class _Linked:
    """A link, where its numbers are in the arrays, and B' x of its rows.

    What the arrays hold is `unit` times B.
    """

    link: Link
    kind: str
    coefficients: str
    unit: float
    means: Doubles


class Links:
    """The links of both sides, which change the arrays of a model in place.

    Parameters
    ----------
    rows : mapping of side to Rows
        The ratings by users and by items.
    arrays : dict of str to ndarray
    features : mapping of side to (Rows, Rows)
        Features by rows and by columns, of the sides that have them.
    seed, n_threads : int
    """

    def __init__(
        self,
        rows: Mapping[str, Rows],
        arrays: Arrays,
        features: FeatureRows,
        seed: int,
        n_threads: int,
    ) -> None:
        self._arrays = arrays
        self._linked: dict[str, list[_Linked]] = {side: [] for side in SIDES}
        for side, other in zip(SIDES, reversed(SIDES), strict=True):
            there = rows[side].counts() > 0
            if influences_of(side) in arrays:
                rated = Design.of_rated(rows[side], rows[other], n_threads)
                link = Link(rated, there, seed)
                self._add(side, "influence", influences_of(side), link, 1.0)
            if side in features:
                design, unit = Design.of_features(*features[side], n_threads)
                name = f"{side[:-1]}_feature_coefficients"
                self._add(side, "feature", name, Link(design, there, seed), unit)

    def _add(
        self,
        side: str,
        kind: str,
        coefficients: str,
        link: Link,
        unit: float,
    ) -> None:
        one = _Linked(link, kind, coefficients, unit, np.zeros(0))
        self._find_means(one, side)
        self._linked[side].append(one)

    def means(self, side: str) -> Doubles | float:
        """Return what the links say of the rows of a side; 0 if there are none."""
        linked = self._linked[side]
        total: Doubles | float = sum((one.means for one in linked), 0.0)
        of_features = self._arrays.get(f"{side[:-1]}_feature_means")
        if of_features is not None and not any(one.kind == "feature" for one in linked):
            total = total + of_features  # from before; they were not given this time
        return total

    def unrated_mean(self, side: str, deviations: Doubles, weights: Doubles) -> Doubles:
        """Return what rows without ratings are more than the prior and their features say.

        Without features, a row that nobody has rated is one of those that hardly anybody rates: the
        mean is that of the others. With features it may be a new one, which will be rated as others
        are: then each of the others counts as often as it is rated.

        Parameters
        ----------
        side : {"users", "items"}
        deviations : ndarray of shape (n, n_factors + 1)
            theta - m.
        weights : ndarray of shape (n,)
            Ratings of each row, or the sum of their weights.
        """
        told = self._arrays.get(f"{side[:-1]}_feature_means")
        counted = (weights > 0).astype(np.float64) if told is None else weights
        mean: Doubles = (counted / counted.sum()) @ (
            deviations if told is None else deviations - told
        )
        return mean

    def covariance(self, side: str) -> Doubles | float:
        """Return the mean covariance of what the links say; 0 if there are none."""
        place = SIDES.index(side)
        return sum(
            (self._arrays[f"{one.kind}_covariances"][place] for one in self._linked[side]), 0.0
        )

    def step(
        self, side: str, deviations: Doubles, row_precision: Doubles, row_covariance: Doubles
    ) -> float:
        """Improve all links of a side; return their divergence from their priors, in nats.

        See `matfact.models._links.Link.step`; `deviations` are theta - m.
        """
        place, divergence = SIDES.index(side), 0.0
        for one in self._linked[side]:
            precisions = self._arrays[f"{one.kind}_precisions"]
            others = self.means(side) - one.means
            found = one.link.step(
                deviations - others,
                one.means,
                row_precision,
                row_covariance,
                precisions[place],
            )
            precisions[place] = found.precision
            self._arrays[f"{one.kind}_covariances"][place] = found.covariance
            self._take(one, side, found.coefficients)
            divergence += found.divergence
        return divergence

    def draw(
        self, side: str, deviations: Doubles, row_precision: Doubles, rng: np.random.Generator
    ) -> None:
        """Draw all links of a side, then the precisions of their priors."""
        place = SIDES.index(side)
        for one in self._linked[side]:
            precisions = self._arrays[f"{one.kind}_precisions"]
            others = self.means(side) - one.means
            drawn, squares = one.link.draw(
                deviations - others, row_precision, precisions[place], rng
            )
            precisions[place] = draw_precision(
                squares, one.link.n_coordinates, rng, COEFFICIENT_VARIANCE
            )
            self._take(one, side, drawn)

    def _take(self, one: _Linked, side: str, coefficients: Doubles) -> None:
        self._arrays[one.coefficients][...] = coefficients * one.unit
        self._find_means(one, side)

    def _find_means(self, one: _Linked, side: str) -> None:
        # From what is stored, so that a training that goes on has the same bits.
        one.means = one.link.means(self._arrays[one.coefficients] / one.unit)
        if one.kind == "feature":
            self._arrays[f"{side[:-1]}_feature_means"][...] = one.means
