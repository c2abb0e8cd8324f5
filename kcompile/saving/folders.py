"""Models as folders, `save(zipped=False)`: the members of a `.keras` file as files of their own."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from kcompile.core.files import replacing
from kcompile.saving import keras_file


def write_folder(model: Any, path: Path) -> None:
    """Write a model into a folder, which is made. Each file takes the place of an older one as a whole."""
    if path.suffix == ".keras":
        raise ValueError(
            "When using `zipped=False`, the `filepath` argument should not end in `.keras`. Received: "
            f"filepath={path}"
        )
    with tempfile.TemporaryFile() as file:
        keras_file.write_model(model, file)
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                target = path / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, replacing(target) as copy:
                    shutil.copyfileobj(source, copy)


@contextmanager
def zipped(path: Path) -> Iterator[BinaryIO]:
    """The files of a folder as a `.keras` file, whose reader trusts nothing. Links are left out."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w") as archive:
            for part in sorted(path.rglob("*")):
                if part.is_file() and not part.is_symlink():
                    archive.write(part, part.relative_to(path))
        file.seek(0)
        yield file
