"""Archives unpacked below a folder, whatever their members claim to be."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

FORMATS = ("tar", "zip")
EXECUTABLE = 0o100


def extract_archive(
    path: str | os.PathLike[str], folder: str | os.PathLike[str], formats: Any = "auto"
) -> bool:
    """Unpack a tar (.tar, .tar.gz, .tar.bz2, .tar.xz) or zip file into a folder; False if it is none of them.

    Files and folders are all that is made: a link becomes a copy of what it points to inside of the archive.
    Members that lie elsewhere, and links that lead elsewhere, are left out with a warning. The folder gets
    the files only when all of them could be unpacked; others in it stay.

    Args:    formats: "auto" for both, "tar", "zip", a list of these, or None for neither.
    Raises:  NotImplementedError for another format; tarfile.TarError, zipfile.BadZipFile, EOFError or
             OSError for a damaged archive, RuntimeError for an encrypted one.
    """
    names = FORMATS if formats == "auto" else [formats] if isinstance(formats, str) else formats or ()
    for name in names:
        if name not in FORMATS:
            raise NotImplementedError(
                f"archive_format={name!r} is not supported. Use 'tar', 'zip' or 'auto'."
            )
        if name == "tar" and tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                _unpack(_tar_members(tar), Path(folder))
            return True
        if name == "zip" and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                _unpack(_zip_members(archive), Path(folder))
            return True
    return False


Member = tuple[str, IO[bytes] | None, bool]  # its name; its bytes, None for a folder; may it be run?


def _tar_members(tar: tarfile.TarFile) -> Iterator[Member]:
    for info in tar:
        if info.isdir():
            yield info.name, None, False
            continue
        try:
            file = tar.extractfile(info)  # of a link: what it points to
        except KeyError:  # it is not in the archive
            file = None
        if file is None:
            _warn_of(info.name)
        else:
            yield info.name, file, bool(info.mode & EXECUTABLE)


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        name = info.filename
        yield name, None if info.is_dir() else archive.open(info), bool(info.external_attr >> 16 & EXECUTABLE)


def _warn_of(name: str) -> None:
    warnings.warn(f"Skipping invalid path during archive extraction: {name!r}.", stacklevel=2)


def _unpack(members: Iterator[Member], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        for name, file, executable in members:
            inner = _inner_path(name)
            if inner is None:
                _warn_of(name)
            elif file is None:
                (temporary / inner).mkdir(parents=True, exist_ok=True)
            else:
                _write(temporary / inner, file, executable)
        _merge(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _inner_path(name: str) -> Path | None:
    """A member's place below the folder; None if it would lie elsewhere."""
    parts = name.replace("\\", "/").split("/")
    if not name or name[0] in "/\\" or ".." in parts or ":" in parts[0] or "\0" in name:
        return None
    return Path(*(part for part in parts if part not in ("", ".")))


def _write(path: Path, file: IO[bytes], executable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(file), path.open("wb") as out:
        shutil.copyfileobj(file, out)
    if executable:
        path.chmod(path.stat().st_mode | 0o111)


def _merge(source: Path, target: Path) -> None:
    """Move all below one folder to the other; files of the same name are replaced."""
    if not target.exists():
        source.chmod(0o755)
        source.rename(target)
        return
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and place.is_dir() and not place.is_symlink():
            _merge(entry, place)
        else:
            entry.replace(place)
