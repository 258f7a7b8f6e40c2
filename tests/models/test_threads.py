"""The number of threads changes no bit of a model, nor when its training stops."""

import numpy as np
import pytest

import matfact
from matfact import ALS, BPR, GD, NMF, SGD, ImplicitALS, make_ratings
from models.cases import same_bits

pytestmark = pytest.mark.skipif(
    matfact.backend_info().backend == "numpy", reason="the numpy backend ignores n_threads"
)

# Large enough that every kernel starts threads.
MODELS = {
    "ALS": lambda n: ALS(n_factors=24, max_iter=3, random_state=0, n_threads=n),
    "ALS-cg": lambda n: ALS(n_factors=40, max_iter=3, random_state=0, n_threads=n, solver="cg"),
    "SGD": lambda n: SGD(n_factors=32, max_iter=3, random_state=0, n_threads=n),
    "SGD-constant": lambda n: SGD(
        n_factors=32, max_iter=3, random_state=0, n_threads=n, schedule="constant"
    ),
    "NMF": lambda n: NMF(n_factors=24, max_iter=2, random_state=0, n_threads=n),
    "NMF-zero": lambda n: NMF(n_factors=24, max_iter=2, random_state=0, n_threads=n, absent="zero"),
    "GD": lambda n: GD(n_factors=24, max_iter=3, random_state=0, n_threads=n),
    "ImplicitALS": lambda n: ImplicitALS(n_factors=24, max_iter=2, random_state=0, n_threads=n),
    "ImplicitALS-cg": lambda n: ImplicitALS(n_factors=40, max_iter=2, random_state=0, n_threads=n),
    "BPR": lambda n: BPR(n_factors=32, max_iter=2, random_state=0, n_threads=n),
}


@pytest.fixture(scope="module")
def ratings():
    return make_ratings(4000, 3000, 300_000, random_state=0)


@pytest.mark.parametrize("new", list(MODELS.values()), ids=list(MODELS))
def test_same_bits_for_any_number_of_threads(new, ratings):
    one = new(1).fit(ratings, validation=0.1)
    for n_threads in (2, 3, 8):
        assert same_bits(one, new(n_threads).fit(ratings, validation=0.1)), f"{n_threads} threads"
    with matfact.threads(2):
        assert same_bits(one, new(None).fit(ratings, validation=0.1))


@pytest.mark.parametrize("new", list(MODELS.values()), ids=list(MODELS))
def test_same_predictions_for_any_number_of_threads(new, ratings):
    model = new(1).fit(ratings)
    users = np.arange(0, 4000, 7)
    alone = model.predict(users, np.resize(np.arange(3000), len(users)))
    # BPR works row by row in numpy, and its fold-in takes long for many.
    rows = ratings.select(ratings.users < 100) if isinstance(model, BPR) else ratings
    folded = model.fold_in(rows)
    model.set_params(n_threads=3)
    together = model.predict(users, np.resize(np.arange(3000), len(users)))
    assert alone.tobytes() == together.tobytes()
    assert folded.tobytes() == model.fold_in(rows).tobytes()
