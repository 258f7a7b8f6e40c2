"""Builds with all kernels. They take long, so only .ci/run and `pytest -m slow` run them.

MATFACT_DIST names a folder with a source distribution and the wheel built from it, if there are.
"""

import os
import shutil
from pathlib import Path

import pytest

from building import Build, compiler_without, environment, module_names, run_command
from isolated import output_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="the compiler is called the POSIX way"),
]

TRAIN = """
import numpy as np, matfact
model = matfact.matrix_factorization(np.eye(30), 4, random_state=0, n_threads=2, verbose=False)
model.train_model(0.1, 20)
info = matfact.backend_info()
print(info.backend, info.openmp, info.n_threads, f"{model.MSE():.9g}")
"""


def modules(build):
    return {name.split("/")[-1].split(".")[0] for name in build.libraries}


@pytest.fixture
def distributed(source, build_wheel, tmp_path):
    """A wheel that is built from the source distribution."""
    if "MATFACT_DIST" in os.environ:
        return Build(0, "", Path(os.environ["MATFACT_DIST"]))
    done = run_command(
        ["-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path), str(source)],
        env=environment(),
    )
    assert done.returncode == 0, done.stdout
    (archive,) = tmp_path.glob("matfact-*.tar.gz")
    shutil.unpack_archive(archive, tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    return build_wheel(unpacked, MATFACT_REQUIRE_EXTENSIONS="1")


def test_a_wheel_built_from_the_source_distribution(source, distributed, tmp_path):
    build = distributed
    assert build.returncode == 0, build.output

    assert build.tag.startswith("cp311-abi3-")
    assert modules(build) == module_names(source)
    assert all(".abi3." in name for name in build.libraries)
    unwanted = (".pyx", ".pxd", ".h", ".c", "not_built.txt")
    assert [name for name in build.names if name.endswith(unwanted)] == []
    assert not any(name.startswith("tests") for name in build.names)
    for path in (source / "src").rglob("*.py*"):
        if path.suffix in {".py", ".pyi"}:
            assert path.relative_to(source / "src").as_posix() in build.names

    content = build.unpack(tmp_path / "content")
    size = sum(path.stat().st_size for path in content.rglob("*") if path.is_file())
    assert size < 5e6


def test_kernels_without_openmp_run_on_one_thread(source, build_wheel, tmp_path):
    build = build_wheel(
        source, MATFACT_REQUIRE_EXTENSIONS="1", CC=compiler_without("-fopenmp", tmp_path)
    )
    assert build.returncode == 0, build.output
    content = build.unpack(tmp_path / "content")
    backend, openmp, n_threads, error = output_of(TRAIN, path=content).split()
    assert (backend, openmp, n_threads) == ("cython", "False", "1")
    expected = output_of(TRAIN, MATFACT_BACKEND="numpy").split()[-1]
    assert float(error) == pytest.approx(float(expected), rel=1e-8)


def test_an_editable_install_builds_in_place_and_can_lose_its_kernels(source, tmp_path):
    kernels = source / "src" / "matfact" / "kernels" / "_cython"
    # What pip calls for `pip install -e .`.
    hook = "import sys; from setuptools import build_meta; build_meta.build_editable(sys.argv[1])"

    def built(folder, **settings):
        folder.mkdir()
        done = run_command(["-c", hook, str(folder)], cwd=source, env=environment(**settings))
        assert done.returncode == 0, done.stdout
        return {path.name.split(".")[0] for path in kernels.glob("*.so")}

    assert built(tmp_path / "with") == module_names(source)
    assert not (kernels / "not_built.txt").exists()

    assert built(tmp_path / "without", CC="/bin/false") == set()
    assert (kernels / "not_built.txt").is_file()
