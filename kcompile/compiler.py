"""From graph to executable: the whole pipeline on one page."""

from __future__ import annotations

from typing import Any

from kcompile.codegen import cpu
from kcompile.core import config
from kcompile.ir.graph import Graph
from kcompile.passes import pipeline
from kcompile.runtime.executable import Executable
from kcompile.runtime.kernels import get_kernels
from kcompile.runtime.program import Program
from kcompile.runtime.reference import ReferenceExecutable
from kcompile.schedule.plan import plan_graph


def compile_graph(graph: Graph) -> Any:
    """An executable for a graph.

    It is called with one array per graph input, binds symbolic dimensions from their shapes (or from
    `symbols=`), returns the outputs as new arrays, and writes assigned variables in place. `repeat(arrays,
    symbols, steps)` runs
    it many times in one native call.
    """
    if config.current().target == "reference":
        return ReferenceExecutable(graph)
    graph = pipeline.run(graph)  # composites -> primitives, rewrites
    plan = plan_graph(graph, cpu.target())  # fusion, order, in-place updates
    specs = cpu.emit(plan)  # kernel IR -> source
    addresses = get_kernels([spec.source for spec in specs])  # source -> machine code, cached
    variables = {v.leaf: v.array for v in graph.variables.values()}
    return Executable(Program(plan, specs, addresses, variables))
