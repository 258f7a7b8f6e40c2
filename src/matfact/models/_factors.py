"""The result of every factorization: factors, biases and a mean; and predictions from them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import pairs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self, TypeAlias

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]

__all__ = ["Factors"]

UNKNOWN = -1
"""Position of a user or an item that the model does not know."""


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """Predict r(u, i) = mean + b_u + c_i + p_u . q_i.

    Attributes
    ----------
    user_factors : ndarray of shape (n_users, n_factors)
        p.
    item_factors : ndarray of shape (n_items, n_factors)
        q.
    user_biases : ndarray of shape (n_users,) or None
        b; None for a model without biases.
    item_biases : ndarray of shape (n_items,) or None
        c.
    mean : float
    prior : float
        What is predicted for an unknown user and an unknown item: the mean, if there are biases.
    more_of_users, more_of_items : dict of str to ndarray
        Further arrays of the model with a row for each, by what follows user_ or item_.
    """

    user_factors: Floats
    item_factors: Floats
    user_biases: Floats | None
    item_biases: Floats | None
    mean: float
    prior: float
    more_of_users: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    more_of_items: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], mean: float, prior: float) -> Self:
        """Take factors and the rest from a mapping; all but factors may be absent."""
        more: dict[str, dict[str, NDArray[Any]]] = {"user": {}, "item": {}}
        for name, array in arrays.items():
            side, _, rest = name.partition("_")
            if side in more and rest not in ("factors", "biases"):
                more[side][rest] = array
        return cls(
            arrays["user_factors"],
            arrays["item_factors"],
            arrays.get("user_biases"),
            arrays.get("item_biases"),
            mean,
            prior,
            more["user"],
            more["item"],
        )

    def transposed(self) -> Factors:
        """Exchange users and items."""
        return Factors(
            self.item_factors,
            self.user_factors,
            self.item_biases,
            self.user_biases,
            self.mean,
            self.prior,
            self.more_of_items,
            self.more_of_users,
        )

    def with_users(self, user_factors: Floats, user_biases: Floats | None) -> Factors:
        """Return the same items with other users."""
        return replace(self, user_factors=user_factors, user_biases=user_biases, more_of_users={})

    def predict_pairs(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        """Predict pairs of positions; `UNKNOWN` stands for the average user or item."""
        known_users, known_items = users >= 0, items >= 0
        if known_users.all() and known_items.all():
            return self._predict_known(users, items, n_threads)
        out = np.full(len(users), self.prior)
        if self.user_biases is not None and self.item_biases is not None:
            out[known_users] += self.user_biases[users[known_users]]
            out[known_items] += self.item_biases[items[known_items]]
        both = known_users & known_items
        out[both] = self._predict_known(users[both], items[both], n_threads)
        return out

    def _predict_known(
        self, users: NDArray[np.int64], items: NDArray[np.int64], n_threads: int
    ) -> NDArray[np.float64]:
        predicted: NDArray[np.float64] = pairs.predict_pairs(
            users,
            items,
            self.user_factors,
            self.item_factors,
            self.user_biases,
            self.item_biases,
            self.mean,
            n_threads,
        )
        return predicted

    def predict_rows(self, users: NDArray[np.int64]) -> NDArray[np.float64]:
        """Predict all items for some users: an array of len(users) x n_items."""
        out = self.user_factors[users].astype(np.float64) @ self.item_factors.T.astype(np.float64)
        out += self.mean
        if self.user_biases is not None and self.item_biases is not None:
            out += self.user_biases[users, np.newaxis]
            out += self.item_biases
        return out
