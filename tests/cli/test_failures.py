"""Exit codes and messages, each of one line."""

import re

import pytest

from cli.commands import fit
from matfact.cli import _fit, main
from matfact.exceptions import BackendError


def test_a_bad_file(tmp_path, capsys):
    path = tmp_path / "bad.csv"
    path.write_text("a,b,3\na,c,many\n")
    assert fit(path) == 2
    assert capsys.readouterr().err == (
        f"matfact: {path}, line 2: the rating is 'many'; "
        "a rating must be a finite number such as 4 or 3.5\n"
    )


@pytest.mark.parametrize(
    ("n_ratings", "holdout", "code"), [(1, 0, 2), (2, 0, 0), (2, 0.5, 2), (3, 0.3, 0)]
)
def test_few_ratings(tmp_path, capsys, n_ratings, holdout, code):
    path = tmp_path / "few.csv"
    path.write_text("\n".join(f"{n},x,{n}" for n in range(n_ratings)))
    assert fit(path, "--holdout", holdout) == code
    assert ("leave too few to train" in capsys.readouterr().err) == (code == 2)


@pytest.mark.parametrize("learning_rate", [5, 50, 1e30])
def test_divergence(ratings_file, tmp_path, capsys, learning_rate):
    path = tmp_path / "model.npz"
    assert fit(ratings_file, "--learning-rate", learning_rate, "--out", path) == 1
    assert re.fullmatch(
        rf"matfact: training diverged in iteration \d+ at learning rate "
        rf"{re.escape(f'{learning_rate:g}')}; lower --learning-rate\n",
        capsys.readouterr().err,
    )
    assert not path.exists()


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "not enough memory; lower --features"),
        (OSError(5, "Input/output error"), 1, "[Errno 5] Input/output error"),
        (BackendError("two\nlines"), 1, "two lines"),
    ],
)
def test_exit_codes(ratings_file, capsys, monkeypatch, error, code, message):
    def fail(*_):
        raise error

    monkeypatch.setattr(_fit, "train", fail)
    assert fit(ratings_file) == code
    assert capsys.readouterr().err == f"matfact: {message}\n"


def test_a_mistake_of_ours_is_not_hidden(ratings_file, monkeypatch):
    monkeypatch.setattr(_fit, "train", None)
    with pytest.raises(TypeError):
        fit(ratings_file)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: {demo,fit,info}"),
        (["sing"], "invalid choice: 'sing'"),
        (["fit"], "the following arguments are required: FILE"),
        (["fit", "x", "--features", "0"], "'0' is not an integer of at least 1"),
        (["fit", "x", "--features", "2.5"], "'2.5' is not an integer of at least 1"),
        (["fit", "x", "--iterations", "0"], "'0' is not an integer of at least 1"),
        (["fit", "x", "--learning-rate", "0"], "'0' is not a finite number above 0"),
        (["fit", "x", "--learning-rate", "nan"], "'nan' is not a finite number above 0"),
        (["fit", "x", "--learning-rate", "inf"], "'inf' is not a finite number above 0"),
        (["fit", "x", "--learning-rate", "fast"], "'fast' is not a finite number above 0"),
        (["fit", "x", "--holdout", "1"], "'1' is not a share, 0 <= SHARE < 1"),
        (["fit", "x", "--holdout", "-0.1"], "'-0.1' is not a share"),
        (["fit", "x", "--seed", "-1"], "'-1' is not an integer of at least 0"),
        (["fit", "x", "--threads", "0"], "'0' is not an integer from 1 to 1024"),
        (["fit", "x", "--threads", "1025"], "'1025' is not an integer from 1 to 1024"),
        (["fit", "x", "--delimiter", "|"], "argument --delimiter: invalid choice"),
    ],
)
def test_bad_arguments_take_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert message in errors
    assert "--help)" in errors
