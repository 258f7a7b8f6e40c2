"""The choice of a path, and the problems that the classic class and the command line train on."""

import numpy as np
import pytest

from matfact.exceptions import DivergenceError
from matfact.ratings import Ratings
from matfact.training import _compressed
from matfact.training.gradient_descent import DenseProblem, ObservedProblem
from reference import NAIVE, assert_close, naive_iterations, naive_squared_error, problem

PATHS = {
    "full": (30, 20, 4, 0.0, 3),
    "compressed": (180, 12, 4, 0.0, 60),
    "filled": (30, 20, 4, 0.2, 3),
    "observed": (30, 20, 4, 0.7, 3),
}
each_path = pytest.mark.parametrize("path", PATHS)
each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def steps(shape, rate):
    return 2 * rate / shape[1], 2 * rate / shape[0]


@each_path
@each_dtype
def test_a_dense_problem_takes_each_path(backend, path, dtype):
    *shape, missing, n_iterations = PATHS[path]
    ratings, users, items = problem(*shape, missing, dtype=dtype)
    dense = DenseProblem(ratings)
    assert dense.path_for(n_iterations, shape[2]) == path
    expected = naive_iterations(ratings, users, items, *steps(ratings.shape, 0.05), n_iterations)
    dense.iterate(users, items, 0.05, n_iterations, 1)
    assert_close(users, expected[0], NAIVE[np.dtype(dtype)])
    assert_close(items, expected[1], NAIVE[np.dtype(dtype)])
    error = naive_squared_error(ratings, *expected)
    tolerance = 1e-9 if dtype == np.float64 else 1e-3
    assert dense.squared_error(users, items, 1) == pytest.approx(error, rel=tolerance)


@each_dtype
def test_an_observed_problem_needs_no_dense_matrix(backend, dtype):
    ratings, users, items = problem(30, 20, 4, 0.3, dtype=dtype)
    sparse = ObservedProblem(Ratings.from_matrix(ratings, dtype=dtype))
    assert sparse.path_for(1000, 4) == "observed"
    expected = naive_iterations(ratings, users, items, *steps(ratings.shape, 0.05), 4)
    sparse.iterate(users, items, 0.05, 4, 1)
    assert_close(users, expected[0], NAIVE[np.dtype(dtype)])
    assert_close(items, expected[1], NAIVE[np.dtype(dtype)])


@each_path
def test_half_sweeps(backend, path):
    *shape, missing, _ = PATHS[path]
    ratings, users, items = problem(*shape, missing)
    dense = DenseProblem(ratings)
    user_step, item_step = steps(ratings.shape, 0.05)
    expected = naive_iterations(ratings, users, items, user_step, 0.0, 2)
    dense.iterate(users, items, 0.05, 2, 1, sweep="users")
    assert_close(users, expected[0], 1e-10)
    assert_close(items, expected[1], 0)
    expected = naive_iterations(ratings, users, items, 0.0, item_step, 2)
    dense.iterate(users, items, 0.05, 2, 1, sweep="items")
    assert_close(users, expected[0], 0)
    assert_close(items, expected[1], 1e-10)


@each_path
def test_divergence_tells_epoch_and_rate(backend, path):
    *shape, missing, _ = PATHS[path]
    ratings, users, items = problem(*shape, missing)
    with pytest.raises(DivergenceError, match="lower it") as caught:
        DenseProblem(ratings).iterate(users, items, 50.0, 1000, 1)
    assert caught.value.learning_rate == 50.0
    assert 1 < caught.value.epoch < 20
    assert np.isfinite(users).all()
    assert np.isfinite(items).all()


def test_the_fraction_of_missing_cells_decides():
    ratings = np.ones((100, 10))
    assert DenseProblem(ratings.copy()).path_for(1, 3) == "full"
    for n_missing, path in [(1, "filled"), (450, "filled"), (451, "observed"), (999, "observed")]:
        ratings.flat[:n_missing] = np.nan
        assert DenseProblem(ratings.copy()).path_for(1000, 3) == path


def test_compression_is_chosen_when_it_pays():
    tall, wide = DenseProblem(np.ones((4000, 50))), DenseProblem(np.ones((50, 4000)))
    square = DenseProblem(np.ones((400, 400)))
    for long in (tall, wide):
        assert long.path_for(1, 16) == "full"
        assert long.path_for(20, 16) == "compressed"
    assert square.path_for(10, 16) == "full"
    assert square.path_for(100, 16) == "compressed"
    assert square.path_for(1000, 600) == "full"  # more features than rows: nothing to gain
    assert DenseProblem(np.ones((60, 50))).path_for(1000, 8) == "full"  # too small to matter


@pytest.mark.parametrize("shape", [(180, 12, 4), (12, 180, 4)], ids=["tall", "wide"])
class TestCompressedRun:
    def start(self, shape, scale=1.0, n_iterations=200):
        ratings, users, items = problem(*shape)
        run = DenseProblem(ratings * scale).start(users, items, n_iterations, 1)
        assert isinstance(run, _compressed.CompressedRun)
        return run, ratings * scale, users, items

    def test_factors_are_written_by_finish(self, backend, shape):
        run, ratings, users, items = self.start(shape)
        before = users.copy(), items.copy()
        run.iterate(0.05, 30, 1)
        assert_close(users, before[0], 0)
        assert_close(items, before[1], 0)
        run.finish(1)
        expected = naive_iterations(ratings, *before, *steps(ratings.shape, 0.05), 30)
        assert_close(users, expected[0], 1e-10)
        assert_close(items, expected[1], 1e-10)

    def test_iterations_after_finish_go_on(self, backend, shape):
        run, ratings, users, items = self.start(shape)
        before = users.copy(), items.copy()
        for n_iterations in (1, 29, 0, 30):
            run.iterate(0.05, n_iterations, 1)
            run.finish(1)
        expected = naive_iterations(ratings, *before, *steps(ratings.shape, 0.05), 60)
        assert_close(users, expected[0], 1e-10)
        assert_close(items, expected[1], 1e-10)

    def test_the_objective_needs_no_factors(self, backend, shape):
        run, ratings, users, items = self.start(shape)
        before = users.copy()
        run.iterate(0.05, 30, 1)
        objective = run.squared_error(1)
        assert_close(users, before, 0)  # not written: the cheap form was accurate enough
        run.finish(1)
        assert objective == pytest.approx(naive_squared_error(ratings, users, items), rel=1e-12)

    def test_the_objective_of_the_start(self, backend, shape):
        run, ratings, users, items = self.start(shape)
        expected = naive_squared_error(ratings, users, items)
        assert run.squared_error(1) == pytest.approx(expected, rel=1e-12)

    def test_a_small_objective_is_computed_from_the_factors(self, backend, shape):
        """Its terms cancel: their difference would have few right digits or none."""
        ratings, users, items = problem(*shape)
        ratings = users @ items  # a perfect fit
        users += 1e-6
        dense = DenseProblem(ratings)
        run = dense.start(users, items, 200, 1)
        run.iterate(1e-3, 1, 1)
        objective = run.squared_error(1)
        assert 0 < objective < 1e-6
        assert objective == dense.squared_error(users, items, 1)
        assert objective == pytest.approx(naive_squared_error(ratings, users, items), rel=1e-9)

    def test_an_overflow_of_the_long_factors_is_divergence(self, backend, shape, monkeypatch):
        """They may overflow while their coordinates are finite: the iteration is taken back."""
        run, ratings, users, items = self.start(shape)
        before = users.copy(), items.copy()
        computed = _compressed.CompressedRun._computed_moments

        def overflowing(self, n_threads):
            moments = computed(self, n_threads)
            moments[1][0, 0] = np.inf
            return moments

        monkeypatch.setattr(_compressed.CompressedRun, "_computed_moments", overflowing)
        with pytest.raises(DivergenceError) as caught:
            run.iterate(0.05, 10, 1)
        monkeypatch.undo()
        assert caught.value.epoch == 10
        objective = run.squared_error(1)
        run.finish(1)
        assert objective == pytest.approx(naive_squared_error(ratings, users, items), rel=1e-12)
        expected = naive_iterations(ratings, *before, *steps(ratings.shape, 0.05), 9)
        assert_close(users, expected[0], 1e-10)
        assert_close(items, expected[1], 1e-10)

    def test_factors_that_overflow_after_an_interrupt(self, backend, shape, monkeypatch):
        """Then the state before the interrupted block is the last one known to be good."""
        run, ratings, users, items = self.start(shape)
        before = users.copy(), items.copy()
        run.iterate(0.05, 10, 1)
        advance = _compressed.CompressedRun._advance

        def interrupted(self, *arguments):
            advance(self, *arguments)
            self._state[1][...] = 1e308
            raise KeyboardInterrupt

        monkeypatch.setattr(_compressed.CompressedRun, "_advance", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.iterate(0.05, 10, 1)
        monkeypatch.undo()
        run.finish(1)
        expected = naive_iterations(ratings, *before, *steps(ratings.shape, 0.05), 10)
        assert_close(users, expected[0], 1e-10)
        assert_close(items, expected[1], 1e-10)


def test_commit_survives_an_interrupt_between_two_arrays():
    class Output:
        """An array whose first assignment is followed by Ctrl-C."""

        def __init__(self):
            self.values = []

        def __setitem__(self, key, value):
            self.values.append(value)
            if len(self.values) == 1:
                raise KeyboardInterrupt

    first, second = Output(), np.zeros(2)
    with pytest.raises(KeyboardInterrupt):
        _compressed.commit((first, second), (np.ones(2), np.full(2, 3.0)))
    np.testing.assert_array_equal(first.values[-1], 1.0)
    np.testing.assert_array_equal(second, 3.0)
