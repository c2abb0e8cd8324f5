"""Arrays of a known shape read from an .npz file that nobody vouches for."""

from __future__ import annotations

import io
import os
import zipfile
import zlib

import numpy as np
from numpy.lib import format as npy

HEADER = 4096  # bytes: more than any header of a plain array needs


def read_npz(path: str | os.PathLike[str], shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """The uint8 arrays `shapes` names, from a .npz file.

    Sizes are checked before anything is unpacked or allocated, so a small file that claims gigabytes is
    refused; nothing is unpickled.

    Raises:  ValueError if the file is no .npz or an array is missing or has another shape or dtype.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _read(archive, name, shape) for name, shape in shapes.items()}
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError, RuntimeError) as error:
        raise ValueError(f"{os.fspath(path)}: not the .npz file expected: {error}") from error


def _read(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...]) -> np.ndarray:
    member = archive.getinfo(f"{name}.npy")
    count = int(np.prod(shape))
    if not count <= member.file_size <= count + HEADER:
        raise ValueError(f"{name!r} unpacks to {member.file_size} bytes, expected about {count}")
    stream = io.BytesIO(archive.read(member))
    version = npy.read_magic(stream)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    found, fortran, dtype = read_header(stream, max_header_size=HEADER)
    if found != shape or fortran or dtype != np.uint8:
        raise ValueError(f"{name!r} is {dtype}{list(found)}, expected uint8{list(shape)}")
    return np.frombuffer(stream.getbuffer()[stream.tell() :], np.uint8, count).reshape(shape).copy()
