"""Fetch MovieLens 100K for benchmarks and tests, and print where it is.

Run ``python benchmarks/_data.py``. The ratings come out of the wheel of recbole 1.2.1, which holds
them as an example, by ``pip download``; the SHA-256 of the file is checked, and a copy is kept in
``$XDG_CACHE_HOME/matfact`` (by default ``~/.cache/matfact``). Nothing of recbole is installed.

Licence: the data set belongs to GroupLens Research at the University of Minnesota. It is free for
research; it may not be redistributed without permission nor used commercially, so it is never
committed here. Cite: F. M. Harper and J. A. Konstan (2015), "The MovieLens Datasets: History and
Context", ACM Transactions on Interactive Intelligent Systems 5(4), 19:1-19:19.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENT = "recbole==1.2.1"
MEMBER = "recbole/dataset_example/ml-100k/ml-100k.inter"
SHA256 = "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff"

SECONDS_FOR_DOWNLOAD = 120.0


class DataError(RuntimeError):
    """The data set cannot be had, for example without a network."""


def movielens_100k() -> Path:
    """Return the path of ``ml-100k.inter``, downloading it if the cache does not have it.

    The file is tab-separated with a header: user, item, rating (1 to 5), timestamp; 100,000 rows.
    Its rows in blocks of 20,000 are the official test sets u1 to u5.

    Returns
    -------
    pathlib.Path
        A file whose SHA-256 has been checked.

    Raises
    ------
    DataError
        If the download fails or the content is not the expected one.
    """
    path = _cache_directory() / "ml-100k.inter"
    if path.is_file() and _sha256(path.read_bytes()) == SHA256:
        return path
    content = _download()
    found = _sha256(content)
    if found != SHA256:
        raise DataError(f"{MEMBER} of {REQUIREMENT} has SHA-256 {found}, expected {SHA256}")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Several processes may fetch at the same time: each writes its own file, the last one stays.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "matfact"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _download() -> bytes:
    """Download the wheel to a temporary directory and take the one member out of it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary", ":all:", "--dest", folder, REQUIREMENT]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=SECONDS_FOR_DOWNLOAD,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DataError(f"downloading {REQUIREMENT} took too long: {error}") from error
        wheels = list(Path(folder).glob("recbole-*.whl"))
        if done.returncode != 0 or not wheels:
            reason = done.stderr.strip() or "pip gave no reason"
            raise DataError(f"downloading {REQUIREMENT} failed: {reason}")
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                return wheel.read(MEMBER)
        except (zipfile.BadZipFile, KeyError) as error:
            raise DataError(f"the wheel of {REQUIREMENT} has no {MEMBER}: {error}") from error


if __name__ == "__main__":
    try:
        print(movielens_100k())
    except DataError as error:
        sys.exit(f"{error}")
