"""Saving and loading: the same model comes back, and the file is there whole or not at all."""

import os
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isolated import PACKAGE, needs_compiled, output_of
from matfact import Ratings, make_ratings
from matfact.exceptions import NotFittedError
from matfact.models import ALS, BPMF, GD, NMF, SGD, VBMF, Imputer
from matfact.persistence import files, load, save
from persistence.model_files import MODEL_FILE, assert_equal_models

RATINGS = make_ratings(30, 20, 200, random_state=0)
MODELS = [
    ALS(n_factors=3, max_iter=2, random_state=0),
    ALS(n_factors=2, max_iter=2, random_state=0, biases=False, dtype=np.float64, solver="cg"),
    SGD(n_factors=3, max_iter=2, random_state=0),
    SGD(n_factors=3, max_iter=2, random_state=0, schedule="constant", dtype=np.float64),
    NMF(n_factors=3, max_iter=2, random_state=0),
    GD(n_factors=3, max_iter=2, random_state=0),
    VBMF(n_factors=3, max_iter=2, random_state=0, link="both"),
    VBMF(n_factors=2, max_iter=2, random_state=0, covariance="full", dtype=np.float64),
    BPMF(n_factors=3, max_iter=4, random_state=0, n_samples=2, burn_in=1, thinning=1, link="users"),
]
EACH_MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)


def fresh(model):
    return type(model)(**model.get_params())


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def copied(model, path, **how):
    save(model, path, **how)
    return load(path)


@EACH_MODEL
def test_the_same_model_comes_back(model, tmp_path):
    model = fresh(model).fit(RATINGS)
    loaded = copied(model, tmp_path / MODEL_FILE)
    assert_equal_models(loaded, model)
    users, items, _ = RATINGS.to_triples()
    assert (loaded.predict(users, items) == model.predict(users, items)).all()
    assert [a.tolist() for a in loaded.recommend(3)] == [a.tolist() for a in model.recommend(3)]
    assert [a.tolist() for a in loaded.explain(3, 5)] == [a.tolist() for a in model.explain(3, 5)]


@EACH_MODEL
def test_training_goes_on_to_the_same_bits(model, tmp_path):
    model = fresh(model).set_params(warm_start=True).fit(RATINGS)
    loaded = copied(model, tmp_path / MODEL_FILE)
    for each in (model, loaded):
        each.fit(RATINGS)
    assert loaded.user_factors_.tobytes() == model.user_factors_.tobytes()
    assert loaded.history_.iterations.tolist() == model.history_.iterations.tolist()


@EACH_MODEL
def test_a_training_that_was_cut_short_goes_on(model, tmp_path):
    """The best epoch so far is in the file too."""

    def interrupt(state):
        if state.epoch == 3:
            raise KeyboardInterrupt

    train = RATINGS.select(np.arange(200) % 5 != 0)
    validation = RATINGS.select(np.arange(200) % 5 == 0)
    model = fresh(model).set_params(warm_start=True, max_iter=6, tol=0)
    whole = fresh(model).fit(train, validation=validation)
    with pytest.raises(KeyboardInterrupt):
        model.fit(train, validation=validation, callbacks=[interrupt])
    loaded = copied(model, tmp_path / MODEL_FILE)
    assert_equal_models(loaded, model)
    loaded.set_params(max_iter=3).fit(train, validation=validation)
    assert loaded.best_iteration_ == whole.best_iteration_
    assert loaded.user_factors_.tobytes() == whole.user_factors_.tobytes()


def test_without_ratings(tmp_path):
    model = fresh(MODELS[0]).fit(RATINGS)
    loaded = copied(model, tmp_path / MODEL_FILE, include_ratings=False)
    assert loaded.ratings_ is None
    assert loaded.predict([0], [0]) == model.predict([0], [0])
    with pytest.raises(ValueError, match="include_ratings=True"):
        loaded.explain(0, 0)
    model.ratings_ = None
    assert_equal_models(loaded, model)
    assert_equal_models(copied(loaded, tmp_path / "again.npz"), model)


TEXT = st.text(st.characters(exclude_characters="\0"), max_size=4)
WHOLE = st.integers(-(2**70), 2**70)
IDS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=4, max_size=4, unique=True),
    st.lists(st.integers(2**63, 2**64 - 1), min_size=4, max_size=4, unique=True),
    st.lists(st.floats(-9, 9), min_size=4, max_size=4, unique=True),
    st.lists(TEXT, min_size=4, max_size=4, unique=True),
    st.lists(st.binary(max_size=3), min_size=4, max_size=4, unique=True).filter(
        lambda ids: not any(one.endswith(b"\0") for one in ids)
    ),
    st.lists(TEXT | WHOLE, min_size=4, max_size=4, unique=True),
    st.just(["x" * 300, "y", "z\0", "w"]),
    st.just(np.array(["2020-01-01", "2021-01-01", "2019-05-05", "1970-01-01"], "M8[s]")),
    st.just(np.array([3, 1, 2, 0], "m8[25ms]")),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ids")


def with_array(ids):
    if isinstance(ids, list) and isinstance(ids[0], bytes):
        return np.array(ids)
    if isinstance(ids, list) and any(type(one) is not type(ids[0]) for one in ids):
        objects = np.empty(len(ids), dtype=object)
        objects[:] = ids
        return objects
    return ids


@given(IDS)
def test_ids_of_all_kinds(folder, ids):
    ids = with_array(ids)
    ratings = Ratings.from_triples(ids, [7, 8, 9, 7], [1.0, 2, 3, 4], user_ids=ids)
    model = ALS(n_factors=1, max_iter=1, random_state=0).fit(ratings)
    loaded = copied(model, folder / MODEL_FILE)
    assert loaded.user_ids_ == model.user_ids_
    assert loaded.user_ids_.ids.tolist() == model.user_ids_.ids.tolist()
    assert loaded.user_ids_.ids.dtype == model.user_ids_.ids.dtype
    assert loaded.item_ids_.ids.tolist() == [7, 8, 9]
    assert loaded.predict(ids[0:1], [7]) == model.predict(ids[0:1], [7])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_and_timestamps(tmp_path, dtype):
    times = np.array(["2020-01-01T00", "2021-01-01T00", "2019-05-05T10"], dtype="M8[h]")
    for timestamps in (times, [3, 1, 2], [0.5, 0.25, 1e300]):
        ratings = Ratings.from_triples(
            ["a", "b", "a"],
            [1, 1, 2],
            [1, 0, 0.1],
            weights=[1, 0, 0.1],
            timestamps=timestamps,
            dtype=dtype,
        )
        model = ALS(n_factors=1, max_iter=1, random_state=0, dtype=dtype).fit(ratings)
        assert_equal_models(copied(model, tmp_path / MODEL_FILE), model)


def test_users_and_items_without_ratings(tmp_path):
    ratings = Ratings.from_triples([1], [2], [3.0], shape=(4, 5))
    model = ALS(n_factors=2, max_iter=1, random_state=0).fit(ratings)
    assert_equal_models(copied(model, tmp_path / MODEL_FILE), model)


def test_a_model_that_grew(tmp_path):
    model = fresh(MODELS[0]).fit(RATINGS)
    model.add_users(Ratings.from_triples([77, 77], [0, 1], [3.0, 4.0]))
    loaded = copied(model, tmp_path / MODEL_FILE)
    assert_equal_models(loaded, model)
    assert loaded.predict(77, 1) == model.predict(77, 1)


@pytest.mark.parametrize("state", [np.random.default_rng(0), np.random.RandomState(0), None])
def test_generators_are_not_saved_but_the_seed_is(tmp_path, state):
    model = fresh(MODELS[0]).set_params(random_state=state).fit(RATINGS)
    loaded = copied(model, tmp_path / MODEL_FILE)
    assert loaded.random_state is None
    assert loaded.seed_ == model.seed_


def test_parameters_of_numpy(tmp_path):
    params = {
        "n_factors": np.int64(2),
        "regularization": np.float64(0.1),
        "clip": np.True_,
        "random_state": np.int32(3),
        "dtype": np.dtype(np.float64),
    }
    model = ALS(**params).fit(RATINGS)
    loaded = copied(model, tmp_path / MODEL_FILE)
    assert loaded.get_params() == model.get_params() | {"dtype": np.float64}
    assert type(loaded.n_factors) is int
    assert loaded.clip is True


def test_equal_models_make_equal_files(tmp_path):
    model = fresh(MODELS[0]).fit(RATINGS)
    names = [tmp_path / "one", tmp_path / "two"]
    save(model, names[0])
    save(load(names[0]), names[1])
    assert names[0].read_bytes() == names[1].read_bytes()


def test_numpy_reads_the_arrays(tmp_path):
    model = fresh(MODELS[0]).fit(RATINGS)
    save(model, tmp_path / MODEL_FILE)
    with np.load(tmp_path / MODEL_FILE, allow_pickle=False) as archive:
        assert (archive["user_factors"] == model.user_factors_).all()
        assert (archive["ratings_values"] == RATINGS.user_values).all()
        assert b'"model": "ALS"' in archive["header.json"]


def test_the_name_is_taken_as_it_is(tmp_path):
    model = fresh(MODELS[0]).fit(RATINGS)
    for name in ("plain", "model.npz", "a.b.c"):
        save(model, str(tmp_path / name))
    assert names_in(tmp_path) == ["a.b.c", "model.npz", "plain"]


SAVING = """
import sys, numpy as np
from matfact import make_ratings
from matfact.models import ALS, SGD
from matfact.persistence import load, save
ratings = make_ratings(30, 20, 200, random_state=0)
for model in (ALS(n_factors=3, random_state=0, max_iter=2), SGD(random_state=0, max_iter=2)):
    name = sys.argv[1] + type(model).__name__
    if sys.argv[2] == "save":
        save(model.fit(ratings), name)
    loaded = load(name)
    print(loaded.user_factors_.tobytes().hex()[:64], round(float(loaded.predict(3, 4)), 3))
"""


@needs_compiled
@pytest.mark.parametrize(("writer", "reader"), [("cython", "numpy"), ("numpy", "cython")])
def test_each_backend_loads_the_files_of_the_other(tmp_path, writer, reader):
    def run(how, backend):
        name = str(tmp_path / "model")
        return output_of(SAVING, name, how, path=PACKAGE.parent, MATFACT_BACKEND=backend)

    assert run("save", writer) == run("load", reader)


def test_an_older_file_stays_if_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / MODEL_FILE
    path.write_bytes(b"older")

    def full(stream, header, arrays):
        stream.write(b"part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matfact.persistence._archive._write_members", full)
    with pytest.raises(OSError, match="No space left"):
        save(fresh(MODELS[0]).fit(RATINGS), path)
    assert names_in(tmp_path) == [MODEL_FILE]
    assert path.read_bytes() == b"older"


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / MODEL_FILE
    path.write_bytes(b"older")
    assert_equal_models(copied(model := fresh(MODELS[0]).fit(RATINGS), path), model)
    assert names_in(tmp_path) == [MODEL_FILE]
    if os.name == "posix":  # not only for the owner, as files of tempfile are
        mask = os.umask(0)
        os.umask(mask)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def of_odd_ids(*ids):
    objects = np.empty(len(ids), dtype=object)
    objects[:] = ids
    ratings = Ratings.from_triples(objects, list(range(len(ids))), [1.0] * len(ids))
    return ALS(n_factors=1, max_iter=1, random_state=0).fit(ratings)


def of_parameter(**params):
    return fresh(MODELS[0]).fit(RATINGS).set_params(**params)


class Own(ALS):
    pass


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (ALS, NotFittedError, "this ALS is not fitted"),
        (lambda: np.ones(3), TypeError, "a ndarray cannot be saved; give a fitted model: ALS, SGD"),
        (lambda: Own().fit(RATINGS), TypeError, "a Own cannot be saved"),
        (lambda: Imputer(ALS()), TypeError, "a Imputer cannot be saved"),
        (lambda: of_odd_ids((1, 2), 3), TypeError, r"user_ids\[0\] is \(1, 2\), a tuple; ids that"),
        (lambda: of_odd_ids("a", 0.5), TypeError, r"user_ids\[1\] is 0.5, a float; ids that can"),
        (lambda: of_parameter(regularization=-1), ValueError, "regularization is -1"),
        (lambda: of_parameter(clip="x"), TypeError, "clip is 'x'"),
        (lambda: of_parameter(verbose=[1]), TypeError, r"parameter verbose is \[1\], which cannot"),
    ],
)
def test_what_cannot_be_saved_writes_nothing(tmp_path, model, error, message):
    model = model()
    with pytest.raises(error, match=message):
        save(model, tmp_path / MODEL_FILE)
    assert names_in(tmp_path) == []


def test_bad_paths(tmp_path):
    model = fresh(MODELS[0]).fit(RATINGS)
    with pytest.raises(FileNotFoundError, match=r"there is no directory .*nowhere; create"):
        save(model, tmp_path / "nowhere" / MODEL_FILE)
    with pytest.raises(IsADirectoryError, match="is a directory; give the name of a file"):
        save(model, tmp_path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / MODEL_FILE)
    with pytest.raises(TypeError):
        load(3)
    assert files.__all__ == ["load", "save"]
