"""The implementations of the kernels that tests run on: the numpy twin and each SIMD level."""

from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

import pytest

from matfact.kernels import backend_info
from matfact.kernels._numpy import gd as numpy_gd  # noqa: F401 (tests take it from here)

if find_spec("matfact.kernels._cython.gd"):
    compiled = import_module("matfact.kernels._cython.gd")
    LEVELS = import_module("matfact.kernels._cython.runtime").simd_levels()
    COMPILED = [f"cython-{level}" for level in LEVELS]
else:
    compiled = None
    LEVELS = ()
    without = pytest.mark.skip(reason="this installation has no compiled kernels")
    COMPILED = [pytest.param("cython", marks=without)]

ALL = ["numpy", *COMPILED]


@contextmanager
def selected(name, kernel="gd"):
    """Give the module `kernel` of an implementation; afterwards set the SIMD level back."""
    if name == "numpy":
        yield import_module(f"matfact.kernels._numpy.{kernel}")
        return
    module = import_module(f"matfact.kernels._cython.{kernel}")
    module.set_simd_level(name.removeprefix("cython-"))
    try:
        yield module
    finally:
        module.set_simd_level(backend_info().simd_level or LEVELS[-1])
