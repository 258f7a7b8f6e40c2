"""``predict``: pairs of a file or of the command line, and ids of every kind."""

import csv
import io

import numpy as np
import pytest

from cli.commands import run
from matfact import ALS, Ratings
from matfact.cli import _files
from matfact.persistence import load, save


def predicted(capsys):
    """The table on standard output: header, rows, the last column as numbers."""
    output, errors = capsys.readouterr()
    assert errors == ""
    header, *rows = csv.reader(io.StringIO(output))
    assert header == ["user", "item", "prediction"]
    return [(user, item, float(number)) for user, item, number in rows]


@pytest.fixture
def save_model(tmp_path):
    """Fit a small model with the given ids and save it."""

    def saved(users, items):
        users, items = np.asarray(users), np.asarray(items)
        rows = np.arange(len(users) * len(items)) % 11
        ratings = Ratings.from_triples(
            np.repeat(users, len(items)), np.tile(items, len(users)), rows % 5 + 1
        )
        path = tmp_path / "small.npz"
        save(ALS(n_factors=2, random_state=0).fit(ratings), path)
        return path

    return saved


def test_pairs_of_a_file(model_file, write, capsys):
    path = write("user,item\n7,film 3\n7,film 4\n12,film 3\n")
    assert run("predict", model_file, path) == 0
    table = predicted(capsys)
    assert [row[:2] for row in table] == [("7", "film 3"), ("7", "film 4"), ("12", "film 3")]
    expected = load(model_file).predict([7, 7, 12], ["film 3", "film 4", "film 3"])
    assert [row[2] for row in table] == pytest.approx(expected, rel=1e-5)


def test_a_single_pair(model_file, capsys):
    assert run("predict", model_file, "--user", 7, "--item", "film 3") == 0
    ((user, item, number),) = predicted(capsys)
    assert (user, item) == ("7", "film 3")
    assert number == pytest.approx(load(model_file).predict(7, "film 3"), rel=1e-5)


def test_a_file_of_ratings_will_do(model_file, ratings_file, capsys):
    assert run("predict", model_file, ratings_file) == 0
    assert len(predicted(capsys)) == 3000


@pytest.mark.parametrize("separator", [",", "\t", ";", "::"])
@pytest.mark.parametrize("header", ["", "id_of_user{}title\n"])
def test_separators_and_headers(model_file, write, capsys, separator, header):
    path = write(header.format(separator) + f"7{separator}film 3\n\n8{separator} film 4 \n")
    assert run("predict", model_file, path) == 0
    assert [row[:2] for row in predicted(capsys)] == [("7", "film 3"), ("8", "film 4")]


def test_a_delimiter_that_is_named(model_file, write, capsys):
    path = write("7\tfilm 3\n")
    assert run("predict", model_file, path, "--delimiter", "tab") == 0
    assert len(predicted(capsys)) == 1
    assert run("predict", model_file, path, "--delimiter", "comma") == 2
    assert "line 1: ['7\\tfilm 3'] is not a pair; each line" in capsys.readouterr().err


def test_text_ids(save_model, write, capsys):
    path = save_model(["ann", "bob", "7"], ["x,y", "z", "7"])
    assert run("predict", path, write('user,item\nann,"x,y"\n7,7\n')) == 0
    assert [row[:2] for row in predicted(capsys)] == [("ann", "x,y"), ("7", "7")]
    assert run("predict", path, write("ann,z\n")) == 0  # without a header
    assert len(predicted(capsys)) == 1
    # A first line that may be a pair with a slip in it is not thrown away.
    assert run("predict", path, write("anne,zed\nbob,z\n")) == 2
    assert "users has 1 unknown id: 'anne'" in capsys.readouterr().err


def test_integer_ids(save_model, write, capsys):
    path = save_model([-5, 3, 2**62], [1, 2])
    assert run("predict", path, write(f"-5,1\n{2**62},2\n")) == 0
    assert len(predicted(capsys)) == 2
    assert run("predict", path, "--user", "-5", "--item", 1) == 0
    assert len(predicted(capsys)) == 1
    for other in ("03", "3.0", "x", "٣", "3_0", str(2**70)):
        assert run("predict", path, "--user", other, "--item", 1) == 2
        assert "users has 1 unknown id: " in capsys.readouterr().err
        assert run("predict", path, "--user", other, "--item", 1, "--unknown", "mean") == 0
        assert len(predicted(capsys)) == 1


@pytest.mark.parametrize(
    ("ids", "texts"),
    [
        ([0.5, 2.25], ["0.5", "2.25"]),
        (np.array(["2020-01-01", "2021-02-03"], "M8[D]"), ["2020-01-01", "2021-02-03"]),
        (np.array([4, "four"], dtype=object), ["4", "four"]),
    ],
)
def test_ids_of_other_kinds(save_model, write, capsys, ids, texts):
    path = save_model(ids, [1, 2])
    assert run("predict", path, write("".join(f"{text},2\n" for text in texts))) == 0
    table = predicted(capsys)
    assert [row[0] for row in table] == texts
    expected = load(path).predict(ids, [2, 2])
    assert [row[2] for row in table] == pytest.approx(expected, rel=1e-5)
    assert run("predict", path, "--user", "none", "--item", 2) == 2
    assert "'none'" in capsys.readouterr().err


def test_unknown_ids(model_file, write, capsys):
    path = write("user,item\n7,film 3\n7,new\nnobody,film 3\n999,new\n")
    assert run("predict", model_file, path) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("matfact: users has 2 unknown ids: 'nobody', 999")
    assert errors.endswith("; --unknown mean takes it as an average one\n")
    assert errors.count("\n") == 1
    assert run("predict", model_file, path, "--unknown", "mean") == 0
    table = predicted(capsys)
    model = load(model_file)
    expected = model.predict([7, 7, 999, 999], ["film 3", "new", "film 3", "new"], unknown="mean")
    assert [row[2] for row in table] == pytest.approx(expected, rel=1e-5)
    assert table[3][2] == pytest.approx(model.mean_, rel=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty; each line needs a user and an item, in this order"),
        ("7\n8\n", "line 1 has too few columns: '7'; each line needs a user and an item, in"),
        ("7,film 3\n8\n", "line 2: ['8'] is not a pair; each line"),
        ("7,film 3\n8,\n", "line 2: ['8', ''] is not a pair; each line"),
        ("user,item\n", "the file has a header but no pairs"),
    ],
)
def test_bad_files(model_file, write, capsys, content, message):
    path = write(content)
    assert run("predict", model_file, path) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith(f"matfact: {path}")
    assert message in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["--user", "7"], ["--item", "x"], ["f", "--user", "7", "--item", "x"]]
)
def test_pairs_are_given_in_one_way(model_file, capsys, arguments):
    assert run("predict", model_file, *arguments) == 2
    message = "matfact: give either a file of pairs, or both --user and --item\n"
    assert capsys.readouterr().err == message


def test_out(model_file, ratings_file, tmp_path, capsys):
    path = tmp_path / "predictions.csv"
    assert run("predict", model_file, ratings_file) == 0
    expected = capsys.readouterr().out
    assert run("predict", model_file, ratings_file, "--out", path) == 0
    assert capsys.readouterr().out == f"3000 predictions written to {path}\n"
    assert path.read_bytes() == expected.encode()
    assert run("predict", model_file, ratings_file, "--out", path) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert run("predict", model_file, ratings_file, "--out", path, "--overwrite") == 0
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_while_writing_leaves_the_old_file(
    model_file, ratings_file, tmp_path, capsys, monkeypatch
):
    def fail(stream, *_):
        stream.write("half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "predictions.csv"
    path.write_text("precious")
    monkeypatch.setattr(_files, "_write_csv", fail)
    assert run("predict", model_file, ratings_file, "--out", path, "--overwrite") == 1
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_change_no_digit(model_file, ratings_file, capsys):
    for options in ([], ["--threads", 1], ["--threads", 3]):
        assert run("predict", model_file, ratings_file, *options) == 0
    output = capsys.readouterr().out
    assert output == 3 * output[: len(output) // 3]
