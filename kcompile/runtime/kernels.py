"""Kernel sources -> addresses: this process's table, else the object cache, else the code generator."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence

import llvmlite.binding as llvm

from kcompile.codegen.build import HeadStart, build_each
from kcompile.codegen.families import usual_sources
from kcompile.codegen.source import KernelSource
from kcompile.core import config
from kcompile.core.errors import CompileError, message
from kcompile.kernels.host import host
from kcompile.runtime import loader
from kcompile.runtime.cache import default_cache
from kcompile.runtime.executor import executor_source

_addresses: dict[str, int] = {}  # by key
_ahead: HeadStart | None = None
_lock = threading.RLock()  # around all use of LLVM; a thread that holds it may fork


def get_kernels(sources: Sequence[KernelSource]) -> list[int]:
    """The address of each source's entry. Numba is imported only if a kernel is in neither table nor cache.

    Raises: CompileError if a source does not compile, an external symbol is defined nowhere, or KCOMPILE_CPU
    names another architecture.
    """
    with _lock:
        _check_architecture()
        # Who asks for kernels is about to run them: the executor is compiled in the same go.
        waves = list(_waves([*sources, executor_source()]))
        objects = _objects([source for wave in waves for source in wave])
        for wave in waves:
            _load(wave, objects)
        return [_addresses[source.key] for source in sources]


def start_ahead() -> None:
    """A program is about to be traced or made: a second process begins to compile, if the cache is empty: not
    even the executor, which all programs need, is there. Where no program comes, that process ends.
    """
    global _ahead
    with _lock:
        executor = executor_source()
        is_first = _ahead is None and executor.key not in _addresses
        if is_first and config.current().target == "cpu" and default_cache().get(executor.key) is None:
            _ahead = HeadStart.of([executor, *usual_sources()])


def _waves(sources: Iterable[KernelSource]) -> Iterable[list[KernelSource]]:
    """The sources that are not loaded yet; what others call comes in an earlier wave."""
    wave = {source.key: source for source in sources if source.key not in _addresses}
    if wave:
        for source in wave.values():
            _check_externals(source)
        yield from _waves([e for s in wave.values() for e in s.externals if isinstance(e, KernelSource)])
        yield list(wave.values())


def _objects(sources: list[KernelSource]) -> dict[str, bytes]:
    cache = default_cache()
    found = {source.key: cache.get(source.key) for source in sources}
    missing = [source for source in sources if found[source.key] is None]
    if config.debugs("cache") and sources:
        print(f"cache: {len(sources) - len(missing)} kernels found, {len(missing)} to compile")
    for source, data in build_each(missing, _taken_ahead()):
        cache.put(source.key, data)
        found[source.key] = data
    return {key: data for key, data in found.items() if data is not None}


def _taken_ahead() -> HeadStart | None:
    global _ahead
    ahead, _ahead = _ahead, None
    return ahead


def _load(wave: list[KernelSource], objects: dict[str, bytes]) -> None:
    wave = [source for source in wave if source.key not in _addresses]
    called = {e.symbol: _addresses[e.key] for s in wave for e in s.externals if isinstance(e, KernelSource)}
    try:
        found = loader.load([objects[s.key] for s in wave], [s.symbol for s in wave], called)
    except CompileError as error:
        names = ", ".join(sorted({source.name for source in wave}))
        raise CompileError(message(f"kernels {names} cannot be loaded.", received=str(error))) from error
    for source in wave:
        _addresses[source.key] = found[source.symbol]


def _check_architecture() -> None:
    if not host().runs_here:
        summary = f"kernels for {host().architecture} cannot run here."
        hint = "leave out the triple; KCOMPILE_DUMP writes the kernels of another architecture"
        raise CompileError(
            message(summary, received=f"KCOMPILE_CPU={os.environ.get('KCOMPILE_CPU')}", hint=hint)
        )


def _check_externals(source: KernelSource) -> None:
    for external in source.externals:
        if isinstance(external, str) and not loader.is_defined(external):
            raise CompileError(message(f"kernel {source.name} calls {external}, which is not defined."))


# A thread may be inside of LLVM without our lock: what the collector frees ends there, whenever it comes.
# llvmlite has no public name for its lock.
_locks = [_lock, llvm.ffi.lib._lock._lock]


def _before_fork() -> None:
    for lock in _locks:
        lock.acquire()


def _after_fork() -> None:
    for lock in reversed(_locks):
        lock.release()


def _after_fork_in_child() -> None:
    """The second process answers the first one only."""
    global _ahead
    _ahead = None
    _after_fork()


if hasattr(os, "register_at_fork"):
    # A fork waits until nobody is inside of LLVM, whose own locks a child could never open.
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
