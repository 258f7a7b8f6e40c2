"""What the classic class accepts, and how it refuses the rest: argument, place and remedy."""

import numpy as np
import pytest

from matfact import matrix_factorization, threads
from reference import problem

DATA, _, _ = problem(6, 5, 2, 0.2)


class FakeSparse:
    def tocsr(self):
        return self


def with_value(value, place=(2, 3)):
    data = np.array(DATA)
    data[place] = value
    return data


BAD_DATA = [
    (np.ones(4), ValueError, "data has 1 dimension; give a matrix"),
    (np.float64(3), ValueError, "data has 0 dimensions"),
    (np.ones((2, 2, 2)), ValueError, "data has 3 dimensions"),
    (np.ones((0, 5)), ValueError, r"data is empty, of shape \(0, 5\); give"),
    (np.ones((5, 0)), ValueError, "data is empty"),
    ([], ValueError, "data has 1 dimension"),
    ([[1, 2], [3]], ValueError, "data is not a rectangular array .*; give rows of equal length"),
    (with_value(np.inf), ValueError, r"data\[2, 3\] is inf; give finite numbers, or NaN"),
    (with_value(-np.inf), ValueError, r"data\[2, 3\] is -inf"),
    (np.full((3, 2), np.nan), ValueError, "data is all NaN.*give at least one rating"),
    (np.ma.masked_all((3, 2)), ValueError, "data is all NaN"),
    (DATA.astype(object), TypeError, "data has dtype object; give real numbers"),
    (DATA.astype(complex), TypeError, "data has dtype complex128"),
    (DATA.astype(str), TypeError, "data has dtype <U"),
    ([["5", "3"]], TypeError, "data has dtype <U1"),
    (np.zeros((2, 2), dtype="M8[s]"), TypeError, r"data has dtype datetime64\[s\]"),
    (np.zeros((2, 2), dtype="m8[s]"), TypeError, r"data has dtype timedelta64\[s\]"),
    (np.zeros((2, 2), dtype=[("a", float)]), TypeError, "data has dtype"),
    (None, TypeError, "data has dtype object"),
    (FakeSparse(), TypeError, "data is a sparse matrix; give a dense array with NaN"),
]


@pytest.mark.parametrize(("data", "error", "message"), BAD_DATA)
def test_bad_data(data, error, message):
    with pytest.raises(error, match=message):
        matrix_factorization(data, 2)


def test_a_long_double_that_is_too_large():
    if np.finfo(np.longdouble).max == np.finfo(np.float64).max:
        pytest.skip("long double is double here")
    huge = np.array([[1, np.finfo(np.longdouble).max]], dtype=np.longdouble)
    with pytest.raises(ValueError, match=r"data\[0, 1\] is inf"):
        matrix_factorization(huge, 1)


BAD_ARGUMENTS = [
    ({"features": 0}, ValueError, "features is 0; give an integer of at least 1"),
    ({"features": -2}, ValueError, "features is -2"),
    ({"features": 2.0}, TypeError, "features must be an integer, not float 2.0"),
    ({"features": True}, TypeError, "features must be an integer, not the bool True"),
    ({"features": "2"}, TypeError, "features must be an integer, not str '2'"),
    ({"features": None}, TypeError, "features must be an integer, not NoneType None"),
    ({"random_state": -1}, ValueError, "random_state is -1"),
    ({"random_state": 2**32}, ValueError, "random_state is 4294967296; give a seed from 0"),
    ({"random_state": 1.5}, TypeError, "random_state must be an integer, a numpy RandomState"),
    ({"random_state": "0"}, TypeError, "random_state must be"),
    ({"random_state": True}, TypeError, "random_state must be"),
    ({"n_threads": 0}, ValueError, "n_threads is 0"),
    ({"n_threads": -1}, ValueError, "n_threads is -1"),
    ({"n_threads": 1.0}, TypeError, "n_threads must be an integer"),
    ({"tol": -0.1}, ValueError, "tol is -0.1; give a finite number of at least 0"),
    ({"tol": np.nan}, ValueError, "tol is nan"),
    ({"tol": "small"}, TypeError, "tol must be a number, not str 'small'"),
]


@pytest.mark.parametrize(("argument", "error", "message"), BAD_ARGUMENTS)
def test_bad_arguments_of_the_constructor(argument, error, message):
    with pytest.raises(error, match=message):
        matrix_factorization(DATA, **({"features": 2} | argument))


BAD_RATES = [
    (0, ValueError, "learning_rate is 0.0; give a finite number above 0"),
    (-0.1, ValueError, "learning_rate is -0.1"),
    (np.nan, ValueError, "learning_rate is nan"),
    (np.inf, ValueError, "learning_rate is inf"),
    (10**400, ValueError, "learning_rate is too large for a float"),
    ("0.1", TypeError, "learning_rate must be a number, not str '0.1'"),
    (True, TypeError, "learning_rate must be a number, not bool True"),
    (None, TypeError, "learning_rate must be a real number, not NoneType"),
    (1j, TypeError, "learning_rate must be a real number, not complex"),
    ([0.1, 0.2], TypeError, "learning_rate must be a real number, not list"),
]


@pytest.mark.parametrize(("rate", "error", "message"), BAD_RATES)
@pytest.mark.parametrize("method", ["train_model", "update_user_features", "update_item_features"])
def test_bad_learning_rates(method, rate, error, message):
    model = matrix_factorization(DATA, 2, random_state=0)
    before = model.user_features.copy(), model.item_features.copy()
    with pytest.raises(error, match=message):
        getattr(model, method)(rate)
    np.testing.assert_array_equal(model.user_features, before[0])
    np.testing.assert_array_equal(model.item_features, before[1])


@pytest.mark.parametrize(
    ("iterations", "error", "message"),
    [
        (-1, ValueError, "iterations is -1; give an integer of at least 0"),
        (10.0, TypeError, "iterations must be an integer, not float 10.0"),
        (False, TypeError, "iterations must be an integer, not the bool False"),
        ("10", TypeError, "iterations must be an integer, not str"),
    ],
)
def test_bad_iterations(iterations, error, message):
    model = matrix_factorization(DATA, 2, random_state=0)
    with pytest.raises(error, match=message):
        model.train_model(0.1, iterations)


@pytest.mark.parametrize("number", [np.int32(2), np.uint8(2), np.array(2)])
def test_numpy_integers_are_integers(number):
    model = matrix_factorization(DATA, number, random_state=np.int64(0), verbose=False)
    model.train_model(np.float32(0.1), number)
    assert model.features == 2
    assert model.single_gradient(number, number, wrt_user_idx=np.int8(1)) != 0


# The original returned these texts instead of raising.
def test_too_many_and_too_few_elements():
    model = matrix_factorization(DATA, 2, random_state=0)
    with pytest.raises(ValueError, match=r"^Too many elements"):
        model.single_gradient(0, 0, wrt_user_idx=0, wrt_item_idx=0)
    with pytest.raises(ValueError, match=r"^insufficient elements"):
        model.single_gradient(0, 0)
    assert model.single_gradient(0, 0, wrt_user_idx=0) != 0  # 0 is not "none"
    assert model.single_gradient(0, 0, wrt_item_idx=0) != 0


CALLS = {
    "user_row": (6, lambda model, i: model.single_gradient(i, 0, wrt_user_idx=0)),
    "item_col": (5, lambda model, i: model.single_gradient(0, i, wrt_user_idx=0)),
    "wrt_user_idx": (2, lambda model, i: model.single_gradient(0, 0, wrt_user_idx=i)),
    "wrt_item_idx": (2, lambda model, i: model.single_gradient(0, 0, wrt_item_idx=i)),
    "user_row of the average": (6, lambda model, i: model.user_feature_gradient(i, 0)),
    "wrt_user_idx of the average": (2, lambda model, i: model.user_feature_gradient(0, i)),
    "item_col of the average": (5, lambda model, i: model.item_feature_gradient(i, 0)),
    "wrt_item_idx of the average": (2, lambda model, i: model.item_feature_gradient(0, i)),
}


@pytest.mark.parametrize("call", CALLS)
def test_bad_indices(call):
    size, function = CALLS[call]
    name = call.split()[0]
    model = matrix_factorization(DATA, 2, random_state=0)
    function(model, size - 1)
    for index in (-1, size, 10**20):
        with pytest.raises(IndexError, match=rf"^{name} is {index}, .* from 0 to {size - 1}$"):
            function(model, index)
    for index in (0.0, "0", True, [0], slice(1)):
        with pytest.raises(TypeError, match=f"^{name} must be an integer"):
            function(model, index)


@pytest.mark.parametrize("name", ["user_features", "item_features"])
class TestFactors:
    @pytest.fixture
    def model(self):
        return matrix_factorization(DATA, 2, random_state=0, verbose=False)

    def test_may_be_assigned(self, model, name):
        value = np.asfortranarray(
            np.arange(getattr(model, name).size).reshape(getattr(model, name).shape)
        )
        setattr(model, name, value)
        stored = getattr(model, name)
        np.testing.assert_array_equal(stored, value)
        assert stored.dtype == np.float64
        assert stored.flags.c_contiguous
        assert not np.shares_memory(stored, value)

    def test_may_be_changed_in_place(self, model, name):
        before = model.MSE()
        getattr(model, name)[1, 1] += 0.5
        assert model.MSE() != before
        array = getattr(model, name)
        model.train_model(0.1, 60)
        assert getattr(model, name) is array

    def test_wrong_shape(self, model, name):
        shape = getattr(model, name).shape
        for wrong in [shape[::-1], (*shape, 1), shape[:1], ()]:
            with pytest.raises(ValueError, match=rf"^{name} has shape .*; give an array of shape"):
                setattr(model, name, np.ones(wrong))

    def test_wrong_dtype(self, model, name):
        shape = getattr(model, name).shape
        for dtype in (object, complex, str, "M8[s]"):
            with pytest.raises(TypeError, match=f"^{name} has dtype .*; give real numbers"):
                setattr(model, name, np.zeros(shape, dtype=dtype))

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_not_finite(self, model, name, value):
        factors = getattr(model, name).copy()
        factors[1, 1] = value
        before = getattr(model, name).copy()
        with pytest.raises(ValueError, match=rf"^{name}\[1, 1\] is {value}; give finite numbers"):
            setattr(model, name, factors)
        np.testing.assert_array_equal(getattr(model, name), before)

    def test_not_finite_after_a_change_in_place(self, model, name):
        getattr(model, name)[0, 1] = np.nan
        calls = [
            model.MSE,
            model.predict,
            lambda: model.train_model(0.1, 1),
            lambda: model.update_user_features(0.1),
            lambda: model.update_item_features(0.1),
            lambda: model.single_gradient(0, 0, wrt_user_idx=0),
            lambda: model.user_feature_gradient(0, 0),
            lambda: model.item_feature_gradient(0, 0),
        ]
        for call in calls:
            with pytest.raises(ValueError, match=rf"^{name}\[0, 1\] is nan"):
                call()


def test_sizes_are_read_only_attributes():
    model = matrix_factorization(DATA, 2)
    assert (model.user_count, model.item_count, model.features) == (6, 5, 2)
    for name in ("user_count", "item_count", "features"):
        with pytest.raises(AttributeError):
            setattr(model, name, 3)


def test_data_are_shown_read_only():
    model = matrix_factorization(DATA, 2)
    np.testing.assert_array_equal(model.data, DATA)
    with pytest.raises(ValueError, match="read-only"):
        model.data[0, 0] = 1


@pytest.mark.parametrize("missing", [0.0, 0.2, 0.8])
def test_other_data_may_be_assigned(backend, missing):
    other, _, _ = problem(6, 5, 2, missing, seed=9)
    model = matrix_factorization(DATA, 2, random_state=0, verbose=False)
    model.data = other
    fresh = matrix_factorization(other, 2, random_state=0, verbose=False)
    for each in (model, fresh):
        each.train_model(0.1, 3)
    np.testing.assert_array_equal(model.data, other)
    np.testing.assert_array_equal(model.user_features, fresh.user_features)
    assert model.MSE() == fresh.MSE()


def test_bad_data_are_not_assigned():
    model = matrix_factorization(DATA, 2)
    with pytest.raises(ValueError, match=r"data has shape \(5, 6\) and must keep \(6, 5\); make"):
        model.data = DATA.T
    with pytest.raises(ValueError, match="is inf"):
        model.data = with_value(np.inf)
    np.testing.assert_array_equal(model.data, DATA)


def test_an_integer_seed_is_that_of_numpy():
    np.random.seed(7)
    globally = matrix_factorization(DATA, 3)
    state = np.random.get_state()[1].copy()
    locally = matrix_factorization(DATA, 3, random_state=7)
    np.testing.assert_array_equal(locally.user_features, globally.user_features)
    np.testing.assert_array_equal(locally.item_features, globally.item_features)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_generators_are_drawn_from(make):
    generator = make(3)
    first, second = (matrix_factorization(DATA, 2, random_state=generator) for _ in range(2))
    again = matrix_factorization(DATA, 2, random_state=make(3))
    np.testing.assert_array_equal(first.user_features, again.user_features)
    assert not np.array_equal(first.user_features, second.user_features)
    for factors in (first.user_features, first.item_features):
        assert (factors >= 0.1).all()
        assert (factors < 0.9).all()


def test_extras_are_keyword_only():
    with pytest.raises(TypeError, match="positional"):
        matrix_factorization(DATA, 2, 0)


def test_threads_may_come_from_the_context():
    model = matrix_factorization(DATA, 2, random_state=0, verbose=False)
    with threads(1):
        model.train_model(0.1, 2)


def test_repr():
    text = repr(matrix_factorization(DATA, 2))
    assert text == "<matrix_factorization: 6 x 5, features=2>"
