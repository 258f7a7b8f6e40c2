"""Ids as numbers: what may be an id, and the distinct ids of millions of rows."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from matfact.kernels import csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["distinct_ids", "factorize", "id_array", "sorted_ids"]

N_AT_ONCE = 1 << 21
"""Ids that are Python objects at the same time, where they have to become some."""

MANY_OBJECTS = 1 << 18

SHORT_TEXT = 40
"""In characters."""

MOST_GAPS = 8
"""A range of integers is looked up in a table if it is at most so many times the ids' number."""

LARGEST_INT64 = 2**63 - 1

FLOATS = (float, np.floating)
NUMBERS = (int, np.integer, *FLOATS)

LARGEST_EXACT = 2.0**53
"""Below it every integer is a float64."""


def id_array(ids: object, name: str) -> NDArray[Any]:
    """Return ids as a 1-d array of int64, uint64, float64, datetime, str, bytes or objects.

    Text is an array of fixed width or of objects. Floats that are all whole numbers become int64:
    a column of integers with gaps arrives as floats.

    Raises
    ------
    TypeError
        If ids are boolean, complex or structured.
    ValueError
        If they are not one-dimensional or, among floats and dates, one is missing.
    """
    array = _as_array(ids)
    if array.ndim != 1:
        raise ValueError(f"{name} has {array.ndim} dimensions; give one id for each rating, 1-d")
    kind = array.dtype.kind
    if kind in "bcV":
        raise TypeError(f"{name} has dtype {array.dtype}; ids are integers, text or other names")
    if kind in "fmM":
        missing = np.isnan(array) if kind == "f" else np.isnat(array)
        if missing.any():
            _refuse_missing(array, int(missing.argmax()), name)
    if kind in "iu":
        too_large = array.dtype == np.uint64 and array.size and array.max() > LARGEST_INT64
        return array if too_large else array.astype(np.int64, copy=False)
    if kind == "f":
        array = array.astype(np.float64, copy=False)
        if (array == np.trunc(array)).all() and (np.abs(array) <= LARGEST_EXACT).all():
            return array.astype(np.int64)
        return array + 0.0  # -0.0 becomes 0.0
    if kind in "USmM":
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    return array


def _as_array(ids: object) -> NDArray[Any]:
    """Convert without turning numbers beside text into text, as numpy would."""
    if not isinstance(ids, list | tuple):
        return np.asarray(ids)
    types = set(map(type, ids))
    if not types:
        return np.empty(0, dtype=np.int64)
    is_numeric = all(issubclass(kind, NUMBERS) for kind in types)
    if is_numeric and not types & {bool, np.bool_}:
        array = np.asarray(ids)
        if array.dtype.kind in "iu" or any(issubclass(kind, FLOATS) for kind in types):
            return array  # else there are integers that numpy would round
    elif types <= {list} or types <= {np.datetime64}:
        return np.asarray(ids)
    objects = np.empty(len(ids), dtype=object)
    objects[:] = ids
    return objects


def _refuse_missing(array: NDArray[Any], place: int, name: str) -> NoReturn:
    raise ValueError(
        f"{name}[{place}] is {array[place]}, a missing id; give an id for every rating, or leave "
        "such rows out"
    )


def factorize(array: NDArray[Any], name: str) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Give numbers to the ids of an `id_array`: (code of each id, the distinct ids).

    Raises
    ------
    TypeError
        If an object is a boolean or cannot be hashed.
    ValueError
        If an object stands for a missing id: None, NaN, NaT, pandas.NA.
    """
    kind = array.dtype.kind
    if not array.size:
        return np.empty(0, dtype=np.int32), array.copy()
    if kind == "i":
        compact = _factorize_range(array)
        if compact is not None:
            return compact
    if kind in "iufmMUS" and array.dtype.itemsize:
        array = np.ascontiguousarray(array)
        codes, firsts = csr.factorize(_bytes_of(array))
        return codes, array[firsts]
    reduced = _factorize_identities(array)
    if reduced is not None:
        codes, array = reduced
        of_distinct, ids = _factorize_objects(array, name)
        return of_distinct[codes], ids
    return _factorize_objects(array, name)


def _bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return one row of bytes for each element; of Latin text one byte a character, not four."""
    shape = len(array), -1
    if array.dtype.kind == "U":
        characters = array.view(np.uint32).reshape(shape)
        if characters.max() < 256:
            # The kernel reads eight bytes at a time.
            keys = np.zeros((len(array), -(-characters.shape[1] // 8) * 8), dtype=np.uint8)
            keys[:, : characters.shape[1]] = characters
            return keys
    return array.view(np.uint8).reshape(shape)


def _factorize_identities(
    array: NDArray[Any],
) -> tuple[NDArray[np.int32], NDArray[Any]] | None:
    """Reduce objects to distinct ones by their addresses, if most of them come again.

    A column that was picked from a list of names holds the same few objects over and over.
    """
    if array.dtype.kind != "O" or len(array) < MANY_OBJECTS:
        return None
    array = np.ascontiguousarray(array)
    try:
        addresses = np.ndarray((len(array), array.itemsize), dtype=np.uint8, buffer=array)
    except (TypeError, ValueError, BufferError):  # not promised by numpy
        return None
    if len(csr.factorize(addresses[:MANY_OBJECTS])[1]) > MANY_OBJECTS / 2:
        return None
    codes, firsts = csr.factorize(addresses)
    return codes, array[firsts]


def _factorize_range(
    array: NDArray[np.int64],
) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
    """Give ascending numbers to integers by a table of their range, if that is not too long."""
    low, high = int(array.min()), int(array.max())
    if high - low >= min(MOST_GAPS * len(array) + 1024, 2**31 - 1):
        return None
    places = array - low
    codes = np.zeros(high - low + 1, dtype=np.int32)
    codes[places] = 1
    ids = np.flatnonzero(codes) + low
    np.cumsum(codes, out=codes)
    codes -= 1
    return codes[places], ids


def _factorize_objects(array: NDArray[Any], name: str) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Give numbers to hashable objects by a dictionary; a new one gets the next number."""
    numbers: defaultdict[object, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    codes = np.empty(len(array), dtype=np.int32)
    for start in range(0, len(array), N_AT_ONCE):
        piece = array[start : start + N_AT_ONCE].tolist()
        of_piece = codes[start : start + N_AT_ONCE]
        within, distinct = _distinct_text(piece)
        try:
            found = np.fromiter(map(numbers.__getitem__, distinct), np.int32, len(distinct))
        except TypeError as error:
            raise TypeError(f"{name} has ids that cannot be hashed: {error}") from None
        of_piece[:] = found if within is None else found[within]
    for number, one in enumerate(numbers):
        if _is_missing(one):
            _refuse_missing(array, int((codes == number).argmax()), name)
        if isinstance(one, bool | np.bool_):
            raise TypeError(f"{name} holds the bool {one}; ids are integers, text or other names")
    ids = np.empty(len(numbers), dtype=object)
    ids[:] = list(numbers)
    return codes, ids


def _distinct_text(objects: list[Any]) -> tuple[NDArray[np.int32] | None, list[Any]]:
    """Reduce a list of short texts to (the number of each, distinct texts); else (None, list).

    The kernel is several times faster on their characters than a dictionary, which has to look
    at objects all over the memory.
    """
    if set(map(type, objects)) != {str}:
        return None, objects
    longest = max(map(len, objects))
    if not 0 < longest <= SHORT_TEXT:
        return None, objects
    if "\0" in "".join(objects):  # an array cannot tell it from the end of a text
        return None, objects
    array = np.array(objects, dtype=f"U{longest}")
    codes, firsts = csr.factorize(_bytes_of(array))
    return codes, [objects[first] for first in firsts.tolist()]


def _is_missing(one: object) -> bool:
    if one is None:
        return True
    try:
        return not one == one  # noqa: PLR0124, SIM201 (NaN and NaT differ from themselves)
    except TypeError:  # pandas.NA has no truth value
        return True


def distinct_ids(ids: NDArray[Any]) -> NDArray[Any]:
    """Give distinct objects their narrowest form: int64 or text of fixed width, else objects."""
    if ids.dtype.kind != "O" or not ids.size:
        return ids
    objects = ids.tolist()
    types = set(map(type, objects))
    if all(issubclass(kind, int | np.integer) for kind in types):
        try:
            return np.array(objects, dtype=np.int64)
        except OverflowError:
            return ids
    if types <= {str, np.str_}:
        longest = max(map(len, objects))
        if longest <= 256 and not any(text.endswith("\0") for text in objects):
            return np.array(objects, dtype=np.str_)
    return ids


def sorted_ids(
    codes: NDArray[np.int32], ids: NDArray[Any]
) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Put distinct ids into ascending order, where they have one, and the codes along with them."""
    ids = distinct_ids(ids)
    if ids.dtype.kind in "iu" and (ids[1:] > ids[:-1]).all():
        return codes, ids
    try:
        order = np.argsort(ids, kind="stable")
    except TypeError:  # a mixture: they stay in the order in which they appeared
        return codes, ids
    rank = np.empty(len(ids), dtype=np.int32)
    rank[order] = np.arange(len(ids), dtype=np.int32)
    return rank[codes], ids[order]
