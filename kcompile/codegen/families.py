"""The kernel families' external functions as sources, shared by all kernels that call them."""

from __future__ import annotations

from functools import cache

from kcompile.codegen.source import FamilySource, KernelSource
from kcompile.kernels import prefetch
from kcompile.kernels.contract import micro, transpose
from kcompile.kernels.host import host
from kcompile.kernels.winograd import transform


@cache
def micro_source(rows: int, columns: int, dtype: str, unit_k: bool) -> KernelSource:
    """The micro-kernel as an object of its own, shared by all kernels that call it."""
    lanes = host().lanes("float32" if dtype == "bfloat16" else dtype)
    spec = micro.MicroSpec(rows, columns // lanes, lanes, dtype, unit_k and host().is_x86)
    symbol = micro.symbol(spec)
    build = lambda: str(micro.build(spec)).replace(symbol, "kernel")  # noqa: E731
    return FamilySource(symbol, micro.__name__, build)


@cache
def transpose_source(bits: int) -> KernelSource:
    symbol = transpose.symbol(bits, host())
    build = lambda: str(transpose.build(bits, host())).replace(symbol, "kernel")  # noqa: E731
    return FamilySource(symbol, transpose.__name__, build)


def narrower_tile(columns: int, dtype: str) -> tuple[int, int] | None:
    """Rows and columns of the tile half as wide, if there is one."""
    vectors = columns // host().lanes(dtype)
    found = None if vectors % 2 else micro.rows_of(vectors // 2, host())
    return None if found is None else (found, columns // 2)


@cache
def transform_source(name: str) -> KernelSource:
    symbol = transform.symbol(name, host())
    build = lambda: str(transform.build(name, host())).replace(symbol, "kernel")  # noqa: E731
    return FamilySource(symbol, transform.__name__, build)


@cache
def prefetch_source(write: bool) -> KernelSource:
    symbol = prefetch.symbol(write)
    build = lambda: str(prefetch.build(write)).replace(symbol, "kernel")  # noqa: E731
    return FamilySource(symbol, prefetch.__name__, build)
