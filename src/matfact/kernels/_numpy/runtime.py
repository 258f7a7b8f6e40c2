"""What the numpy kernels run on: the twin of the compiled runtime module, with fixed answers."""

from __future__ import annotations

__all__ = ["compiler", "has_openmp", "max_threads", "pause_threads", "simd_levels"]


def simd_levels() -> tuple[str, ...]:
    """Return the SIMD levels that this build holds and this machine can run, lowest first.

    None: numpy chooses its instructions itself.
    """
    return ()


def has_openmp() -> bool:
    """Return whether the kernels can use more than one thread."""
    return False


def max_threads() -> int:
    """Return the number of threads that OpenMP would use now; 1 without OpenMP."""
    return 1


def pause_threads() -> None:
    """Let OpenMP end its idle threads, as it must before the process forks."""


def compiler() -> str | None:
    """Return name and version of the C compiler, or None if nothing was compiled."""
    return None
