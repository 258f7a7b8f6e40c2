"""``fit``: its report, and the effect of each option."""

import gzip
import re

import numpy as np
import pytest

from cli.commands import errors_in, errors_of, fit, rmse_of
from matfact import ALS, BPMF, GD, NMF, SGD, VBMF, _threads, backend_info, read_ratings
from matfact.cli import _fit
from matfact.evaluation import mae, random_split, rmse
from matfact.persistence import load


def test_the_report(ratings_file, capsys):
    assert fit(ratings_file) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    first, second, third, *_ = output.splitlines()
    assert first == (
        "ratings.csv: 3000 ratings from 1 to 5, 120 users, 90 items, 27.78% of the cells"
    )
    assert second == "split by seed 0: 2700 for training, 0 for validation, 300 held out"
    backend = backend_info().backend
    assert re.fullmatch(rf"ALS of 16 factors: \d+ epochs, \d+\.\d\d s \({backend} backend\)", third)
    found = rmse_of(output)
    assert list(found) == ["global mean", "user and item means", "ALS"]
    assert found["ALS"] < found["user and item means"] < found["global mean"]


def test_the_errors_are_those_of_the_estimator(ratings_file, capsys):
    assert fit(ratings_file, "--seed", 4) == 0
    train, test = random_split(read_ratings(ratings_file), 0.1, random_state=4)
    model = ALS(random_state=4).fit(train)
    users, items, truth = test.to_triples()
    predicted = model.predict(users, items)
    constant = np.full(test.n_ratings, train.mean)
    found = errors_of(capsys.readouterr().out)
    assert found["ALS"] == pytest.approx((rmse(truth, predicted), mae(truth, predicted)), abs=6e-5)
    expected = rmse(truth, constant), mae(truth, constant)
    assert found["global mean"] == pytest.approx(expected, abs=6e-5)


CLASSES = {"als": ALS, "vbmf": VBMF, "bpmf": BPMF, "sgd": SGD, "nmf": NMF, "gd": GD}
WITHOUT = {
    ("als", "learning_rate"),
    ("nmf", "learning_rate"),
    ("vbmf", "learning_rate"),
    ("bpmf", "learning_rate"),
    ("vbmf", "regularization"),
    ("bpmf", "regularization"),
    *((name, "link") for name in CLASSES if name not in ("vbmf", "bpmf")),
}


@pytest.mark.parametrize(("name", "model"), CLASSES.items())
def test_each_model_with_its_defaults(ratings_file, tmp_path, capsys, name, model):
    path = tmp_path / "model.npz"
    assert fit(ratings_file, "--model", name, "--out", path) == 0
    output = capsys.readouterr().out
    n_factors = 16 if name in ("vbmf", "bpmf") else model().n_factors  # who chooses by itself
    assert f"\n{model.__name__} of {n_factors} factors: " in output
    found = rmse_of(output)
    assert found[model.__name__] < found["global mean"]
    loaded = load(path)
    assert type(loaded) is model
    assert loaded.get_params() == model(random_state=0).get_params()
    # Only plain descent is stopped by a validation part unless one is asked for.
    assert ("270 for validation" in output) == (name == "gd")
    assert np.isnan(loaded.history_.validations).all() == (name != "gd")


@pytest.mark.parametrize("model", CLASSES)
@pytest.mark.parametrize(
    ("option", "value", "parameter"),
    [
        ("--factors", 3, "n_factors"),
        ("--features", 4, "n_factors"),
        ("--iterations", 2, "max_iter"),
        ("--regularization", 0.25, "regularization"),
        ("--learning-rate", 0.05, "learning_rate"),
        ("--link", "users", "link"),
        ("--seed", 5, "random_state"),
    ],
)
def test_options_are_parameters_of_the_model(
    ratings_file, tmp_path, capsys, model, option, value, parameter
):
    path = tmp_path / "model.npz"
    arguments = ratings_file, "--model", model, option, value, "--out", path
    if (model, parameter) in WITHOUT:
        assert fit(*arguments) == 2
        assert capsys.readouterr().err.startswith(
            f"matfact: {option} is given, and --model {model} has none; leave it out, or use "
            "--model "
        )
        return
    assert fit(*arguments) == 0
    assert load(path).get_params()[parameter] == value


def test_without_a_held_out_part(ratings_file, capsys):
    assert fit(ratings_file, "--holdout", 0) == 0
    output = capsys.readouterr().out
    assert "3000 for training, 0 for validation, 0 held out" in output
    assert errors_in(output) == []


def test_a_validation_part(ratings_file, tmp_path, capsys):
    path = tmp_path / "model.npz"
    assert fit(ratings_file, "--holdout", 0.5, "--validation", 0.2, "--out", path) == 0
    output = capsys.readouterr().out
    assert "1200 for training, 300 for validation, 1500 held out" in output
    kept = re.search(r"epoch (\d+) of (\d+) kept \(validation RMSE (\d\.\d{4})\)", output)
    model = load(path)
    assert (int(kept[1]), int(kept[2])) == (model.best_iteration_, model.n_iter_)
    assert float(kept[3]) == pytest.approx(model.history_.validations.min(), abs=6e-5)


def test_gd_can_do_without_a_validation_part(ratings_file, capsys):
    assert fit(ratings_file, "--model", "gd", "--validation", 0, "--iterations", 5) == 0
    output = capsys.readouterr().out
    assert "2700 for training, 0 for validation" in output
    assert "GD of 16 factors: 5 epochs" in output


def test_it_says_when_the_iterations_were_too_few(ratings_file, capsys):
    assert fit(ratings_file, "--iterations", 2, "--validation", 0.1) == 0
    assert "the last epoch is the best one so far" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_report(ratings_file, capsys):
    outputs = []
    for seed in (1, 1, 2):
        assert fit(ratings_file, "--seed", seed) == 0
        outputs.append(errors_of(capsys.readouterr().out))
    assert outputs[0] == outputs[1] != outputs[2]


def test_equal_ratings(write, capsys):
    assert fit(write("\n".join(f"{n},{n % 7},3" for n in range(40)))) == 0
    assert rmse_of(capsys.readouterr().out)["ALS"] == 0.0


@pytest.mark.parametrize("scale", [1e-1, 1e3])
def test_the_unit_of_the_ratings_does_not_matter(ratings_file, write, capsys, scale):
    rows = [line.split(",") for line in ratings_file.read_text().splitlines()[1:]]
    path = write("\n".join(f"{u},{i},{float(r) * scale!r}" for u, i, r, _ in rows))
    assert fit(ratings_file) == fit(path) == 0
    first, second = errors_in(capsys.readouterr().out)
    assert second["ALS"][0] == pytest.approx(scale * first["ALS"][0], abs=scale * 1e-3 + 5e-5)


def test_other_forms_of_the_file(ratings_file, tmp_path, capsys):
    path = tmp_path / "ratings.tsv.gz"
    path.write_bytes(gzip.compress(ratings_file.read_bytes().replace(b",", b"\t")))
    assert fit(path) == fit(path, "--delimiter", "tab") == fit(ratings_file) == 0
    first, second, third = errors_in(capsys.readouterr().out)
    assert first == second == third


def test_parquet(ratings_file, tmp_path, capsys):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / "ratings.parquet"
    pandas.read_csv(ratings_file).to_parquet(path)
    assert fit(path) == fit(ratings_file) == 0
    first, second = errors_in(capsys.readouterr().out)
    assert first == second


@pytest.mark.parametrize("columns", [("who", "what", "stars"), (1, 3, 0)])
def test_columns(ratings_file, write, capsys, columns):
    rows = [line.split(",") for line in ratings_file.read_text().splitlines()[1:]]
    path = write("stars,who,when,what\n" + "\n".join(f"{r},{u},{t},{i}" for u, i, r, t in rows))
    user, item, rating = columns
    assert fit(path, "--user", user, "--item", item, "--rating", rating) == fit(ratings_file) == 0
    first, second = errors_in(capsys.readouterr().out)
    assert first == second


def test_duplicates(ratings_file, write, capsys):
    path = write(ratings_file.read_text() + "\n" + ratings_file.read_text().partition("\n")[2])
    assert fit(path) == 2
    assert "has rated item" in capsys.readouterr().err
    assert fit(path, "--duplicates", "last") == fit(ratings_file) == 0
    first, second = errors_in(capsys.readouterr().out)
    assert first == second


def test_threads_reach_the_kernels_and_change_no_digit(ratings_file, capsys, monkeypatch):
    seen = []
    train = _fit.train

    def spy(*arguments, **options):
        seen.append(_threads.resolve_n_threads(None))
        return train(*arguments, **options)

    monkeypatch.setattr(_fit, "train", spy)
    for options in ([], ["--threads", 1], ["--threads", 3]):
        assert fit(ratings_file, *options) == 0
    assert seen == [0, 1, 3]
    first, second, third = errors_in(capsys.readouterr().out)
    assert first == second == third
