"""Builds without kernels: wanted, for want of a compiler, or because a kernel fails."""

import os
import tarfile

import pytest

from building import compiler_without, environment, kernel_sources, run_command

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a compiler is broken the POSIX way")

NOTE = "matfact/kernels/_cython/not_built.txt"


def assert_pure(build):
    assert build.returncode == 0, build.output
    assert build.tag == "py3-none-any"
    assert build.libraries == []
    assert "matfact/py.typed" in build.names


def test_no_extensions_gives_a_pure_wheel(source, build_wheel):
    build = build_wheel(source, MATFACT_NO_EXTENSIONS="1", CC="/bin/false")
    assert_pure(build)
    assert NOTE not in build.names
    assert "WITHOUT compiled kernels" not in build.output


def test_without_a_compiler_the_build_succeeds_and_says_what_to_do(source, build_wheel, tmp_path):
    build = build_wheel(source, CC="/bin/false")
    assert_pure(build)
    assert "matfact is installed WITHOUT compiled kernels" in build.output
    assert "install a C compiler" in build.output
    assert "OpenMP" not in build.output

    reason = (build.unpack(tmp_path / "content") / NOTE).read_text()
    assert reason.strip().endswith("no working C compiler (tried: /bin/false)")


def test_required_extensions_are_an_error_without_a_compiler(source, build_wheel):
    build = build_wheel(source, MATFACT_REQUIRE_EXTENSIONS="1", CC="/bin/false")
    assert build.returncode != 0
    assert "no working C compiler (tried: /bin/false)" in build.output
    assert list(build.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"MATFACT_NO_EXTENSIONS": "yes"}, "MATFACT_NO_EXTENSIONS must be 0 or 1, not 'yes'"),
        ({"MATFACT_NO_EXTENSIONS": "1", "MATFACT_REQUIRE_EXTENSIONS": "1"}, "exclude each other"),
    ],
)
def test_a_bad_switch_is_refused(source, settings, words):
    done = run_command(["setup.py", "--version"], cwd=source, env=environment(**settings))
    assert done.returncode != 0
    assert words in done.stdout


def test_naming_build_ext_is_strict(small_source):
    done = run_command(
        ["setup.py", "build_ext", "--inplace"], cwd=small_source, env=environment(CC="/bin/false")
    )
    assert done.returncode != 0
    assert "no working C compiler" in done.stdout


def test_one_failing_kernel_means_none_and_a_repair_brings_all_back(small_source, build_wheel):
    # Sorted last, so that the good ones are built by then.
    broken = kernel_sources(small_source)[0].with_name("zzz.pyx")
    broken.write_text('cdef extern from *:\n    """\n    #error "no"\n    """\n    pass\n')
    build = build_wheel(small_source)
    assert "building 'matfact.kernels._cython.runtime' extension" in build.output
    assert_pure(build)
    assert NOTE in build.names

    broken.unlink()
    repaired = build_wheel(small_source)
    assert repaired.returncode == 0, repaired.output
    assert [name.split("/")[-1].split(".")[0] for name in repaired.libraries] == ["runtime"]
    assert NOTE not in repaired.names
    assert repaired.tag != "py3-none-any"


def test_a_kernel_that_is_not_cython_means_none(small_source, build_wheel):
    kernel_sources(small_source)[0].with_name("zzz.pyx").write_text("cdef int :\n")
    assert_pure(build_wheel(small_source))


def test_without_openmp_the_kernels_are_built_with_a_notice(small_source, build_wheel, tmp_path):
    build = build_wheel(small_source, CC=compiler_without("-fopenmp", tmp_path))
    assert build.returncode == 0, build.output
    assert "the compiler has no working OpenMP" in build.output
    assert len(build.libraries) == 1


def test_the_source_distribution_has_sources_and_tests_but_no_generated_c(source, tmp_path):
    done = run_command(
        ["-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path), str(source)],
        env=environment(),
    )
    assert done.returncode == 0, done.stdout
    (archive,) = tmp_path.glob("matfact-*.tar.gz")
    with tarfile.open(archive) as content:
        names = {name.partition("/")[2] for name in content.getnames()}

    assert {"setup.py", "LICENSE", "README.md", "src/matfact/py.typed"} <= names
    for suffix in (".pyx", ".pxd", ".pyi", ".h"):
        expected = {p.relative_to(source).as_posix() for p in source.rglob(f"*{suffix}")}
        assert expected <= names
    assert "tests/test_architecture.py" in names
    assert [name for name in names if name.endswith((".c", ".so", ".pyc", ".pyd"))] == []
