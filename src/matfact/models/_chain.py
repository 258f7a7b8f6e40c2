"""What a chain of draws consists of: where it stands, and the samples that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.models._arrays import shared_shapes, shared_start

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import DTypeLike, NDArray

    Arrays = dict[str, NDArray[Any]]

__all__ = ["CHAIN", "KINDS", "SAMPLES", "chain_shapes", "chain_start", "slot_of"]

CHAIN = ("prior_means", "prior_precisions", "noise_precision", "unrated_means")
"""What is drawn of a side as a whole, or follows from the draws: where the chain stands."""

SAMPLES = ("sample_means", "sample_unrated_means", "sample_precisions", "sample_noises", "n_kept")
"""The same of the samples that are kept, and their number so far."""

KINDS = ("influence", "feature_coefficient")
"""What links draw, of which there are samples."""


def chain_shapes(
    shape: tuple[int, int],
    n_factors: int,
    n_samples: int,
    of_links: Mapping[str, tuple[int, ...] | None],
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays of a chain and of its samples.

    Parameters
    ----------
    shape : tuple of int
        Users and items.
    n_factors, n_samples : int
    of_links : mapping of str to tuple
        Shapes of the links' arrays: of what says something of rows there are samples, too.
    """
    size, of_sides = n_factors + 1, shared_shapes(n_factors)
    shapes = {name: of_sides[name] for name in CHAIN}
    shapes |= {
        "sample_means": (n_samples, 2, size),
        "sample_unrated_means": (n_samples, 2, size),
        "sample_precisions": (n_samples, 2, size, size),
        "sample_noises": (n_samples,),
        "n_kept": (1,),
        "user_reliabilities": shape[:1],
        "user_reliability_samples": (shape[0], n_samples),
    }
    for name, n_rows in zip(("user", "item"), shape, strict=True):
        shapes[f"{name}_factors"] = (n_rows, n_samples * n_factors)
        shapes[f"{name}_biases"] = (n_rows,)
        shapes[f"{name}_bias_samples"] = (n_rows, n_samples)
        shapes[f"{name}_draws"] = (n_rows, size)
        for kind in KINDS:
            of_link = of_links.get(f"{name}_{kind}s")
            if of_link is not None:
                shapes[f"{name}_{kind}_samples"] = (of_link[0], n_samples * size)
    return shapes


def chain_start(shapes: Mapping[str, tuple[int, ...]], dtype: DTypeLike) -> Arrays:
    """Return the arrays of a chain that has not begun; those of rows have a dtype of their own."""
    start = shared_start(shapes["prior_means"][1] - 1)
    arrays: Arrays = {}
    for name, size in shapes.items():
        is_of_rows = name.startswith(("user_", "item_")) and "feature" not in name
        arrays[name] = np.zeros(size, dtype=dtype if is_of_rows else np.float64)
    for name in CHAIN:
        arrays[name][...] = start[name]
    # What is solved for before the first sweep has a solution, too.
    arrays["sample_precisions"][...] = start["prior_precisions"]
    for name in ("sample_noises", "user_reliabilities", "user_reliability_samples"):
        arrays[name][...] = 1
    return arrays


def slot_of(number: int, width: int) -> slice:
    """Return the columns of a sample."""
    return slice(number * width, (number + 1) * width)
