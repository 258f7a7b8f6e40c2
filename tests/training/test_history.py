"""The record of a training."""

import copy
import math
import pickle

import numpy as np
import pytest

from matfact.training import History, Record


@pytest.fixture
def history():
    history = History()
    history.record(1, objective=9.5, seconds=0.25)
    history.record(51, objective=2.0, seconds=0.5, validation=1.5)
    return history


def test_it_is_a_sequence_of_records(history):
    assert len(history) == 2
    assert history[1] == Record(51, 2.0, 0.5, 1.5)
    assert history[-1] is history[1]
    assert [record.iteration for record in history] == [1, 51]
    assert math.isnan(history[0].validation)
    with pytest.raises(IndexError):
        history[2]


def test_a_slice_is_a_history(history):
    assert isinstance(history[1:], History)
    assert history[1:].iterations.tolist() == [51]


def test_columns_are_arrays(history):
    np.testing.assert_array_equal(history.iterations, np.array([1, 51], dtype=np.int64))
    np.testing.assert_array_equal(history.objectives, [9.5, 2.0])
    np.testing.assert_array_equal(history.seconds, [0.25, 0.5])
    np.testing.assert_array_equal(history.validations, [np.nan, 1.5])


def test_an_empty_one():
    history = History()
    assert len(history) == 0
    assert history.iterations.dtype == np.int64
    assert history.objectives.shape == (0,)
    assert repr(history) == "<History: 0 checks>"


def test_repr_shows_the_last_check(history):
    assert repr(history).startswith("<History: 2 checks, last Record(iteration=51, objective=2.0")


def test_records_cannot_be_changed(history):
    with pytest.raises(AttributeError):
        history[0].objective = 0.0


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))])  # noqa: S301
def test_copies(history, copied):
    assert list(copied(history))[1] == history[1]
