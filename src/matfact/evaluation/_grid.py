"""The combinations of parameters that a search tries."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeAlias

    from matfact.evaluation._running import Estimator

    Grid: TypeAlias = Mapping[str, Iterable[Any]]

__all__ = ["combinations_of"]


def combinations_of(model: Estimator, grid: Any) -> list[dict[str, Any]]:
    """Return all combinations of a grid, or of several, the last parameter changing fastest.

    Raises
    ------
    TypeError, ValueError
        If it does not hold lists of values of parameters of the model.
    """
    grids = [grid] if isinstance(grid, Mapping) else list(grid)
    names = set(model.get_params())
    combinations: list[dict[str, Any]] = []
    for one in grids:
        if not isinstance(one, Mapping):
            raise TypeError(f"grid has {one!r}; give a dict of lists, or several")
        for name, values in one.items():
            if name not in names:
                raise ValueError(
                    f"grid has {name!r}, which is no parameter of {type(model).__name__}; its "
                    f"parameters are {', '.join(sorted(names))}"
                )
            if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
                raise TypeError(f"grid[{name!r}] is {values!r}; give a list of values")
        lists = [list(values) for values in one.values()]
        for name, values in zip(one, lists, strict=True):
            if not values:
                raise ValueError(f"grid[{name!r}] is empty; give at least one value")
        combinations += [dict(zip(one, each, strict=True)) for each in itertools.product(*lists)]
    if not combinations:
        raise ValueError("grid is empty; give at least one dict of lists")
    return combinations
