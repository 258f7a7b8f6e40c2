"""Files of models with links and features: whole ones, and those that were changed."""

import tracemalloc

import numpy as np
import pytest

from matfact import BPMF, VBMF, make_ratings
from matfact.exceptions import ModelFileError
from matfact.models._linking import LINK_OWN, LINK_SHARED
from matfact.persistence import load, save
from matfact.persistence._archive import MOST_ARRAYS
from persistence.model_files import MODEL_FILE, assert_equal_models, contents, write_raw

RATINGS = make_ratings(9, 7, 40, random_state=0)
FEATURES = np.random.default_rng(0).normal(size=(9, 4)), np.eye(7)[:, :3]
NAMES = ("user_feature_names", "item_feature_names")


def interrupt(state):
    if state.epoch == 2:
        raise KeyboardInterrupt


def fitted():
    """A model with all arrays that there are, those of the best epoch, too."""
    model = VBMF(n_factors=2, link="both", random_state=0, warm_start=True)
    users, items = FEATURES
    with pytest.raises(KeyboardInterrupt):
        model.fit(
            RATINGS,
            validation=0.2,
            user_features=users,
            item_features=items,
            callbacks=[interrupt],
        )
    return model


MODEL = fitted()


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    path = tmp_path_factory.mktemp("linked") / MODEL_FILE
    save(MODEL, path)
    return contents(path)


def test_everything_is_in_the_file(tmp_path, parts):
    write_raw(tmp_path / MODEL_FILE, *parts)
    model = load(tmp_path / MODEL_FILE)
    assert_equal_models(model, MODEL)
    assert len(parts[1]) < MOST_ARRAYS - 6  # ids, names, weights and timestamps may be there
    assert {*LINK_OWN, *LINK_SHARED} <= set(parts[1])
    assert {f"best_{name}" for name in (*LINK_OWN, *LINK_SHARED)} <= set(parts[1])
    users, items = FEATURES
    model.fit(RATINGS, validation=0.2, user_features=users, item_features=items)
    assert np.isfinite(model.predict_all()).all()


CHANGES = {
    "missing": lambda a: None,
    "a row less": lambda a: a[:-1],
    "a column less": lambda a: a[..., :-1],
    "flat": lambda a: a.ravel(),
    "one number": lambda a: a.ravel()[0].reshape(()),
    "deeper": lambda a: a[np.newaxis],
    "nothing": lambda a: a[:0],
    "integers": lambda a: a.astype(np.int64),
    "not finite": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 1, np.nan, a),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", [*LINK_OWN, *LINK_SHARED])
def test_changed_arrays_are_refused(tmp_path, parts, name, change):
    header, arrays = parts
    arrays = dict(arrays)
    array = CHANGES[change](arrays.pop(name))
    if array is not None:
        arrays[name] = array
    write_raw(tmp_path / MODEL_FILE, header, arrays)
    with pytest.raises(ModelFileError):
        load(tmp_path / MODEL_FILE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stored", [None, "array", "json", 3, ["range"], "ranges"])
def test_changed_names_are_refused(tmp_path, parts, name, stored):
    header, arrays = parts
    write_raw(tmp_path / MODEL_FILE, header | {name: stored}, arrays)
    with pytest.raises(ModelFileError, match=f"{name} are missing, or stored in an unknown way"):
        load(tmp_path / MODEL_FILE)
    rest = {key: value for key, value in header.items() if key != name}
    write_raw(tmp_path / MODEL_FILE, rest, arrays)
    with pytest.raises(ModelFileError, match=name):
        load(tmp_path / MODEL_FILE)
    for ids in (np.arange(2), np.array([1, 1, 2]), np.array([np.nan, 1, 2, 3])):
        write_raw(tmp_path / MODEL_FILE, header | {name: "array"}, arrays | {name: ids})
        with pytest.raises(ModelFileError, match=name):
            load(tmp_path / MODEL_FILE)


@pytest.mark.parametrize("name", NAMES)
def test_names_without_coefficients_are_refused(tmp_path, name):
    model = VBMF(n_factors=2, random_state=0).fit(RATINGS)
    save(model, tmp_path / MODEL_FILE)
    header, arrays = contents(tmp_path / MODEL_FILE)
    write_raw(tmp_path / MODEL_FILE, header | {name: "range"}, arrays)
    with pytest.raises(ModelFileError, match=f"{name} are there without their coefficients"):
        load(tmp_path / MODEL_FILE)
    write_raw(tmp_path / MODEL_FILE, header, arrays | {name: np.arange(3)})
    with pytest.raises(ModelFileError, match=f"{name} are there without their coefficients"):
        load(tmp_path / MODEL_FILE)


def test_arrays_of_links_that_a_model_has_not_are_refused(tmp_path, parts):
    model = VBMF(n_factors=2, random_state=0).fit(RATINGS)
    save(model, tmp_path / MODEL_FILE)
    header, arrays = contents(tmp_path / MODEL_FILE)
    for name in (*LINK_OWN, *LINK_SHARED):
        write_raw(tmp_path / MODEL_FILE, header, arrays | {name: parts[1][name]})
        with pytest.raises(ModelFileError):
            load(tmp_path / MODEL_FILE)


def test_parameters_that_chose_themselves(tmp_path):
    """The file tells what was wanted, the arrays what came of it."""
    model = VBMF(random_state=0, max_iter=2).fit(RATINGS)
    save(model, tmp_path / MODEL_FILE)
    loaded = load(tmp_path / MODEL_FILE)
    assert_equal_models(loaded, model)
    assert loaded.n_factors == "auto"
    assert loaded.item_factors_.shape == (7, 16)
    header, arrays = contents(tmp_path / MODEL_FILE)
    for name, value in (("n_factors", "many"), ("covariance", "many"), ("link", "user")):
        changed = header | {"parameters": header["parameters"] | {name: value}}
        write_raw(tmp_path / MODEL_FILE, changed, arrays)
        with pytest.raises(ModelFileError, match=f"its parameters are wrong: {name} is"):
            load(tmp_path / MODEL_FILE)


def chain(**parameters):
    """A chain with all arrays that there are, in the middle of its samples."""
    model = BPMF(
        n_factors=2, n_samples=3, burn_in=1, thinning=2, max_iter=4, link="both", random_state=0
    )
    users, items = FEATURES
    return model.set_params(**parameters).fit(RATINGS, user_features=users, item_features=items)


CHAIN = chain()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_files_of_chains(tmp_path, dtype):
    model = chain(dtype=dtype)
    save(model, tmp_path / MODEL_FILE)
    loaded = load(tmp_path / MODEL_FILE)
    assert_equal_models(loaded, model)
    further = np.full((2, 7), 3.0)
    for one in (model, loaded):
        one.add_users(further, features=np.ones((2, 4))).partial_fit(RATINGS)
    assert_equal_models_but_seconds(loaded, model)


def assert_equal_models_but_seconds(one, other):
    one.history_ = other.history_
    assert_equal_models(one, other)


@pytest.mark.parametrize("change", CHANGES)
def test_changed_arrays_of_chains_are_refused(tmp_path, change):
    save(CHAIN, tmp_path / MODEL_FILE)
    header, arrays = contents(tmp_path / MODEL_FILE)
    names = [*CHAIN._own_arrays, *CHAIN._shared_arrays]
    names += ["user_factors", "item_factors", "user_biases", "item_biases"]
    for name in names:
        array = CHANGES[change](arrays[name])
        changed = {key: kept for key, kept in arrays.items() if key != name}
        if array is not None:
            changed[name] = array
        same = array is not None and array.shape == arrays[name].shape
        if same and array.dtype == arrays[name].dtype and np.isfinite(array).all():
            continue  # what is flat already, and what has one number only
        write_raw(tmp_path / MODEL_FILE, header, changed)
        with pytest.raises(ModelFileError):
            load(tmp_path / MODEL_FILE)


@pytest.mark.parametrize("model", [MODEL, CHAIN])
@pytest.mark.parametrize("change", [np.negative, np.zeros_like, lambda a: a * 0 - 1e-9])
def test_precisions_that_are_not_above_zero_are_refused(tmp_path, model, change):
    save(model, tmp_path / MODEL_FILE)
    header, arrays = contents(tmp_path / MODEL_FILE)
    names = [name for name in model._shared_arrays if "precision" in name or "noise" in name]
    assert len(names) == (6 if model is CHAIN else 4)
    for name in names:
        write_raw(tmp_path / MODEL_FILE, header, arrays | {name: change(arrays[name])})
        with pytest.raises(ModelFileError, match=f"array {name} holds a precision that is not"):
            load(tmp_path / MODEL_FILE)


@pytest.mark.parametrize("new", [VBMF, BPMF])
def test_wide_factors_are_refused_before_matrices_are_made_for_them(tmp_path, new):
    model = new(n_factors=1, random_state=0, max_iter=2).fit(RATINGS)
    if new is BPMF:
        model = BPMF(n_factors=1, n_samples=1, random_state=0, max_iter=2).fit(RATINGS)
    save(model, tmp_path / MODEL_FILE)
    header, arrays = contents(tmp_path / MODEL_FILE)
    for name in ("user_factors", "item_factors"):
        arrays[name] = np.zeros((len(arrays[name]), 4000), np.float32)
    write_raw(tmp_path / MODEL_FILE, header, arrays)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=r"has shape .* not \(.*4001"):
            load(tmp_path / MODEL_FILE)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
