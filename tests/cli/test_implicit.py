"""Models of implicit feedback on the command line, and ranking metrics of any model."""

import re

import pytest

from cli.commands import fit, run
from matfact import read_ratings
from matfact.evaluation import evaluate_ranking, random_split
from matfact.persistence import load


def rows_of(output):
    """The lines of a ranking table: {name: [figures]}."""
    line = re.compile(r"^  (\w[\w ]*?) +((?:\d\.\d{4} *)+)$", re.MULTILINE)
    return {name: [*map(float, figures.split())] for name, figures in line.findall(output)}


@pytest.mark.parametrize(("name", "cls"), [("ials", "ImplicitALS"), ("bpr", "BPR")])
def test_fit_reports_lists(ratings_file, tmp_path, capsys, name, cls):
    out = tmp_path / "model.npz"
    options = ("--model", name, "--factors", 6, "--iterations", 8, "--holdout", 0.2, "--out", out)
    assert fit(ratings_file, *options) == 0
    output = capsys.readouterr().out
    model = load(out)
    assert type(model).__name__ == cls
    _, test = random_split(read_ratings(ratings_file), 0.2, random_state=0)
    expected = evaluate_ranking(model, test)
    rows = rows_of(output)
    assert list(rows) == ["most popular", cls]
    for metric, figure in zip(("ndcg", "recall", "hit_rate", "map"), rows[cls], strict=True):
        assert figure == pytest.approx(expected.mean(f"{metric}@10"), abs=1e-4)
    assert f"held-out interactions, {len(expected.users)} users (0 left out)" in output
    assert run("recommend", out, 7, "-n", 3) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_validation_is_told_as_ndcg(ratings_file, capsys):
    assert fit(ratings_file, "--model", "ials", "--factors", 4, "--validation", 0.2) == 0
    assert re.search(r"kept \(validation NDCG 0\.\d{4}\)", capsys.readouterr().out)


def test_learning_rate_of_bpr_only(ratings_file, capsys):
    options = ("--factors", 4, "--iterations", 2, "--learning-rate", 0.05)
    assert fit(ratings_file, "--model", "bpr", *options) == 0
    assert fit(ratings_file, "--model", "ials", *options) == 2
    assert "use --model sgd or gd or bpr" in capsys.readouterr().err


def test_evaluate_ranking_of_any_model(model_file, ratings_file, capsys):
    options = ("--ranking", "--k", 5, "--at-least", 4)
    assert run("evaluate", model_file, ratings_file, *options) == 0
    rows = rows_of(capsys.readouterr().out)
    expected = evaluate_ranking(load(model_file), read_ratings(ratings_file), k=5, at_least=4)
    assert rows["ALS"][0] == pytest.approx(expected.mean("ndcg@5"), abs=1e-4)
    assert "most popular" in rows
