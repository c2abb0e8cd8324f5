"""Loops that ask at each element where it lies, written as one loop for each stretch."""

from __future__ import annotations

import numpy as np

from kcompile import ops
from kcompile.codegen import sections
from kcompile.compiler import compile_graph
from kcompile.ir import loops
from kcompile.ir.loops import Axis
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace


def _inside(axis, low, high):
    at = loops.index(loops.Int.of(axis))
    tests = [loops.apply(op, at, loops.index(n), dtype="bool") for op, n in (("ge", low), ("lt", high))]
    return loops.guard(
        loops.apply("and", *tests, dtype="bool"), loops.const(1.0, "float32"), loops.const(0.0, "float32")
    )


def test_stretches_of_two_conditions():
    axis = Axis(96)
    exprs = [_inside(axis, 0, 32), _inside(axis, 32, 64)]
    found = sections.sections_of(exprs, axis)
    assert [(s.low, s.high, sorted(v for _, v in s.outcomes)) for s in found] == [
        (0, 32, [False, True]),
        (32, 64, [False, True]),
        (64, 96, [False, False]),
    ]


def test_short_stretches_stay_one_loop():
    axis = Axis(12)
    assert sections.sections_of([_inside(axis, 4, 8)], axis) is None


def test_what_depends_on_another_axis_is_not_decided():
    axis, other = Axis(96), Axis(96)
    assert sections.sections_of([_inside(other, 0, 32)], axis) is None


def test_the_gradient_of_gates():
    """Four functions of four parts of one product: the gradient is a sum of four padded parts."""

    def gradient(z, dy):
        a, b, c, d = (z[:, 16 * k : 16 * k + 16] for k in range(4))
        parts = [dy * b * 2, dy * a, dy * ops.sigmoid(d), dy * c * ops.sigmoid(d) * (1 - ops.sigmoid(d))]
        return sum(ops.pad(p, ((0, 0), (16 * k, 48 - 16 * k))) for k, p in enumerate(parts))

    shapes = ((5, 64), (5, 16))
    inputs = [make_parameter(f"x{k}", TensorType(shape, "float32")) for k, shape in enumerate(shapes)]
    run = compile_graph(trace(gradient, inputs)[0])
    rng = np.random.default_rng(0)
    z, dy = (rng.normal(size=s).astype("float32") for s in shapes)
    np.testing.assert_allclose(run(z, dy)[0], np.asarray(gradient(z, dy)), rtol=2e-6, atol=1e-6)
