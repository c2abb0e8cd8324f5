"""A plan bound to numbers: which kernel runs on how many blocks, over which memory, between which copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kcompile.codegen.cuda_source import CudaKernel
from kcompile.core import dtypes, symbolic
from kcompile.core.errors import CompileError, message
from kcompile.ir.graph import Value
from kcompile.ir.traits import Leaf
from kcompile.schedule.memory import Lifetime, place
from kcompile.schedule.plan import Plan

MOST_THREADS = 1024  # of a block, on every device
MOST_SHARED = 48 << 10  # bytes that a block has without asking
MOST = 2**31 - 1  # blocks of a grid, and positions that kernels count in 32 bits


@dataclass(frozen=True)
class Buffer:
    """Device memory of one value.

    kind: input, output, variable and constant have memory of their own; arena: a range of the arena from
    `offset` bytes on. first, last: the launches that use it.
    """

    value: Value
    kind: str
    elements: int
    offset: int
    first: int
    last: int

    @property
    def dtype(self) -> str:
        return self.value.dtype

    @property
    def size(self) -> int:
        return self.elements * dtypes.itemsize(self.dtype)


@dataclass(frozen=True)
class Launch:
    """A kernel over `grid` blocks; over none, it is left out.

    buffers, reads, writes: numbers of buffers, `buffers` in the order of the arguments.
    """

    kernel: CudaKernel
    grid: int
    buffers: tuple[int, ...]
    numbers: tuple[int, ...]
    reads: tuple[int, ...]
    writes: tuple[int, ...]


@dataclass(frozen=True)
class LaunchPlan:
    """Launches in order, the memory they use, and the arena's size in bytes."""

    buffers: tuple[Buffer, ...]
    launches: tuple[Launch, ...]
    arena: int
    assigned: frozenset[Value]

    def describe(self) -> dict[str, Any]:
        """The plan in numbers and names that are the same in every process, for JSON."""
        return {
            "arena": self.arena,
            "buffers": [
                {
                    "kind": b.kind,
                    "dtype": b.dtype,
                    "elements": b.elements,
                    "offset": b.offset,
                    "first": b.first,
                    "last": b.last,
                }
                for b in self.buffers
            ],
            "upload": [k for k, b in enumerate(self.buffers) if b.kind in ("input", "variable", "constant")],
            "launches": [
                {
                    "kernel": n.kernel.name, "source": n.kernel.source.key[:16], "grid": n.grid,
                    "block": n.kernel.source.threads, "shared": n.kernel.shared, "buffers": list(n.buffers),
                    "numbers": list(n.numbers), "reads": list(n.reads), "writes": list(n.writes),
                }
                for n in self.launches
            ],
            "download": [k for k, b in enumerate(self.buffers) if self.is_downloaded(b)],
        }  # fmt: skip

    def is_downloaded(self, buffer: Buffer) -> bool:
        return buffer.kind == "output" or buffer.value in self.assigned


def bind(plan: Plan, kernels: Sequence[CudaKernel], symbols: Mapping[str, int]) -> LaunchPlan:
    """The launches for given symbols, checked.

    Raises: CompileError for a program that a device could not run, or that would read what was not written.
    """
    buffers = _buffers(plan, kernels, symbols)
    number = {b.value: n for n, b in enumerate(buffers)}
    launches = [
        Launch(
            k, symbolic.evaluate(k.blocks, symbols),
            tuple(number[v] for v in k.buffers),
            tuple(symbolic.evaluate(n, symbols) for n in k.numbers),
            tuple(number[v] for v in k.loads),
            tuple(dict.fromkeys(number[v] for v in k.writes)),
        )
        for k in kernels
    ]  # fmt: skip
    arena = max((b.offset + b.size for b in buffers if b.kind == "arena"), default=0)
    bound = LaunchPlan(tuple(buffers), tuple(launches), arena, frozenset(plan.graph.assignments))
    check(bound)
    return bound


def _buffers(plan: Plan, kernels: Sequence[CudaKernel], symbols: Mapping[str, int]) -> list[Buffer]:
    lives: dict[Value, tuple[int, int]] = {}
    for k, kernel in enumerate(kernels):
        for v in kernel.buffers:
            lives[v] = (lives.get(v, (k, k))[0], k)
    kinds = {v: _kind(v, plan) for v in lives}
    elements = {v: symbolic.evaluate(v.type.size, symbols) for v in lives}
    inner = [v for v in lives if kinds[v] == "arena"]
    spans = [Lifetime(elements[v] * dtypes.itemsize(v.dtype), *lives[v]) for v in inner]
    offsets = dict(zip(inner, place(spans)[0], strict=True))
    return [Buffer(v, kinds[v], elements[v], offsets.get(v, 0), *lives[v]) for v in lives]


def _kind(v: Value, plan: Plan) -> str:
    if v in plan.graph.outputs:
        return "output"
    if v.op.leaf in (Leaf.VARIABLE, Leaf.CONSTANT):
        return str(v.op.leaf.value)
    return "input" if v in plan.graph.inputs else "arena"


# -- what must hold
# -------------------------------------------------------------------------------------------


def check(plan: LaunchPlan) -> None:
    """Limits of devices, and that no launch reads memory that is not written yet or belongs to another value.

    Raises: CompileError naming the kernel.
    """
    known = {n for n, b in enumerate(plan.buffers) if b.kind in ("input", "variable", "constant")}
    for position, launch in enumerate(plan.launches):
        _check_limits(plan, launch)
        for n in launch.reads:
            _require(n in known, launch, f"reads buffer {n} before it is written")
        for n in launch.buffers:
            b = plan.buffers[n]
            _require(b.first <= position <= b.last, launch, f"uses buffer {n} outside of its life")
        known |= set(launch.writes)
    _check_overlaps(plan)


def _check_limits(plan: LaunchPlan, launch: Launch) -> None:
    source = launch.kernel.source
    _require(
        source.threads <= MOST_THREADS,
        launch,
        f"has blocks of {source.threads} threads, the limit is {MOST_THREADS}",
    )
    _require(
        launch.kernel.shared <= MOST_SHARED, launch, f"needs {launch.kernel.shared} bytes of shared memory"
    )
    largest = max(
        [launch.grid * source.threads, *launch.numbers, *(plan.buffers[n].elements for n in launch.buffers)]
    )
    _require(largest <= MOST, launch, f"counts to {largest}, more than 2**31 - 1")


def _check_overlaps(plan: LaunchPlan) -> None:
    arena = [(n, b) for n, b in enumerate(plan.buffers) if b.kind == "arena" and b.size]
    for k, (n, a) in enumerate(arena):
        for m, b in arena[k + 1 :]:
            apart = a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
            if not apart and a.first <= b.last and b.first <= a.last:
                _require(
                    False, plan.launches[max(a.first, b.first)], f"finds buffers {n} and {m} in one place"
                )


def _require(holds: bool, launch: Launch, what: str) -> None:
    if not holds:
        raise CompileError(message(f"kernel {launch.kernel.name} {what}."))
