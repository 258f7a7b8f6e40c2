"""Time ImplicitALS, BPR and the lists of best items against implicit and irspack.

Run ``python benchmarks/ranking.py`` where matfact and implicit are installed (README.md tells
how), on a quiet machine, about ten minutes; ``--part als`` and so on for one part. Prints Markdown,
and puts each part into ``benchmarks/results/ranking.md`` in place of the older one.
"""

# ruff: noqa: PLC0415 (peers are optional, and imported where they are used)

from __future__ import annotations

import argparse
import itertools
import time
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


def their_als(matrix, k, epochs, *, use_cg, regularization=0.1, callback=None, start=None):
    """Train implicit's ALS on one thread; `start`: factors of users and items."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=k,
        regularization=regularization,
        use_cg=use_cg,
        iterations=epochs,
        num_threads=1,
        random_state=0,
    )
    if start is not None:
        model.user_factors, model.item_factors = start
    model.fit(matrix, show_progress=False, callback=callback and (lambda *_: callback(model)))
    return model


def irspack_als(matrix, k, epochs, solver, callback=None, **parameters):
    """Train irspack's iALS on one thread; by default with the loss `LOSS`, c = 1 + value."""
    from irspack import IALSRecommender

    same = {"alpha0": 1.0, "reg": 0.1, "nu": 0.0, "loss_type": "ORIGINAL"}
    model = IALSRecommender(
        matrix,
        n_components=k,
        solver_type=solver,
        n_threads=1,
        train_epochs=epochs,
        **same | parameters,
    )
    trainer = model._create_trainer()  # noqa: SLF001 (learn would evaluate, too)
    for _ in range(epochs):
        trainer.run_epoch()
        if callback:
            callback(trainer.core_trainer)
    return trainer.core_trainer


def als():
    """Time an epoch of ImplicitALS, implicit and irspack; compare objectives at equal epochs."""
    rows = []
    for name, k, solver, epochs, targets in (
        ("S2", 64, "cg", 6, ("3.5", "2")),
        ("S2", 128, "cg", 6, ("3.5", "2")),
        ("S2", 64, "cholesky", 2, ("8", "1.8")),
        ("S3", 64, "cg", 2, ("4.5", "2")),
    ):
        ratings = interactions(name)
        fits = {
            "matfact": lambda n, k=k, solver=solver, ratings=ratings: ImplicitALS(
                n_factors=k, solver=solver, max_iter=n, random_state=0, n_threads=1, **LOSS
            ).fit(ratings)
        }
        if _peers.installed("implicit"):
            matrix = csr32(ratings, 3.0)
            fits["implicit"] = lambda n, m=matrix: their_als(m, k, n, use_cg=solver == "cg")
        if _peers.installed("irspack"):
            values = csr32(ratings, 2.0)
            fits["irspack"] = lambda n, m=values: irspack_als(m, k, n, solver.upper())
        calls = {
            (who, n): (lambda fit=fit, n=n: fit(n))
            for who, fit in fits.items()
            for n in (1, 1 + epochs)
        }
        times = medians(calls, rounds=3)
        seconds = {who: (times[who, 1 + epochs] - times[who, 1]) / epochs for who in fits}
        objectives = "-"
        if "implicit" in fits:
            theirs = objective(ratings, same_start(ratings, matrix, k, 10, solver))
            objectives = f"{fits['matfact'](10).history_[-1].objective / theirs:.5f}"
        row = [f"{name}, {k}, {solver}", f"{1e3 * seconds['matfact']:.0f}"]
        for who, target in zip(("implicit", "irspack"), targets, strict=True):
            peer = seconds.get(who)
            row += [
                MISSING if peer is None else f"{1e3 * peer:.0f}",
                MISSING if peer is None else f"{peer / seconds['matfact']:.2f}",
                target,
            ]
        rows.append([*row, objectives])
    columns = ["data, k, solver", "matfact"]
    for who in ("implicit", "irspack"):
        columns += [who, "ratio", "target"]
    columns.append("objective, of implicit's")
    return table(
        "ImplicitALS: an epoch, one thread, CPU ms; objective after 10 epochs", columns, rows
    )


def same_start(ratings, matrix, k, epochs, solver):
    """Train implicit's ALS from where matfact starts: items first, so both sides change places."""
    start = ImplicitALS(n_factors=k, **LOSS)._start(ratings, 0)  # noqa: SLF001 (matfact's own)
    start = start["item_factors"].copy(), start["user_factors"].copy()
    use_cg = solver == "cg"
    model = their_als(matrix.T.tocsr(), k, epochs, use_cg=use_cg, start=start)
    model.user_factors, model.item_factors = model.item_factors, model.user_factors
    return model


def objective(ratings, theirs):
    """Compute the objective of another library's factors by matfact."""
    names = (
        ("user_factors", "item_factors") if hasattr(theirs, "user_factors") else ("user", "item")
    )
    users, items = (np.ascontiguousarray(getattr(theirs, name)) for name in names)
    model = ImplicitALS(n_factors=users.shape[1], max_iter=1, random_state=0, **LOSS)
    model.user_ids_, model.item_ids_ = ratings.user_ids, ratings.item_ids
    model.scale_ = LOSS["unobserved_weight"]
    arrays = {"user_factors": users, "item_factors": items}
    return model._solver(ratings, arrays, 0.0, 0)._objective()  # noqa: SLF001 (matfact's own)


def many():
    """Time to an objective with many factors: of matfact's own choice and of the peers' solvers."""
    shape, n_ratings, epochs = (29_858, 40_981), 810_000, 4
    users, items, _ = make_ratings(*shape, n_ratings, random_state=0).to_triples()
    ones = np.ones(len(users), dtype=np.float32)
    ratings = Ratings.from_triples(users, items, ones, shape=shape)
    rows = []
    for k in (256, 512, 1024):
        paths = {}
        if _peers.installed("implicit"):
            matrix = csr32(ratings, 3.0)
            paths["implicit, cg"] = _path(
                ratings, lambda call: their_als(matrix, k, epochs, use_cg=True, callback=call)
            )
        for solver in ("CG", "IALSPP") if _peers.installed("irspack") else ():
            matrix = csr32(ratings, 2.0)
            paths[f"irspack, {solver}"] = _path(
                ratings, lambda call: irspack_als(matrix, k, epochs, solver, call)
            )
        # what the best of the others has reached, which takes matfact more epochs or fewer
        goal = min((path[-1][1] for path in paths.values()), default=0.0) * 1.001
        paths["matfact, auto"] = _path_of_matfact(ratings, k, 3 * epochs, goal)
        for who, path in paths.items():
            reached = [second for second, value in path if value <= goal]
            last_seconds, last = path[-1]
            rows.append(
                [
                    k,
                    who,
                    len(path),
                    f"{last_seconds / len(path):.2f}",
                    f"{last:.4g}",
                    f"{goal:.4g}",
                    f"{reached[0]:.1f}" if reached else "not reached",
                ]
            )
    columns = ["k", "library, solver", "epochs", "s an epoch", "objective", "goal", "s to the goal"]
    title = "Many factors, 29,858 x 40,981 with 810,000 interactions, one thread: objective, CPU s"
    return table(title, columns, rows)


def _path_of_matfact(ratings, k, epochs, goal):
    """Return (seconds, objective) after each epoch, set-up and objectives included."""
    path, start = [], time.process_time()
    model = ImplicitALS(n_factors=k, max_iter=epochs, random_state=0, n_threads=1, **LOSS)

    def after_epoch(state):
        path.append((time.process_time() - start, state.record.objective))
        return state.record.objective <= goal

    model.fit(ratings, callbacks=[after_epoch])
    return path


def _path(ratings, train):
    """Return the same of a peer, whose objectives are computed while the clock stands still."""
    path, start, stopped = [], time.process_time(), 0.0

    def after_epoch(model):
        nonlocal stopped
        now = time.process_time()
        path.append((now - start - stopped, objective(ratings, model)))
        stopped += time.process_time() - now

    train(after_epoch)
    return path


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
    # of each library the two best of its grid, by either protocol
    kept = {
        max((row for row in rows if row[0].startswith(start)), key=lambda row: row[column])[0]
        for start in ("implicit ALS", "implicit BPR", "irspack")
        for column in (1, 2)
        if any(row[0].startswith(start) for row in rows)
    }
    rows = [row for row in rows if row[0] in kept or not row[0].startswith(("implicit", "irspack"))]
    columns = ["model (of the others, the best of a grid)", "held-out users", "leave one out"]
    return table("NDCG@10 on MovieLens 100K, ratings of at least 4", columns, rows)


def _mean_and_error(values):
    if not values:
        return "-"
    return f"{np.mean(values):.4f} +- {np.std(values, ddof=1) / np.sqrt(len(values)):.4f}"


class _Theirs:
    """A model of another library behind the lists of matfact.

    Parameters
    ----------
    train : callable
        Gives (user factors, item factors) of a matrix of ones.
    loss : dict
        Parameters of `ImplicitALS` with which new users are folded in as the library does.
    """

    def __init__(self, train, loss):
        self._train, self._loss = train, loss

    def fit(self, ratings):
        users, items = (np.array(one) for one in self._train(csr32(ratings, 1.0)))
        model = ImplicitALS(n_factors=users.shape[1], max_iter=1, solver="cg", **self._loss)
        model.fit(ratings)
        model.user_factors_, model.item_factors_ = users, items
        return model


def _implicit_als(alpha, regularization, k):
    def train(matrix):
        model = their_als(
            matrix * np.float32(alpha), k, 15, use_cg=True, regularization=regularization
        )
        return model.user_factors, model.item_factors

    return _Theirs(train, LOSS | {"alpha": alpha - 1, "regularization": regularization})


def _irspack_als(alpha0, regularization, k):
    def train(matrix):
        parameters = {"alpha0": alpha0, "reg": regularization, "nu": 1.0, "loss_type": "IALSPP"}
        model = irspack_als(matrix, k, 16, "CHOLESKY", **parameters)
        return model.user, model.item

    return _Theirs(train, {"unobserved_weight": alpha0, "regularization": regularization})


def _implicit_bpr(rate, regularization, k, seed):
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    def train(matrix):
        model = BayesianPersonalizedRanking(
            factors=k,
            learning_rate=rate,
            regularization=regularization,
            num_threads=1,
            random_state=seed,
        )
        model.fit(matrix, show_progress=False)
        return model.user_factors, model.item_factors

    return _Theirs(train, {})


def _their_models():
    """Yield models over a grid for each library: the best is what is compared with."""
    sizes = 16, 32, 64
    if _peers.installed("implicit"):
        for alpha, regularization, k in itertools.product(
            (2.0, 4.0, 10.0), (3.0, 10.0, 30.0), sizes
        ):
            name = f"implicit ALS, alpha {alpha:g}, lambda {regularization:g}, k {k}"
            yield name, lambda _train, _seed, a=(alpha, regularization, k): _implicit_als(*a)
        for rate, regularization in ((0.01, 0.01), (0.05, 0.01), (0.05, 0.05)):
            name = f"implicit BPR, rate {rate:g}, lambda {regularization:g}, k 63"
            yield name, lambda _train, seed, a=(rate, regularization, 63): _implicit_bpr(*a, seed)
    if _peers.installed("irspack"):
        for alpha0, regularization, k in itertools.product(
            (1.0, 0.3, 0.1), (0.03, 0.01, 0.003), sizes
        ):
            name = f"irspack iALS, alpha0 {alpha0:g}, lambda {regularization:g}, k {k}"
            yield name, lambda _train, _seed, a=(alpha0, regularization, k): _irspack_als(*a)


PARTS = {"als": als, "many": many, "bpr": bpr, "lists": lists, "accuracy": accuracy}


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
