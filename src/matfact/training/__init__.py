"""What the outer loops of training share."""

from matfact.training.history import History, Record

__all__ = ["History", "Record"]
