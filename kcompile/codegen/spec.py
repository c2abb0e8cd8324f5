"""What codegen hands to the runtime: a kernel's source and how to fill its argument block."""

from __future__ import annotations

from dataclasses import dataclass, field

from kcompile.codegen.source import KernelSource
from kcompile.core.symbolic import Int
from kcompile.ir.graph import Value

MODULES = ("kcompile.codegen.cpu_ops",)


@dataclass(frozen=True)
class KernelSpec:
    """A kernel of a plan.

    buffers: values whose addresses come first in the argument block. numbers: symbolic integers that follow
    them.
    tiles: how many tiles there are, known when the symbols are. scratch: bytes of private memory per thread.
    """

    source: KernelSource
    buffers: tuple[Value, ...]
    numbers: tuple[int | Int, ...]
    tiles: int | Int
    writes: tuple[Value, ...]
    name: str
    scratch: int | Int = 0
    flops: int | Int = 0
    work: int | Int = 0  # elements touched: decides whether other threads are worth waking
    fused: tuple[str, ...] = field(default=())

    @property
    def reads(self) -> tuple[Value, ...]:
        return tuple(v for v in self.buffers if v not in self.writes)
