"""How good predictions are: metrics, splits, cross-validation and a search over parameters."""

from matfact.evaluation.cross_validation import CrossValidation, cross_validate
from matfact.evaluation.folds import Folds, given_folds
from matfact.evaluation.parameter_search import Candidate, SearchResult, search
from matfact.evaluation.ranking import evaluate_held_out, evaluate_ranking, evaluate_sampled
from matfact.evaluation.ranking_scores import RankingScores
from matfact.evaluation.rating_metrics import mae, rmse
from matfact.evaluation.splits import (
    leave_k_out,
    random_folds,
    random_split,
    temporal_split,
    user_folds,
)
from matfact.evaluation.user_splits import HeldOutUsers, held_out_users

__all__ = [
    "Candidate",
    "CrossValidation",
    "Folds",
    "HeldOutUsers",
    "RankingScores",
    "SearchResult",
    "cross_validate",
    "evaluate_held_out",
    "evaluate_ranking",
    "evaluate_sampled",
    "given_folds",
    "held_out_users",
    "leave_k_out",
    "mae",
    "random_folds",
    "random_split",
    "rmse",
    "search",
    "temporal_split",
    "user_folds",
]
