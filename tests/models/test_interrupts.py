"""Ctrl-C ends the training of an estimator soon and leaves the last finished epoch."""

import json
import os

import pytest

from isolated import BACKENDS, run_python

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")

# The bound of the contract is 0.2 s; here it is wide, since machines that run tests stall.
LIMIT_SECONDS = 2.0

SCRIPT = """
import json, os, signal, sys, threading, time
import numpy as np
import matfact

name, parameters = json.loads(sys.argv[1])
ratings = matfact.make_ratings(3000, 2000, 200_000, random_state=0)
new = lambda n: getattr(matfact, name)(max_iter=n, tol=0, random_state=0, **parameters)
model = new(10**6)
last = {}
epoch = 0
begun = threading.Event()

def interrupt():
    global sent
    begun.wait(1.0)
    time.sleep(0.1)  # within the next epoch, or a later one
    sent = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)

def remember(state):
    global epoch
    copies = {name: array.copy() for name, array in state.arrays.items()}
    last.update(copies)
    epoch = state.epoch
    begun.set()

threading.Thread(target=interrupt, daemon=True).start()
try:
    model.fit(ratings, callbacks=[remember])
except KeyboardInterrupt:
    seconds = time.perf_counter() - sent
else:
    sys.exit("no KeyboardInterrupt")
if model.n_iter_ != epoch:
    sys.exit(75)  # the signal came while the callback was copying: nothing to compare with
if not last:  # not one epoch was finished: the model is the start
    last = model._start(ratings, 0)
same = all(np.array_equal(array, getattr(model, name + "_")) for name, array in last.items())
finite = bool(np.isfinite(model.predict_all([0, 1])).all())
print(json.dumps([seconds, same, finite, model.n_iter_ == len(model.history_)]))
"""

CASES = {
    "ALS": ("ALS", {"n_factors": 100, "solver": "cholesky"}),
    "ALS-cg": ("ALS", {"n_factors": 100, "solver": "cg"}),
    "SGD": ("SGD", {"n_factors": 100}),
    "NMF": ("NMF", {"n_factors": 60}),
    "GD": ("GD", {"n_factors": 60}),
    "ImplicitALS": ("ImplicitALS", {"n_factors": 100}),
    "BPR": ("BPR", {"n_factors": 100}),
    "VBMF": ("VBMF", {"n_factors": 60}),
    "VBMF-full": ("VBMF", {"n_factors": 30, "covariance": "full"}),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_ctrl_c_leaves_the_last_finished_epoch(backend, case):
    for _ in range(3):
        result = run_python(SCRIPT, json.dumps(CASES[case]), MATFACT_BACKEND=backend)
        if result.returncode != 75:
            break
    assert result.returncode == 0, result.stderr
    seconds, same, finite, counted = json.loads(result.stdout)
    print(f"{backend} {case}: KeyboardInterrupt {seconds:.3f} s after the signal")
    assert seconds < LIMIT_SECONDS
    assert same
    assert finite
    assert counted
