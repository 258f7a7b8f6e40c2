"""The number of threads does not change a bit of what the `sgd` kernels return."""

import numpy as np
import pytest

from kernels.sgd_cases import DTYPES, problem


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("adaptive", [True, False], ids=["adaptive", "constant"])
def test_same_bits_for_any_number_of_threads(compiled_sgd, adaptive, dtype):
    # A stratum has about 60,000 ratings: enough work to start threads (THREAD_WORK).
    p = problem(707, 601, 130, dtype, density=0.6, n_blocks=4, adaptive=adaptive)
    assert len(p.values) > 200_000
    alone, errors = p.train(compiled_sgd, 1, n_epochs=2)
    for n_threads in (2, 3, 8, 0):
        together, same_errors = p.train(compiled_sgd, n_threads, n_epochs=2)
        assert same_errors == errors, f"{n_threads} threads"
        assert together.has_the_bits_of(alone), f"{n_threads} threads"


def test_copies_of_many_rows_are_shared_out(compiled_sgd):
    p = problem(90_001, 3, 64, np.float32, density=0.6)
    alone, errors = p.train(compiled_sgd, 1)
    for n_threads in (2, 3):
        together, same_errors = p.train(compiled_sgd, n_threads)
        assert same_errors == errors
        assert together.has_the_bits_of(alone)
