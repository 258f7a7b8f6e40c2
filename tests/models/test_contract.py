"""What all estimators have in common: fitting, ids, going on, stopping."""

import pickle

import numpy as np
import pytest

from matfact import Ratings
from matfact.exceptions import MatfactError, NotFittedError, UnknownIdError
from matfact.models import BPMF, VBMF
from models.cases import (
    CLASSES,
    EXPLICIT,
    IMPLICIT_CLASSES,
    SMALL,
    dense_matrix,
    named_ratings,
    same_bits,
    state_of,
    unclipped,
)

each_model = pytest.mark.parametrize("new", list(SMALL.values()), ids=list(SMALL))
each_explicit = pytest.mark.parametrize("new", list(EXPLICIT.values()), ids=list(EXPLICIT))
each_class = pytest.mark.parametrize("cls", CLASSES)


@pytest.fixture(scope="module")
def ratings():
    return named_ratings()


@each_model
def test_fit_returns_the_estimator_with_its_attributes(new, ratings):
    model = new()
    assert model.fit(ratings) is model
    width = 9 if isinstance(model, BPMF) else 3  # which has three samples
    assert model.user_factors_.shape == (30, width)
    assert model.item_factors_.shape == (20, width)
    assert model.user_factors_.dtype == np.float32
    assert model.n_iter_ == model.best_iteration_ == len(model.history_) == 4
    assert model.n_features_in_ == 20
    assert model.ratings_.n_ratings == ratings.n_ratings
    assert model.rating_range_ == (1, 5) or model.get_params().get("absent") == "zero"
    assert np.isfinite(model.history_.objectives).all()


@each_model
def test_fit_changes_no_parameter(new, ratings):
    model = new()
    before = model.get_params()
    model.fit(ratings)
    assert model.get_params() == before


@each_model
def test_predictions_are_what_the_attributes_say(new, ratings):
    model = unclipped(new).fit(ratings)
    users, items = ["u03", "u11", "u29"], ["film 00", "film 19", "film 07"]
    u, i = model.user_ids_.positions(users), model.item_ids_.positions(items)
    expected = model.mean_ + np.sum(
        model.user_factors_[u].astype(float) * model.item_factors_[i], axis=1
    )
    if model.user_biases_ is not None:
        expected = expected + model.user_biases_[u] + model.item_biases_[i]
    np.testing.assert_allclose(model.predict(users, items), expected, rtol=2e-6, atol=2e-6)
    whole = model.predict_all()
    np.testing.assert_allclose(whole[u, i], expected, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(model.predict_all(users), whole[u], rtol=1e-12)


@each_explicit
def test_predictions_stay_in_the_range_of_the_ratings(new, ratings):
    wild = new(clip=False).fit(ratings).predict_all()
    tame = new().fit(ratings)
    np.testing.assert_allclose(tame.predict_all(), np.clip(wild, *tame.rating_range_), rtol=1e-6)


@each_model
def test_shapes_of_predictions(new, ratings):
    model = new().fit(ratings)
    assert model.predict("u00", "film 00").shape == ()
    assert model.predict("u00", ["film 00", "film 01"]).shape == (2,)
    assert model.predict(["u00", "u01"], "film 03").shape == (2,)
    assert model.predict([], []).shape == (0,)
    with pytest.raises(ValueError, match=r"users has shape \(2,\) and items \(3,\)"):
        model.predict(["u00", "u01"], ["film 00", "film 01", "film 02"])


@each_model
def test_unknown_ids_are_named(new, ratings):
    model = new().fit(ratings)
    with pytest.raises(UnknownIdError, match=r"users.*'nobody'"):
        model.predict(["u00", "nobody"], ["film 00", "film 00"])
    with pytest.raises(UnknownIdError, match=r"items.*'film 99'"):
        model.predict("u00", "film 99")
    with pytest.raises(UnknownIdError, match="0"):
        model.predict(0, "film 00")
    with pytest.raises(UnknownIdError):
        model.recommend("nobody")
    with pytest.raises(UnknownIdError, match="candidates"):
        model.recommend("u00", candidates=["film 00", "film 77"])


@each_model
def test_unknown_ids_may_be_average_ones(new, ratings):
    model = unclipped(new).fit(ratings)
    nobody = model.predict(["x", "u00", "x"], ["film 00", "y", "y"], unknown="mean")
    assert np.isfinite(nobody).all()
    ranks = isinstance(model, IMPLICIT_CLASSES)
    assert nobody[2] == (0 if ranks else pytest.approx(ratings.mean))
    if model.user_biases_ is not None:
        expected = [model.mean_ + model.item_biases_[0], model.mean_ + model.user_biases_[0]]
        np.testing.assert_allclose(nobody[:2], expected, rtol=1e-6)


@each_model
def test_numbers_are_the_ids_of_a_matrix(new):
    matrix = dense_matrix()
    model = new().fit(matrix)
    assert model.predict(0, 7).shape == ()
    for users, items in [(12, 0), (0, 8), (-1, 0), (0, -1), ("0", 0)]:
        with pytest.raises(UnknownIdError):
            model.predict(users, items)


@each_model
def test_before_fit_everything_says_so(new):
    model = new()
    calls = [
        lambda: model.predict(0, 0),
        model.predict_all,
        lambda: model.score(dense_matrix()),
        lambda: model.recommend(0),
        lambda: model.similar_items(0),
        lambda: model.similar_users(0),
        lambda: model.explain(0, 0),
        lambda: model.fold_in(dense_matrix()),
        lambda: model.transform(dense_matrix()),
        lambda: model.inverse_transform(np.ones((2, 3))),
        lambda: model.add_users(dense_matrix()),
        lambda: model.add_items(dense_matrix()),
    ]
    for call in calls:
        with pytest.raises(NotFittedError, match="not fitted"):
            call()


@each_model
def test_equal_seeds_give_equal_bits_and_others_do_not(new, ratings):
    one, two, three = (new(random_state=seed).fit(ratings) for seed in (5, 5, 6))
    assert same_bits(one, two)
    assert one.user_factors_.tobytes() != three.user_factors_.tobytes()


@each_model
@pytest.mark.parametrize("kind", ["Generator", "RandomState", "None"])
def test_every_kind_of_random_state(new, ratings, kind):
    sources = {
        "Generator": lambda: np.random.default_rng(3),
        "RandomState": lambda: np.random.RandomState(3),
        "None": lambda: None,
    }
    models = []
    for _ in range(2):
        np.random.seed(7)
        models.append(new(random_state=sources[kind]()).fit(ratings))
    assert same_bits(*models)


@each_model
def test_float64_and_float32_agree(new, ratings):
    single, double = new().fit(ratings), new(dtype=np.float64).fit(ratings)
    assert double.user_factors_.dtype == np.float64
    np.testing.assert_allclose(single.predict_all(), double.predict_all(), atol=2e-3)


@each_model
def test_a_fit_in_parts_equals_one_in_whole(new, ratings):
    whole = new(max_iter=5).fit(ratings)
    parts = new(max_iter=2, warm_start=True).fit(ratings)
    parts.set_params(max_iter=3).fit(ratings)
    assert same_bits(parts, whole)


@each_model
@pytest.mark.parametrize("after", [1, 3])
def test_an_interrupted_training_goes_on_to_the_same_bits(new, ratings, after):
    held_out = ratings.select(np.arange(0, ratings.n_ratings, 7))
    train = ratings.select(np.setdiff1d(np.arange(ratings.n_ratings), np.arange(0, 240, 7)))

    def interrupt(state):
        if state.epoch == after:
            raise KeyboardInterrupt

    whole = new(max_iter=6, patience=2).fit(train, validation=held_out)
    cut = new(max_iter=6, patience=2, warm_start=True)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(train, validation=held_out, callbacks=[interrupt])
    assert cut.n_iter_ == after
    cut.set_params(max_iter=6 - after).fit(train, validation=held_out)
    assert same_bits(cut, whole)


@each_model
def test_pickles_and_copies_go_on_to_the_same_bits(new, ratings):
    model = new(warm_start=True).fit(ratings)
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301 (our own)
    assert same_bits(model, copy)
    assert same_bits(model.fit(ratings), copy.fit(ratings))


@each_model
def test_refit_starts_anew(new, ratings):
    model = new()
    first = state_of(model.fit(ratings))
    again = state_of(model.fit(ratings))
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)


@each_model
def test_refit_on_a_larger_and_on_a_transposed_matrix(new):
    model = new(warm_start=False)
    for matrix in (dense_matrix(6, 5), dense_matrix(12, 8), dense_matrix(12, 8).T):
        model.fit(matrix)
        assert model.predict_all().shape == matrix.shape


@each_model
def test_warm_start_on_other_rows_matches_them_by_id(new, ratings):
    model = new(warm_start=True).fit(ratings)
    fewer = Ratings.from_triples(
        ["u05", "u01", "new"], ["film 02", "film 01", "film 02"], [5, 1, 4]
    )
    model.fit(fewer)
    assert model.predict_all().shape == (3, 2)
    assert np.isfinite(model.predict_all()).all()
    assert model.n_iter_ == 8
    with pytest.raises(UnknownIdError):
        model.predict("u00", "film 02")


@each_model
def test_warm_start_with_another_number_of_factors_is_refused(new, ratings):
    model = new(warm_start=True).fit(ratings)
    with pytest.raises(ValueError, match=r"n_factors was 3 and is 5"):
        model.set_params(n_factors=5).fit(ratings)
    assert len(model.user_factors_) == 30
    assert model.predict_all().shape == (30, 20)


@each_model
def test_validation_share_sets_ratings_aside(new, ratings):
    model = new(max_iter=8).fit(ratings, validation=0.25)
    assert model.ratings_.n_ratings == 180
    assert np.isfinite(model.history_.validations).all()
    assert model.best_iteration_ == 1 + int(model.history_.validations.argmin())


@each_model
def test_validation_of_unknown_rows_is_predicted_as_average(new, ratings):
    others = Ratings.from_triples(["u00", "nobody"], ["film 00", "film 00"], [3, 3])
    model = new().fit(ratings, validation=others)
    assert np.isfinite(model.history_.validations).all()


@each_model
def test_callbacks_may_stop(new, ratings):
    model = new().fit(ratings, callbacks=[lambda state: state.epoch == 2])
    assert model.n_iter_ == 2


@each_model
@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("n_factors", 0, ValueError),
        ("n_factors", 2.5, TypeError),
        ("n_factors", True, TypeError),
        ("max_iter", 0, ValueError),
        ("tol", -1, ValueError),
        ("tol", np.nan, ValueError),
        ("patience", 0, ValueError),
        ("regularization", -0.1, ValueError),
        ("regularization", "much", TypeError),
        ("random_state", "seed", TypeError),
        ("random_state", -1, ValueError),
        ("n_threads", 0, ValueError),
        ("n_threads", 1.5, TypeError),
        ("dtype", np.int32, TypeError),
        ("dtype", np.float16, TypeError),
        ("warm_start", 1, TypeError),
    ],
)
def test_wrong_parameters_are_named_at_fit(new, ratings, name, value, error):
    model = new()
    if name == "regularization" and isinstance(model, VBMF | BPMF):
        assert name not in model.get_params()  # it is learned
        return
    model.set_params(**{name: value})
    with pytest.raises(error, match=name):
        model.fit(ratings)
    assert not hasattr(model, "item_factors_")


@each_explicit
def test_clip_is_true_or_false(new):
    with pytest.raises(TypeError, match="clip is 'yes'"):
        new(clip="yes").fit(dense_matrix())


@each_model
def test_a_failed_fit_leaves_the_model_as_it_was(new, ratings):
    model = new().fit(ratings)
    before = state_of(model)
    for bad in ([[np.inf, 1.0]], [1.0, 2.0], "ratings", [[np.nan]], np.empty((0, 3))):
        with pytest.raises((ValueError, TypeError)):
            model.fit(bad)
    after = state_of(model)
    assert all(before[name] is after[name] for name in before)
    assert model.n_iter_ == 4


@each_model
@pytest.mark.parametrize("validation", [0.0, 1.0, 1.5, -0.1, np.nan, 1, True, "0.1"])
def test_a_wrong_validation_is_refused(new, ratings, validation):
    with pytest.raises((ValueError, TypeError), match="validation"):
        new().fit(ratings, validation=validation)


@each_class
def test_parameters_are_stored_unchanged(cls):
    model = cls()
    for name in model.get_params():
        marker = object()
        model.set_params(**{name: marker})
        assert getattr(model, name) is marker
        assert model.get_params()[name] is marker
    with pytest.raises(ValueError, match="Invalid parameter 'n_topics'"):
        model.set_params(n_topics=3)
    with pytest.raises(TypeError):
        cls(3)


@each_class
def test_repr_shows_what_differs_from_the_defaults(cls):
    assert repr(cls()) == f"{cls.__name__}()"
    assert repr(cls(n_factors=7, tol=0.5)) == f"{cls.__name__}(n_factors=7, tol=0.5)"


def test_not_fitted_is_what_scikit_learn_expects():
    assert issubclass(NotFittedError, ValueError | AttributeError)
    assert issubclass(NotFittedError, MatfactError)
