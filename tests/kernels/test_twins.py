"""Every compiled module and its numpy twin are one interface."""

import inspect
from importlib import import_module

import pytest

from isolated import needs_compiled
from matfact import kernels

MODULES = [name for name in kernels.__all__ if not name.endswith(("info", "Info"))]
TWINS = {name: import_module(f"matfact.kernels._numpy.{name}") for name in MODULES}
NAMES = [(name, entry) for name, twin in TWINS.items() for entry in twin.__all__]
FUNCTIONS = [(name, entry) for name, entry in NAMES if callable(getattr(TWINS[name], entry))]
CONSTANTS = [pair for pair in NAMES if pair not in FUNCTIONS]


def compiled(name):
    return import_module(f"matfact.kernels._cython.{name}")


@needs_compiled
@pytest.mark.parametrize("name", MODULES)
def test_both_have_the_same_names(name):
    module, levels = compiled(name), {"set_simd_level"} if name in kernels._KERNELS else set()
    if name != "runtime":  # which has no __all__
        assert {*module.__all__} == {*TWINS[name].__all__} | levels


@needs_compiled
@pytest.mark.parametrize(("name", "constant"), CONSTANTS)
def test_both_have_the_same_constants(name, constant):
    assert getattr(compiled(name), constant) == getattr(TWINS[name], constant)


@needs_compiled
@pytest.mark.parametrize(("name", "function"), FUNCTIONS)
def test_both_have_the_same_parameters(name, function):
    twins = getattr(TWINS[name], function), getattr(compiled(name), function)
    ours, theirs = (list(inspect.signature(twin).parameters.values()) for twin in twins)
    assert [p.name for p in theirs] == [p.name for p in ours]
    assert [p.kind for p in theirs] == [p.kind for p in ours]
    assert [p.default for p in theirs] == [p.default for p in ours]


@needs_compiled
@pytest.mark.parametrize(("name", "function"), FUNCTIONS)
def test_both_have_the_same_summary_line(name, function):
    twins = TWINS[name], compiled(name)
    ours, theirs = (inspect.getdoc(getattr(twin, function)) for twin in twins)
    assert theirs.splitlines()[0] == ours.splitlines()[0]


@pytest.mark.parametrize(("name", "function"), FUNCTIONS)
def test_the_twin_is_documented(name, function):
    assert inspect.getdoc(getattr(TWINS[name], function)).splitlines()[0].endswith((".", ")"))
