"""The estimators among those of scikit-learn, which is needed for these tests only."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

from matfact.models import ALS, BPMF, BPR, GD, NMF, SGD, VBMF, ImplicitALS, Imputer
from models.cases import dense_matrix

ESTIMATORS = [
    ALS(max_iter=3),
    ALS(max_iter=3, solver="cg", biases=False),
    VBMF(max_iter=3),
    VBMF(max_iter=3, link="both"),
    BPMF(max_iter=3, n_factors=2, n_samples=2, burn_in=1, thinning=1, link="both"),
    SGD(max_iter=3),
    NMF(max_iter=3),
    NMF(max_iter=3, absent="zero"),
    GD(max_iter=3),
    ImplicitALS(max_iter=3),
    BPR(max_iter=3),
    Imputer(),
]


def checks():
    with warnings.catch_warnings():
        # Our estimators follow the protocol; they do not inherit, as numpy is all that they need.
        warnings.filterwarnings("ignore", ".*does not inherit from `sklearn.base.BaseEstimator`")
        for estimator in ESTIMATORS:
            for instance, check in estimator_checks_generator(estimator):
                name = getattr(check, "func", check).__name__
                if "array_api" in name:  # skips itself unless scipy is set up for it
                    continue
                yield pytest.param(instance, check, id=f"{estimator!r}-{name}")


@pytest.mark.parametrize(("estimator", "check"), list(checks()))
@pytest.mark.filterwarnings("ignore:Estimator's parameters changed after set_params")
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_clone_copies_parameters_and_no_result(estimator):
    fitted = clone(estimator).fit(dense_matrix())
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params() or isinstance(copy, Imputer)
    with pytest.raises(NotFittedError):
        copy.transform(dense_matrix())


def low_rank_with_holes(seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(150, 2)) @ rng.normal(size=(2, 12))
    target = matrix @ rng.normal(size=12)
    holes = matrix + 0.05 * rng.normal(size=matrix.shape)
    holes[rng.random(matrix.shape) < 0.3] = np.nan
    return matrix, holes, target


def test_missing_values_are_filled_in_a_pipeline():
    matrix, holes, target = low_rank_with_holes()
    model = ALS(n_factors=2, regularization=0.01, random_state=0, max_iter=30)
    filled = Imputer(model).fit_transform(holes)
    there = ~np.isnan(holes)
    assert np.array_equal(filled[there], holes[there])
    assert np.sqrt(np.mean((filled - matrix)[~there] ** 2)) < 0.35 * matrix.std()
    pipeline = make_pipeline(Imputer(model), Ridge())
    plain = make_pipeline(Imputer(ALS(n_factors=1, regularization=1e6, random_state=0)), Ridge())
    folds = KFold(5)
    ours, means = (cross_val_score(p, holes, target, cv=folds).mean() for p in (pipeline, plain))
    assert ours > 0.9
    assert ours > means


def test_factors_are_features_in_a_pipeline():
    _, holes, target = low_rank_with_holes()
    pipeline = make_pipeline(ALS(n_factors=2, regularization=0.01, random_state=0), Ridge())
    assert cross_val_score(pipeline, holes, target, cv=KFold(5)).mean() > 0.8


def test_grid_search_finds_the_rank():
    _, holes, _ = low_rank_with_holes()
    grid = {"n_factors": [1, 2], "regularization": [0.003, 30.0]}
    search = GridSearchCV(ALS(random_state=0, max_iter=20), grid, cv=KFold(3)).fit(holes)
    assert search.best_params_ == {"n_factors": 2, "regularization": 0.003}
    nested = GridSearchCV(
        make_pipeline(Imputer(ALS(random_state=0)), Ridge()),
        {"imputer__model__n_factors": [1, 2]},
        cv=KFold(3),
    )
    nested.fit(holes, low_rank_with_holes()[2])
    assert (
        nested.best_estimator_[0].model_.n_factors
        == nested.best_params_["imputer__model__n_factors"]
    )


def test_nested_parameters_of_the_imputer():
    imputer = Imputer(ALS(n_factors=3))
    assert imputer.get_params()["model__n_factors"] == 3
    imputer.set_params(model__n_factors=5)
    assert imputer.model.n_factors == 5
    assert Imputer().set_params(model__n_factors=2).model.n_factors == 2
    with pytest.raises(ValueError, match="n_topics"):
        imputer.set_params(model__n_topics=5)
    assert "model" in Imputer().get_params(deep=False)


def test_rows_that_are_all_missing_and_masked_arrays():
    matrix = dense_matrix()
    imputer = Imputer(ALS(random_state=0)).fit(matrix)
    matrix[3] = np.nan
    filled = imputer.transform(matrix)
    assert np.isfinite(filled).all()
    masked = np.ma.masked_invalid(matrix)
    np.testing.assert_array_equal(imputer.transform(masked), filled)
    assert np.isfinite(imputer.transform(np.full((2, 8), np.nan))).all()
