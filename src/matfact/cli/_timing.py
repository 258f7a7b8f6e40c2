"""Time of one iteration, on this backend and, in a process of its own, on the other one."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from matfact._threads import resolve_n_threads
from matfact.kernels import backend_info
from matfact.ratings import Ratings
from matfact.training.gradient_descent import DenseProblem, ObservedProblem

if TYPE_CHECKING:
    import argparse

__all__ = ["describe_timings", "time_here", "time_other_backend"]

BACKENDS = ("cython", "numpy")

N_FEATURES = 32
LEARNING_RATE = 0.2
START_SPREAD = 0.003

N_REPEATS = 7
SECONDS_A_REPEAT = 0.05
SECONDS_FOR_OTHER = 120.0

Timings = dict[str, float]
"""Seconds an iteration: "observed" for the ratings as a sparse set, "full" for a full matrix."""


def time_here(ratings: Ratings) -> Timings:
    """Time iterations of the classic algorithm on the backend in use; take the median."""
    centred = ratings.user_values - ratings.user_values.mean()
    observed = ObservedProblem(
        Ratings.from_triples(ratings.users, ratings.user_indices, centred, shape=ratings.shape)
    )
    # Without an empty cell, of the same size: what matrix_factorization does with dense data.
    full_ratings = np.random.default_rng(0).normal(size=ratings.shape).astype(np.float32)
    density = ratings.n_ratings / full_ratings.size
    return {
        "observed": _seconds_an_iteration(observed, LEARNING_RATE / density),
        "full": _seconds_an_iteration(DenseProblem(full_ratings), LEARNING_RATE),
    }


def _seconds_an_iteration(problem: ObservedProblem | DenseProblem, learning_rate: float) -> float:
    rng = np.random.default_rng(0)
    n_users, n_items = problem.shape
    users = rng.normal(0.0, START_SPREAD, (n_users, N_FEATURES)).astype(np.float32)
    items = rng.normal(0.0, START_SPREAD, (N_FEATURES, n_items)).astype(np.float32)
    n_threads = resolve_n_threads(None)

    def run(n_iterations: int) -> float:
        factors = users.copy(), items.copy()
        started = time.perf_counter()
        problem.iterate(*factors, learning_rate, n_iterations, n_threads)
        return time.perf_counter() - started

    run(1)  # the first call starts the threads
    n_iterations = min(20, max(1, round(SECONDS_A_REPEAT / run(1))))
    return statistics.median(run(n_iterations) / n_iterations for _ in range(N_REPEATS))


def time_other_backend(arguments: argparse.Namespace) -> dict[str, Timings | str]:
    """Time the backend that is not in use; a text tells why there are no figures."""
    (other,) = set(BACKENDS) - {backend_info().backend}
    command = [sys.executable, "-m", "matfact", "demo", "--time-only"]
    command += ["--seed", str(arguments.seed)]
    if arguments.threads is not None:
        command += ["--threads", str(arguments.threads)]
    environment = {**os.environ, "MATFACT_BACKEND": other}
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_FOR_OTHER,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {other: f"not measured: {error}"}
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return {other: f"not available: {lines[-1] if lines else 'it failed without a message'}"}
    timings: Timings = json.loads(done.stdout)
    return {other: timings}


def describe_timings(ratings: Ratings, results: dict[str, Timings | str]) -> str:
    """Lay out the times, one line for each backend, compiled first."""
    n_users, n_items = ratings.shape
    what = f"{ratings.n_ratings} ratings / full matrix {n_users} x {n_items}"
    lines = [f"time of one iteration of gradient descent, {N_FEATURES} features, float32: {what}"]
    for backend in BACKENDS:
        result = results[backend]
        if isinstance(result, str):
            figures = result
        else:
            figures = " / ".join(f"{1e3 * result[kind]:.3f} ms" for kind in ("observed", "full"))
        lines.append(f"  {backend:<8} {figures}")
    return "\n".join(lines)
