"""Accuracy on MovieLens 100K with the defaults, which were chosen on other data.

Needs the file that ``python benchmarks/_data.py`` puts into the cache; run with ``-m realdata``.
"""

from pathlib import Path

import numpy as np
import pytest

from matfact import ALS, GD, NMF, SGD, VBMF, Ratings

FILE = Path.home() / ".cache" / "matfact" / "ml-100k.inter"

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def triples():
    if not FILE.is_file():
        pytest.skip("MovieLens 100K has not been downloaded")
    return np.loadtxt(FILE, skiprows=1, usecols=(0, 1, 2)).T


def mean_rmse(model, triples, fold_of):
    users, items, values = triples
    errors = []
    for fold in range(5):
        test = fold_of == fold
        train = Ratings.from_triples(users[~test], items[~test], values[~test])
        model.fit(train)
        predicted = model.predict(users[test].astype(int), items[test].astype(int), unknown="mean")
        errors.append(np.sqrt(np.mean((predicted - values[test]) ** 2)))
    return np.mean(errors)


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        (VBMF(random_state=0), 0.896),
        (ALS(random_state=0), 0.921),
        (SGD(random_state=0), 0.925),
        (NMF(random_state=0), 0.963),
        (GD(random_state=0), 0.934),
    ],
)
@pytest.mark.parametrize("folds", ["random", "official"])
def test_five_folds(triples, model, limit, folds):
    n = triples.shape[1]
    if folds == "official":
        fold_of = np.arange(n) // 20_000
    else:
        fold_of = np.random.default_rng(0).permutation(n) % 5
    rmse = mean_rmse(model, triples, fold_of)
    print(f"{model!r}, {folds} folds: RMSE {rmse:.4f}")
    # The official folds are not random: their test parts are harder.
    assert rmse <= limit + (0.015 if folds == "official" else 0)
