"""Random numbers: from a seed, a generator, or numpy's global state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matfact._validation import check_integer

if TYPE_CHECKING:
    from typing import TypeAlias

    RandomSource: TypeAlias = np.random.RandomState | np.random.Generator
    RandomStateLike: TypeAlias = int | np.integer | RandomSource | None

__all__ = ["random_source"]

MAX_SEED = 2**32 - 1
"""The largest seed that ``np.random.seed`` takes."""


def random_source(random_state: RandomStateLike) -> RandomSource:
    """Return the source of random numbers that `random_state` stands for.

    Parameters
    ----------
    random_state : int, numpy.random.RandomState, numpy.random.Generator or None
        A seed gives the numbers that ``np.random.seed`` with the same seed would give. A
        generator is used as it is. None is numpy's global state.

    Returns
    -------
    numpy.random.RandomState or numpy.random.Generator

    Raises
    ------
    TypeError
        If `random_state` is something else.
    ValueError
        If a seed is out of range.
    """
    if random_state is None:
        from numpy.random import mtrand  # noqa: PLC0415 (numpy loads it when it is first used)

        return mtrand._rand  # noqa: SLF001 (the one name of numpy's global RandomState)
    if isinstance(random_state, np.random.RandomState | np.random.Generator):
        return random_state
    try:
        seed = check_integer(random_state, "random_state", minimum=0)
    except TypeError:
        raise TypeError(
            "random_state must be an integer, a numpy RandomState or Generator, or None, not "
            f"{type(random_state).__name__} {random_state!r}"
        ) from None
    if seed > MAX_SEED:
        raise ValueError(f"random_state is {seed}; give a seed from 0 to {MAX_SEED}")
    return np.random.RandomState(seed)
