"""Files that layers keep in a .keras archive beside their weights, as vocabularies: `assets/<path>/...`.

A layer with `save_assets(folder)` writes any files into a folder, and one with `load_assets(folder)` reads
them again. The folders are temporary: what an archive names is looked for in the archive, and nowhere else.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kcompile.saving.safe_zip import ModelArchive
from kcompile.saving.state import holders

FOLDER = "assets"


def write_assets(model: Any, archive: zipfile.ZipFile) -> None:
    """Put the assets of all layers into an archive that is being written."""
    for _, place, file in assets(model):
        archive.write(file, place)


def assets(model: Any) -> Iterator[tuple[Any, str, Path]]:
    """The files that layers keep: whose each is, its place in an archive, and where it lies for a moment."""
    for path, holder in holders(model):
        if not hasattr(holder, "save_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            holder.save_assets(folder)
            for file in sorted(Path(folder).rglob("*")):
                if file.is_file():
                    yield holder, "/".join([*_place(path), *file.relative_to(folder).parts]), file


def read_assets(model: Any, archive: ModelArchive) -> None:
    """Give all layers the assets that an archive holds for them."""
    for path, holder in holders(model):
        if hasattr(holder, "load_assets"):
            with _unpacked(archive, _place(path)) as folder:
                holder.load_assets(folder)


def _place(path: str) -> list[str]:
    return [FOLDER, *(part for part in path.split("/") if part)]


@contextmanager
def _unpacked(archive: ModelArchive, place: list[str]) -> Iterator[str]:
    """A temporary folder with the files below a place of an archive, whose names were checked."""
    with tempfile.TemporaryDirectory() as folder:
        for member in archive.members:
            parts = member.filename.split("/")
            if parts[: len(place)] != place or member.is_dir():
                continue
            target = Path(folder, *parts[len(place) :])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(member.filename))
        yield folder
