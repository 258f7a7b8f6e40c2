"""Cross-validation: the figures, the copies, threads."""

import threading

import numpy as np
import pytest

from evaluation.models import BiasModel
from matfact import Ratings
from matfact._threads import resolve_n_threads
from matfact.evaluation import cross_validate, mae, random_folds, rmse
from matfact.exceptions import DivergenceError


@pytest.fixture(autouse=True)
def log():
    BiasModel.log = []
    return BiasModel.log


@pytest.fixture(scope="module")
def ratings():
    rng = np.random.default_rng(0)
    cells = rng.permutation(40 * 30)[:600]
    names = np.array([f"u{number:02d}" for number in range(40)])
    return Ratings.from_triples(names[cells // 30], cells % 30, rng.integers(1, 6, 600))


def test_by_hand(ratings):
    folds = random_folds(ratings, 4, random_state=1)
    result = cross_validate(BiasModel(shrinkage=2.0), ratings, folds)
    for number, (train, test) in enumerate(folds):
        model = BiasModel(shrinkage=2.0).fit(train)
        users, items, truth = test.to_triples()
        predicted = model.predict(users, items)
        assert result.scores["rmse"][number] == rmse(truth, predicted)
        assert result.scores["mae"][number] == mae(truth, predicted)
    scores = result.scores["rmse"]
    assert result.n_folds == 4
    assert result.means["rmse"] == scores.mean()
    assert result.standard_errors["rmse"] == pytest.approx(scores.std(ddof=1) / 2)
    assert (result.fit_seconds >= 0).all()
    assert result.models is None


def test_it_prints(ratings):
    result = cross_validate(BiasModel(), ratings, 2, random_state=0)
    first, header, *lines, last = str(result).splitlines()
    assert first == "BiasModel(shrinkage=0.0), 2 folds"
    assert header.split() == ["metric", "mean", "std.err.", "folds"]
    assert [line.split()[0] for line in lines] == ["rmse", "mae"]
    assert lines[0].split()[1] == f"{result.means['rmse']:.4f}"
    assert last.startswith("fit: ")


def test_the_model_is_left_alone(ratings):
    model = BiasModel(noise=0.1, random_state=np.random.default_rng(5))
    before = dict(vars(model))
    state = model.random_state.bit_generator.state
    result = cross_validate(model, ratings, 3, random_state=0, return_models=True)
    assert vars(model) == before
    assert model.random_state.bit_generator.state == state
    assert len(result.models) == 3
    assert all(each.noise == 0.1 and each is not model for each in result.models)


@pytest.mark.parametrize("model_seed", [None, 7, "generator"])
def test_same_result_for_any_number_of_threads(ratings, model_seed):
    seed = np.random.default_rng(3) if model_seed == "generator" else model_seed
    model = BiasModel(noise=0.3, random_state=seed)
    results = [
        cross_validate(model, ratings, 5, random_state=0, n_jobs=n_jobs).scores["rmse"].tolist()
        for n_jobs in (None, 1, 2, 8)
    ]
    assert all(result == results[0] for result in results)


def test_a_model_without_a_seed_follows_the_seed_of_the_call(ratings):
    def scores(seed):
        return cross_validate(BiasModel(noise=1.0), ratings, 2, random_state=seed).scores["rmse"]

    assert (scores(1) == scores(1)).all()
    assert (scores(1) != scores(2)).all()


def test_threads_take_one_thread_each(ratings):
    seen = set()

    class Watching(BiasModel):
        def fit(self, X, *, callbacks=()):
            seen.add((threading.get_ident() == main, resolve_n_threads(None)))
            return super().fit(X, callbacks=callbacks)

    main = threading.get_ident()
    cross_validate(Watching(), ratings, 4, n_jobs=2)
    assert seen == {(False, 1)}
    seen.clear()
    cross_validate(Watching(), ratings, 4)
    assert seen == {(True, 0)}


def test_an_error_stops_the_others(ratings):
    class Slow(BiasModel):
        def fit(self, X, *, callbacks=()):
            if self.random_state == first_seed:
                raise ValueError("broken")
            (callback,) = callbacks
            while callback(None) is not True:  # until it is told to stop
                stopping.wait(0.001)
            return super().fit(X)

    stopping = threading.Event()
    cross_validate(BiasModel(), ratings, 3, random_state=0)
    first_seed = BiasModel.log[0][0]["random_state"]
    with pytest.raises(ValueError, match="broken") as caught:
        cross_validate(Slow(), ratings, 3, random_state=0, n_jobs=2)
    assert caught.value.__notes__ == ["in fold 0 of a cross-validation of BiasModel(shrinkage=0.0)"]


def test_divergence_is_not_hidden(ratings):
    with pytest.raises(DivergenceError, match="diverged"):
        cross_validate(BiasModel(fails=True), ratings, 3)


def test_users_and_items_of_pairs_may_be_unknown(ratings):
    other = Ratings.from_triples(["zoe", "u00"], [3, 99], [4, 2])
    result = cross_validate(BiasModel(), ratings, [(ratings, other)])
    assert np.isfinite(result.means["rmse"])
    assert np.isnan(result.standard_errors["rmse"])


def test_metrics_may_be_functions(ratings):
    def worst(truth, predicted):
        return np.abs(truth - predicted).max()

    result = cross_validate(BiasModel(), ratings, 2, metrics=[worst, "mae"])
    assert list(result.scores) == ["worst", "mae"]
    assert list(cross_validate(BiasModel(), ratings, 2, metrics=worst).scores) == ["worst"]


def test_a_matrix(ratings):
    matrix = np.where(np.random.default_rng(0).random((20, 10)) < 0.5, 3.0, np.nan)
    matrix[0, 0] = 4
    assert cross_validate(BiasModel(), matrix, 2, metrics="mae").n_folds == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"folds": 1}, ValueError, "folds is 1; give an integer of at least 2"),
        ({"folds": "x"}, TypeError, "folds must be an integer"),
        ({"folds": []}, ValueError, "folds is empty"),
        ({"folds": [1, 2]}, TypeError, r"folds\[0\] is not a pair"),
        ({"metrics": "mse"}, ValueError, "metrics has 'mse'; give 'rmse', 'mae'"),
        ({"metrics": [3]}, TypeError, "metrics has 3"),
        ({"metrics": ["mae", mae]}, ValueError, "metrics has 'mae' twice"),
        ({"metrics": []}, ValueError, "metrics is empty"),
        ({"n_jobs": 0}, ValueError, "n_jobs is 0; give an integer of at least 1"),
    ],
)
def test_bad_arguments(ratings, arguments, error, message):
    with pytest.raises(error, match=message):
        cross_validate(BiasModel(), ratings, **arguments)


def test_folds_of_other_ratings(ratings):
    folds = random_folds(ratings.select(np.arange(100)), 3)
    with pytest.raises(ValueError, match="folds are those of other ratings"):
        cross_validate(BiasModel(), ratings, folds)
