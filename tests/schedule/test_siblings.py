"""Kernels side by side that read the same data."""

from __future__ import annotations

import numpy as np

from kcompile import ops
from kcompile.codegen import cpu
from kcompile.compiler import compile_graph
from kcompile.ir.kernels import Loop
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.passes import pipeline
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace


def _graph(function, *shapes):
    inputs = [make_parameter(f"x{k}", TensorType(shape, "float32")) for k, shape in enumerate(shapes)]
    return trace(function, inputs)[0]


def _sums(x, dy):
    return ops.sum(dy, (0, 1)), ops.sum(dy * x, (0, 1))


SHAPES = ((64, 256, 32), (64, 256, 32))


def test_two_sums_of_the_same_rows_are_one_kernel():
    plan = plan_graph(pipeline.run(_graph(_sums, *SHAPES)), cpu.target())
    (parts,) = [k for k in plan.kernels if isinstance(k, Loop) and k.fused[:1] == ("reduce",)]
    assert len(parts.stores) == 2
    reductions = [s.expr for s in parts.stores]
    assert reductions[0].attr[1] == reductions[1].attr[1], "each sum runs through the rows by itself"


def test_they_are_right():
    run = compile_graph(_graph(_sums, *SHAPES))
    rng = np.random.default_rng(0)
    x, dy = (rng.normal(size=s).astype("float32") for s in SHAPES)
    exact = dy.astype("float64")
    for found, expected in zip(run(x, dy), (exact.sum((0, 1)), (exact * x).sum((0, 1))), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=5e-4)  # 16384 terms of about 1


def test_a_kernel_that_reads_what_its_neighbour_writes_stays_apart():
    def centred(x):
        mean = ops.mean(x, (0, 1))
        return mean, ops.sum((x - mean) ** 2, (0, 1))

    run = compile_graph(_graph(centred, SHAPES[0]))
    x = np.random.default_rng(0).normal(2, 1, SHAPES[0]).astype("float32")
    mean, spread = run(x)
    exact = x.astype("float64")
    np.testing.assert_allclose(mean, exact.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(spread, ((exact - exact.mean((0, 1))) ** 2).sum((0, 1)), rtol=1e-6)
