"""The compiled module and its numpy twin are one interface."""

import inspect

import pytest

from kernels.implementations import compiled, numpy_gd

needs_compiled = pytest.mark.skipif(
    compiled is None, reason="this installation has no compiled kernels"
)
FUNCTIONS = numpy_gd.__all__


@needs_compiled
def test_both_have_the_same_names():
    assert sorted(compiled.__all__) == sorted([*FUNCTIONS, "set_simd_level"])


@needs_compiled
@pytest.mark.parametrize("name", FUNCTIONS)
def test_both_have_the_same_parameters(name):
    twins = getattr(numpy_gd, name), getattr(compiled, name)
    ours, theirs = (list(inspect.signature(twin).parameters.values()) for twin in twins)
    assert [p.name for p in theirs] == [p.name for p in ours]
    assert [p.kind for p in theirs] == [p.kind for p in ours]
    assert [p.default for p in theirs] == [p.default for p in ours]


@needs_compiled
@pytest.mark.parametrize("name", FUNCTIONS)
def test_both_have_the_same_summary_line(name):
    ours, theirs = (inspect.getdoc(getattr(twin, name)) for twin in (numpy_gd, compiled))
    assert theirs.splitlines()[0] == ours.splitlines()[0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_twin_is_documented(name):
    assert inspect.getdoc(getattr(numpy_gd, name)).splitlines()[0].endswith(".")
