"""Every exception that matfact raises beyond the built-in ones.

A plain bad argument raises ``ValueError``, ``TypeError`` or ``IndexError``. The classes here are
for conditions that a caller may want to catch by name; all of them derive from `MatfactError` and
from the built-in exception that fits best, so that code which knows only the latter works too.
"""

from __future__ import annotations

__all__ = [
    "BackendError",
    "DivergenceError",
    "MatfactError",
    "ModelFileError",
    "NotFittedError",
    "RatingsFileError",
    "SampledMetricWarning",
    "UnknownIdError",
]


class MatfactError(Exception):
    """Base class of the exceptions defined by matfact."""


class DivergenceError(MatfactError, ArithmeticError):
    """Training produced a value that is not finite.

    The model keeps the factors of the last epoch in which everything was finite.

    Parameters
    ----------
    message : str
        What happened and what to change.
    epoch : int
        Number of the epoch (counted from 1) in which the first such value appeared.
    learning_rate : float or None, default=None
        The learning rate in use, if the solver has one.
    """

    def __init__(self, message: str, epoch: int, learning_rate: float | None = None) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.learning_rate = learning_rate

    def __reduce__(self) -> tuple[type[DivergenceError], tuple[str, int, float | None]]:
        # The default would call the class with the message alone, and so lose the exception on
        # its way out of a worker process.
        return type(self), (str(self), self.epoch, self.learning_rate)


class NotFittedError(MatfactError, ValueError, AttributeError):
    """A method that needs a fitted model was called before ``fit``."""


class UnknownIdError(MatfactError, KeyError):
    """An id (a user's or an item's name) that the model has not seen."""

    # KeyError shows the repr of its argument, which is meant for a bare key, not for a sentence.
    __str__ = Exception.__str__


class ModelFileError(MatfactError, ValueError):
    """A model file that is not one, is damaged, or has a format this version cannot read."""


class RatingsFileError(MatfactError, ValueError):
    """A ratings file that cannot be read; the message names the file, the line and the remedy."""


class BackendError(MatfactError, ImportError):
    """The kernels that were asked for cannot be used on this machine or in this installation."""


class SampledMetricWarning(UserWarning):
    """A ranking metric was computed among sampled items only."""
