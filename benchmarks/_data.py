"""Fetch public ratings for benchmarks and tests, and print where MovieLens 100K is.

Run ``python benchmarks/_data.py``. The files come out of Python packages that hold them as
examples, by ``pip download``: MovieLens 100K with its items and users out of the wheel of recbole
1.2.1, another hundred thousand ratings out of the source distribution of scikit-fusion 0.2.1. The
SHA-256 of each file is checked, and a copy is kept in ``$XDG_CACHE_HOME/matfact`` (by default
``~/.cache/matfact``). Neither package is installed; pip runs the set-up script of scikit-fusion, as
it does for every source distribution.

Licence: both sets belong to GroupLens Research at the University of Minnesota. They are free for
research; they may not be redistributed without permission nor used commercially, so they are never
committed here. Cite: F. M. Harper and J. A. Konstan (2015), "The MovieLens Datasets: History and
Context", ACM Transactions on Interactive Intelligent Systems 5(4), 19:1-19:19.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DataError",
    "cache_directory",
    "movielens_100k",
    "movielens_100k_items",
    "movielens_100k_users",
    "scikit_fusion_ratings",
]

SECONDS_FOR_DOWNLOAD = 300.0


@dataclass(frozen=True)
class Archive:
    """A distribution on the package index, and the files of it that are wanted.

    Parameters
    ----------
    requirement : str
        Name and version, as pip takes them.
    kind : {"wheel", "sdist"}
    files : mapping of str to (str, str)
        For each name in the cache where the file is in the archive, and its SHA-256.
    """

    requirement: str
    kind: str
    files: Mapping[str, tuple[str, str]]


RECBOLE = Archive(
    requirement="recbole==1.2.1",
    kind="wheel",
    files={
        "ml-100k.inter": (
            "recbole/dataset_example/ml-100k/ml-100k.inter",
            "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
        ),
        "ml-100k.item": (
            "recbole/dataset_example/ml-100k/ml-100k.item",
            "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        ),
        "ml-100k.user": (
            "recbole/dataset_example/ml-100k/ml-100k.user",
            "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
        ),
    },
)
SCIKIT_FUSION = Archive(
    requirement="scikit-fusion==0.2.1",
    kind="sdist",
    files={
        "scikit-fusion-ratings.csv.gz": (
            "scikit-fusion-0.2.1/skfusion/datasets/data/movielens/ratings.csv.gz",
            "d655bc3083ba69dbb44fe6d7515731637e611271d23505618deb7c4f81f6824e",
        )
    },
)


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
    return _checked_path(RECBOLE, "ml-100k.inter")


def movielens_100k_items() -> Path:
    """Return the path of ``ml-100k.item``, downloading it if the cache does not have it.

    The file is tab-separated with a header, UTF-8: item, title, year of release, genres (18 and
    ``unknown``, one or several with spaces between them); 1682 rows. Two years are not numbers.

    Returns
    -------
    pathlib.Path
        A file whose SHA-256 has been checked.

    Raises
    ------
    DataError
        If the download fails or the content is not the expected one.
    """
    return _checked_path(RECBOLE, "ml-100k.item")


def movielens_100k_users() -> Path:
    """Return the path of ``ml-100k.user``, downloading it if the cache does not have it.

    The file is tab-separated with a header: user, age in years, gender (F or M), occupation (one of
    21), postal code; 943 rows.

    Returns
    -------
    pathlib.Path
        A file whose SHA-256 has been checked.

    Raises
    ------
    DataError
        If the download fails or the content is not the expected one.
    """
    return _checked_path(RECBOLE, "ml-100k.user")


def scikit_fusion_ratings() -> Path:
    """Return the path of scikit-fusion's ratings, downloading them if the cache does not.

    The file is comma-separated with a header, compressed by gzip: userId, movieId, rating (0.5 to
    5, half stars), timestamp; 100,023 rows of 706 users and 8552 items. A second set, for choices
    that MovieLens 100K is to judge.

    Returns
    -------
    pathlib.Path
        A file whose SHA-256 has been checked.

    Raises
    ------
    DataError
        If the download fails or the content is not the expected one.
    """
    return _checked_path(SCIKIT_FUSION, "scikit-fusion-ratings.csv.gz")


def cache_directory() -> Path:
    """Return the directory for what is fetched or kept between runs; it may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "matfact"


def _checked_path(archive: Archive, name: str) -> Path:
    """Return the file's place in the cache; a download brings all files of its archive there."""
    path = cache_directory() / name
    if path.is_file() and _sha256(path.read_bytes()) == archive.files[name][1]:
        return path
    contents = _download(archive)
    for one, (place, expected) in archive.files.items():
        found = _sha256(contents[one])
        if found != expected:
            raise DataError(
                f"{place} of {archive.requirement} has SHA-256 {found}, expected {expected}"
            )
    for one, content in contents.items():
        _write(cache_directory() / one, content)
    return path


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Several processes may fetch at the same time: each writes its own file, the last one stays.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _download(archive: Archive) -> dict[str, bytes]:
    """Download a distribution to a temporary directory and take its files out of it."""
    only = "--only-binary" if archive.kind == "wheel" else "--no-binary"
    # To read the name of a source distribution pip may need build tools, and those as wheels: the
    # one package is named, not :all:.
    of_what = ":all:" if archive.kind == "wheel" else archive.requirement.split("==")[0]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += [only, of_what, "--dest", folder, archive.requirement]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=SECONDS_FOR_DOWNLOAD,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DataError(f"downloading {archive.requirement} took too long: {error}") from error
        found = list(Path(folder).glob("*.whl" if archive.kind == "wheel" else "*.tar.gz"))
        if done.returncode != 0 or not found:
            reason = done.stderr.strip() or "pip gave no reason"
            raise DataError(f"downloading {archive.requirement} failed: {reason}")
        try:
            return _members(found[0], archive)
        except (zipfile.BadZipFile, tarfile.TarError, KeyError) as error:
            raise DataError(f"{archive.requirement} is not what it was: {error}") from error


def _members(path: Path, archive: Archive) -> dict[str, bytes]:
    """Read the wanted files of a downloaded archive."""
    if archive.kind == "wheel":
        with zipfile.ZipFile(path) as wheel:
            return {name: wheel.read(place) for name, (place, _) in archive.files.items()}
    contents = {}
    with tarfile.open(path) as sdist:
        for name, (place, _) in archive.files.items():
            stream = sdist.extractfile(place)
            if stream is None:
                raise KeyError(f"{place} is not a file")
            contents[name] = stream.read()
    return contents


if __name__ == "__main__":
    try:
        print(movielens_100k())
    except DataError as error:
        sys.exit(f"{error}")
