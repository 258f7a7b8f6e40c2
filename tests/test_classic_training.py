"""train_model: its checks, and how it ends early, diverges and is interrupted."""

from copy import deepcopy

import numpy as np
import pytest

from matfact import matrix_factorization
from matfact.exceptions import DivergenceError
from matfact.training import History
from reference import assert_close, problem

# (shape, fraction of missing cells): the paths that a long training takes.
PATHS = {
    "full": ((8, 6, 3), 0.0),
    "compressed, tall": ((180, 12, 4), 0.0),
    "compressed, wide": ((12, 180, 4), 0.0),
    "filled": ((30, 20, 4), 0.2),
    "observed": ((30, 20, 4), 0.7),
}
each_path = pytest.mark.parametrize("path", PATHS)


def new_model(path, **options):
    (n_users, n_items, k), missing = PATHS[path]
    data, _, _ = problem(n_users, n_items, k, missing)
    model = matrix_factorization(data, k, **({"random_state": 0, "verbose": False} | options))
    assert model._problem.path_for(500, k) == path.split(",")[0]
    return model


@pytest.mark.parametrize(
    ("iterations", "checks"),
    [(0, []), (1, [1]), (50, [1]), (51, [1, 51]), (101, [1, 51, 101]), (149, [1, 51, 101])],
)
def test_checks_are_after_1_51_101_iterations(backend, iterations, checks, capsys):
    model = new_model("full", verbose=True)
    model.train_model(0.1, iterations)
    lines = capsys.readouterr().out.splitlines()
    assert isinstance(model.history_, History)
    assert model.history_.iterations.tolist() == checks
    assert [float(line) for line in lines] == model.history_.objectives.tolist()
    assert (np.diff(model.history_.seconds) >= 0).all()


@each_path
def test_checks_hold_the_objective(backend, path, capsys):
    model = new_model(path)
    model.train_model(0.05, 51)
    assert capsys.readouterr().out == ""
    assert model.history_[-1].objective == pytest.approx(model.MSE(), rel=1e-9)
    again = new_model(path)
    again.train_model(0.05, 1)
    assert model.history_[0].objective == pytest.approx(again.MSE(), rel=1e-9)


@each_path
def test_verbose_does_not_change_a_bit(backend, path):
    loud, quiet = new_model(path, verbose=True), new_model(path)
    for model in (loud, quiet):
        model.train_model(0.05, 120)
    assert loud.user_features.tobytes() == quiet.user_features.tobytes()
    assert loud.item_features.tobytes() == quiet.item_features.tobytes()
    assert loud.history_.objectives.tolist() == quiet.history_.objectives.tolist()


def test_the_default_trains_1000_iterations_at_0_1(backend):
    one, other = new_model("filled"), new_model("filled")
    one.train_model()
    other.train_model(0.1, 1000)
    assert one.user_features.tobytes() == other.user_features.tobytes()
    assert one.history_.iterations.tolist() == list(range(1, 1000, 50))


def test_no_iteration_changes_nothing(backend):
    model = new_model("full")
    before = model.user_features.copy()
    model.train_model(0.1, 0)
    np.testing.assert_array_equal(model.user_features, before)
    assert len(model.history_) == 0


@each_path
def test_tol_ends_training(backend, path):
    model = new_model(path, tol=0.05)
    model.train_model(0.05, 5000)
    falls = -np.diff(model.history_.objectives) / model.history_.objectives[:-1]
    assert (falls[:-1] >= 0.05).all()
    assert falls[-1] < 0.05
    assert model.history_[-1].iteration < 4951
    plain = new_model(path)
    plain.train_model(0.05, model.history_[-1].iteration)
    assert_close(model.user_features, plain.user_features, 1e-9)


def test_tol_of_zero_ends_when_nothing_falls(backend):
    model = matrix_factorization(np.full((2, 2), 0.25), 1, tol=0, verbose=False)
    model.user_features[:] = model.item_features[:] = 0.5
    model.train_model(0.1, 1000)
    assert model.history_.iterations.tolist() == [1, 51]
    assert model.MSE() == 0


@each_path
def test_divergence(backend, path):
    model = new_model(path)
    model.train_model(0.01, 60)
    with pytest.raises(DivergenceError) as caught:
        model.train_model(100.0, 500)
    error = caught.value
    assert error.learning_rate == 100.0
    assert 1 < error.epoch < 20
    message = str(error)
    assert f"iteration {error.epoch} gave values that are not finite" in message
    assert "learning_rate=100" in message
    assert "lower it" in message
    assert f"iteration {error.epoch - 1}" in message
    assert np.isfinite(model.user_features).all()
    assert np.isfinite(model.item_features).all()

    same = new_model(path)
    same.train_model(0.01, 60)
    for _ in range(error.epoch - 1):
        same.update_user_features(100.0)
        same.update_item_features(100.0)
    assert_close(model.user_features, same.user_features, 1e-6)
    assert_close(model.item_features, same.item_features, 1e-6)


@each_path
def test_training_goes_on_after_divergence(backend, path):
    model = new_model(path)
    start = model.user_features.copy(), model.item_features.copy()
    with pytest.raises(DivergenceError):
        model.train_model(1e3, 100)
    model.user_features, model.item_features = start
    fresh = new_model(path)
    for each in (model, fresh):
        each.train_model(0.05, 20)
    np.testing.assert_array_equal(model.user_features, fresh.user_features)


@pytest.mark.parametrize("side", ["user", "item"])
def test_divergence_of_a_half_sweep(backend, side):
    model = new_model("full")
    before = model.user_features.copy(), model.item_features.copy()
    with pytest.raises(DivergenceError) as caught:
        getattr(model, f"update_{side}_features")(1e308)
    assert caught.value.epoch == 1
    np.testing.assert_array_equal(model.user_features, before[0])
    np.testing.assert_array_equal(model.item_features, before[1])


@pytest.mark.parametrize("shape", [(300, 20, 4), (20, 300, 4)], ids=["tall", "wide"])
def test_ratings_whose_squares_overflow_are_not_compressed(backend, shape):
    data, _, _ = problem(*shape)
    model = matrix_factorization(data * 1e160, shape[2], random_state=0, verbose=False)
    direct = matrix_factorization(data * 1e160, shape[2], random_state=0, verbose=False)
    assert model._problem.path_for(100, shape[2]) == "compressed"
    with pytest.raises(DivergenceError) as caught:
        model.train_model(0.01, 100)
    for _ in range(caught.value.epoch - 1):
        direct.train_model(0.01, 1)
    assert np.isfinite(model.user_features).all()
    assert_close(model.user_features, direct.user_features, 1e-9)


class Interruption:
    """Kernels that behave as under Ctrl-C in the call number `call` of a function.

    The kernel finishes `iterations` of the block and raises, as it does when a signal arrives.
    """

    def __init__(self, kernel, name, call, iterations=7):
        self.kernel, self.name, self.call, self.iterations = kernel, name, call, iterations

    def __getattr__(self, name):
        function = getattr(self.kernel, name)
        if name != self.name:
            return function

        def interrupted(*arguments):
            self.call -= 1
            if self.call:
                return function(*arguments)
            if name.endswith("_iterations"):
                *others, _, n_threads = arguments
                function(*others, self.iterations, n_threads)
            raise KeyboardInterrupt

        return interrupted


@each_path
def test_ctrl_c_leaves_the_last_finished_iteration(backend, path, monkeypatch):
    kernel = f"{path.split(',')[0]}_iterations"
    model = new_model(path)
    with monkeypatch.context() as patch:
        patch.setattr("matfact.training.gradient_descent.gd", Interruption(backend, kernel, call=3))
        with pytest.raises(KeyboardInterrupt):
            model.train_model(0.05, 500)
    assert model.history_.iterations.tolist() == [1, 51]
    same = new_model(path)
    same.train_model(0.05, 51 + 7)
    assert_close(model.user_features, same.user_features, 1e-9)
    assert_close(model.item_features, same.item_features, 1e-9)
    model.train_model(0.05, 10)
    same.train_model(0.05, 10)
    assert_close(model.user_features, same.user_features, 1e-9)


@pytest.mark.parametrize("path", ["compressed, tall", "compressed, wide"])
class TestInterruptedCompression:
    def interrupt(self, model, backend, monkeypatch, name, call):
        with monkeypatch.context() as patch:
            patch.setattr("matfact.training.gradient_descent.gd", Interruption(backend, name, call))
            with pytest.raises(KeyboardInterrupt):
                model.train_model(0.05, 500)

    def test_while_compressing(self, backend, path, monkeypatch):
        model = new_model(path)
        before = model.user_features.copy(), model.item_features.copy()
        self.interrupt(model, backend, monkeypatch, "compress", 1)
        np.testing.assert_array_equal(model.user_features, before[0])
        np.testing.assert_array_equal(model.item_features, before[1])

    def test_while_expanding_at_the_end(self, backend, path, monkeypatch):
        """The work is taken up again when the factors are read."""
        model, same = new_model(path), new_model(path)
        same.train_model(0.05, 500)
        n_calls = len(same.history_) + 1  # one for each block of iterations
        self.interrupt(model, backend, monkeypatch, "expand", n_calls + 1)
        np.testing.assert_array_equal(model.user_features, same.user_features)
        np.testing.assert_array_equal(model.item_features, same.item_features)

    def interrupted_model(self, backend, path, monkeypatch):
        model = new_model(path)
        self.interrupt(model, backend, monkeypatch, "compressed_iterations", 3)
        same = new_model(path)
        same.train_model(0.05, 58)
        return model, same

    def test_mse_sees_the_state(self, backend, path, monkeypatch):
        model, same = self.interrupted_model(backend, path, monkeypatch)
        assert model.MSE() == pytest.approx(same.MSE(), rel=1e-9)

    def test_assigning_one_side_keeps_the_other(self, backend, path, monkeypatch):
        model, same = self.interrupted_model(backend, path, monkeypatch)
        model.user_features = np.ones_like(same.user_features)
        assert_close(model.item_features, same.item_features, 1e-9)
        np.testing.assert_array_equal(model.user_features, 1.0)

    def test_other_data_do_not_change_it(self, backend, path, monkeypatch):
        model, same = self.interrupted_model(backend, path, monkeypatch)
        model.data = np.ones_like(model.data)
        assert_close(model.user_features, same.user_features, 1e-9)

    def test_a_copy_has_it_too(self, backend, path, monkeypatch):
        model, same = self.interrupted_model(backend, path, monkeypatch)
        assert_close(deepcopy(model).user_features, same.user_features, 1e-9)
