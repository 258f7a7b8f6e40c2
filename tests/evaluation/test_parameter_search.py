"""The search over parameters: ranking, failures, threads, the model at the end."""

import numpy as np
import pytest

from evaluation.models import BiasModel
from matfact import Ratings
from matfact.evaluation import cross_validate, random_folds, search
from matfact.exceptions import DivergenceError


@pytest.fixture(autouse=True)
def log():
    BiasModel.log = []
    return BiasModel.log


@pytest.fixture(scope="module")
def ratings():
    rng = np.random.default_rng(0)
    cells = rng.permutation(40 * 30)[:300]
    return Ratings.from_triples(cells // 30, cells % 30, rng.integers(1, 6, 300))


GRID = {"shrinkage": [0.0, 2.0, 100.0], "noise": [0.0, 0.5]}


def test_candidates_are_ranked(ratings):
    folds = random_folds(ratings, 3, random_state=0)
    result = search(BiasModel(random_state=1), ratings, GRID, folds=folds)
    assert len(result.candidates) == 6
    means = [candidate.mean for candidate in result.candidates]
    assert means == sorted(means)
    assert result.best_score == means[0]
    for candidate in result.candidates:
        model = BiasModel(random_state=1, **candidate.params)
        again = cross_validate(model, ratings, folds, metrics="rmse")
        assert candidate.scores.tolist() == again.scores["rmse"].tolist()
        assert candidate.standard_error == again.standard_errors["rmse"]
        assert candidate.failure is None


def test_the_best_model_is_trained_on_all_ratings(ratings, log):
    result = search(BiasModel(), ratings, GRID, validation=0.25, random_state=0)
    params, n_ratings = log[-1]
    assert n_ratings == ratings.n_ratings
    assert {**params, **result.best_params} == params
    assert result.best_model.shrinkage == result.best_params["shrinkage"]
    assert log[0][1] == 225  # one split for all candidates
    assert len(log) == 7
    assert search(BiasModel(), ratings, GRID, validation=0.25, refit=False).best_model is None


def test_same_result_for_any_number_of_threads(ratings):
    def found(n_jobs):
        result = search(BiasModel(), ratings, GRID, random_state=3, n_jobs=n_jobs)
        return [(one.params, one.scores.tolist()) for one in result.candidates], (
            result.best_model.means_.tolist()
        )

    assert found(None) == found(2) == found(8)


def test_several_grids_and_ties_keep_their_order(ratings):
    grids = [{"shrinkage": [5.0, 5.0]}, {"random_state": [1, 2], "shrinkage": (5.0,)}]
    result = search(BiasModel(), ratings, grids, folds=2, random_state=0, refit=False)
    assert [one.params for one in result.candidates] == [
        {"shrinkage": 5.0},
        {"shrinkage": 5.0},
        {"random_state": 1, "shrinkage": 5.0},
        {"random_state": 2, "shrinkage": 5.0},
    ]


def test_a_candidate_that_diverges_ranks_last(ratings):
    result = search(BiasModel(), ratings, {"fails": [True, False]}, folds=2)
    assert [one.params["fails"] for one in result.candidates] == [False, True]
    failed = result.candidates[-1]
    assert failed.failure == "training diverged"
    assert np.isnan(failed.mean)
    assert "failed" in str(failed)
    assert str(result).endswith("1 failed")


def test_a_score_that_is_not_finite_ranks_last(ratings):
    def metric(truth, predicted):
        return np.nan if np.ptp(predicted) == 0 else 1.0

    grid = {"shrinkage": [1e30, 0.0]}
    result = search(BiasModel(), ratings, grid, folds=2, metric=metric, random_state=0)
    assert result.metric == "metric"
    assert result.candidates[1].failure == "a score is nan"
    with pytest.raises(ValueError, match="all 1 candidates of the search failed: no score is"):
        search(BiasModel(), ratings, {"shrinkage": [1e30]}, folds=2, metric=metric)


def test_all_diverge(ratings):
    with pytest.raises(DivergenceError, match="training diverged") as caught:
        search(BiasModel(fails=True), ratings, {"shrinkage": [1, 2]}, folds=2)
    assert caught.value.__notes__ == ["all 2 candidates of the search failed"]


def test_a_value_that_the_model_refuses(ratings):
    with pytest.raises(ValueError, match="shrinkage is -1") as caught:
        search(BiasModel(), ratings, {"shrinkage": [1, -1]}, folds=2)
    assert caught.value.__notes__ == ["in fold 0 of a search, with {'shrinkage': -1}"]


def test_it_prints(ratings):
    result = search(BiasModel(), ratings, GRID, folds=2)
    first, best, *_ = str(result).splitlines()
    assert first == "BiasModel(shrinkage=0.0), 6 candidates by rmse"
    assert best.startswith(f"  1  {result.best_score:.4f} +- ")
    assert best.endswith(", ".join(f"{n}={v!r}" for n, v in result.best_params.items()))


@pytest.mark.parametrize(
    ("grid", "arguments", "error", "message"),
    [
        ({"shrinkag": [1]}, {}, ValueError, "grid has 'shrinkag', which is no parameter of Bias"),
        ({"shrinkage": 1}, {}, TypeError, r"grid\['shrinkage'\] is 1; give a list"),
        ({"shrinkage": "ab"}, {}, TypeError, r"grid\['shrinkage'\] is 'ab'; give a list"),
        ({"shrinkage": []}, {}, ValueError, r"grid\['shrinkage'\] is empty"),
        ([], {}, ValueError, "grid is empty"),
        ([3], {}, TypeError, "grid has 3; give a dict of lists"),
        (GRID, {"folds": 2, "validation": 0.5}, ValueError, "folds and validation are both given"),
        (GRID, {"validation": 1.5}, ValueError, "validation is 1.5; give a share"),
        (GRID, {"metric": ("mae", "rmse")}, ValueError, "metric stands for several"),
    ],
)
def test_bad_arguments(ratings, log, grid, arguments, error, message):
    with pytest.raises(error, match=message):
        search(BiasModel(), ratings, grid, **arguments)
    assert log == []  # before any training
