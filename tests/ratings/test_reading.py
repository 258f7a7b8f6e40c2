"""read_ratings: the columns to read, duplicates, Parquet."""

import builtins
import re

import numpy as np
import pytest

from matfact import Ratings, read_ratings
from matfact.exceptions import RatingsFileError

LINES = "when,film,who,stars\n30,x,bob,4\n10,y,ann,2.5\n20,x,ann,0\n"
NAMES = {"user": "who", "item": "film", "rating": "stars"}


@pytest.fixture
def write(tmp_path):
    def write_file(content):
        path = tmp_path / "ratings"
        path.write_text(content, encoding="utf-8")
        return path

    return write_file


def rows_of(ratings):
    return list(zip(*(column.tolist() for column in ratings.to_triples()), strict=True))


ROWS = [("ann", "x", 0.0), ("ann", "y", 2.5), ("bob", "x", 4.0)]


def test_the_first_three_columns_by_default(write):
    ratings = read_ratings(write("u\ti\tr\tt\n10\tx\t4\t7\n9\ty\t3.5\t8\n"), dtype=np.float64)
    assert rows_of(ratings) == [(9, "y", 3.5), (10, "x", 4.0)]
    assert ratings.user_ids.ids.dtype == np.int64
    assert ratings.dtype == np.float64
    assert ratings.timestamps is None


@pytest.mark.parametrize("separator", [",", "\t", ";", "::"])
@pytest.mark.parametrize("columns", [NAMES, {"user": 2, "item": 1, "rating": 3}])
def test_columns_by_name_and_by_position(write, separator, columns):
    path = write(LINES.replace(",", separator))
    for delimiter in (None, separator):
        assert rows_of(read_ratings(path, delimiter=delimiter, **columns)) == ROWS


def test_positions_without_a_header(write):
    path = write(LINES.partition("\n")[2])
    assert rows_of(read_ratings(path, user=2, item=1, rating=3)) == ROWS
    with pytest.raises(RatingsFileError, match="line 1 does not have the columns"):
        read_ratings(path, **NAMES)


def test_timestamps(write):
    ratings = read_ratings(write(LINES), timestamp="when", **NAMES)
    assert ratings.timestamps.tolist() == [20, 10, 30]
    assert ratings.timestamps.dtype == np.int64
    ratings = read_ratings(write(LINES.replace("30", "30.5")), timestamp=0, **NAMES)
    assert ratings.timestamps.tolist() == [20, 10, 30.5]
    for bad in ("", "noon", "nan"):
        with pytest.raises(RatingsFileError, match=f"line 3: the timestamp is '{bad}'; a timest"):
            read_ratings(write(LINES.replace("10", bad)), timestamp=0, **NAMES)


def test_mistakes_in_chosen_columns_are_named(write):
    for old, new, message in (
        ("2.5", "good", "line 3: the rating is 'good'"),
        ("ann,0", ",0", "line 4: the user id is empty"),
        ("ann,0", "ann", "line 4: too few columns"),
        ("y,ann", "x,bob", "line 3: user 'bob' has rated item 'x' already, in line 2"),
    ):
        with pytest.raises(RatingsFileError, match=message):
            read_ratings(write(LINES.replace(old, new)), **NAMES)


@pytest.mark.parametrize(("duplicates", "value"), [("last", 1.0), ("mean", 2.5), ("sum", 5.0)])
def test_duplicates(write, duplicates, value):
    path = write("a,x,4\nb,x,3\na,x,1\n")
    assert rows_of(read_ratings(path, duplicates=duplicates)) == [
        ("a", "x", value),
        ("b", "x", 3.0),
    ]
    with pytest.raises(RatingsFileError, match="line 3: user 'a' has rated item 'x' already"):
        read_ratings(path)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"user": -1}, ValueError, "user is -1; positions of columns go from 0"),
        ({"user": True}, TypeError, "user is True; give the name or the position of a column"),
        ({"item": 1.0}, TypeError, "item is 1.0; give the name or the position"),
        ({"user": 2}, ValueError, "so 2 would be read twice; name user, item and rating all"),
        ({"user": "nobody"}, RatingsFileError, "line 1 does not have the columns ['nobody']"),
        ({"user": "nobody", "delimiter": ","}, RatingsFileError, "line 1 has no column 'nobody'"),
        ({"delimiter": "|"}, ValueError, "delimiter is '|'; give one of"),
        ({"duplicates": "first"}, ValueError, "duplicates is 'first'; give one of"),
        ({"dtype": int}, TypeError, "dtype is int64; give float32 or float64"),
    ],
)
def test_bad_arguments(write, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        read_ratings(write(LINES), **options)


def test_a_missing_file(tmp_path):
    with pytest.raises(RatingsFileError, match="there is no such file; check the path"):
        read_ratings(tmp_path / "no.parquet")


class TestParquet:
    @pytest.fixture
    def path(self, tmp_path):
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        path = tmp_path / "ratings.anything"
        columns = {
            "when": [30, 10, 20],
            "film": ["x", "y", "x"],
            "who": ["bob", "ann", "ann"],
            "stars": [4.0, 2.5, 0.0],
        }
        parquet.write_table(pyarrow.table(columns), path)
        return path

    @pytest.mark.parametrize("columns", [NAMES, {"user": 2, "item": 1, "rating": 3}])
    def test_columns_by_name_and_by_position(self, path, columns):
        ratings = read_ratings(path, timestamp="when", **columns)
        assert rows_of(ratings) == ROWS
        assert ratings.timestamps.tolist() == [20, 10, 30]

    def test_what_is_wrong_in_it(self, path):
        with pytest.raises(RatingsFileError, match="there is no column 'nobody'; there are"):
            read_ratings(path, user="nobody")
        with pytest.raises(RatingsFileError, match="there is no column 9; there are"):
            read_ratings(path, user=9)
        with pytest.raises(RatingsFileError, match="values has dtype"):
            read_ratings(path, user=0, item=1, rating=2)

    def test_a_damaged_file(self, path):
        content = path.read_bytes()
        for damaged in (content[: len(content) // 2], b"PAR1"):
            path.write_bytes(damaged)
            with pytest.raises(RatingsFileError, match="the Parquet file cannot be read"):
                read_ratings(path, **NAMES)


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    path = tmp_path / "ratings.parquet"
    path.write_bytes(b"PAR1 and more")
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"needs pyarrow: .*'matfact\[parquet\]'"):
        read_ratings(path)


def test_optional_packages_are_named(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith(("scipy", "pandas")):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    ratings = Ratings.from_matrix([[1.0]])
    with pytest.raises(ImportError, match="to_scipy needs scipy"):
        ratings.to_scipy()
    with pytest.raises(ImportError, match=r"to_frame needs pandas .* to_triples does without"):
        ratings.to_frame()
