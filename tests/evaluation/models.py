"""A model small enough to check by hand, for tests of what is done with models."""

from typing import ClassVar

import numpy as np

from matfact.exceptions import DivergenceError


class BiasModel:
    """Predict the mean of an item, drawn towards the mean of all by `shrinkage`, plus noise.

    `log` is shared by copies: a class attribute that tests look at.
    """

    log: ClassVar[list] = []

    def __init__(self, *, shrinkage=0.0, noise=0.0, random_state=None, fails=False):
        self.shrinkage = shrinkage
        self.noise = noise
        self.random_state = random_state
        self.fails = fails

    def __repr__(self):
        return f"BiasModel(shrinkage={self.shrinkage})"

    def get_params(self):
        names = ("shrinkage", "noise", "random_state", "fails")
        return {name: getattr(self, name) for name in names}

    def fit(self, X, *, callbacks=()):
        if self.shrinkage < 0:
            raise ValueError(f"shrinkage is {self.shrinkage}")
        if self.fails:
            raise DivergenceError("training diverged", 3)
        BiasModel.log.append((self.get_params(), X.n_ratings))
        sums = np.bincount(X.user_indices, X.user_values.astype(float), X.n_items)
        counts = np.bincount(X.user_indices, minlength=X.n_items)
        rng = (
            self.random_state
            if isinstance(self.random_state, np.random.Generator)
            else np.random.default_rng(self.random_state)
        )
        weight = self.shrinkage + (counts == 0)
        self.means_ = (sums + weight * X.mean) / (counts + weight)
        self.means_ += self.noise * rng.normal(size=X.n_items)
        self.item_ids_, self.mean_ = X.item_ids, X.mean
        for callback in callbacks:
            callback(None)
        return self

    def predict(self, users, items, *, unknown="raise"):
        places = self.item_ids_.positions(items, unknown="ignore")
        return np.where(places < 0, self.mean_, self.means_[places])
