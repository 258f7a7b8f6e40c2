"""Matrices as ratings: scipy.sparse, recognised without importing it, and dense arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matfact._validation import real_array
from matfact.ratings._build import Columns, Parts, checked_shape, compress, from_cells
from matfact.ratings.ids import IdMap

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["is_sparse", "parts_of_matrix"]


def is_sparse(matrix: object) -> bool:
    """Tell whether something is a sparse matrix or array of scipy, or behaves like one."""
    return hasattr(matrix, "tocoo") and hasattr(matrix, "shape")


def parts_of_matrix(
    matrix: Any, missing_values: float, dtype: np.dtype[Any]
) -> tuple[Parts, tuple[int, int]]:
    """Return the ratings of a matrix and its shape.

    Raises
    ------
    TypeError
        If the matrix is not one of real numbers.
    ValueError
        If it is not 2-d, is empty, has no rating, or holds a number that is not finite.
    """
    missing_values = _checked_missing(missing_values)
    if is_sparse(matrix):
        return _of_sparse(matrix, missing_values, dtype)
    _refuse_table(matrix)
    array = _as_real(matrix)
    if array.ndim != 2:
        raise ValueError(
            f"X has {array.ndim} dimension{'s' * (array.ndim != 1)}; give a matrix, users x items"
        )
    shape = checked_shape(array.shape)
    if isinstance(matrix, np.ma.MaskedArray):  # the masked cells are missing, whatever they hold
        present = ~np.ma.getmaskarray(matrix)
        array = np.asarray(matrix)
        present &= _is_present(array, missing_values)
    else:
        present = _is_present(array, missing_values)
    return from_cells(present, array, dtype), shape


def _checked_missing(missing_values: object) -> float:
    """Return what stands for a missing rating as a float: NaN or a finite number."""
    if isinstance(missing_values, bool | np.bool_) or not isinstance(
        missing_values, int | float | np.integer | np.floating
    ):
        raise TypeError(f"missing_values is {missing_values!r}; give NaN or a number such as 0")
    try:
        number = float(missing_values)
    except OverflowError:
        number = np.inf
    if np.isinf(number):
        raise ValueError(f"missing_values is {missing_values}; give NaN or a finite number")
    return number


def _as_real(matrix: object) -> NDArray[Any]:
    try:
        return real_array(matrix, "X")
    except TypeError as error:
        raise TypeError(
            f"{error}; X is a matrix of ratings, users x items: a table with a row for each "
            "rating goes through Ratings.from_frame or Ratings.from_triples"
        ) from None


def _is_present(values: NDArray[Any], missing_values: float) -> NDArray[np.bool_]:
    if not np.isnan(missing_values):
        return np.asarray(values != missing_values)
    return ~np.isnan(values) if values.dtype.kind == "f" else np.ones(values.shape, dtype=bool)


def _refuse_table(matrix: Any) -> None:
    """Find a table of triples among data frames by the names of its columns."""
    if not hasattr(matrix, "columns"):
        return
    names = [str(name).lower() for name in matrix.columns]
    if any(name.startswith("user") for name in names) and any(
        name.startswith(("item", "movie", "product")) for name in names
    ):
        raise TypeError(
            "X is a table with a row for each rating (it has columns of users and items); make "
            "ratings of it by Ratings.from_frame(X, user=..., item=..., rating=...)"
        )


def _of_sparse(
    matrix: Any, missing_values: float, dtype: np.dtype[Any]
) -> tuple[Parts, tuple[int, int]]:
    if len(matrix.shape) != 2:
        raise ValueError(f"X has shape {matrix.shape}; give a matrix, users x items")
    shape = checked_shape(tuple(matrix.shape))
    _refuse_damaged_starts(matrix)
    coo = matrix.tocoo()
    values = _as_real(coo.data)
    rows, columns = np.asarray(coo.row), np.asarray(coo.col)
    if not np.isnan(missing_values):
        kept = values != missing_values
        rows, columns, values = rows[kept], columns[kept], values[kept]
    if not len(values):
        raise ValueError("X has no stored entries, so every rating is missing; give at least one")
    _refuse_outside(rows, columns, shape)
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(values, dtype=dtype)
    finite = np.isfinite(converted)
    if not finite.all():
        place = int(np.argmin(finite))
        remedy = "give finite numbers; in a sparse matrix an absent entry is a missing rating"
        if np.isfinite(values[place]):
            remedy = f"which is too large for {dtype}; give dtype=np.float64"
        raise ValueError(f"X[{rows[place]}, {columns[place]}] is {values[place]}; {remedy}")
    triples = Columns(_int32(rows), _int32(columns), converted, None, None)
    user_ids, item_ids = (IdMap.range(size) for size in shape)
    return compress(triples, user_ids, item_ids, "raise"), shape


def _refuse_damaged_starts(matrix: Any) -> None:
    """Check the starts of compressed rows: scipy follows wrong ones out of its memory."""
    if getattr(matrix, "format", None) not in ("csr", "csc"):
        return
    indptr, n_stored = np.asarray(matrix.indptr), len(matrix.data)
    n_rows = matrix.shape[matrix.format == "csc"]
    in_order = len(indptr) == n_rows + 1 and indptr[0] == 0 and (indptr[1:] >= indptr[:-1]).all()
    if not in_order or indptr[-1] > min(n_stored, len(matrix.indices)):
        raise ValueError(
            f"X has a damaged indptr; it must ascend from 0 to the {n_stored} stored entries"
        )


def _refuse_outside(rows: NDArray[Any], columns: NDArray[Any], shape: tuple[int, int]) -> None:
    """Check the indices too: scipy takes arrays that are wrong, or become so later, as they are."""
    for name, indices, size in (("row", rows, shape[0]), ("column", columns, shape[1])):
        if not 0 <= indices.min() <= indices.max() < size:
            place = int(((indices < 0) | (indices >= size)).argmax())
            raise ValueError(
                f"X has an entry in {name} {indices[place]}, outside its shape {shape}; build it "
                "anew from valid indices"
            )


def _int32(indices: NDArray[Any]) -> NDArray[np.int32]:
    return np.ascontiguousarray(indices, dtype=np.int32)
