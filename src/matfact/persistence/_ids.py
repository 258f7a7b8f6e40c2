"""Maps of ids in a model file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.exceptions import ModelFileError
from matfact.ratings import IdMap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["ids_from", "packed_ids"]

LARGEST_CHARACTER = 0x10FFFF


def packed_ids(ids: IdMap, name: str) -> tuple[str, NDArray[Any] | None]:
    """Return how ids are stored, and the array: none if they are the positions.

    Raises
    ------
    TypeError
        If an id is neither a number, a date nor text.
    """
    if ids.is_range:
        return "range", None
    array = ids.ids
    if array.dtype.kind != "O":
        return "array", array
    objects = array.tolist()
    for place, one in enumerate(objects):
        if isinstance(one, bool) or not isinstance(one, int | np.integer | str):
            raise TypeError(
                f"{name}[{place}] is {one!r}, a {type(one).__name__}; ids that can be saved are "
                "integers and text, so fit the model on such ones"
            )
    plain = [str(one) if isinstance(one, str) else int(one) for one in objects]
    return "json", np.frombuffer(json.dumps(plain).encode("ascii"), dtype=np.uint8)


def ids_from(stored: Any, arrays: Mapping[str, NDArray[Any]], name: str, size: int) -> IdMap:
    """Return the map of `size` ids that is stored under a name."""
    if stored == "range":
        if name in arrays:
            raise ModelFileError(f"{name} are both a range and an array")
        return IdMap.range(size)
    array = arrays.get(name)
    if stored not in ("array", "json") or array is None or array.ndim != 1:
        raise ModelFileError(f"{name} are missing, or stored in an unknown way")
    if stored == "json":
        array = _objects(array, name)
    elif array.dtype.kind == "u" and array.itemsize == 1:
        raise ModelFileError(f"{name} have dtype {array.dtype}")
    elif array.dtype.kind == "U":
        _check_characters(array, name)
    try:
        ids = IdMap(array)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{name} are not distinct ids: {error}") from error
    if len(ids) != size:
        raise ModelFileError(f"there are {len(ids)} {name} for {size} rows")
    return ids


def _objects(content: NDArray[Any], name: str) -> NDArray[Any]:
    if content.dtype != np.uint8:
        raise ModelFileError(f"{name} have dtype {content.dtype}")
    try:
        listed = json.loads(content.tobytes().decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{name} cannot be read ({error})") from error
    if not isinstance(listed, list) or not all(type(one) in (int, str) for one in listed):
        raise ModelFileError(f"{name} are not a list of integers and text")
    objects = np.empty(len(listed), dtype=object)
    objects[:] = listed
    return objects


def _check_characters(array: NDArray[Any], name: str) -> None:
    """Refuse numbers that are no characters: numpy raises or crashes where it meets them."""
    if array.size and array.view(np.uint32).max() > LARGEST_CHARACTER:
        raise ModelFileError(f"{name} hold a number that is no character")
