"""Kernel sources -> object code. What is not in the object cache passes through here."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import llvmlite.binding as llvm

from kcompile.codegen.emit import emit_object, optimize
from kcompile.codegen.source import KernelSource
from kcompile.core.errors import CompileError, message


def build(sources: Sequence[KernelSource]) -> list[bytes]:
    """Object file of each source; each defines `source.symbol`.

    Raises: CompileError naming the kernel, what Numba or LLVM said, and the file that holds the source.
    """
    return [build_one(source) for source in sources]


def build_one(source: KernelSource) -> bytes:
    """Object file of one source."""
    return emit_object(compile_module(source))


def compile_module(source: KernelSource) -> llvm.ModuleRef:
    """Optimized LLVM module of one source; `str()` of it shows whether a loop became vector code."""
    externals = frozenset(e if isinstance(e, str) else e.symbol for e in source.externals)
    try:
        return optimize(_ir_texts(source), "kernel", source.symbol, externals)
    except Exception as error:
        raise _compile_error(source, error) from error


def _ir_texts(source: KernelSource) -> list[str]:
    if source.language == "llvm":
        return [source.text]
    from kcompile.codegen.lowering import lower  # imports Numba

    return lower(source)


def _compile_error(source: KernelSource, error: Exception) -> CompileError:
    suffix = ".ll" if source.language == "llvm" else ".py"
    with tempfile.NamedTemporaryFile("w", prefix="kcompile_", suffix=suffix, delete=False) as file:
        file.write(source.text)
    return CompileError(
        message(f"kernel {source.name} does not compile.", received=str(error).strip(), at=file.name)
    )
