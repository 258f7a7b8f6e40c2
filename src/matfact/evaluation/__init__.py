"""How good predictions are."""

from matfact.evaluation.rating_metrics import rmse

__all__ = ["rmse"]
