"""The solver that alternates between users and items, each half step by rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import als, pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from matfact.models._data import Rows
    from matfact.models._factors import Factors
    from matfact.models._growing import Floats, Side
    from matfact.training import BestState

__all__ = ["Alternating"]

ROWS = 1024
"""Rows that are turned to double precision at a time."""


class Alternating:
    """Half steps over items and users, in place; see `matfact.training.Trainable`.

    Parameters
    ----------
    users, items : Rows
        The ratings by users and by items.
    factors : Factors
        Made of `arrays`.
    arrays : dict of str to ndarray
    ridges : callable
        Gives the regularization of rows of so many ratings on one side.
    gram : callable or None
        Gives the gram matrix of the items of factors, or None; see ``als.solve_rows``.
    method, n_steps, n_threads : int
        Of ``als.solve_rows``.
    """

    def __init__(
        self,
        users: Rows,
        items: Rows,
        factors: Factors,
        arrays: dict[str, NDArray[Any]],
        *,
        ridges: Callable[[NDArray[np.float64], Side], tuple[Floats, Floats]],
        gram: Callable[[Factors], NDArray[np.float64] | None] | None = None,
        method: int,
        n_steps: int,
        n_threads: int,
    ) -> None:
        self.arrays = arrays
        self.best: BestState | None = None
        self._factors = factors
        self._gram = gram
        self._method = method
        self._n_steps = n_steps
        self._threads = n_threads
        self._users, self._items = users, items
        sides: tuple[tuple[Side, Rows], ...] = ("users", users), ("items", items)
        self._ridges = {}
        for side, rows in sides:
            ridge, bias_ridge = ridges(rows.counts(), side)
            dtype = factors.user_factors.dtype
            with np.errstate(over="ignore"):  # then no row has a finite solution, which is told
                self._ridges[side] = ridge.astype(dtype), bias_ridge.astype(dtype)

    def epoch(self, number: int) -> float:  # noqa: ARG002 (all epochs are alike)
        """Solve all items, then all users; return the objective."""
        n_failed = self._half_step(self._items, self._factors.transposed(), "items")
        if not n_failed:
            n_failed = self._half_step(self._users, self._factors, "users")
        return math.nan if n_failed else self._objective()

    def remedy(self) -> str:
        """Tell what to change when a value is not finite."""
        return "raise regularization, or use dtype=float64 if ratings are very large"

    def _half_step(self, rows: Rows, factors: Factors, side: Side) -> int:
        return als.solve_rows(
            rows.indptr,
            rows.indices,
            rows.values,
            rows.weights,
            factors.item_factors,
            factors.item_biases,
            factors.user_factors,
            factors.user_biases,
            factors.mean,
            *self._ridges[side],
            self._gram_of_others(factors, side),
            self._method,
            self._n_steps,
            self._threads,
        )

    def _gram_of_others(self, factors: Factors, side: Side) -> NDArray[np.float64] | None:
        """Return the gram matrix of the side that stands still while `side` is solved for."""
        del side
        return None if self._gram is None else self._gram(factors)

    def _objective(self) -> float:
        total = self._squared_error()
        f = self._factors
        for (ridge, bias_ridge), factors, biases in (
            (self._ridges["users"], f.user_factors, f.user_biases),
            (self._ridges["items"], f.item_factors, f.item_biases),
        ):
            total += weighted_squares(factors, ridge)
            if biases is not None:
                total += weighted_squares(biases[:, np.newaxis], bias_ridge)
        return total

    def _squared_error(self) -> float:
        f, rows = self._factors, self._users
        return float(
            pairs.squared_errors(
                rows.indptr,
                rows.indices,
                rows.values,
                rows.weights,
                f.user_factors,
                f.item_factors,
                f.user_biases,
                f.item_biases,
                f.mean,
                self._threads,
            ).sum()
        )


def weighted_squares(rows: NDArray[Any], weights: NDArray[Any]) -> float:
    """Return sum_r weights_r |rows_r|^2 in double precision."""
    total = 0.0
    for start in range(0, len(rows), ROWS):
        some = rows[start : start + ROWS].astype(np.float64)
        total += float(np.einsum("rf,rf->r", some, some) @ weights[start : start + ROWS])
    return total
