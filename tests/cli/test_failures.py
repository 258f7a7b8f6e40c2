"""Exit codes and messages, each of one line."""

import re

import pytest

from cli.commands import fit, run
from matfact.cli import _fit, main
from matfact.exceptions import BackendError


def test_a_bad_file(write, capsys):
    path = write("a,b,3\na,c,many\n")
    assert fit(path) == 2
    assert capsys.readouterr().err == (
        f"matfact: {path}, line 2: the rating is 'many'; "
        "a rating must be a finite number such as 4 or 3.5\n"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--user", "who"), "line 1 does not have the columns ['who']"),
        (("--user", 1), "the columns are [1, 1, 2], so 1 would be read twice"),
        (("--user", 7), "line 1 has too few columns"),
    ],
)
def test_columns_that_are_not_there(ratings_file, capsys, options, message):
    assert fit(ratings_file, *options) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith(f"matfact: {ratings_file}: ")
    assert message in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("n_ratings", "options", "message"),
    [
        (1, (), None),
        (1, ("--holdout", 0.9), "1 ratings, 1 of them held out and 0 for validation, leave none"),
        (3, ("--holdout", 0.3), None),
        (3, ("--holdout", 0.3, "--validation", 0.8), "1 of them held out and 2 for validation"),
        (3, ("--model", "gd"), "0.1 of 3 ratings is not one to validate on"),
        (3, ("--model", "gd", "--validation", 0), None),
        (3, ("--model", "gd", "--validation", 0.4), None),
    ],
)
def test_few_ratings(write, capsys, n_ratings, options, message):
    path = write("\n".join(f"{n},x,{n}" for n in range(n_ratings)))
    assert fit(path, *options) == (0 if message is None else 2)
    errors = capsys.readouterr().err
    assert message in errors if message else errors == ""


@pytest.mark.parametrize(
    ("model", "learning_rate"), [("gd", 5), ("gd", 50), ("gd", 1e30), ("sgd", 1e30)]
)
def test_divergence(ratings_file, tmp_path, capsys, model, learning_rate):
    path = tmp_path / "model.npz"
    options = "--regularization", 0, "--learning-rate", learning_rate, "--out", path
    assert fit(ratings_file, "--model", model, *options) == 1
    rate = re.escape(f"{learning_rate:g}")
    assert re.fullmatch(
        rf"matfact: training diverged in epoch \d+; lower --learning-rate, which is {rate}\n",
        capsys.readouterr().err,
    )
    assert not path.exists()


def test_divergence_without_a_learning_rate(write, capsys):
    path = write("\n".join(f"{n % 7},{n % 5},{n}e30" for n in range(1, 35)))
    assert fit(path, "--holdout", 0) == 1
    assert re.fullmatch(
        r"matfact: training diverged in epoch \d+; raise --regularization, and look for huge "
        r"ratings in the file\n",
        capsys.readouterr().err,
    )


def test_ratings_and_parameters_that_a_model_refuses(write, capsys):
    path = write("a,x,1\na,y,-2\nb,x,3\n")
    assert fit(path, "--model", "nmf", "--holdout", 0) == 2
    assert "the rating of user a for item y is -2.0" in capsys.readouterr().err
    options = "--validation", 0, "--learning-rate", 2, "--regularization", 2
    assert fit(path, "--model", "gd", *options) == 2
    assert "regularization is 2.0 at learning rate 2.0" in capsys.readouterr().err
    assert fit(write("a,x,1e39\nb,x,1\n")) == 2
    assert "float32" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("predict", "FILE"), ("evaluate", "FILE"), ("recommend", 7)])
def test_models_that_cannot_be_loaded(ratings_file, tmp_path, capsys, command):
    name, rest = command[0], ratings_file if command[1] == "FILE" else command[1]
    for path, message in (
        (tmp_path / "none.npz", "No such file or directory; give a model that fit --out has"),
        (tmp_path, "give a model that fit --out has written"),
        (ratings_file, "is not a model that can be loaded"),
    ):
        assert run(name, path, rest) == 2
        output, errors = capsys.readouterr()
        assert output == ""
        assert errors.startswith(f"matfact: {path}")
        assert message in errors
        assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "not enough memory; lower --factors"),
        (OSError(5, "Input/output error"), 1, "[Errno 5] Input/output error"),
        (BackendError("two\nlines"), 1, "two lines"),
    ],
)
def test_exit_codes(ratings_file, capsys, monkeypatch, error, code, message):
    def fail(*_, **__):
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
        ([], "required: {fit,predict,evaluate,recommend,demo,info}"),
        (["sing"], "invalid choice: 'sing'"),
        (["fit"], "the following arguments are required: FILE"),
        (["fit", "x", "--model", "svd"], "argument --model: invalid choice: 'svd'"),
        (["fit", "x", "--factors", "0"], "'0' is not an integer of at least 1"),
        (["fit", "x", "--features", "2.5"], "'2.5' is not an integer of at least 1"),
        (["fit", "x", "--iterations", "0"], "'0' is not an integer of at least 1"),
        (["fit", "x", "--learning-rate", "0"], "'0' is not a finite number above 0"),
        (["fit", "x", "--learning-rate", "nan"], "'nan' is not a finite number above 0"),
        (["fit", "x", "--learning-rate", "inf"], "'inf' is not a finite number above 0"),
        (["fit", "x", "--learning-rate", "fast"], "'fast' is not a finite number above 0"),
        (["fit", "x", "--regularization", "-1"], "'-1' is not a finite number of at least 0"),
        (["fit", "x", "--regularization", "nan"], "'nan' is not a finite number of at least 0"),
        (["fit", "x", "--holdout", "1"], "'1' is not a share, 0 <= SHARE < 1"),
        (["fit", "x", "--holdout", "-0.1"], "'-0.1' is not a share"),
        (["fit", "x", "--validation", "1"], "'1' is not a share"),
        (["fit", "x", "--seed", "-1"], "'-1' is not an integer from 0 to 4294967295"),
        (["fit", "x", "--seed", "4294967296"], "is not an integer from 0 to 4294967295"),
        (["fit", "x", "--threads", "0"], "'0' is not an integer from 1 to 1024"),
        (["fit", "x", "--threads", "1025"], "'1025' is not an integer from 1 to 1024"),
        (["fit", "x", "--delimiter", "|"], "argument --delimiter: invalid choice"),
        (["fit", "x", "--duplicates", "first"], "argument --duplicates: invalid choice"),
        (["predict"], "the following arguments are required: MODEL"),
        (["predict", "m", "x", "--unknown", "zero"], "argument --unknown: invalid choice"),
        (["evaluate", "m"], "the following arguments are required: FILE"),
        (["recommend"], "the following arguments are required: MODEL"),
        (["recommend", "m", "7", "-n", "0"], "'0' is not an integer of at least 1"),
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
