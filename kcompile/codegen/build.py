"""Kernel sources -> object code. What is not in the object cache passes through here."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence

import llvmlite.binding as llvm

from kcompile.codegen.emit import Kind, emit_object, optimize
from kcompile.codegen.helper import Helper, Waiting
from kcompile.codegen.source import KernelSource
from kcompile.core.collection import paused_collection
from kcompile.core.errors import CompileError, message
from kcompile.core.interrupts import deferred
from kcompile.kernels.host import host

# A helping process pays for so many kernels: it needs 0.4 s until its first one, during which this process
# has to import Numba too, unless it has already.
_KERNELS_PER_HELPER = 6
_KERNELS_PER_HELPER_WITH_NUMBA = 12


def build(sources: Sequence[KernelSource]) -> list[bytes]:
    """Object file of each source; each defines `source.symbol`.

    Raises: CompileError naming the kernel, what Numba or LLVM said, and the file that holds the source.
    """
    objects = {source.key: data for source, data in build_each(sources)}
    return [objects[source.key] for source in sources]


class HeadStart:
    """A second process that starts and compiles `sources` while it is not known yet what else to compile."""

    def __init__(self, sources: Sequence[KernelSource]) -> None:
        self.keys = {source.key for source in sources}
        self.waiting = Waiting(sources, is_open=True)
        self.helper = Helper.start(self.waiting)

    @classmethod
    def of(cls, sources: Sequence[KernelSource]) -> HeadStart | None:
        """None where there is no other core for it, or no process can be started."""
        ahead = cls(sources) if host().cores > 1 else None
        return ahead if ahead is not None and ahead.helper is not None else None


def build_each(
    sources: Sequence[KernelSource], ahead: HeadStart | None = None
) -> Iterator[tuple[KernelSource, bytes]]:
    """(source, object file) in the order in which they are ready; equal sources once.

    ahead: takes its part in it, and has compiled some of the sources.
    """
    needed = {source.key: source for source in sources}
    begun = set() if ahead is None else ahead.keys
    # Long ones first: all end together.
    left = sorted((s for s in needed.values() if s.key not in begun), key=lambda source: -source.length)
    waiting, helpers = Waiting(), []
    if ahead is not None and ahead.helper is not None:
        waiting, helpers = ahead.waiting, [ahead.helper]
        waiting.keep(needed)
    waiting.close(left)
    more = _helpers(len(left)) - len(helpers)
    helpers += [helper for _ in range(more) if (helper := Helper.start(waiting))]
    try:
        source = None
        while source := waiting.take(source):
            yield source, build_one(source)
        for helper in helpers:
            finished, unfinished = helper.join()
            yield from finished
            yield from ((source, build_one(source)) for source in unfinished if source.key in needed)
    finally:
        waiting.clear()  # after an error the helpers stop too


def build_one(source: KernelSource) -> bytes:
    """Object file of one source."""
    with paused_collection():
        return emit_object(compile_module(source))


def build_ir(text: str, symbol: str) -> bytes:
    """Object file of LLVM IR that defines @kernel, which becomes `symbol`."""
    return emit_object(optimize([text], "kernel", symbol, "written"))


def compile_module(source: KernelSource) -> llvm.ModuleRef:
    """Optimized LLVM module of one source; `str()` of it shows whether a loop became vector code."""
    try:
        return optimize(_ir_texts(source), "kernel", source.symbol, _kind_of(source))
    except Exception as error:
        raise _compile_error(source, error) from error


def _kind_of(source: KernelSource) -> Kind:
    if source.language == "llvm":
        return "written"
    return "brief" if source.is_brief else "lowered"


def _ir_texts(source: KernelSource) -> list[str]:
    if source.language == "llvm":
        return [source.text]
    with deferred():
        from kcompile.codegen.lowering import lower  # imports Numba

    return lower(source)


def _compile_error(source: KernelSource, error: Exception) -> CompileError:
    suffix = ".ll" if source.language == "llvm" else ".py"
    with tempfile.NamedTemporaryFile("w", prefix="kcompile_", suffix=suffix, delete=False) as file:
        file.write(source.text)
    return CompileError(
        message(f"kernel {source.name} does not compile.", received=str(error).strip(), at=file.name)
    )


def _helpers(count: int) -> int:
    """How many processes shall help to compile `count` kernels."""
    per_helper = _KERNELS_PER_HELPER_WITH_NUMBA if "numba" in sys.modules else _KERNELS_PER_HELPER
    return min(host().cores - 1, count // per_helper)
