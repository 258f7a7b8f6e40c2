"""Run Python code in a fresh process that imports the installed package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import matfact

PACKAGE = Path(matfact.__file__).parent

COMPILED = any(
    path.name == f"gd{suffix}" for suffix in EXTENSION_SUFFIXES for path in PACKAGE.rglob("gd.*")
)
"""Whether the installed package holds compiled kernels (not whether they load)."""

needs_compiled = pytest.mark.skipif(
    not COMPILED, reason="this installation has no compiled kernels"
)
needs_pure = pytest.mark.skipif(COMPILED, reason="this installation has compiled kernels")

BACKENDS = [pytest.param("cython", marks=needs_compiled), "numpy"]

# What a shell runs in the background ignores SIGINT, and so would the processes that tests start
# and interrupt. A handler, unlike the wish to ignore, is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Settings of the surrounding job that would change what a test sees.
_SETTINGS = ("MATFACT_", "OMP_", "GOMP_", "KMP_", "PYTHON")


def run_python(code, *arguments, timeout=60, path=None, **environment):
    """Run `code` with the given environment variables and return the CompletedProcess.

    ``path`` is put before the installed packages on the import path. Warnings are errors unless
    ``PYTHONWARNINGS`` says otherwise, as they are in the suite itself.
    """
    variables = {k: v for k, v in os.environ.items() if not k.startswith(_SETTINGS)}
    variables |= {"PYTHONWARNINGS": "error", "PYTHONDONTWRITEBYTECODE": "1"}
    if path is not None:
        variables["PYTHONPATH"] = str(path)
    variables |= environment
    with tempfile.TemporaryDirectory() as folder:  # not the checkout: nothing there is imported
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=variables,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def output_of(code, *arguments, **options):
    """Run `code` as `run_python` does, demand success, and return what it printed."""
    result = run_python(code, *arguments, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()
