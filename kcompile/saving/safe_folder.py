"""Models in folders from strangers: files are read into memory, under fixed names, and nothing else is.

The three files of every model may be links, as huggingface_hub lays them out: what they point to is read as a
config or as weights, or refused. Assets may be anything, as a vocabulary is any text. A link among them would
put a file from elsewhere into the model, so it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kcompile.saving.safe_json import refused
from kcompile.saving.safe_zip import REQUIRED, ModelArchive


class ModelFolder:
    """The parts of a model's folder, with the methods of a `ModelArchive`.

    Raises:  ValueError where one of the three files is missing, and for assets that are links.
    """

    def __init__(self, path: Path):
        self.name = path.absolute().name
        self._path = path
        missing = [name for name in REQUIRED if not (path / name).is_file()]
        if missing:
            found = [f"{name} is a link to no file" for name in missing if (path / name).is_symlink()]
            received = ", ".join([f"no {', '.join(missing)}", *found])
            raise refused(self.name, received, f"the files {', '.join(REQUIRED)}")

    def read(self, member: str, limit: int | None = None) -> bytes:
        """A file's bytes; at most `limit`."""
        with (self._path / member).open("rb") as file:
            data = file.read(-1 if limit is None else limit + 1)
        if limit is not None and len(data) > limit:
            raise refused(f"{self.name}: {member}", "more bytes", f"at most {limit:,}")
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
            if file.is_file():
                yield file.relative_to(folder).as_posix(), file.read_bytes()

    def _refuse_link(self, path: Path) -> None:
        if path.is_symlink():
            place = path.relative_to(self._path).as_posix()
            hint = "a file or a folder (`cp -rL` copies a folder with what its links point to)"
            raise refused(f"{self.name}: {place}", "it is a link", hint)


ModelParts = ModelArchive | ModelFolder
