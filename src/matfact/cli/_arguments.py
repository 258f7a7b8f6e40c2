"""The kinds of values that options take, each refused with its limits."""

from __future__ import annotations

import argparse
import math

from matfact._random import MAX_SEED
from matfact._threads import MAX_THREADS

__all__ = [
    "DELIMITERS",
    "column",
    "not_negative_number",
    "positive_integer",
    "positive_number",
    "seed",
    "share",
    "thread_count",
]

DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";", "colons": "::"}


def positive_integer(text: str) -> int:
    """Parse a count."""
    return _integer(text, 1)


def seed(text: str) -> int:
    """Parse a seed."""
    return _integer(text, 0, MAX_SEED)


def thread_count(text: str) -> int:
    """Parse a number of threads."""
    return _integer(text, 1, MAX_THREADS)


def positive_number(text: str) -> float:
    """Parse a learning rate."""
    number = _number(text)
    if not 0.0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number above 0")
    return number


def not_negative_number(text: str) -> float:
    """Parse a regularization."""
    number = _number(text)
    if not 0.0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number of at least 0")
    return number


def share(text: str) -> float:
    """Parse a share of the ratings."""
    number = _number(text)
    if not 0.0 <= number < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share, 0 <= SHARE < 1")
    return number


def column(text: str) -> str | int:
    """Parse a column: the name in the header, or digits for its position."""
    return int(text) if text.isascii() and text.isdigit() else text


def _integer(text: str, lowest: int, highest: int | None = None) -> int:
    limits = f"from {lowest} to {highest}" if highest is not None else f"of at least {lowest}"
    try:
        number = int(text)
    except ValueError:
        number = lowest - 1
    if number < lowest or (highest is not None and number > highest):
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer {limits}")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
