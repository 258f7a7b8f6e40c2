"""Eigenvalues and eigenvectors against what defines them, and matrices made of known ones."""

import os

import numpy as np
import pytest

from kernels.interruption import seconds_until_interrupted

SIZES = [1, 2, 3, 4, 5, 8, 17, 33, 70, 131]


def decomposed(kernel, matrix, n_threads=1):
    values, vectors = np.full(len(matrix), np.nan), np.full(matrix.shape, np.nan)
    assert kernel.eigh(matrix, values, vectors, n_threads) is True
    return values, vectors


def assert_decomposes(matrix, values, vectors):
    tolerance = 50 * len(matrix) * np.finfo(float).eps
    scale = max(np.abs(matrix).max(), 1e-300)
    assert (np.diff(values) >= 0).all()
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(len(matrix)), rtol=0, atol=tolerance)
    np.testing.assert_allclose(
        (vectors * values) @ vectors.T / scale, matrix / scale, rtol=0, atol=tolerance
    )


def symmetric(size, rank, seed=0):
    roots = np.random.default_rng([size, seed]).normal(size=(size, rank))
    matrix = roots @ roots.T
    return (matrix + matrix.T) / 2


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7, 2.0])
def test_gram_matrices_of_any_rank(eigen_kernel, share):
    for size in SIZES:
        matrix = symmetric(size, int(share * size))
        assert_decomposes(matrix, *decomposed(eigen_kernel, matrix))


def test_matrices_that_are_not_definite(eigen_kernel):
    for size in SIZES:
        matrix = symmetric(size, size) - symmetric(size, size, seed=1)
        assert_decomposes(matrix, *decomposed(eigen_kernel, matrix))


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_any_scale(eigen_kernel, scale):
    matrix = symmetric(20, 30) * scale
    assert_decomposes(matrix, *decomposed(eigen_kernel, matrix))


@pytest.mark.parametrize("order", [1, -1])
def test_graded_and_equal_values(eigen_kernel, order):
    wanted = np.sort(np.concatenate([10.0 ** -np.arange(12), np.ones(10), np.zeros(5)]))
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(27, 27)))[0]
    for matrix in (np.diag(wanted[::order]), (basis * wanted) @ basis.T):
        values, vectors = decomposed(eigen_kernel, (matrix + matrix.T) / 2)
        np.testing.assert_allclose(values, wanted, rtol=0, atol=1e-14)
        assert_decomposes(matrix, values, vectors)


def test_tridiagonal_ones_have_known_values(eigen_kernel):
    for size in (2, 9, 50):
        matrix = np.diag(np.full(size - 1, -1.0), 1)
        matrix += matrix.T + 2 * np.eye(size)
        wanted = 2 - 2 * np.cos(np.pi * np.arange(1, size + 1) / (size + 1))
        values, vectors = decomposed(eigen_kernel, matrix)
        np.testing.assert_allclose(values, wanted, rtol=0, atol=1e-13)
        assert_decomposes(matrix, values, vectors)


def test_no_rows(eigen_kernel):
    decomposed(eigen_kernel, np.zeros((0, 0)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_has_none(eigen_kernel, bad):
    matrix = symmetric(6, 6)
    matrix[2, 3] = matrix[3, 2] = bad
    assert eigen_kernel.eigh(matrix, np.zeros(6), np.zeros((6, 6)), 1) is False


def test_same_bits_for_any_number_of_threads(compiled_eigen):
    matrix = symmetric(260, 300)  # above THREAD_WORK of _parallel.pxd, so that threads are started
    alone = decomposed(compiled_eigen, matrix)
    for n_threads in (2, 3, 8, 0):
        found = decomposed(compiled_eigen, matrix, n_threads)
        assert [part.tobytes() for part in found] == [part.tobytes() for part in alone]


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
def test_interruptions(compiled_eigen):
    matrix = symmetric(400, 400)

    def call():
        while True:
            decomposed(compiled_eigen, matrix, 2)

    # 0.2 s are promised, but machines that run tests stall
    assert seconds_until_interrupted(call) < 2.0


@pytest.mark.parametrize("wrong", ["matrix", "values", "vectors"])
def test_shapes_are_checked(compiled_eigen, wrong):
    given = {"matrix": np.eye(4), "values": np.zeros(4), "vectors": np.zeros((4, 4))}
    given[wrong] = np.ascontiguousarray(given[wrong][..., :-1])
    with pytest.raises(ValueError, match=wrong):
        compiled_eigen.eigh(*given.values(), 1)
