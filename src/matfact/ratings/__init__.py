"""Ratings: storage, readers, splits and synthetic data."""

from matfact.ratings.ids import IdMap
from matfact.ratings.ratings import Ratings, as_ratings
from matfact.ratings.reading import read_ratings
from matfact.ratings.synthetic import make_ratings

__all__ = ["IdMap", "Ratings", "as_ratings", "make_ratings", "read_ratings"]
