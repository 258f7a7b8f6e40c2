"""``evaluate``: errors of a saved model on the ratings of a file."""

import pytest

from cli.commands import errors_in, errors_of, run
from matfact import ALS, Ratings, read_ratings
from matfact.evaluation import mae, rmse
from matfact.persistence import load, save

NAME = "ALS of 16 factors"


def test_the_errors(model_file, ratings_file, capsys):
    assert run("evaluate", model_file, ratings_file) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    assert output.startswith("ratings.csv: 3000 ratings from 1 to 5, 120 users, 90 items")
    assert "unknown" not in output
    users, items, truth = read_ratings(ratings_file).to_triples()
    predicted = load(model_file).predict(users, items)
    expected = rmse(truth, predicted), mae(truth, predicted)
    assert errors_of(output) == {NAME: pytest.approx(expected, abs=6e-5)}


def test_unknown_ids_are_counted_and_predicted_as_average(model_file, write, capsys):
    path = write("u,i,r\n7,film 3,2\n7,new,3\n998,film 3,4\nnobody,newer,5\n")
    assert run("evaluate", model_file, path) == 0
    output = capsys.readouterr().out
    assert (
        "unknown to the model: 2 users and 2 items, in 3 ratings; they are predicted as average "
        "ones\n"
    ) in output
    predicted = load(model_file).predict(
        [7, 7, 998, 999], ["film 3", "new", "film 3", "newer"], unknown="mean"
    )
    assert errors_of(output)[NAME][0] == pytest.approx(rmse([2, 3, 4, 5], predicted), abs=6e-5)


def test_numbers_in_the_file_are_text_where_the_model_has_text(tmp_path, write, capsys):
    ratings = Ratings.from_triples(["7", "x", "7", "x"], ["1", "1", "y", "y"], [1, 2, 3, 5])
    path = tmp_path / "text.npz"
    save(ALS(n_factors=1, random_state=0).fit(ratings), path)
    assert run("evaluate", path, write("7,1,1\n")) == 0
    assert "unknown" not in capsys.readouterr().out


def test_options_of_the_file(model_file, ratings_file, write, capsys):
    rows = [line.split(",") for line in ratings_file.read_text().splitlines()[1:]]
    path = write("s;w;f\n" + "\n".join(f"{r};{u};{i}" for u, i, r, _ in [*rows, rows[0]]))
    options = "--user", "w", "--item", "f", "--rating", "s", "--delimiter", "semicolon"
    assert run("evaluate", model_file, path, *options) == 2
    assert "has rated item" in capsys.readouterr().err
    assert run("evaluate", model_file, path, *options, "--duplicates", "last") == 0
    assert run("evaluate", model_file, ratings_file, "--threads", 2) == 0
    first, second = errors_in(capsys.readouterr().out)
    assert first == second
