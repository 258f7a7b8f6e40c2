"""The outer loop: when it stops, what it leaves, and going on as if nothing had happened."""

import itertools
import math

import numpy as np
import pytest

from matfact.exceptions import DivergenceError
from matfact.training import History, StoppingRule, train


class Counting:
    """A solver whose one number is that of the epoch; objectives are given."""

    def __init__(self, objectives=None, start=0.0, best=None):
        self.arrays = {"user_factors": np.array([[start]])}
        self.best = best
        self.objectives = objectives

    def epoch(self, number):
        self.arrays["user_factors"] += 1
        if self.objectives is None:
            return 100.0 / number
        return self.objectives[number - 1]

    def remedy(self):
        return "try something else"

    @property
    def value(self):
        return float(self.arrays["user_factors"][0, 0])


def rule(max_epochs=10, tol=0.0, patience=2):
    return StoppingRule(max_epochs, tol, patience)


def errors_of(values):
    """A validation error that runs through values."""
    return iter(values).__next__


def test_runs_all_epochs_without_a_reason_to_stop():
    solver, history = Counting(), History()
    assert train(solver, history, rule(4)) == 4
    assert solver.value == 4
    assert history.iterations.tolist() == [1, 2, 3, 4]
    assert history.objectives.tolist() == [100, 50, 100 / 3, 25]
    assert np.isnan(history.validations).all()
    assert (np.diff(history.seconds) >= 0).all()


@pytest.mark.parametrize(("tol", "n_epochs"), [(0.5, 2), (0.34, 3), (0.26, 4), (0.0, 10)])
def test_stops_when_the_objective_settles(tol, n_epochs):
    history = History()
    train(Counting(), history, rule(10, tol=tol))
    assert len(history) == n_epochs


def test_an_objective_that_rises_stops_too():
    history = History()
    train(Counting([5, 4, 6, 1]), history, rule(4, tol=1e-9))
    assert len(history) == 3


def test_validation_restores_the_best_epoch():
    solver, history = Counting(), History()
    errors = errors_of([0.9, 0.7, 0.8, 0.75, 0.1])
    assert train(solver, history, rule(), validation_error=errors) == 2
    assert solver.value == 2
    assert len(history) == 4
    assert solver.best is None


def test_improvements_below_tol_do_not_count_but_are_kept():
    solver, history = Counting(), History()
    errors = errors_of([0.9, 0.899, 0.898, 0.1])
    assert train(solver, history, rule(tol=0.01), validation_error=errors) == 3
    assert solver.value == 3


def test_patience_counts_epochs_in_a_row():
    history = History()
    errors = errors_of([5, 6, 4, 5, 3, 4, 4, 9])
    train(Counting(), history, rule(patience=2), validation_error=errors)
    assert len(history) == 7


def test_patience_begins_after_the_warm_up_and_the_best_may_be_in_it():
    errors = errors_of([1.0, 5.0, 5.0, 5.0, 4.0, 4.5, 4.5, 3.0])
    solver, history = Counting(), History()
    waits = StoppingRule(8, 0.0, 2, warm_up=4)
    assert train(solver, history, waits, validation_error=errors) == 1
    assert len(history) == 7
    assert solver.value == 1


def test_callbacks_see_each_epoch_and_may_stop():
    seen, others = [], []

    def callback(state):
        seen.append(
            (state.epoch, state.record.objective, float(state.arrays["user_factors"][0, 0]))
        )
        assert state.history[-1] is state.record
        return state.epoch == 3

    train(Counting(), History(), rule(), callbacks=[callback, others.append])
    assert seen == [(1, 100, 1), (2, 50, 2), (3, 100 / 3, 3)]
    assert len(others) == 3


def test_only_true_stops():
    history = History()
    train(Counting(), history, rule(3), callbacks=[lambda state: state])
    assert len(history) == 3


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_an_objective_that_is_not_finite_is_divergence(bad):
    solver, history = Counting([3, 2, bad]), History()
    solver.learning_rate = 0.5
    with pytest.raises(DivergenceError, match=r"epoch 3.*try something else") as caught:
        train(solver, history, rule())
    assert caught.value.epoch == 3
    assert caught.value.learning_rate == 0.5
    assert solver.value == 2
    assert len(history) == 2


def test_a_factor_that_is_not_finite_is_divergence():
    class Bursting(Counting):
        def epoch(self, number):
            super().epoch(number)
            if number == 2:
                self.arrays["user_factors"][...] = np.inf
            return 1.0

    solver = Bursting()
    with pytest.raises(DivergenceError, match="epoch 2"):
        train(solver, History(), rule())
    assert solver.value == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
def test_an_exception_within_an_epoch_leaves_the_one_before(error):
    class Failing(Counting):
        def epoch(self, number):
            objective = super().epoch(number)
            if number == 3:
                raise error
            return objective

    solver, history = Failing(), History()
    with pytest.raises(error):
        train(solver, history, rule())
    assert solver.value == 2
    assert len(history) == 2


def test_an_exception_of_a_callback_leaves_the_finished_epoch():
    def callback(state):
        if state.epoch == 2:
            raise KeyboardInterrupt

    solver, history = Counting(), History()
    with pytest.raises(KeyboardInterrupt):
        train(solver, history, rule(), callbacks=[callback])
    assert solver.value == 2
    assert len(history) == 2


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_going_on_equals_never_having_stopped(cut):
    history, first = History(), Counting()
    train(first, history, rule(cut))
    second = Counting(start=first.value)
    train(second, history, rule(5 - cut))
    whole = History()
    alone = Counting()
    train(alone, whole, rule(5))
    assert second.value == alone.value
    assert history.objectives.tolist() == whole.objectives.tolist()
    assert history.iterations.tolist() == whole.iterations.tolist()


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_an_interrupted_validation_goes_on_with_its_best_epoch(cut):
    errors = [0.9, 0.7, 0.75, 0.71, 0.1]

    def interrupt(state):
        if state.epoch == cut:
            raise KeyboardInterrupt

    def error_at(solver):
        return lambda: errors[int(solver.value) - 1]

    history, first = History(), Counting()
    with pytest.raises(KeyboardInterrupt):
        train(
            first,
            history,
            rule(patience=2),
            validation_error=error_at(first),
            callbacks=[interrupt],
        )
    second = Counting(start=first.value, best=first.best)
    kept = train(second, history, rule(patience=2), validation_error=error_at(second))
    assert kept == second.value == 2
    assert len(history) == 4


def test_a_warm_start_has_to_beat_the_epoch_that_it_starts_from():
    history = History()
    history.record(1, objective=1.0, seconds=0.0, validation=0.5)
    solver = Counting(start=1)
    errors = errors_of([0.5, 0.8, 0.9])  # the first one is that of the start
    assert train(solver, history, rule(patience=2), validation_error=errors) == 1
    assert solver.value == 1


def test_epochs_count_from_the_history_for_any_start():
    for start, length in itertools.product([0, 3], [1, 2]):
        history = History()
        if start:
            history.record(start, objective=9e9, seconds=1.0)
        train(Counting([9, 8, 7, 6, 5, 4]), history, rule(length))
        assert history[-1].iteration == start + length
