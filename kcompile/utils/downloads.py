"""Files fetched once and kept in the cache folder, as ``keras.utils.get_file``."""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit
from urllib.request import urlopen

TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 18


def cache_home() -> Path:
    """The folder of downloaded files: $KCOMPILE_HOME, else $KERAS_HOME, else ~/.keras (shared with Keras).

    >>> cache_home().is_absolute()
    True
    """
    folder = os.environ.get("KCOMPILE_HOME") or os.environ.get("KERAS_HOME") or "~/.keras"
    return Path(folder).expanduser().absolute()


def get_file(
    fname: str | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """The path of a file from the web, downloaded unless the cache holds it.

    With a hash, a cached file is used only if it matches, and a download is kept only if it matches. A
    partial or failed download leaves no file and never touches an earlier one.

    Args:    fname: the name in the cache, not a path; by default the name in the URL. origin: the URL; plain
             http only together with a SHA-256. file_hash: hexadecimal SHA-256 or MD5. hash_algorithm: "auto",
             "sha256" or "md5". cache_subdir: below `cache_dir`, unless it is absolute. cache_dir: by default
             `cache_home()`. extract: unpack the file, as of `archive_format`: "auto", "tar", "zip", a list of
             these or None. untar: unpack it, a tar file. Members of an archive that lie outside of it, and
             links that lead there, are left out with a warning.
    Returns: the path, a str. Of an archive that is unpacked that of its folder: `fname` up to the first dot
             and "_extracted", or all of a name without dots, or of the name in the URL.
    Raises:  ConnectionError if the download fails; ValueError if its hash is another than `file_hash`, and
             for a `fname` that is a path.
    """
    if origin is None:
        raise ValueError("get_file: give `origin`, the URL to download from")
    check = Check.of(file_hash or md5_hash, "md5" if md5_hash and not file_hash else hash_algorithm)
    folder = Path(cache_dir or cache_home()).expanduser() / cache_subdir
    name = _file_name(os.fspath(fname) if fname else Path(urlsplit(origin).path).name)
    target, unpacked = folder / name, folder / name
    if extract or untar:
        if fname and "." in name:
            unpacked = folder / f"{name.partition('.')[0]}_extracted"
        else:
            target = folder / f"{name}_archive"
    if force_download or not (target.is_file() and (check is None or check.accepts(target))):
        folder.mkdir(parents=True, exist_ok=True)
        download(origin, target, check)
    if extract or untar:
        from kcompile.utils.archives import extract_archive  # here: loads tarfile and zipfile

        if not extract_archive(target, unpacked, "tar" if untar else archive_format):
            warnings.warn("Could not extract archive.", stacklevel=2)
    return str(unpacked)


class Check:
    """A hash that a file must have."""

    def __init__(self, algorithm: str, digest: str):
        self.algorithm, self.digest = algorithm, digest.lower()

    @classmethod
    def of(cls, digest: str | None, algorithm: str = "auto") -> Check | None:
        if digest is None:
            return None
        if algorithm == "auto":
            algorithm = "sha256" if len(digest) == 64 else "md5"
        if algorithm not in ("sha256", "md5"):
            raise ValueError(f"get_file: `hash_algorithm` is {algorithm!r}, not 'auto', 'sha256' or 'md5'")
        return cls(algorithm, digest)

    def accepts(self, path: Path) -> bool:
        return file_digest(path, self.algorithm) == self.digest


def file_digest(path: str | os.PathLike[str], algorithm: str = "sha256") -> str:
    """The hexadecimal hash of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def download(origin: str, target: Path, check: Check | None) -> None:
    """Download `origin` to a temporary file, which moves to `target` only when whole and right."""
    hashed = check is not None and check.algorithm == "sha256"
    is_here = urlsplit(origin).scheme == "file"  # of this machine: nobody between could change it
    if not is_here:
        _check_scheme(origin, hashed)
    with _temporary_beside(target) as (file, temporary):
        try:
            with urlopen(origin, timeout=TIMEOUT) as response:
                if not is_here:
                    _check_scheme(response.geturl(), hashed)  # after redirects
                _copy_with_progress(response, file, origin)
        except (OSError, HTTPException) as error:  # URLErrors and timeouts are OSErrors
            reason = getattr(error, "reason", error)
            raise ConnectionError(f"could not download {origin}: {reason}") from error
        file.close()
        if check is not None and not check.accepts(temporary):
            raise ValueError(
                f"{origin}: the {check.algorithm} hash of the downloaded file is not {check.digest}; "
                "it is damaged or another file, and was not kept"
            )
        temporary.replace(target)


def _file_name(name: str) -> str:
    if not name or name in (".", "..") or any(mark in name for mark in "/\\\0"):
        raise ValueError(f"get_file: `fname` must be a name, not a path; received {name!r}. Use `cache_dir`.")
    return name


def _check_scheme(url: str, hashed: bool) -> None:
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and hashed):
        raise ValueError(f"get_file: {url!r} is not https (http is taken only with a SHA-256 `file_hash`)")


@contextmanager
def _temporary_beside(target: Path) -> Iterator[tuple[IO[bytes], Path]]:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            yield file, Path(name)
    finally:
        with suppress(FileNotFoundError):  # gone: it moved to its place
            os.unlink(name)


def _copy_with_progress(response: Any, file: IO[bytes], origin: str) -> None:
    from rich.progress import Progress  # here: only a download pays for the import

    print(f"Downloading data from {origin}")
    length = response.headers.get("Content-Length")
    with Progress(*_columns(), transient=False) as progress:
        task = progress.add_task("", total=int(length) if length else None)
        while chunk := response.read(CHUNK):
            file.write(chunk)
            progress.advance(task, len(chunk))
    if length and file.tell() != int(length):
        raise ConnectionError(f"the connection closed after {file.tell()} of {length} bytes")


def _columns() -> tuple[Any, ...]:
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

    return BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
