"""Files that are cut, changed or made to do harm: the equal model, or ModelFileError."""

import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matfact import Ratings
from matfact.exceptions import ModelFileError
from matfact.models import ALS
from matfact.persistence import load, save
from matfact.persistence._archive import HEADER, MOST_ARRAYS, MOST_AXES
from persistence.model_files import MODEL_FILE, assert_equal_models, contents, write_raw


def fitted():
    ratings = Ratings.from_triples(
        ["ann", "bob", "bob", "eve"],
        ["x", 7, "x", 7],
        [4.0, 5.0, 1.0, 2.5],
        weights=[1.0, 2.0, 1.0, 1.0],
        timestamps=[5, 6, 7, 8],
    )
    return ALS(n_factors=2, max_iter=2, random_state=0).fit(ratings)


MODEL = fitted()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damage")


@pytest.fixture(scope="module")
def valid(folder):
    save(MODEL, folder / MODEL_FILE)
    return (folder / MODEL_FILE).read_bytes()


def equal_or_refused(path):
    """Load; whatever is not refused is the model. Returns whether it was refused."""
    try:
        loaded = load(path)
    except ModelFileError:
        return True
    assert_equal_models(loaded, MODEL)
    return False


def test_truncation(folder, valid):
    path = folder / "cut"
    for length in range(0, len(valid), 4):
        path.write_bytes(valid[:length])
        assert equal_or_refused(path)


@pytest.mark.parametrize(("start", "value"), [(0, 0x00), (1, 0xFF), (2, 0x01), (3, 0x80)])
def test_bytes_all_over(folder, valid, start, value):
    path = folder / "flipped"
    n_refused = 0
    for place in range(start, len(valid), 8):
        changed = bytearray(valid)
        changed[place] = value if value in (0, 0xFF) else changed[place] ^ value
        path.write_bytes(changed)
        n_refused += equal_or_refused(path)
    assert n_refused > 0


@given(data=st.data())
def test_random_damage(folder, valid, data):
    changed = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(changed) - 1))
        length = data.draw(st.integers(0, 20))
        changed[start : start + length] = data.draw(st.binary(max_size=20))
        if not changed:
            break
    path = folder / "damaged"
    path.write_bytes(changed)
    equal_or_refused(path)


@given(content=st.binary(max_size=200))
def test_any_bytes(folder, content):
    path = folder / "bytes"
    path.write_bytes(content)
    assert equal_or_refused(path)


@pytest.mark.parametrize("name", ["npz", "text", "pickle"])
def test_other_files(tmp_path, name):
    path = tmp_path / name
    if name == "npz":
        np.savez(path, user_factors=np.ones((2, 2)))
        path = tmp_path / "npz.npz"
    elif name == "text":
        path.write_text("user,item,rating\n1,2,3\n")
    else:
        path.write_bytes(pickle.dumps(MODEL))
    with pytest.raises(ModelFileError, match=f"{path.name} is not a model that can be loaded: it"):
        load(path)


# ---------------------------------------------------------------- files made on purpose


def refused(tmp_path, header, arrays, message, **how):
    path = tmp_path / "hostile"
    write_raw(path, header, arrays, **how)
    with pytest.raises(ModelFileError, match=message):
        load(path)


@pytest.fixture
def parts(folder, valid):
    return contents(folder / MODEL_FILE)


def test_raw_files_load(tmp_path, parts):
    path = tmp_path / "raw"
    write_raw(path, *parts)
    assert_equal_models(load(path), MODEL)


DEEP = "[" * 100_000

HEADERS = {
    "no JSON": ("{", "its header cannot be read"),
    "deep JSON": (DEEP, "its header cannot be read"),
    "deep dicts": ('{"a":' * 100_000, "its header cannot be read"),
    "huge number": ("1" * 10_000, "its header cannot be read"),
    "NaN": ('{"mean_": NaN}', "its header cannot be read"),
    "not a dict": ("[1]", "does not tell the format"),
    "not ASCII": ('{"é": 1}', "its header cannot be read"),
    "another format": ('{"format": "other"}', "does not tell the format"),
    "too long": (" " * (1 << 21), "its header has 2097152 bytes"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers(tmp_path, parts, name):
    text, message = HEADERS[name]
    refused(tmp_path, text, parts[1], message, list_arrays=False)


def changed(*path, to=None):
    """Return a function that changes one entry of the header."""

    def change(header):
        *outer, last = path
        for key in outer:
            header = header[key]
        if to is None:
            del header[last]
        else:
            header[last] = to() if callable(to) else to

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("format_version", to=2), "format version 2, written by matfact .*install a newer"),
        (changed("format_version", to="1"), "its format_version is '1'"),
        (changed("format_version", to=True), "its format_version is True"),
        (changed("model"), "it holds a model of class 'None'; this version knows ALS"),
        (changed("model", to="os.system"), "it holds a model of class 'os.system'"),
        (changed("model", to=[1]), "it holds a model of class"),
        (changed("model", to="FactorModel"), "it holds a model of class 'FactorModel'"),
        (changed("parameters"), "its header has no parameters"),
        (changed("parameters", "n_factor", to=3), "parameter 'n_factor' is unknown to ALS"),
        (changed("parameters", "__class__", to=3), "parameter '__class__' is unknown"),
        (changed("parameters", "n_factors", to=-1), "its parameters are wrong: n_factors is -1"),
        (changed("parameters", "n_factors", to="x"), "its parameters are wrong: n_factors must"),
        (changed("parameters", "regularization", to=[1]), "parameter regularization is neither"),
        (changed("parameters", "regularization", to=10**400), "its parameters are wrong"),
        (changed("parameters", "dtype", to="O"), "its parameters are wrong: dtype is"),
        (changed("parameters", "dtype", to="no dtype"), "its parameters are wrong"),
        (changed("parameters", "n_threads", to=10**9), "its parameters are wrong: n_threads"),
        (changed("shape"), "does not tell the numbers of users and items"),
        (changed("shape", to=[3, 2**40]), "does not tell the numbers of users and items"),
        (changed("shape", to=[4, 2]), r"array user_factors of dtype .* does not fit 4 rows"),
        (changed("shape", to=[3.0, 2]), "does not tell the numbers of users and items"),
        (changed("numbers"), "its header has no numbers"),
        (changed("numbers", "mean_"), "mean_ is missing or out of range"),
        (changed("numbers", "mean_", to="3"), "mean_ is missing or out of range"),
        (changed("numbers", "mean_", to=10**400), "mean_ is missing or out of range"),
        (changed("numbers", "seed_", to=-1), "seed_ is missing or out of range"),
        (changed("numbers", "seed_", to=2**64), "seed_ is missing or out of range"),
        (changed("numbers", "n_iter_", to=1.5), "n_iter_ is missing or out of range"),
        (changed("numbers", "rating_range_", to=[5, 1]), "rating_range_ or n_features_in_ is out"),
        (changed("numbers", "rating_range_", to=[1]), "rating_range_ is missing or out of range"),
        (changed("numbers", "n_features_in_", to=9), "rating_range_ or n_features_in_ is out"),
        (changed("user_ids"), "user_ids are missing, or stored in an unknown way"),
        (changed("user_ids", to="range"), "user_ids are both a range and an array"),
        (changed("user_ids", to="json"), "user_ids have dtype <U3"),
        (changed("item_ids", to="array"), "item_ids have dtype uint8"),
        (changed("best", to={"epoch": 1, "error": 1.0}), "the best state .* is not complete"),
    ],
)
def test_changed_headers(tmp_path, parts, change, message):
    header, arrays = parts
    change(header)
    refused(tmp_path, header, arrays, message)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "its header does not list the arrays"),
        ([], "its header does not list the arrays"),
        (
            {f"a{number}": ["<f4", [1]] for number in range(MOST_ARRAYS + 1)},
            "does not list the arrays",
        ),
        ({"../x": ["<f4", [1]]}, "lists an array '../x' wrongly"),
        ({"x": 3}, "lists an array 'x' wrongly"),
        ({"x": ["|O", [1]]}, r"array x has dtype '\|O', not one of a model"),
        ({"x": ["<V8", [1]]}, "array x has dtype '<V8', not one of a model"),
        ({"x": ["<M8[99999999s]", [1]]}, "array x has dtype"),
        ({"x": [["<f4"], [1]]}, "array x has dtype"),
        ({"x": ["<f4", 3]}, "array x has a shape that is none"),
        ({"x": ["<f4", [-1]]}, "array x has a shape that is none"),
        ({"x": ["<f4", [1.0]]}, "array x has a shape that is none"),
        ({"x": ["<f4", [1] * (MOST_AXES + 1)]}, "array x has a shape that is none"),
        ({"x": ["<f4", [2**70]]}, "array x has a shape that is none"),
        ({"x": ["<f4", [1]]}, "its members are not those of its header: history_"),
    ],
)
def test_tables_of_arrays(tmp_path, parts, table, message):
    header, arrays = parts
    refused(tmp_path, header | {"arrays": table}, arrays, message, list_arrays=False)


@pytest.mark.parametrize("shape", [[2**30, 2], [3, 2**33], [0, 2], [2, 3], [6]])
def test_shapes_that_do_not_fit_the_bytes(tmp_path, parts, shape):
    header, arrays = parts
    header["arrays"]["user_factors"][1] = shape
    tracemalloc.start()
    message = "member user_factors.npy (has .* bytes|does not begin)"
    refused(tmp_path, header, arrays, message, list_arrays=False)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def bad(array, place, value):
    array = np.array(array)
    array[place] = value
    return array


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("user_factors", lambda a: None, "array user_factors is missing"),
        ("user_factors", lambda a: a[:2], "array user_factors of dtype .* does not fit 3 rows"),
        ("user_factors", lambda a: a[:, :1], "do not belong together"),
        ("user_factors", lambda a: a[:, :0], "array user_factors of dtype"),
        ("user_factors", lambda a: a.astype(np.float64), "do not belong together"),
        ("user_factors", lambda a: a.astype(np.int64), "array user_factors of dtype int64"),
        ("user_factors", lambda a: bad(a, (1, 1), np.nan), "user_factors holds a number that is"),
        ("item_factors", lambda a: bad(a, (1, 1), -np.inf), "item_factors holds a number that is"),
        ("user_biases", lambda a: None, "do not belong together"),
        ("item_biases", lambda a: a[:, np.newaxis], "array item_biases of dtype"),
        ("user_ids", lambda a: a[[0, 1, 1]], r"user_ids are not distinct ids: ids\[2\] is"),
        ("user_ids", lambda a: a[:2], "there are 2 user_ids for 3 rows"),
        (
            "user_ids",
            lambda a: np.full((3, 1), 0x110000, np.uint32).view("<U1").ravel(),
            "user_ids hold a number that is no character",
        ),
        ("user_ids", lambda a: np.array([0.5, np.nan, 1]), "user_ids are not distinct ids"),
        ("user_ids", lambda a: np.array(["NaT"] * 3, "M8[s]"), "user_ids are not distinct ids"),
        ("item_ids", lambda a: as_json(["x", 7, 7]), "item_ids are not distinct ids"),
        ("item_ids", lambda a: as_json(["x", True]), "not a list of integers and text"),
        ("item_ids", lambda a: as_json(["x", None]), "not a list of integers and text"),
        ("item_ids", lambda a: as_json({"x": 1}), "not a list of integers and text"),
        ("item_ids", lambda a: np.frombuffer(DEEP.encode(), np.uint8), "item_ids cannot be read"),
        ("item_ids", lambda a: np.array([255], np.uint8), "item_ids cannot be read"),
        ("history_seconds", lambda a: None, "history_seconds is missing"),
        ("history_seconds", lambda a: a[:1], "the columns of the history do not belong together"),
        ("history_iterations", lambda a: a[::-1], "the columns of the history do not belong"),
        ("history_iterations", lambda a: a * 0, "the columns of the history do not belong"),
        ("history_objectives", lambda a: a.astype(np.float32), "history_objectives is missing or"),
        ("ratings_indptr", lambda a: None, "the arrays of the ratings are not complete"),
        ("ratings_indptr", lambda a: a[:-1], "ratings_indptr is not ascending"),
        ("ratings_indptr", lambda a: bad(a, 1, 4), "ratings_indptr is not ascending"),
        ("ratings_indptr", lambda a: bad(a, 1, -1), "ratings_indptr is not ascending"),
        ("ratings_indptr", lambda a: bad(a, -1, 5), "ratings_indptr is not ascending"),
        ("ratings_indptr", lambda a: a.astype(np.int32), "the ratings have wrong dtypes"),
        ("ratings_indptr", lambda a: bad(a, 1, 0), "its ratings are wrong: user 1 and item"),
        ("ratings_indices", lambda a: bad(a, 0, -1), "its ratings are wrong: items"),
        ("ratings_indices", lambda a: bad(a, 0, 2), "its ratings are wrong: items"),
        ("ratings_indices", lambda a: a[:-1], "its ratings are wrong: the lengths differ"),
        ("ratings_values", lambda a: bad(a, 0, np.nan), "its ratings are wrong: values"),
        ("ratings_weights", lambda a: bad(a, 0, -1), "its ratings are wrong: weights"),
        ("ratings_weights", lambda a: a.astype(float), "ratings_weights and ratings_values have"),
        ("ratings_timestamps", lambda a: a.astype("U3"), "its ratings are wrong: timestamps"),
        ("extra", lambda a: np.ones(3), "array extra has no place in the model"),
        ("best_user_factors", lambda a: np.ones(3), "the best state .* is not complete"),
    ],
)
def test_changed_arrays(tmp_path, parts, name, change, message):
    header, arrays = parts
    array = change(arrays.get(name))
    if array is None:
        del arrays[name]
    else:
        arrays[name] = array
    refused(tmp_path, header, arrays, message)


def as_json(value):
    return np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)


@pytest.mark.parametrize(
    ("best", "array", "message"),
    [
        ({"epoch": 1, "error": 1.0}, np.ones((3, 3), np.float32), "best_user_factors does not fit"),
        ({"epoch": 1, "error": 1.0}, np.ones((3, 2)), "best_user_factors does not fit the model"),
        ({"epoch": -1, "error": 1.0}, None, "epoch is missing or out of range"),
        ({"epoch": 1, "error": "x"}, None, "error is missing or out of range"),
        ({"epoch": 1, "error": 1.0}, np.full((3, 2), np.nan, np.float32), "that is not finite"),
        (None, None, "the best state of an unfinished training is not complete"),
    ],
)
def test_best_states(tmp_path, parts, best, array, message):
    header, arrays = parts
    header["best"] = best
    arrays["best_user_factors"] = arrays["user_factors"] if array is None else array
    arrays["best_item_factors"] = arrays["item_factors"]
    refused(tmp_path, header, arrays, message)


def test_a_compressed_bomb(tmp_path, parts):
    header, arrays = parts
    arrays["extra"] = np.zeros((1000, 1000))
    refused(
        tmp_path,
        header,
        arrays,
        "its members are not laid out",
        compression=zipfile.ZIP_DEFLATED,
    )


def test_members_that_share_their_bytes(tmp_path, valid):
    """A directory whose entries all point at one large member."""
    path = tmp_path / "overlap"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(HEADER, "{}")
        archive.writestr("large", bytes(100_000))
        large = archive.infolist()[-1]
        for number in range(50):
            twin = zipfile.ZipInfo(f"large{number}")
            twin.file_size = twin.compress_size = large.file_size
            twin.header_offset, twin.CRC = large.header_offset, large.CRC
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
    with pytest.raises(ModelFileError, match="its members are not laid out"):
        load(path)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_member_twice(tmp_path, valid):
    path = tmp_path / "twice"
    path.write_bytes(valid)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("user_factors.npy", b"other")
    with pytest.raises(ModelFileError, match="its members are not laid out"):
        load(path)


def test_each_member_left_out(tmp_path, parts):
    header, arrays = parts
    header["arrays"] = {n: [a.dtype.str, list(a.shape)] for n, a in arrays.items()}
    for name in arrays:
        rest = {key: array for key, array in arrays.items() if key != name}
        refused(tmp_path, header, rest, f"header: {name}.npy", list_arrays=False)


def test_an_npy_header_is_not_evaluated(tmp_path, parts):
    """Expressions of the same length as the header stay text."""
    header, arrays = parts
    path = tmp_path / "evaluated"
    write_raw(path, header, arrays)
    content = path.read_bytes()
    assert content.count(b"'fortran_order': False") == len(arrays)
    with zipfile.ZipFile(tmp_path / "new", "w") as new, zipfile.ZipFile(path) as old:
        for name in old.namelist():
            text = old.read(name)
            if name == "user_factors.npy":
                text = text.replace(b"False", b"1/0  ", 1)
            new.writestr(name, text)
    with pytest.raises(ModelFileError, match="does not begin as the header tells"):
        load(tmp_path / "new")


def test_nothing_is_left_open_or_behind(folder):
    before = set(folder.iterdir())
    for _ in range(3):
        load(folder / MODEL_FILE)
    assert set(folder.iterdir()) == before
