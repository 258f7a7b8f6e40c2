"""Interactions as weights: what a value says about preference, and how the solver takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import als, pairs
from matfact.models._alternating import Alternating
from matfact.models._data import Rows

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from matfact.models._factors import Factors
    from matfact.models._growing import Side

__all__ = ["ImplicitAlternating", "InteractionRows", "Weighting", "balanced_weight"]

TIMES_THE_INTERACTIONS = 10.0
"""Weight of all pairs together, where nobody says what it should be.

Of scikit-fusion's 100,023 ratings, all of them, those from 4 on and those of popular items, 8 to 16
times gave an NDCG within 3 % of the best weight; of a quarter drawn at random 4 to 18 % below it.
Published optima are 3 (Pinterest), 7 (MovieLens 1M), 14 (Million Song), 28 times (MovieLens 20M).
`tune` searches around it."""


@dataclass(frozen=True, slots=True)
class Weighting:
    """How much interactions count.

    Attributes
    ----------
    alpha : float or None
        Weight of an interaction of value 1; None gives all values the weight 1.
    unobserved : float
        Weight of each pair without an interaction, towards 0.
    replaces : bool
        Whether an interaction replaces the pair's weight towards 0, or comes on top of it.
    """

    alpha: float | None
    unobserved: float
    replaces: bool

    def weights(self, rows: Rows) -> NDArray[Any]:
        """Return w of each interaction; 0 for values of 0.

        Raises
        ------
        ValueError
            If a weight is beyond the dtype.
        """
        values, alpha = rows.values, self.alpha
        with np.errstate(over="ignore"):
            sizes = np.sign(values) if alpha is None else values * values.dtype.type(alpha)
            weights: NDArray[Any] = np.abs(sizes)
            if rows.weights is not None:
                weights *= rows.weights
        if not np.isfinite(weights).all():
            place = int((~np.isfinite(weights)).argmax())
            raise ValueError(
                f"alpha is {alpha} and a value {values[place]:g}: a weight beyond {weights.dtype}; "
                "lower alpha, or use dtype=float64"
            )
        return weights

    def targets(self, rows: Rows, weights: NDArray[Any]) -> NDArray[Any]:
        """Return what interactions add to the right-hand side of a row: w, or w + unobserved."""
        targets = weights + weights.dtype.type(self.unobserved) if self.replaces else weights.copy()
        targets[rows.values <= 0] = 0
        return targets


def balanced_weight(rows: Rows, n_columns: int, weighting: Weighting) -> float:
    """Return the unobserved weight that suits interactions of this number and weight."""
    weights = weighting.weights(rows).astype(np.float64)
    n_pairs, n_interactions = len(rows) * n_columns, np.count_nonzero(weights)
    share = min(1.0, TIMES_THE_INTERACTIONS * n_interactions / n_pairs)
    return float(weights.sum() / n_interactions * share)


class InteractionRows(Rows):
    """Rows in the form in which `als.solve_rows` takes those with absent entries.

    With a gram matrix it solves (G + sum (v - 1) q q^T + ridge I) x = sum v r q. Here v = 1 + w,
    and r makes v r the target.
    """

    __slots__ = ()

    @classmethod
    def weighted(cls, rows: Rows, weighting: Weighting) -> Self:
        """Turn values into weights and targets."""
        weights = weighting.weights(rows)
        targets = weighting.targets(rows, weights)
        weights += 1
        targets /= weights
        return cls(rows.indptr, rows.indices, targets, weights)

    def counts(self) -> NDArray[np.float64]:
        """Return the sum of w of each row."""
        assert self.weights is not None  # noqa: S101 (made by `weighted`)
        row, weights = self.row_of_each(), self.weights.astype(np.float64) - 1.0
        return np.bincount(row, weights=weights, minlength=len(self)).astype(np.float64)


class ImplicitAlternating(Alternating):
    """The solver: half steps over items and users in which absent pairs count.

    Parameters
    ----------
    interactions : Rows
        By users, as they were given; for the objective.
    weighting : Weighting
    **others : object
        Of `Alternating`.
    """

    def __init__(self, interactions: Rows, weighting: Weighting, **others: Any) -> None:
        super().__init__(**others)
        weights = weighting.weights(interactions)
        if weighting.replaces:
            weights += weights.dtype.type(weighting.unobserved)
        liked = (interactions.values > 0).astype(weights.dtype)
        self._grams: dict[Side, NDArray[np.float64]] = {}
        self._loss = Rows(interactions.indptr, interactions.indices, liked, weights)
        self._weighting = weighting

    def remedy(self) -> str:
        """Tell what to change when a value is not finite."""
        return "raise regularization, or use dtype=float64 if weights are very large"

    def _half_step(self, rows: Rows, factors: Factors, side: Side) -> int:
        self._grams.pop(side, None)
        return super()._half_step(rows, factors, side)

    def _gram_of_others(self, factors: Factors, side: Side) -> NDArray[np.float64]:
        del factors
        return self._weighting.unobserved * self._gram_matrix(
            "items" if side == "users" else "users"
        )

    def _gram_matrix(self, side: Side) -> NDArray[np.float64]:
        """Return that of one side's factors; the objective and a half step need the same."""
        if side not in self._grams:
            factors = self._factors
            rows = factors.user_factors if side == "users" else factors.item_factors
            self._grams[side] = als.gram_matrix(rows, self._threads)
        return self._grams[side]

    def _squared_error(self) -> float:
        """Return the loss without regularization.

        Over all pairs, squared predictions add up to the product of two gram matrices.
        """
        weighting = self._weighting
        total = self._over_interactions(self._loss.values, self._loss.weights)
        if weighting.replaces:
            zeros = np.zeros_like(self._loss.values)
            total -= weighting.unobserved * self._over_interactions(zeros, None)
        products = self._gram_matrix("users") * self._gram_matrix("items")
        return total + weighting.unobserved * float(products.sum())

    def _over_interactions(self, values: NDArray[Any], weights: NDArray[Any] | None) -> float:
        factors: Factors = self._factors
        return float(
            pairs.squared_errors(
                self._loss.indptr,
                self._loss.indices,
                values,
                weights,
                factors.user_factors,
                factors.item_factors,
                None,
                None,
                0.0,
                self._threads,
            ).sum()
        )
