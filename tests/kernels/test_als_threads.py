"""The number of threads does not change a bit of what the `als` kernels return."""

import numpy as np
import pytest

from kernels.als_cases import problem

# The work of a call is above THREAD_WORK of _parallel.pxd, so that threads are started.
CASES = {
    "cholesky": (0, 0, {}),
    "cholesky_biases_weights": (0, 0, {"biases": True, "weights": True}),
    "gradients": (1, 3, {}),
    "gradients_biases_weights": (1, 3, {"biases": True, "weights": True}),
    "gradients_zeros": (1, 3, {"zeros": True, "weights": True}),
    "non_negative": (2, 3, {}),
    "non_negative_zeros": (2, 3, {"zeros": True}),
    "subspace": (3, 2, {}),
    "subspace_zeros": (3, 2, {"zeros": True, "weights": True}),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_same_bits_for_any_number_of_threads(compiled_als, case, dtype):
    method, n_steps, terms = CASES[case]
    p = problem(603, 501, 33, dtype, density=0.3, **terms)
    alone = p.solve(compiled_als, method, n_steps, 1)
    for n_threads in (2, 3, 8, 0):
        together = p.solve(compiled_als, method, n_steps, n_threads)
        for one, other in zip(alone, together, strict=True):
            assert one is None or one.tobytes() == other.tobytes(), f"{n_threads} threads"


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_same_bits_of_a_gram_matrix(compiled_als, dtype):
    factors = np.random.default_rng(0).normal(0, 1, (50_001, 40)).astype(dtype)
    alone = compiled_als.gram_matrix(factors, 1)
    for n_threads in (2, 3, 8, 0):
        assert compiled_als.gram_matrix(factors, n_threads).tobytes() == alone.tobytes()


def test_more_threads_than_rows(compiled_als):
    p = problem(2, 3000, 200, np.float32, density=0.9)
    alone, together = (p.solve(compiled_als, n_threads=n)[0] for n in (1, 8))
    assert alone.tobytes() == together.tobytes()
