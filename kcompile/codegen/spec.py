"""What codegen hands to the runtime: a kernel's source and how to fill its argument block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kcompile.codegen.source import KernelSource
from kcompile.core.symbolic import Atom, Int
from kcompile.ir.graph import Value

MODULES = ("kcompile.codegen.cpu_ops",)


@dataclass(frozen=True)
class Slices:
    """How a kernel's tiles follow its leading axes: all tiles of a position come before those of the next.

    count: positions. per_tile: positions of a tile (1: a position has one tile or several). own: of these
    buffers, position p touches the p-th of `count` equal slices alone.
    """

    count: int | Int
    per_tile: int
    own: tuple[Value, ...]


@dataclass(frozen=True)
class KernelSpec:
    """A kernel of a plan.

    buffers: values whose addresses come first in the argument block. numbers: symbolic integers that follow
    them.
    tiles: how many tiles there are, known when the symbols are. scratch: bytes of private memory per thread.
    follows: in a chain with the kernel before it (`chains.py`).
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
    nested: Nested | None = None
    slices: Slices | None = None
    follows: bool = False

    @property
    def reads(self) -> tuple[Value, ...]:
        return tuple(v for v in self.buffers if v not in self.writes)


@dataclass(frozen=True)
class Nested:
    """What the kernel of a loop repeats; the address of its description is the first of its arguments.

    inputs: how many of the kernel's first buffers are the loop's inputs. results: the loop's values, in the
    order of the body's outputs. carries, slices, steps, reverse: attributes of the loop. specs: the body's
    kernels in order. parameters, outputs: the body's, in the order of the loop's. rows: the symbol along
    which blocks of `block` rows, of `extent` in all, run by themselves.
    """

    inputs: int
    results: tuple[Value, ...]
    carries: int
    slices: int
    steps: int | Int | None
    reverse: bool
    specs: tuple[KernelSpec, ...]
    parameters: tuple[Value, ...]
    outputs: tuple[Value, ...]
    rows: Atom | None
    extent: int | Int
    block: int | Int


@dataclass(frozen=True)
class Listing:
    """A program in full but for machine code: its kernels in order, and what its values stand for.

    prepared: memory that is written once, outside the run. assigns: does it write variables?
    rows: the symbol of the leading axis of its outputs, if their rows can be computed some at a time.
    """

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    prepared: frozenset[Value]
    assigns: bool
    specs: tuple[KernelSpec, ...]
    rows: str | None = None

    def sources(self) -> list[KernelSource]:
        return [spec.source for spec in flat(self.specs)]


def flat(specs: Iterable[KernelSpec]) -> Iterator[KernelSpec]:
    """All specs, each followed by those that it repeats."""
    for spec in specs:
        yield spec
        if spec.nested is not None:
            yield from flat(spec.nested.specs)
