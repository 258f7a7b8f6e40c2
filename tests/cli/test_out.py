"""``fit --out``: what the file holds, and when none is written."""

import pytest

from cli.commands import errors_of, fit, run
from matfact import persistence, read_ratings
from matfact.evaluation import mae, random_split, rmse
from matfact.persistence import load


def test_the_file_predicts_what_the_report_says(ratings_file, tmp_path, capsys):
    path = tmp_path / "model.npz"
    assert fit(ratings_file, "--seed", 4, "--out", path) == 0
    output = capsys.readouterr().out
    assert output.splitlines()[-1] == f"written to {path}"
    train, test = random_split(read_ratings(ratings_file), 0.1, random_state=4)
    users, items, truth = test.to_triples()
    model = load(path)
    predicted = model.predict(users, items)
    expected = rmse(truth, predicted), mae(truth, predicted)
    assert errors_of(output)["ALS"] == pytest.approx(expected, abs=6e-5)
    assert model.ratings_.n_ratings == train.n_ratings == 2700


def test_the_name_is_used_as_it_is_and_nothing_else_is_left(ratings_file, tmp_path):
    assert fit(ratings_file, "--out", tmp_path / "model") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_file_is_replaced_only_when_asked(ratings_file, tmp_path, capsys):
    path = tmp_path / "model.npz"
    path.write_text("precious")
    assert fit(ratings_file, "--out", path) == 2
    output, errors = capsys.readouterr()
    assert output == ""  # refused before any work
    assert errors == f"matfact: --out {path}: the file exists; add --overwrite to replace it\n"
    assert path.read_text() == "precious"
    assert fit(ratings_file, "--out", path, "--overwrite") == 0
    assert load(path).n_factors == 16


@pytest.mark.parametrize(
    ("name", "message"),
    [("no/model.npz", "there is no directory"), (".", "this is a directory; give a file name")],
)
def test_places_that_cannot_be_written(ratings_file, model_file, tmp_path, capsys, name, message):
    assert fit(ratings_file, "--out", tmp_path / name) == 2
    assert message in capsys.readouterr().err
    assert run("predict", model_file, ratings_file, "--out", tmp_path / name) == 2
    assert message in capsys.readouterr().err


def test_a_failure_while_writing_leaves_the_old_file(ratings_file, tmp_path, capsys, monkeypatch):
    def fail(stream, *_):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "model.npz"
    path.write_text("precious")
    monkeypatch.setattr(persistence._archive, "_write_members", fail)
    assert fit(ratings_file, "--out", path, "--overwrite") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]
