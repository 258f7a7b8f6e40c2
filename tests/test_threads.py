"""The thread rule: argument, then context, then OpenMP at the time of the call."""

import asyncio
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import matfact
from isolated import needs_compiled, output_of
from matfact._threads import MAX_THREADS, resolve_n_threads


def test_without_argument_and_context_openmp_decides():
    assert resolve_n_threads(None) == 0


@pytest.mark.parametrize("n_threads", [1, 3, MAX_THREADS, np.int32(2)])
def test_an_argument_is_taken_as_it_is(n_threads):
    resolved = resolve_n_threads(n_threads)
    assert resolved == n_threads
    assert type(resolved) is int


def test_the_context_applies_inside_and_the_argument_beats_it():
    with matfact.threads(3):
        assert resolve_n_threads(None) == 3
        assert resolve_n_threads(2) == 2
        with matfact.threads(1):
            assert resolve_n_threads(None) == 1
        assert resolve_n_threads(None) == 3
    assert resolve_n_threads(None) == 0


def test_the_context_ends_with_an_exception():
    with pytest.raises(KeyError), matfact.threads(3):
        raise KeyError
    assert resolve_n_threads(None) == 0


def test_the_context_belongs_to_its_thread():
    seen = []
    with matfact.threads(3):
        other = threading.Thread(target=lambda: seen.append(resolve_n_threads(None)))
        other.start()
        other.join()
    assert seen == [0]


def test_the_context_belongs_to_its_task():
    async def inside(n_threads):
        with matfact.threads(n_threads):
            await asyncio.sleep(0.01)
            return resolve_n_threads(None)

    async def both():
        return await asyncio.gather(inside(2), inside(5))

    assert asyncio.run(both()) == [2, 5]


@pytest.mark.parametrize("entry", [resolve_n_threads, matfact.threads])
@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0, ValueError, "n_threads is 0"),
        (-1, ValueError, "n_threads is -1"),
        (MAX_THREADS + 1, ValueError, f"n_threads is {MAX_THREADS + 1}"),
        (2**70, ValueError, "n_threads is 1180591620717411303424"),
        (True, TypeError, "not the bool True"),
        (np.True_, TypeError, "not the bool True"),
        (2.0, TypeError, "not float 2.0"),
        ("2", TypeError, "not str '2'"),
    ],
)
def test_a_bad_number_is_refused_at_once_with_the_remedy(entry, value, error, words):
    with pytest.raises(error, match="give an integer of at") as caught:
        entry(value)
    assert words in str(caught.value)


ASK = "import matfact; print(matfact.backend_info().n_threads)"


@needs_compiled
def test_the_openmp_setting_is_honoured():
    assert output_of(ASK, OMP_NUM_THREADS="3") == "3"


@needs_compiled
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity on this system")
def test_cpu_affinity_is_honoured():
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n" + ASK
    assert output_of(code) == "1"


@needs_compiled
def test_nothing_is_remembered_between_calls():
    code = """
import ctypes, matfact
from matfact.kernels import runtime
library = ctypes.CDLL(runtime.__file__)  # its OpenMP is found through it
answers = []
for n in (2, 5, 1):
    library.omp_set_num_threads(n)
    answers.append(matfact.backend_info().n_threads)
print(answers)
"""
    assert output_of(code) == "[2, 5, 1]"


@needs_compiled
def test_backend_info_shows_the_context():
    code = "import matfact\nwith matfact.threads(7): print(matfact.backend_info().n_threads)"
    assert output_of(code) == "7"


TRAIN_AND_COUNT = """
import os, sys
import numpy as np, matfact
data = np.random.default_rng(0).random((1500, 1400))  # enough work for threads
n_threads = eval(sys.argv[1])
model = matfact.matrix_factorization(data, 40, random_state=0, n_threads=n_threads, verbose=False)
before = len(os.listdir("/proc/self/task"))
if sys.argv[2] == "context":
    with matfact.threads(3):
        model.train_model(0.1, 60)
else:
    model.train_model(0.1, 60)
print(1 + len(os.listdir("/proc/self/task")) - before)
"""


@needs_compiled
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
@pytest.mark.parametrize(
    ("argument", "context", "expected"),
    [("None", "", 2), ("None", "context", 3), ("4", "", 4), ("4", "context", 4), ("1", "", 1)],
)
def test_training_starts_the_threads_that_the_rule_says(argument, context, expected):
    answer = output_of(
        TRAIN_AND_COUNT, argument, context, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="1"
    )
    assert int(answer) == expected
