"""Zip archives from strangers: members are read into memory, under fixed names, and never extracted."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from typing import BinaryIO

from kcompile.saving.safe_json import refused

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
REQUIRED = (METADATA, CONFIG, WEIGHTS)
MAX_RATIO = 100  # uncompressed size over compressed size, of a member
MAX_MEMBERS = 10_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
LOCAL_HEADER = 30  # bytes before a member's name


class ModelArchive:
    """The parts of a .keras file.

    Raises:  ValueError for anything but a plain archive: damaged, encrypted, links, odd or duplicate names,
             members that overlap or that claim to be far larger than what is stored.
    """

    def __init__(self, file: BinaryIO, name: str):
        self.name = name
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ValueError(f"{name} is not a .keras file, or is damaged: {error}") from error
        self.members = self._zip.infolist()
        self._check()

    def read(self, member: str, limit: int | None = None) -> bytes:
        """A member's bytes; at most `limit`."""
        info = self._zip.getinfo(member)
        if limit is not None and info.file_size > limit:
            raise refused(f"{self.name}: {member}", f"{info.file_size:,} bytes", f"at most {limit:,}")
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
            raise ValueError(f"{self.name}: {member} is damaged: {error}") from error
        except Exception as error:  # zlib.error has no common base
            raise ValueError(f"{self.name}: {member} cannot be decompressed: {error}") from error

    def size(self, member: str) -> int:
        return self._zip.getinfo(member).file_size

    def below(self, place: str) -> Iterator[tuple[str, bytes]]:
        """(name below it, bytes) of each file below a place."""
        for info in self.members:
            if info.filename.startswith(f"{place}/") and not info.is_dir():
                yield info.filename.removeprefix(f"{place}/"), self.read(info.filename)

    def _check(self) -> None:
        if len(self.members) > MAX_MEMBERS:
            raise refused(self.name, f"{len(self.members):,} members", f"at most {MAX_MEMBERS:,}")
        names: set[str] = set()
        for info in self.members:
            if info.filename in names:
                raise refused(self.name, f"the member {info.filename[:80]!r} twice", "each member once")
            names.add(info.filename)
        for info in self.members:
            self._check_member(info)
        self._check_overlap()
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            raise refused(self.name, f"no {', '.join(missing)}", f"the members {', '.join(REQUIRED)}")

    def _check_member(self, info: zipfile.ZipInfo) -> None:
        what = f"{self.name}: member {info.filename[:80]!r}"
        if info.filename not in REQUIRED and not _is_asset(info.filename):
            raise refused(what, "another name", f"{', '.join(REQUIRED)} or assets/...")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) and not (info.is_dir() and kind == stat.S_IFDIR):
            raise refused(what, "a link or device", "a regular file")
        if info.flag_bits & ENCRYPTED or info.compress_type not in METHODS:
            raise refused(what, "encryption or another compression", "stored or deflated members")
        if info.file_size > MAX_RATIO * max(info.compress_size, 1):
            stated = f"{info.file_size:,} bytes out of {info.compress_size:,}"
            raise refused(what, stated, f"at most {MAX_RATIO} times what is stored")

    def _check_overlap(self) -> None:
        end = 0
        for info in sorted(self.members, key=lambda i: i.header_offset):
            if info.header_offset < end:
                raise refused(self.name, f"{info.filename!r} overlaps another member", "members side by side")
            end = info.header_offset + LOCAL_HEADER + len(info.filename.encode()) + info.compress_size


def _is_asset(name: str) -> bool:
    parts = name.rstrip("/").split("/")
    return (
        parts[0] == "assets"
        and "\\" not in name
        and ":" not in name
        and name.isprintable()
        and all(part not in ("", ".", "..") for part in parts)
    )
