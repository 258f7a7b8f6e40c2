"""The best columns of each row, against sorting all of them.

Factors are small integers, so that scores are exact in every implementation, and tie often.
"""

import os

import numpy as np
import pytest

from kernels.interruption import seconds_until_interrupted

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])


def ragged(rows):
    """Compressed rows of a list of arrays."""
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return indptr, np.concatenate([np.zeros(0), *rows]).astype(np.int32)


def random_rows(rng, n_rows, n_columns, share):
    """Ascending columns of each row, a share of all of them; the first row has none."""
    chosen = rng.random((n_rows, n_columns)) < share
    chosen[:1] = False
    return [np.flatnonzero(row) for row in chosen]


def factors(rng, n_rows, n_columns, k, dtype):
    sizes = (n_rows, k), (n_columns, k), (n_columns,)
    return [rng.integers(-3, 4, size).astype(dtype) for size in sizes]


def sorted_columns(scores, allowed, n):
    """The n best of the allowed columns, of equal ones the first."""
    return sorted(allowed, key=lambda column: (-scores[column], column))[:n]


def assert_best(found, scores, allowed, n):
    """Compare the result of a kernel with the sorted columns of each row."""
    counts, best, best_scores = found
    assert counts.dtype == np.int64
    assert best.dtype == np.int32
    for row, columns in enumerate(allowed):
        expected = sorted_columns(scores[row], columns, n)
        assert counts[row] == len(expected)
        assert best[row].tolist() == expected + [0] * (n - len(expected))
        assert best_scores[row].tolist() == [scores[row, c] for c in expected] + [0] * (
            n - len(expected)
        )


SIZES = [
    (1, 1, 1, 1),
    (7, 33, 3, 5),
    (13, 40, 7, 40),  # all columns
    (13, 40, 8, 55),  # more than there are
    (50, 130, 17, 10),
    (97, 517, 5, 100),
    (5, 1000, 70, 3),
    (0, 10, 4, 2),
]


@DTYPES
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("filters", ["none", "biases", "excluded", "columns", "all"])
def test_against_sorting(topn_kernel, size, filters, dtype):
    n_rows, n_columns, k, n = size
    rng = np.random.default_rng([n_rows, n_columns, k])
    rows, columns, biases = factors(rng, n_rows, n_columns, k, dtype)
    scores = rows @ columns.T
    indptr = indices = numbers = None
    excluded = [np.zeros(0, dtype=int)] * n_rows
    candidates = np.arange(n_columns)
    if filters in ("biases", "all"):
        scores = scores + biases
    if filters in ("excluded", "all"):
        excluded = random_rows(rng, n_rows, n_columns, 0.4)
        indptr, indices = ragged(excluded)
    if filters in ("columns", "all"):
        candidates = np.flatnonzero(rng.random(n_columns) < 0.6)
        numbers = candidates.astype(np.int32)
    found = topn_kernel.top_n(
        rows,
        np.ascontiguousarray(columns[candidates]),
        biases[candidates] if filters in ("biases", "all") else None,
        numbers,
        indptr,
        indices,
        n,
        1,
    )
    assert_best(found, scores, [np.setdiff1d(candidates, row).tolist() for row in excluded], n)


@DTYPES
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("excluding", [False, True])
def test_lists_against_sorting(topn_kernel, size, excluding, dtype):
    n_rows, n_columns, k, n = size
    rng = np.random.default_rng([n_rows, n_columns, k])
    rows, columns, biases = factors(rng, n_rows, n_columns, k, dtype)
    lists = random_rows(rng, n_rows, n_columns, 0.5)
    excluded = random_rows(rng, n_rows, n_columns, 0.4 if excluding else 0)
    found = topn_kernel.top_n_of_lists(
        rows,
        columns,
        biases,
        *ragged(lists),
        *(ragged(excluded) if excluding else (None,) * 2),
        n,
        1,
    )
    allowed = [np.setdiff1d(a, b).tolist() for a, b in zip(lists, excluded, strict=True)]
    assert_best(found, rows @ columns.T + biases, allowed, n)


@DTYPES
def test_a_list_of_all_columns_gives_the_same_bits(compiled_topn, dtype):
    rng = np.random.default_rng(0)
    rows, columns = (rng.normal(size=(size, 21)).astype(dtype) for size in (30, 70))
    biases = rng.normal(size=70).astype(dtype)
    everything = ragged([np.arange(70)] * 30)
    whole = compiled_topn.top_n(rows, columns, biases, None, None, None, 9, 1)
    lists = compiled_topn.top_n_of_lists(rows, columns, biases, *everything, None, None, 9, 1)
    for one, other in zip(whole, lists, strict=True):
        assert one.tobytes() == other.tobytes()


@DTYPES
def test_what_is_no_score_is_not_chosen(topn_kernel, dtype):
    columns = np.array([[1], [np.nan], [-np.inf], [2], [np.inf]], dtype=dtype)
    counts, best, _ = topn_kernel.top_n(
        np.ones((1, 1), dtype=dtype), columns, None, None, None, None, 5, 1
    )
    assert counts.tolist() == [3]
    assert best[0, :3].tolist() == [4, 3, 0]


@pytest.mark.parametrize("n_threads", [2, 3, 8, 0])
def test_same_bits_for_any_number_of_threads(compiled_topn, n_threads):
    # Above THREAD_WORK of _parallel.pxd, so that threads are started.
    rng = np.random.default_rng(0)
    rows, columns = (rng.normal(size=(n, 33)).astype(np.float32) for n in (1501, 1203))
    excluded = ragged(random_rows(rng, 1501, 1203, 0.02))
    alone, together = (
        compiled_topn.top_n(rows, columns, None, None, *excluded, 7, threads)
        for threads in (1, n_threads)
    )
    for one, other in zip(alone, together, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_interruptions(topn_kernel, n_threads):
    rng = np.random.default_rng(0)
    rows, columns = (rng.normal(size=(n, 64)).astype(np.float32) for n in (60_000, 8_000))
    lists = ragged(random_rows(rng, 3_000, 8_000, 0.5))
    for call in (
        lambda: topn_kernel.top_n(rows, columns, None, None, None, None, 10, n_threads),
        lambda: topn_kernel.top_n_of_lists(
            rows[:3_000], columns, None, *lists, None, None, 10, n_threads
        ),
    ):
        # 0.2 s are promised, but machines that run tests stall
        assert seconds_until_interrupted(call) < 2.0


def test_no_columns(topn_kernel):
    rows = np.ones((3, 2), dtype=np.float32)
    nothing = np.zeros((0, 2), dtype=np.float32)
    counts, best, scores = topn_kernel.top_n(rows, nothing, None, None, None, None, 4, 1)
    assert counts.tolist() == [0, 0, 0]
    assert best.shape == scores.shape == (3, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "n is 0"),
        ({"columns": np.zeros(2, np.int32)}, "columns must have 3 entries, not 2"),
        ({"biases": np.zeros(2, np.float32)}, "column_biases must have 3 entries, not 2"),
        ({"indptr": np.zeros(2, np.int64)}, "excluded_indptr must have 3 entries, not 2"),
        ({"column_factors": np.zeros((3, 5), np.float32)}, "column_factors must have 4 columns"),
    ],
)
def test_shapes_are_checked(compiled_topn, changes, message):
    p = {
        "row_factors": np.zeros((2, 4), np.float32),
        "column_factors": np.zeros((3, 4), np.float32),
        "biases": None,
        "columns": None,
        "indptr": None,
        "indices": np.zeros(0, np.int32),
        "n": 2,
    } | changes
    with pytest.raises(ValueError, match=message):
        compiled_topn.top_n(*p.values(), 1)
