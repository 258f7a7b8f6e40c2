"""What the outer loops of training share."""

from matfact.training.history import History, Record
from matfact.training.loop import BestState, StoppingRule, Trainable, TrainingState, train

__all__ = [
    "BestState",
    "History",
    "Record",
    "StoppingRule",
    "Trainable",
    "TrainingState",
    "train",
]
