"""One program, measured: its graphs, its kernels, what each of them fuses, and its memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from kcompile.codegen.spec import KernelSpec
from kcompile.compiler import compile_graph
from kcompile.ir.graph import Graph, Node, Value
from kcompile.ir.kernels import Contract, Kernel, writes
from kcompile.kernels.peak import Peak, measure_peak
from kcompile.runtime.executable import Executable
from kcompile.runtime.footprint import Footprint, footprint
from kcompile.runtime.profile import KernelProfile, profile, threads
from kcompile.runtime.program import ArenaRange
from kcompile.schedule.plan import memory_op
from kcompile.schedule.text import kernel_text
from kcompile.trace.tracer import suspended


@dataclass(frozen=True)
class Measured:
    """A program on given inputs.

    traced, optimized: the graph before and after the passes. kernels, specs: in the order in which they
    run. parts: of each kernel, the nodes of the optimized graph that it computes. texts: of each kernel, its
    formulas. arena: where intermediate values lie and how long. footprint: memory, planned and measured.
    peak: of all `threads` together.
    """

    traced: Graph
    optimized: Graph
    kernels: list[KernelProfile]
    specs: list[KernelSpec]
    parts: list[set[Node]]
    texts: list[str]
    arena: list[ArenaRange]
    footprint: Footprint
    peak: Peak
    threads: int

    @property
    def core_gflops(self) -> float:
        return self.peak.gflops / self.threads

    @property
    def core_gbytes(self) -> float:
        return self.peak.gbytes / self.threads

    @property
    def nanoseconds(self) -> float:
        """Of all kernels, as if one core did everything."""
        return sum(k.nanoseconds for k in self.kernels)

    @property
    def flops(self) -> int:
        return sum(k.flops for k in self.kernels)


def measure(graph: Graph, arrays: Sequence[np.ndarray]) -> Measured:
    """Compile a graph, run it some times and gather what there is to tell of it."""
    with suspended():
        executable: Executable = compile_graph(graph, planned=True)
    program = executable.program
    plan = program.plan
    planned = [k for k in plan.kernels if not set(writes(k)) <= plan.prepared]
    stored = {v for k in plan.kernels for v in writes(k)}
    stored |= {k.contraction.value for k in plan.kernels if isinstance(k, Contract) and not _final(k)}
    return Measured(
        graph,
        plan.graph,
        profile(executable, arrays),
        program.specs,
        [_computed(k, stored) for k in planned],
        [kernel_text(k, plan) for k in planned],
        program.arena(executable.symbols_of(arrays, {})),
        footprint(executable, arrays),
        _peak(threads()),
        threads(),
    )


def _computed(kernel: Kernel, stored: set[Value]) -> set[Node]:
    """The nodes behind what a kernel writes, up to what other kernels store."""
    waiting = _final(kernel)
    if not waiting and isinstance(kernel, Contract):  # parts of a sum
        waiting = [kernel.contraction.value]
    found: set[Node] = set()
    while waiting:
        node = waiting.pop().node
        if node.inputs and node not in found:
            found.add(node)
            waiting += [v for v in node.inputs if v not in stored]
    return found


def _final(kernel: Kernel) -> list[Value]:
    """The values of the graph that a kernel writes, not what lies in memory of the plan's own."""
    return [v for v in writes(kernel) if v.op is not memory_op]


@cache
def _peak(count: int) -> Peak:
    """Of all threads: the better of what they reach together and of one that runs alone. Noise only slows."""
    alone, together = measure_peak(1), measure_peak(count)
    return Peak(max(together.gflops, count * alone.gflops), together.gbytes)
