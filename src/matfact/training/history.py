"""The record of a training: what was measured, after which iteration, and when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["History", "Record"]


@dataclass(frozen=True, slots=True)
class Record:
    """One check of the progress of a training.

    Parameters
    ----------
    iteration : int
        Number of finished iterations, from 1.
    objective : float
        Training objective after them.
    seconds : float
        Time since the training began.
    validation : float, default=nan
        Metric on a validation part; NaN if there is none.
    """

    iteration: int
    objective: float
    seconds: float
    validation: float = math.nan


class History(Sequence[Record]):
    """The checks of a training in order; a sequence of `Record` with its columns as arrays.

    Parameters
    ----------
    records : iterable of Record, default=()

    Examples
    --------
    >>> from matfact.training import History
    >>> history = History()
    >>> history.record(1, objective=9.5, seconds=0.25)
    >>> history.record(51, objective=2.0, seconds=0.5)
    >>> history.objectives
    array([9.5, 2. ])
    >>> history[-1].iteration
    51
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._records = list(records)

    def record(
        self, iteration: int, *, objective: float, seconds: float, validation: float = math.nan
    ) -> None:
        """Append one check.

        Parameters
        ----------
        iteration : int
            Number of finished iterations, from 1.
        objective : float
            Training objective after them.
        seconds : float
            Time since the training began.
        validation : float, default=nan
            Metric on a validation part; NaN if there is none.
        """
        self._records.append(Record(iteration, objective, seconds, validation))

    @property
    def iterations(self) -> NDArray[np.int64]:
        """Iterations of the checks, shape (n_checks,)."""
        return np.array([record.iteration for record in self._records], dtype=np.int64)

    @property
    def objectives(self) -> NDArray[np.float64]:
        """Training objectives, shape (n_checks,)."""
        return self._column("objective")

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Seconds since the training began, shape (n_checks,)."""
        return self._column("seconds")

    @property
    def validations(self) -> NDArray[np.float64]:
        """Validation metrics, shape (n_checks,); NaN where there was none."""
        return self._column("validation")

    def _column(self, name: str) -> NDArray[np.float64]:
        return np.array([getattr(record, name) for record in self._records], dtype=np.float64)

    def __len__(self) -> int:
        """Return the number of checks."""
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...
    def __getitem__(self, index: Any) -> Any:
        """Return one record, or a history of some."""
        chosen = self._records[index]
        return History(chosen) if isinstance(index, slice) else chosen

    def __repr__(self) -> str:
        """Show the number of checks and the last one."""
        last = f", last {self._records[-1]}" if self._records else ""
        return f"<History: {len(self)} checks{last}>"
