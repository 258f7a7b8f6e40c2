"""The classic class does what the original one does, on every implementation of the kernels."""

import pickle
from copy import deepcopy
from functools import cache

import numpy as np
import pytest

from matfact import matrix_factorization
from reference import (
    CLASSIC,
    SeedFactorization,
    assert_close,
    naive_item_sweep,
    naive_iterations,
    naive_squared_error,
    naive_user_sweep,
    problem,
)

SHAPES = [(1, 1, 1), (7, 5, 3), (50, 40, 8), (4, 3, 9)]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "x".join(map(str, s)))
RATE = 0.05


def pair(data, features, seed=0):
    """The class and the original one, started from the same numpy seed."""
    np.random.seed(seed)
    ours = matrix_factorization(data, features, verbose=False)
    np.random.seed(seed)
    return ours, SeedFactorization(np.asarray(data), features)


@cache
def loops(ratings_bytes, shape, iterations):
    """Factors after `iterations` of the plain loops, from the start that `pair` gives."""
    ratings = np.frombuffer(ratings_bytes).reshape(shape[:2])
    _, seed = pair(ratings, shape[2])
    of_steps = 2 * RATE / shape[1], 2 * RATE / shape[0]
    return naive_iterations(ratings, seed.user_features, seed.item_features, *of_steps, iterations)


def check_against_loops(model, ratings, iterations):
    users, items = loops(ratings.tobytes(), (*ratings.shape, model.features), iterations)
    assert model.user_features.dtype == model.item_features.dtype == np.float64
    assert_close(model.user_features, users, CLASSIC)
    assert_close(model.item_features, items, CLASSIC)
    assert model.MSE() == pytest.approx(naive_squared_error(ratings, users, items), rel=CLASSIC)


def check_50_iterations(data, features, ratings=None):
    """Train on `data` and compare with the loops on `ratings`, the same numbers as float64."""
    ratings = np.array(data, dtype=np.float64) if ratings is None else ratings
    model, _ = pair(data, features)
    model.train_model(RATE, 50)
    check_against_loops(model, ratings, 50)


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 3), (4, 3, 9)], ids=str)
def test_equals_the_original_class(backend, shape, capsys):
    data, _, _ = problem(*shape)
    model, seed = pair(data, shape[2])
    assert_close(model.user_features, seed.user_features, 0)
    assert_close(model.item_features, seed.item_features, 0)
    model.verbose = True
    model.train_model(RATE, 53)
    ours = [float(line) for line in capsys.readouterr().out.split()]
    seed.train_model(RATE, 53)
    theirs = [float(line) for line in capsys.readouterr().out.split()]
    assert len(ours) == len(theirs) == 2
    assert ours == pytest.approx(theirs, rel=CLASSIC)
    assert_close(model.user_features, seed.user_features, CLASSIC)
    assert_close(model.item_features, seed.item_features, CLASSIC)
    assert model.MSE() == pytest.approx(seed.MSE(), rel=CLASSIC)


def test_the_loops_are_those_of_the_original_class():
    """Most tests compare with faster loops, so these have to be the same."""
    data, _, _ = problem(6, 5, 3)
    _, seed = pair(data, 3)
    users, items = seed.user_features.copy(), seed.item_features.copy()
    naive_user_sweep(data, users, items, 2 * RATE / 5)
    naive_item_sweep(data, users, items, 2 * RATE / 6)
    seed.update_user_features(RATE)
    seed.update_item_features(RATE)
    assert_close(users, seed.user_features, 1e-14)
    assert_close(items, seed.item_features, 1e-14)


@each_shape
@pytest.mark.parametrize("missing", [0.0, 0.05, 0.6, 0.95])
def test_equals_the_loops_with_missing_ratings(backend, shape, missing):
    check_50_iterations(problem(*shape, missing)[0], shape[2])


def wide_view(data):
    big = np.zeros((2 * len(data), 3 * data.shape[1]))
    big[::2, ::3] = data
    return big[::2, ::3]


def read_only(data):
    data = data.copy()
    data.flags.writeable = False
    return data


FORMS = {
    "integers": lambda data: np.round(data).astype(np.int64),
    "unsigned": lambda data: np.round(data).astype(np.uint8),
    "booleans": lambda data: data > 3,
    "float32": lambda data: data.astype(np.float32),
    "float16": lambda data: data.astype(np.float16),
    "big-endian": lambda data: data.astype(">f8"),
    "Fortran order": np.asfortranarray,
    "non-contiguous": wide_view,
    "reversed": lambda data: data[::-1, ::-1],
    "read-only": read_only,
    "list of lists": lambda data: data.tolist(),
}


@each_shape
@pytest.mark.parametrize("form", FORMS)
def test_equals_the_loops_for_any_form_of_data(backend, shape, form):
    check_50_iterations(FORMS[form](problem(*shape)[0]), shape[2])


@pytest.mark.parametrize("form", ["Fortran order", "non-contiguous", "read-only", "float32"])
@pytest.mark.parametrize("missing", [0.2, 0.7])
def test_equals_the_loops_for_any_form_of_data_with_gaps(backend, form, missing):
    check_50_iterations(FORMS[form](problem(23, 17, 5, missing)[0]), 5)


def test_masked_arrays(backend):
    data, _, _ = problem(23, 17, 5, 0.3)
    masked = np.ma.MaskedArray(np.nan_to_num(data, nan=99.0), mask=np.isnan(data))
    check_50_iterations(masked, 5, ratings=data)
    integers = np.ma.MaskedArray([[1, 2], [3, 4]], mask=[[False, True], [False, False]])
    np.testing.assert_array_equal(
        matrix_factorization(integers, 1).data, [[1, np.nan], [3, 4]], strict=True
    )


@pytest.mark.parametrize(
    ("shape", "iterations", "path"),
    [
        ((60, 50, 5), 2, "full"),
        ((180, 12, 4), 60, "compressed"),
        ((12, 180, 4), 60, "compressed"),
        ((45, 45, 5), 60, "compressed"),
    ],
)
def test_every_path_of_a_full_matrix_is_reached(backend, shape, iterations, path):
    data, _, _ = problem(*shape)
    model, _ = pair(data, shape[2])
    assert model._problem.path_for(iterations, shape[2]) == path
    model.train_model(RATE, iterations)
    check_against_loops(model, data, iterations)
    last = model.history_[-1]
    expected = loops(data.tobytes(), shape, last.iteration)
    assert last.objective == pytest.approx(naive_squared_error(data, *expected), rel=CLASSIC)


@pytest.mark.parametrize("shape", [(180, 12, 4), (12, 180, 4)], ids=["tall", "wide"])
def test_training_goes_on_after_a_compressed_one(backend, shape):
    data, _, _ = problem(*shape)
    model, _ = pair(data, shape[2])
    model.train_model(RATE, 30)
    model.update_user_features(RATE)
    model.update_item_features(RATE)
    model.train_model(RATE, 29)
    check_against_loops(model, data, 60)


@each_shape
@pytest.mark.parametrize("missing", [0.0, 0.3, 0.8])
def test_half_sweeps_one_by_one(backend, shape, missing):
    data, _, _ = problem(*shape, missing)
    model, seed = pair(data, shape[2])
    users, items = seed.user_features, seed.item_features
    for _ in range(2):
        model.update_user_features(RATE)
        naive_user_sweep(data, users, items, 2 * RATE / shape[1])
        assert_close(model.user_features, users, 1e-12)
        assert_close(model.item_features, items, 1e-12)
        model.update_item_features(RATE)
        naive_item_sweep(data, users, items, 2 * RATE / shape[0])
        assert_close(model.user_features, users, 1e-12)
        assert_close(model.item_features, items, 1e-12)


@each_shape
def test_gradients_equal_those_of_the_original_class(shape):
    data, _, _ = problem(*shape)
    model, seed = pair(data, shape[2])
    for user in range(min(shape[0], 4)):
        for item in range(min(shape[1], 4)):
            for feature in (0, shape[2] - 1):
                of_user = {"wrt_user_idx": feature}
                of_item = {"wrt_item_idx": feature}
                for wrt in (of_user, of_item):
                    ours = model.single_gradient(user, item, **wrt)
                    assert isinstance(ours, float)
                    assert ours == pytest.approx(seed.single_gradient(user, item, **wrt), rel=1e-12)
                assert model.user_feature_gradient(user, feature) == pytest.approx(
                    seed.user_feature_gradient(user, feature), rel=1e-12
                )
                assert model.item_feature_gradient(item, feature) == pytest.approx(
                    seed.item_feature_gradient(item, feature), rel=1e-12
                )


def test_gradients_with_missing_ratings():
    data = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, 2.0]])
    model = matrix_factorization(data, 2, random_state=0)
    full = matrix_factorization(np.nan_to_num(model.data), 2, random_state=0)
    assert model.single_gradient(0, 1, wrt_user_idx=0) == 0.0
    assert model.single_gradient(1, 0, wrt_item_idx=1) == 0.0
    cells = [full.single_gradient(0, item, wrt_user_idx=1) for item in (0, 2)]
    assert model.user_feature_gradient(0, 1) == pytest.approx(sum(cells) / 3, rel=1e-12)
    assert model.item_feature_gradient(1, 0) == 0.0


def test_gradients_are_derivatives_of_the_squared_error():
    """Minus the slope: the averaged gradient times the number of cells is that of the whole sum."""
    data, _, _ = problem(6, 5, 2, 0.3)
    model = matrix_factorization(data, 2, random_state=0)
    for factors, gradient, count in [
        (model.user_features, lambda: model.user_feature_gradient(3, 1), 5),
        (model.item_features.T, lambda: model.item_feature_gradient(3, 1), 6),
    ]:
        width = 1e-6
        value = factors[3, 1]
        factors[3, 1] = value + width
        above = model.MSE()
        factors[3, 1] = value - width
        below = model.MSE()
        factors[3, 1] = value
        assert gradient() * count == pytest.approx(-(above - below) / (2 * width), rel=1e-6)


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.9])
def test_mse_is_the_sum_of_squared_errors(backend, missing):
    data, _, _ = problem(31, 22, 4, missing)
    model = matrix_factorization(data, 4, random_state=1)
    expected = naive_squared_error(data, model.user_features, model.item_features)
    assert isinstance(model.MSE(), float)
    assert model.MSE() == pytest.approx(expected, rel=1e-12)
    assert np.nansum((data - model.predict()) ** 2) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("shape", [(14, 9, 3), (300, 20, 5)])
def test_the_number_of_threads_does_not_matter(backend, shape, missing):
    data, _, _ = problem(*shape, missing)
    results = []
    for n_threads in (1, 2, 3, None):
        model = matrix_factorization(
            data, shape[2], random_state=0, n_threads=n_threads, verbose=False
        )
        model.train_model(RATE, 60)
        results.append(
            (model.user_features.tobytes(), model.history_.objectives.tobytes(), model.MSE())
        )
    assert len(set(results)) == 1


def test_the_data_of_the_user_stay_as_they_are(backend):
    data, _, _ = problem(12, 9, 3, 0.3)
    before = data.copy()
    model = matrix_factorization(data, 3, random_state=0, verbose=False)
    model.train_model(RATE, 60)
    np.testing.assert_array_equal(data, before)
    data[:] = 7.0
    np.testing.assert_array_equal(model.data, before)


@pytest.mark.parametrize("copied", [deepcopy, lambda m: pickle.loads(pickle.dumps(m))])  # noqa: S301
def test_copies_train_on_their_own(copied):
    data, _, _ = problem(30, 20, 3, 0.1)
    model = matrix_factorization(data, 3, random_state=0, verbose=False)
    model.train_model(RATE, 60)
    other = copied(model)
    assert other.MSE() == model.MSE()
    assert other.history_.objectives.tolist() == model.history_.objectives.tolist()
    before = model.user_features.copy()
    other.train_model(RATE, 5)
    np.testing.assert_array_equal(model.user_features, before)
    model.train_model(RATE, 5)
    np.testing.assert_array_equal(model.user_features, other.user_features)
