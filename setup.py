"""Build of the compiled kernels; everything else about the package is in pyproject.toml.

Switches, read from the environment:

``MATFACT_NO_EXTENSIONS=1``
    Build no kernels: a py3-none-any package on the numpy backend.
``MATFACT_REQUIRE_EXTENSIONS=1``
    A kernel that does not build is an error. Otherwise the package is built without any.
``MATFACT_DEBUG_BUILD=1``
    Bounds checks, ``-O1 -g``.
``MATFACT_SANITIZE=address,undefined``
    The names are handed to ``-fsanitize=`` (gcc and clang).
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

KERNELS = Path("src", "matfact", "kernels", "_cython")
PACKAGE = "matfact.kernels._cython"
# What Cython needs for typed memoryviews, in a module of its own: 130 KB less in each kernel.
MEMORYVIEWS = f"{PACKAGE}._memoryviews"
NOT_BUILT = "not_built.txt"  # the reason of a failed build; kernels/__init__.py shows it

# Two hierarchies: of the compiler classes, and of the rest of setuptools.
COMPILER_ERRORS = (CCompilerError, BaseError, OSError)

LIMITED_API = "0x030b0000"  # CPython 3.11
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
USE_LIMITED_API = sys.implementation.name == "cpython" and not FREE_THREADED

PLAIN_PROBE = "int main(void) { return 0; }"
PYTHON_PROBE = "#include <Python.h>\nint main(void) { return 0; }"
OPENMP_PROBE = """
#include <omp.h>
int main(void) {
    int sum = 0, i;
    #pragma omp parallel for reduction(+:sum)
    for (i = 0; i < 100; i++) sum += i;
    return sum == 4950 && omp_get_max_threads() > 0 ? 0 : 1;
}
"""


def switch(name):
    """Read a build switch: unset, empty and 0 are off, 1 is on."""
    value = os.environ.get(name, "")
    if value not in {"", "0", "1"}:
        raise SystemExit(f"{name} must be 0 or 1, not {value!r}")
    return value == "1"


NO_EXTENSIONS = switch("MATFACT_NO_EXTENSIONS")
REQUIRE_EXTENSIONS = switch("MATFACT_REQUIRE_EXTENSIONS")
DEBUG_BUILD = switch("MATFACT_DEBUG_BUILD")
SANITIZE = os.environ.get("MATFACT_SANITIZE", "")

if NO_EXTENSIONS and REQUIRE_EXTENSIONS:
    raise SystemExit("MATFACT_NO_EXTENSIONS=1 and MATFACT_REQUIRE_EXTENSIONS=1 exclude each other")

# One place for all directives. The kernels are entered with checked arguments only, so the
# checks that Cython can add are for the debug build.
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG_BUILD,
    "wraparound": False,
    # The code that these two would add to the debug build does not compile in the head of a prange.
    "cdivision": True,
    "initializedcheck": False,
    "freethreading_compatible": True,
}

# Objects of different modes must not meet in one build directory.
MODE = "debug" if DEBUG_BUILD else "release"
if SANITIZE:
    MODE += "-" + SANITIZE.replace(",", "-")
BUILD_BASE = f"build/{MODE}"


def notice(*lines):
    """Print a framed notice (pip shows it with -v, or when the build fails)."""
    frame = "*" * 88
    print("\n".join(["", frame, *lines, frame, ""]), file=sys.stderr, flush=True)


def extensions():
    """One extension for each .pyx file of the kernel package, and what they share."""
    macros = [("Py_LIMITED_API", LIMITED_API)] if USE_LIMITED_API else []
    headers = sorted(p.as_posix() for p in KERNELS.rglob("*.h"))
    kernels = [
        Extension(
            f"{PACKAGE}.{source.stem}",
            [source.as_posix()],
            include_dirs=[KERNELS.as_posix()],
            define_macros=macros,
            depends=headers,
            py_limited_api=USE_LIMITED_API,
        )
        for source in sorted(KERNELS.glob("*.pyx"))
    ]
    if len(kernels) < 3:  # in tests: its own 190 KB must pay
        return kernels
    shared = Extension(
        MEMORYVIEWS,
        [KERNELS.joinpath("_memoryviews.c").as_posix()],  # which Cython writes, under build/
        define_macros=macros,
        py_limited_api=USE_LIMITED_API,
    )
    return [shared, *kernels]


def compile_flags(msvc):
    """Return the flags of one compiler type, without OpenMP: (compile, link).

    Never -march=native (the wheel must run elsewhere; kernels dispatch on the CPU themselves) and
    never -ffast-math (it breaks isnan and isfinite).
    """
    if msvc:
        return (["/Od", "/Zi"], ["/DEBUG"]) if DEBUG_BUILD else (["/O2"], [])
    compile_args = ["-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"]
    link_args = []
    if SANITIZE:
        link_args += [f"-fsanitize={SANITIZE}"]
        compile_args += [*link_args, "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
    if DEBUG_BUILD or SANITIZE:
        compile_args += ["-O1", "-g"]
    else:
        compile_args += ["-O3", "-g0"]
        if sys.platform == "linux":  # no symbol table; other linkers have other ways
            link_args += ["-Wl,-s"]
    return compile_args, link_args


def openmp_candidates(msvc):
    """Return flags that may switch OpenMP on: pairs (compile, link)."""
    if msvc:
        return [(["/openmp"], [])]
    candidates = [(["-fopenmp"], ["-fopenmp"])]
    if sys.platform == "darwin":  # Apple's clang has no -fopenmp driver option and no libomp
        compile_args, link_args = ["-Xpreprocessor", "-fopenmp"], ["-lomp"]
        brew = shutil.which("brew")
        if brew is not None:
            answer = subprocess.run(
                [brew, "--prefix", "libomp"], capture_output=True, text=True, check=False
            )
            prefix = answer.stdout.strip()
            if answer.returncode == 0 and prefix:
                compile_args = [*compile_args, f"-I{prefix}/include"]
                link_args = [f"-L{prefix}/lib", *link_args]
        candidates.append((compile_args, link_args))
    return candidates


class UnusableCompilerError(BaseError):
    """No kernel can be compiled here; the message is for users."""


class BuildKernels(build_ext):
    """Build every kernel or none."""

    def run(self):
        """Build; where that fails and nobody insists, leave a package without kernels."""
        # `python setup.py build_ext` names the kernels as its only purpose, so there it must not
        # end well without them.
        strict = REQUIRE_EXTENSIONS or "build_ext" in self.distribution.commands
        in_place = self.inplace  # the base class changes it while it runs
        self._note_path().unlink(missing_ok=True)
        try:
            super().run()
        except Exception as error:
            if strict:
                raise
            self.inplace = in_place
            self._give_up(error)

    def build_extensions(self):
        """Look at the compiler, translate the .pyx files, add the flags, build."""
        self._check_compiler()
        self._cythonize()
        msvc = self.compiler.compiler_type == "msvc"
        compile_args, link_args = compile_flags(msvc)
        openmp = self._openmp_flags(msvc)
        if openmp is None:
            notice(
                "matfact: the compiler has no working OpenMP; the kernels will run on one thread.",
                "With clang install libomp (macOS: brew install libomp), then build again.",
            )
        else:
            compile_args, link_args = compile_args + openmp[0], link_args + openmp[1]
        for extension in self.extensions:
            extension.extra_compile_args = [*extension.extra_compile_args, *compile_args]
            extension.extra_link_args = [*extension.extra_link_args, *link_args]
        self.parallel = self.parallel or os.cpu_count()
        super().build_extensions()

    def _check_compiler(self):
        """Tell the two usual causes of a failure apart from all others, in plain words."""
        if not self._links(PLAIN_PROBE, [], []):
            tried = (getattr(self.compiler, "compiler_so", None) or ["the default"])[0]
            raise UnusableCompilerError(f"no working C compiler (tried: {tried})")
        with tempfile.TemporaryDirectory() as folder:
            if self._compiled(PYTHON_PROBE, folder, []) is None:
                raise UnusableCompilerError(
                    "the C headers of Python are missing (Debian and Ubuntu: apt install "
                    "python3-dev; Fedora: dnf install python3-devel)"
                )

    def _cythonize(self):
        from Cython.Build import cythonize  # noqa: PLC0415 (not needed for a pure build)

        names = {extension.name for extension in self.extensions}
        translated = cythonize(
            self.extensions,
            build_dir=f"{BUILD_BASE}/cython",
            compiler_directives=DIRECTIVES,
            include_path=["src"],
            shared_utility_qualified_name=MEMORYVIEWS if MEMORYVIEWS in names else None,
        )
        sources = {extension.name: extension.sources for extension in translated}
        for extension in self.extensions:  # ours, for they carry what setuptools noted on them
            extension.sources = sources[extension.name]

    def _openmp_flags(self, msvc):
        """Find flags with which an OpenMP program compiles and links, or None."""
        for compile_args, link_args in openmp_candidates(msvc):
            if self._links(OPENMP_PROBE, compile_args, link_args):
                return compile_args, link_args
        return None

    def _compiled(self, text, folder, compile_args):
        """Compile a small program: the object files, or None if that fails."""
        source = Path(folder, "probe.c")
        source.write_text(text, encoding="ascii")
        try:
            return self.compiler.compile(
                [str(source)],
                output_dir=folder,
                include_dirs=self.include_dirs,
                extra_postargs=compile_args,
            )
        except COMPILER_ERRORS:
            return None

    def _links(self, text, compile_args, link_args):
        """Whether a small program compiles and links."""
        with tempfile.TemporaryDirectory() as folder:
            objects = self._compiled(text, folder, compile_args)
            if objects is None:
                return False
            try:
                self.compiler.link_executable(
                    objects, "probe", output_dir=folder, extra_postargs=link_args
                )
            except COMPILER_ERRORS:
                return False
            return True

    def _roots(self):
        """Return the folders that this build writes to."""
        return [self.build_lib, "src"] if self.inplace else [self.build_lib]

    def _note_path(self):
        return Path(self._roots()[-1], *KERNELS.parts[1:], NOT_BUILT)

    def _give_up(self, error):
        """Remove what was built, record the reason, and turn the package into a pure one."""
        origin = error.args[0] if error.args else error
        if isinstance(error, UnusableCompilerError):
            cause = str(error)
        elif isinstance(origin, subprocess.CalledProcessError):  # its text is the whole command
            cause = f"{origin.cmd[0]} failed with exit status {origin.returncode}"
        else:
            cause = f"{type(error).__name__}: {error}".splitlines()[0]
        reason = f"the compiled kernels could not be built: {cause}"
        notice(
            "matfact: " + reason,
            "matfact is installed WITHOUT compiled kernels. It works and gives the same results,",
            "but training runs on numpy and is many times slower.",
            "To have the kernels: install a C compiler (Debian and Ubuntu: apt install gcc;",
            "Fedora: dnf install gcc; macOS: xcode-select --install; Windows: the Build Tools",
            "for Visual Studio), then install again with --force-reinstall --no-cache-dir.",
            "MATFACT_REQUIRE_EXTENSIONS=1 turns this notice into an error.",
        )
        for root in self._roots():  # what this build and earlier ones left there
            for extension in self.extensions:
                Path(root, self.get_ext_filename(extension.name)).unlink(missing_ok=True)
        note = self._note_path()
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(reason + "\n", encoding="utf-8")
        self.extensions = self.distribution.ext_modules = []


class Wheel(bdist_wheel):
    """A wheel whose tag tells what is inside."""

    def run(self):
        """Build first: only then is it known whether the wheel has kernels."""
        if not self.skip_build:
            self.run_command("build")
        if not self.distribution.ext_modules:
            self.root_is_pure = True
        super().run()


setup(
    ext_modules=[] if NO_EXTENSIONS else extensions(),
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": Wheel},
    options={
        "build": {"build_base": BUILD_BASE},
        **({"bdist_wheel": {"py_limited_api": "cp311"}} if USE_LIMITED_API else {}),
    },
)
