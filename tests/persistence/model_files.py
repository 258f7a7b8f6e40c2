"""Helpers for tests of model files: equal models, and files that save would not write."""

import json
import zipfile

import numpy as np

from matfact.persistence._archive import npy_header, read_archive
from matfact.training import History

MODEL_FILE = "model.npz"


def assert_equal_models(one, other):
    """All attributes are equal, arrays to the last bit."""
    assert type(one) is type(other)
    assert set(vars(one)) == set(vars(other))
    for name, value in vars(one).items():
        assert_equal_values(value, getattr(other, name), name)


def assert_equal_values(one, other, name):
    if isinstance(one, np.ndarray):
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    elif isinstance(one, History):
        assert repr(list(one)) == repr(list(other))  # NaN is not equal to itself
    elif hasattr(one, "user_indptr"):
        for column in one.__slots__:
            if column not in ("_lock", "_by_items"):
                assert_equal_values(getattr(one, column), getattr(other, column), column)
    elif hasattr(one, "arrays"):  # a BestState
        assert (one.epoch, one.error) == (other.epoch, other.error)
        assert one.arrays.keys() == other.arrays.keys()
        for key, array in one.arrays.items():
            assert_equal_values(array, other.arrays[key], key)
    else:
        assert one == other, name


def contents(path):
    """Return the header and the arrays of a file, to be changed."""
    return read_archive(path)


def write_raw(path, header, arrays, *, list_arrays=True, **options):
    """Write members as they are given, whatever they are."""
    if list_arrays:
        header = header | {"arrays": {n: [a.dtype.str, list(a.shape)] for n, a in arrays.items()}}
    with zipfile.ZipFile(path, "w", **options) as archive:
        text = header if isinstance(header, str) else json.dumps(header)
        archive.writestr("header.json", text)
        for name, array in arrays.items():
            start = npy_header(array.dtype.str, array.shape)
            archive.writestr(f"{name}.npy", start + np.ascontiguousarray(array).tobytes())
