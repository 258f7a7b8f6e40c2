"""Build the package from a copy of its source, without network and without build isolation."""

import shutil

import pytest

from building import CHECKOUT, NOT_SOURCE, Build, environment, kernel_sources, run_command


@pytest.fixture
def source(tmp_path):
    """A copy of the source, as a checkout of it would be."""
    if not (CHECKOUT / "setup.py").is_file():
        pytest.skip("the source of the package is not here")
    copy = tmp_path / "source"
    copy.mkdir()
    for name in ("src", "tests", "benchmarks"):
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, copy / name, ignore=NOT_SOURCE)
    for path in CHECKOUT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    return copy


@pytest.fixture
def small_source(source):
    """The same with the smallest of the kernel modules only, which compiles in a second."""
    for path in kernel_sources(source):
        if path.stem != "runtime":
            path.unlink()
    return source


@pytest.fixture
def build_wheel(tmp_path):
    """Build a wheel by what `pip install .` calls, under the given environment variables."""
    numbers = iter(range(100))
    hook = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"

    def build(source, **settings):
        folder = tmp_path / f"wheels{next(numbers)}"
        folder.mkdir()
        done = run_command(["-c", hook, str(folder)], cwd=source, env=environment(**settings))
        return Build(done.returncode, done.stdout, folder)

    return build
