"""The error for what only the person at the command line can correct."""

from __future__ import annotations

from matfact.exceptions import MatfactError


class UsageError(MatfactError):
    """Arguments that cannot be obeyed; the message names the option and the remedy."""
