"""Checks of arguments, done in Python before any kernel is entered.

Each function returns the value in the form that the caller needs, or raises an error that names
the argument, the first offending place and what to do.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "check_finite",
    "check_index",
    "check_integer",
    "check_number",
    "dense_ratings",
    "factor_array",
    "first_place",
    "real_array",
]


def check_integer(value: object, name: str, *, minimum: int) -> int:
    """Return `value` as an int of at least `minimum`; a bool is not an integer here.

    Raises
    ------
    TypeError
        If `value` is not an integer.
    ValueError
        If it is below `minimum`.
    """
    remedy = f"give an integer of at least {minimum}"
    number = _as_integer(value, name, remedy)
    if number < minimum:
        raise ValueError(f"{name} is {number}; {remedy}")
    return number


def check_index(value: object, name: str, size: int) -> int:
    """Return `value` as an index into `size` entries; negative ones are not accepted.

    Raises
    ------
    TypeError
        If `value` is not an integer.
    IndexError
        If it is out of range.
    """
    remedy = f"give an integer from 0 to {size - 1}"
    number = _as_integer(value, name, remedy)
    if not 0 <= number < size:
        raise IndexError(f"{name} is {number}, which is out of range; {remedy}")
    return number


def _as_integer(value: object, name: str, remedy: str) -> int:
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer, not the bool {value}; {remedy}")
    try:
        return operator.index(value)  # type: ignore[arg-type]  # the except clause is the check
    except TypeError:
        kind = type(value).__name__
        raise TypeError(f"{name} must be an integer, not {kind} {value!r}; {remedy}") from None


def check_number(value: object, name: str, *, zero_allowed: bool = False) -> float:
    """Return `value` as a finite positive float, or zero if `zero_allowed`.

    Raises
    ------
    TypeError
        If `value` is not a real number.
    ValueError
        If it is not finite or out of range.
    """
    remedy = f"give a finite number {'of at least' if zero_allowed else 'above'} 0"
    if isinstance(value, bool | np.bool_ | str | bytes):
        raise TypeError(f"{name} must be a number, not {type(value).__name__} {value!r}; {remedy}")
    try:
        number = float(value)  # type: ignore[arg-type]  # the except clause is the check
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise TypeError(f"{name} must be a real number, not {kind}; {remedy}") from None
    except OverflowError:
        raise ValueError(f"{name} is too large for a float; {remedy}") from None
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero_allowed):
        raise ValueError(f"{name} is {number}; {remedy}")
    return number


def real_array(value: object, name: str) -> NDArray[Any]:
    """Return `value` as an array of booleans, integers or real floating point numbers.

    A masked array becomes an ordinary one with NaN in the masked places. No copy is made if none
    is needed.

    Raises
    ------
    TypeError
        If `value` is a sparse matrix or its dtype is not real and numeric.
    ValueError
        If it is a ragged sequence.
    """
    if hasattr(value, "tocsr"):  # scipy.sparse, recognised without importing it
        raise TypeError(
            f"{name} is a sparse matrix; give a dense array with NaN where a rating is missing "
            "(toarray() alone would turn the missing ones into ratings of 0)"
        )
    try:
        array: NDArray[Any] = np.asarray(value)  # of a masked array, its data
    except ValueError as error:
        raise ValueError(
            f"{name} is not a rectangular array ({error}); give rows of equal length"
        ) from None
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} has dtype {array.dtype}; give real numbers (integers, floats or booleans), "
            "for example by astype(float)"
        )
    if isinstance(value, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(value), np.nan, array)
    return array


def first_place(bad: NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the index of the first True, in C order."""
    return tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))


def check_finite(array: NDArray[Any], name: str) -> None:
    """Raise if a value is NaN or infinite.

    Raises
    ------
    ValueError
        With the first place and its value.
    """
    finite = np.isfinite(array)
    if not finite.all():
        place = first_place(~finite)
        where = ", ".join(map(str, place))
        raise ValueError(f"{name}[{where}] is {array[place]}; give finite numbers")


def dense_ratings(data: object) -> NDArray[np.float64]:
    """Return a C-ordered float64 copy of a ratings matrix, with NaN where one is missing.

    Raises
    ------
    TypeError
        As `real_array`.
    ValueError
        If it is not 2-d, is empty, holds an infinite value or is all missing.
    """
    array = real_array(data, "data")
    if array.ndim != 2:
        raise ValueError(
            f"data has {array.ndim} dimension{'s' * (array.ndim != 1)}; give a matrix, users x "
            "items"
        )
    if not array.size:
        raise ValueError(f"data is empty, of shape {array.shape}; give at least one rating")
    with np.errstate(over="ignore"):
        copy = np.array(array, dtype=np.float64, order="C")
    infinite = np.isinf(copy)
    if infinite.any():
        row, column = first_place(infinite)
        raise ValueError(
            f"data[{row}, {column}] is {copy[row, column]}; give finite numbers, or NaN for a "
            "missing rating"
        )
    if np.isnan(copy).all():
        raise ValueError("data is all NaN, so every rating is missing; give at least one rating")
    return copy


def factor_array(value: object, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return a C-ordered float64 copy of factors of the given shape.

    Raises
    ------
    TypeError
        As `real_array`.
    ValueError
        If the shape is another one or a value is not finite.
    """
    array = real_array(value, name)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; give an array of shape {shape}")
    with np.errstate(over="ignore"):
        copy = np.array(array, dtype=np.float64, order="C")
    check_finite(copy, name)
    return copy
