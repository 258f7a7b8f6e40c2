# length: one class, most of it documentation; checks and sorting are in _build.py and _matrix.py
"""Ratings: an immutable sparse matrix by users and by items, with the ids of both."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from matfact.kernels import csr
from matfact.ratings import _build, _export
from matfact.ratings._matrix import parts_of_matrix
from matfact.ratings.ids import IdMap

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from matfact.ratings._build import Duplicates, Parts

    Floats: TypeAlias = NDArray[np.floating[Any]]
    ByItems: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32], Floats, Floats | None]

__all__ = ["Ratings", "as_ratings"]


class Ratings:
    """Observed ratings of n_users x n_items, by users and by items. Immutable.

    Make one by `from_triples`, `from_frame`, `from_matrix` or `matfact.read_ratings`. An entry
    that is not stored is missing; a stored 0 is a rating of 0. All arrays are read-only. The arrays
    by items are built when they are first asked for, once, also if several threads ask.

    Attributes
    ----------
    user_indptr : ndarray of int64, shape (n_users + 1,)
        The ratings of user u are ``user_indptr[u]:user_indptr[u + 1]`` of the next arrays.
    user_indices : ndarray of int32, shape (n_ratings,)
        Items, ascending for each user.
    user_values : ndarray of float32 or float64, shape (n_ratings,)
        The ratings, finite.
    user_weights : ndarray of the same dtype, shape (n_ratings,), or None
        Weights of the ratings, at least 0.
    timestamps : ndarray of int64, float64 or datetime64, shape (n_ratings,), or None
        Times of the ratings, in the order of `user_values`.
    shape : (int, int)
        Numbers of users and of items, those without ratings included.
    user_ids, item_ids : IdMap
        Ids of the rows and of the columns.

    Notes
    -----
    Memory: 8 bytes a rating in float32, 12 in float64, twice that with the arrays by items, and
    8 for each user and item. Building takes O(n_ratings) time with the compiled kernels, and less
    than 48 bytes a rating besides the input.

    Examples
    --------
    >>> from matfact import Ratings
    >>> ratings = Ratings.from_triples(["ann", "bob", "bob"], [10, 10, 7], [4, 5, 3.5])
    >>> ratings
    <Ratings: 2 users x 2 items, 3 ratings, float32>
    >>> ratings.item_ids.ids
    array([ 7, 10])
    """

    __slots__ = (
        "_by_items",
        "_lock",
        "item_ids",
        "shape",
        "timestamps",
        "user_ids",
        "user_indices",
        "user_indptr",
        "user_values",
        "user_weights",
    )

    user_indptr: NDArray[np.int64]
    user_indices: NDArray[np.int32]
    user_values: Floats
    user_weights: Floats | None
    timestamps: NDArray[Any] | None
    shape: tuple[int, int]
    user_ids: IdMap
    item_ids: IdMap
    _by_items: ByItems | None
    _lock: Lock

    def __init__(self) -> None:
        raise TypeError(
            "Ratings is not called; use Ratings.from_triples, from_frame, from_matrix or "
            "matfact.read_ratings"
        )

    @classmethod
    def of_parts(
        cls, parts: Parts, user_ids: IdMap, item_ids: IdMap, by_items: ByItems | None = None
    ) -> Ratings:
        """Make ratings of arrays by users that are valid and nobody else's; nothing is checked.

        Parameters
        ----------
        parts : (indptr, indices, values, weights, timestamps)
            The arrays by users.
        user_ids, item_ids : IdMap
        by_items : (indptr, indices, values, weights), optional
            The arrays by items, if they exist.

        Returns
        -------
        Ratings
        """
        for array in (*parts, *(by_items or ())):
            if array is not None:
                array.flags.writeable = False
        indptr, indices, values, weights, timestamps = parts
        made = cls.__new__(cls)
        fields = {
            "user_indptr": indptr,
            "user_indices": indices,
            "user_values": values,
            "user_weights": weights,
            "timestamps": timestamps,
            "shape": (len(user_ids), len(item_ids)),
            "user_ids": user_ids,
            "item_ids": item_ids,
            "_by_items": by_items,
            "_lock": Lock(),
        }
        for name, value in fields.items():
            object.__setattr__(made, name, value)
        return made

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"Ratings are immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"Ratings are immutable: {name} cannot be deleted")

    def _parts(self) -> Parts:
        return _build.Parts(
            self.user_indptr,
            self.user_indices,
            self.user_values,
            self.user_weights,
            self.timestamps,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (tuple(self._parts()), self.user_ids, self.item_ids)

    def __repr__(self) -> str:
        """Shape, number of ratings, dtype, and what there is besides."""
        extras = [
            name
            for name, array in (("weights", self.user_weights), ("timestamps", self.timestamps))
            if array is not None
        ]
        return (
            f"<Ratings: {self.n_users} users x {self.n_items} items, {self.n_ratings} ratings, "
            f"{self.dtype}{''.join(f', with {name}' for name in extras)}>"
        )

    @classmethod
    def from_triples(
        cls,
        users: ArrayLike,
        items: ArrayLike,
        values: ArrayLike,
        *,
        shape: tuple[int, int] | None = None,
        user_ids: IdMap | ArrayLike | None = None,
        item_ids: IdMap | ArrayLike | None = None,
        weights: ArrayLike | None = None,
        timestamps: ArrayLike | None = None,
        duplicates: Duplicates = "raise",
        dtype: DTypeLike = np.float32,
    ) -> Ratings:
        """Build from one (user, item, value) for each rating, in any order.

        Parameters
        ----------
        users, items : array_like of shape (n_ratings,)
            Ids: integers, text or other hashable objects. With `shape`, positions from 0.
        values : array_like of real numbers, shape (n_ratings,)
            Of any real dtype; 0 is a rating like others.
        shape : (int, int), optional
            Numbers of users and of items. It makes `users` and `items` positions; rows and columns
            without ratings are fine.
        user_ids, item_ids : IdMap or array_like of distinct ids, optional
            The ids of all users or items in their order, such as those of other ratings. By
            default the ids that occur, ascending (in order of appearance if they cannot be
            compared).
        weights : array_like of shape (n_ratings,), optional
            Weights of the ratings, finite, at least 0.
        timestamps : array_like of numbers or datetime64, shape (n_ratings,), optional
            Times of the ratings.
        duplicates : {"raise", "last", "mean", "sum"}, default="raise"
            What becomes of pairs (user, item) that come more than once: an error; the last one;
            the mean, weighted if there are weights, which are added up; the sum. Mean and sum get
            the latest time.
        dtype : float32 or float64, default=float32
            Of the stored values.

        Returns
        -------
        Ratings

        Raises
        ------
        TypeError
            If values are not real numbers, ids boolean or not hashable, positions no integers.
        ValueError
            If lengths differ, there are no ratings, a value is not finite, an id is missing, a
            position out of range, or a pair repeated.
        UnknownIdError
            If an id is not in `user_ids` or `item_ids`.
        """
        real = _build.checked_dtype(dtype)
        _build.checked_duplicates(duplicates)
        numbers = _build.checked_values(values, "values", real)
        if shape is not None:
            if user_ids is not None or item_ids is not None:
                raise ValueError("shape makes users and items positions; leave out the ids or it")
            n_users, n_items = _build.checked_shape(shape)
            rows = _build.positions(users, "users", n_users, 0)
            columns = _build.positions(items, "items", n_items, 1)
            user_map, item_map = IdMap.range(n_users), IdMap.range(n_items)
        else:
            rows, user_map = _build.encode(users, "users", user_ids)
            columns, item_map = _build.encode(items, "items", item_ids)
        triples = _build.Columns(
            rows,
            columns,
            numbers,
            None if weights is None else _build.checked_weights(weights, real),
            None if timestamps is None else _build.checked_timestamps(timestamps),
        )
        parts = _build.compress(triples, user_map, item_map, duplicates)
        return cls.of_parts(parts, user_map, item_map)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        user: Any = "user",
        item: Any = "item",
        rating: Any = "rating",
        weight: Any = None,
        timestamp: Any = None,
        user_ids: IdMap | ArrayLike | None = None,
        item_ids: IdMap | ArrayLike | None = None,
        duplicates: Duplicates = "raise",
        dtype: DTypeLike = np.float32,
    ) -> Ratings:
        """Build from the columns of a table: pandas, polars, pyarrow, or a dict of arrays.

        Parameters
        ----------
        frame : DataFrame, Table or mapping
            Each column is read by ``np.asarray(frame[name])``; the index is not looked at.
        user, item, rating : hashable
            Names of the columns.
        weight, timestamp : hashable, optional
            Names of further columns.
        user_ids, item_ids, duplicates, dtype
            As in `from_triples`.

        Returns
        -------
        Ratings

        Raises
        ------
        ValueError
            If there is no column of a name, and as in `from_triples`.
        TypeError, UnknownIdError
            As in `from_triples`.

        Examples
        --------
        >>> from matfact import Ratings
        >>> table = {"user": ["ann", "bob"], "item": [7, 9], "rating": [4.0, 5.0]}
        >>> Ratings.from_frame(table)
        <Ratings: 2 users x 2 items, 2 ratings, float32>
        """
        column = _export.column_getter(frame)
        return cls.from_triples(
            column("user", user),
            column("item", item),
            column("rating", rating),
            user_ids=user_ids,
            item_ids=item_ids,
            weights=None if weight is None else column("weight", weight),
            timestamps=None if timestamp is None else column("timestamp", timestamp),
            duplicates=duplicates,
            dtype=dtype,
        )

    @classmethod
    def from_matrix(
        cls,
        X: Any,
        *,
        missing_values: float = np.nan,
        dtype: DTypeLike = np.float32,
    ) -> Ratings:
        """Build from a matrix, users x items; ids are the numbers of its rows and columns.

        Parameters
        ----------
        X : array_like or scipy.sparse matrix or array, shape (n_users, n_items)
            In a sparse one an absent entry is missing and a stored 0 is a rating of 0. In a masked
            array the masked cells are missing.
        missing_values : float, default=nan
            What stands for a missing rating in a dense array; such entries stored in a sparse
            one are missing too, but NaN stored there is an error.
        dtype : float32 or float64, default=float32
            Of the stored values.

        Returns
        -------
        Ratings

        Raises
        ------
        TypeError
            If X is not a matrix of real numbers.
        ValueError
            If X is not 2-d, has no rating, holds a number that is not finite, or, sparse, has an
            entry twice.
        """
        parts, (n_users, n_items) = parts_of_matrix(X, missing_values, _build.checked_dtype(dtype))
        return cls.of_parts(parts, IdMap.range(n_users), IdMap.range(n_items))

    @property
    def n_ratings(self) -> int:
        """Number of observed ratings."""
        return len(self.user_values)

    @property
    def n_users(self) -> int:
        """Number of users."""
        return self.shape[0]

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of values and weights: float32 or float64."""
        return self.user_values.dtype

    @property
    def mean(self) -> float:
        """Mean rating, computed in float64; weighted if there are weights."""
        if self.user_weights is None:
            return float(np.mean(self.user_values, dtype=np.float64))
        weights = self.user_weights.astype(np.float64)
        total = float(weights.sum())
        return float(self.user_values @ weights) / total if total > 0 else 0.0

    @property
    def users(self) -> NDArray[np.int32]:
        """User of each rating, in the order of `user_values`; computed at each call."""
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.user_indptr))

    @property
    def item_indptr(self) -> NDArray[np.int64]:
        """Starts of the items in the arrays by items, shape (n_items + 1,)."""
        return self._items()[0]

    @property
    def item_indices(self) -> NDArray[np.int32]:
        """Users, ascending for each item, shape (n_ratings,)."""
        return self._items()[1]

    @property
    def item_values(self) -> Floats:
        """Ratings by items, shape (n_ratings,)."""
        return self._items()[2]

    @property
    def item_weights(self) -> Floats | None:
        """Weights by items, shape (n_ratings,), or None."""
        return self._items()[3]

    def _items(self) -> ByItems:
        by_items = self._by_items
        if by_items is None:
            with self._lock:
                by_items = self._by_items
                if by_items is None:
                    by_items = self._sorted_by_items()
                    object.__setattr__(self, "_by_items", by_items)
        return by_items

    def _sorted_by_items(self) -> ByItems:
        indptr, indices, order = csr.transpose(self.user_indptr, self.user_indices, self.n_items)
        values = self.user_values[order]
        weights = None if self.user_weights is None else self.user_weights[order]
        for array in (indptr, indices, values, weights):
            if array is not None:
                array.flags.writeable = False
        return indptr, indices, values, weights

    def transpose(self) -> Ratings:
        """Return the ratings with users and items exchanged.

        Returns
        -------
        Ratings
            Shares its arrays with this one.
        """
        timestamps = self.timestamps
        if timestamps is not None:
            order = csr.transpose(self.user_indptr, self.user_indices, self.n_items)[2]
            timestamps = timestamps[order]
        by_users = (self.user_indptr, self.user_indices, self.user_values, self.user_weights)
        parts = _build.Parts(*self._items(), timestamps)
        return Ratings.of_parts(parts, self.item_ids, self.user_ids, by_users)

    def select(self, which: ArrayLike) -> Ratings:
        """Return some of the ratings, with the same shape and ids.

        Parameters
        ----------
        which : array_like of bool, shape (n_ratings,), or of int
            A mask, or distinct positions in any order, in the order of `user_values`.

        Returns
        -------
        Ratings

        Raises
        ------
        TypeError
            If `which` is neither boolean nor integer.
        ValueError
            If the mask has another length, a position comes twice, or nothing is selected.
        IndexError
            If a position is out of range; negative ones are.
        """
        mask = _export.selection(which, self.n_ratings)
        n_before = np.zeros(self.n_ratings + 1, dtype=np.int64)
        np.cumsum(mask, out=n_before[1:])
        parts = _build.Parts(
            n_before[self.user_indptr],
            self.user_indices[mask],
            self.user_values[mask],
            None if self.user_weights is None else self.user_weights[mask],
            None if self.timestamps is None else self.timestamps[mask],
        )
        return Ratings.of_parts(parts, self.user_ids, self.item_ids)

    def with_ids(self, user_ids: IdMap, item_ids: IdMap) -> Ratings:
        """Return the same ratings under other ids.

        Parameters
        ----------
        user_ids, item_ids : IdMap
            One id for each user and each item.

        Returns
        -------
        Ratings
            Shares its arrays with this one.

        Raises
        ------
        ValueError
            If the number of ids is another one.
        """
        if (len(user_ids), len(item_ids)) != self.shape:
            raise ValueError(
                f"there are {len(user_ids)} user_ids and {len(item_ids)} item_ids for ratings of "
                f"{self.n_users} x {self.n_items}; give one id for each"
            )
        return Ratings.of_parts(self._parts(), user_ids, item_ids, self._by_items)

    def astype(self, dtype: DTypeLike) -> Ratings:
        """Return the ratings in another precision.

        Parameters
        ----------
        dtype : float32 or float64

        Returns
        -------
        Ratings
            This one if the dtype is its own; else one that shares the indices.

        Raises
        ------
        TypeError
            If `dtype` is another one.
        ValueError
            If a rating is too large for float32.
        """
        real = _build.checked_dtype(dtype)
        if real == self.dtype:
            return self
        values = _build.checked_values(self.user_values, "user_values", real)
        weights = self.user_weights
        if weights is not None:
            weights = _build.checked_weights(weights, real)
        parts = self._parts()._replace(values=values, weights=weights)
        return Ratings.of_parts(parts, self.user_ids, self.item_ids)

    def to_triples(self) -> tuple[NDArray[Any], NDArray[Any], Floats]:
        """Return users, items (their ids) and values, sorted by user, then by item.

        Returns
        -------
        users, items : ndarray of shape (n_ratings,)
        values : ndarray of float32 or float64, shape (n_ratings,), read-only
        """
        users = self.user_ids.ids_of(self.users)
        return users, self.item_ids.ids_of(self.user_indices), self.user_values

    def to_scipy(self, format: str = "csr") -> Any:  # noqa: A002 (scipy's name for it)
        """Return a scipy.sparse array, with stored zeros where a rating is 0. Needs scipy.

        Parameters
        ----------
        format : {"csr", "csc", "coo"}, default="csr"

        Returns
        -------
        scipy.sparse.csr_array, csc_array or coo_array
            Of positions, not ids; a copy.

        Raises
        ------
        ImportError
            If scipy is not installed.
        ValueError
            If `format` is another one.
        """
        return _export.to_scipy(self, format)

    def to_frame(self, *, user: str = "user", item: str = "item", rating: str = "rating") -> Any:
        """Return a pandas DataFrame with a row for each rating. Needs pandas.

        Without pandas, `to_triples` has the same columns as arrays.

        Parameters
        ----------
        user, item, rating : str
            Names of the columns; there are further ones ``weight`` and ``timestamp`` if these
            exist.

        Returns
        -------
        pandas.DataFrame
            Ids, sorted by user, then by item.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return _export.to_frame(self, user, item, rating)


def _rebuilt(parts: tuple[Any, ...], user_ids: IdMap, item_ids: IdMap) -> Ratings:
    return Ratings.of_parts(_build.Parts(*parts), user_ids, item_ids)


def as_ratings(
    X: Any,
    *,
    missing_values: float = np.nan,
    dtype: DTypeLike | None = None,
) -> Ratings:
    """Return `X` as ratings: `Ratings` as they are, anything else by `Ratings.from_matrix`.

    Parameters
    ----------
    X : Ratings, array_like or scipy.sparse matrix
        Users x items.
    missing_values : float, default=nan
        What stands for a missing rating; see `Ratings.from_matrix`.
    dtype : float32, float64 or None, default=None
        Of the values; None leaves ratings as they are and makes float32 of a matrix.

    Returns
    -------
    Ratings

    Raises
    ------
    TypeError
        If X is something else, such as a table with a row for each rating.
    ValueError
        As in `Ratings.from_matrix`.
    """
    if isinstance(X, Ratings):
        return X if dtype is None else X.astype(dtype)
    real = np.float32 if dtype is None else dtype
    return Ratings.from_matrix(X, missing_values=missing_values, dtype=real)
