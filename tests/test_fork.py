"""Training works in forked children after the parent has trained on several threads."""

import os

import pytest

from isolated import BACKENDS, output_of

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

SHARED = """
import multiprocessing, os, sys, threading
import numpy as np
import matfact

data = np.random.default_rng(0).random((1200, 1100))  # enough work for threads
data[0, 0] = np.nan

def train(_=None):
    model = matfact.matrix_factorization(data, 40, random_state=0, n_threads=2, verbose=False)
    model.train_model(0.1, 4)
    return float(model.MSE())
"""

POOL = """
expected = train()
with multiprocessing.get_context("fork").Pool(4) as pool:
    assert pool.map_async(train, range(8)).get(timeout=60) == [expected] * 8
assert train() == expected
print("done")
"""

GRANDCHILD = """
def wait_for(pid):
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

expected = train()
child = os.fork()
if child == 0:
    ok = train() == expected
    grandchild = os.fork()
    if grandchild == 0:
        os._exit(0 if train() == expected else 1)
    wait_for(grandchild)
    os._exit(0 if ok else 1)
wait_for(child)
print("done")
"""

FROM_A_THREAD = """
expected = train()

def work():
    assert train() == expected
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(train).get(timeout=60) == expected
    print("done")

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "scenario", [POOL, GRANDCHILD, FROM_A_THREAD], ids=["pool", "grandchild", "from_a_thread"]
)
def test_forked_children_train(backend, scenario):
    # Python 3.12 warns of every fork in a process that has threads, those of the test included.
    answer = output_of(
        SHARED + scenario,
        MATFACT_BACKEND=backend,
        OPENBLAS_NUM_THREADS="1",
        PYTHONWARNINGS="error,ignore::DeprecationWarning",
        timeout=100,
    )
    assert answer == "done"
