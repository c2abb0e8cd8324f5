"""Where HDF5 keeps the texts of attributes: "global heap collections", whose damage its library does not see.

A free space of no length keeps the library in a loop for ever, out of reach of Ctrl-C. So the collections are
walked here before any text is read.
"""

from __future__ import annotations

import io
import mmap
import os
import re
from typing import Any, BinaryIO

COLLECTION = re.compile(rb"GCOL\x01")  # and version 1, the only one
HEAD = 16  # bytes before the first object of a collection, and before each object's data
UNIT = 8  # objects take whole units


class Texts:
    """The collections of one file, looked at when the first text is read."""

    def __init__(self, file: str | os.PathLike[str] | BinaryIO, name: str):
        self._file, self._name, self._checked = file, name, False

    def check(self, opened: Any) -> None:
        """Walk the collections of the file, which h5py has opened.

        Raises:  ValueError for one that does not end where it says.
        """
        if self._checked:
            return
        if opened.id.get_create_plist().get_sizes() != (UNIT, UNIT):
            raise ValueError(f"{self._name} has addresses of other sizes than {UNIT} bytes.")
        if isinstance(self._file, io.BytesIO):
            self._walk(self._file.getbuffer())
        elif isinstance(self._file, (str, os.PathLike)):
            with open(self._file, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                self._walk(data)
        else:
            self._file.seek(0)
            self._walk(self._file.read())
        self._checked = True

    def _walk(self, data: Any) -> None:
        for found in COLLECTION.finditer(data):
            start = found.start()
            size = _whole(data, start + 8, 8)
            if start + size > len(data):
                continue  # the library refuses it, or it is no collection
            if not _ends(data, start, size):
                raise ValueError(f"{self._name} is damaged: its texts at byte {start} have no end.")


def _ends(data: Any, start: int, size: int) -> bool:
    at = HEAD
    while at + HEAD <= size:
        number, length = _whole(data, start + at, 2), _whole(data, start + at + 8, 8)
        at += HEAD + -(-length // UNIT) * UNIT if number else length
        if at > size or (number == 0 and length < HEAD):
            return False
    return True


def _whole(data: Any, at: int, count: int) -> int:
    return int.from_bytes(data[at : at + count], "little")
