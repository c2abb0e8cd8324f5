"""Files that are replaced as a whole: a failed write leaves the old file as it was."""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# A new file only, and never through a link that somebody put in its place.
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)

# Seconds in which a file that nobody has locked may yet be that of one who still writes others.
MOMENT = 3600
LONGEST = 200  # bytes of a name that names of other files are made of; they may have 255


Writing = Callable[[str | os.PathLike[str]], AbstractContextManager[BinaryIO]]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends without an error.

    The bytes are on the disk before the name changes, so that a crash leaves the old file or the new one. A
    symbolic link stays; what it points to is replaced.

    Raises:  OSError for a folder, a device or a pipe.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a"
    >>> with replacing(path) as file:
    ...     _ = file.write(b"new")
    >>> path.read_bytes()
    b'new'
    """
    with replacing_all() as writing, writing(path) as file:
        yield file


@contextmanager
def replacing_all() -> Iterator[Writing]:
    """Files to write, which take the places of others when the block ends without an error.

    None is replaced before the bytes of all are on the disk; then they are, one by one, the last one that was
    written first: it may tell what the others must be. Whoever is killed just then leaves some new files and
    some old ones.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing_all() as writing:
    ...     for name in "ab":
    ...         with writing(folder / name) as file:
    ...             _ = file.write(b"new")
    ...     (folder / "a").exists()
    False
    >>> sorted(os.listdir(folder))
    ['a', 'b']
    """
    made: list[Path] = []
    written: list[tuple[Path, Path]] = []

    @contextmanager
    def writing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
        target = replaceable(path)
        remove_leftovers(target)
        temporary = target.with_name(f"{_beginning(target)}{secrets.token_hex(4)}.part")
        with telling(target):
            handle = os.open(temporary, _CREATE, 0o666)
            made.append(temporary)
            with os.fdopen(handle, "w+b") as file:
                _is_ours(file)
                yield file
                file.flush()
                os.fsync(file.fileno())
        written.append((temporary, target))

    try:
        yield writing
        for temporary, target in reversed(written):
            with telling(target):
                if target.exists():
                    os.chmod(temporary, target.stat().st_mode & 0o777)
                os.replace(temporary, target)
    finally:
        for temporary in made:
            with suppress(OSError):  # most often it has its name
                os.unlink(temporary)
    for folder in {target.parent for _, target in written}:
        sync_folder(folder)


def _beginning(target: Path) -> str:
    """How the names of files begin that are to take the place of this one, which may have the longest name
    that there can be.
    """
    return f".{os.fsencode(target.name)[:LONGEST].decode(errors='ignore')}."


@contextmanager
def telling(target: Path) -> Iterator[None]:
    """Errors of the system while a file is made name it, and not the one that is to take its place."""
    try:
        yield
    except OSError as error:
        made_for_it = str(error.filename or "").startswith(str(target.with_name(_beginning(target))))
        if error.errno is None or (error.filename and not made_for_it):
            raise
        raise type(error)(error.errno, error.strerror, str(target)) from error


def remove_leftovers(target: Path) -> None:
    """Delete what processes left that were killed while they wrote this file; others still write theirs."""
    with suppress(OSError):
        for entry in os.listdir(target.parent):
            if entry.startswith(_beginning(target)) and entry.endswith(".part"):
                _remove_leftover(target.parent / entry)


def _remove_leftover(path: Path) -> None:
    with suppress(OSError):
        handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(handle, "r+b") as file:
            # One that is being made has no lock for a moment, one that waits for its name for a while.
            is_old = time.time() - os.fstat(handle).st_mtime > MOMENT
            dead = is_old and _is_ours(file)
        if dead:
            os.unlink(path)


def _is_ours(file: BinaryIO) -> bool:
    """Take the lock of a file that is being written; a process that is killed loses it.

    Where there are no such locks (Windows), a file that is open cannot be deleted anyway.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody has it, or the file system knows no locks
        return False
    return True


def replaceable(path: str | os.PathLike[str]) -> Path:
    """Where a file of this name lies, or will lie.

    Raises:  OSError for what is there and no file: it would be gone (/dev/null, for whoever may do that).
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "Not a regular file, so it cannot be replaced by one", str(path))
    return target


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder last, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
