"""The solver of BPR: other items are drawn, triples arranged and trained, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.kernels import bpr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from matfact.ratings import Ratings
    from matfact.training import BestState

__all__ = ["Ranking"]

DRAWS = 20
"""Times that an item is drawn for a triple before it is left out for this epoch."""

MANY_TRIPLES = 4_000_000
"""From here on items are cut into 16 blocks, else 8: half as many threads can be used. It does not
depend on the number of threads, as the result does on it."""

EPOCH_STREAM = 2
"""Marks the random numbers of epochs among all that follow from one seed."""


class Ranking:
    """Epochs over all interactions; see `matfact.training.Trainable`.

    Parameters
    ----------
    model : BPR
    ratings : Ratings
    arrays : dict of str to ndarray
    seed, n_threads : int
    """

    def __init__(
        self,
        model: Any,
        ratings: Ratings,
        arrays: dict[str, NDArray[Any]],
        seed: int,
        n_threads: int,
    ) -> None:
        self.arrays = arrays
        self.best: BestState | None = None
        self._model = model
        self._ratings = ratings
        self._seed = seed
        self._threads = n_threads
        self._n_blocks = 16 if ratings.n_ratings >= MANY_TRIPLES else 8
        self._users = ratings.users
        self._dislikes = ratings.user_values <= 0
        exponent = float(model.popularity_exponent)
        counts = np.diff(ratings.item_indptr).astype(np.float64)
        self._shares = np.cumsum(counts**exponent) if exponent else None

    @property
    def learning_rate(self) -> float:
        """The learning rate, for the message of a divergence."""
        return float(self._model.learning_rate)

    def epoch(self, number: int) -> float:
        """Train one triple for each interaction; return the sum of their losses before."""
        model, arrays = self._model, self.arrays
        rng = np.random.default_rng([self._seed, EPOCH_STREAM, number])
        triples, starts = bpr.arrange(
            self._ratings.user_indptr,
            self._ratings.user_indices,
            self._others(rng),
            self._ratings.n_items,
            self._n_blocks,
        )
        rate = self.learning_rate
        return bpr.epoch(
            triples,
            starts,
            rng.permutation((self._n_blocks + 1) * self._n_blocks // 2),
            arrays["user_factors"],
            arrays["item_factors"],
            arrays["item_biases"],
            arrays["user_squares"],
            arrays["item_squares"],
            rate,
            rate if model.biases else 0.0,
            float(model.regularization),
            float(model.bias_regularization),
            model.schedule == "adaptive",
            self._threads,
        )

    def remedy(self) -> str:
        """Tell what to change when a value is not finite."""
        return f"lower learning_rate, which is {self.learning_rate}"

    def _others(self, rng: np.random.Generator) -> NDArray[np.int32]:
        """Draw an item for each interaction that its user does not have; -1 for no triple."""
        indptr, indices = self._ratings.user_indptr, self._ratings.user_indices
        others = self._drawn(rng, len(indices))
        entries = np.arange(len(indices))
        for draw in range(DRAWS):
            found = bpr.is_taken(
                indptr, indices, self._users[entries], others[entries], self._threads
            )
            entries = entries[found.view(bool)]
            if not len(entries):
                break
            others[entries] = -1 if draw == DRAWS - 1 else self._drawn(rng, len(entries))
        others[self._dislikes] = -1
        return others

    def _drawn(self, rng: np.random.Generator, size: int) -> NDArray[np.int32]:
        n_items = self._ratings.n_items
        if self._shares is None:
            drawn = rng.integers(n_items, size=size)
        else:
            drawn = np.searchsorted(self._shares, rng.random(size) * self._shares[-1], "right")
        return np.minimum(drawn, n_items - 1).astype(np.int32)
