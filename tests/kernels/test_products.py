"""Products with dense matrices against loops over their elements, in double precision."""

import os

import numpy as np
import pytest

from kernels.interruption import seconds_until_interrupted

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
TRANSPOSED = pytest.mark.parametrize("transposed", [False, True], ids=["plain", "transposed"])

# (rows of the result, inner dimension, columns): less than a vector, odd numbers of vectors and
# of rows of a tile, more than the blocks of each dimension.
SHAPES = [(1, 1, 1), (3, 1, 5), (1, 7, 2), (5, 4, 3), (7, 13, 8), (25, 97, 17), (50, 300, 33)]
SHAPES += [(101, 49, 12), (49, 191, 24), (30, 520, 9)]


def matrices(n, inner, k, dtype=np.float64, *, transposed=False):
    rng = np.random.default_rng([n, inner, k])
    a = rng.normal(size=(inner, n) if transposed else (n, inner)).astype(dtype)
    return a, rng.normal(size=(inner, k)).astype(dtype)


def multiplied(kernel, a, b, transposed, n_threads=1):
    out = np.full((a.shape[int(transposed)], b.shape[1]), np.nan, a.dtype)
    assert kernel.multiply(a, b, out, transposed, n_threads) is None
    return out


def product_by_loops(a, b, transposed):
    rows = a.T if transposed else a
    out = np.zeros((len(rows), b.shape[1]))
    for i, row in enumerate(rows.astype(float)):
        for value, other in zip(row, b.astype(float), strict=True):
            out[i] += value * other
    return out


@DTYPES
@TRANSPOSED
def test_products_are_those_of_loops(products_kernel, dtype, transposed):
    for shape in SHAPES:
        a, b = matrices(*shape, dtype, transposed=transposed)
        found = multiplied(products_kernel, a, b, transposed)
        wanted = product_by_loops(a, b, transposed)
        tolerance = 8 * shape[1] * np.finfo(dtype).eps
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)


@TRANSPOSED
def test_long_products(products_kernel, transposed):
    """More work than is done between two looks for signals, in a result of few columns."""
    ones = np.ones((40000, 97))
    a, b = (ones, ones[:, :65]) if transposed else (ones[:, :65].copy(), np.ones((65, 97)))
    found = multiplied(products_kernel, a, np.ascontiguousarray(b), transposed)
    np.testing.assert_array_equal(found, 40000 if transposed else 65)


@TRANSPOSED
@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)])
def test_empty_products(products_kernel, shape, transposed):
    a, b = matrices(*shape, transposed=transposed)
    np.testing.assert_array_equal(multiplied(products_kernel, a, b, transposed), 0)


@DTYPES
@TRANSPOSED
def test_products_have_the_same_bits_for_any_number_of_threads(
    compiled_products, dtype, transposed
):
    # above THREAD_WORK of _parallel.pxd, so that threads are started
    for shape in [(811, 1203, 49), (96, 9001, 64)]:
        a, b = matrices(*shape, dtype, transposed=transposed)
        alone = multiplied(compiled_products, a, b, transposed)
        for n_threads in (2, 3, 8, 0):
            found = multiplied(compiled_products, a, b, transposed, n_threads)
            assert found.tobytes() == alone.tobytes(), n_threads


@DTYPES
def test_a_gram_matrix_is_symmetric(compiled_products, dtype):
    a = matrices(1, 300, 37, dtype)[1]
    gram = multiplied(compiled_products, a, a, True)
    np.testing.assert_array_equal(gram, gram.T)


@TRANSPOSED
def test_values_that_are_not_finite_stay_where_they_are(products_kernel, transposed):
    for place, bad in ((0, np.nan), (4, np.inf)):
        a, b = matrices(9, 11, 6, transposed=transposed)
        (a.T if transposed else a)[place, 3] = bad
        found = np.isfinite(multiplied(products_kernel, a, b, transposed))
        np.testing.assert_array_equal(found.all(axis=1), np.arange(9) != place)
        np.testing.assert_array_equal(found.any(axis=1), np.arange(9) != place)


@TRANSPOSED
@pytest.mark.parametrize(
    ("wrong", "shape"), [("a", (4, 3)), ("a", (5, 4)), ("b", (4, 7)), ("b", (5, 6))]
)
def test_shapes_of_products_are_checked(compiled_products, wrong, shape, transposed):
    given = {"a": np.zeros((5, 3)), "b": np.zeros((3, 6)), "out": np.zeros((5, 6))}
    given[wrong] = np.zeros(shape)
    given["a"] = np.ascontiguousarray(given["a"].T) if transposed else given["a"]
    with pytest.raises(ValueError, match="must have"):
        compiled_products.multiply(*given.values(), transposed, 1)


def test_a_product_has_one_dtype(compiled_products):
    a, b = matrices(3, 4, 5)
    with pytest.raises((TypeError, ValueError)):
        compiled_products.multiply(a, b.astype(np.float32), np.zeros((3, 5)), False, 1)


def compressed(k, *, n=23, m=30, longest=80, with_values=True):
    """Arguments of `row_sums` up to the result; row 3 has no entries."""
    rng = np.random.default_rng(k)
    counts = rng.integers(1, longest, n)
    counts[3] = 0
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return {
        "indptr": indptr,
        "indices": rng.integers(0, m, indptr[-1]).astype(np.int32),
        "values": rng.normal(size=indptr[-1]) if with_values else None,
        "dense": rng.normal(size=(m, k)),
    }


def summed(kernel, rows, n_threads=1):
    out = np.full((len(rows["indptr"]) - 1, rows["dense"].shape[1]), np.nan)
    assert kernel.row_sums(*rows.values(), out, n_threads) is None
    return out


@pytest.mark.parametrize("with_values", [False, True], ids=["ones", "values"])
def test_sums_are_those_of_loops(products_kernel, with_values):
    for k in (1, 2, 3, 4, 5, 7, 8, 11, 12, 16, 21, 31, 33, 63, 64, 65, 70, 131):
        rows = compressed(k, with_values=with_values)
        wanted = np.zeros((23, k))
        for row in range(23):
            for entry in range(rows["indptr"][row], rows["indptr"][row + 1]):
                value = rows["values"][entry] if with_values else 1
                wanted[row] += value * rows["dense"][rows["indices"][entry]]
        np.testing.assert_allclose(summed(products_kernel, rows), wanted, rtol=0, atol=1e-12)


def test_sums_have_the_same_bits_for_any_number_of_threads(compiled_products):
    # above THREAD_WORK, too
    rows = compressed(65, n=700, longest=2000)
    alone = summed(compiled_products, rows)
    for n_threads in (2, 3, 8, 0):
        assert summed(compiled_products, rows, n_threads).tobytes() == alone.tobytes()


def test_empty_sums(products_kernel):
    rows = compressed(5)
    nothing = {"indptr": np.zeros(4, dtype=np.int64), "dense": rows["dense"][:0]}
    nothing |= {name: rows[name][:0] for name in ("indices", "values")}
    np.testing.assert_array_equal(summed(products_kernel, rows | nothing), np.zeros((3, 5)))
    none = nothing | {"indptr": np.zeros(1, dtype=np.int64)}
    assert summed(products_kernel, rows | none).shape == (0, 5)
    assert summed(products_kernel, rows | {"dense": rows["dense"][:, :0].copy()}).shape == (23, 0)


@pytest.mark.parametrize("name", ["indptr", "indices", "values", "dense"])
def test_shapes_of_sums_are_checked(compiled_products, name):
    rows = compressed(6)
    cut = rows[name][:, :-1] if name == "dense" else rows[name][:-1]
    out = np.zeros((23, 6))
    with pytest.raises(ValueError, match=name if name != "indptr" else "indptr|indices"):
        compiled_products.row_sums(*(rows | {name: np.ascontiguousarray(cut)}).values(), out, 1)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("what", ["plain", "transposed", "sums"])
def test_interruptions(compiled_products, what):
    square = np.ones((2500, 2500))
    rows = compressed(500, n=3000, longest=3000, with_values=False)

    def call():
        while True:
            if what == "sums":
                summed(compiled_products, rows, 2)
            else:
                multiplied(compiled_products, square, square, what == "transposed", 2)

    # 0.2 s are promised, but machines that run tests stall
    assert seconds_until_interrupted(call) < 2.0


def test_an_unknown_level_is_refused(compiled_products):
    with pytest.raises(ValueError, match="SIMD level"):
        compiled_products.set_simd_level("v9")
