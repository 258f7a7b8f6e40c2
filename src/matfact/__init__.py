"""Matrix factorization of ratings."""

from matfact import exceptions
from matfact._threads import threads
from matfact._version import __version__
from matfact.classic import matrix_factorization
from matfact.kernels import backend_info
from matfact.ratings import Ratings, make_ratings, read_ratings

__all__ = [
    "Ratings",
    "__version__",
    "backend_info",
    "exceptions",
    "make_ratings",
    "matrix_factorization",
    "read_ratings",
    "threads",
]
