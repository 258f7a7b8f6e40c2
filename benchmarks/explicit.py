"""Time the estimators for ratings against libmf, cmfrec and LensKit.

Run ``python benchmarks/explicit.py`` where matfact and the peers are installed (README.md tells
how), on a quiet machine, about a quarter of an hour; ``--part sgd`` and so on for one part. Prints
Markdown, and puts each part into ``benchmarks/results/explicit.md`` in place of the older one.
"""

# ruff: noqa: PLC0415 (peers are optional, and imported where they are used)

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

from _measure import machine, medians, table  # first: it sets up numpy's BLAS

import numpy as np

import _peers
from _results import put_section
from matfact import Ratings, make_ratings
from matfact.evaluation import random_split, rmse
from matfact.models import ALS, GD, NMF, SGD

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "explicit.md"

SIZES = {"S2": (6040, 3706, 1_000_000), "S3": (69_878, 10_677, 10_000_000)}
MISSING = "not installed"


@cache
def synthetic(name):
    """Return S2 or S3: power-law popularity, planted low rank, noise, whole stars."""
    return make_ratings(*SIZES[name], random_state=0)


def seconds_per_epoch(fits, few_many, rounds, clock=time.process_time):
    """Return the seconds of one epoch: the difference of long and short trainings, in turns."""
    calls = {
        (name, epochs): (lambda fit=fit, epochs=epochs: fit(epochs))
        for name, fit in fits.items()
        for epochs in few_many
    }
    times = medians(calls, rounds=rounds, clock=clock)
    few, many = few_many
    return {name: (times[name, many] - times[name, few]) / (many - few) for name in fits}


def sgd_fit(ratings, n_factors, schedule="adaptive", n_threads=1):
    """Return a function that trains SGD for a number of epochs."""

    def fit(epochs):
        return SGD(
            n_factors=n_factors,
            schedule=schedule,
            max_iter=epochs,
            tol=0,
            random_state=0,
            n_threads=n_threads,
        ).fit(ratings)

    return fit


def als_fit(ratings, n_factors, solver, n_threads=1):
    """Return a function that trains ALS for a number of epochs."""

    def fit(epochs):
        return ALS(
            n_factors=n_factors,
            solver=solver,
            max_iter=epochs,
            tol=0,
            random_state=0,
            n_threads=n_threads,
        ).fit(ratings)

    return fit


def ratio(peer, own):
    """Format how many times faster matfact is."""
    return MISSING if peer is None else f"{peer / own:.2f}"


def milliseconds(seconds):
    """Format a time."""
    return MISSING if seconds is None else f"{1e3 * seconds:.1f}"


# ------------------------------------------------------------------------------ parts


def sgd():
    """Time an epoch of SGD and of LIBMF."""
    rows = []
    for name, few_many, rounds in (("S2", (1, 21), 7), ("S3", (1, 5), 3)):
        ratings = synthetic(name)
        rows_of_libmf = _peers.triples(ratings)
        for k, target in ((32, "4.0"), (64, "3.5"), (128, "2.8")):
            fits = {kind: sgd_fit(ratings, k, kind) for kind in ("constant", "adaptive")}
            if _peers.installed("libmf"):
                fits["libmf"] = lambda epochs: _peers.libmf_fit(rows_of_libmf, k, epochs)
            times = seconds_per_epoch(fits, few_many, rounds)
            peer = times.get("libmf")
            rows.append(
                [
                    f"{name}, {k}",
                    milliseconds(peer),
                    milliseconds(times["constant"]),
                    f"{ratings.n_ratings / times['constant'] / 1e6:.0f}",
                    ratio(peer, times["constant"]),
                    target,
                    milliseconds(times["adaptive"]),
                    ratio(peer, times["adaptive"]),
                    "2.5",
                ]
            )
    return table(
        "SGD: an epoch, one thread, CPU ms",
        [
            "data, k",
            "LIBMF",
            "SGD, constant steps",
            "million ratings/s",
            "ratio",
            "target",
            "SGD, adaptive steps",
            "ratio",
            "target",
        ],
        rows,
    )


def als():
    """Time an epoch of ALS, of cmfrec, and of BLAS calls for each row."""
    rows = []
    cases = [("S2", k, kind) for k in (32, 64, 128) for kind in ("cholesky", "cg")]
    for name, k, kind in [*cases, ("S3", 64, "cholesky"), ("S3", 64, "cg")]:
        ratings = synthetic(name)
        fits = {"matfact": als_fit(ratings, k, kind)}
        # Its Cholesky takes minutes on S3, and at k = 128.
        too_slow = kind == "cholesky" and (name == "S3" or k == 128)
        if _peers.installed("cmfrec") and not too_slow:
            matrix = ratings.to_scipy("coo")
            fits["cmfrec"] = lambda epochs: _peers.cmfrec_fit(
                matrix, k, epochs, use_cg=kind == "cg"
            )
        few_many, rounds = ((1, 3), 3) if name == "S2" else ((1, 2), 2)
        times = seconds_per_epoch(fits, few_many, rounds)
        blas = None
        if kind == "cholesky" and name == "S2" and _peers.installed("scipy"):
            blas = seconds_of_blas(ratings, k)
        flops = 2 * ratings.n_ratings * (k + 1) ** 2 + sum(ratings.shape) * (k + 1) ** 3 / 3
        gigaflops = f"{1e-9 * flops / times['matfact']:.0f}" if kind == "cholesky" else ""
        peer = times.get("cmfrec")
        left_out = "too slow" if too_slow else MISSING
        rows.append(
            [
                f"{name}, {k}, {kind}",
                milliseconds(times["matfact"]),
                gigaflops,
                left_out if peer is None else milliseconds(peer),
                "" if peer is None else ratio(peer, times["matfact"]),
                "3.0" if kind == "cg" else "",
                "" if blas is None else milliseconds(blas[0]),
                "" if blas is None else milliseconds(blas[1]),
                "" if blas is None else ratio(blas[1], times["matfact"]),
                "1.8" if blas is not None else "",
            ]
        )
    return table(
        "ALS: an epoch (both sides), one thread, CPU ms",
        [
            "data, k, solver",
            "matfact",
            "GF/s",
            "cmfrec",
            "ratio",
            "target",
            "BLAS for each row",
            "without Python",
            "ratio to that",
            "target",
        ],
        rows,
    )


def lenskit():
    """Time an epoch of ALS by Cholesky and of LensKit's; in an environment that has LensKit."""
    columns = ["data, k", "matfact", "LensKit", "ratio", "target"]
    rows = []
    ratings = synthetic("S2")
    for k in (32, 64, 128):
        fits = {
            "matfact": als_fit(ratings, k, "cholesky"),
            "lenskit": lambda epochs: _peers.lenskit_fit(ratings, k, epochs),
        }
        times = seconds_per_epoch(fits, (1, 4), 5)
        peer, own = times["lenskit"], times["matfact"]
        rows.append([f"S2, {k}", milliseconds(own), milliseconds(peer), ratio(peer, own), "3.5"])
    return table("ALS by Cholesky and LensKit: an epoch, one thread, CPU ms", columns, rows)


def seconds_of_blas(ratings, k):
    """Time an epoch by BLAS calls for each row: all of it, and what is left without Python.

    What Python and the calls themselves take is the time with one factor, next to no arithmetic.
    """
    rng = np.random.default_rng(0)
    calls = {}
    for n_factors in (1, k):
        users, items = (
            rng.normal(0, 0.1, (size, n_factors)).astype(np.float32) for size in ratings.shape
        )
        calls[n_factors] = lambda users=users, items=items: _peers.blas_epoch(
            ratings, users, items, 0.05
        )
    times = medians(calls, rounds=3)
    return times[k], times[k] - times[1]


def threads():
    """One thread against two."""
    ratings, k = synthetic("S2"), 64
    rows_of_libmf = _peers.triples(ratings)
    makers = {
        "SGD, adaptive": (lambda n: sgd_fit(ratings, k, n_threads=n), (1, 21)),
        "SGD, constant": (lambda n: sgd_fit(ratings, k, "constant", n), (1, 21)),
        "ALS, cholesky": (lambda n: als_fit(ratings, k, "cholesky", n), (1, 6)),
        "ALS, cg": (lambda n: als_fit(ratings, k, "cg", n), (1, 11)),
    }
    if _peers.installed("libmf"):
        makers["LIBMF"] = (
            lambda n: lambda e: _peers.libmf_fit(rows_of_libmf, k, e, n_threads=n),
            (1, 11),
        )
    if _peers.installed("cmfrec"):
        matrix = ratings.to_scipy("coo")
        makers["cmfrec, cg"] = (
            lambda n: lambda e: _peers.cmfrec_fit(matrix, k, e, use_cg=True, n_threads=n),
            (1, 4),
        )
    rows = []
    for name, (maker, few_many) in makers.items():
        fits = {n: maker(n) for n in (1, 2)}
        times = seconds_per_epoch(fits, few_many, 5, time.perf_counter)
        one, two = (f"{1e3 * times[n]:.1f}" for n in (1, 2))
        rows.append([name, one, two, f"{times[1] / times[2]:.2f}"])
    return table(
        "Two threads: an epoch of S2, k = 64, wall ms",
        ["solver", "one thread", "two threads", "ratio"],
        rows,
    )


EPOCHS = {"S2": (3, 5, 8, 12, 16, 20, 25, 30), "S3": (3, 5, 8, 12, 16)}
CLOSE = 2e-4
"""Errors that differ by less are alike."""

GRIDS = {
    "libmf": [(rate, reg) for rate in (0.05, 0.1, 0.2) for reg in (0.03, 0.06, 0.1)],
    "adaptive": [(rate, reg) for rate in (0.05, 0.1, 0.2) for reg in (0.03, 0.06, 0.1)],
    "exponential": [(rate, reg) for rate in (0.02, 0.04, 0.08) for reg in (0.03, 0.06, 0.1)],
}


def quality():
    """Time to LIBMF's best validation error, everything tuned on the same validation part."""
    if not _peers.installed("libmf"):
        return table("Time to quality", ["LIBMF"], [[MISSING]])
    rows = []
    for name, k in (("S2", 32), ("S3", 64)):
        rest, test = random_split(synthetic(name), 0.1, random_state=0)
        train, check = random_split(rest, 0.1, random_state=1)
        reached = {"LIBMF": best_of_libmf(train, check, name, k)}
        goal = reached["LIBMF"][0]
        for kind in ("adaptive", "exponential"):
            reached[f"SGD, {kind}"] = fastest_of_sgd(train, check, name, k, kind, goal)
        times = medians(
            {label: found[2] for label, found in reached.items()}, rounds=5 if name == "S2" else 3
        )
        for label, (error, how, fit) in reached.items():
            rows.append(
                [
                    f"{name}, {k}",
                    label,
                    how,
                    f"{error:.4f}",
                    f"{rmse(test.user_values, predictions(fit(), test)):.4f}",
                    f"{times[label]:.3f}",
                    f"{times[label] / times['LIBMF']:.2f}",
                    "" if label == "LIBMF" else "0.33",
                ]
            )
    return table(
        "Time to LIBMF's best error, one thread, CPU s, set-up included",
        [
            "data, k",
            "solver",
            "rate, regularization, epochs",
            "RMSE, validation",
            "RMSE, test",
            "s",
            "of LIBMF's",
            "target",
        ],
        rows,
    )


def predictions(model, test):
    """Predict ratings by LIBMF's model or by one of matfact's."""
    if hasattr(model, "item_factors_"):
        return model.predict(test.users, test.user_indices)
    return _peers.libmf_predict(model, test)


def best_of_libmf(train, check, name, k):
    """Return (error, settings, function that trains so) of LIBMF's best validation error.

    Of the settings and all numbers of epochs, the fewest epochs within `CLOSE` of the best.
    """
    rows = _peers.triples(train)

    def error_of(epochs, rate, reg):
        model = _peers.libmf_fit(rows, k, epochs, regularization=reg, eta=rate)
        return rmse(check.user_values, _peers.libmf_predict(model, check))

    found = {
        (epochs, *setting): error_of(epochs, *setting)
        for setting in GRIDS["libmf"]
        for epochs in EPOCHS[name]
    }
    goal = min(found.values()) + CLOSE
    # The grid of epochs is coarse: look at those between, too, or LIBMF would seem slower.
    for epochs, rate, reg in [key for key, error in found.items() if error <= goal]:
        start = max((other for other in EPOCHS[name] if other < epochs), default=0)
        for between in range(start + 1, epochs):
            found[between, rate, reg] = error_of(between, rate, reg)
    epochs, rate, reg = min(
        (key for key, error in found.items() if error <= goal), key=lambda key: (key[0], found[key])
    )

    def fit():
        return _peers.libmf_fit(rows, k, epochs, regularization=reg, eta=rate)

    return found[epochs, rate, reg], f"{rate}, {reg}, {epochs}", fit


def fastest_of_sgd(train, check, name, k, kind, goal):
    """Return the same of the SGD that reaches an error in the fewest epochs (or comes nearest)."""
    found = []
    for rate, reg in GRIDS[kind]:
        model = SGD(
            n_factors=k,
            schedule=kind,
            learning_rate=rate,
            regularization=reg,
            max_iter=max(EPOCHS[name]),
            tol=0,
            patience=1000,
            random_state=0,
            n_threads=1,
        ).fit(train, validation=check)
        errors = model.history_.validations
        reached = np.flatnonzero(errors <= goal)
        epochs = int(reached[0] if len(reached) else errors.argmin()) + 1
        found.append((not len(reached), epochs, errors[epochs - 1], rate, reg))
    missed, epochs, error, rate, reg = min(found)
    users, items, values = train.users, train.user_indices, train.user_values

    def fit():
        ratings = Ratings.from_triples(users, items, values, shape=train.shape)
        return SGD(
            n_factors=k,
            schedule=kind,
            learning_rate=rate,
            regularization=reg,
            max_iter=epochs,
            tol=0,
            random_state=0,
            n_threads=1,
        ).fit(ratings)

    return error, f"{rate}, {reg}, {epochs}{', not reached' * missed}", fit


def memory():
    """Peak memory of a training, each in a process of its own."""
    rows = []
    for name in SIZES:
        ratings = synthetic(name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "triples.npz"
            np.savez(
                path, users=ratings.users, items=ratings.user_indices, values=ratings.user_values
            )
            for solver, package in TRAININGS_FOR_MEMORY.items():
                if package and not _peers.installed(package):
                    rows.append([name, solver, MISSING, "", ""])
                    continue
                command = [sys.executable, __file__, "--memory-of", solver, str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                before, peak = json.loads(done.stdout.splitlines()[-1])
                added = peak - before
                data = 12 * ratings.n_ratings / 1e6
                rows.append([name, solver, f"{peak:.0f}", f"{added:.0f}", f"{added / data:.1f}"])
    return table(
        "Peak memory (RSS), k = 64, from arrays of triples to a trained model",
        ["data", "solver", "peak, MB", "added by training, MB", "added, times the triples"],
        rows,
    )


TRAININGS_FOR_MEMORY = {
    "SGD": None,
    "ALS": None,
    "NMF": None,
    "GD": None,
    "LIBMF": "libmf",
    "cmfrec": "cmfrec",
}


def memory_of(solver, path):
    """Train in this process and print the resident memory before and at its peak, in MB."""
    with np.load(path) as archive:
        users, items, values = (archive[name] for name in ("users", "items", "values"))
    if solver == "LIBMF":
        rows = np.column_stack([users, items, values]).astype(np.float32)
        del users, items, values
        _peers.libmf_fit(rows[:100], 8, 1)  # loads the library
        before = forget_peak()
        _peers.libmf_fit(rows, 64, 2)
    elif solver == "cmfrec":
        from scipy.sparse import coo_array

        matrix = coo_array((values, (users, items)))
        _peers.cmfrec_fit(matrix.tocsr()[:50].tocoo(), 8, 1, use_cg=True)
        before = forget_peak()
        _peers.cmfrec_fit(matrix, 64, 2, use_cg=True)
    else:
        model = {"SGD": SGD, "ALS": ALS, "NMF": NMF, "GD": GD}[solver](
            n_factors=64, max_iter=2, n_threads=1, random_state=0
        )
        before = forget_peak()
        model.fit(
            Ratings.from_triples(users, items, values, shape=(users.max() + 1, items.max() + 1))
        )
    print(json.dumps([before, resident("VmHWM")]))


def resident(field):
    """Return VmRSS (now) or VmHWM (peak) of this process in MB; Linux only.

    Not ``ru_maxrss``: that of a new process starts at the peak of its parent.
    """
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024 / 1e6


def forget_peak():
    """Let the peak of this process begin anew, at what is resident now, and return that in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


PARTS = {
    "sgd": sgd,
    "als": als,
    "lenskit": lenskit,
    "threads": threads,
    "quality": quality,
    "memory": memory,
}


def main():
    """Print the tables that are asked for and put them into the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all but lenskit")
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        memory_of(*arguments.memory_of)
        return
    # LensKit wants a newer Python than the other peers install on: an environment of its own.
    for name in arguments.part or [part for part in PARTS if part != "lenskit"]:
        put_section(RESULT, "# Estimators for ratings\n", PARTS[name](), machine())


if __name__ == "__main__":
    main()
