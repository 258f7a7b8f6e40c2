"""VBMF: against the formulas in plain numpy, what it learns, and what it is for."""

import numpy as np
import pytest

from matfact import ALS, VBMF, Ratings, make_ratings
from matfact.evaluation import random_split, rmse
from matfact.models import _uncertainty
from matfact.models._data import Rows
from matfact.models._posteriors import solve_side


def small(weighted=False):
    ratings = make_ratings(25, 18, 260, random_state=3)
    weights = np.random.default_rng(0).uniform(0.5, 3, 260) if weighted else None
    users, items, values = ratings.to_triples()
    # the last user and the last item have no ratings
    return Ratings.from_triples(users, items, values, weights=weights, shape=(26, 19))


NU, LIMIT = 20, 2
"""Ratings that stand for ordinary users, and the largest reliability."""


def noise_of(counts, errors, alpha):
    """Precision of all, reliabilities and their part of the objective, one user after the other."""

    def tau_given(alpha):
        pairs = zip(counts, errors, strict=True)
        return np.array([min((NU + n) / (NU + alpha * error), LIMIT) for n, error in pairs])

    tau = tau_given(alpha)
    for _ in range(5):
        alpha = sum(counts) / sum(t * error for t, error in zip(tau, errors, strict=True))
        tau = tau_given(alpha)
    return alpha, tau, noise_nats(counts, errors, alpha, tau)


def noise_nats(counts, errors, alpha, tau):
    return sum(
        0.5 * (n * np.log(2 * np.pi / (alpha * t)) + alpha * t * e + NU * (t - 1 - np.log(t)))
        for n, e, t in zip(counts, errors, tau, strict=True)
    )


def reference(ratings, model, n_epochs):
    """Train as the docstring of VBMF says, in dense loops; yields the state after each epoch."""
    d = model.n_factors
    start = VBMF(**model.get_params())._start(ratings, model.seed_)
    users, items = ratings.users, ratings.user_indices
    weights = np.ones(len(users)) if ratings.user_weights is None else ratings.user_weights
    mean = ratings.mean
    s = np.sqrt(np.mean((ratings.user_values - mean) ** 2))
    y = (ratings.user_values.astype(float) - mean) / s
    vectors = [
        np.column_stack([start["user_factors"] / np.sqrt(s), start["user_biases"] / s]),
        np.column_stack([start["item_factors"] / np.sqrt(s), start["item_biases"] / s]),
    ]
    prior = [(np.zeros(d + 1), 5 * np.eye(d + 1)) for _ in range(2)]
    shared, noise, total = [np.zeros((d + 1, d + 1))] * 2, 1.0, weights.sum()
    counts = np.bincount(users, weights=weights, minlength=len(vectors[0]))
    tau = np.ones(len(vectors[0]))
    each = [np.zeros((len(rows), d + 1, d + 1)) for rows in vectors]

    def known(side, row):
        """Covariance of factors, what they have in common with the bias, variance of that."""
        c = {
            "mean": shared[side],
            "full": each[side][row],
            "diag": np.diag(np.diag(each[side][row])),
        }
        covariance = c[model.covariance].copy()
        if model.covariance == "mean":
            covariance[d] = covariance[:, d] = each[side][row][d]
        common, variance = np.append(covariance[:d, d], 0), covariance[d, d]
        covariance[d] = covariance[:, d] = 0
        return covariance, common, variance

    places = [users, items]
    for _ in range(n_epochs):
        divergence, counting = 0.0, weights * tau[users]
        for side in (1, 0):
            own, other = places[side], places[1 - side]
            x = np.column_stack([vectors[1 - side][:, :d], np.ones(len(vectors[1 - side]))])
            offsets = vectors[1 - side][:, d]
            m, precision = prior[side]
            sums, weighted, spread, n_rows, log_det = 0.0, 0.0, 0.0, 0, 0.0
            for row in range(len(vectors[side])):
                mine = own == row
                w, columns = counting[mine], other[mine]
                a = precision + noise * ((x[columns].T * w) @ x[columns])
                b = precision @ m + noise * ((w * (y[mine] - offsets[columns])) @ x[columns])
                for column, weight in zip(columns, w, strict=True):
                    covariance, common, _ = known(1 - side, column)
                    a += noise * weight * covariance
                    b -= noise * weight * common
                vectors[side][row] = np.linalg.solve(a, b)
                each[side][row] = np.linalg.inv(a)
                if mine.any():
                    sums = sums + np.linalg.inv(a)
                    weighted = weighted + w.sum() * np.linalg.inv(a)
                    log_det -= np.linalg.slogdet(a)[1]
                    n_rows += 1
            there = np.isin(np.arange(len(vectors[side])), own)
            m = vectors[side][there].mean(axis=0)
            spread = sums + (vectors[side][there] - m).T @ (vectors[side][there] - m)
            precision = np.linalg.inv((spread + np.eye(d + 1)) / (n_rows + 1))
            prior[side], shared[side] = (m, precision), weighted / counting.sum()
            log_prior = np.linalg.slogdet(precision)[1]
            divergence += 0.5 * (
                np.trace(precision @ spread) - n_rows * (log_prior + d + 1) - log_det
            ) + 0.5 * (np.trace(precision) - log_prior)
        p, q = vectors
        predicted = (p[users, :d] * q[items, :d]).sum(axis=1) + p[users, d] + q[items, d]
        errors = np.zeros(len(p))
        for u, i, rest, w in zip(users, items, y - predicted, weights, strict=True):
            design, of_user = np.append(q[i, :d], 1), each[0][u]
            of_item, common, variance = known(1, i)
            variance += p[u] @ of_item @ p[u] + 2 * p[u] @ common
            variance += design @ of_user @ design + np.trace(of_user @ of_item)
            errors[u] += w * (rest**2 + variance)
        noise, tau, nats = noise_of(counts, errors, noise)
        yield {
            "vectors": vectors,
            "predicted": mean + s * predicted,
            "prior": prior,
            "shared": shared,
            "each": each,
            "noise": noise,
            "tau": tau,
            "objective": (nats + divergence) / total,
        }


COVARIANCES = pytest.mark.parametrize("covariance", ["mean", "full", "diag"])


@COVARIANCES
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weights"])
def test_epochs_are_those_of_loops(weighted, covariance):
    ratings = small(weighted).astype(np.float64)
    model = VBMF(
        n_factors=4, covariance=covariance, max_iter=5, tol=0, random_state=0, dtype=np.float64
    ).fit(ratings)
    states = list(reference(ratings, model, 5))
    np.testing.assert_allclose(
        model.history_.objectives, [state["objective"] for state in states], rtol=1e-9
    )
    last = states[-1]
    predicted = model.set_params(clip=False).predict(ratings.users, ratings.user_indices)
    np.testing.assert_allclose(predicted, last["predicted"], rtol=1e-9)
    assert model.noise_precision_[0] == pytest.approx(last["noise"], rel=1e-9)
    np.testing.assert_allclose(model.user_reliabilities_, last["tau"], rtol=1e-9)
    for side in (0, 1):
        np.testing.assert_allclose(model.prior_means_[side], last["prior"][side][0], atol=1e-9)
        np.testing.assert_allclose(
            model.prior_precisions_[side], last["prior"][side][1], rtol=1e-7, atol=1e-9
        )
        np.testing.assert_allclose(model.mean_covariances_[side], last["shared"][side], atol=1e-9)
        kept = (model.user_covariances_, model.item_covariances_)[side]
        if covariance == "full":
            np.testing.assert_allclose(kept, last["each"][side], atol=1e-9)
        elif covariance == "diag":
            diagonals = np.diagonal(last["each"][side], axis1=1, axis2=2)
            np.testing.assert_allclose(kept[:, 0], diagonals, atol=1e-9)
        else:
            assert kept is None
        of_biases = (model.user_bias_covariances_, model.item_bias_covariances_)[side]
        if covariance == "mean":
            np.testing.assert_allclose(of_biases, last["each"][side][:, -1], atol=1e-9)
        else:
            assert of_biases is None


def bound(model, ratings):
    """Negative evidence bound for each rating, from the definition of its parts."""
    s, noise, d = model.scale_, model.noise_precision_[0], model.n_factors
    p = np.column_stack([model.user_factors_ / np.sqrt(s), model.user_biases_ / s])
    q = np.column_stack([model.item_factors_ / np.sqrt(s), model.item_biases_ / s])
    weights = np.ones(ratings.n_ratings) if ratings.user_weights is None else ratings.user_weights
    errors, total = np.zeros(len(p)), 0.0
    counts = np.bincount(ratings.users, weights=weights, minlength=len(p))
    pairs = zip(ratings.users, ratings.user_indices, strict=True)
    for (u, i), value, w in zip(pairs, ratings.user_values, weights, strict=True):
        # the second moment of the residual, the vectors being independent: E[v v'] = C + v v'
        left, right = np.append(p[u], 1.0), np.append(q[i], 1.0)
        first, second = (np.outer(vector, vector) for vector in (left, right))
        first[:-1, :-1] += model.user_covariances_[u]
        second[:-1, :-1] += model.item_covariances_[i]
        # residual = left' M right
        m = np.zeros((d + 2, d + 2))
        m[:d, :d], m[d, d + 1], m[d + 1, d] = -np.eye(d), -1, -1
        m[d + 1, d + 1] = (value - model.mean_) / s
        errors[u] += w * np.trace(first @ m @ second @ m.T)
    total += noise_nats(counts, errors, noise, model.user_reliabilities_)
    for side, vectors, covariances, rows in (
        (0, p, model.user_covariances_, ratings.users),
        (1, q, model.item_covariances_, ratings.user_indices),
    ):
        precision, mean = model.prior_precisions_[side], model.prior_means_[side]
        for row in np.unique(rows):
            away, covariance = vectors[row] - mean, covariances[row]
            total += 0.5 * (np.trace(precision @ covariance) + away @ precision @ away - d - 1)
            total -= 0.5 * np.linalg.slogdet(precision @ covariance)[1]
        total += 0.5 * (np.trace(precision) - np.linalg.slogdet(precision)[1])
    return total / weights.sum()


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weights"])
def test_the_objective_is_the_evidence_bound(weighted):
    ratings = small(weighted).astype(np.float64)
    for n_epochs in (1, 6):
        model = VBMF(
            n_factors=3,
            covariance="full",
            max_iter=n_epochs,
            tol=0,
            random_state=0,
            dtype=np.float64,
        ).fit(ratings)
        assert model.history_.objectives[-1] == pytest.approx(bound(model, ratings), rel=1e-9)


def uneven(seed, **kwargs):
    return make_ratings(60, 45, 700, noise=0.7, random_state=seed, **kwargs).astype(np.float64)


@pytest.mark.parametrize(
    "ratings",
    [small().astype(np.float64), small(weighted=True).astype(np.float64), uneven(0), uneven(1)],
    ids=["small", "weights", "first", "second"],
)
def test_the_bound_never_rises(ratings):
    for n_factors in (1, 5, 12):
        model = VBMF(
            n_factors=n_factors,
            covariance="full",
            max_iter=30,
            tol=0,
            random_state=1,
            dtype=np.float64,
        ).fit(ratings)
        objectives = np.array(model.history_.objectives)
        assert len(objectives) == 30
        assert np.all(np.diff(objectives) <= 1e-10 * np.abs(objectives[1:]))
        assert objectives[-1] < objectives[0] - 1e-3


def test_covariances_in_single_precision():
    ratings = small()
    for covariance in ("full", "diag"):
        one, other = (
            VBMF(n_factors=4, covariance=covariance, random_state=0, dtype=dtype).fit(ratings)
            for dtype in (np.float32, np.float64)
        )
        assert one.user_covariances_.dtype == one.item_covariances_.dtype == np.float32
        np.testing.assert_allclose(one.predict_all(), other.predict_all(), atol=2e-3)


def kept(covariance, ratings=None, **kwargs):
    ratings = small() if ratings is None else ratings
    model = VBMF(n_factors=3, covariance=covariance, random_state=0, dtype=np.float64, **kwargs)
    return model.fit(ratings.astype(np.float64))


@COVARIANCES
@pytest.mark.parametrize("side", ["users", "items"])
def test_rows_may_have_priors_of_their_own(side, covariance):
    model, place = kept(covariance), ("users", "items").index(side)
    factors, ratings = model._factors(), model.ratings_
    if side == "items":
        factors, ratings = factors.transposed(), ratings.transpose()
    rows, precision = Rows.of(ratings), model.prior_precisions_[place]
    common = rows, factors, model.scale_, model._shared(), side, 1
    shape = (len(rows), 4, 4)
    covariances = np.zeros(shape)
    of_all = solve_side(*common, covariances=covariances)
    means = np.random.default_rng(0).normal(size=shape[:2])
    of_each = solve_side(*common, prior_means=means)
    away = means - model.prior_means_[place]
    moved = np.einsum("nij,jk,nk->ni", covariances, precision, away)
    np.testing.assert_allclose(of_each.means, of_all.means + moved, rtol=1e-9, atol=1e-11)
    one = solve_side(*common, prior_means=means[:1])
    repeated = solve_side(*common, prior_means=np.tile(means[:1], (len(rows), 1)))
    np.testing.assert_allclose(one.means, repeated.means, rtol=1e-12, atol=1e-14)
    assert of_each.uncertainties.sum() != of_all.uncertainties.sum() > 0


@COVARIANCES
def test_explanations_add_up_to_the_folded_in_row(covariance):
    model = kept(covariance, small(weighted=True), clip=False)
    row = model.fold_in(model.ratings_)[4]
    _, parts = model.explain(4, 7)
    from_row = model.inverse_transform(row[np.newaxis])[0, 7]
    assert parts.sum() + model.mean_ + model.item_biases_[7] == pytest.approx(from_row, rel=1e-9)


@COVARIANCES
def test_files_hold_covariances(covariance, tmp_path):
    from matfact.persistence import load, save  # noqa: PLC0415

    model = kept(covariance)
    save(model, tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    for name in ("user_covariances_", "item_covariances_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))
    new = np.full((2, 19), np.nan)
    new[0, [1, 4, 6]] = 3, 2, 5
    assert loaded.fold_in(new).tobytes() == model.fold_in(new).tobytes()
    for one, other in zip(
        loaded.predict([1, 2], [3, 4], return_std=True),
        model.predict([1, 2], [3, 4], return_std=True),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_changed_covariances_in_a_file_are_refused(tmp_path):
    from matfact.exceptions import ModelFileError  # noqa: PLC0415
    from matfact.persistence import load, save  # noqa: PLC0415

    full, path = np.zeros((19, 4, 4)), tmp_path / "model.npz"
    for covariance, wrong in (
        ("full", None),
        ("full", full[:, :3]),
        ("full", full[:18]),
        ("full", full[:, :1]),
        ("diag", full),
        ("diag", full[:, 0]),
        ("mean", full),
    ):
        model = kept(covariance)
        model.item_covariances_ = None if wrong is None else np.ascontiguousarray(wrong)
        save(model, path)
        with pytest.raises(ModelFileError, match="item_covariances"):
            load(path)


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_covariances_of_added_rows(covariance):
    model = kept(covariance)
    prior = np.linalg.inv(model.prior_precisions_)
    matrix, added = np.full((26, 19), np.nan), np.full((2, 19), np.nan)
    users, items, values = model.ratings_.to_triples()
    matrix[users, items] = values
    added[0] = matrix[4]
    again = model.fold_in(model.ratings_)[4]
    model.add_users(added)
    np.testing.assert_allclose(model.user_factors_[26], again[:3], rtol=1e-12)
    assert model.user_covariances_.shape == (28, *model.user_covariances_.shape[1:])
    columns = np.full((28, 1), np.nan)
    columns[:26, 0] = matrix[:, 2]
    model.add_items(columns)
    assert model.item_covariances_.shape == (20, *model.item_covariances_.shape[1:])
    unknown = prior[0] if covariance == "full" else np.diag(prior[0])[np.newaxis]
    np.testing.assert_allclose(model.user_covariances_[27], unknown, rtol=1e-9, atol=1e-12)
    # what is added has seen the same ratings as what was there
    for found, like in (
        (model.user_covariances_[26], model.user_covariances_[4]),
        (model.item_covariances_[19], model.item_covariances_[2]),
    ):
        np.testing.assert_allclose(found, like, atol=0.1 * np.abs(like).max())


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_covariances_follow_their_ids(covariance):
    users, items, values = small().to_triples()
    named = Ratings.from_triples([f"u{u}" for u in users], [f"i{i}" for i in items], values)
    model = kept(covariance, named)
    before = {
        name: model.user_covariances_[model.user_ids_.positions(name)] for name in ("u3", "u9")
    }
    more = Ratings.from_triples(["new", "u3"], ["i2", "i0"], [4.0, 2.0])
    model.set_params(max_iter=1)
    fresh = model._start(model._united(more, more), 0)
    model._carried_over(fresh, model._united(more, more))
    ids = model._united(more, more).user_ids
    for name, covariances in before.items():
        np.testing.assert_array_equal(fresh["user_covariances"][ids.positions(name)], covariances)
    assert fresh["user_covariances"][ids.positions("new")].any()
    model.partial_fit(more)
    assert len(model.user_covariances_) == len(model.user_ids_) == len(ids)
    assert np.isfinite(model.predict(["new"], ["i4"], return_std=True)).all()


def test_a_warm_start_with_other_covariances_is_refused():
    model = kept("full", warm_start=True)
    for other in ("diag", "mean"):
        with pytest.raises(ValueError, match=f"covariance was 'full' and is '{other}' now"):
            model.set_params(covariance=other).fit(small())
    model.set_params(covariance="full", n_factors=5)
    with pytest.raises(ValueError, match="n_factors was 3"):
        model.fit(small())


def test_unknown_covariances_are_refused():
    with pytest.raises(ValueError, match="covariance is 'each'; give one of 'mean'"):
        VBMF(covariance="each").fit(small())


@COVARIANCES
def test_same_bits_for_any_number_of_threads(covariance):
    ratings = make_ratings(300, 200, 6000, random_state=0)

    def fitted(n_threads):
        model = VBMF(
            n_factors=16, covariance=covariance, max_iter=3, random_state=0, n_threads=n_threads
        )
        return model.fit(ratings)

    one, other = fitted(1), fitted(2)
    assert one.user_factors_.tobytes() == other.user_factors_.tobytes()
    assert one.noise_precision_.tobytes() == other.noise_precision_.tobytes()
    if covariance != "mean":
        assert one.item_covariances_.tobytes() == other.item_covariances_.tobytes()


@COVARIANCES
def test_the_last_half_step_is_fold_in(covariance, monkeypatch):
    ratings = small()
    epochs = [
        VBMF(n_factors=4, covariance=covariance, max_iter=n, tol=0, random_state=0).fit(ratings)
        for n in (4, 5)
    ]
    before = epochs[0]
    # given the items of the fifth epoch, and what was learned in the fourth
    for name in ("factors", "biases", "covariances", "bias_covariances"):
        setattr(before, f"item_{name}_", getattr(epochs[1], f"item_{name}_"))
    covariances = before.mean_covariances_.copy()
    covariances[1] = epochs[1].mean_covariances_[1]
    before.mean_covariances_ = covariances
    monkeypatch.setattr(
        "matfact.models._folding.reliabilities", lambda *_: before.user_reliabilities_
    )
    rows = before.fold_in(ratings)
    # Rows without ratings are what was learned last.
    unrated = np.diff(ratings.user_indptr) == 0
    rows[unrated] = epochs[1].fold_in(ratings)[unrated]
    np.testing.assert_allclose(rows[:, :4], epochs[1].user_factors_, atol=1e-6)
    np.testing.assert_allclose(rows[:, 4], epochs[1].user_biases_, atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_needs_no_tuning(seed):
    """Any number of factors is as good as the best one for a point estimate, or better."""
    ratings = make_ratings(400, 250, 9_000, noise=1.0, random_state=seed)
    train, test = random_split(ratings, 0.2, random_state=seed)
    users, items, truth = test.to_triples()

    def error(model):
        return rmse(truth, model.fit(train).predict(users, items))

    errors = [error(VBMF(n_factors=k, random_state=0)) for k in (4, 10, 40)]
    tuned = min(
        error(ALS(n_factors=k, regularization=strength, random_state=0))
        for k in (4, 10)
        for strength in (0.3, 1.2, 3.0)
    )
    assert max(errors) - min(errors) < 0.02
    assert min(errors) < tuned + 0.002
    baseline = rmse(truth, np.full(len(truth), train.mean))
    assert max(errors) < 0.95 * baseline


def test_the_noise_is_learned():
    rng = np.random.default_rng(0)
    low_rank = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 200))
    matrix = low_rank + 0.5 * rng.normal(size=low_rank.shape)
    matrix[rng.random(matrix.shape) < 0.5] = np.nan
    model = VBMF(n_factors=6, max_iter=60, random_state=0).fit(matrix)
    noise = model.scale_ / np.sqrt(model.noise_precision_[0])
    assert noise == pytest.approx(0.5, rel=0.05)
    # four of the six factors are not needed, and their spread says so
    spreads = np.linalg.eigvalsh(np.linalg.inv(model.prior_precisions_[0][:-1, :-1]))
    assert spreads[3] < 0.1 * spreads[4]


@pytest.mark.parametrize("scale", [1e-3, 20.0])
def test_units_do_not_matter(scale):
    users, items, values = small().to_triples()
    one, other = (
        VBMF(n_factors=3, random_state=0, dtype=np.float64).fit(
            Ratings.from_triples(users, items, factor * values.astype(float) + shift)
        )
        for factor, shift in ((1.0, 0.0), (scale, 7.0))
    )
    assert one.n_iter_ == other.n_iter_
    np.testing.assert_allclose(other.predict_all(), scale * one.predict_all() + 7, rtol=1e-6)


@COVARIANCES
def test_spreads_are_those_of_loops(covariance):
    ratings = small().astype(np.float64)
    model = kept(covariance)
    users, items = [0, 3, 25, 3, 7], [4, 0, 2, 18, 4]  # user 25 and item 18 have no ratings
    predicted, std = model.predict(users, items, return_std=True)
    np.testing.assert_array_equal(predicted, model.predict(users, items))
    s, noise, tau = model.scale_, model.noise_precision_[0], model.user_reliabilities_
    vectors = [
        np.column_stack([model.user_factors_ / np.sqrt(s), model.user_biases_ / s]),
        np.column_stack([model.item_factors_ / np.sqrt(s), model.item_biases_ / s]),
    ]
    places = [ratings.users, ratings.user_indices]

    def covariance_of(side, row):
        columns = places[1 - side][places[side] == row]
        own = (model.user_covariances_, model.item_covariances_)
        if covariance == "full":
            return own[side][row]
        w = tau[places[0][places[side] == row]]
        x = vectors[1 - side][columns].copy()
        x[:, -1] = 1
        other = w.sum() * model.mean_covariances_[1 - side]
        if covariance == "diag":
            other = np.diag(w @ own[1 - side][columns, 0])
        other[-1] = other[:, -1] = 0
        return np.linalg.inv(model.prior_precisions_[side] + noise * ((x.T * w) @ x + other))

    rng = np.random.default_rng(0)
    for place, (u, i) in enumerate(zip(users, items, strict=True)):
        draws = [
            rng.multivariate_normal(vectors[side][row], covariance_of(side, row), 100_000)
            for side, row in ((0, u), (1, i))
        ]
        sampled = (draws[0][:, :3] * draws[1][:, :3]).sum(axis=1) + draws[0][:, 3] + draws[1][:, 3]
        variance = sampled.var() + 1 / (noise * tau[u])
        assert std[place] == pytest.approx(s * np.sqrt(variance), rel=0.01)
    assert std[2] > std[0]


def test_intervals_hold_what_they_promise():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 200)) + rng.normal(size=200)
    noisy = truth + rng.normal(0, 1.0, truth.shape)
    users, items = np.nonzero(rng.random(truth.shape) < 0.2)
    ratings = Ratings.from_triples(users, items, noisy[users, items])
    train, test = random_split(ratings, 0.25, random_state=0)
    model = VBMF(n_factors=8, max_iter=60, random_state=0, clip=False).fit(train)
    u, i, values = test.to_triples()
    predicted, std = model.predict(u, i, return_std=True)
    for share, width in ((0.5, 0.674), (0.8, 1.282), (0.95, 1.96)):
        inside = np.mean(np.abs(values - predicted) < width * std)
        assert inside == pytest.approx(share, abs=0.03)


def test_spreads_of_what_is_unknown_and_of_nothing():
    model = VBMF(n_factors=3, covariance="mean", random_state=0).fit(small())
    _, std = model.predict([0, 99], [99, 99], unknown="mean", return_std=True)
    assert np.isfinite(std).all()
    assert std[1] > std[0]
    one, spread = model.predict(0, 1, return_std=True)
    assert one.shape == spread.shape == ()
    assert all(len(part) == 0 for part in model.predict([], [], return_std=True))
    with pytest.raises(ValueError, match="return_std needs users and items"):
        model.predict(np.full((2, 19), np.nan), return_std=True)
    model.ratings_ = None
    with pytest.raises(ValueError, match="return_std needs the ratings"):
        model.predict(0, 1, return_std=True)
    model = kept("full")
    model.ratings_ = None
    assert model.predict(0, 1, return_std=True)[1] > 0


def test_single_precision_is_enough():
    ratings = small()
    one, other = (
        VBMF(n_factors=4, random_state=0, dtype=dtype).fit(ratings).predict_all()
        for dtype in (np.float32, np.float64)
    )
    np.testing.assert_allclose(one, other, atol=2e-3)


def test_equal_ratings_and_a_single_one():
    for matrix in (np.full((3, 4), 2.0), np.array([[5.0, np.nan], [np.nan, np.nan]])):
        model = VBMF(n_factors=2, random_state=0).fit(matrix)
        np.testing.assert_allclose(model.predict_all(), np.nanmean(matrix), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ratings_without_noise(dtype):
    rng = np.random.default_rng(0)
    matrix = np.outer(rng.normal(size=30), rng.normal(size=20))
    model = VBMF(n_factors=3, max_iter=100, tol=0, random_state=0, dtype=dtype).fit(matrix)
    np.testing.assert_allclose(model.predict_all(), matrix, atol=0.02)


def test_weights_of_zero():
    users, items, values = small().to_triples()
    weights = np.zeros(len(values))
    model = VBMF(n_factors=3, random_state=0)
    assert np.isfinite(
        model.fit(Ratings.from_triples(users, items, values, weights=weights)).predict_all()
    ).all()


def test_changed_shapes_in_a_file_are_refused(tmp_path):
    from matfact.exceptions import ModelFileError  # noqa: PLC0415
    from matfact.persistence import load, save  # noqa: PLC0415

    model = VBMF(n_factors=3, random_state=0).fit(small())
    model.prior_means_ = np.zeros((2, 3))
    save(model, tmp_path / "model.npz")
    with pytest.raises(ModelFileError, match="prior_means has shape"):
        load(tmp_path / "model.npz")


def test_the_number_of_factors_follows_the_ratings():
    """Only their number counts."""

    class Many:
        def __init__(self, n_ratings):
            self.n_ratings = n_ratings

    model = VBMF()
    for n_ratings, n_factors in (
        (1, 16),
        (999_999, 16),
        (1_000_000, 32),
        (9_999_999, 32),
        (10_000_000, 64),
        (10**10, 64),
    ):
        assert model._n_factors_for(Many(n_ratings)) == n_factors
        assert VBMF(n_factors=7)._n_factors_for(Many(n_ratings)) == 7
    model.fit(small())
    assert model.user_factors_.shape == (26, 16)
    assert model.get_params()["n_factors"] == "auto"
    assert repr(model) == "VBMF()"


@pytest.mark.parametrize("n_factors", ["many", "", "AUTO", "16"])
def test_a_wrong_number_of_factors_in_words(n_factors):
    with pytest.raises(ValueError, match="give an integer of at least 1, or 'auto'"):
        VBMF(n_factors=n_factors).fit(small())
    with pytest.raises(TypeError, match="n_factors must be an integer"):
        ALS(n_factors="auto").fit(small())


def test_the_number_of_factors_that_was_chosen_is_kept(monkeypatch):
    """Other limits stand for other ratings."""
    ratings, new = small(), np.full((2, 19), np.nan)
    new[0, [1, 4, 6]] = 3, 2, 5
    monkeypatch.setattr("matfact.models._bayesian.AUTO_FACTORS", ((10**9, 3),))
    model = VBMF(random_state=0, max_iter=2, warm_start=True).fit(ratings)
    monkeypatch.setattr("matfact.models._bayesian.AUTO_FACTORS", ((10**9, 5),))
    for go_on, n_users in (
        (lambda: model.fit(ratings), 26),
        (lambda: model.add_users(new), 28),
        (lambda: model.partial_fit(small()), 28),
    ):
        go_on()
        assert model.user_factors_.shape == (n_users, model.n_factors_) == (n_users, 3)
    with pytest.raises(ValueError, match="n_factors was 3 and is 5 now"):
        model.set_params(n_factors=5).fit(ratings)
    model.set_params(n_factors="auto", warm_start=False).fit(ratings)
    assert model.user_factors_.shape == (26, 5)


@pytest.mark.parametrize("numbers", [1, 50])
def test_spread_in_blocks(monkeypatch, numbers):
    ratings = make_ratings(20, 15, 120, random_state=0)
    model = VBMF(n_factors=2, random_state=0, max_iter=3).fit(ratings)
    users, items, _ = ratings.to_triples()
    at_once = model.predict(users, items, return_std=True)[1]
    monkeypatch.setattr(_uncertainty, "BLOCK_NUMBERS", numbers)
    np.testing.assert_allclose(model.predict(users, items, return_std=True)[1], at_once, rtol=1e-6)
