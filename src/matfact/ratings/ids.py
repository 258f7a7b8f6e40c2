# length: one class, a third of it documentation
"""The map between ids (names of users or of items) and positions (rows of factors)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from matfact._validation import check_integer
from matfact.exceptions import UnknownIdError
from matfact.ratings._factorize import distinct_ids, factorize, id_array

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

__all__ = ["IdMap"]

N_NAMED = 5
"""Ids that a message shows."""


class IdMap:
    """Distinct ids in a fixed order, each with its position. Immutable.

    Parameters
    ----------
    ids : array_like of shape (n,)
        Integers, text, or other hashable objects, each one once. Copied. The order is kept.

    Raises
    ------
    TypeError
        If ids are boolean, complex or not hashable.
    ValueError
        If an id appears twice or is missing (None, NaN).

    Examples
    --------
    >>> from matfact.ratings import IdMap
    >>> names = IdMap(["ann", "bob", "eve"])
    >>> names.positions(["eve", "ann"], name="users")
    array([2, 0])
    >>> names.extend(["dan"])
    <IdMap: 4 ids, ann ... dan>
    """

    __slots__ = ("_ids", "_lookup", "_size")

    _ids: NDArray[Any] | None  # None: the positions are the ids
    _lookup: Callable[[NDArray[Any]], NDArray[np.int64]] | None
    _size: int

    def __init__(self, ids: ArrayLike) -> None:
        array = id_array(ids, "ids")
        codes, found = factorize(array, "ids")
        if len(found) != len(array):
            # The first position that repeats an id: the codes seen up to there are fewer.
            order = np.argsort(codes, kind="stable")
            again = order[1:][codes[order[1:]] == codes[order[:-1]]]
            place = int(again.min())
            (repeated,) = array[place : place + 1].tolist()
            raise ValueError(f"ids[{place}] is {repeated!r}, which came before; give it once")
        is_of_variable_width = array.dtype.kind == "T"
        self._set(distinct_ids(array.astype(object) if is_of_variable_width else array.copy()))

    def _set(self, ids: NDArray[Any] | None, size: int = 0) -> None:
        if ids is not None:
            ids.flags.writeable = False
            size = len(ids)
        for name, value in (("_ids", ids), ("_lookup", None), ("_size", size)):
            object.__setattr__(self, name, value)

    @classmethod
    def trusted(cls, ids: NDArray[Any]) -> IdMap:
        """Make a map of an array without looking at it.

        Parameters
        ----------
        ids : ndarray of shape (n,)
            Distinct ids, an array that nobody else changes.

        Returns
        -------
        IdMap
        """
        made = cls.__new__(cls)
        made._set(ids)  # noqa: SLF001 (its own)
        return made

    @classmethod
    def range(cls, n: int) -> IdMap:
        """Make the map of 0 .. n - 1, whose ids are the positions themselves.

        Parameters
        ----------
        n : int
            At least 0.

        Returns
        -------
        IdMap
        """
        made = cls.__new__(cls)
        made._set(None, check_integer(n, "n", minimum=0))  # noqa: SLF001 (its own)
        return made

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an IdMap is immutable: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an IdMap is immutable: {name} cannot be deleted")

    def __reduce__(self) -> tuple[Any, ...]:
        if self._ids is None:
            return IdMap.range, (self._size,)
        return IdMap.trusted, (np.array(self._ids),)

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IdMap):
            return NotImplemented
        if self is other:
            return True
        if len(self) != len(other):
            return False
        if self._ids is None and other._ids is None:
            return True
        if (self.ids.dtype.kind in "iuf") != (other.ids.dtype.kind in "iuf"):
            return False
        return bool(np.array_equal(self.ids, other.ids))

    def __hash__(self) -> int:
        return hash((IdMap, self._size))

    def __repr__(self) -> str:
        """Show the number of ids, the first and the last."""
        if not self._size:
            return "<IdMap: 0 ids>"
        first, last = self.ids_of([0, self._size - 1])
        return f"<IdMap: {self._size} ids, {first} ... {last}>"

    @property
    def is_range(self) -> bool:
        """Whether the ids are the positions themselves, by `range`."""
        return self._ids is None

    @property
    def ids(self) -> NDArray[Any]:
        """The ids by position, read-only: int64, text of fixed width, or objects."""
        if self._ids is None:
            ids = np.arange(self._size)
            ids.flags.writeable = False
            return ids
        return self._ids

    def positions(
        self, ids: object, *, name: str = "ids", unknown: Literal["raise", "ignore"] = "raise"
    ) -> NDArray[np.int64]:
        """Look up the positions of ids.

        Parameters
        ----------
        ids : array_like or a single id
            An id must be of the kind that the map has: ``"7"`` is not ``7``.
        name : str, default="ids"
            What the caller calls them, for messages.
        unknown : {"raise", "ignore"}, default="raise"
            Whether an id that is not in the map raises or gets the position -1.

        Returns
        -------
        ndarray of int64
            Of the shape of `ids`: () for a single one.

        Raises
        ------
        UnknownIdError
            If an id is not in the map; the message names the first such ids and their number.
        TypeError
            If ids are boolean or complex.
        ValueError
            If `unknown` is something else, or an id is missing (None, NaN).
        """
        if unknown not in ("raise", "ignore"):
            raise ValueError(f"unknown is {unknown!r}; give 'raise' or 'ignore'")
        is_single = np.ndim(ids) == 0 and not hasattr(ids, "__len__")  # type: ignore[arg-type]
        if is_single or isinstance(ids, str | bytes | tuple):
            single = isinstance(ids, str | bytes) or is_single
            array = id_array([ids] if single else list(ids), name)  # type: ignore[call-overload]
        else:
            single, array = False, id_array(ids, name)
        found = self._positions_of(array, name)
        if unknown == "raise" and found.size and found.min() < 0:
            self._refuse(array, found, name)
        return found.reshape(()) if single else found

    def _positions_of(self, array: NDArray[Any], name: str) -> NDArray[np.int64]:
        if self._ids is None and array.dtype.kind in "iu":
            outside = (array < 0) | (array >= self._size)
            return np.where(outside, -1, array).astype(np.int64, copy=False)
        if self._lookup is None:
            # Built by the first call; should two threads build it, either one does.
            object.__setattr__(self, "_lookup", _lookup_in(self.ids))
        assert self._lookup is not None  # noqa: S101 (for mypy)
        codes, distinct = factorize(array, name)
        return self._lookup(distinct)[codes]

    def _refuse(self, array: NDArray[Any], found: NDArray[np.int64], name: str) -> NoReturn:
        unknown = array[found < 0]
        named = list(dict.fromkeys(unknown[: 100 * N_NAMED].tolist()))
        shown = ", ".join(map(repr, named[:N_NAMED])) + ", ..." * (len(named) > N_NAMED)
        if self._ids is None:
            known = f"known are the positions 0 to {self._size - 1}"
        elif not self._size:
            known = "no id is known"
        else:
            first, last = self.ids_of([0, self._size - 1]).tolist()
            known = f"the {self._size} known ones go from {first!r} to {last!r}"
        place = int((found < 0).argmax())
        raise UnknownIdError(
            f"{name} has {len(unknown)} unknown id{'s' * (len(unknown) != 1)}: {shown} (the first "
            f"at {name}[{place}]); {known}"
        )

    def ids_of(self, positions: ArrayLike) -> NDArray[Any]:
        """Return the ids at positions.

        Parameters
        ----------
        positions : array_like of int
            From 0 to ``len(self) - 1``.

        Returns
        -------
        ndarray
            Of the shape of `positions`.

        Raises
        ------
        IndexError
            If a position is out of range; negative ones are.
        TypeError
            If positions are not integers.
        """
        array = np.asarray(positions)
        if array.dtype.kind not in "iu":
            if array.size:
                raise TypeError(f"positions have dtype {array.dtype}; give integers")
            array = np.zeros(array.shape, dtype=np.int64)
        outside = (array < 0) | (array >= self._size)
        if outside.any():
            bad = array[outside].flat[0]
            raise IndexError(f"position {bad} is out of range; there are {self._size} ids")
        if self._ids is None:
            return array.astype(np.int64)
        picked: NDArray[Any] = np.asarray(self._ids[array])
        return picked

    def extend(self, new_ids: ArrayLike) -> IdMap:
        """Return a map with further ids behind the present ones.

        Parameters
        ----------
        new_ids : array_like of shape (n_new,)

        Returns
        -------
        IdMap

        Raises
        ------
        ValueError
            If an id is in the map already or appears twice.
        TypeError
            If the ids are of another kind than those of the map, such as text beside integers.
        """
        new = IdMap(new_ids)
        known = self.positions(new.ids, name="new_ids", unknown="ignore")
        if (known >= 0).any():
            place = int((known >= 0).argmax())
            raise ValueError(
                f"new_ids[{place}] is {new.ids[place : place + 1].tolist()[0]!r}, which is known "
                f"already, at position {known[place]}; give new ids only"
            )
        if not len(new):
            return self
        if self._ids is None and np.array_equal(new.ids, np.arange(len(new)) + self._size):
            return IdMap.range(self._size + len(new))
        kinds = self.ids.dtype.kind, new.ids.dtype.kind
        if (
            self._size
            and kinds[0] != kinds[1]
            and not {*kinds} & {"O"}
            and not {*kinds} <= {*"iuf"}
        ):
            raise TypeError(
                f"new_ids have dtype {new.ids.dtype}, the known ones {self.ids.dtype}; give ids of "
                "the same kind"
            )
        joined = self.ids.tolist() + new.ids.tolist() if "O" in kinds else None
        if joined is None:
            both = np.concatenate([self.ids, new.ids]) if self._size else np.array(new.ids)
            return IdMap.trusted(both)
        objects = np.empty(len(joined), dtype=object)
        objects[:] = joined
        return IdMap.trusted(objects)


def _lookup_in(ids: NDArray[Any]) -> Callable[[NDArray[Any]], NDArray[np.int64]]:
    """Make a function from distinct ids to their positions, -1 for unknown ones."""
    if ids.dtype.kind in "iu":
        order = np.argsort(ids, kind="stable")
        in_order = ids[order]
    else:
        order = in_order = np.empty(0, dtype=np.int64)
    tables: list[dict[object, int]] = []

    def by_order(wanted: NDArray[Any]) -> NDArray[np.int64]:
        places = np.searchsorted(in_order, wanted)
        places[places == len(in_order)] = 0
        return np.where(in_order[places] == wanted, order[places], -1)

    def by_table(wanted: NDArray[Any]) -> NDArray[np.int64]:
        if not tables:  # appended when it is complete, as several threads may be here
            tables.append(dict(zip(_objects(ids), range(len(ids)), strict=True)))
        get = tables[0].get
        return np.array([get(one, -1) for one in _objects(wanted)], dtype=np.int64)

    def look_up(wanted: NDArray[Any]) -> NDArray[np.int64]:
        if len(in_order) and wanted.dtype == ids.dtype:
            return by_order(wanted)
        return by_table(wanted)

    return look_up


def _objects(array: NDArray[Any]) -> list[object]:
    """Return hashable Python objects; dates as numpy's, which keep their meaning."""
    return list(array) if array.dtype.kind in "mM" else list(array.tolist())
