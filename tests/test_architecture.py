"""The source holds the layout of the design: import directions, twins, sizes of files."""

import ast
import itertools
import re
import sys
from functools import cache
from pathlib import Path

import pytest

from isolated import PACKAGE

# The checkout when there is one (it has the .pyx files too), else the installed package.
CHECKOUT = Path(__file__).parents[1]
SOURCE = CHECKOUT / "src" / "matfact"
if not SOURCE.is_dir():
    SOURCE = PACKAGE

# From low to high. A module imports from lower lines and from its own component only; the small
# helpers of the second line may use each other.
LAYERS = [
    {"exceptions", "_version"},
    {"_threads", "_validation", "_random"},
    {"kernels"},
    {"ratings"},
    {"training", "evaluation", "recommend", "recommendations"},
    {"classic", "models"},
    {"persistence", "distributed"},
    {"cli", "plotting"},
    {"__main__"},
    {"__init__"},
]
LEVEL = {component: level for level, layer in enumerate(LAYERS) for component in layer}
OPTIONAL = {"pandas", "pyarrow", "scipy", "tqdm"}  # may be imported inside functions

MAX_LINES = {".py": 300, ".pyx": 250, ".pxd": 250, ".h": 300}
MAX_FUNCTION_LINES = 60  # without the docstring
LENGTH_REASON = re.compile(r"^\s*(#|/?\*|//)\s*length: \S", re.MULTILINE)

PYTHON_FILES = sorted(SOURCE.rglob("*.py"))
CYTHON_FILES = sorted(SOURCE.rglob("*.pyx"))
ALL_FILES = sorted(path for suffix in MAX_LINES for path in SOURCE.rglob(f"*{suffix}"))


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def named(path):
    return path.relative_to(SOURCE).as_posix()


def parametrize(files):
    return pytest.mark.parametrize("path", [pytest.param(p, id=named(p)) for p in files])


def component_of(path):
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imported_modules(tree):
    """Yield (module, whether inside a function) for every import of a syntax tree."""
    inside = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node in inside
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node in inside


def imported_components(tree):
    """The matfact components that a file imports; "__init__" is the package itself."""
    for module, _ in imported_modules(tree):
        parts = module.split(".")
        if parts[0] == "matfact":
            known = len(parts) > 1 and parts[1] in LEVEL
            yield parts[1] if known and parts[1] != "__version__" else "__init__"


UPWARDS = {("models/_base.py", "persistence")}  # model.save, when it is called


@parametrize(PYTHON_FILES)
def test_imports_go_downwards_only(path):
    component = component_of(path)
    assert component in LEVEL, f"{component} has no place in LAYERS"
    for imported in imported_components(tree_of(path)):
        helpers = {imported, component} <= LAYERS[1]
        downwards = LEVEL[imported] < LEVEL[component] or imported == component or helpers
        allowed = downwards or (named(path), imported) in UPWARDS
        assert allowed, f"{component} must not import {imported}"


@parametrize([p for p in PYTHON_FILES if LEVEL.get(component_of(p)) == 1])
def test_helper_modules_are_leaves(path):
    imported = set(imported_components(tree_of(path)))
    assert imported <= LAYERS[0] | LAYERS[1]


@parametrize(PYTHON_FILES)
def test_numpy_is_the_only_dependency(path):
    for module, in_function in imported_modules(tree_of(path)):
        top = module.split(".")[0]
        allowed = top in sys.stdlib_module_names or top in {"numpy", "matfact"}
        assert allowed or (in_function and top in OPTIONAL), f"imports {module}"


def names_a_twin(path):
    """Whether a Python file imports _cython or _numpy, by statement or by name."""
    if not re.search(r"_(cython|numpy)", path.read_text(encoding="utf-8")):
        return False  # not worth the time to parse it
    tree = tree_of(path)
    by_statement = any("._cython" in m or "._numpy" in m for m, _ in imported_modules(tree))
    by_name = any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.match(r"matfact\.kernels\._(cython|numpy)", node.value)
        for node in ast.walk(tree)
    )
    return by_statement or by_name


def test_only_the_switch_and_the_kernel_tests_name_a_twin():
    tests = Path(__file__).parent
    others = [p for p in PYTHON_FILES if component_of(p) != "kernels"]
    others += [p for p in tests.rglob("*.py") if p.relative_to(tests).parts[0] != "kernels"]
    others.remove(Path(__file__))
    assert [str(p) for p in others if names_a_twin(p)] == []


@parametrize([p for p in PYTHON_FILES if p.parent.name == "_numpy"])
def test_a_numpy_twin_imports_only_numpy_and_its_own_kind(path):
    for module, _ in imported_modules(tree_of(path)):
        if module.startswith("matfact"):
            assert module.startswith(("matfact.kernels._numpy.", "matfact.exceptions."))


@pytest.mark.skipif(not CYTHON_FILES, reason="the .pyx files are in a checkout only")
def test_each_kernel_module_has_a_stub_and_a_twin():
    for path in CYTHON_FILES:
        if path.stem.startswith("_"):
            continue  # a part of another module
        assert path.with_suffix(".pyi").is_file()
        assert (SOURCE / "kernels" / "_numpy" / f"{path.stem}.py").is_file()


@parametrize([p for p in PYTHON_FILES if p.name == "__init__.py"])
def test_init_files_hold_imports_and_all_only(path):
    if named(path) in {"__init__.py", "kernels/__init__.py"}:
        return  # loading on demand; the switch between the backends
    body = tree_of(path).body
    assert isinstance(body[0], ast.Expr), "has a docstring"
    assert isinstance(body[0].value, ast.Constant), "has a docstring"
    for node in body[1:]:
        if isinstance(node, ast.Assign):
            assert [ast.unparse(target) for target in node.targets] == ["__all__"]
        else:
            assert isinstance(node, ast.Import | ast.ImportFrom)


@parametrize(ALL_FILES)
def test_files_are_short_or_say_why_not(path):
    text = path.read_text(encoding="utf-8")
    limit = MAX_LINES[path.suffix]
    head = "\n".join(text.splitlines()[:40])
    too_long = len(text.splitlines()) > limit and not LENGTH_REASON.search(head)
    assert not too_long, f"over {limit} lines: split it, or give the reason: `# length: ...` on top"


def lengths_of_functions(path):
    """Yield (name, lines without docstring, source) of each function of a Python file."""
    text = path.read_text(encoding="utf-8").splitlines()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node) is not None:
                lines -= node.body[0].end_lineno - node.body[0].lineno + 1
            yield node.name, lines, "\n".join(text[node.lineno - 1 : node.end_lineno])


def lengths_of_cython_functions(path):
    """Yield the same for the functions at the top level of a .pyx file."""
    text = path.read_text(encoding="utf-8")
    starts = [m.start() for m in re.finditer(r"^(?=[^\s#)])", text, re.MULTILINE)] + [len(text)]
    for start, end in itertools.pairwise(starts):
        source = text[start:end].rstrip()
        if re.match(r"(cdef|cpdef|def)\b.*\(", source):
            code = re.sub(r'""".*?"""', "", source, count=1, flags=re.DOTALL)
            yield source.partition("(")[0], len(code.splitlines()), source


@parametrize(PYTHON_FILES + CYTHON_FILES)
def test_functions_are_short_or_say_why_not(path):
    measure = lengths_of_functions if path.suffix == ".py" else lengths_of_cython_functions
    too_long = [
        f"{name}: {lines} lines"
        for name, lines, source in measure(path)
        if lines > MAX_FUNCTION_LINES and not LENGTH_REASON.search(source)
    ]
    assert too_long == []


def test_no_machine_path_and_no_leftover_note():
    for path in ALL_FILES:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(/home/|/root/|/tmp/|/work/)\w", text), path
        assert not re.search(r"\b(TODO|FIXME|XXX)\b", text), path
