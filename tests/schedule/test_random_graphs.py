"""Random graphs: compiled and interpreted, fused and not, on one thread and two, at several batch sizes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.codegen import loop_cpu
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.evaluate import bind_symbols, evaluate
from kcompile.ir.graph import Graph, Value
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.runtime.executor import SERIAL
from kcompile.runtime.team import Team
from kcompile.trace.tracer import trace
from tests.helpers import assert_close
from tests.schedule.random_graphs import BATCHES, Computation, computations

EXAMPLES = int(os.environ.get("KCOMPILE_TEST_EXAMPLES", "25"))
TERMS = 1 << 12  # roundings that add up along a chain of ten steps


def each(count: int = EXAMPLES) -> Any:
    """The same examples in every run, so that their kernels come out of the cache."""
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize="KCOMPILE_TEST_EXAMPLES" not in os.environ,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def reference(
    graph: Graph, arrays: list[np.ndarray], state: Mapping[Value, np.ndarray]
) -> tuple[list[np.ndarray], float]:
    """The outputs, and the largest number that occurs on the way to them."""
    values = [v for node in graph.nodes() for v in node.values]
    leaves = {**dict(zip(graph.inputs, arrays, strict=True)), **state}
    found = evaluate(values, leaves, bind_symbols(graph.inputs, arrays))
    floats = [np.abs(a) for a in found if a.dtype.kind == "f" and a.size]
    largest = max((float(a[np.isfinite(a)].max(initial=0)) for a in floats), default=0.0)
    by_value = dict(zip(values, found, strict=True))
    return [by_value[v] for v in graph.outputs], largest


def compare(
    program: Any, graph: Graph, arrays: list[np.ndarray], state: Mapping[Value, np.ndarray] | None = None
) -> list[np.ndarray]:
    """The program's outputs, which must be the references'. state: arrays of variables."""
    expected, largest = reference(graph, arrays, state or {})
    found = program(*arrays)
    for got, want in zip(found, expected, strict=True):
        assert_close(got, want, TERMS, scale=largest)
    return found


def sizes_of(c: Computation) -> tuple[int, ...]:
    return BATCHES if any(not p.type.is_static for p in c.parameters) else (1,)


@each()
@given(computations())
def test_compiled_is_the_reference_at_every_batch_size(c):
    graph = c.graph()
    program = compile_graph(graph)
    for batch in (5, *sizes_of(c)):
        compare(program, graph, c.arrays(batch, seed=batch))


@each()
@given(computations(gradients=True, dtype="float64"))
def test_gradients_are_the_references(c):
    graph = c.graph()
    program = compile_graph(graph)
    for batch in sizes_of(c)[2:4]:
        compare(program, graph, c.arrays(batch))


@each()
@given(computations())
def test_fused_is_unfused(c):
    graph, arrays = c.graph(), c.arrays(5)
    fused = compare(compile_graph(graph), graph, arrays)
    with config(noopt=True):
        unfused = compile_graph(graph)
    _, largest = reference(graph, arrays, {})
    for got, want in zip(fused, unfused(*arrays), strict=True):
        assert_close(got, want, TERMS, scale=largest)


@each()
@given(computations(gradients=True))
def test_two_threads_give_the_bits_of_one(c):
    graph, arrays = c.graph(), c.arrays(129)
    whole = loop_cpu.TILE_ELEMENTS
    loop_cpu.TILE_ELEMENTS = 256  # many tiles even here
    try:
        program = compile_graph(graph)
    finally:
        loop_cpu.TILE_ELEMENTS = whole
    alone = program(*arrays)
    for _ in range(3):
        for got, want in zip(run_by_two(program, arrays), alone, strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("width", [5, 7, 12])
def test_two_threads_give_the_bits_of_one_in_short_rows(width, monkeypatch):
    """LLVM takes several rows at a time and sums what is left over in another order."""
    monkeypatch.setattr(loop_cpu, "TILE_ELEMENTS", 1024)  # several tiles even here
    x = make_parameter("x", TensorType((symbol("batch"), width)))

    def wave(x):
        y = ops.transpose(x)
        y = y - ops.mean(y, axis=0, keepdims=True)
        y = y * ops.rsqrt(ops.mean(ops.square(y), axis=0, keepdims=True) + 0.1)
        total = ops.sum(ops.sin(y * 1.5 + 0.5))
        return [total, *gradients(total, [x])]

    program = compile_graph(trace(wave, [x])[0])
    arrays = [np.random.default_rng(width).normal(size=(129, width)).astype("float32")]
    for got, want in zip(run_by_two(program, arrays), program(*arrays), strict=True):
        np.testing.assert_array_equal(got, want)


def run_by_two(program: Any, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The program by two threads, which share even the commands that are too small to be worth it."""
    bound = program._bind(tuple(arrays), None)
    results = [np.full(shape, -1, dtype) for shape, dtype in bound.results]
    commands = bound.commands.copy()
    commands[:, 4] &= ~SERIAL
    program._before(bound, arrays, results)
    TWO.run(commands, 1, threads=2, scratch=bound.scratch)
    return results


TWO = Team(2)
