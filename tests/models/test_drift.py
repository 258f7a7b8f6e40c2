"""VBMF with levels of users that drift: what it learns, when it helps, and what it keeps."""

import copy

import numpy as np
import pytest

from matfact import VBMF, Ratings
from matfact.evaluation import cross_validate, random_split, rmse
from matfact.exceptions import ModelFileError
from matfact.models._drift import Drift
from matfact.models._levels import DRIFT, DRIFT_PLACES, drift_start, levels_at
from matfact.persistence import load, save
from models.cases import same_bits
from persistence.model_files import MODEL_FILE, assert_equal_models, contents, write_raw

VARIANCE, TIME = 0.5, 40.0


def drifting(n_users=60, n_items=30, seed=0, variance=VARIANCE, weighted=False, dtype=np.float64):
    """Ratings that levels of these parameters have a part in; the last user has none."""
    rng = np.random.default_rng(seed)
    users, items, times, levels = [], [], [], []
    for user in range(n_users):
        rated = rng.permutation(n_items)[: rng.integers(n_items // 2, n_items)]
        at = np.sort(np.round(rng.choice([0, 200, 900]) + rng.uniform(0, 150, len(rated))))
        gaps = np.abs(at[:, np.newaxis] - at)
        covariance = variance * np.exp(-gaps / TIME) + 1e-9 * np.eye(len(at))
        levels.append(np.linalg.cholesky(covariance) @ rng.normal(size=len(at)))
        users.append(np.full(len(at), user))
        items.append(rated)
        times.append(at)
    users, items, times, levels = map(np.concatenate, (users, items, times, levels))
    factors = rng.normal(0, 0.6, (n_users, 2)), rng.normal(0, 0.6, (n_items, 2))
    values = 3 + (factors[0][users] * factors[1][items]).sum(axis=1) + levels
    values += rng.normal(0, 0.4, len(users))
    return Ratings.from_triples(
        users,
        items,
        values,
        shape=(n_users + 1, n_items),
        timestamps=times,
        weights=rng.uniform(0.5, 2, len(users)) if weighted else None,
        dtype=dtype,
    )


def new(**parameters):
    defaults = {"n_factors": 2, "drift": True, "random_state": 0, "clip": False}
    return VBMF(**defaults | parameters)


RATINGS = drifting()
MODEL = new(dtype=np.float64, max_iter=8, tol=0).fit(RATINGS)


def states_of(model, user):
    return slice(model.drift_indptr_[user], model.drift_indptr_[user + 1])


def test_the_drift_is_found():
    ratings = drifting(150, 40)
    model = new(max_iter=60, tol=0).fit(ratings)
    # the parameters are in units in which ratings have variance 1, and of the timestamps
    assert model.drift_variance_[0] * model.scale_**2 == pytest.approx(VARIANCE, rel=0.3)
    assert model.drift_time_[0] == pytest.approx(TIME, rel=0.3)
    train, test = random_split(ratings, 0.2, random_state=0)
    users, items, truth = test.to_triples()
    still = rmse(truth, new(drift=False).fit(train).predict(users, items))
    model = new().fit(train)
    moving = rmse(truth, model.predict(users, items, timestamps=test.timestamps))
    assert moving < 0.85 * still
    assert -model.score(test) == pytest.approx(moving, rel=1e-9)
    predicted, std = model.predict(users, items, timestamps=test.timestamps, return_std=True)
    z = (truth - predicted) / std
    assert 0.8 < np.sqrt(np.mean(z**2)) < 1.2


def test_without_a_drift_there_is_hardly_any():
    ratings = drifting(variance=1e-12)
    model, still = new().fit(ratings), new(drift=False).fit(ratings)
    assert model.drift_variance_[0] < 0.01
    assert model.n_iter_ > 4
    assert model.history_.objectives[-1] == pytest.approx(still.history_.objectives[-1], abs=0.02)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_bound_never_rises(weighted):
    ratings = drifting(weighted=weighted)
    model = new(covariance="full", max_iter=25, tol=0, dtype=np.float64, link="users").fit(ratings)
    objectives = model.history_.objectives[2:]  # the levels begin in the third epoch
    assert np.all(np.diff(objectives) <= 1e-10 * np.abs(objectives[1:]))
    assert objectives[-1] < objectives[0] - 1e-3


@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_is_what_dense_matrices_say(weighted):
    ratings = drifting(12, 10, weighted=weighted)
    arrays, noise, scale = drift_start(ratings), 3.0, 1.5
    rest = np.random.default_rng(0).normal(size=ratings.n_ratings)
    drift = Drift(ratings, arrays, scale, 1)
    assert drift.step(2, rest, ratings.user_weights, noise) == 0  # too early
    assert (arrays["drift_levels"] == 0).all()
    found = drift.step(3, rest, ratings.user_weights, noise)
    variance, time = arrays["drift_variance"][0], arrays["drift_time"][0]
    weights = np.ones(ratings.n_ratings) if not weighted else ratings.user_weights
    indptr, uncertainties = arrays["drift_indptr"], np.zeros(ratings.n_users)
    divergence = 0.5 * (np.log(variance) + 1e-3 / variance)  # of the pseudo-state
    for user in range(12):
        states = slice(indptr[user], indptr[user + 1])
        mine, at = ratings.users == user, arrays["drift_times"][states]
        one = (ratings.timestamps[mine] == at[:, np.newaxis]) * weights[mine]
        prior = variance * np.exp(-np.abs(at[:, np.newaxis] - at) / time)
        inverse = np.linalg.inv(prior)
        covariance = np.linalg.inv(inverse + noise * np.diag(one.sum(axis=1)))
        mean = covariance @ (noise * one @ rest[mine] / scale)
        np.testing.assert_allclose(arrays["drift_levels"][states], mean, atol=1e-9)
        variances, beside = arrays["drift_covariances"][:, states]
        np.testing.assert_allclose(variances, np.diag(covariance), rtol=1e-7)
        np.testing.assert_allclose(beside[:-1], np.diag(covariance, 1), rtol=1e-7)
        uncertainties[user] = one.sum(axis=1) @ np.diag(covariance)
        divergence += 0.5 * (np.sum(inverse * (covariance + np.outer(mean, mean))) - len(at))
        divergence += 0.5 * (np.linalg.slogdet(prior)[1] - np.linalg.slogdet(covariance)[1])
    assert found == pytest.approx(divergence, rel=1e-9)
    np.testing.assert_allclose(drift.uncertainties, uncertainties, rtol=1e-9)
    assert indptr[-1] == indptr[-2]  # the last user has no ratings


def test_levels_at_any_time():
    """A Gaussian process says the same: from its joint distribution with the states."""
    user = 3
    states = states_of(MODEL, user)
    at, levels = MODEL.drift_times_[states], MODEL.drift_levels_[states]
    variances, beside = MODEL.drift_covariances_[:, states]
    variance, time = MODEL.drift_variance_[0], MODEL.drift_time_[0]
    times = np.concatenate([at, (at[1:] + at[:-1]) / 2, [at[0] - 7, at[-1] + 7, -1e9, 1e300]])
    arrays = {name: getattr(MODEL, f"{name}_") for name in DRIFT}
    means, spread = levels_at(arrays, np.full(len(times), user), times)
    assert (means[: len(at)] == levels).all()
    np.testing.assert_allclose(spread[: len(at)], variances, rtol=1e-12)
    for place, t in enumerate(times):
        near = sorted(np.argsort(np.abs(at - t), kind="stable")[:1])
        if at[0] < t < at[-1]:
            left = np.searchsorted(at, t, "right") - 1
            near = [left, left + 1]
        prior = variance * np.exp(-np.abs(at[near][:, np.newaxis] - at[near]) / time)
        toward = np.linalg.solve(prior, variance * np.exp(-np.abs(at[near] - t) / time))
        posterior = np.diag(variances[near])
        if len(near) == 2:
            posterior[0, 1] = posterior[1, 0] = beside[near[0]]
        assert means[place] == pytest.approx(toward @ levels[near], abs=1e-12)
        expected = variance + toward @ (posterior - prior) @ toward
        assert spread[place] == pytest.approx(expected, rel=1e-9)
    assert means[-2:].tolist() == [0, 0]


def test_predictions_at_times():
    users, items = RATINGS.users[:5], RATINGS.user_indices[:5]
    times = RATINGS.timestamps[:5]
    plain = MODEL.predict(users, items)
    arrays = {name: getattr(MODEL, f"{name}_") for name in DRIFT}
    levels = levels_at(arrays, users.astype(np.int64), times)[0] * MODEL.scale_
    assert (np.abs(levels) > 1e-3).all()
    np.testing.assert_allclose(MODEL.predict(users, items, timestamps=times), plain + levels)
    one = MODEL.predict(users[0], items[0], timestamps=times[0])
    assert one.shape == ()
    assert one == MODEL.predict(users, items, timestamps=times)[0]
    same = MODEL.predict(users, items, timestamps=float(times[0]))
    assert same.shape == (5,)
    assert same[0] == one
    seconds = times.astype("datetime64[s]")
    np.testing.assert_array_equal(MODEL.predict(users, items, timestamps=seconds), plain + levels)
    # users without states, and unknown ones, have no level
    last = RATINGS.n_users - 1
    assert MODEL.predict(last, 0, timestamps=3) == MODEL.predict(last, 0)
    unknown = MODEL.predict([-5], [0], unknown="mean", timestamps=3)
    assert unknown == MODEL.predict([-5], [0], unknown="mean")


def test_predictions_at_times_are_clipped():
    model = copy.deepcopy(MODEL).set_params(clip=True)
    predicted = model.predict(RATINGS.users, RATINGS.user_indices, timestamps=RATINGS.timestamps)
    low, high = model.rating_range_
    assert low <= predicted.min() < predicted.max() <= high


def test_standard_deviations_grow_away_from_the_states():
    user, item = 3, 4
    at = MODEL.drift_times_[states_of(MODEL, user)]
    times = np.array([at[-1], at[-1] + 5, at[-1] + 50, at[-1] + 1e6])
    std = MODEL.predict(user, np.full(4, item), timestamps=times, return_std=True)[1]
    assert (np.diff(std) > 0).all()
    nobody = MODEL.predict(user, item, return_std=True)[1]  # at no time in particular
    assert std[-1] == pytest.approx(nobody)


@pytest.mark.parametrize(
    ("timestamps", "error", "message"),
    [
        ([1.0, 2.0], ValueError, r"timestamps has shape \(2,\) and the pairs \(3,\)"),
        ([1.0, np.nan, 2.0], ValueError, "timestamps has nan; give a time"),
        (np.array(["2020", "NaT", "2021"], "datetime64[D]"), ValueError, "timestamps has nan"),
        (["a", "b", "c"], TypeError, "timestamps has dtype"),
    ],
)
def test_wrong_timestamps_are_refused(timestamps, error, message):
    with pytest.raises(error, match=message):
        MODEL.predict([0, 1, 2], [0, 1, 2], timestamps=timestamps)


def test_what_cannot_be_done_is_told():
    users, items, values = RATINGS.to_triples()
    timeless = Ratings.from_triples(users, items, values, shape=RATINGS.shape)
    for given in (timeless, np.ones((3, 3))):
        with pytest.raises(ValueError, match="build the Ratings with timestamps=, or set drift="):
            new().fit(given)
    with pytest.raises(ValueError, match="build the Ratings with timestamps="):
        copy.deepcopy(MODEL).partial_fit(timeless)
    with pytest.raises(TypeError, match="drift is 'yes'; give True or False"):
        new(drift="yes").fit(RATINGS)
    still = new(drift=False, max_iter=2, warm_start=True).fit(RATINGS)
    with pytest.raises(ValueError, match="fitted with drift=False; fit it with drift=True"):
        still.predict(0, 0, timestamps=3)
    with pytest.raises(ValueError, match="drift is True now and was False; a warm start"):
        still.set_params(drift=True).fit(RATINGS)
    moving = copy.deepcopy(MODEL).set_params(drift=False, warm_start=True)
    with pytest.raises(ValueError, match="drift is False now and was True; a warm start"):
        moving.fit(RATINGS)
    with pytest.raises(ValueError, match="timestamps needs users and items"):
        MODEL.predict(np.ones((2, 30)), timestamps=3)


@pytest.mark.parametrize("scale", [1e-9, 1 / 86400 / 365, 1e9])
def test_the_unit_of_the_timestamps_does_not_matter(scale):
    users, items, values = RATINGS.to_triples()
    times = RATINGS.timestamps * scale
    other = Ratings.from_triples(users, items, values, timestamps=times, shape=RATINGS.shape)
    model = new(dtype=np.float64, max_iter=8, tol=0).fit(other)
    assert model.drift_time_[0] == pytest.approx(MODEL.drift_time_[0] * scale, rel=1e-6)
    assert model.drift_variance_[0] == pytest.approx(MODEL.drift_variance_[0], rel=1e-6)


def test_dates_and_integers_are_the_same_times():
    users, items, values = RATINGS.to_triples()
    whole = RATINGS.timestamps.astype(np.int64)
    models = [
        new(max_iter=4, tol=0).fit(
            Ratings.from_triples(users, items, values, timestamps=times, shape=RATINGS.shape)
        )
        for times in (whole, whole.astype(float), whole.astype("datetime64[s]"))
    ]
    assert same_bits(models[1], models[0])
    assert same_bits(models[2], models[0])


@pytest.mark.parametrize("times", [np.zeros(40), np.arange(40), np.full(40, -1e308)])
def test_odd_times(times):
    """All at once; one state for each user; huge."""
    users, items = np.divmod(np.arange(40), 2) if times[1] else np.divmod(np.arange(40), 8)
    values = np.random.default_rng(0).normal(3, 1, 40)
    times = times.copy()
    times[-1] = -times[0]
    model = new(max_iter=6).fit(Ratings.from_triples(users, items, values, timestamps=times))
    predicted, std = model.predict(users, items, timestamps=times, return_std=True)
    assert np.isfinite(predicted).all()
    assert (std > 0).all()


def test_number_of_threads_does_not_matter():
    ratings = drifting(dtype=np.float32)
    models = [new(n_threads=n, max_iter=5, tol=0, link="both").fit(ratings) for n in (1, 3)]
    assert same_bits(*models)


def test_going_on_is_as_if_nothing_had_happened():
    whole = new(max_iter=7, tol=0).fit(RATINGS)
    parts = new(max_iter=4, tol=0, warm_start=True).fit(RATINGS)
    parts.set_params(max_iter=3).fit(RATINGS)
    assert same_bits(whole, parts)


def test_further_ratings_and_users():
    model = copy.deepcopy(MODEL)
    before = model.drift_levels_.copy()
    model.add_users(np.full((2, 30), 4.0))
    assert len(model.drift_indptr_) == RATINGS.n_users + 3
    assert model.predict(RATINGS.n_users, 3, timestamps=5) == model.predict(RATINGS.n_users, 3)
    assert (model.drift_levels_ == before).all()
    model = copy.deepcopy(MODEL)
    further = Ratings.from_triples(
        [2, 2, 90], [0, 1, 0], [1.0, 1.0, 5.0], timestamps=[5000.0, 5001.0, 5002.0]
    )
    model.partial_fit(further)
    assert model.drift_indptr_[-1] == len(model.drift_times_)
    assert model.drift_times_[states_of(model, 2)][-2:].tolist() == [5000, 5001]
    assert model.n_iter_ == MODEL.n_iter_ + 1
    assert model.drift_time_[0] == pytest.approx(MODEL.drift_time_[0], rel=0.5)


def test_validation_parts_count_the_drift():
    train, test = random_split(RATINGS, 0.2, random_state=0)
    model = new(max_iter=6).fit(train, validation=test)
    users, items, truth = test.to_triples()
    predicted = model.predict(users, items, timestamps=test.timestamps)
    assert model.history_.validations[model.best_iteration_ - 1] == pytest.approx(
        rmse(truth, predicted), rel=1e-6
    )


def test_cross_validation_counts_the_drift():
    moving, still = (
        cross_validate(new(drift=drift), RATINGS, 3, random_state=0).means["rmse"]
        for drift in (True, False)
    )
    assert moving < 0.95 * still


@pytest.mark.parametrize("include_ratings", [True, False])
def test_files(tmp_path, include_ratings):
    save(MODEL, tmp_path / MODEL_FILE, include_ratings=include_ratings)
    loaded = load(tmp_path / MODEL_FILE)
    if include_ratings:
        assert_equal_models(loaded, MODEL)
    at = RATINGS.users, RATINGS.user_indices
    expected = MODEL.predict(*at, timestamps=RATINGS.timestamps)
    np.testing.assert_array_equal(loaded.predict(*at, timestamps=RATINGS.timestamps), expected)


CHANGES = {
    "missing": lambda a: None,
    "one less": lambda a: a[..., :-1],
    "deeper": lambda a: a[np.newaxis],
    "one number": lambda a: a.ravel()[0].reshape(()),
    "of another kind": lambda a: a.astype(np.float32),
    "negative": lambda a: -a - 1,
    "backwards": lambda a: np.ascontiguousarray(a[..., ::-1]),
    "not finite": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, np.inf, a),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", DRIFT)
def test_changed_arrays_are_refused(tmp_path, name, change):
    save(MODEL, tmp_path / MODEL_FILE)
    header, arrays = contents(tmp_path / MODEL_FILE)
    array = CHANGES[change](arrays.pop(name))
    if array is not None:
        arrays[name] = array
    write_raw(tmp_path / MODEL_FILE, header, arrays)
    may_be = {("drift_levels", "negative"), ("drift_levels", "backwards")}
    may_be |= {(n, "backwards") for n in ("drift_variance", "drift_time", "drift_steps")}
    may_be |= {("drift_covariances", "backwards")}
    if (name, change) in may_be:
        load(tmp_path / MODEL_FILE)
        return
    with pytest.raises(ModelFileError):
        load(tmp_path / MODEL_FILE)


def test_arrays_of_a_drift_that_a_model_has_not_are_refused(tmp_path):
    save(MODEL, tmp_path / MODEL_FILE)
    drift = contents(tmp_path / MODEL_FILE)[1]
    still = new(drift=False, max_iter=2, dtype=np.float64).fit(RATINGS)
    save(still, tmp_path / MODEL_FILE)
    header, arrays = contents(tmp_path / MODEL_FILE)
    for name in DRIFT:
        write_raw(tmp_path / MODEL_FILE, header, arrays | {name: drift[name]})
        with pytest.raises(ModelFileError):
            load(tmp_path / MODEL_FILE)


def interrupt(state):
    if state.epoch == 4:
        raise KeyboardInterrupt


def test_the_best_state_of_a_file_does_not_say_where_states_are(tmp_path):
    model = new(max_iter=6, warm_start=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(RATINGS, validation=0.2, callbacks=[interrupt])
    save(model, tmp_path / MODEL_FILE)
    assert_equal_models(load(tmp_path / MODEL_FILE), model)
    header, arrays = contents(tmp_path / MODEL_FILE)
    assert {f"best_{name}" for name in DRIFT if name not in DRIFT_PLACES} <= set(arrays)
    for name in DRIFT_PLACES:
        write_raw(tmp_path / MODEL_FILE, header, arrays | {f"best_{name}": arrays[name]})
        with pytest.raises(ModelFileError, match=f"array best_{name} does not fit"):
            load(tmp_path / MODEL_FILE)
