"""Models in folders from strangers: files are read into memory, under fixed names, and nothing else is.

The three files of every model may be links, as huggingface_hub lays them out: what they point to is read as a
config or as weights, or refused. Assets may be anything, as a vocabulary is any text. A link among them would
put a file from elsewhere into the model, so it is refused. Where the metadata have checksums of the other
files, these must be those that were saved with them, and assets that are not among them, left by another
save, are passed over.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kcompile.saving import checksums
from kcompile.saving.safe_json import MAX_BYTES, parse, refused
from kcompile.saving.safe_zip import METADATA, REQUIRED, ModelArchive


class ModelFolder:
    """The parts of a model's folder, with the methods of a `ModelArchive`.

    Raises:  ValueError where one of the three files is missing, for files that were not saved together, and
             for assets that are links.
    """

    def __init__(self, path: Path):
        self.name = path.absolute().name
        self._path = path
        missing = [name for name in REQUIRED if not (path / name).is_file()]
        if missing:
            found = [f"{name} is a link to no file" for name in missing if (path / name).is_symlink()]
            received = ", ".join([f"no {', '.join(missing)}", *found])
            raise refused(self.name, received, f"the files {', '.join(REQUIRED)}")
        self._checksums: Mapping[str, Any] | None = None
        what = f"{self.name}: {METADATA}"
        self._checksums = checksums.listed(parse(self.read(METADATA, MAX_BYTES), what), what)

    def read(self, member: str, limit: int | None = None) -> bytes:
        """A file's bytes; at most `limit`."""
        with (self._path / member).open("rb") as file:
            data = file.read(-1 if limit is None else limit + 1)
        if limit is not None and len(data) > limit:
            raise refused(f"{self.name}: {member}", "more bytes", f"at most {limit:,}")
        if self._checksums is not None and member != METADATA:
            expected = self._checksums.get(member)
            checksums.check(zlib.crc32(data), expected, f"{self.name}: {member}", METADATA)
        return data

    def size(self, member: str) -> int:
        return (self._path / member).stat().st_size

    def below(self, place: str) -> Iterator[tuple[str, bytes]]:
        """(name below it, bytes) of each file below a place."""
        folder = self._path
        for part in place.split("/"):
            folder /= part
            self._refuse_link(folder)
        for file in sorted(folder.rglob("*")):
            self._refuse_link(file)
            name = f"{place}/{file.relative_to(folder).as_posix()}"
            if file.is_file() and (self._checksums is None or name in self._checksums):
                yield name.removeprefix(f"{place}/"), self.read(name)

    def _refuse_link(self, path: Path) -> None:
        if path.is_symlink():
            place = path.relative_to(self._path).as_posix()
            hint = "a file or a folder (`cp -rL` copies a folder with what its links point to)"
            raise refused(f"{self.name}: {place}", "it is a link", hint)


ModelParts = ModelArchive | ModelFolder
