"""``recommend``: the best items for a user."""

import csv
import io
import sys

import pytest

from cli.commands import run
from matfact import read_ratings
from matfact.persistence import load, save


def recommended(capsys):
    output, errors = capsys.readouterr()
    assert errors == ""
    header, *rows = csv.reader(io.StringIO(output))
    assert header == ["item", "score"]
    return [(item, float(score)) for item, score in rows]


@pytest.mark.parametrize(("options", "n"), [((), 10), (("-n", 3), 3), (("-n", 9999), None)])
def test_the_best_unseen_items(model_file, capsys, options, n):
    assert run("recommend", model_file, 7, *options) == 0
    table = recommended(capsys)
    items, scores = load(model_file).recommend(7, n or 9999)
    assert [item for item, _ in table] == items.tolist()
    assert [score for _, score in table] == pytest.approx(scores, rel=1e-5)


def test_seen_items(model_file, ratings_file, capsys):
    users, items, _ = read_ratings(ratings_file).to_triples()
    assert run("recommend", model_file, 7, "--include-seen", "-n", 9999) == 0
    assert len(recommended(capsys)) == 90
    assert run("recommend", model_file, 7, "-n", 9999) == 0
    unseen = {item for item, _ in recommended(capsys)}
    held_out = unseen & set(items[users == 7])
    assert len(unseen) == 90 - sum(users == 7) + len(held_out)


def test_candidates(model_file, write, capsys):
    path = write("film 3\n\n  film 4\nfilm 8\n")
    assert run("recommend", model_file, 7, "--include-seen", "--candidates", path) == 0
    assert {item for item, _ in recommended(capsys)} == {"film 3", "film 4", "film 8"}
    for content, message in (
        ("film 3\nnew\n", "candidates has 1 unknown id: 'new'"),
        ("", "empty"),
    ):
        assert run("recommend", model_file, 7, "--candidates", write(content)) == 2
        assert message in capsys.readouterr().err


def test_an_unknown_user(model_file, capsys):
    for user in ("121", "nobody"):
        assert run("recommend", model_file, user) == 2
        output, errors = capsys.readouterr()
        assert output == ""
        assert errors.startswith("matfact: users has 1 unknown id: ")
        assert errors.count("\n") == 1


def test_a_model_without_its_ratings(model_file, tmp_path, capsys):
    path = tmp_path / "small.npz"
    save(load(model_file), path, include_ratings=False)
    assert run("recommend", path, 7) == 2
    assert capsys.readouterr().err == (
        f"matfact: {path} was saved without its ratings, which tell what a user has seen; add "
        "--include-seen\n"
    )
    assert run("recommend", path, 7, "--include-seen") == 0
    assert len(recommended(capsys)) == 10


def test_many_users(model_file, write, tmp_path, capsys):
    model, out = load(model_file), tmp_path / "lists.csv"
    users = write("7\n120\n\n3\n")
    assert run("recommend", model_file, "--users", users, "--n", 4, "--out", out) == 0
    header, *rows = csv.reader(io.StringIO(out.read_text(encoding="utf-8")))
    assert header == ["user", "item", "score"]
    expected = [
        (str(user), item, score)
        for user, items, scores in model.recommend([7, 120, 3], 4)
        for item, score in zip(items, scores, strict=True)
    ]
    assert [tuple(row[:2]) for row in rows] == [row[:2] for row in expected]
    assert [float(row[2]) for row in rows] == pytest.approx([row[2] for row in expected], rel=1e-5)
    assert run("recommend", model_file, "--all", "-n", 1, "--threads", 2) == 0
    _, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert [row[0] for row in rows] == [str(user) for user in model.user_ids_.ids]


def test_users_are_given_in_one_way(model_file, write, tmp_path, capsys):
    users, out = write("7\n"), tmp_path / "lists.csv"
    for options in ((), (7, "--all"), (7, "--users", users), ("--all", "--users", users)):
        assert run("recommend", model_file, *options) == 2
        assert "give a USER, a file by --users, or --all" in capsys.readouterr().err
    for content, message in (
        ("7\nnobody\n", "users has 1 unknown id"),
        ("", "a user in each line"),
    ):
        assert run("recommend", model_file, "--users", write(content), "--out", out) == 2
        assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("who", [("7",), ("--all",)])
def test_parquet(model_file, tmp_path, who):
    parquet = pytest.importorskip("pyarrow.parquet")
    out, text = tmp_path / "lists.parquet", tmp_path / "lists.csv"
    for path in (out, text):
        assert run("recommend", model_file, *who, "-n", 4, "--out", path) == 0
    table = parquet.read_table(out).to_pydict()
    with text.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert list(table) == header
    assert [[str(one) for one in row[:-1]] for row in zip(*table.values(), strict=True)] == [
        row[:-1] for row in rows
    ]
    assert table["score"] == pytest.approx([float(row[-1]) for row in rows], rel=1e-5)
    assert len(list(tmp_path.iterdir())) == 2  # nothing temporary is left


def test_parquet_without_pyarrow(model_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    out = tmp_path / "lists.parquet"
    assert run("recommend", model_file, "--all", "--out", out) == 2
    assert "needs pyarrow" in capsys.readouterr().err
    assert not out.exists()
