"""The command line: ``python -m matfact fit``, ``predict`` and others; see ``--help``."""

from matfact.cli._main import main

__all__ = ["main"]
