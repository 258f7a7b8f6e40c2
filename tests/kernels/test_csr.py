"""The csr kernels: both implementations against plain Python."""

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import implementations
from matfact.kernels._numpy import csr as numpy_csr

if implementations.compiled is None:
    COMPILED = pytest.param(None, id="cython", marks=implementations.without)
else:
    COMPILED = pytest.param(import_module("matfact.kernels._cython.csr"), id="cython")
each_kernel = pytest.mark.parametrize("kernel", [pytest.param(numpy_csr, id="numpy"), COMPILED])
sizes = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(0, 60))


def entries(draw):
    n_rows, n_columns, n = draw
    rng = np.random.default_rng(n_rows * 1000 + n_columns * 100 + n)
    rows = rng.integers(0, n_rows, n).astype(np.int32)
    columns = rng.integers(0, n_columns, n).astype(np.int32)
    return rows, columns, n_rows, n_columns


def naive_sort(rows, columns, n_rows):
    """(indptr, indices, order) by Python's stable sort."""
    order = sorted(range(len(rows)), key=lambda e: (rows[e], columns[e]))
    indptr = [sum(row < r for row in rows) for r in range(n_rows + 1)]
    return indptr, [int(columns[e]) for e in order], order


def check(found, expected):
    assert [array.dtype for array in found] == [np.int64, np.int32, np.int64]
    assert [array.tolist() for array in found] == [list(array) for array in expected]
    assert all(array.flags.writeable for array in found)


@each_kernel
@settings(deadline=None, max_examples=60)
@given(draw=sizes)
def test_sort_and_transpose(kernel, draw):
    rows, columns, n_rows, n_columns = entries(draw)
    before = rows.tolist(), columns.tolist()
    indptr, indices, order = kernel.sort_entries(rows, columns, n_rows, n_columns)
    check((indptr, indices, order), naive_sort(rows, columns, n_rows))
    assert (rows.tolist(), columns.tolist()) == before

    by_row = rows[order]
    transposed = kernel.transpose(indptr, indices, n_columns)
    check(transposed, naive_sort(indices, by_row, n_columns))

    repeats = kernel.find_repeats(indptr, indices)
    assert repeats.dtype == np.int64
    pairs = list(zip(by_row.tolist(), indices.tolist(), strict=True))
    assert repeats.tolist() == [e for e in range(1, len(pairs)) if pairs[e] == pairs[e - 1]]


@each_kernel
@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 20),
    numbers=st.lists(st.integers(0, 40) | st.integers(0, 2**31), max_size=80),
)
def test_factorize(kernel, width, numbers):
    texts = [(str(number) * 3).encode()[:width].ljust(width, b"\0") for number in numbers]
    keys = np.frombuffer(b"".join(texts), dtype=np.uint8).reshape(-1, width)
    codes, firsts = kernel.factorize(keys)
    distinct = list(dict.fromkeys(texts))
    assert (codes.dtype, firsts.dtype) == (np.int32, np.int64)
    assert codes.tolist() == [distinct.index(text) for text in texts]
    assert firsts.tolist() == [texts.index(text) for text in distinct]


@each_kernel
@pytest.mark.parametrize("width", [8, 16])
def test_factorize_grows(kernel, width):
    rng = np.random.default_rng(0)
    numbers = rng.integers(-(2**62), 2**62, 20_000)
    numbers = np.concatenate([numbers, numbers[::-1]])
    keys = np.zeros((len(numbers), width), dtype=np.uint8)
    keys[:, -8:] = numbers.view(np.uint8).reshape(-1, 8)
    codes, firsts = kernel.factorize(keys)
    assert firsts.tolist() == list(range(20_000))
    assert codes.tolist() == [*range(20_000), *range(19_999, -1, -1)]


@each_kernel
def test_keys_that_differ_in_one_bit(kernel):
    keys = np.zeros((12 * 8 + 1, 12), dtype=np.uint8)
    for bit in range(12 * 8):
        keys[bit, bit // 8] = 1 << bit % 8
    codes, _ = kernel.factorize(keys)
    assert codes.tolist() == list(range(len(keys)))


@each_kernel
def test_lengths_are_checked(kernel):
    one, two = np.zeros(1, dtype=np.int32), np.zeros(2, dtype=np.int32)
    with pytest.raises(ValueError, match="rows and columns have different lengths"):
        kernel.sort_entries(one, two, 1, 1)
    with pytest.raises(ValueError, match="indptr does not end at the number of indices"):
        kernel.transpose(np.array([0, 1]), two, 1)
