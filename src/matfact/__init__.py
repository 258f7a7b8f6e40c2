"""Matrix factorization of ratings."""

from matfact import exceptions
from matfact._threads import threads
from matfact._version import __version__
from matfact.classic import matrix_factorization
from matfact.kernels import backend_info
from matfact.ratings import Ratings

__all__ = [
    "Ratings",
    "__version__",
    "backend_info",
    "exceptions",
    "matrix_factorization",
    "threads",
]
