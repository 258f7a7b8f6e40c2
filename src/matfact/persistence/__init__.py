"""Model files: save and load without pickle."""

from matfact.persistence.files import load, save

__all__ = ["load", "save"]
