"""Large weights that a program updates are read, step by step of the reduction, by who writes their rows."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.codegen import cpu
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.kernels import Contract
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.passes import pipeline
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable
from tests.helpers import assert_close

LARGE = (384, 384)  # more than `cpu.target().owned` elements, less than twice as many


def traced(shape, updates=True, rows=None):
    rng = np.random.default_rng(7)
    w = Variable(rng.normal(size=shape).astype("float32"), name="w")

    def step(x, dy):
        y = ops.relu(x @ w)
        if updates:
            w.assign(w - 0.01 * (ops.transpose(x) @ dy))
        return y

    batch = symbol("batch") if rows is None else rows
    types = [TensorType((batch, n)) for n in shape]
    return trace(step, [make_parameter(f"x{k}", t) for k, t in enumerate(types)])[0], w


def forward_parts(*args, **kwargs):
    graph, w = traced(*args, **kwargs)
    plan = plan_graph(pipeline.run(graph), cpu.target())
    contractions = [k.contraction for k in plan.kernels if isinstance(k, Contract)]
    [forward] = [c for c in contractions if w.leaf in (c.a.base, c.b.base)]
    return forward.parts


def test_large_weights_that_change_are_read_in_parts():
    assert forward_parts(LARGE) == 2


@pytest.mark.parametrize(
    ("shape", "options"),
    [(LARGE, {"updates": False}), ((128, 384), {}), (LARGE, {"rows": 4096})],
    ids=["they do not change", "they are small", "many rows share the cost of reading them"],
)
def test_others_are_not(shape, options):
    assert forward_parts(shape, **options) == 1


@pytest.mark.parametrize("shape", [LARGE, (391, 512), (1030, 192)])
@pytest.mark.parametrize("rows", [0, 1, 5, 33, 200])
def test_outputs_and_updates_agree_with_the_references(shape, rows):
    rng = np.random.default_rng(rows)
    x, dy = (rng.normal(size=(rows, n)).astype("float32") for n in shape)
    results = []
    for target in ("cpu", "reference"):
        graph, w = traced(shape)
        with config(target=target):
            program = compile_graph(graph)
        results.append([*program(x, dy), *program(x, dy), w.numpy()])
    for got, want in zip(*results, strict=True):
        assert_close(got, want, terms=shape[0])
