"""Numbers that are not finite, arrays that do not fit, and interruptions of the `sgd` kernels."""

import math
import os
import signal
import threading
import time

import numpy as np
import pytest

from kernels.sgd_cases import DTYPES, problem

dtypes = pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
schedules = pytest.mark.parametrize("adaptive", [True, False], ids=["adaptive", "constant"])


@dtypes
def test_divergence_answers_nan_and_changes_nothing(sgd_kernel, dtype):
    p = problem(23, 19, 5, dtype, adaptive=False, learning_rate=1e30)
    state, errors = p.train(sgd_kernel)
    assert math.isnan(errors)
    assert state.has_the_bits_of(p.start)


@schedules
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite_answers_nan_and_changes_nothing(
    sgd_kernel, place, value, adaptive
):
    p = problem(23, 19, 5, np.float32, adaptive=adaptive)
    p.start.arrays()[place][0] = value
    state, errors = p.train(sgd_kernel)
    assert math.isnan(errors)
    assert state.has_the_bits_of(p.start)


def test_the_last_update_may_be_the_one_that_fails(sgd_kernel):
    p = problem(1, 1, 4, np.float32, density=9.0, adaptive=False, learning_rate=1e39)
    state, errors = p.train(sgd_kernel)
    assert math.isnan(errors)
    assert state.has_the_bits_of(p.start)


@pytest.mark.parametrize("which", range(6))
def test_arrays_of_the_wrong_size_are_refused(compiled_sgd, which):
    p = problem(23, 19, 5, np.float64)
    arranged = p.nodes(compiled_sgd)
    state = p.start.copy()
    name = list(vars(state))[which]
    setattr(state, name, np.concatenate([getattr(state, name)] * 2, axis=0))
    with pytest.raises(ValueError, match="must have"):
        p.epoch(compiled_sgd, arranged, state)


def test_nodes_of_the_other_dtype_are_refused(compiled_sgd):
    p, other = (problem(23, 19, 5, dtype) for dtype in DTYPES.values())
    with pytest.raises(ValueError, match="dtype"):
        p.epoch(compiled_sgd, other.nodes(compiled_sgd), p.start.copy())


def test_blocks_that_do_not_fit_the_order_are_refused(compiled_sgd):
    p = problem(23, 19, 5, np.float64)
    nodes, block_indptr = p.nodes(compiled_sgd)
    with pytest.raises(ValueError, match="block_indptr"):
        p.epoch(compiled_sgd, (nodes, block_indptr[:-1]), p.start.copy())
    with pytest.raises(ValueError, match="nodes"):
        p.epoch(compiled_sgd, (nodes[:-1], block_indptr), p.start.copy())


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
def test_ctrl_c_leaves_everything_as_it_was(sgd_kernel):
    """Epochs of many strata until the signal comes; the state is that between two epochs."""
    p = problem(500, 400, 64, np.float32, density=0.5)
    arranged = p.nodes(sgd_kernel)
    state, before = p.start.copy(), p.start.copy()

    def train_until_interrupted():
        nonlocal before
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            before = state.copy()
            p.epoch(sgd_kernel, arranged, state)

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            train_until_interrupted()
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, previous)
    if not state.has_the_bits_of(before):  # the signal came between two epochs
        p.epoch(sgd_kernel, arranged, before)
    assert state.has_the_bits_of(before)
