"""HDF5 files from strangers: plain arrays behind plain links, of shapes known before anything is read."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, BinaryIO, ParamSpec, TypeVar

import numpy as np

from kcompile.core import dtypes
from kcompile.saving.hdf5_texts import Texts
from kcompile.saving.safe_json import refused

MAX_DEPTH = 64
MAX_RATIO = 10  # uncompressed size over stored size, where the shape is not known beforehand
MAX_ITEM = 16  # bytes of a number
CHUNK = 1 << 20  # bytes that a chunk may have, however small its array is
GZIP, SHUFFLE, FLETCHER = 1, 2, 3  # the filters that h5py itself applies


P = ParamSpec("P")
R = TypeVar("R")


def _naming_damage(method: Callable[P, R]) -> Callable[P, R]:
    """What h5py raises for a damaged file, as a ValueError with the file's name."""

    @wraps(method)
    def named(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except (RuntimeError, KeyError, OSError, UnicodeError, TypeError, AttributeError) as error:
            group: Any = args[0]
            raise ValueError(f"{group._file} is damaged: {error!s:.200}") from error

    return named


class Group:
    """A group of an HDF5 file, read only. Nothing behind it lies outside of the file.

    Raises:  ValueError for soft and external links, external and virtual datasets, dtypes other than
             numbers, unknown filters, and shapes other than asked for.
    """

    def __init__(self, group: Any, path: str, file: str, room: list[int], texts: Texts):
        self._group, self.path, self._file, self._texts = group, path, file, texts
        self._room = room  # bytes left for arrays of unknown shape, in the whole file: blocks can be shared

    @_naming_damage
    def names(self) -> list[str]:
        """Names of what it holds."""
        return list(self._group)

    @_naming_damage
    def kind(self, name: str) -> str | None:
        """ "group", "dataset", or None if there is no such name."""
        import h5py

        found = self._child(name)
        if found is None:
            return None
        return "group" if isinstance(found, h5py.Group) else "dataset"

    def group(self, path: str) -> Group | None:
        """The group at a path below this one; None if there is none."""
        current = self
        for name in path.split("/"):
            if current.kind(name) != "group":
                return None
            current = Group(current._child(name), current._join(name), self._file, self._room, self._texts)
        return current

    @_naming_damage
    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._dataset(name).shape)

    @_naming_damage
    def dtype(self, name: str) -> np.dtype:
        """The dtype as stored."""
        return np.dtype(self._dataset(name).dtype)

    @_naming_damage
    def read(self, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """An array; its shape must equal `shape`, or be covered by what is stored if none is given."""
        found = self._dataset(name)
        if shape is not None and tuple(found.shape) != tuple(shape):
            raise refused(self._what(name), f"the shape {tuple(found.shape)}", f"{tuple(shape)}")
        size = math.prod(found.shape) * found.dtype.itemsize
        if shape is None:
            self._take_room(name, size, found)
        try:
            array = np.array(found)
        except (OSError, ValueError, RuntimeError) as error:
            raise ValueError(f"{self._what(name)} is damaged: {error}") from error
        return self._as_bfloat16(found, array)

    def _as_bfloat16(self, dataset: Any, array: np.ndarray) -> np.ndarray:
        """Keras marks bfloat16, which HDF5 does not know, by an attribute."""
        if array.dtype.kind != _V:
            return array
        self._texts.check(self._group.file)
        if dataset.attrs.get("dtype") != "bfloat16":
            raise refused("An HDF5 array", f"the dtype {array.dtype}", "numbers")
        return array.view(dtypes.numpy_dtype("bfloat16"))

    def _take_room(self, name: str, size: int, found: Any) -> None:
        self._room[0] -= size
        if self._room[0] < 0 or size > MAX_RATIO * max(found.id.get_storage_size(), 64):
            raise refused(
                self._what(name), f"the shape {tuple(found.shape)}", "an array that is stored in full"
            )

    @_naming_damage
    def text(self, name: str, limit: int) -> bytes | None:
        """A text attribute; None if there is none."""
        if name not in self._group.attrs:
            return None
        stored = self._group.attrs.get_id(name)
        if math.prod(stored.shape) != 1 or stored.get_storage_size() > limit:
            raise refused(f"{self._what()}: attribute {name!r}", "something else", "one text")
        self._texts.check(self._group.file)
        value = self._group.attrs[name]
        value = value.item() if isinstance(value, np.ndarray) else value
        return value.encode() if isinstance(value, str) else bytes(value)

    @_naming_damage
    def texts(self, name: str) -> list[str]:
        """An attribute that lists names; empty if there is none. Long lists come in numbered chunks."""
        self._texts.check(self._group.file)
        if name in self._group.attrs:
            return _names(self._group.attrs[name])
        found: list[str] = []
        for k in range(len(self._group.attrs)):
            if f"{name}{k}" not in self._group.attrs:
                break
            found += _names(self._group.attrs[f"{name}{k}"])
        return found

    def datasets(self, depth: int = 0) -> Iterator[str]:
        """Paths of all arrays below. No object has two links, so there are no cycles."""
        if depth > MAX_DEPTH:
            raise refused(self._what(), "deeper nesting", f"at most {MAX_DEPTH} levels")
        for name in self.names():
            if self.kind(name) == "dataset":
                yield self._join(name)
            else:
                inner = self.group(name)
                if inner is None:  # one of its names leads nowhere
                    raise ValueError(f"{self._what(name)} is damaged: there is nothing")
                yield from inner.datasets(depth + 1)

    def _join(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

    def _what(self, name: str = "") -> str:
        return f"{self._file}: {self._join(name) or 'the root'}"

    def _child(self, name: str) -> Any:
        import h5py

        link = self._group.get(name, getlink=True) if name else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise refused(self._what(name), f"an HDF5 {type(link).__name__}", "data in the file itself")
        found = self._group[name]
        if not isinstance(found, (h5py.Group, h5py.Dataset)):
            raise refused(self._what(name), f"an HDF5 {type(found).__name__}", "a group or an array")
        if h5py.h5o.get_info(found.id).rc > 1:
            raise refused(self._what(name), "an object with two hard links", "one name for each object")
        return found

    def _dataset(self, name: str) -> Any:
        """The array's record, checked; nothing of it is read yet."""
        import h5py

        found = self._child(name)
        if not isinstance(found, h5py.Dataset):
            raise refused(self._what(name), "no array", "an array")
        plan = found.id.get_create_plist()
        if plan.get_external_count() or found.is_virtual:
            raise refused(self._what(name), "data in another file", "data in the file itself")
        if found.shape is None or not _is_number(found.dtype):
            raise refused(self._what(name), f"the dtype {found.dtype}", "numbers")
        if found.chunks is not None:  # a chunk is decompressed as a whole
            chunk = math.prod(found.chunks) * found.dtype.itemsize
            if chunk > max(CHUNK, found.size * found.dtype.itemsize):
                raise refused(self._what(name), f"chunks {found.chunks}", "chunks no larger than the array")
        filters = {plan.get_filter(k)[0] for k in range(plan.get_nfilters())}
        if filters - {GZIP, SHUFFLE, FLETCHER}:
            raise refused(self._what(name), f"the HDF5 filters {sorted(filters)}", "gzip at most")
        return found


_V = "V"  # how h5py shows bfloat16, two bytes


def _is_number(dtype: np.dtype) -> bool:
    if dtype.kind == _V:
        return dtype.itemsize == 2 and not dtype.names and dtype.subdtype is None
    return dtype.kind in "fiub" and dtype.itemsize <= MAX_ITEM


def _names(value: Any) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in np.asarray(value).reshape(-1)]


def open_group(file: str | os.PathLike[str] | BinaryIO, name: str) -> tuple[Any, Group]:
    """The file, to be closed by the caller, and its root group."""
    import h5py

    try:
        opened = h5py.File(file, "r")
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{name} is not an HDF5 file, or is damaged: {error}") from error
    return opened, Group(opened, "", name, [MAX_RATIO * opened.id.get_filesize()], Texts(file, name))
