"""``python -m matfact info``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matfact.kernels import backend_info

if TYPE_CHECKING:
    import argparse

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> None:  # noqa: ARG001 - every command takes them
    """Print which backend is in use and why, SIMD level, threads and versions."""
    print(backend_info())
