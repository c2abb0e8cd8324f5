"""Bytes that are those that were written, and files that were written together.

A process that is killed while it renames several files leaves some new ones and some old ones, each of them
whole. The one that is renamed first holds the checksums of the others, so that a mixture is noticed, also one
with files that know of no checksums. A file that is alone has its own before its data. CRC-32, as in zip
archives: against accidents, not against attacks.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

from kcompile.core.errors import message
from kcompile.saving.safe_json import refused

KEY = "checksums"  # in the JSON of the file that is renamed first: numbers by names of files
BLOCK = 1 << 20
ROOM = 512  # bytes that HDF5 leaves to others before its data, at least
MARK = b"kcompile CRC-32 of what follows: "


def checksum(file: BinaryIO, start: int = 0) -> int:
    """Of the bytes of a file, from `start` on."""
    file.seek(start)
    found = 0
    while block := file.read(BLOCK):
        found = zlib.crc32(block, found)
    return found


def listed(notes: Any, name: str) -> Mapping[str, Any] | None:
    """The checksums that a JSON object holds; None where it holds none, as Keras writes it.

    Raises:  ValueError for anything else at their place.
    """
    found = notes.get(KEY) if isinstance(notes, dict) else None
    if found is not None and not isinstance(found, dict):
        raise refused(f"{name}: {KEY}", f"a {type(found).__name__}", "numbers by names of files")
    return found


def check(found: int, expected: Any, what: str, by: str) -> None:
    """Compare a file's checksum with what another file, `by`, says of it.

    Raises:  ValueError where they differ.
    """
    if found != expected:
        raise ValueError(
            message(
                f"{what} is not the file that was saved together with {by}.",
                expected=f"the checksum {expected}",
                received=f"{found}",
                hint="a save that was interrupted, or a changed file: save again; if the file was changed on "
                f"purpose, take {KEY!r} out of {by}",
            )
        )


def seal(file: BinaryIO) -> None:
    """Write the checksum of an HDF5 file into the room before its data."""
    text = MARK + b"%08x\n" % checksum(file, ROOM)
    file.seek(0)
    file.write(text)


def check_seal(path: str | os.PathLike[str]) -> None:
    """Compare a file's bytes with its seal, if it has one.

    Raises:  ValueError where they differ.
    """
    with open(path, "rb") as file:
        head = file.read(len(MARK) + 8)
        if head.startswith(MARK) and head != MARK + b"%08x" % checksum(file, ROOM):
            raise ValueError(
                message(
                    f"{os.path.basename(path)} is damaged: its checksum is not that of its bytes.",
                    hint="delete it to begin anew",
                )
            )
