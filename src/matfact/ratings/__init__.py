"""Ratings: storage, readers, splits and synthetic data."""

from matfact.ratings.ids import IdMap
from matfact.ratings.ratings import Ratings, as_ratings

__all__ = ["IdMap", "Ratings", "as_ratings"]
