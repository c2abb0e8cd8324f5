"""Memory as planned and as counted: the arena that is allocated is the planned one, and a run fills it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.runtime import footprint as footprints
from kcompile.runtime.footprint import footprint
from kcompile.schedule.memory import rounded
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable

WIDTH = 512
MB = 1 << 20


def chain(batch):
    """Three products with two wide values alive at once (2 kB a row), and a weight that changes."""
    w = Variable(np.eye(WIDTH, dtype="float32"), name="w")

    def step(x):
        for _ in range(3):
            x = ops.relu(ops.matmul(x, w.value))
        w.assign(w * 0.5)
        return ops.sum(ops.matmul(x, w.value), axis=1)

    parameter = make_parameter("x", TensorType((symbol("batch"), WIDTH)))
    return compile_graph(trace(step, [parameter])[0]), w, np.ones((batch, WIDTH), "float32")


@pytest.mark.parametrize("batch", [1, 37, 4096])
def test_what_is_planned_is_what_is_allocated(batch):
    executable, _, x = chain(batch)
    program, symbols = executable.program, executable.symbols_of([x], {})
    total = max(r.offset + rounded(r.size) for r in program.arena(symbols))
    bound = program.bind(symbols)
    assert total <= bound.arena.nbytes < total + 128
    tracemalloc.start()
    bound = program.bind(symbols)
    _, traced = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bound.arena.nbytes <= traced < bound.arena.nbytes + 100_000  # lists, argument blocks


def test_every_address_of_an_intermediate_value_lies_in_the_arena():
    executable, _, x = chain(37)
    program = executable.program
    symbols = executable.symbols_of([x], {})
    bound = program.bind(symbols)
    begin = bound.arena.ctypes.data
    inside = {r.value for r in program.arena(symbols)}
    addresses = bound.arguments.tolist()
    for spec, row in zip(program.specs, bound.commands, strict=True):
        first = (int(row[1]) - bound.arguments.ctypes.data) // 8
        for v, address in zip(spec.buffers, addresses[first:], strict=False):
            assert (begin <= address < begin + bound.arena.nbytes) == (v in inside)


def test_a_footprint_adds_up_and_changes_nothing():
    executable, w, x = chain(4096)
    before = w.numpy().copy()
    one = footprint(executable, [x])
    np.testing.assert_array_equal(w.numpy(), before)
    assert one.planned == one.arena + one.scratch + one.outputs
    assert one.outputs == 4096 * 4
    assert one.kept >= w.numpy().nbytes
    assert 2 * 8 * MB <= one.arena < one.apart


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak")
def test_the_measured_peak_is_near_the_planned_one():
    executable, _, x = chain(16384)
    one = footprint(executable, [x])
    assert one.measured == pytest.approx(one.planned, abs=4 * MB)
    assert footprint(executable, [x]).measured == pytest.approx(one.planned, abs=4 * MB)  # nothing is left


def test_where_the_system_does_not_tell_there_is_no_measured_peak(monkeypatch, tmp_path):
    monkeypatch.setattr(footprints, "_PROCESS", tmp_path / "nowhere")
    executable, _, x = chain(3)
    assert footprint(executable, [x]).measured is None
