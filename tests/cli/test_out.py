"""``fit --out``: what the file holds, and when none is written."""

import json

import numpy as np
import pytest

from cli.commands import fit, held_out_rmse
from matfact.evaluation import rmse
from matfact.ratings.files import read_ratings_file
from matfact.ratings.splits import random_split


def test_the_file_predicts_what_the_report_says(ratings_file, tmp_path, capsys):
    path = tmp_path / "model.npz"
    assert fit(ratings_file, "--seed", 4, "--out", path) == 0
    output = capsys.readouterr().out
    assert output.splitlines()[-1] == f"written to {path}"

    with np.load(path, allow_pickle=False) as saved:
        model = dict(saved)
    table = read_ratings_file(ratings_file)
    assert model["user_ids"].tolist() == table.user_ids.tolist()
    assert model["item_ids"].tolist() == table.item_ids.tolist()
    assert model["item_ids"].dtype.kind == "U"
    rng = np.random.default_rng(4)
    split = random_split(table.n_ratings, test=0.1, validation=0.1, rng=rng)
    users, items, truth = table.part(split.test)
    predicted = (
        model["global_mean"]
        + model["user_offsets"][users]
        + model["item_offsets"][items]
        + np.sum(model["user_factors"][users] * model["item_factors"].T[items], axis=1)
    )
    error = rmse(truth, np.clip(predicted, *model["rating_range"]))
    assert error == pytest.approx(held_out_rmse(output)["factorization"], abs=1e-4)

    metadata = json.loads(str(model["metadata"]))
    assert metadata["format"] == "matfact-fit"
    assert metadata["format_version"] == 1
    assert metadata["seed"] == 4
    assert metadata["held_out_rmse"]["factorization"] == pytest.approx(error, abs=1e-6)


def test_the_name_is_used_as_it_is_and_nothing_else_is_left(ratings_file, tmp_path):
    assert fit(ratings_file, "--out", tmp_path / "model") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_user_without_training_ratings_gets_the_means(tmp_path):
    data, out = tmp_path / "few.csv", tmp_path / "few.npz"
    data.write_text("\n".join(f"{n},{n % 3},{n % 5 + 1}" for n in range(20)))
    assert fit(data, "--out", out) == 0
    with np.load(out, allow_pickle=False) as saved:
        silent = saved["user_offsets"] == 0
        assert silent.any()
        assert not saved["user_factors"][silent].any()


def test_a_file_is_replaced_only_when_asked(ratings_file, tmp_path, capsys):
    path = tmp_path / "model.npz"
    path.write_text("precious")
    assert fit(ratings_file, "--out", path) == 2
    output, errors = capsys.readouterr()
    assert output == ""  # refused before any work
    assert errors == f"matfact: --out {path}: the file exists; add --overwrite to replace it\n"
    assert path.read_text() == "precious"
    assert fit(ratings_file, "--out", path, "--overwrite") == 0
    assert np.load(path, allow_pickle=False)["global_mean"].shape == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [("no/model.npz", "there is no directory"), (".", "this is a directory; give a file name")],
)
def test_places_that_cannot_be_written(ratings_file, tmp_path, capsys, name, message):
    assert fit(ratings_file, "--out", tmp_path / name) == 2
    assert message in capsys.readouterr().err


def test_a_failure_while_writing_leaves_the_old_file(ratings_file, tmp_path, capsys, monkeypatch):
    def fail(stream, **_):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "model.npz"
    path.write_text("precious")
    monkeypatch.setattr(np, "savez", fail)
    assert fit(ratings_file, "--out", path, "--overwrite") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]
