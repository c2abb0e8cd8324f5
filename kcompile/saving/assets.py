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

from kcompile.saving.safe_folder import ModelParts
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
                    yield holder, f"{_place(path)}/{file.relative_to(folder).as_posix()}", file


def read_assets(model: Any, parts: ModelParts) -> None:
    """Give all layers the assets that an archive or a folder holds for them; nothing else is looked at."""
    for path, holder in holders(model):
        if hasattr(holder, "load_assets"):
            place = _place(path)
            with _unpacked(parts, place) as folder:
                try:
                    holder.load_assets(folder)
                except ValueError as error:
                    raise ValueError(f"{parts.name}: {place}: {error}") from error


def _place(path: str) -> str:
    return f"{FOLDER}/{path}".rstrip("/")


@contextmanager
def _unpacked(parts: ModelParts, place: str) -> Iterator[str]:
    """A temporary folder with the files below a place, whose names were checked."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in parts.below(place):
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        yield folder
