"""The exceptions: what they derive from, how they read, and that they survive pickling."""

import pickle

import pytest

from matfact import exceptions


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("DivergenceError", ArithmeticError),
        ("UnknownIdError", KeyError),
        ("ModelFileError", ValueError),
        ("RatingsFileError", ValueError),
        ("BackendError", ImportError),
    ],
)
def test_each_exception_is_ours_and_a_builtin_one(name, builtin):
    assert issubclass(getattr(exceptions, name), exceptions.MatfactError)
    assert issubclass(getattr(exceptions, name), builtin)


def test_the_module_lists_all_its_exceptions():
    defined = {
        name
        for name, value in vars(exceptions).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert defined == set(exceptions.__all__)


def test_an_unknown_id_reads_as_a_sentence():
    assert str(exceptions.UnknownIdError("the user 'x' is unknown")) == "the user 'x' is unknown"


def test_divergence_keeps_its_attributes_through_pickling():
    error = exceptions.DivergenceError("it diverged", 7, learning_rate=0.5)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
    assert type(copy) is exceptions.DivergenceError
    assert (str(copy), copy.epoch, copy.learning_rate) == ("it diverged", 7, 0.5)


@pytest.mark.parametrize("name", sorted(set(exceptions.__all__) - {"DivergenceError"}))
def test_the_others_pickle_with_their_message(name):
    error = getattr(exceptions, name)("a message")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
    assert (type(copy), str(copy)) == (type(error), "a message")
