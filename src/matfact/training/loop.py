# length: most of it is documentation
"""The outer loop of every estimator: epochs, their record, and the four ways in which it ends.

A training ends after `max_epochs`; when the objective (or, with a validation part, its error) no
longer improves; when a callback returns True; or by an exception. In each case the arrays of the
model hold a state that was reached between two epochs, never one from within.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from matfact.exceptions import DivergenceError
from matfact.training.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from matfact.training.history import History, Record

__all__ = ["BestState", "StoppingRule", "Trainable", "TrainingState", "train"]


@dataclass(frozen=True, slots=True)
class BestState:
    """The lowest validation error of a training, and the arrays that gave it.

    Attributes
    ----------
    epoch : int
    error : float
    arrays : dict of str to ndarray
        Copies.
    """

    epoch: int
    error: float
    arrays: dict[str, NDArray[Any]]


class Trainable(Protocol):
    """What a solver offers to the loop.

    Parameters
    ----------
    *args, **kwargs : object
        A protocol is not called.

    Attributes
    ----------
    arrays : mapping of str to ndarray
        Everything that an epoch changes, by name; changed in place.
    best : BestState or None
        The state with the lowest validation error; set by `train`, and left by one that was cut
        short, so that another can go on as if nothing had happened.
    """

    @property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """What an epoch changes."""

    best: BestState | None

    def epoch(self, number: int) -> float:
        """Run an epoch.

        Parameters
        ----------
        number : int
            Its number, from 1.

        Returns
        -------
        float
            The training objective after it; NaN if training diverged.
        """

    def remedy(self) -> str:
        """Tell what to change when training diverges.

        Returns
        -------
        str
            The part of a sentence.
        """


@dataclass(frozen=True, slots=True)
class TrainingState:
    """What a callback is called with, after each epoch.

    Attributes
    ----------
    epoch : int
        Number of finished epochs.
    record : Record
        Objective, validation error and seconds after it.
    history : History
        All epochs so far.
    arrays : mapping of str to ndarray
        The factors, biases and whatever else the solver updates, as they stand: to be read, and
        to be copied if they are to be kept.
    """

    epoch: int
    record: Record
    history: History
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """When a training has had enough.

    Attributes
    ----------
    max_epochs : int
        Epochs of this training at most.
    tol : float
        Relative improvement that counts as one: an epoch improves if it lowers the lowest value so
        far by more than `tol` times that value.
    patience : int
        Epochs in a row without improvement after which training stops, if there is a validation
        part. Without one a single epoch suffices, as training objectives do not rest; and with
        ``tol=0`` training then goes on to `max_epochs`.
    warm_up : int, default=0
        First epochs, which do not count for `patience`; one of them may still be the best.
    may_settle_after : int, default=0
        First epochs, after which `tol` does not end a training without a validation part.
    """

    max_epochs: int
    tol: float
    patience: int
    warm_up: int = 0
    may_settle_after: int = 0


def train(
    solver: Trainable,
    history: History,
    rule: StoppingRule,
    *,
    validation_error: Callable[[], float] | None = None,
    callbacks: Sequence[Callable[[TrainingState], object]] = (),
    verbose: bool = False,
    description: str = "training",
) -> int:
    """Run epochs until the rule, a callback or an exception ends it.

    Parameters
    ----------
    solver : Trainable
        Its arrays are the start, and at the end the result: the epoch with the lowest validation
        error if there is a validation part, else the last one.
    history : History
        Epochs are appended to it; it may hold those of an earlier training, which then count for
        the rule.
    rule : StoppingRule
        When to stop.
    validation_error : callable, optional
        Gives the error of the arrays as they stand.
    callbacks : sequence of callables, default=()
        Each is called with a `TrainingState` after each epoch; a True result stops the training.
    verbose : bool, default=False
        Whether to show a progress bar, or to log where there is no tqdm.
    description : str, default="training"
        Shown with the progress.

    Returns
    -------
    int
        Number of the epoch whose state the arrays hold.

    Raises
    ------
    DivergenceError
        If a value is not finite; the arrays are those of the last epoch in which all were.

    Notes
    -----
    Keeps one copy of the solver's arrays, two with a validation part. An exception of a callback or
    of the user (Ctrl-C) leaves the last finished epoch.
    """
    watch = _Watch(solver, history, rule, validation_error)
    started = time.perf_counter() - (history[-1].seconds if len(history) else 0.0)
    number = history[-1].iteration if len(history) else 0
    last = number + rule.max_epochs
    is_enough = watch.resumes and watch.is_enough()
    with Progress(rule.max_epochs, description, verbose=verbose) as progress:
        while number < last and not is_enough:
            number += 1
            objective = _guarded_epoch(solver, watch, number)
            error = math.nan if validation_error is None else validation_error()
            history.record(
                number,
                objective=objective,
                seconds=time.perf_counter() - started,
                validation=error,
            )
            progress.advance(_figures(objective, error))
            is_enough = watch.is_enough()
            state = TrainingState(number, history[-1], history, solver.arrays)
            for callback in callbacks:  # all of them see the epoch, also when the first one stops
                is_enough |= callback(state) is True
    return watch.finish()


def _guarded_epoch(solver: Trainable, watch: _Watch, number: int) -> float:
    """Run an epoch; if it fails in any way, put the arrays back as they were before."""
    watch.keep_last()
    try:
        objective = solver.epoch(number)
        _refuse_divergence(solver, objective, number)
    except BaseException:
        watch.restore_last()
        raise
    return objective


def _refuse_divergence(solver: Trainable, objective: float, number: int) -> None:
    if math.isfinite(objective) and all(map(_is_finite, solver.arrays.values())):
        return
    raise DivergenceError(
        f"training diverged in epoch {number}: a value is not finite; {solver.remedy()}. The "
        "factors of the epoch before are kept",
        number,
        getattr(solver, "learning_rate", None),
    )


class _Watch:
    """The states of the arrays that may be needed again, and the improvement so far."""

    def __init__(
        self,
        solver: Trainable,
        history: History,
        rule: StoppingRule,
        validation_error: Callable[[], float] | None,
    ) -> None:
        self._solver = solver
        self._history = history
        self._rule = rule
        self._uses_validation = validation_error is not None
        self._last = _copy(solver.arrays)
        if validation_error is None:
            solver.best = None
        self.resumes = solver.best is not None
        # Of a training that goes on where one was cut short, all records count for the rule.
        self._first_record = 0 if self.resumes else len(history)
        self._to_improve_on = math.inf
        if validation_error is not None and not self.resumes and len(history):
            self._to_improve_on = validation_error()  # of the start
            self._keep_best(history[-1].iteration, self._to_improve_on)

    def keep_last(self) -> None:
        _copy_into(self._last, self._solver.arrays)

    def restore_last(self) -> None:
        _copy_into(self._solver.arrays, self._last)

    def is_enough(self) -> bool:
        """Look at the newest record: keep it if it is the best, and tell whether to stop."""
        if not self._uses_validation:
            return self._has_settled()
        newest, best = self._history[-1], self._solver.best
        if best is None or newest.validation < best.error:
            self._keep_best(newest.iteration, newest.validation)
        return self._epochs_without_improvement() >= self._rule.patience

    def finish(self) -> int:
        """Restore the best state, if one was kept; return the number of its epoch."""
        best, self._solver.best = self._solver.best, None
        if best is None:
            return self._history[-1].iteration
        _copy_into(self._solver.arrays, best.arrays)
        return best.epoch

    def _keep_best(self, epoch: int, error: float) -> None:
        best = self._solver.best
        arrays = _copy(self._solver.arrays) if best is None else best.arrays
        _copy_into(arrays, self._solver.arrays)
        self._solver.best = BestState(epoch, error, arrays)

    def _epochs_without_improvement(self) -> int:
        """Count the newest epochs none of which improved on the lowest error before it."""
        lowest, count = self._to_improve_on, 0
        for record in self._history[self._first_record :]:
            if record.iteration <= self._rule.warm_up:
                continue
            if lowest == math.inf or record.validation < lowest - self._rule.tol * abs(lowest):
                lowest, count = record.validation, 0
            else:
                count += 1
        return count

    def _has_settled(self) -> bool:
        if self._rule.tol == 0 or len(self._history) < 2:
            return False
        if self._history[-1].iteration <= self._rule.may_settle_after:
            return False
        before, now = self._history[-2].objective, self._history[-1].objective
        return before - now <= self._rule.tol * abs(before)


def _figures(objective: float, error: float) -> str:
    validation = "" if math.isnan(error) else f", validation {error:.4f}"
    return f"objective {objective:.6g}{validation}"


def _is_finite(array: NDArray[Any]) -> bool:
    # One pass without an array of booleans. A sum of finite values that overflows has diverged too.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum(dtype=np.float64)))


def _copy(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: array.copy() for name, array in arrays.items()}


def _copy_into(target: Mapping[str, NDArray[Any]], source: Mapping[str, NDArray[Any]]) -> None:
    for name, array in source.items():
        np.copyto(target[name], array)
