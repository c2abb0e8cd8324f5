"""Models as folders, `save(zipped=False)`: the members of a `.keras` file as files of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from kcompile.core.files import replacing
from kcompile.saving import keras_file
from kcompile.saving.safe_zip import REQUIRED


def write_folder(model: Any, path: Path) -> None:
    """Write a model into a folder, which is made.

    Each file takes the place of an older one as a whole, and none does before all are written: a disk that
    is full leaves the model that was there.
    """
    if path.suffix == ".keras":
        raise ValueError(
            "When using `zipped=False`, the `filepath` argument should not end in `.keras`. Received: "
            f"filepath={path}"
        )
    with tempfile.TemporaryFile() as file:
        keras_file.write_model(model, file)
        with zipfile.ZipFile(file) as archive, ExitStack() as written:
            for member in archive.infolist():
                target = path / member.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                copy = written.enter_context(replacing(target))
                with archive.open(member) as source:
                    shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())  # some file systems tell only now that there is no room


@contextmanager
def zipped(path: Path) -> Iterator[BinaryIO]:
    """A model's files in a folder as a `.keras` file, whose reader trusts nothing.

    Links are left out, and so is what else lies there, as in Keras: a README, or what a process left that was
    killed while it wrote.
    """
    assets = path / "assets"
    found = [] if assets.is_symlink() else sorted(assets.rglob("*"))
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", strict_timestamps=False) as archive:
            for part in [*(path / name for name in REQUIRED), *found]:
                if part.is_file() and not part.is_symlink():
                    archive.write(part, part.relative_to(path))
        file.seek(0)
        yield file
