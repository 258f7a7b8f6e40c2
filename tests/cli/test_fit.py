"""``fit``: its report, and the effect of each option."""

import gzip
import re

import pytest

from cli.commands import fit, held_out_rmse, reports
from matfact import _threads, backend_info
from matfact.cli import _fit


def test_the_report(ratings_file, capsys):
    assert fit(ratings_file) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    first, second, third, *_ = output.splitlines()
    assert first == (
        "ratings.csv: 3000 ratings from 1 to 5, 120 users, 90 items, 27.78% of the cells"
    )
    assert second == "split by seed 0: 2430 for training, 270 for validation, 300 held out"
    assert re.fullmatch(
        r"32 features, learning rate 0\.2: iteration \d+ of \d+ kept "
        rf"\(validation RMSE 0\.\d{{4}}\), \d+\.\d\d s \({backend_info().backend} backend\)",
        third,
    )
    found = held_out_rmse(output)
    assert list(found) == ["global mean", "user and item means", "factorization"]
    assert found["factorization"] < found["user and item means"] < found["global mean"]


def test_without_a_held_out_part(ratings_file, capsys):
    assert fit(ratings_file, "--holdout", 0) == 0
    output = capsys.readouterr().out
    assert "2700 for training, 300 for validation, 0 held out" in output
    assert "held-out RMSE" not in output


def test_the_same_seed_gives_the_same_report(ratings_file, capsys):
    outputs = []
    for seed in (1, 1, 2):
        assert fit(ratings_file, "--seed", seed) == 0
        outputs.append(held_out_rmse(capsys.readouterr().out))
    assert outputs[0] == outputs[1] != outputs[2]


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("--features", 3, "3 features"),
        ("--learning-rate", 0.05, "learning rate 0.05"),
        ("--iterations", 4, "iteration 4 of 4 kept"),
        ("--holdout", 0.5, "1500 held out"),
        ("--seed", 5, "split by seed 5"),
    ],
)
def test_each_option_has_its_effect(ratings_file, capsys, option, value, shown):
    assert fit(ratings_file, option, value) == 0
    assert shown in capsys.readouterr().out


def test_it_says_when_the_iterations_were_too_few(ratings_file, capsys):
    assert fit(ratings_file, "--iterations", 3) == 0
    assert "the last iteration is the best one so far" in capsys.readouterr().out


def test_it_says_when_no_iteration_helped(tmp_path, capsys):
    path = tmp_path / "equal.csv"
    path.write_text("\n".join(f"{n},{n % 7},3" for n in range(40)))
    assert fit(path) == 0
    output = capsys.readouterr().out
    assert "no iteration improved on the means" in output
    assert held_out_rmse(output)["factorization"] == 0.0


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_the_unit_of_the_ratings_does_not_matter(ratings_file, tmp_path, capsys, scale):
    path = tmp_path / "scaled.csv"
    rows = [line.split(",") for line in ratings_file.read_text().splitlines()[1:]]
    path.write_text("\n".join(f"{u},{i},{float(r) * scale!r}" for u, i, r, _ in rows))
    assert fit(ratings_file) == fit(path) == 0
    lines = capsys.readouterr().out.splitlines()
    kept = [line.partition(" kept")[0] for line in lines if " kept" in line]
    assert kept[0] == kept[1]


def test_other_forms_of_the_file(ratings_file, tmp_path, capsys):
    path = tmp_path / "ratings.tsv.gz"
    path.write_bytes(gzip.compress(ratings_file.read_bytes().replace(b",", b"\t")))
    assert fit(path) == fit(path, "--delimiter", "tab") == fit(ratings_file) == 0
    first, second, third = reports(capsys.readouterr().out)
    assert first == second == third


def test_threads_reach_the_kernels_and_change_no_digit(ratings_file, capsys, monkeypatch):
    seen = []
    train = _fit.train

    def spy(table, split, settings, rng):
        seen.append((settings.n_threads, _threads.resolve_n_threads(None)))
        return train(table, split, settings, rng)

    monkeypatch.setattr(_fit, "train", spy)
    for options in ([], ["--threads", 1], ["--threads", 3]):
        assert fit(ratings_file, *options) == 0
    assert seen == [(0, 0), (1, 1), (3, 3)]
    first, second, third = reports(capsys.readouterr().out)
    assert first == second == third


def test_a_default_learning_rate_that_diverges_is_halved(ratings_file, capsys, monkeypatch):
    monkeypatch.setattr("matfact.cli._model.LEARNING_RATE", 40.0)
    assert fit(ratings_file) == 0
    found = re.search(r"learning rate ([\d.]+): iteration [1-9]", capsys.readouterr().out)
    assert float(found[1]) < 40.0
