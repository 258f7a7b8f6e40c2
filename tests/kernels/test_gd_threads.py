"""The number of threads does not change a bit, on any path."""

import numpy as np
import pytest

from kernels.gd_paths import MISSING, compressed_inputs, observed_arrays, run_path
from reference import problem

# Large enough that products, sweeps and sums have many chunks and start threads (4e7
# multiply-adds, THREAD_WORK of _parallel.pxd), with odd sizes.
SHAPES = {
    "full": [(2203, 817, 33), (611, 4049, 20)],
    "compressed": [(700, 563, 130), (571, 900, 131)],
    "filled": [(2203, 817, 33), (611, 4049, 20)],
    "observed": [(2203, 817, 33), (611, 4049, 20)],
}
CASES = [(path, shape) for path, shapes in SHAPES.items() for shape in shapes]
N_THREADS = (3, 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("path", "shape"), CASES)
def test_same_bits_for_any_number_of_threads(compiled_gd, path, shape, dtype):
    ratings, users, items = problem(*shape, MISSING[path], dtype=dtype)
    arguments = compiled_gd, path, ratings, users, items, 1e-5, 1e-5, 2
    alone = run_path(*arguments, n_threads=1)
    assert alone.finished == 2
    for n_threads in N_THREADS:
        together = run_path(*arguments, n_threads=n_threads)
        assert together.has_the_bits_of(alone), f"{n_threads} threads"


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("shape", [(1103, 1003, 33), (1005, 1100, 37), (40000, 23, 9)])
def test_same_bits_of_the_compression(compiled_gd, shape, dtype):
    arrays = problem(*shape, dtype=dtype)
    alone = compressed_inputs(compiled_gd, *arrays, n_threads=1)
    for n_threads in N_THREADS:
        together = compressed_inputs(compiled_gd, *arrays, n_threads=n_threads)
        for one, other in zip(alone[2:], together[2:], strict=True):
            assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_same_bits_of_the_squared_errors(compiled_gd, dtype):
    ratings, users, items = problem(1503, 1017, 33, 0.3, dtype=dtype)
    by_user = observed_arrays(ratings)[:3]
    alone = compiled_gd.squared_error(ratings, users, items, 1)
    observed = compiled_gd.observed_squared_error(*by_user, users, items, 1)
    for n_threads in N_THREADS:
        assert compiled_gd.squared_error(ratings, users, items, n_threads) == alone
        assert compiled_gd.observed_squared_error(*by_user, users, items, n_threads) == observed


def test_more_threads_than_rows(compiled_gd):
    ratings, users, items = problem(2, 3, 2, 0.3)
    for path in SHAPES:
        data = np.nan_to_num(ratings) if path in {"full", "compressed"} else ratings
        arguments = compiled_gd, path, data, users, items, 0.01, 0.01, 3
        many, one = (run_path(*arguments, n_threads=n_threads) for n_threads in (8, 1))
        assert many.has_the_bits_of(one)
