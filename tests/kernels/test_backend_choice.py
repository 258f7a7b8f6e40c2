"""The choice of backend and SIMD level, each in a fresh process: both are made at import."""

import dataclasses
import json
import shutil

import pytest

import matfact
from isolated import COMPILED, PACKAGE, needs_compiled, needs_pure, output_of, run_python
from matfact.kernels import BackendInfo

INFO = """
import dataclasses, json, matfact
print(json.dumps(dataclasses.asdict(matfact.backend_info())))
"""


def info(**options):
    """The backend_info() of a fresh process."""
    return json.loads(output_of(INFO, **options))


def failure(**options):
    """The last line of the traceback of an import that must fail."""
    result = run_python("import matfact", **options)
    assert result.returncode != 0
    last_line = result.stderr.strip().splitlines()[-1]
    assert last_line.startswith("matfact.exceptions.BackendError: ")
    return last_line


@pytest.fixture
def copied_package(tmp_path):
    """A copy of the installed package, to be damaged."""
    shutil.copytree(PACKAGE, tmp_path / "matfact", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def compiled_files(folder, stem="*"):
    files = [
        path
        for path in (folder / "matfact" / "kernels" / "_cython").glob(f"{stem}.*")
        if path.suffix in {".so", ".pyd"}
    ]
    assert files
    return files


@pytest.mark.parametrize("setting", [{}, {"MATFACT_BACKEND": ""}, {"MATFACT_BACKEND": "auto"}])
def test_auto_takes_what_the_installation_has(setting):
    assert info(**setting)["backend"] == ("cython" if COMPILED else "numpy")


@needs_compiled
def test_cython_is_taken_when_asked_for():
    answer = info(MATFACT_BACKEND="cython")
    assert answer["backend"] == "cython"
    assert "MATFACT_BACKEND=cython" in answer["reason"]


def test_numpy_is_taken_when_asked_for():
    answer = info(MATFACT_BACKEND="numpy")
    assert answer["backend"] == "numpy"
    assert "MATFACT_BACKEND=numpy" in answer["reason"]
    assert answer["simd_level"] is None
    assert answer["simd_levels"] == []
    assert answer["openmp"] is False
    assert answer["n_threads"] == 1
    assert answer["compiler"] is None


def test_all_modules_come_from_one_backend():
    code = "from matfact.kernels import gd, runtime; print(gd.__name__, runtime.__name__)"
    for backend, twin in [("numpy", "_numpy"), ("auto", "_cython" if COMPILED else "_numpy")]:
        names = output_of(code, MATFACT_BACKEND=backend).split()
        assert names == [f"matfact.kernels.{twin}.gd", f"matfact.kernels.{twin}.runtime"]


@pytest.mark.parametrize("value", ["Cython", "c", "1"])
def test_an_unknown_backend_is_refused_with_the_valid_names(value):
    message = failure(MATFACT_BACKEND=value)
    assert f"MATFACT_BACKEND={value!r}" in message
    assert "auto, cython, numpy" in message


@needs_pure
def test_a_pure_installation_says_so():
    assert "to have them, install a C compiler" in info()["reason"]
    message = failure(MATFACT_BACKEND="cython")
    assert "MATFACT_BACKEND=cython, but" in message
    assert "install a C compiler" in message


@needs_compiled
def test_absent_kernels_are_no_error(copied_package):
    for path in compiled_files(copied_package):
        path.unlink()
    answer = info(path=copied_package)  # warnings are errors in that process
    assert answer["backend"] == "numpy"
    assert "built without compiled kernels" in answer["reason"]
    assert "built without" in failure(path=copied_package, MATFACT_BACKEND="cython")


@needs_compiled
def test_the_reason_of_a_failed_build_is_shown(copied_package):
    for path in compiled_files(copied_package):
        path.unlink()
    note = copied_package / "matfact" / "kernels" / "_cython" / "not_built.txt"
    note.write_text("the compiler was on holiday\n")
    for message in (
        info(path=copied_package)["reason"],
        failure(path=copied_package, MATFACT_BACKEND="cython"),
    ):
        assert "the compiler was on holiday; to have them, install" in message


def damage(path):
    path.write_bytes(b"not a shared library")


@needs_compiled
@pytest.mark.parametrize("stem", ["gd", "runtime"])
@pytest.mark.parametrize("harm", [damage, lambda path: path.unlink()], ids=["damaged", "missing"])
def test_one_bad_kernel_module_means_numpy_for_all_with_a_warning(copied_package, stem, harm):
    for path in compiled_files(copied_package, stem):
        harm(path)

    answer = info(path=copied_package, PYTHONWARNINGS="ignore")
    assert answer["backend"] == "numpy"
    assert stem in answer["reason"]

    refused = run_python("import matfact", path=copied_package)
    assert "RuntimeWarning: matfact runs on its slow numpy backend" in refused.stderr
    assert answer["reason"] in refused.stderr

    assert answer["reason"] in failure(path=copied_package, MATFACT_BACKEND="cython")
    assert info(path=copied_package, MATFACT_BACKEND="numpy")["backend"] == "numpy"


@needs_compiled
@pytest.mark.parametrize("error", ["ImportError('no libgomp')", "SystemError('bad state')"])
def test_the_reason_of_a_load_error_is_kept(error):
    code = f"""
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "matfact.kernels._cython.gd":
            raise {error}
sys.meta_path.insert(0, Finder())
import matfact
print(matfact.backend_info().reason)
"""
    reason = output_of(code, PYTHONWARNINGS="ignore")
    assert "matfact.kernels._cython.gd does not load" in reason
    assert error.partition("(")[0] in reason
    assert error.partition("'")[2].rstrip("')") in reason


@needs_compiled
def test_every_available_simd_level_can_be_forced():
    available = info()["simd_levels"]
    assert available[0] == "base"
    for level in available:
        answer = info(MATFACT_SIMD=level)
        assert answer["simd_level"] == level
        assert answer["simd_reason"] == f"chosen by MATFACT_SIMD={level}"
    assert info()["simd_level"] == available[-1]
    assert info(MATFACT_SIMD="")["simd_level"] == available[-1]


@needs_compiled
@pytest.mark.parametrize("value", ["avx2", "V3", "v9"])
def test_an_unavailable_simd_level_is_refused_with_the_available_ones(value):
    message = failure(MATFACT_SIMD=value)
    assert f"MATFACT_SIMD={value!r}" in message
    assert ", ".join(info()["simd_levels"]) in message


def test_a_simd_level_is_ignored_with_a_reason_on_numpy():
    answer = info(MATFACT_BACKEND="numpy", MATFACT_SIMD="v3")
    assert answer["simd_level"] is None
    assert answer["simd_reason"].startswith("MATFACT_SIMD=v3 is ignored")


def test_backend_info_is_a_frozen_record_that_prints_well():
    answer = matfact.backend_info()
    assert isinstance(answer, BackendInfo)
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.backend = "other"
    assert repr(answer).startswith("BackendInfo(backend=")
    lines = str(answer).splitlines()
    assert len(lines) == len(dataclasses.fields(answer))
    assert lines[0].split() == ["backend", answer.backend]
    assert answer.matfact == matfact.__version__
    assert answer == matfact.backend_info()


@needs_compiled
def test_a_compiled_build_names_its_compiler_and_runs_on_openmp():
    answer = info(MATFACT_BACKEND="cython")
    assert answer["compiler"].split()[0] in {"gcc", "clang", "msvc"}
    assert answer["openmp"] is True
