"""Accuracy on MovieLens 100K with the defaults, which were chosen on other data.

Needs the file that ``python benchmarks/_data.py`` puts into the cache; run with ``-m realdata``.
"""

from pathlib import Path

import numpy as np
import pytest

from matfact import ALS, GD, NMF, SGD, VBMF, Ratings

FILE = Path.home() / ".cache" / "matfact" / "ml-100k.inter"
ITEMS = FILE.with_suffix(".item")

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def triples():
    if not FILE.is_file():
        pytest.skip("MovieLens 100K has not been downloaded")
    return np.loadtxt(FILE, skiprows=1, usecols=(0, 1, 2)).T


@pytest.fixture(scope="module")
def films():
    """Genres of the films, and their age in units of twenty years."""
    if not ITEMS.is_file():
        pytest.skip("the films of MovieLens 100K have not been downloaded")
    found = []
    with ITEMS.open(encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            item, _, year, genres = line.rstrip("\n").split("\t")
            found += [(int(item), genre, 1.0) for genre in genres.split()]
            if year.isdigit():
                found += [(int(item), "age", (1998 - int(year)) / 20), (int(item), "dated", 1.0)]
    return Ratings.from_triples(*map(list, zip(*found, strict=True)))


def mean_rmse(model, triples, fold_of, **features):
    users, items, values = triples
    errors = []
    for fold in range(5):
        test = fold_of == fold
        train = Ratings.from_triples(users[~test], items[~test], values[~test])
        model.fit(train, **features)
        predicted = model.predict(users[test].astype(int), items[test].astype(int), unknown="mean")
        errors.append(np.sqrt(np.mean((predicted - values[test]) ** 2)))
    return np.mean(errors)


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        (VBMF(random_state=0), 0.896),
        (VBMF(random_state=0, covariance="mean"), 0.897),
        (VBMF(random_state=0, link="both"), 0.879),
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


def test_features_of_films(triples, films):
    fold_of = np.random.default_rng(0).permutation(triples.shape[1]) % 5
    plain, told, linked = (
        mean_rmse(VBMF(random_state=0, link=link), triples, fold_of, item_features=features)
        for link, features in ((None, None), (None, films), ("both", films))
    )
    print(f"VBMF: RMSE {plain:.4f}, with features of films {told:.4f}, with links {linked:.4f}")
    assert told < 0.992 * plain
    assert linked < 0.98 * plain


def test_films_that_nobody_has_rated(triples, films):
    """Their features are better than to take them as average ones."""
    errors = []
    users, items, values = triples
    for seed in range(5):
        names = np.unique(items)
        cold = np.random.default_rng(seed).choice(names, len(names) // 5, replace=False)
        test = np.isin(items, cold)
        part = users[~test], items[~test], values[~test]
        pairs = users[test].astype(int), items[test].astype(int)
        model = VBMF(random_state=0)
        predicted = [
            model.fit(Ratings.from_triples(*part, item_ids=names)).predict(*pairs),
            model.fit(Ratings.from_triples(*part)).predict(*pairs, unknown="mean"),
            model.fit(Ratings.from_triples(*part), item_features=films).predict(*pairs),
        ]
        sums = np.bincount(users[~test].astype(int), values[~test], minlength=int(users.max()) + 1)
        counts = np.bincount(users[~test].astype(int), minlength=int(users.max()) + 1)
        predicted.append((sums / np.maximum(counts, 1))[pairs[0]])
        errors.append([np.sqrt(np.mean((one - values[test]) ** 2)) for one in predicted])
    of_prior, of_mean, of_features, of_users = np.mean(errors, axis=0)
    print(
        f"RMSE by the prior {of_prior:.4f}, unknown='mean' {of_mean:.4f}, "
        f"users' means {of_users:.4f}, features {of_features:.4f}"
    )
    assert of_features < 0.96 * of_prior
    assert of_features < 0.96 * of_mean
    assert of_features < 0.98 * of_users
