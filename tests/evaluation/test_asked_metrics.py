"""Cross-validation and search by ranking metrics: figures, directions, defaults, errors."""

import numpy as np
import pytest

from evaluation.models import BiasModel
from matfact import ALS, BPR, GD, NMF, SGD, ImplicitALS, make_ratings
from matfact.evaluation import (
    cross_validate,
    evaluate_ranking,
    mae,
    random_folds,
    ranking,
    rmse,
    search,
)
from matfact.evaluation._metrics import RANKING, asked_metrics

MODELS = [
    pytest.param(model(n_factors=3, max_iter=2, random_state=0), id=model.__name__)
    for model in (ALS, SGD, NMF, GD, ImplicitALS, BPR)
]


@pytest.fixture(scope="module")
def ratings():
    return make_ratings(60, 40, 900, random_state=0)


@pytest.fixture(scope="module")
def folds(ratings):
    return random_folds(ratings, 3, random_state=0)


def fitted(model, train):
    return type(model)(**model.get_params()).fit(train)


@pytest.mark.parametrize("model", MODELS)
def test_each_fold_is_what_evaluate_ranking_finds(model, ratings, folds):
    metrics = [f"{name}@{k}" for name in RANKING for k in (10, 3)]
    result = cross_validate(model, ratings, folds, metrics=metrics)
    assert list(result.scores) == metrics
    for number, (train, test) in enumerate(folds):
        trained = fitted(model, train)
        for k in (3, 10):
            expected = evaluate_ranking(trained, test, k=k).to_dict()
            assert len(expected) == len(RANKING)
            for name, value in expected.items():
                assert result.scores[name][number] == value


def test_names_are_the_columns_of_evaluate_ranking(folds):
    train, test = folds[0]
    columns = evaluate_ranking(ImplicitALS(n_factors=2).fit(train), test, k=(1, 25)).to_dict()
    asked = asked_metrics(columns, "metrics", ImplicitALS())
    assert asked.names == tuple(columns)
    assert set(asked.lengths.values()) == {1, 25}


def test_lists_leave_out_what_the_training_part_has(ratings, folds):
    model = ALS(n_factors=2, max_iter=2, random_state=0)
    found = cross_validate(model, ratings, folds, metrics="recall@10").scores["recall@10"]
    with_seen = [
        evaluate_ranking(fitted(model, train), test, exclude_seen=False).mean("recall@10")
        for train, test in folds
    ]
    assert (found > with_seen).all()


def test_auc_is_of_all_items(ratings, folds):
    result = cross_validate(BPR(max_iter=3, random_state=0), ratings, folds, metrics="auc")
    train, test = folds[1]
    model = BPR(max_iter=3, random_state=0).fit(train)
    whole = evaluate_ranking(model, test, k=ratings.n_items)
    assert result.scores["auc"][1] == whole.mean(f"auc@{ratings.n_items}")
    # by hand: the user's relevant items against all others, those that were seen at the end
    shares = []
    for name in whole.users:
        order = model.recommend(name, ratings.n_items)[0].tolist()
        order += sorted(set(model.item_ids_.ids.tolist()) - set(order))
        of_user = test.users == test.user_ids.positions([name])[0]
        liked = set(test.item_ids.ids_of(test.user_indices[of_user]).tolist())
        hits = np.isin(order, list(liked))
        pairs = np.count_nonzero(hits) * np.count_nonzero(~hits)
        shares.append(np.cumsum(hits)[~hits].sum() / pairs)
    assert result.scores["auc"][1] == pytest.approx(np.mean(shares))


def test_long_lists_come_in_smaller_blocks(folds, monkeypatch):
    train, test = folds[0]
    model = ImplicitALS(n_factors=2, random_state=0).fit(train)
    whole = evaluate_ranking(model, test, k=(10, 40))
    sizes = []

    def watched(*args, block_size, **kwargs):
        sizes.append(block_size)
        return type(model).iter_recommend(model, *args, block_size=block_size, **kwargs)

    monkeypatch.setattr(model, "iter_recommend", watched, raising=False)
    monkeypatch.setattr(ranking, "BLOCK_ENTRIES", 280)
    for k in ((10, 40), (10, 10**9), (10,)):
        found = evaluate_ranking(model, test, k=k)
        assert (found.scores["ndcg@10"] == whole.scores["ndcg@10"]).all()
    assert sizes == [7, 7, 28]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_errors_functions_and_lists_in_one_call(ratings, folds, n_jobs):
    def worst(truth, predicted):
        return np.abs(truth - predicted).max()

    metrics = ("ndcg@5", "mae", worst, "auc", "coverage@10", "rmse")
    model = SGD(n_factors=3, max_iter=2, random_state=0)
    result = cross_validate(model, ratings, folds, metrics=metrics, n_jobs=n_jobs)
    names = ["ndcg@5", "mae", "worst", "auc", "coverage@10", "rmse"]
    assert list(result.scores) == list(result.means) == names
    for number, (train, test) in enumerate(folds):
        trained = fitted(model, train)
        users, items, truth = test.to_triples()
        predicted = trained.predict(users, items, unknown="mean")
        lists = evaluate_ranking(trained, test, k=(5, 10))
        assert result.scores["mae"][number] == mae(truth, predicted)
        assert result.scores["rmse"][number] == rmse(truth, predicted)
        assert result.scores["worst"][number] == worst(truth, predicted)
        assert result.scores["ndcg@5"][number] == lists.mean("ndcg@5")
        assert result.scores["coverage@10"][number] == lists.coverage[10]
    lines = str(result).splitlines()[2:-1]
    assert [line.split()[0] for line in lines] == names


def test_lists_are_made_once_a_fold_and_only_if_asked_for(ratings, folds, monkeypatch):
    calls = []

    def watched(model, test, *, k, at_least):
        calls.append(k)
        return evaluate_ranking(model, test, k=k, at_least=at_least)

    monkeypatch.setattr("matfact.evaluation._metrics.evaluate_ranking", watched)
    model = ALS(n_factors=2, max_iter=1)
    cross_validate(model, ratings, folds, metrics=("map@9", "mrr@9", "ndcg@3", "coverage@9"))
    assert calls == [[3, 9]] * 3
    calls.clear()
    cross_validate(model, ratings, folds)
    assert calls == []


@pytest.mark.parametrize("model", [ImplicitALS(max_iter=2), BPR(max_iter=2)], ids=repr)
def test_models_for_implicit_feedback_are_measured_by_lists(model, ratings):
    result = cross_validate(model, ratings, 2, random_state=0)
    assert list(result.scores) == ["ndcg@10"]
    found = search(model, ratings, {"n_factors": [2, 4]}, folds=2, random_state=0)
    assert found.metric == "ndcg@10"
    assert found.higher_is_better
    assert np.isfinite(cross_validate(model, ratings, 2, metrics="rmse").means["rmse"])
    assert search(model, ratings, {"n_factors": [2]}, metric="mae", folds=2).metric == "mae"


def test_models_of_ratings_are_measured_by_errors(ratings):
    model = ALS(n_factors=2, max_iter=1, random_state=0)
    assert list(cross_validate(model, ratings, 2).scores) == ["rmse", "mae"]
    found = search(model, ratings, {"n_factors": [1, 2]}, folds=2)
    assert found.metric == "rmse"
    assert not found.higher_is_better


@pytest.mark.parametrize("metric", ["ndcg@10", "auc", "coverage@3", "rmse", "mae"])
def test_the_best_candidate(ratings, folds, metric):
    model = ALS(random_state=0, max_iter=3)
    grid = {"n_factors": [1, 3], "regularization": [0.001, 0.1, 100.0]}
    found = search(model, ratings, grid, folds=folds, metric=metric, refit=False)
    means = [candidate.mean for candidate in found.candidates]
    assert len(set(means)) > 1
    is_error = metric in ("rmse", "mae")
    assert means == sorted(means, reverse=not is_error)
    assert found.best_score == (min if is_error else max)(means)
    assert found.higher_is_better is not is_error
    best = ALS(random_state=0, max_iter=3, **found.best_params)
    again = cross_validate(best, ratings, folds, metrics=metric)
    assert found.candidates[0].scores.tolist() == again.scores[metric].tolist()


def test_a_candidate_that_diverges_ranks_last_and_equal_ones_keep_their_order(ratings):
    grid = [{"learning_rate": [1e30]}, {"learning_rate": [0.01], "verbose": [False, False]}]
    model = SGD(n_factors=2, max_iter=2, schedule="constant", random_state=0)
    found = search(model, ratings, grid, folds=2, metric="ndcg@10", random_state=0)
    assert [one.failure is None for one in found.candidates] == [True, True, False]
    assert found.candidates[0].mean == found.candidates[1].mean


@pytest.mark.parametrize("model", MODELS[-2:])
def test_same_result_for_any_number_of_threads(model, ratings):
    def found(n_jobs):
        scores = cross_validate(
            model, ratings, 3, metrics=("ndcg@10", "auc", "rmse"), random_state=1, n_jobs=n_jobs
        ).scores
        grid = {"n_factors": [2, 4]}
        result = search(model, ratings, grid, folds=2, random_state=1, n_jobs=n_jobs)
        return (
            {name: values.tolist() for name, values in scores.items()},
            [(one.params, one.scores.tolist()) for one in result.candidates],
        )

    assert found(1) == found(2) == found(None)


UNKNOWN = [
    "ndcg", "ndcg@", "ndcg@0", "ndcg@x", "ndcg@-1", "ndcg@1.5", "ndcg@010", "ndcg@ 5", "ndcg@+5",
    "ndcg@5\n", "NDCG@5", "f1@10", "auc@", "@10", "rmse@10", "coverage", "", "ndcg@" + "9" * 30,
]  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_names_that_are_not_known(ratings, name):
    for argument, call in (
        ("metrics", lambda: cross_validate(ALS(), ratings, metrics=("rmse", name))),
        ("metric", lambda: search(ALS(), ratings, {"n_factors": [2]}, metric=name)),
    ):
        with pytest.raises(ValueError, match="an integer k of at least 1") as caught:
            call()
        message = str(caught.value)
        assert message.startswith(f"{argument} has {name!r}; give 'rmse', 'mae', 'auc', ")
        assert all(f"'{one}@k'" in message for one in RANKING)


def test_other_errors(ratings):
    with pytest.raises(ValueError, match="metrics has 'ndcg@5' twice"):
        cross_validate(ALS(), ratings, metrics=("ndcg@5", "ndcg@5"))
    with pytest.raises(ValueError, match="metric stands for several"):
        search(ALS(), ratings, {"n_factors": [2]}, metric=("ndcg@5", "ndcg@10"))
    BiasModel.log = []
    with pytest.raises(TypeError, match=r"metrics has 'ndcg@5', and BiasModel recommends no lists"):
        cross_validate(BiasModel(), ratings, metrics=("mae", "ndcg@5"))
    assert BiasModel.log == []  # before any training


def test_relevance_from_a_threshold(ratings, folds):
    result = cross_validate(
        ALS(n_factors=2, random_state=0), ratings, folds, metrics=("ndcg@5", "rmse"), at_least=4
    )
    for number, (train, test) in enumerate(folds):
        trained = ALS(n_factors=2, random_state=0).fit(train)
        expected = evaluate_ranking(trained, test, k=5, at_least=4).mean("ndcg@5")
        assert result.scores["ndcg@5"][number] == expected
        assert expected != evaluate_ranking(trained, test, k=5).mean("ndcg@5")
    found = search(
        ALS(n_factors=2, random_state=0), ratings, {"max_iter": [3]}, folds=folds,
        metric="ndcg@5", at_least=4,
    )  # fmt: skip
    assert found.best_score == pytest.approx(
        np.mean([evaluate_ranking(ALS(n_factors=2, random_state=0, max_iter=3).fit(train), test,
                                  k=5, at_least=4).mean("ndcg@5") for train, test in folds])
    )  # fmt: skip
    with pytest.raises(ValueError, match="at_least is 4, and no metric"):
        cross_validate(ALS(n_factors=2), ratings, folds, at_least=4)
    with pytest.raises(ValueError, match="at_least is NaN"):
        cross_validate(ALS(n_factors=2), ratings, folds, metrics="ndcg@5", at_least=np.nan)
