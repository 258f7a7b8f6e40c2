"""Matrix factorization of ratings.

Importing the package loads numpy and the kernels; the names below load the rest when they are first
used, as everything together would take three times as long.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from matfact import exceptions
from matfact._threads import threads
from matfact._version import __version__
from matfact.kernels import backend_info

if TYPE_CHECKING:
    from matfact.classic import matrix_factorization
    from matfact.models import ALS, BPMF, BPR, GD, NMF, SGD, VBMF, ImplicitALS, Imputer
    from matfact.persistence import load
    from matfact.ratings import Ratings, make_ratings, read_ratings

__all__ = [
    "ALS",
    "BPMF",
    "BPR",
    "GD",
    "NMF",
    "SGD",
    "VBMF",
    "ImplicitALS",
    "Imputer",
    "Ratings",
    "__version__",
    "backend_info",
    "exceptions",
    "load",
    "make_ratings",
    "matrix_factorization",
    "read_ratings",
    "threads",
]

_HOMES = {
    "ALS": "models",
    "BPMF": "models",
    "BPR": "models",
    "GD": "models",
    "ImplicitALS": "models",
    "Imputer": "models",
    "NMF": "models",
    "Ratings": "ratings",
    "SGD": "models",
    "VBMF": "models",
    "load": "persistence",
    "make_ratings": "ratings",
    "matrix_factorization": "classic",
    "read_ratings": "ratings",
}


_PACKAGES = ("evaluation", "models", "persistence", "ratings", "training")


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value  # so that this is called once a name
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
