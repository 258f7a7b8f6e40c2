"""What ``import matfact`` does, and what it does not do."""

import importlib.metadata
import json

import pytest

import matfact
from isolated import BACKENDS, output_of

# Each costs milliseconds, and none is needed before something is called.
HEAVY = {
    "argparse",
    "asyncio",
    "concurrent.futures",
    "csv",
    "email",
    "gzip",
    "importlib.metadata",
    "logging",
    "multiprocessing",
    "numpy.random",
    "pathlib",
    "scipy",
    "subprocess",
    "tempfile",
    "tqdm",
    "zipfile",
}


def loaded_by(module, **environment):
    code = (
        f"import {module}, sys; loaded = list(sys.modules); import json; print(json.dumps(loaded))"
    )
    return set(json.loads(output_of(code, **environment)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_loads_no_heavy_module_that_numpy_does_not(backend):
    added = loaded_by("matfact", MATFACT_BACKEND=backend) - loaded_by("numpy")
    assert added & HEAVY == set()


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_prints_nothing_and_leaves_numpy_random_alone(backend):
    code = """
import numpy as np
np.random.seed(1)
import matfact
print(np.random.random_sample() == np.random.RandomState(1).random_sample())
"""
    assert output_of(code, MATFACT_BACKEND=backend) == "True"


def test_the_version_is_that_of_the_distribution():
    assert matfact.__version__ == importlib.metadata.version("matfact")


def test_the_public_names():
    assert set(matfact.__all__) == {
        "ALS",
        "BPMF",
        "BPR",
        "GD",
        "ImplicitALS",
        "Imputer",
        "NMF",
        "Ratings",
        "SGD",
        "VBMF",
        "__version__",
        "backend_info",
        "exceptions",
        "load",
        "make_ratings",
        "matrix_factorization",
        "read_ratings",
        "threads",
    }


def test_public_names_are_loaded_on_demand():
    added = loaded_by("matfact")
    assert "matfact.models" not in added
    assert "matfact.ratings" not in added
    assert set(matfact.__all__) <= set(dir(matfact))
    for name in matfact.__all__:
        assert getattr(matfact, name) is not None
    assert matfact.models.ALS is matfact.ALS
    with pytest.raises(AttributeError, match="no attribute 'SVD'"):
        _ = matfact.SVD
