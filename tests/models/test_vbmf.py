"""VBMF: against the formulas in plain numpy, what it learns, and what it is for."""

import numpy as np
import pytest

from matfact import ALS, VBMF, Ratings, make_ratings
from matfact.evaluation import random_split, rmse


def small(weighted=False):
    ratings = make_ratings(25, 18, 260, random_state=3)
    weights = np.random.default_rng(0).uniform(0.5, 3, 260) if weighted else None
    users, items, values = ratings.to_triples()
    # the last user and the last item have no ratings
    return Ratings.from_triples(users, items, values, weights=weights, shape=(26, 19))


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
    places = [users, items]
    for _ in range(n_epochs):
        divergence = 0.0
        for side in (1, 0):
            own, other = places[side], places[1 - side]
            x = np.column_stack([vectors[1 - side][:, :d], np.ones(len(vectors[1 - side]))])
            offsets = vectors[1 - side][:, d]
            covariance = shared[1 - side].copy()
            k = np.append(covariance[:d, d], 0)
            covariance[d] = covariance[:, d] = 0
            m, precision = prior[side]
            sums, weighted, spread, n_rows, log_det = 0.0, 0.0, 0.0, 0, 0.0
            for row in range(len(vectors[side])):
                mine = own == row
                w, columns = weights[mine], other[mine]
                a = precision + noise * ((x[columns].T * w) @ x[columns] + w.sum() * covariance)
                b = precision @ m + noise * (
                    (w * (y[mine] - offsets[columns])) @ x[columns] - w.sum() * k
                )
                vectors[side][row] = np.linalg.solve(a, b)
                if mine.any():
                    sums = sums + np.linalg.inv(a)
                    weighted = weighted + w.sum() * np.linalg.inv(a)
                    log_det -= np.linalg.slogdet(a)[1]
                    n_rows += 1
            there = np.isin(np.arange(len(vectors[side])), own)
            m = vectors[side][there].mean(axis=0)
            spread = sums + (vectors[side][there] - m).T @ (vectors[side][there] - m)
            precision = np.linalg.inv((spread + np.eye(d + 1)) / (n_rows + 1))
            prior[side], shared[side] = (m, precision), weighted / total
            log_prior = np.linalg.slogdet(precision)[1]
            divergence += 0.5 * (
                np.trace(precision @ spread) - n_rows * (log_prior + d + 1) - log_det
            ) + 0.5 * (np.trace(precision) - log_prior)
        p, q = vectors
        predicted = (p[users, :d] * q[items, :d]).sum(axis=1) + p[users, d] + q[items, d]
        of_users, of_items = shared
        error = 0.0
        for u, i, rest, w in zip(users, items, y - predicted, weights, strict=True):
            variance = p[u, :d] @ of_items[:d, :d] @ p[u, :d]
            variance += q[i, :d] @ of_users[:d, :d] @ q[i, :d]
            variance += np.trace(of_users[:d, :d] @ of_items[:d, :d])
            variance += of_users[d, d] + of_items[d, d]
            variance += 2 * q[i, :d] @ of_users[:d, d] + 2 * p[u, :d] @ of_items[:d, d]
            error += w * (rest**2 + variance)
        noise = total / error
        yield {
            "vectors": vectors,
            "predicted": mean + s * predicted,
            "prior": prior,
            "shared": shared,
            "noise": noise,
            "objective": 0.5 * (np.log(2 * np.pi / noise) + 1) + divergence / total,
        }


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weights"])
def test_epochs_are_those_of_loops(weighted):
    ratings = small(weighted).astype(np.float64)
    model = VBMF(n_factors=4, max_iter=5, tol=0, random_state=0, dtype=np.float64).fit(ratings)
    states = list(reference(ratings, model, 5))
    np.testing.assert_allclose(
        model.history_.objectives, [state["objective"] for state in states], rtol=1e-9
    )
    last = states[-1]
    predicted = model.set_params(clip=False).predict(ratings.users, ratings.user_indices)
    np.testing.assert_allclose(predicted, last["predicted"], rtol=1e-9)
    assert model.noise_precision_[0] == pytest.approx(last["noise"], rel=1e-9)
    for side in (0, 1):
        np.testing.assert_allclose(model.prior_means_[side], last["prior"][side][0], atol=1e-9)
        np.testing.assert_allclose(
            model.prior_precisions_[side], last["prior"][side][1], rtol=1e-7, atol=1e-9
        )
        np.testing.assert_allclose(model.mean_covariances_[side], last["shared"][side], atol=1e-9)


def test_the_last_half_step_is_fold_in():
    ratings = small()
    epochs = [VBMF(n_factors=4, max_iter=n, tol=0, random_state=0).fit(ratings) for n in (4, 5)]
    before = epochs[0]
    # given the items of the fifth epoch, and what was learned in the fourth
    for name in ("item_factors_", "item_biases_"):
        setattr(before, name, getattr(epochs[1], name))
    covariances = before.mean_covariances_.copy()
    covariances[1] = epochs[1].mean_covariances_[1]
    before.mean_covariances_ = covariances
    rows = before.fold_in(ratings)
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


def test_spreads_are_those_of_loops():
    ratings = small().astype(np.float64)
    model = VBMF(n_factors=3, random_state=0, dtype=np.float64).fit(ratings)
    users, items = [0, 3, 25, 3, 7], [4, 0, 2, 18, 4]  # user 25 and item 18 have no ratings
    predicted, std = model.predict(users, items, return_std=True)
    np.testing.assert_array_equal(predicted, model.predict(users, items))
    s, noise = model.scale_, model.noise_precision_[0]
    vectors = [
        np.column_stack([model.user_factors_ / np.sqrt(s), model.user_biases_ / s]),
        np.column_stack([model.item_factors_ / np.sqrt(s), model.item_biases_ / s]),
    ]
    places = [ratings.users, ratings.user_indices]

    def covariance(side, row):
        x = vectors[1 - side][places[1 - side][places[side] == row]].copy()
        x[:, -1] = 1
        other = model.mean_covariances_[1 - side].copy()
        other[-1] = other[:, -1] = 0
        return np.linalg.inv(model.prior_precisions_[side] + noise * (x.T @ x + len(x) * other))

    rng = np.random.default_rng(0)
    for place, (u, i) in enumerate(zip(users, items, strict=True)):
        draws = [
            rng.multivariate_normal(vectors[side][row], covariance(side, row), 400_000)
            for side, row in ((0, u), (1, i))
        ]
        sampled = (draws[0][:, :3] * draws[1][:, :3]).sum(axis=1) + draws[0][:, 3] + draws[1][:, 3]
        assert std[place] == pytest.approx(s * np.sqrt(sampled.var() + 1 / noise), rel=0.01)
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
    model = VBMF(n_factors=3, random_state=0).fit(small())
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
