"""How good predictions are: metrics, splits, cross-validation and a search over parameters."""

from matfact.evaluation.cross_validation import CrossValidation, cross_validate
from matfact.evaluation.folds import Folds, given_folds
from matfact.evaluation.parameter_search import Candidate, SearchResult, search
from matfact.evaluation.rating_metrics import mae, rmse
from matfact.evaluation.splits import (
    leave_k_out,
    random_folds,
    random_split,
    temporal_split,
    user_folds,
)

__all__ = [
    "Candidate",
    "CrossValidation",
    "Folds",
    "SearchResult",
    "cross_validate",
    "given_folds",
    "leave_k_out",
    "mae",
    "random_folds",
    "random_split",
    "rmse",
    "search",
    "temporal_split",
    "user_folds",
]
