"""Ctrl-C ends training soon and leaves factors that can be used."""

import json
import os

import pytest

from isolated import BACKENDS, output_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")

# The bound of the contract is 0.2 s; here it is wide, since machines that run tests stall.
LIMIT_SECONDS = 2.0

SCRIPT = """
import json, os, signal, sys, threading, time
import numpy as np
import matfact

shape, missing = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
data = rng.random(shape)
data[rng.random(shape) < missing] = np.nan
model = matfact.matrix_factorization(data, 16, random_state=0, verbose=False)
model.train_model(0.01, 1)

def interrupt():
    global sent
    time.sleep(0.3)
    sent = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
try:
    model.train_model(0.01, 10**8)
except KeyboardInterrupt:
    seconds = time.perf_counter() - sent
else:
    sys.exit("no KeyboardInterrupt")

finite = bool(np.isfinite(model.user_features).all() and np.isfinite(model.item_features).all())
before = model.MSE()
model.train_model(0.01, 5)
print(json.dumps([seconds, finite, before, model.MSE()]))
"""

CASES = {
    "full": ((900, 800), 0.0),
    "compressed": ((20000, 60), 0.0),
    "few_missing": ((900, 800), 0.1),
    "many_missing": ((900, 800), 0.9),
    "tiny": ((10, 8), 0.0),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_ctrl_c_ends_training_with_usable_factors(backend, case):
    answer = output_of(SCRIPT, json.dumps(CASES[case]), MATFACT_BACKEND=backend)
    seconds, finite, before, after = json.loads(answer)
    print(f"{backend} {case}: KeyboardInterrupt {seconds:.3f} s after the signal")
    assert seconds < LIMIT_SECONDS
    assert finite
    assert after <= before * (1 + 1e-9) + 1e-12  # a tiny matrix is fitted exactly in no time
