"""Object code on disk: one checked file per kernel, shared by all processes of one user.

A file is trusted only if it says what it is: magic, version, the key it was stored under, length and SHA-256
of its content. Anything else is deleted and reported as a miss. The folder must belong to this user (or root)
and be writable by no one else, because what lies in it is executed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import stat
import struct
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_MAGIC = b"KCOBJECT"
_VERSION = 1
_HEADER = struct.Struct("<8sIQ32s32s")  # magic, version, length, SHA-256 of the key, SHA-256 of the content
_SUFFIX = ".kco"
_TEMPORARY = ".tmp"
_DEFAULT_LIMIT = 256 << 20
_TOUCH_AFTER = 3600.0  # seconds: a hit renews the file's time at most once an hour
_PRUNE_ODDS = 64  # a prune scans the folder: one put in so many does it
_own_random = random.Random()  # a cold cache must not change what a seeded program draws


@dataclass(frozen=True)
class CacheInfo:
    """What `ObjectCache.info` reports. folder is "" when the cache is off."""

    folder: str
    files: int
    bytes: int
    limit: int


class ObjectCache:
    """Bytes by key in a folder; `folder=None` is a cache that never holds anything.

    Safe with many processes: files appear by rename and are never changed. Errors of the file system are
    misses.
    """

    def __init__(self, folder: Path | None, limit: int = _DEFAULT_LIMIT) -> None:
        self._folder = folder if folder is not None and _usable(folder) else None
        self._limit = limit
        self._writable = True

    @property
    def is_on(self) -> bool:
        """May it hold anything?"""
        return self._folder is not None

    def get(self, key: str) -> bytes | None:
        """The bytes stored under `key`, or None. A damaged or foreign file is deleted."""
        if self._folder is None:
            return None
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        payload = _unpack(data, key)
        if payload is None:
            _remove(path)
        else:
            _renew(path)
        return payload

    def put(self, key: str, data: bytes) -> None:
        """Store bytes under `key`; a folder that cannot be written is left alone."""
        if self._folder is None or not self._writable:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_atomically(self._path(key), _pack(data, key))
        except OSError:
            self._writable = False  # read-only or full: do not try again in this process
            return
        if _own_random.randrange(_PRUNE_ODDS) == 0:
            self.prune()

    def prune(self) -> None:
        """If the folder is over its limit, delete the files not used for longest, down to 80% of it."""
        files = self._scan()
        total = sum(size for _, size, _ in files)
        if total <= self._limit:
            return
        for _, size, path in sorted(files):
            if total <= 0.8 * self._limit:
                break
            _remove(path)
            total -= size

    def info(self) -> CacheInfo:
        """Folder, number of files and their bytes."""
        files = self._scan()
        return CacheInfo(str(self._folder or ""), len(files), sum(size for _, size, _ in files), self._limit)

    def clear(self) -> int:
        """Delete every file; the number deleted."""
        return sum(_remove(path) for _, _, path in self._scan())

    def _path(self, key: str) -> Path:
        assert self._folder is not None
        return self._folder / (hashlib.sha256(key.encode()).hexdigest()[:40] + _SUFFIX)

    def _scan(self) -> list[tuple[float, int, Path]]:
        """(last use, bytes, path) of each file; temporary files of processes that died are deleted."""
        if self._folder is None:
            return []
        found = []
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(_SUFFIX):
                        last_use = max(status.st_atime, status.st_mtime)
                        found.append((last_use, status.st_size, Path(entry.path)))
                    elif entry.name.endswith(_TEMPORARY) and status.st_mtime < time.time() - _TOUCH_AFTER:
                        os.unlink(entry.path)
        return found


def default_cache() -> ObjectCache:
    """The cache that the environment names.

    It lies in KCOMPILE_CACHE_DIR, else KCOMPILE_HOME/cache, else the user's cache folder.
    KCOMPILE_CACHE=0 turns it off.
    """
    return _cache_at(None if os.environ.get("KCOMPILE_CACHE") == "0" else default_folder())


@lru_cache(maxsize=8)
def _cache_at(folder: Path | None) -> ObjectCache:
    return ObjectCache(folder)


def default_folder() -> Path:
    """Where object code is kept if KCOMPILE_CACHE is not 0."""
    if explicit := os.environ.get("KCOMPILE_CACHE_DIR"):
        return Path(explicit).expanduser()
    if home := os.environ.get("KCOMPILE_HOME"):
        return Path(home).expanduser() / "cache"
    return _platform_folder() / "kcompile"


def _platform_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _usable(folder: Path) -> bool:
    """May the folder's content be executed? A folder that is not there yet may: it is made with mode 0700."""
    try:
        status = folder.stat()
    except OSError:
        return True
    if not stat.S_ISDIR(status.st_mode):
        reason = "it is not a folder"
    elif os.name != "posix":
        return True
    elif status.st_uid not in (os.geteuid(), 0):
        reason = "it belongs to another user"
    elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        reason = "others may write to it (chmod go-w it)"
    else:
        return True
    warnings.warn(f"kcompile does not use the cache folder {folder}: {reason}", RuntimeWarning, stacklevel=2)
    return False


def _pack(payload: bytes, key: str) -> bytes:
    key_digest = hashlib.sha256(key.encode()).digest()
    return (
        _HEADER.pack(_MAGIC, _VERSION, len(payload), key_digest, hashlib.sha256(payload).digest()) + payload
    )


def _unpack(data: bytes, key: str) -> bytes | None:
    payload = data[_HEADER.size :]
    return payload if data == _pack(payload, key) else None


def _write_atomically(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(suffix=_TEMPORARY, dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        _remove(Path(temporary))
        raise


def _renew(path: Path) -> None:
    """Note the use: many file systems keep no access time."""
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > _TOUCH_AFTER:
            os.utime(path)


def _remove(path: Path) -> bool:
    with contextlib.suppress(OSError):
        path.unlink()
        return True
    return False
