"""Time ImplicitALS, BPR and the lists of best items against the library implicit.

Run ``python benchmarks/ranking.py`` where matfact and implicit are installed (README.md tells
how), on a quiet machine, about ten minutes; ``--part als`` and so on for one part. Prints Markdown,
and puts each part into ``benchmarks/results/ranking.md`` in place of the older one.
"""

# ruff: noqa: PLC0415 (peers are optional, and imported where they are used)

from __future__ import annotations

import argparse
import warnings
from functools import cache
from pathlib import Path

from _measure import machine, medians, table  # first: it sets up numpy's BLAS

import numpy as np

import _peers
from _data import movielens_100k
from _results import put_section
from matfact import BPR, ImplicitALS, Ratings, make_ratings, read_ratings
from matfact.evaluation import evaluate_held_out, evaluate_ranking, held_out_users, leave_k_out

RESULT = Path(__file__).resolve().parent / "results" / "ranking.md"

SIZES = {"S2": (6040, 3706, 1_000_000), "S3": (69_878, 10_677, 10_000_000)}
MISSING = "not installed"

# The loss of implicit with alpha 3 and regularization 0.1; see ImplicitALS.
LOSS = {
    "loss": "classic",
    "unobserved_weight": 1.0,
    "alpha": 2.0,
    "count_exponent": 0.0,
    "regularization": 0.1,
}


@cache
def interactions(name):
    """Return S2 or S3 with ones for values."""
    ratings = make_ratings(*SIZES[name], random_state=0)
    ones = np.ones(ratings.n_ratings, dtype=np.float32)
    users, items, _ = ratings.to_triples()
    return Ratings.from_triples(users, items, ones, shape=ratings.shape)


def csr32(ratings, value):
    """Return what implicit takes: a scipy matrix with 32-bit indices."""
    from scipy import sparse

    values = np.full(ratings.n_ratings, value, dtype=np.float32)
    arrays = values, ratings.user_indices.copy(), ratings.user_indptr.astype(np.int32)
    return sparse.csr_matrix(arrays, shape=ratings.shape)


def their_als(matrix, k, epochs, *, use_cg, n_threads=1, regularization=0.1):
    """Train implicit's ALS."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=k,
        regularization=regularization,
        use_cg=use_cg,
        iterations=epochs,
        num_threads=n_threads,
        random_state=0,
    )
    model.fit(matrix, show_progress=False)
    return model


def als():
    """Time an epoch of ImplicitALS and of implicit, and compare objectives at equal epochs."""
    rows = []
    for name, k, solver, epochs, target in (
        ("S2", 64, "cg", 6, "3.5"),
        ("S2", 128, "cg", 6, "3.5"),
        ("S2", 64, "cholesky", 2, "8"),
        ("S3", 64, "cg", 2, "4.5"),
    ):
        ratings = interactions(name)
        matrix = csr32(ratings, 3.0)

        def ours(n, k=k, solver=solver, ratings=ratings):
            return ImplicitALS(
                n_factors=k, solver=solver, max_iter=n, random_state=0, n_threads=1, **LOSS
            ).fit(ratings)

        calls = {("matfact", n): lambda n=n: ours(n) for n in (1, 1 + epochs)}
        if _peers.installed("implicit"):
            for n in (1, 1 + epochs):
                calls["implicit", n] = lambda n=n: their_als(matrix, k, n, use_cg=solver == "cg")
        times = medians(calls, rounds=3)
        own = (times["matfact", 1 + epochs] - times["matfact", 1]) / epochs
        peer, objectives = None, "-"
        if _peers.installed("implicit"):
            peer = (times["implicit", 1 + epochs] - times["implicit", 1]) / epochs
            objectives = f"{_objective_ratio(ours, ratings, matrix, k, solver):.5f}"
        rows.append(
            [
                f"{name}, {k}, {solver}",
                f"{1e3 * own:.0f}",
                MISSING if peer is None else f"{1e3 * peer:.0f}",
                MISSING if peer is None else f"{peer / own:.2f}",
                target,
                objectives,
            ]
        )
    columns = ["data, k, solver", "matfact", "implicit", "ratio", "target", "objective, of theirs"]
    return table(
        "ImplicitALS: an epoch, one thread, CPU ms; objective after 10 epochs", columns, rows
    )


def _objective_ratio(ours, ratings, matrix, k, solver):
    """Our objective after 10 epochs over that of implicit, both computed by matfact."""
    own = ours(10)
    theirs = their_als(matrix, k, 10, use_cg=solver == "cg")
    other = ImplicitALS(n_factors=k, max_iter=1, random_state=0, **LOSS)
    arrays = {
        "user_factors": np.array(theirs.user_factors),
        "item_factors": np.array(theirs.item_factors),
    }
    other.user_ids_, other.item_ids_ = ratings.user_ids, ratings.item_ids
    solver_of_theirs = other._solver(ratings, arrays, 0.0, 0)  # noqa: SLF001 (its objective)
    objective = solver_of_theirs._objective()  # noqa: SLF001 (the same)
    return own.history_[-1].objective / objective


def bpr():
    """Time an epoch of BPR and of implicit."""
    rows = []
    for name, k, epochs in (("S2", 64, 10), ("S3", 64, 2)):
        ratings = interactions(name)
        calls = {
            ("matfact", n): lambda n=n: BPR(
                n_factors=k, max_iter=n, random_state=0, n_threads=1
            ).fit(ratings)
            for n in (1, 1 + epochs)
        }
        if _peers.installed("implicit"):
            from implicit.cpu.bpr import BayesianPersonalizedRanking

            matrix = csr32(ratings, 1.0)
            for n in (1, 1 + epochs):
                calls["implicit", n] = lambda n=n: BayesianPersonalizedRanking(
                    factors=k, iterations=n, num_threads=1, random_state=0
                ).fit(matrix, show_progress=False)
        times = medians(calls, rounds=3)
        seconds = {
            who: (times[who, 1 + epochs] - times[who, 1]) / epochs for who, n in calls if n == 1
        }
        own, peer = seconds["matfact"], seconds.get("implicit")
        rows.append(
            [
                f"{name}, {k}",
                f"{1e3 * own:.0f}",
                MISSING if peer is None else f"{1e3 * peer:.0f}",
                MISSING if peer is None else f"{peer / own:.2f}",
            ]
        )
    columns = ["data, k", "matfact, adaptive steps", "implicit", "ratio"]
    return table("BPR: an epoch, one thread, CPU ms", columns, rows)


def lists():
    """Time the ten best unseen items of all users of S3."""
    ratings = interactions("S3")
    rng = np.random.default_rng(0)
    model = ImplicitALS(n_factors=64, max_iter=1, random_state=0).fit(ratings)
    model.user_factors_, model.item_factors_ = (
        rng.normal(0, 0.3, (n, 64)).astype(np.float32) for n in ratings.shape
    )
    model.set_params(n_threads=1)
    some = np.arange(20_000)
    calls = {"matfact": lambda: model.recommend(some, 10)}
    if _peers.installed("implicit"):
        from implicit.cpu.topk import topk

        seen = csr32(ratings, 1.0)[:20_000]
        calls["implicit"] = lambda: topk(
            model.item_factors_,
            model.user_factors_[:20_000],
            10,
            filter_query_items=seen,
            num_threads=1,
        )
    times = medians(calls, rounds=5)
    own, peer = times["matfact"], times.get("implicit")
    row = [
        f"{20_000 / own:.0f}",
        MISSING if peer is None else f"{20_000 / peer:.0f}",
        MISSING if peer is None else f"{peer / own:.2f}",
        "4",
    ]
    columns = ["matfact", "implicit", "ratio", "target"]
    title = "Ten best unseen items, S3, k = 64, one thread, users a CPU second"
    return table(title, columns, [row])


def accuracy():
    """Compare lists on MovieLens 100K, ratings from 4 on, over five seeds."""
    ratings = read_ratings(movielens_100k())
    liked = ratings.select(ratings.user_values >= 4)
    rows = []
    for name, new in (
        ("ImplicitALS()", lambda _train, seed: ImplicitALS(random_state=seed)),
        (
            "ImplicitALS.tune",
            lambda train, seed: ImplicitALS.tune(train, random_state=seed + 100).model.set_params(
                random_state=seed
            ),
        ),
        ("BPR()", lambda _train, seed: BPR(random_state=seed)),
        *_their_models(),
    ):
        held, left = [], []
        for seed in range(5):
            parts = held_out_users(liked, 0.2, random_state=seed)
            if not name.startswith("implicit BPR"):  # which cannot fold in
                model = new(parts.train, seed).fit(parts.train)
                held.append(evaluate_held_out(model, parts).mean("ndcg@10"))
            train, test = leave_k_out(liked, random_state=seed)
            left.append(evaluate_ranking(new(train, seed).fit(train), test).mean("ndcg@10"))
        rows.append([name, *(_mean_and_error(values) for values in (held, left))])
    columns = ["model", "held-out users", "leave one out"]
    return table("NDCG@10 on MovieLens 100K, ratings of at least 4", columns, rows)


def _mean_and_error(values):
    if not values:
        return "-"
    return f"{np.mean(values):.4f} +- {np.std(values, ddof=1) / np.sqrt(len(values)):.4f}"


class _Theirs:
    """A model of implicit behind the lists of matfact."""

    def __init__(self, train_theirs):
        self._train = train_theirs

    def fit(self, ratings):
        theirs = self._train(csr32(ratings, 1.0))
        k = theirs.user_factors.shape[1]
        model = ImplicitALS(n_factors=k, max_iter=1, solver="cg", **self.loss()).fit(ratings)
        model.user_factors_ = np.array(theirs.user_factors)
        model.item_factors_ = np.array(theirs.item_factors)
        return model

    def loss(self):
        return {}


class _TheirALS(_Theirs):
    def __init__(self, alpha, regularization, factors):
        self._parameters = alpha, regularization
        super().__init__(
            lambda matrix: their_als(
                matrix * np.float32(alpha), factors, 15, use_cg=True, regularization=regularization
            )
        )

    def loss(self):  # with which new users are folded in as implicit does
        alpha, regularization = self._parameters
        return LOSS | {"alpha": alpha - 1, "regularization": regularization}


def _their_models():
    """Yield models of implicit over a grid: the best is what is compared with."""
    if not _peers.installed("implicit"):
        return
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    for alpha in (3.0, 10.0, 30.0):
        for regularization in (1.0, 10.0, 30.0):
            for factors in (16, 32):
                yield (
                    f"implicit ALS, alpha {alpha:g}, lambda {regularization:g}, k {factors}",
                    lambda _train, _seed, a=alpha, r=regularization, k=factors: _TheirALS(a, r, k),
                )
    for rate, regularization in ((0.01, 0.01), (0.05, 0.01), (0.05, 0.05)):
        yield (
            f"implicit BPR, rate {rate:g}, lambda {regularization:g}, k 63",
            lambda _train, seed, a=rate, r=regularization: _Theirs(
                lambda matrix: _fitted(
                    BayesianPersonalizedRanking(
                        factors=63,
                        learning_rate=a,
                        regularization=r,
                        num_threads=1,
                        random_state=seed,
                    ),
                    matrix,
                )
            ),
        )


def _fitted(model, matrix):
    model.fit(matrix, show_progress=False)
    return model


PARTS = {"als": als, "bpr": bpr, "lists": lists, "accuracy": accuracy}


def main():
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of implicit, about BLAS threads, which have been set
    for name in arguments.part or PARTS:
        put_section(RESULT, "# Implicit feedback\n", PARTS[name](), machine())


if __name__ == "__main__":
    main()
