"""The command line: ``python -m matfact demo``, ``fit`` and ``info``."""

from matfact.cli._main import main

__all__ = ["main"]
