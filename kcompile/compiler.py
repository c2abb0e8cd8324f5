"""From graph to executable: the whole pipeline on one page."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.codegen import cpu
from kcompile.codegen.report import report
from kcompile.codegen.source import MissingObject
from kcompile.core import config
from kcompile.core.collection import paused_collection
from kcompile.core.errors import unknown_name
from kcompile.core.timing import timed
from kcompile.ir.graph import Graph, Value
from kcompile.ir.shape_rules import OpenRules
from kcompile.passes import pipeline
from kcompile.runtime import stored
from kcompile.runtime.check import CheckedExecutable
from kcompile.runtime.executable import Executable
from kcompile.runtime.kernels import get_kernels, start_ahead
from kcompile.runtime.poison import PoisonedExecutable
from kcompile.runtime.program import Program
from kcompile.runtime.reference import ReferenceExecutable
from kcompile.schedule.plan import plan_graph

TARGETS = ("cpu", "cuda", "cuda-emulated", "reference")


def compile_graph(graph: Graph, planned: bool = False) -> Any:
    """An executable for a graph.

    It is called with one array per graph input, binds symbolic dimensions from their shapes (or from
    `symbols=`), returns the outputs as new arrays, and writes assigned variables in place. `repeat(arrays,
    symbols, steps)` runs
    it many times in one native call.

    planned: with its plan, which a program that was compiled before does without.
    """
    target = config.current().target
    if target not in TARGETS:
        raise unknown_name("target", target, list(TARGETS))
    if target == "reference":
        return ReferenceExecutable(graph)
    with paused_collection():
        return _for_cpu(graph, planned) if target == "cpu" else _for_cuda(graph, target)


def _for_cpu(graph: Graph, planned: bool) -> Executable:
    key, rules = stored.key_of(graph), OpenRules(graph)
    program = None if planned else _stored_program(key, graph)
    if program is None:
        program = _new_program(graph)
        stored.keep(key, graph, program.listing)
    if config.current().check:
        return CheckedExecutable(program, rules)
    return PoisonedExecutable(program, rules) if config.current().poison else Executable(program, rules)


def _stored_program(key: str | None, graph: Graph) -> Program | None:
    """The program as an earlier process compiled it."""
    with timed("stored program"):
        listing = stored.find(key, graph)
        if listing is None:
            return None
        try:
            return Program(listing, get_kernels(listing.sources()), _arrays(graph))
        except MissingObject:
            return None


def _new_program(graph: Graph) -> Program:
    start_ahead()
    graph = pipeline.run(graph)  # composites -> primitives, rewrites
    with timed("plan"):
        plan = plan_graph(graph, cpu.target())  # fusion, order, in-place updates
    with timed("source"):
        listing = cpu.listing(plan)  # kernel IR -> source
    report(plan, listing.specs)
    with timed("kernels"):
        addresses = get_kernels(listing.sources())  # source -> machine code, cached
    return Program(listing, addresses, _arrays(graph), plan)


def _arrays(graph: Graph) -> dict[Value, np.ndarray]:
    return {v.leaf: v.array for v in graph.variables.values()}


def _for_cuda(graph: Graph, target: str) -> Executable:
    from kcompile.codegen import cuda
    from kcompile.runtime.cuda.device import device_of
    from kcompile.runtime.cuda.executable import CudaExecutable
    from kcompile.runtime.cuda.program import CudaProgram

    device, rules = device_of(target), OpenRules(graph)
    graph = pipeline.run(graph)
    plan = plan_graph(graph, cuda.target())
    return CudaExecutable(CudaProgram(plan, cuda.emit(plan), _arrays(graph), device), rules)
