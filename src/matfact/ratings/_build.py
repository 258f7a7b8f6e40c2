"""From what users hold to the arrays of `Ratings`: checks, sorting, duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, TypeAlias

import numpy as np

from matfact._validation import check_integer, first_place, real_array
from matfact.kernels import csr
from matfact.ratings._factorize import factorize, id_array, sorted_ids
from matfact.ratings.ids import IdMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Duplicates: TypeAlias = Literal["raise", "last", "mean", "sum"]

__all__ = [
    "Columns",
    "Parts",
    "checked_dtype",
    "checked_duplicates",
    "checked_shape",
    "checked_timestamps",
    "checked_values",
    "checked_weights",
    "compress",
    "encode",
    "from_cells",
    "positions",
]

MAX_SIDE = 2**31 - 1
"""Row and column numbers are stored as int32."""

DUPLICATES = ("raise", "last", "mean", "sum")


class Columns(NamedTuple):
    """Checked triples in the order of the source; all arrays of one length."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    values: Floats
    weights: Floats | None
    timestamps: NDArray[Any] | None


class Parts(NamedTuple):
    """The ratings by users."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: Floats
    weights: Floats | None
    timestamps: NDArray[Any] | None


def checked_dtype(dtype: Any) -> np.dtype[Any]:
    """Return float32 or float64 as a dtype, or raise a TypeError."""
    try:
        checked: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype is {dtype!r}; give float32 or float64") from None
    if dtype is None or checked not in (np.float32, np.float64):
        raise TypeError(f"dtype is {dtype if dtype is None else checked}; give float32 or float64")
    return checked


def checked_duplicates(duplicates: str) -> None:
    """Raise a ValueError for an unknown way to treat duplicates."""
    if duplicates not in DUPLICATES:
        known = ", ".join(map(repr, DUPLICATES))
        raise ValueError(f"duplicates is {duplicates!r}; give one of {known}")


def checked_shape(shape: object) -> tuple[int, int]:
    """Return the numbers of users and items as ints of at least 1."""
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise ValueError(f"shape is {shape!r}; give the numbers of users and of items")
    n_users, n_items = (
        check_integer(size, f"shape[{axis}]", minimum=1) for axis, size in enumerate(shape)
    )
    for axis, size in enumerate((n_users, n_items)):
        if size > MAX_SIDE:
            raise ValueError(f"shape[{axis}] is {size}; at most {MAX_SIDE} are possible")
    return n_users, n_items


def checked_values(values: object, name: str, dtype: np.dtype[Any]) -> Floats:
    """Return finite numbers as a 1-d array of `dtype`."""
    array = real_array(values, name)
    if array.ndim != 1:
        raise ValueError(f"{name} has {array.ndim} dimensions; give one number for each rating")
    with np.errstate(over="ignore"):
        converted: Floats = np.ascontiguousarray(array, dtype=dtype)
    finite = np.isfinite(converted)
    if not finite.all():
        place = int(np.argmin(finite))
        if np.isfinite(array[place]):
            raise ValueError(
                f"{name}[{place}] is {array[place]}, too large for {dtype}; give dtype=np.float64"
            )
        raise ValueError(
            f"{name}[{place}] is {array[place]}; give finite numbers, and leave out the rows "
            "without a rating"
        )
    return converted


def checked_weights(weights: object, dtype: np.dtype[Any]) -> Floats:
    """Return weights as finite numbers that are not negative."""
    array = checked_values(weights, "weights", dtype)
    if array.size and array.min() < 0:
        place = int((array < 0).argmax())
        raise ValueError(f"weights[{place}] is {array[place]}; give numbers of at least 0")
    return array


def checked_timestamps(timestamps: object) -> NDArray[Any]:
    """Return times as int64, finite float64 or datetime64."""
    array = np.asarray(timestamps)
    if array.dtype.kind not in "iufM":
        raise TypeError(f"timestamps has dtype {array.dtype}; give numbers or datetime64")
    if array.ndim != 1:
        raise ValueError(f"timestamps has {array.ndim} dimensions; give one for each rating")
    if array.dtype.kind in "iu":
        return array.astype(np.int64, copy=False)
    bad = np.isnat(array) if array.dtype.kind == "M" else ~np.isfinite(array)
    if bad.any():
        place = int(bad.argmax())
        raise ValueError(f"timestamps[{place}] is {array[place]}; give a time for every rating")
    return array if array.dtype.kind == "M" else array.astype(np.float64, copy=False)


def positions(ids: object, name: str, size: int, axis: int) -> NDArray[np.int32]:
    """Return positions as int32, each from 0 to size - 1."""
    array = id_array(ids, name)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(
            f"{name} has dtype {array.dtype}; with shape= give integer positions from 0, or leave "
            "shape out to have ids"
        )
    if array.size and not 0 <= array.min() <= array.max() < size:
        place = int(((array < 0) | (array >= size)).argmax())
        raise ValueError(
            f"{name}[{place}] is {array[place]}; positions go from 0 to {size - 1}, as "
            f"shape[{axis}] is {size}"
        )
    return array.astype(np.int32)


def encode(ids: object, name: str, known: object | None) -> tuple[NDArray[np.int32], IdMap]:
    """Return ids as positions, and their map: `known` if that is given, else sorted ids."""
    array = id_array(ids, name)
    if known is not None:
        id_map = known if isinstance(known, IdMap) else IdMap(known)  # type: ignore[arg-type]
        return id_map.positions(array, name=name).astype(np.int32), id_map
    codes, distinct = sorted_ids(*factorize(array, name))
    return codes, IdMap.trusted(distinct)


def compress(columns: Columns, user_ids: IdMap, item_ids: IdMap, duplicates: Duplicates) -> Parts:
    """Sort triples by user and item, and treat the pairs that come more than once.

    Raises
    ------
    ValueError
        If there are no ratings, or pairs come more than once and `duplicates` is "raise".
    """
    users, items, values, weights, timestamps = columns
    lengths = {
        name: len(column)
        for name, column in zip(columns._fields, columns, strict=True)
        if column is not None
    }
    if len(set(lengths.values())) != 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"the lengths differ: {found}; give one of each for every rating")
    if not len(values):
        raise ValueError("there are no ratings; give at least one")
    indptr, indices, order = csr.sort_entries(users, items, len(user_ids), len(item_ids))
    repeats = csr.find_repeats(indptr, indices)
    if len(repeats):
        if duplicates == "raise":
            _refuse_repeat(columns, order, repeats, user_ids, item_ids)
        return _combined(columns, indptr, indices, order, repeats, duplicates)
    return Parts(
        indptr,
        indices,
        values[order],
        None if weights is None else weights[order],
        None if timestamps is None else timestamps[order],
    )


def _refuse_repeat(
    columns: Columns,
    order: NDArray[np.int64],
    repeats: NDArray[np.int64],
    user_ids: IdMap,
    item_ids: IdMap,
) -> NoReturn:
    which = int(order[repeats].argmin())  # the repetition that comes first in the source
    second, first = int(order[repeats[which]]), int(order[repeats[which] - 1])
    (user,) = user_ids.ids_of(columns.users[second : second + 1]).tolist()
    (item,) = item_ids.ids_of(columns.items[second : second + 1]).tolist()
    raise ValueError(
        f"user {user!r} and item {item!r} appear twice, at positions {first} and {second}; keep "
        "one rating of each pair, or choose by duplicates='last', 'mean' or 'sum'"
        + f" ({len(repeats)} ratings repeat a pair)"
        * (len(repeats) > 1)
    )


def _combined(
    columns: Columns,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    order: NDArray[np.int64],
    repeats: NDArray[np.int64],
    duplicates: Duplicates,
) -> Parts:
    """Make one rating of each run of equal pairs; runs are in the order of the source."""
    values, weights, timestamps = columns.values, columns.weights, columns.timestamps
    is_first = np.ones(len(order), dtype=bool)
    is_first[repeats] = False
    n_before = np.zeros(len(order) + 1, dtype=np.int64)
    np.cumsum(is_first, out=n_before[1:])
    starts = np.flatnonzero(is_first)
    latest = None if timestamps is None else np.maximum.reduceat(timestamps[order], starts)
    if duplicates == "last":
        kept = order[np.append(starts[1:], len(order)) - 1]
        new_values: Floats = values[kept]
        new_weights = None if weights is None else weights[kept]
        latest = None if timestamps is None else timestamps[kept]
    elif weights is None:
        sums = np.add.reduceat(values[order].astype(np.float64), starts)
        if duplicates == "mean":
            sums /= np.diff(np.append(starts, len(order)))
        new_values, new_weights = _back(sums, values.dtype), None
    elif duplicates == "mean":
        # One rating of the mean, with all the weight, has the same gradient as the single ones.
        all_weights = weights[order].astype(np.float64)
        totals = np.add.reduceat(all_weights, starts)
        plain = np.add.reduceat(values[order].astype(np.float64), starts)
        plain /= np.diff(np.append(starts, len(order)))
        sums = np.add.reduceat(values[order] * all_weights, starts)
        means = np.divide(sums, totals, out=plain, where=totals > 0)
        new_values, new_weights = _back(means, values.dtype), _back(totals, weights.dtype)
    else:
        raise ValueError(
            "duplicates='sum' has no meaning for ratings with weights; choose 'last' or 'mean'"
        )
    return Parts(n_before[indptr], indices[is_first], new_values, new_weights, latest)


def _back(numbers: NDArray[np.float64], dtype: np.dtype[Any]) -> Floats:
    with np.errstate(over="ignore"):
        converted: Floats = numbers.astype(dtype)
    if not np.isfinite(converted).all():
        raise ValueError(f"a sum of duplicates is too large for {dtype}; give dtype=np.float64")
    return converted


def from_cells(present: NDArray[np.bool_], array: NDArray[Any], dtype: np.dtype[Any]) -> Parts:
    """Compress the cells of a dense array that are present; they must be finite."""
    if not present.any():
        raise ValueError("every rating of X is missing; give at least one")
    values = array[present]
    with np.errstate(over="ignore"):
        converted: Floats = values.astype(dtype)
    finite = np.isfinite(converted)
    if not finite.all():
        bad = np.zeros(present.shape, dtype=bool)
        bad[present] = ~finite
        row, column = first_place(bad)
        remedy = "give finite numbers, and missing_values= for what stands for a missing rating"
        if np.isfinite(array[row, column]):
            remedy = f"which is too large for {dtype}; give dtype=np.float64"
        raise ValueError(f"X[{row}, {column}] is {array[row, column]}; {remedy}")
    indptr = np.zeros(len(present) + 1, dtype=np.int64)
    np.cumsum(np.count_nonzero(present, axis=1), out=indptr[1:])
    return Parts(indptr, np.nonzero(present)[1].astype(np.int32), converted, None, None)
