"""Public names are documented the numpydoc way, and the examples in the documentation are true."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import matfact

README = Path(__file__).parents[1] / "README.md"
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def module_names():
    """All importable modules of the package but __main__, which runs when imported."""
    found = pkgutil.walk_packages(matfact.__path__, "matfact.")
    return ["matfact", *(m.name for m in found if not m.name.endswith(".__main__"))]


def is_compiled(name):
    return "._cython" in name


def is_public(name):
    return not any(part.startswith("_") for part in name.split("."))


def public_objects():
    """Yield (full name, object) of what packages export, methods and properties included."""
    seen = set()
    for module_name in filter(is_public, module_names()):
        module = importlib.import_module(module_name)
        is_package = hasattr(module, "__path__")
        if not is_package and module is not matfact.exceptions:
            continue
        for name in module.__all__:
            value = getattr(module, name)
            if not (inspect.isclass(value) or inspect.isroutine(value)) or id(value) in seen:
                continue
            seen.add(id(value))
            yield f"{value.__module__}.{name}", value
            if inspect.isclass(value):
                yield from public_members(f"{value.__module__}.{name}", value)


def public_members(prefix, cls):
    for name, member in vars(cls).items():
        if name.startswith("_"):
            continue
        if isinstance(member, staticmethod | classmethod):
            member = member.__func__
        if inspect.isfunction(member) or isinstance(member, property):
            yield f"{prefix}.{name}", member


PUBLIC = dict(public_objects())
each_public_object = pytest.mark.parametrize("name", sorted(PUBLIC))


def sections_of(docstring):
    """Split a numpydoc docstring into {heading: text}; the part before the first is ""."""
    sections, heading, lines = {}, "", inspect.cleandoc(docstring).splitlines()
    for index, line in enumerate(lines):
        if index + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[index + 1]):
            heading = line.strip()
        elif not re.fullmatch(r"-{3,}", line):
            sections[heading] = sections.get(heading, "") + line + "\n"
    return sections


def described_names(text):
    """Names that a Parameters section describes: "a, b : int" describes two."""
    names = set()
    for line in text.splitlines():
        if line and not line[0].isspace():
            names |= {name.strip(" *") for name in line.partition(" : ")[0].split(",")}
    return names


def parameters_of(value):
    if (
        inspect.isclass(value)
        and issubclass(value, BaseException)
        and "__init__" not in vars(value)
    ):
        return set()  # takes a message, as exceptions do
    return set(inspect.signature(value).parameters) - {"self", "cls"}


def test_there_are_public_objects():
    assert "matfact.classic.matrix_factorization" in PUBLIC


@pytest.mark.parametrize("name", [n for n in module_names() if not is_compiled(n)])
def test_each_module_says_what_it_is(name):
    assert importlib.import_module(name).__doc__


@pytest.mark.parametrize("name", sorted(filter(is_public, module_names())))
def test_all_tells_the_truth(name):
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert len(set(exported)) == len(exported)
    assert [n for n in exported if not hasattr(module, n)] == []


@each_public_object
def test_it_has_a_summary_line(name):
    docstring = inspect.getdoc(PUBLIC[name])
    assert docstring
    summary = docstring.splitlines()[0]
    assert summary.endswith("."), summary
    assert len(docstring.splitlines()) == 1 or not docstring.splitlines()[1]


@each_public_object
def test_its_parameters_are_described(name):
    value = PUBLIC[name]
    if isinstance(value, property):
        return
    sections = sections_of(inspect.getdoc(value))
    described = described_names(sections.get("Parameters", ""))
    if inspect.isclass(value):
        described |= described_names(sections.get("Attributes", ""))
        assert parameters_of(value) <= described
    else:
        assert parameters_of(value) == described


@each_public_object
def test_its_result_is_described(name):
    value = PUBLIC[name]
    if not inspect.isfunction(value):
        return
    annotation = inspect.signature(value).return_annotation
    if annotation not in {None, "None", inspect.Signature.empty, "NoReturn"}:
        sections = sections_of(inspect.getdoc(value))
        assert sections.keys() & {"Returns", "Yields"}


@pytest.mark.parametrize("name", [n for n in module_names() if not is_compiled(n)])
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=OPTIONS)
    assert failed == 0


@pytest.mark.skipif(not README.is_file(), reason="the README is in a checkout only")
def test_examples_in_the_readme():
    failed, attempted = doctest.testfile(str(README), module_relative=False, optionflags=OPTIONS)
    assert attempted > 0
    assert failed == 0
