"""Contractions whose epilogue reads much: tiles of several panels, whatever rows, columns, steps are left."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from kcompile import ops
from kcompile.codegen.strips import STRIP_COLUMNS, panels_of_strip
from kcompile.compiler import compile_graph
from kcompile.core import symbolic
from kcompile.core.config import config
from kcompile.core.symbolic import Int, symbol
from kcompile.ir import loops
from kcompile.ir.loops import Axis
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable
from tests.helpers import assert_close

# rows, columns, steps of the reduction: one strip and many, whole and broken ones, several passes, none
CASES = [
    (13, 70, 5), (96, 512, 32), (25, 513, 3), (7, 1030, 1),
    (60, 1024, 300), (5, 640, 513), (12, 512, 0), (1, 96, 7),
]  # fmt: skip


def state(m, n):
    rng = np.random.default_rng(m * n)
    w, mean, square = (rng.normal(size=(m, n)).astype("float32") for _ in range(3))
    return [Variable(a, name=name) for a, name in ((w, "w"), (mean, "mean"), (square**2, "square"))]


def updated(m, n, steps, columns=None):
    """A weight gradient and the update of what reads it: the program, and the variables after two runs."""
    rng = np.random.default_rng(steps)
    x, dy = rng.normal(size=(steps, m)).astype("float32"), rng.normal(size=(steps, n)).astype("float32")
    w, mean, square = state(m, n)

    def step(x, dy):
        gradient = ops.transpose(x) @ dy
        mean.assign(mean + (gradient - mean) * 0.1)
        square.assign(square + (gradient * gradient - square) * 0.01)
        w.assign(w - mean * 0.05 / (ops.sqrt(square) + 1e-3))

    batch, width = symbol("batch"), n if columns is None else columns
    parameters = [
        make_parameter("x", TensorType((batch, m))),
        make_parameter("dy", TensorType((batch, width))),
    ]
    graph, _ = trace(step, parameters)
    program = compile_graph(graph)
    for _ in range(2):
        program(x, dy)
    return program, [v.numpy() for v in (w, mean, square)]


@pytest.mark.parametrize(("m", "n", "steps"), CASES)
def test_updates_agree_with_the_references(m, n, steps):
    _, got = updated(m, n, steps)
    with config(target="reference"):
        _, want = updated(m, n, steps)
    for a, b in zip(got, want, strict=True):
        assert_close(a, b, terms=max(steps, 1))


def tiles(program):
    [spec] = [s for s in program.program.specs if "contract" in s.fused]
    return symbolic.evaluate(spec.tiles, {"batch": 8})


def test_a_tile_is_as_wide_as_its_rows_are_long():
    """Panels would make a tile each: a tile of the update reads whole rows of weights and moments."""
    assert tiles(updated(6, 4 * STRIP_COLUMNS, 8)[0]) <= 8


def test_a_small_matrix_is_still_shared_out():
    assert tiles(updated(64, 256, 8)[0]) >= 6


def test_a_lone_contraction_keeps_its_panels():
    x, y = make_parameter("x", TensorType((8, 96))), make_parameter("y", TensorType((8, STRIP_COLUMNS)))
    graph, _ = trace(lambda x, y: ops.relu(ops.transpose(x) @ y), [x, y])
    assert tiles(compile_graph(graph)) > 2


def test_a_tile_that_is_turned_is_one_panel():
    """Its epilogue runs along the rows."""
    row, lane = Axis(64, "row"), Axis(4 * STRIP_COLUMNS, "lane")
    index = Int.of(row), Int.of(lane)
    read = [loops.load(w.leaf, index, "float32") for w in state(64, 4 * STRIP_COLUMNS)]
    c = SimpleNamespace(
        groups=None, transposed=False, k_extent=32, n=SimpleNamespace(extent=lane.extent), columns=64
    )
    assert panels_of_strip(c, row, lane, read) > 1
    c.transposed = True
    assert panels_of_strip(c, row, lane, read) == 1
