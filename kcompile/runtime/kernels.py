"""Kernel sources -> addresses: this process's table, else the object cache, else the code generator."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from kcompile.codegen.build import build
from kcompile.codegen.source import KernelSource
from kcompile.core.errors import CompileError, message
from kcompile.runtime import loader
from kcompile.runtime.cache import default_cache

_addresses: dict[str, int] = {}  # by key
_lock = threading.Lock()


def get_kernels(sources: Sequence[KernelSource]) -> list[int]:
    """The address of each source's entry. Numba is imported only if a kernel is in neither table nor cache.

    Raises: CompileError if a source does not compile or an external symbol is defined nowhere.
    """
    with _lock:
        waves = list(_waves(sources))
        objects = _objects([source for wave in waves for source in wave])
        for wave in waves:
            _load(wave, objects)
        return [_addresses[source.key] for source in sources]


def _waves(sources: Iterable[KernelSource]) -> Iterable[list[KernelSource]]:
    """The sources that are not loaded yet, each once; what others call comes in an earlier wave."""
    wave = {source.key: source for source in sources if source.key not in _addresses}
    if wave:
        yield from _waves([e for s in wave.values() for e in s.externals if isinstance(e, KernelSource)])
        yield list(wave.values())


def _objects(sources: list[KernelSource]) -> dict[str, bytes]:
    cache = default_cache()
    found = {source.key: cache.get(source.key) for source in sources}
    missing = list({source.key: source for source in sources if found[source.key] is None}.values())
    for source, data in zip(missing, build(missing), strict=True):
        cache.put(source.key, data)
        found[source.key] = data
    return {key: data for key, data in found.items() if data is not None}


def _load(wave: list[KernelSource], objects: dict[str, bytes]) -> None:
    wave = [source for source in wave if source.key not in _addresses]
    for source in wave:
        _check_externals(source)
    found = loader.load([objects[s.key] for s in wave], [s.symbol for s in wave])
    for source in wave:
        _addresses[source.key] = found[source.symbol]
        loader.define_symbol(source.symbol, found[source.symbol])


def _check_externals(source: KernelSource) -> None:
    for external in source.externals:
        if isinstance(external, str) and not loader.is_defined(external):
            raise CompileError(message(f"kernel {source.name} calls {external}, which is not defined."))
