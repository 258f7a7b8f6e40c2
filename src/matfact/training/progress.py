"""Showing how far a training is: a tqdm bar where one makes sense, else a log line now and then."""

from __future__ import annotations

import logging
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Progress"]

SECONDS_BETWEEN_LINES = 2.0

_logger = logging.getLogger(__name__)


class Progress:
    """Show the progress of a training, as a context manager.

    With tqdm installed a bar is drawn on standard error; without, or where a bar would only fill a
    log file, a line goes to the logger ``matfact.training.progress`` (level INFO) every two
    seconds at most. Nothing is printed otherwise.

    Parameters
    ----------
    total : int
        Number of iterations planned; fewer may be done.
    description : str
        What is being done, shown at the left.
    verbose : bool or None, default=None
        True draws the bar wherever standard error goes; None only if it is a terminal; False
        shows nothing and logs nothing.

    Examples
    --------
    >>> with Progress(3, "training", verbose=False) as progress:
    ...     for iteration in range(3):
    ...         progress.advance("RMSE 0.91")
    """

    def __init__(self, total: int, description: str, *, verbose: bool | None = None) -> None:
        self._total = total
        self._description = description
        self._verbose = verbose
        self._done = 0
        self._bar: Any = None
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        """Draw an empty bar, if there is one."""
        bar_wanted = _stderr_is_terminal() if self._verbose is None else self._verbose
        bar_class = _bar_class() if bar_wanted else None
        if bar_class is not None:
            # leave=False: the caller's report says what the finished bar would.
            self._bar = bar_class(
                total=self._total, desc=self._description, unit="it", leave=False, file=sys.stderr
            )
        self._last_line = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the bar; exceptions pass."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def advance(self, figures: str = "") -> None:
        """Count one finished iteration.

        Parameters
        ----------
        figures : str, default=""
            What to show beside the count, such as ``"validation RMSE 0.9123"``.
        """
        self._done += 1
        if self._bar is not None:
            self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update()
        elif self._verbose is not False and self._line_is_due():
            separator = ", " if figures else ""
            _logger.info(
                "%s: iteration %d of %d%s%s",
                self._description,
                self._done,
                self._total,
                separator,
                figures,
            )

    def _line_is_due(self) -> bool:
        now = time.monotonic()
        if now - self._last_line < SECONDS_BETWEEN_LINES:
            return False
        self._last_line = now
        return True


def _stderr_is_terminal() -> bool:
    # Without a console, as under pythonw, sys.stderr is None.
    return sys.stderr is not None and sys.stderr.isatty()


def _bar_class() -> Any:
    """Return a tqdm class that starts no thread, or None without tqdm."""
    try:
        tqdm = import_module("tqdm").tqdm
    except ModuleNotFoundError:
        return None
    # tqdm's monitor thread would live on after the bar, and make a later fork unsafe.
    return type("Bar", (tqdm,), {"monitor_interval": 0})
