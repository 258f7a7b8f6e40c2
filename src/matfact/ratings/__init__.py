"""Ratings: storage, readers, splits and synthetic data."""

from matfact.ratings.observed import ObservedRatings

__all__ = ["ObservedRatings"]
