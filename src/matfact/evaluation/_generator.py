"""Random numbers of splits and searches: always from a numpy Generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matfact._random import random_source

if TYPE_CHECKING:
    from matfact._random import RandomStateLike

__all__ = ["draw_seed", "generator"]

LARGEST_SEED = 2**32 - 1
"""The largest one that every model takes as its `random_state`."""


def generator(random_state: RandomStateLike) -> np.random.Generator:
    """Return the Generator that `random_state` stands for; see `matfact._random.random_source`."""
    source = random_source(random_state)
    if isinstance(source, np.random.Generator):
        return source
    if isinstance(random_state, int | np.integer):
        return np.random.default_rng(int(random_state))
    return np.random.default_rng(source.randint(2**63 - 1, dtype=np.int64))


def draw_seed(rng: np.random.Generator) -> int:
    """Draw a seed for a model."""
    return int(rng.integers(LARGEST_SEED, endpoint=True))
