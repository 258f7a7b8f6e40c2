"""The kernels, arrays in and arrays out, and the one place that chooses between the two backends.

``_cython`` and ``_numpy`` hold the same modules with the same functions. Which of them is behind
the names exported here is settled once, when matfact is imported, and for all modules together, so
that every result can be attributed to one backend. ``MATFACT_BACKEND`` is

``auto`` (default)
    The compiled kernels; numpy quietly if this installation has none, and with a RuntimeWarning
    if it has some that do not load.
``cython``
    The compiled kernels or a `BackendError` with the reason.
``numpy``
    The numpy kernels.

``MATFACT_SIMD`` (base, v3, v4) makes the compiled kernels use a lower SIMD level than the machine
has, for tests and comparisons.
"""

from __future__ import annotations

import os
import platform
import warnings
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from matfact._threads import resolve_n_threads
from matfact._version import __version__
from matfact.exceptions import BackendError

if TYPE_CHECKING:
    from types import ModuleType

    from matfact.kernels._numpy import (
        als,
        bpr,
        csr,
        drift,
        eigen,
        gd,
        pairs,
        products,
        runtime,
        sgd,
        topn,
        vb,
    )

__all__ = [
    "BackendInfo",
    "als",
    "backend_info",
    "bpr",
    "csr",
    "drift",
    "eigen",
    "gd",
    "pairs",
    "products",
    "runtime",
    "sgd",
    "topn",
    "vb",
]

_BACKENDS = ("auto", "cython", "numpy")
# The modules with SIMD levels.
_KERNELS = ("als", "bpr", "eigen", "gd", "pairs", "products", "sgd", "topn", "vb")
_MODULES = (*_KERNELS, "csr", "drift", "runtime")

_NOT_BUILT_REMEDY = (
    "install a C compiler, then: python -m pip install --force-reinstall --no-deps "
    "--no-cache-dir --no-binary matfact matfact (from a checkout: "
    "python -m pip install --force-reinstall --no-deps .)"
)


@dataclass(frozen=True)
class BackendInfo:
    """What the numerical work runs on; made by `matfact.backend_info`.

    Parameters
    ----------
    backend : {"cython", "numpy"}
        The kernels in use.
    reason : str
        Why these.
    simd_level : {"base", "v3", "v4"} or None
        Instructions that the compiled kernels use: the compiler's default, AVX2 with FMA, AVX-512.
        None on the numpy backend.
    simd_reason : str
        Why this level.
    simd_levels : tuple of str
        The levels that this build holds and this machine can run; ``MATFACT_SIMD`` takes these.
    openmp : bool
        Whether kernels can use several threads.
    n_threads : int
        Threads that a kernel would use if called now without an explicit ``n_threads``.
    compiler : str or None
        The C compiler of the compiled kernels.
    matfact, numpy, python : str
        Versions.
    machine : str
        Operating system and processor architecture.
    """

    backend: str
    reason: str
    simd_level: str | None
    simd_reason: str
    simd_levels: tuple[str, ...]
    openmp: bool
    n_threads: int
    compiler: str | None
    matfact: str
    numpy: str
    python: str
    machine: str

    def __str__(self) -> str:
        """One line for each field."""
        width = max(len(field.name) for field in fields(self))
        lines = []
        for field in fields(self):
            value = getattr(self, field.name)
            text = ", ".join(value) if isinstance(value, tuple) else str(value)
            lines.append(f"{field.name:<{width}}  {text}".rstrip())
        return "\n".join(lines)


def backend_info() -> BackendInfo:
    """Tell which kernels are in use, why, and with what they run.

    Returns
    -------
    BackendInfo
        A frozen record; ``print`` shows one line for each field.

    Examples
    --------
    >>> import matfact
    >>> matfact.backend_info().backend in ("cython", "numpy")
    True
    """
    openmp = runtime.has_openmp()
    return BackendInfo(
        backend=_backend,
        reason=_reason,
        simd_level=_simd_level,
        simd_reason=_simd_reason,
        simd_levels=runtime.simd_levels(),
        openmp=openmp,
        n_threads=(resolve_n_threads(None) or runtime.max_threads()) if openmp else 1,
        compiler=runtime.compiler(),
        matfact=__version__,
        numpy=np.__version__,
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        machine=f"{platform.system()} {platform.machine()}",
    )


def _load(twin: str) -> dict[str, ModuleType]:
    return {name: import_module(f"{__name__}.{twin}.{name}") for name in _MODULES}


def _load_compiled() -> tuple[dict[str, ModuleType], str, bool]:
    """Load all compiled modules: (modules, "", False), or ({}, reason, whether any is there)."""
    modules = {}
    absent = []
    for name in _MODULES:
        full_name = f"{__name__}._cython.{name}"
        try:
            modules[name] = import_module(full_name)
        except ModuleNotFoundError as error:
            if error.name != full_name:  # something that the module itself imports
                return {}, f"{full_name} does not load: {error}", True
            absent.append(name)
        except Exception as error:  # noqa: BLE001 (a damaged extension may raise anything)
            return {}, f"{full_name} does not load: {type(error).__name__}: {error}", True
    if not absent:
        return modules, "", False
    if modules:
        return {}, f"the compiled kernels are incomplete: {', '.join(absent)} missing", True
    return {}, _why_not_built(), False


def _why_not_built() -> str:
    """Reason of an installation without kernels, as the build left it (see setup.py)."""
    note = f"{os.path.dirname(__file__)}/_cython/not_built.txt"  # noqa: PTH120 (import time)
    try:
        with open(note, encoding="utf-8") as file:  # noqa: PTH123 (import time)
            cause = file.read().strip()
    except OSError:
        cause = "this installation was built without compiled kernels"
    return f"{cause}; to have them, {_NOT_BUILT_REMEDY}"


def _choose_backend(wanted: str) -> tuple[str, str, dict[str, ModuleType]]:
    """Backend, reason and modules for a value of MATFACT_BACKEND."""
    if wanted not in _BACKENDS:
        raise BackendError(
            f"MATFACT_BACKEND={wanted!r} is unknown; valid values are {', '.join(_BACKENDS)}"
        )
    if wanted == "numpy":
        return "numpy", "chosen by MATFACT_BACKEND=numpy", _load("_numpy")

    modules, problem, broken = _load_compiled()
    if modules:
        reason = "the compiled kernels load"
        return "cython", f"{reason} (MATFACT_BACKEND={wanted})", modules
    if wanted == "cython":
        raise BackendError(f"MATFACT_BACKEND=cython, but {problem}")
    if broken:
        warnings.warn(
            f"matfact runs on its slow numpy backend: {problem}. Reinstall matfact, or set "
            "MATFACT_BACKEND=numpy to have that backend without this warning",
            RuntimeWarning,
            stacklevel=2,
        )
    return "numpy", problem, _load("_numpy")


def _choose_simd_level(
    wanted: str, backend: str, levels: tuple[str, ...]
) -> tuple[str | None, str]:
    """Level and reason for a value of MATFACT_SIMD; the empty string means the highest."""
    if backend == "numpy":
        ignored = f"MATFACT_SIMD={wanted} is ignored: " if wanted else ""
        return None, ignored + "the numpy backend has no levels"
    if not wanted:
        return levels[-1], "the highest level of this machine and build"
    if wanted not in levels:
        raise BackendError(
            f"MATFACT_SIMD={wanted!r} is not available here; valid values are {', '.join(levels)}"
        )
    return wanted, f"chosen by MATFACT_SIMD={wanted}"


_backend, _reason, _modules = _choose_backend(os.environ.get("MATFACT_BACKEND", "") or "auto")

if not TYPE_CHECKING:
    als = _modules["als"]
    bpr = _modules["bpr"]
    csr = _modules["csr"]
    drift = _modules["drift"]
    eigen = _modules["eigen"]
    gd = _modules["gd"]
    pairs = _modules["pairs"]
    products = _modules["products"]
    runtime = _modules["runtime"]
    sgd = _modules["sgd"]
    topn = _modules["topn"]
    vb = _modules["vb"]

_simd_level, _simd_reason = _choose_simd_level(
    os.environ.get("MATFACT_SIMD", ""), _backend, runtime.simd_levels()
)
if _simd_level is not None:
    for _name in _KERNELS:
        _modules[_name].set_simd_level(_simd_level)

if runtime.has_openmp() and hasattr(os, "register_at_fork"):
    os.register_at_fork(before=runtime.pause_threads)
