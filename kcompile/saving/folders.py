"""Models as folders, `save(zipped=False)`: the members of a `.keras` file as files of their own."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kcompile.core.files import replacing_all
from kcompile.saving import checksums, keras_file
from kcompile.saving.safe_zip import METADATA


def write_folder(model: Any, path: Path) -> None:
    """Write a model into a folder, which is made.

    Each file takes the place of an older one as a whole, and none does before all are written: a save that
    fails leaves the model that was there. A process that is killed while it renames them, one after
    the other, leaves a mixture of both, which is refused when it is loaded: the metadata, which come first,
    have the checksums of the others. A `.keras` file cannot be mixed.
    """
    if path.suffix == ".keras":
        raise ValueError(
            "When using `zipped=False`, the `filepath` argument should not end in `.keras`. Received: "
            f"filepath={path}"
        )
    with tempfile.TemporaryFile() as file:
        keras_file.write_model(model, file)
        with zipfile.ZipFile(file) as archive:
            others = {info.filename: info.CRC for info in archive.infolist() if info.filename != METADATA}
            with _folders_of([path / name for name in others]), replacing_all() as writing:
                for name in others:
                    with archive.open(name) as source, writing(path / name) as copy:
                        shutil.copyfileobj(source, copy)
                metadata = {**json.loads(archive.read(METADATA)), checksums.KEY: others}
                with writing(path / METADATA) as copy:
                    copy.write(json.dumps(metadata).encode())


@contextmanager
def _folders_of(files: list[Path]) -> Iterator[None]:
    """Make the folders that files need; those that are empty when the block fails are gone again."""
    missing = sorted({folder for file in files for folder in file.parents if not folder.is_dir()})
    try:
        for folder in missing:
            folder.mkdir(exist_ok=True)
        yield
    except BaseException:
        for folder in reversed(missing):
            with suppress(OSError):
                folder.rmdir()
        raise
