"""How many threads a kernel uses.

The rule, from strong to weak: the ``n_threads`` argument of the call; the innermost
``with matfact.threads(n)``; what OpenMP answers when the kernel starts, which honours
``OMP_NUM_THREADS``, CPU affinity and the limits that joblib sets in its workers. Nothing is
remembered between calls.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from matfact._validation import check_integer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

MAX_THREADS = 1024
"""Where OpenMP cannot start a thread it ends the process, so absurd numbers are refused."""

OPENMP_DECIDES = 0
"""The value with which a kernel is told to ask OpenMP."""

_context_n_threads: ContextVar[int] = ContextVar("matfact_n_threads", default=OPENMP_DECIDES)


def threads(n_threads: int) -> AbstractContextManager[None]:
    """Set the number of threads for all matfact calls inside a ``with`` block.

    The setting belongs to the current thread (or asyncio task) and is undone when the block ends.
    An explicit ``n_threads`` argument is stronger. Results do not depend on it, to the last bit.

    Parameters
    ----------
    n_threads : int
        Number of threads, from 1 to 1024.

    Returns
    -------
    context manager
        Its ``as`` target is None.

    Raises
    ------
    TypeError
        If `n_threads` is not an integer.
    ValueError
        If `n_threads` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import matfact
    >>> model = matfact.matrix_factorization(np.ones((3, 2)), 1, random_state=0, verbose=False)
    >>> with matfact.threads(1):
    ...     model.train_model(iterations=10)
    """
    return _limited(_checked_n_threads(n_threads))


@contextmanager
def _limited(n_threads: int) -> Iterator[None]:
    token = _context_n_threads.set(n_threads)
    try:
        yield
    finally:
        _context_n_threads.reset(token)


def resolve_n_threads(n_threads: int | None) -> int:
    """Apply the thread rule to the argument of a call.

    Parameters
    ----------
    n_threads : int or None
        The argument as the user gave it; None if not given.

    Returns
    -------
    int
        The number for the kernel; 0 tells it to ask OpenMP when it starts.

    Raises
    ------
    TypeError
        If `n_threads` is neither None nor an integer.
    ValueError
        If `n_threads` is out of range.
    """
    if n_threads is None:
        return _context_n_threads.get()
    return _checked_n_threads(n_threads)


def _checked_n_threads(n_threads: object) -> int:
    number = check_integer(n_threads, "n_threads", minimum=1)
    if number > MAX_THREADS:
        raise ValueError(f"n_threads is {number}; give an integer of at most {MAX_THREADS}")
    return number
