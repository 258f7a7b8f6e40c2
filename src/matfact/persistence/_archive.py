"""The container of a model file: a zip of plain arrays (npz) with a JSON header as first member.

The header lists each array with its dtype and shape, so the header of an npy member follows from
it: what is read is compared with what is expected, byte by byte, and nothing in the file is ever
evaluated. Members are stored, not compressed, and their sizes must agree with the header and with
the size of the file before anything is allocated. ``numpy.load(path, allow_pickle=False)`` reads
the arrays too.
"""

from __future__ import annotations

import json
import math
import os
import re
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from matfact._version import __version__
from matfact.exceptions import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from zipfile import ZipFile, ZipInfo

    from numpy.typing import NDArray

__all__ = ["read_archive", "write_archive"]

FORMAT = "matfact-model"
FORMAT_VERSION = 1

HEADER = "header.json"
LARGEST_HEADER = 1 << 20
MOST_ARRAYS = 128
MOST_AXES = 4
AT_ONCE = 1 << 24
"""Bytes written or read between two chances to answer Ctrl-C."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
DTYPE = re.compile(
    r"<f[48]|<i[48]|<u8|\|u1|<U[1-9]\d{0,8}|\|S[1-9]\d{0,8}"
    r"|<[mM]8\[[1-9]?\d{0,5}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\]"
)


def write_archive(
    path: Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a file that appears whole or not at all.

    Raises
    ------
    OSError
        If writing fails; nothing is left behind, and an older file stays as it is.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no directory {path.parent}; create it first")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; give the name of a file")
    arrays = {name: _little_endian(array) for name, array in arrays.items()}
    listed = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
    text = json.dumps(
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "matfact": __version__,
            **header,
            "arrays": listed,
        },
        allow_nan=False,
        indent=1,
    )
    # In the same directory: os.replace is atomic within one file system only.
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        with temporary.open("xb") as stream:
            _write_members(stream, text.encode("ascii"), arrays)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_members(stream: BinaryIO, header: bytes, arrays: Mapping[str, NDArray[Any]]) -> None:
    from zipfile import ZipFile, ZipInfo  # noqa: PLC0415 (slow to import)

    if len(header) > LARGEST_HEADER:
        raise ValueError(f"the parameters of the model take {len(header)} bytes; shorten them")
    with ZipFile(stream, "w") as archive:
        # ZipInfo has a fixed date: equal models make equal files.
        archive.writestr(ZipInfo(HEADER), header)
        for name, array in arrays.items():
            with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                member.write(npy_header(array.dtype.str, array.shape))
                content = array.reshape(-1).view(np.uint8)
                for start in range(0, len(content), AT_ONCE):
                    member.write(content[start : start + AT_ONCE].data)


def read_archive(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the header and the arrays, in the byte order of this machine.

    Raises
    ------
    ModelFileError
        If the file is not of this format and version, or not whole.
    OSError
        If it cannot be opened.
    """
    from zipfile import ZipFile  # noqa: PLC0415 (slow to import)

    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            with ZipFile(stream) as archive:
                return _read_members(archive, size)
        except ModelFileError:
            raise
        except MemoryError:
            raise
        except Exception as error:  # zipfile has many, for each way to damage a file
            raise ModelFileError(f"it is damaged or no model file ({error})") from error


def _read_members(archive: ZipFile, size: int) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    members = {info.filename: info for info in archive.infolist()}
    is_stored = all(info.compress_type == 0 for info in members.values())
    total = sum(info.compress_size for info in members.values())
    if len(members) != len(archive.infolist()) or not is_stored or total > size:
        raise ModelFileError("it is no model file: its members are not laid out like those of one")
    if HEADER not in members:
        raise ModelFileError(f"it is no model file of matfact: it has no {HEADER}")
    header = _read_header(archive, members.pop(HEADER))
    listed = _listed_arrays(header)
    if set(members) != {f"{name}.npy" for name in listed}:
        odd = sorted(set(members) ^ {f"{name}.npy" for name in listed})
        raise ModelFileError(f"its members are not those of its header: {', '.join(odd[:5])}")
    arrays = {
        name: _read_array(archive, members[f"{name}.npy"], *described)
        for name, described in listed.items()
    }
    return header, arrays


def _read_header(archive: ZipFile, info: ZipInfo) -> dict[str, Any]:
    if info.file_size > LARGEST_HEADER:
        raise ModelFileError(f"its header has {info.file_size} bytes, which is too much")
    try:
        header = json.loads(archive.read(info).decode("ascii"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its header cannot be read ({error})") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ModelFileError(f"its header does not tell the format {FORMAT!r}")
    version = header.get("format_version")
    if type(version) is not int or version < 1:
        raise ModelFileError(f"its format_version is {version!r}, which is none")
    if version > FORMAT_VERSION:
        writer = str(header.get("matfact"))[:40]
        raise ModelFileError(
            f"it has format version {version}, written by matfact {writer}; this is matfact "
            f"{__version__}, which reads versions up to {FORMAT_VERSION}: install a newer matfact"
        )
    return header


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _listed_arrays(header: Mapping[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return dtype and shape of each array, as far as they could be those of a model."""
    table = header.get("arrays")
    if not isinstance(table, dict) or len(table) > MOST_ARRAYS:
        raise ModelFileError("its header does not list the arrays")
    listed: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, described in table.items():
        if not NAME.fullmatch(name) or not isinstance(described, list) or len(described) != 2:
            raise ModelFileError(f"its header lists an array {name[:70]!r} wrongly")
        descr, shape = described
        if not isinstance(descr, str) or not DTYPE.fullmatch(descr):
            raise ModelFileError(f"array {name} has dtype {str(descr)[:70]!r}, not one of a model")
        if (
            not isinstance(shape, list)
            or not 1 <= len(shape) <= MOST_AXES
            or not all(type(side) is int and 0 <= side < 2**62 for side in shape)
        ):
            raise ModelFileError(f"array {name} has a shape that is none")
        listed[name] = descr, tuple(shape)
    return listed


def _read_array(
    archive: ZipFile, info: ZipInfo, descr: str, shape: tuple[int, ...]
) -> NDArray[Any]:
    dtype = np.dtype(descr)
    start = npy_header(descr, shape)
    expected = len(start) + math.prod(shape) * dtype.itemsize
    if info.file_size != expected or info.compress_size != expected:
        raise ModelFileError(
            f"member {info.filename} has {info.file_size} bytes; the header tells {expected}"
        )
    array = np.empty(shape, dtype=dtype)
    content = array.reshape(-1).view(np.uint8)
    with archive.open(info) as opened:
        member: Any = opened  # typed without readinto
        if member.read(len(start)) != start:
            raise ModelFileError(f"member {info.filename} does not begin as the header tells")
        place = 0
        while place < len(content):
            n_read = member.readinto(content[place : place + AT_ONCE].data)
            if not n_read:
                raise ModelFileError(f"member {info.filename} ends too early")
            place += n_read
        member.read(1)  # at the end the checksum is compared
    return array.astype(dtype.newbyteorder("="), copy=False)


def npy_header(descr: str, shape: tuple[int, ...]) -> bytes:
    """Return the first bytes of an npy file, version 1.0, of an array in C order."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape!r}, }}"
    length = -(-(10 + len(text) + 1) // 64) * 64 - 10
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + f"{text:{length - 1}}\n".encode()


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
