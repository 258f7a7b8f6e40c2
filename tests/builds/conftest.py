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
    """Build a wheel with pip, as `pip install .` does, under the given environment variables."""
    numbers = iter(range(100))

    def build(source, **settings):
        folder = tmp_path / f"wheels{next(numbers)}"
        folder.mkdir()
        options = ["--no-build-isolation", "--no-deps", "--no-cache-dir", "-v", "-w", str(folder)]
        done = run_command(
            ["-m", "pip", "wheel", *options, str(source)], env=environment(**settings)
        )
        return Build(done.returncode, done.stdout, folder)

    return build
