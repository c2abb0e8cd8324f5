"""Arrays that data sets keep as pickles, read without running anything that a pickle may name."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
import zlib
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from kcompile.datasets.arrays import HEADER

# What arrays are made of, by all names that NumPy has given it: nothing else is ever looked up.
ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
}
MAX_MEMBER = 1 << 30  # bytes of an unpacked array


class ArrayUnpickler(pickle.Unpickler):
    """Builds arrays, lists, dicts, texts and numbers.

    Raises:  pickle.UnpicklingError for anything else that the pickle names.
    """

    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"refusing {module}.{name}: only arrays are read") from None


def load_pickle(file: IO[bytes], encoding: str = "ASCII") -> Any:
    """What a pickle of arrays and plain data holds.

    Raises:  ValueError for anything else.

    >>> load_pickle(io.BytesIO(pickle.dumps({"a": [1, 2]})))
    {'a': [1, 2]}
    """
    try:
        return ArrayUnpickler(file, encoding=encoding).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise ValueError(f"not a pickle of arrays: {error}") from error


def load_npz(path: str | os.PathLike[str], names: tuple[str, ...]) -> list[np.ndarray]:
    """These arrays of an .npz file; arrays of objects may hold lists of numbers.

    Raises:  ValueError for a file that is damaged or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [_member(archive, f"{name}.npy") for name in names]
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError, RuntimeError) as error:
        raise ValueError(f"{os.fspath(path)}: not the .npz file expected: {error}") from error


def _member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    info = archive.getinfo(name)
    if info.file_size > MAX_MEMBER:
        raise ValueError(f"{name} unpacks to {info.file_size} bytes")
    stream = io.BytesIO(archive.read(info))
    version = npy.read_magic(stream)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(stream, max_header_size=HEADER)
    if dtype.hasobject:
        found = load_pickle(stream)
        if not isinstance(found, np.ndarray) or found.shape != shape:
            raise ValueError(f"{name} holds something other than its header says")
        return found
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > info.file_size:
        raise ValueError(f"{name} claims the shape {shape} in {info.file_size} bytes")
    stream.seek(0)
    return npy.read_array(stream, allow_pickle=False)
