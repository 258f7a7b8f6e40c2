"""Compare errors on MovieLens 100K: matfact and other libraries, on the same ten folds.

Run ``python benchmarks/accuracy.py`` where matfact and the peers are installed (README.md tells
how). Everyone has its defaults, or settings from its own documentation, on one thread; the folds
are the official u1 to u5 and five random ones. Prints Markdown, and puts it into
``benchmarks/results/accuracy.md``.

Some peers are slow, so what has been measured is kept in the user's cache (``accuracy.json`` beside
the data) by model, version and fold, and taken from there; the version of matfact has the digest of
its files with it. ``--again`` measures the chosen models anew. ``--models`` and ``--folds`` choose
what is measured; the other rows of the tables are what has been kept. Who changes the settings of a
peer below changes its label, or asks for it ``--again``.
"""

# ruff: noqa: PLC0415 (peers are optional, and imported where they are used)

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import importlib.metadata
import inspect
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _measure import cpu, machine, table  # first: it sets up numpy's BLAS

import numpy as np

import _peers
import matfact
from _data import cache_directory, movielens_100k
from _results import Kept, put_section
from matfact.evaluation import given_folds, mae, random_folds, rmse

if TYPE_CHECKING:
    from collections.abc import Callable

RESULT = Path(__file__).resolve().parent / "results" / "accuracy.md"

# Estimators of matfact and what differs from their defaults. What the installed matfact has not is
# left out, and said.
OWN = [
    ("VBMF", {}),
    ("VBMF", {"covariance": "full"}),
    ("VBMF", {"link": "both"}),
    ("VBMF", {"link": "both", "n_factors": 32}),
    ("BPMF", {}),
    ("BPMF", {"link": "both"}),
    ("ALS", {}),
    ("SGD", {}),
    ("NMF", {}),
    ("GD", {}),
]

MYFM_RANK, MYFM_SAMPLES = 10, 512  # those of its example for this data set
CMFREC_BEST = {  # the last and best variation of its benchmark/benchmark_explicit_cmfrec.ipynb
    "k": 50,
    "lambda_": 0.05,
    "scale_lam": True,
    "niter": 15,
    "use_cg": False,
    "add_implicit_features": True,
}


@dataclass(frozen=True)
class Candidate:
    """A model in the comparison.

    Parameters
    ----------
    label : str
        Its first column.
    package : str
        What is imported.
    distribution : str
        What is installed, and has a version.
    prepare : callable
        Takes the training part and brings it into the form that the library wants, and returns what
        trains: only that is timed. It returns what predicts the test part.
    """

    label: str
    package: str
    distribution: str
    prepare: Callable[[Any], Callable[[], Callable[[Any], Any]]]


# ------------------------------------------------------------------------------ models


def own(name, options, n_threads):
    """Return an estimator of matfact as a candidate, or None if matfact has not got it."""
    label = f"{name}({', '.join(f'{key}={value!r}' for key, value in options.items())})"
    estimator = getattr(matfact, name, None)
    lacking = [] if estimator is None else sorted({*options} - {*_parameters(estimator)})
    if estimator is None or lacking:
        what = f"no {name}" if estimator is None else f"no {', '.join(lacking)} in {name}"
        print(f"skipped: {label}; matfact {matfact.__version__} has {what}", file=sys.stderr)
        return None

    def prepare(train):
        model = estimator(**options, random_state=0, n_threads=n_threads)

        def fit():
            model.fit(train)
            return lambda test: model.predict(*test.to_triples()[:2])

        return fit

    return Candidate(label, "matfact", "matfact", prepare)


def _parameters(estimator):
    return inspect.signature(estimator).parameters


def myfm(label, samples=None, *, grouped=True, **links):
    """Return a form of myFM's regression as a candidate; it has one thread."""

    def prepare(train):
        blocks = _peers.myfm_blocks(train, train, **links)
        groups = _peers.myfm_groups(train, **links) if grouped else None

        def fit():
            model = _peers.myfm_fit(
                blocks, train.user_values, rank=MYFM_RANK, samples=samples, groups=groups
            )
            return lambda test: np.clip(
                model.predict(None, _peers.myfm_blocks(train, test, **links)), 1, 5
            )

        return fit

    return Candidate(f"myFM {label}", "myfm", "myfm", prepare)


def surprise(algorithm, label):
    """Return one of Surprise's algorithms as a candidate; it has one thread."""

    def prepare(train):
        trainset = _peers.surprise_trainset(train)

        def fit():
            model = _peers.surprise_fit(trainset, algorithm)
            return lambda test: _peers.surprise_predict(model, test)

        return fit

    return Candidate(f"scikit-surprise {label}", "surprise", "scikit-surprise", prepare)


def cmfrec(label, options, n_threads):
    """Return cmfrec's CMF as a candidate."""

    def prepare(train):
        from cmfrec import CMF

        matrix = train.to_scipy("coo")

        def fit():
            model = CMF(**options, nthreads=n_threads, verbose=False).fit(matrix)
            return lambda test: np.clip(model.predict(test.users, test.user_indices), 1, 5)

        return fit

    return Candidate(f"cmfrec CMF, {label}", "cmfrec", "cmfrec", prepare)


def libmf(label, options, n_threads):
    """Return LIBMF as a candidate."""

    def prepare(train):
        rows = _peers.triples(train)

        def fit():
            model = _peers.libmf_fit_with(rows, nr_threads=n_threads, **options)
            return lambda test: _peers.libmf_predict(model, test)

        return fit

    return Candidate(f"LIBMF, {label}", "libmf", "libmf", prepare)


def candidates(n_threads):
    """Return all that are compared."""
    squared = {"lambda_p1": 0.0, "lambda_q1": 0.0, "lambda_p2": 0.1, "lambda_q2": 0.1}
    matfacts = (own(name, options, n_threads) for name, options in OWN)
    forms = f"{MYFM_SAMPLES} samples, rank {MYFM_RANK}"
    return [
        *(one for one in matfacts if one is not None),
        myfm(f"MF, defaults (100 iterations), rank {MYFM_RANK}", grouped=False),
        myfm(f"MF, {forms}", MYFM_SAMPLES),
        myfm(f"SVD++, {forms}", MYFM_SAMPLES, by_user=True),
        myfm(f"SVD++ flipped, {forms}", MYFM_SAMPLES, by_user=True, by_item=True),
        surprise("SVD", "SVD, defaults"),
        surprise("SVDpp", "SVD++, defaults"),
        cmfrec("defaults", {}, n_threads),
        cmfrec("implicit features", {"add_implicit_features": True}, n_threads),
        cmfrec("k = 50, implicit features, Cholesky", CMFREC_BEST, n_threads),
        libmf("defaults of its Python package", {}, n_threads),
        libmf("defaults of the program (lambda = 0.1)", squared, n_threads),
    ]


# ------------------------------------------------------------------------------ measuring


def movielens():
    """Return MovieLens 100K with the official folds u1 to u5."""
    rows = np.loadtxt(movielens_100k(), skiprows=1, dtype=np.int64)
    blocks = np.arange(len(rows)) // 20_000
    return given_folds(rows[:, 0], rows[:, 1], rows[:, 2], blocks, timestamps=rows[:, 3])


def measure(candidate, train, test):
    """Train on one part and predict the other; return errors and the seconds of the training."""
    fit = candidate.prepare(train)
    cpu_started, wall_started = time.process_time(), time.perf_counter()
    predict = fit()
    seconds = time.process_time() - cpu_started, time.perf_counter() - wall_started
    predicted = predict(test)
    return {
        "rmse": float(rmse(test.user_values, predicted)),
        "mae": float(mae(test.user_values, predicted)),
        "cpu": seconds[0],
        "wall": seconds[1],
        "day": time.strftime("%Y-%m-%d"),
    }


def version_of(candidate):
    """Return the installed version, None without one; that of matfact tells its files too."""
    if not _peers.installed(candidate.package):
        return None
    if candidate.package != "matfact":
        return importlib.metadata.version(candidate.distribution)
    info = matfact.backend_info()
    root = Path(matfact.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix in {".py", ".so", ".pyd"}:
            digest.update(path.read_bytes())
    return f"{matfact.__version__} {info.backend} {info.simd_level} {digest.hexdigest()[:12]}"


def measurements(candidate, name, folds, kept, key, *, chosen, again):
    """Return the version of a model and a measurement for each fold, new, kept, or None."""
    installed = version_of(candidate)
    version = kept.version(key, installed)
    found = [kept.get(key, version, f"{name} {number}") for number in range(len(folds))]
    if not chosen or installed is None:
        return version, found
    for number, before in enumerate(found):
        if before is None or again:
            found[number] = measure(candidate, *folds[number])
            kept.put(key, version, f"{name} {number}", found[number])
            what = ", ".join(f"{key} {value}" for key, value in found[number].items())
            print(f"{candidate.label}, {name} {number}: {what}", file=sys.stderr)
    return version, found


def row(candidate, version, found):
    """Return a row of the table."""
    if None in found:
        why = "not installed" if version is None else "not measured"
        return [candidate.label, why, *5 * [""]]
    rmses, maes = ([one[measure_] for one in found] for measure_ in ("rmse", "mae"))
    cpus, walls = ([one[clock] for one in found] for clock in ("cpu", "wall"))
    return [
        candidate.label,
        f"{statistics.mean(rmses):.4f}",
        ", ".join(f"{one:.4f}" for one in rmses),
        f"{statistics.mean(maes):.4f} ({maes[0]:.4f})",
        f"{statistics.median(cpus):.2f}",
        f"{statistics.median(walls):.2f}",
        f"{candidate.distribution} {version.split()[0]}, {max(one['day'] for one in found)}",
    ]


def main():
    """Print the tables that are asked for and put them into the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--models", metavar="PATTERN", nargs="+", default=["*"], help='such as "VBMF*" "myFM MF*"'
    )
    parser.add_argument("--folds", choices=("official", "random"), nargs="+", help="default: both")
    parser.add_argument("--again", action="store_true", help="measure what has been kept as well")
    parser.add_argument("--threads", type=int, default=1, help="of those that have several")
    arguments = parser.parse_args()
    official = movielens()
    shuffled = random_folds(official.ratings, 5, random_state=0)
    tables = {
        "official": (official, "the official folds", "u1, ..., u5", "u1"),
        "random": (shuffled, "five random folds", "each", "first"),
    }
    kept = Kept(cache_directory() / "accuracy.json")
    threads = f"{arguments.threads} thread{'s' * (arguments.threads > 1)}"
    everyone = candidates(arguments.threads)
    for name in arguments.folds or tables:
        folds, title, each, first = tables[name]
        rows = []
        for one in everyone:
            chosen = any(fnmatch.fnmatch(one.label.lower(), p.lower()) for p in arguments.models)
            key = f"{one.label}, {threads}, {cpu()}"
            options = {"chosen": chosen, "again": arguments.again}
            rows.append(row(one, *measurements(one, name, folds, kept, key, **options)))
        columns = [
            "model",
            "RMSE, mean",
            f"RMSE, {each}",
            f"MAE, mean ({first})",
            "fit, CPU s",
            "fit, wall s",
            "version, measured on",
        ]
        section = table(f"MovieLens 100K, {title}, {threads}", columns, rows)
        put_section(RESULT, "# Accuracy of predicted ratings\n", section, machine())


if __name__ == "__main__":
    main()
