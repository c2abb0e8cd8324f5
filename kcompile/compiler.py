"""From graph to executable: the whole pipeline on one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kcompile.codegen import cpu
from kcompile.codegen.report import report
from kcompile.codegen.spec import flat
from kcompile.core import config
from kcompile.core.collection import paused_collection
from kcompile.core.errors import unknown_name
from kcompile.core.timing import timed
from kcompile.ir.graph import Graph, Value
from kcompile.passes import pipeline
from kcompile.runtime.check import CheckedExecutable
from kcompile.runtime.executable import Executable
from kcompile.runtime.kernels import get_kernels
from kcompile.runtime.poison import PoisonedExecutable
from kcompile.runtime.program import Program
from kcompile.runtime.reference import ReferenceExecutable
from kcompile.schedule.plan import plan_graph

TARGETS = ("cpu", "cuda", "cuda-emulated", "reference")


def compile_graph(graph: Graph) -> Any:
    """An executable for a graph.

    It is called with one array per graph input, binds symbolic dimensions from their shapes (or from
    `symbols=`), returns the outputs as new arrays, and writes assigned variables in place. `repeat(arrays,
    symbols, steps)` runs
    it many times in one native call.
    """
    target = config.current().target
    if target not in TARGETS:
        raise unknown_name("target", target, list(TARGETS))
    if target == "reference":
        return ReferenceExecutable(graph)
    with paused_collection():
        graph = pipeline.run(graph)  # composites -> primitives, rewrites
        variables = {v.leaf: v.array for v in graph.variables.values()}
        return _for_cpu(graph, variables) if target == "cpu" else _for_cuda(graph, variables, target)


def _for_cpu(graph: Graph, variables: Mapping[Value, np.ndarray]) -> Executable:
    with timed("plan"):
        plan = plan_graph(graph, cpu.target())  # fusion, order, in-place updates
    with timed("source"):
        specs = cpu.emit(plan)  # kernel IR -> source
    report(plan, specs)
    with timed("kernels"):
        addresses = get_kernels([spec.source for spec in flat(specs)])  # source -> machine code, cached
    program = Program(plan, specs, addresses, variables)
    if config.current().check:
        return CheckedExecutable(program)
    return PoisonedExecutable(program) if config.current().poison else Executable(program)


def _for_cuda(graph: Graph, variables: Mapping[Value, np.ndarray], target: str) -> Executable:
    from kcompile.codegen import cuda
    from kcompile.runtime.cuda.device import device_of
    from kcompile.runtime.cuda.executable import CudaExecutable
    from kcompile.runtime.cuda.program import CudaProgram

    device = device_of(target)
    plan = plan_graph(graph, cuda.target())
    return CudaExecutable(CudaProgram(plan, cuda.emit(plan), variables, device))
