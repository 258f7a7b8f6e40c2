"""Time the classic class and its kernels: against the seed's loops, and against numpy's products.

Run ``python benchmarks/classic.py`` with an installed matfact, on a quiet machine, two to four
minutes; ``MATFACT_SIMD=v3 python benchmarks/classic.py`` for another SIMD level. Prints Markdown
and writes it to ``benchmarks/results/classic-LEVEL.md``. README.md tells how to read it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from _measure import machine, medians, table  # first: it sets up numpy's BLAS

import numpy as np

import matfact
from matfact import matrix_factorization
from matfact.kernels import gd
from matfact.training.gradient_descent import DenseProblem

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from reference import SeedFactorization

STEP = 1e-7  # small: factors stay where they are, whatever is repeated
ITERATIONS = 12  # a call, so that its set-up does not count


def random_problem(n, m, k, dtype):
    """Return ratings 1..5 and factors between 0.1 and 0.9."""
    rng = np.random.default_rng(0)
    ratings = rng.integers(1, 6, (n, m)).astype(dtype)
    users = rng.uniform(0.1, 0.9, (n, k)).astype(dtype)
    items = rng.uniform(0.1, 0.9, (k, m)).astype(dtype)
    return ratings, users, items


def full_iterations():
    """Compare an iteration with the two products that numpy would need at least."""
    rows = []
    for n, m, features in ((6040, 3706, (8, 16, 20, 64, 128)), (2000, 1500, (20,))):
        for k in features:
            for dtype in (np.float32, np.float64):
                ratings, users, items = random_problem(n, m, k, dtype)
                times = medians(
                    {
                        "matfact": lambda: gd.full_iterations(
                            ratings, users, items, STEP, STEP, ITERATIONS, 1
                        ),
                        "numpy": lambda: (ratings @ items.T, users.T @ ratings),
                    }
                )
                ours = times["matfact"] / ITERATIONS
                limit = "1.00" if k <= 20 else "1.10"
                rows.append(
                    [
                        f"{n} x {m}, {k}",
                        np.dtype(dtype).name,
                        f"{1e3 * ours:.1f}",
                        f"{4e-9 * n * m * k / ours:.1f}",
                        f"{1e3 * times['numpy']:.1f}",
                        f"{ours / times['numpy']:.2f}",
                        limit,
                    ]
                )
    return table(
        "A full iteration, one thread",
        ["n x m, k", "dtype", "ms", "GF/s", "two numpy products, ms", "ratio", "target"],
        rows,
    )


def listed_cells():
    """Time the sweeps over observed cells only."""
    rows = []
    for share in (0.045, 0.3):
        for k in (16, 64):
            for dtype, target in ((np.float32, 0.35), (np.float64, 0.7)):
                ratings, users, items = random_problem(6040, 3706, k, dtype)
                ratings[np.random.default_rng(1).random(ratings.shape) >= share] = np.nan
                problem = DenseProblem(ratings)
                assert problem.path_for(ITERATIONS, k) == "observed"
                count = np.count_nonzero(~np.isnan(ratings))
                seconds = medians(
                    {"": lambda: problem.run_sweeps(users, items, STEP, STEP, ITERATIONS, 1)},
                    rounds=5,
                )[""]
                rows.append(
                    [
                        f"{share:.1%}",
                        k,
                        np.dtype(dtype).name,
                        f"{1e9 * seconds / ITERATIONS / 2 / count / k:.3f}",
                        target,
                    ]
                )
    return table(
        "Observed cells of 6040 x 3706, one thread",
        ["observed", "k", "dtype", "ns for an entry and feature, half sweep", "target"],
        rows,
    )


def tall():
    """Show that an iteration does not depend on the longer side once it is compressed."""
    m, k, iterations = 200, 16, 400
    rows, times = [], {}
    for n in (100_000, 400_000):
        ratings, users, items = random_problem(n, m, k, np.float64)
        run = DenseProblem(ratings).start(users, items, iterations, 1)
        started = time.process_time()
        run = DenseProblem(ratings).start(users, items, iterations, 1)
        once = time.process_time() - started
        learning_rate = STEP * m / 2
        times[n] = medians({"": lambda: run.iterate(learning_rate, iterations, 1)})[""] / iterations
        full = medians(
            {"": lambda: gd.full_iterations(ratings, users, items, STEP, STEP, 2, 1)}, rounds=3
        )[""]
        rows.append([n, f"{once:.2f}", f"{1e6 * times[n]:.0f}", f"{1e3 * full / 2:.1f}"])
    rows.append(["ratio", "", f"{times[400_000] / times[100_000]:.2f} (target 1)", ""])
    return table(
        "Tall ratings, m = 200, k = 16, float64, one thread",
        ["n", "compression, s", "compressed iteration, us", "full iteration, ms"],
        rows,
    )


def seconds_of_seed_iteration(n, m, k):
    """Extrapolate from a small matrix: the loops take 2 n m k scalar gradients of k terms each."""
    small = SeedFactorization(random_problem(24, 30, k, np.float64)[0], k)
    started = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        small.train_model(learning_rate=0.01, iterations=1)
    return (time.process_time() - started) / (24 * 30) * n * m


def seconds_of_training(n, m, k, iterations, n_threads):
    """Time `train_model` of the class, compression and checks included."""
    ratings = random_problem(n, m, k, np.float64)[0]
    clock = time.process_time if n_threads == 1 else time.perf_counter
    seconds = []
    for _ in range(5):
        model = matrix_factorization(ratings, k, random_state=0, n_threads=n_threads, verbose=False)
        started = clock()
        model.train_model(learning_rate=0.05, iterations=iterations)
        seconds.append(clock() - started)
    return statistics.median(seconds)


def classic_class():
    """Compare the class with the loops it replaces, and a tiny training with the numpy backend."""
    n, m, k, iterations = 943, 1682, 16, 1000
    seed = statistics.median(seconds_of_seed_iteration(n, m, k) for _ in range(5))
    rows = []
    for n_threads, target in ((1, 30_000), (2, 50_000)):
        ours = seconds_of_training(n, m, k, iterations, n_threads) / iterations
        rows.append(
            [
                f"{n} x {m}, {k}, {n_threads} thread" + "s" * (n_threads > 1),
                f"{1e3 * ours:.2f} ms",
                f"seed's loops {seed:.1f} s",
                f"{seed / ours:,.0f} x",
                f"{target:,} x",
            ]
        )
    tiny = seconds_of_training(10, 8, 2, 1000, 1) / 1000
    other = in_numpy_backend("tiny") / 1000
    rows.append(
        [
            "10 x 8, 2, 1 thread",
            f"{1e6 * tiny:.2f} us",
            f"numpy backend {1e6 * other:.1f} us",
            f"{other / tiny:.1f} x",
            "20 x",
        ]
    )
    return table(
        "train_model, 1000 iterations, float64: time of an iteration",
        ["n x m, k", "matfact", "other", "faster", "target"],
        rows,
    )


def in_numpy_backend(what):
    """Run one of the measurements below in a process on the numpy backend."""
    environment = {**os.environ, "MATFACT_BACKEND": "numpy"}
    environment.pop("MATFACT_SIMD", None)
    command = [sys.executable, str(HERE / "classic.py"), what]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(output.stdout)


def seconds_to_interrupt():
    """Send Ctrl-C in the middle of a long training; return the seconds until it is answered."""
    model = matrix_factorization(
        random_problem(6040, 3706, 64, np.float64)[0], 64, random_state=0, verbose=False
    )
    # A shell lets what it starts in the background ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        signal.raise_signal(signal.SIGINT)

    worst = 0.0
    for delay in (0.3, 0.7, 1.5, 2.9):
        timer = threading.Timer(delay, interrupt)
        timer.start()
        try:
            model.train_model(learning_rate=0.01, iterations=100_000)
        except KeyboardInterrupt:
            worst = max(worst, time.perf_counter() - sent[-1])
        timer.join()
        assert np.isfinite(model.user_features).all()
    return worst


def overheads():
    """Time imports, one call of a kernel, and the answer to Ctrl-C; add up the installed size."""

    def import_seconds(module):
        command = [sys.executable, "-c", f"import {module}"]
        return lambda: subprocess.run(command, check=True)

    times = medians(
        {name: import_seconds(name) for name in ("sys", "numpy", "matfact")},
        rounds=15,
        clock=time.perf_counter,
    )
    ratings, users, items = random_problem(10, 8, 2, np.float64)
    call = medians(
        {
            "": lambda: [
                gd.full_iterations(ratings, users, items, STEP, STEP, 1, 0) for _ in range(99)
            ]
        }
    )[""]
    package = Path(matfact.__file__).parent
    size = sum(path.stat().st_size for path in package.rglob("*") if path.suffix != ".pyc")
    return table(
        "Overheads",
        ["what", "measured", "target"],
        [
            [
                "import matfact after numpy, ms",
                f"{1e3 * (times['matfact'] - times['numpy']):.1f}",
                15,
            ],
            ["import numpy, ms", f"{1e3 * (times['numpy'] - times['sys']):.1f}", ""],
            ["a kernel call, one iteration of 10 x 8, us", f"{1e6 * call / 99:.1f}", 20],
            ["installed size, MB", f"{size / 1e6:.2f}", 5],
            ["Ctrl-C answered, worst of 4, s", f"{seconds_to_interrupt():.3f}", 0.2],
        ],
    )


def main():
    """Print all tables and write them to the results."""
    if sys.argv[1:] == ["tiny"]:
        print(json.dumps(seconds_of_training(10, 8, 2, 1000, 1)))
        return
    parts = ["# The classic class and its kernels\n", machine() + "\n"]
    for part in (full_iterations, listed_cells, tall, classic_class, overheads):
        parts.append(part())
        print(parts[-1], flush=True)
    path = HERE / "results" / f"classic-{matfact.backend_info().simd_level}.md"
    path.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
