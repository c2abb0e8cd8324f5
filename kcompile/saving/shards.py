"""Weights in several HDF5 files beside a JSON file that says which layer is in which: `x.weights.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kcompile.core.files import replacing_all
from kcompile.saving import checksums, safe_json
from kcompile.saving.safe_hdf5 import Group, open_group
from kcompile.saving.weights import holder_arrays, write_array

NAME = re.compile(r"[^/\\:]+\.weights\.h5")
GIGABYTE = 1024**3


def write_shards(model: Any, path: Path, max_shard_size: float) -> None:
    """Write the variables of a model and its optimizer in files `x_00000.weights.h5`, `x_00001...`.

    A save that fails leaves all files of the one before; a process that is killed between two renames leaves
    files of both, which are refused when they are loaded: the JSON file, which comes first, has the
    checksums of the others.

    Args:    path: of the JSON file. max_shard_size: gigabytes of a file.
    Raises:  ValueError for a single array that is larger.
    """
    import h5py

    where: dict[str, list[str]] = {}
    sums: dict[str, int] = {}
    total = 0
    with replacing_all() as writing:
        for k, shard in enumerate(_shards(model, max_shard_size * GIGABYTE)):
            target = path.with_name(f"{path.stem.replace('.weights', '')}_{k:05}.weights.h5")
            with writing(target) as file:
                with h5py.File(file, "w") as root:
                    for group, name, array in shard:
                        write_array(root.require_group(group), name, array)
                        total += array.nbytes
                        files = where.setdefault(f"/{group}", [])
                        files += [target.name] if target.name not in files else []
                sums[target.name] = checksums.checksum(file)
        found = {group: files[0] if len(files) == 1 else files for group, files in where.items()}
        with writing(path) as file:
            shards = {"metadata": {"total_size": total, checksums.KEY: sums}, "weight_map": found}
            file.write(json.dumps(shards, indent=4).encode())


def _shards(model: Any, limit: float) -> Iterator[list[tuple[str, str, np.ndarray]]]:
    """(group, name, array) of each file, in the order of the model."""
    shard: list[tuple[str, str, np.ndarray]] = []
    size = 0
    for path, arrays in holder_arrays(model):
        group = f"{path}/vars" if path else "vars"
        for name, array in arrays.items():
            if array.nbytes > limit:
                raise ValueError(
                    f"The size of {group}/{name} is {array.nbytes:,} bytes, which exceeds the maximum shard "
                    f"size, {int(limit):,}. You can increase `max_shard_size`, which is in gigabytes."
                )
            if size + array.nbytes > limit:
                yield shard
                shard, size = [], 0
            shard.append((group, name, array))
            size += array.nbytes
    yield shard


class Together:
    """Groups of several files as one: as much of `Group` as reading weights needs."""

    def __init__(self, groups: list[Group]):
        self._groups = groups

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for group in self._groups for name in group.names()))

    def group(self, path: str) -> Together | None:
        found = [inner for group in self._groups if (inner := group.group(path)) is not None]
        return Together(found) if found else None

    def shape(self, name: str) -> tuple[int, ...]:
        return self._with(name).shape(name)

    def read(self, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
        return self._with(name).read(name, shape)

    def datasets(self) -> Iterator[str]:
        for group in self._groups:
            yield from group.datasets()

    def _with(self, name: str) -> Group:
        return next(group for group in self._groups if group.kind(name) is not None)


@contextmanager
def opened_shards(path: Path) -> Iterator[Together]:
    """The files that a JSON file names, which lie beside it.

    Raises:  ValueError for a file that is damaged, for files that were not saved together, and for names that
             are no names of files beside it.
    """
    with path.open("rb") as file:
        found = safe_json.parse(file.read(safe_json.MAX_BYTES + 1), path.name)
    places = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(places, dict):
        raise safe_json.refused(path.name, "no `weight_map`", "a map from layers to files")
    names: dict[str, None] = {}
    for files in places.values():
        for name in files if isinstance(files, list) else [files]:
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise safe_json.refused(
                    path.name, f"the file name {name!r}", "names such as x_00000.weights.h5"
                )
            names[name] = None
    sums = checksums.listed(found.get("metadata"), path.name)
    with ExitStack() as stack:
        groups = []
        for name in names:
            if sums is not None:
                with path.with_name(name).open("rb") as file:
                    checksums.check(checksums.checksum(file), sums.get(name), name, path.name)
            opened, group = open_group(path.with_name(name), name)
            stack.enter_context(opened)
            groups.append(group)
        yield Together(groups)
