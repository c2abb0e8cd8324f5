"""The kernel families' external functions as sources, shared by all kernels that call them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from kcompile.codegen.source import FamilySource, KernelSource
from kcompile.kernels import prefetch
from kcompile.kernels.contract import grouped, micro, sliding, sliding_sums, tiles, transpose
from kcompile.kernels.contract.grouped import GroupedSpec
from kcompile.kernels.contract.micro import MicroSpec
from kcompile.kernels.contract.sliding import SlidingSpec
from kcompile.kernels.contract.sliding_sums import SumSpec
from kcompile.kernels.host import host
from kcompile.kernels.winograd import transform

# Family -> its module, and the name and LLVM module of the member with given arguments.
_Family = tuple[ModuleType, Callable[..., str], Callable[..., Any]]


def _of_specs(module: Any, spec: Callable[..., Any]) -> _Family:
    """A family whose members are told by the fields of a spec."""
    return module, lambda *a: module.symbol(spec(*a)), lambda *a: module.build(spec(*a))


_FAMILIES: dict[str, _Family] = {
    "micro": _of_specs(micro, MicroSpec),
    "grouped": _of_specs(grouped, GroupedSpec),
    "sliding": _of_specs(sliding, SlidingSpec),
    "sliding_sums": _of_specs(sliding_sums, SumSpec),
    "tiles": (tiles, tiles.symbol, tiles.build),
    "prefetch": (prefetch, prefetch.symbol, prefetch.build),
    "transform": (transform, lambda a: transform.symbol(a, host()), lambda a: transform.build(a, host())),
    "transpose": (transpose, lambda a: transpose.symbol(a, host()), lambda a: transpose.build(a, host())),
}


@cache
def family_source(family: str, *arguments: Any) -> FamilySource:
    """The member of a family, an object of its own."""
    module, symbol_of, build = _FAMILIES[family]
    symbol = symbol_of(*arguments)

    def text() -> str:
        return str(build(*arguments)).replace(symbol, "kernel")

    return FamilySource(symbol, module.__name__, text, (family, *arguments))


def micro_source(rows: int, columns: int, dtype: str, unit_k: bool) -> KernelSource:
    """The micro-kernel of a tile. For "bfloat16" its elements are pairs, its sums float32."""
    lanes = host().lanes("float32" if dtype == "bfloat16" else dtype)
    vectors = columns // lanes
    if dtype == "bfloat16" and host().multiplies_tiles and tiles.fits(rows, vectors, lanes):
        return family_source("tiles", vectors)
    return family_source("micro", rows, vectors, lanes, dtype, unit_k and host().is_x86)


def grouped_source(rows: int, dtype: str, features: int, depth: int, sums_depth: bool) -> KernelSource:
    """The micro-kernel of a tile of small groups, one vector wide."""
    held = grouped.HELD[host().vector_registers]
    return family_source("grouped", rows, host().lanes(dtype), dtype, features, depth, sums_depth, held)


def sliding_source(
    rows: int, dtype: str, step: int, taps: int, spread: int, features: int, depth: int
) -> KernelSource:
    """The micro-kernel of a window, one vector wide."""
    return family_source("sliding", rows, host().lanes(dtype), dtype, step, taps, spread, features, depth)


def sliding_sums_source(
    elements: int, dtype: str, step: int, taps: int, spread: int, features: int
) -> KernelSource:
    """The micro-kernel of sums along a window, one vector wide."""
    return family_source("sliding_sums", elements, host().lanes(dtype), dtype, step, taps, spread, features)


def usual_sources() -> list[KernelSource]:
    """The micro-kernels of which most networks need some: whole tiles of float32, and for the rows that are
    left over a third of one and single rows, as `ContractEmitter._rows` takes them.
    """
    lanes, found = host().lanes("float32"), []
    for vectors in (4, 2, 1):
        rows = micro.rows_of(vectors, host())
        for count in sorted({rows, rows // 3, 1} - {0}) if rows else ():
            found += [micro_source(count, vectors * lanes, "float32", unit_k) for unit_k in (True, False)]
    return found


def narrower_tile(columns: int, dtype: str) -> tuple[int, int] | None:
    """Rows and columns of the tile half as wide, if there is one."""
    vectors = columns // host().lanes(dtype)
    found = None if vectors % 2 else micro.rows_of(vectors // 2, host())
    return None if found is None else (found, columns // 2)


def transpose_source(bits: int) -> KernelSource:
    return family_source("transpose", bits)


def transform_source(name: str) -> KernelSource:
    return family_source("transform", name)


def prefetch_source(write: bool) -> KernelSource:
    return family_source("prefetch", write)
