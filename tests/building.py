"""Run a build of the package and look at what it left."""

import os
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
NOT_SOURCE = shutil.ignore_patterns(
    "build", "dist", "*.so", "*.pyd", "*.egg-info", "__pycache__", ".*", "not_built.txt"
)


@dataclass
class Build:
    """What a build printed and what it left."""

    returncode: int
    output: str
    folder: Path

    @property
    def wheel(self):
        (path,) = self.folder.glob("*.whl")
        return path

    @property
    def tag(self):
        return self.wheel.stem.split("-", maxsplit=2)[2]

    @property
    def names(self):
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.namelist()

    @property
    def libraries(self):
        return sorted(n for n in self.names if n.endswith((".so", ".pyd", ".dll")))

    def unpack(self, folder):
        with zipfile.ZipFile(self.wheel) as archive:
            archive.extractall(folder)
        return folder


def environment(**settings):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MATFACT_", "PYTHON"))}
    return inherited | settings


def run_command(arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )


def kernel_sources(source):
    return sorted((source / "src" / "matfact" / "kernels").rglob("*.pyx"))


def module_names(source):
    """The compiled modules of a whole build: the kernels, and what they share."""
    return {path.stem for path in kernel_sources(source)} | {"_memoryviews"}


def compiler_without(option, folder):
    """A C compiler that fails when it gets `option`."""
    script = folder / "cc"
    script.write_text(
        f'#!/bin/sh\nfor word in "$@"; do [ "$word" = "{option}" ] && exit 1; done\nexec cc "$@"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)
