"""Ratings of matrices and tables, and back: numpy, scipy, pandas, polars, pyarrow."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matfact import Ratings
from matfact.ratings import as_ratings

NAN = np.nan
DENSE = np.array([[4.0, NAN, 0.0], [NAN, NAN, NAN], [1.0, 2.0, NAN]])


def dense_of(ratings):
    """Fill a dense array from the arrays by users."""
    dense = np.full(ratings.shape, NAN)
    dense[ratings.users, ratings.user_indices] = ratings.user_values
    return dense


def sparse_module():
    return pytest.importorskip("scipy.sparse")


class TestDense:
    @settings(deadline=None, max_examples=60)
    @given(
        matrix=hnp.arrays(
            st.sampled_from([np.float32, np.float64]),
            hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
            elements=st.floats(-9, 9, width=32) | st.just(NAN),
        )
    )
    def test_every_cell_comes_back(self, matrix):
        if np.isnan(matrix).all():
            with pytest.raises(ValueError, match="every rating of X is missing"):
                Ratings.from_matrix(matrix)
            return
        ratings = Ratings.from_matrix(matrix)
        np.testing.assert_array_equal(dense_of(ratings), matrix)
        np.testing.assert_array_equal(dense_of(ratings.transpose()), matrix.T)

    def test_nan_is_missing_and_zero_is_a_rating(self):
        ratings = Ratings.from_matrix(DENSE)
        assert ratings.n_ratings == 4
        np.testing.assert_array_equal(dense_of(ratings), DENSE)
        assert ratings.user_ids.is_range

    @pytest.mark.parametrize("dtype", [np.float16, int, bool, np.uint8, ">f4"])
    def test_other_dtypes(self, dtype):
        ratings = Ratings.from_matrix(np.array([[1, 0], [0, 1]], dtype=dtype))
        assert ratings.n_ratings == 4
        assert ratings.dtype == np.float32

    @pytest.mark.parametrize("missing", [0, -1, np.int8(0)])
    def test_another_number_may_be_missing(self, missing):
        matrix = np.array([[5, missing, 3], [missing, 0, 2]])
        ratings = Ratings.from_matrix(matrix, missing_values=missing)
        assert ratings.n_ratings == np.count_nonzero(matrix != missing)
        with pytest.raises(ValueError, match=r"X\[0, 1\] is nan; give finite numbers, and miss"):
            Ratings.from_matrix([[1, NAN]], missing_values=missing)

    @pytest.mark.parametrize(
        ("missing", "error"),
        [(None, TypeError), ("0", TypeError), (True, TypeError), (np.inf, ValueError)],
    )
    def test_what_cannot_stand_for_missing(self, missing, error):
        with pytest.raises(error, match=f"missing_values is '?{missing}'?; give NaN or a"):
            Ratings.from_matrix(DENSE, missing_values=missing)

    def test_masked_cells_are_missing(self):
        matrix = np.ma.masked_equal(np.array([[1, 9], [9, 2]]), 9)
        ratings = Ratings.from_matrix(matrix)
        assert dense_of(ratings)[0, 0] == 1
        assert ratings.n_ratings == 2
        hidden = np.ma.masked_array([[1.0, np.inf]], mask=[[False, True]])
        assert Ratings.from_matrix(hidden).n_ratings == 1

    def test_lists_and_other_layouts(self):
        assert Ratings.from_matrix(DENSE.tolist()).n_ratings == 4
        for view in (np.asfortranarray(DENSE), DENSE[::-1][::-1]):
            np.testing.assert_array_equal(dense_of(Ratings.from_matrix(view)), DENSE)

    def test_the_input_is_not_changed(self):
        matrix = DENSE.copy()
        matrix.flags.writeable = False
        ratings = Ratings.from_matrix(matrix, dtype=np.float64)
        assert not np.shares_memory(ratings.user_values, matrix)
        assert matrix.flags.writeable is False

    @pytest.mark.parametrize(
        ("matrix", "error", "message"),
        [
            ([[1, np.inf]], ValueError, "X[0, 1] is inf; give finite numbers"),
            ([[1, 1e300]], ValueError, "X[0, 1] is 1e+300; which is too large for float32"),
            ([1, 2], ValueError, "X has 1 dimension; give a matrix, users x items"),
            ([[[1]]], ValueError, "X has 3 dimensions"),
            (np.ones((0, 3)), ValueError, "shape[0] is 0; give an integer of at least 1"),
            ([[NAN]], ValueError, "every rating of X is missing; give at least one"),
            ([["a"]], TypeError, "X has dtype <U1; give real numbers"),
            ([[1j]], TypeError, "X has dtype complex128"),
            ([[1], [1, 2]], ValueError, "X is not a rectangular array"),
            ("ratings.csv", TypeError, "goes through Ratings.from_frame or Ratings.from_triples"),
            (None, TypeError, "X has dtype object"),
        ],
    )
    def test_what_is_no_matrix(self, matrix, error, message):
        for make in (Ratings.from_matrix, as_ratings):
            with pytest.raises(error, match=re.escape(message)):
                make(matrix)


class TestSparse:
    @pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"])
    @pytest.mark.parametrize("kind", ["array", "matrix"])
    def test_every_format(self, form, kind):
        sparse = sparse_module()
        dense = np.array([[4, 0, 1], [0, 0, 0], [0, 2, 3]], dtype=np.float64)
        ratings = Ratings.from_matrix(getattr(sparse, f"{form}_{kind}")(dense), missing_values=0)
        np.testing.assert_array_equal(np.nan_to_num(dense_of(ratings)), dense)
        assert ratings.n_ratings == 4

    @settings(deadline=None, max_examples=40)
    @given(
        matrix=hnp.arrays(
            np.float32,
            hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
            elements=st.floats(-9, 9, width=32) | st.just(NAN),
        ),
        form=st.sampled_from(["csr", "csc", "coo"]),
    )
    def test_to_scipy_and_back(self, matrix, form):
        sparse_module()
        if np.isnan(matrix).all():
            return
        ratings = Ratings.from_matrix(matrix)
        there = ratings.to_scipy(form)
        assert there.format == form
        assert there.shape == ratings.shape
        assert there.nnz == ratings.n_ratings  # zeros are stored
        back = Ratings.from_matrix(there)
        np.testing.assert_array_equal(dense_of(back), matrix)
        there.data[:] = 99  # a copy
        np.testing.assert_array_equal(dense_of(ratings), matrix)

    def test_a_stored_zero_is_a_rating(self):
        sparse = sparse_module()
        matrix = sparse.csr_array(([0.0, 3.0], [1, 0], [0, 1, 2]), shape=(2, 2))
        assert Ratings.from_matrix(matrix).n_ratings == 2
        assert Ratings.from_matrix(matrix, missing_values=0).n_ratings == 1

    @pytest.mark.parametrize("bad", [NAN, np.inf])
    @pytest.mark.parametrize("form", ["csr", "csc", "coo"])
    def test_a_number_that_is_not_finite(self, bad, form):
        sparse = sparse_module()
        matrix = sparse.coo_array(([1.0, bad], ([0, 2], [1, 0]))).asformat(form)
        with pytest.raises(ValueError, match=rf"X\[2, 0\] is {bad}; give finite numbers; in a sp"):
            Ratings.from_matrix(matrix)

    def test_duplicates(self):
        sparse = sparse_module()
        twice = sparse.coo_array(([1.0, 2.0], ([1, 1], [0, 0])), shape=(2, 2))
        not_canonical = sparse.csr_array(([1.0, 2.0], [0, 0], [0, 0, 2]), shape=(2, 2))
        for matrix in (twice, not_canonical):
            with pytest.raises(ValueError, match="user 1 and item 0 appear twice, at positions"):
                Ratings.from_matrix(matrix)

    def test_unsorted_indices_and_wide_index_types(self):
        sparse = sparse_module()
        matrix = sparse.csr_array(([1.0, 2.0], [1, 0], [0, 2]), shape=(1, 2))
        matrix.indices = matrix.indices.astype(np.int64)
        before = matrix.indices.copy()
        assert Ratings.from_matrix(matrix).user_values.tolist() == [2.0, 1.0]
        assert (matrix.indices == before).all()

    def test_indices_out_of_range(self):
        sparse = sparse_module()
        matrix = sparse.csr_array(([1.0, 2.0], [0, 1], [0, 1, 2]), shape=(2, 2))
        matrix.indices[1] = 7
        # Newer versions of scipy notice it when they convert to triples.
        with pytest.raises(ValueError, match=r"entry in column 7, outside its shape|index 7 exc"):
            Ratings.from_matrix(matrix)
        matrix.indices[1] = -1
        with pytest.raises(ValueError, match=r"entry in column -1, outside its shape|index: -1"):
            Ratings.from_matrix(matrix)

    @pytest.mark.parametrize("indptr", [[0, 1, 10**6], [0, 2, 1], [1, 1, 2]])
    @pytest.mark.parametrize("form", ["csr", "csc"])
    def test_row_starts_that_make_no_sense(self, form, indptr):
        sparse = sparse_module()
        matrix = sparse.csr_array(([1.0, 2.0], [0, 1], [0, 1, 2]), shape=(2, 2)).asformat(form)
        matrix.indptr[:] = indptr
        with pytest.raises(ValueError, match=r"X has a damaged indptr; it must ascend from 0 to"):
            Ratings.from_matrix(matrix)

    def test_indices_out_of_range_in_something_like_scipy(self):
        class Matrix:
            shape = (2, 2)
            row, col, data = np.array([0, 1]), np.array([0, 2]), np.array([1.0, 2.0])

            def tocoo(self):
                return self

        with pytest.raises(ValueError, match="X has an entry in column 2, outside its shape"):
            Ratings.from_matrix(Matrix())
        Matrix.row = np.array([-1, 0])
        with pytest.raises(ValueError, match="X has an entry in row -1, outside its shape"):
            Ratings.from_matrix(Matrix())

    def test_nothing_stored(self):
        sparse = sparse_module()
        with pytest.raises(ValueError, match="X has no stored entries"):
            Ratings.from_matrix(sparse.csr_array((2, 2)))

    def test_unknown_formats(self):
        sparse_module()
        with pytest.raises(ValueError, match="format is 'lil'; give one of 'csr', 'csc', 'coo'"):
            Ratings.from_matrix(DENSE).to_scipy("lil")


COLUMNS = {"user": ["bob", "ann", "bob"], "item": [7, 7, 5], "rating": [4.0, 0.0, 2.5]}


def table_of(package):
    """Build the same table in a package, or skip the test without it."""
    if package == "dict":
        return COLUMNS
    if package == "arrays":
        return {name: np.array(column) for name, column in COLUMNS.items()}
    module = pytest.importorskip(package)
    return module.table(COLUMNS) if package == "pyarrow" else module.DataFrame(COLUMNS)


each_package = pytest.mark.parametrize("package", ["dict", "arrays", "pandas", "polars", "pyarrow"])


class TestTables:
    @each_package
    def test_each_package(self, package):
        ratings = Ratings.from_frame(table_of(package))
        users, items, values = ratings.to_triples()
        assert users.tolist() == ["ann", "bob", "bob"]
        assert items.tolist() == [7, 5, 7]
        assert values.tolist() == [0.0, 2.5, 4.0]
        assert ratings.user_ids.ids.dtype.kind == "U"
        assert ratings.item_ids.ids.dtype == np.int64

    @each_package
    def test_a_column_that_is_not_there(self, package):
        with pytest.raises(
            ValueError,
            match=re.escape(
                "there is no column 'stars'; name one of ['user', 'item', 'rating'] by the "
                "argument rating="
            ),
        ):
            Ratings.from_frame(table_of(package), rating="stars")

    def test_columns_of_pandas(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(
            {
                "u": pandas.Categorical(["x", "y", "x"]),
                "i": pandas.array([1, 2, 3], dtype="Int64"),
                "r": np.array([1, 2, 3], dtype=np.int8),
                "w": [1.0, 2.0, 0.5],
                "t": pandas.to_datetime(["2024-01-01", "2023-01-01", "2025-01-01"]),
            },
            index=[9, 9, 7],
        )
        names = {"user": "u", "item": "i", "rating": "r", "weight": "w", "timestamp": "t"}
        ratings = Ratings.from_frame(frame, **names)
        assert ratings.user_ids.ids.tolist() == ["x", "y"]
        assert ratings.item_ids.ids.tolist() == [1, 2, 3]
        assert ratings.user_weights.tolist() == [1.0, 0.5, 2.0]
        assert ratings.timestamps.dtype.kind == "M"
        back = ratings.to_frame(user="u", item="i", rating="r")
        assert back.columns.tolist() == ["u", "i", "r", "weight", "timestamp"]
        expected = frame.sort_values(["u", "i"])
        assert back["timestamp"].tolist() == expected["t"].tolist()
        assert back["r"].tolist() == expected["r"].tolist()

    def test_to_frame_and_back(self):
        pytest.importorskip("pandas")
        ratings = Ratings.from_frame(COLUMNS)
        again = Ratings.from_frame(ratings.to_frame())
        assert again.user_ids == ratings.user_ids
        assert again.item_ids == ratings.item_ids
        np.testing.assert_array_equal(dense_of(again), dense_of(ratings))

    def test_missing_cells_of_a_table(self):
        pandas = pytest.importorskip("pandas")
        for column, message in (
            ("user", r"users\[1\] is .*, a missing id"),
            ("item", r"items\[1\] is nan, a missing id"),
            ("rating", r"values\[1\] is nan; give finite numbers, and leave out the rows"),
        ):
            frame = pandas.DataFrame(COLUMNS)
            frame[column] = frame[column].where(frame.index != 1)
            with pytest.raises(ValueError, match=message):
                Ratings.from_frame(frame)

    def test_numpy_text_of_variable_width(self):
        if not hasattr(np.dtypes, "StringDType"):
            pytest.skip("numpy 1 has no StringDType")
        users = np.array(["a long name indeed", "b", "a long name indeed"], np.dtypes.StringDType())
        ratings = Ratings.from_triples(users, [1, 2, 3], [1, 2, 3])
        assert ratings.user_ids.ids.tolist() == ["a long name indeed", "b"]
        again = Ratings.from_triples(users, [1, 2, 3], [1, 2, 3], user_ids=users[:2])
        assert again.user_ids == ratings.user_ids

    def test_what_is_no_table(self):
        with pytest.raises(TypeError, match="frame is a list; give a table with named columns"):
            Ratings.from_frame([1, 2])

    def test_a_column_name_that_comes_twice(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame([[1, 2, 3, 4]], columns=["user", "item", "rating", "rating"])
        with pytest.raises(ValueError, match="'rating' stands for several columns; make it unique"):
            Ratings.from_frame(frame)


class TestCoercion:
    def test_ratings_pass_through(self):
        ratings = Ratings.from_matrix(DENSE)
        assert as_ratings(ratings) is ratings
        assert as_ratings(ratings, dtype=np.float32) is ratings
        assert as_ratings(ratings, dtype=np.float64).dtype == np.float64

    def test_matrices_are_read(self):
        assert as_ratings(DENSE).dtype == np.float32
        assert as_ratings(DENSE, dtype=np.float64).dtype == np.float64
        assert as_ratings([[1, 0]], missing_values=0).n_ratings == 1

    def test_a_wide_table_is_a_matrix(self):
        pandas = pytest.importorskip("pandas")
        ratings = as_ratings(pandas.DataFrame(DENSE, columns=["a", "b", "c"]))
        np.testing.assert_array_equal(dense_of(ratings), DENSE)

    @pytest.mark.parametrize("columns", [["user", "item", "rating"], ["userId", "movieId", "r"]])
    def test_a_table_of_triples_is_none(self, columns):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame([[1, 2, 3.0]], columns=columns)
        with pytest.raises(TypeError, match=r"make ratings of it by Ratings\.from_frame"):
            as_ratings(frame)
