"""Gradients of operands read in strides: the adjoint of a linear map, however the phases are computed."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import pull_back
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.ops import phases
from kcompile.trace.tracer import trace

# spatial shape, kernel, strides
CASES = [
    ((9, 8), (3, 3), (2, 2)),
    ((10, 11), (5, 3), (2, 2)),
    ((13, 7), (4, 5), (3, 2)),
    ((12, 9), (7, 2), (3, 2)),
    ((8, 8), (3, 1), (2, 2)),
    ((17,), (5,), (4,)),
    ((5, 6, 7), (3, 2, 3), (2, 2, 2)),
]


def gradient(shape, kernel, strides, padding, channels, dtype):
    """conv(x), and the gradient that its adjoint makes of dy, as one program."""
    rng = np.random.default_rng(sum(shape))
    x = rng.normal(size=(2, *shape, channels)).astype(dtype)
    w = rng.normal(size=(*kernel, channels, 3)).astype(dtype)
    conv = lambda x, w: ops.conv(x, w, strides=strides, padding=padding)  # noqa: E731
    dy = rng.normal(size=np.asarray(conv(x, w)).shape).astype(dtype)

    def run(x, w, dy):
        y = conv(x, w)
        return y, *pull_back(y, dy, [x])

    parameters = [make_parameter(n, TensorType(a.shape, dtype)) for n, a in (("x", x), ("w", w), ("dy", dy))]
    graph, _ = trace(run, parameters)
    return graph, (x, w, dy)


@pytest.mark.parametrize(("shape", "kernel", "strides"), CASES)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("channels", [5, phases.WIDE])
def test_the_gradient_is_the_adjoint(shape, kernel, strides, padding, channels):
    graph, (x, w, dy) = gradient(shape, kernel, strides, padding, channels, "float64")
    for target in ("reference", "cpu"):
        with config(target=target):
            y, dx = compile_graph(graph)(x, w, dy)
        np.testing.assert_allclose(np.sum(dx * x), np.sum(dy * y), rtol=1e-11)
        elsewhere = np.where(np.random.default_rng(1).random(x.shape) < 0.5, x, 0)
        moved = np.asarray(ops.conv(elsewhere, w, strides=strides, padding=padding))
        np.testing.assert_allclose(np.sum(dx * elsewhere), np.sum(dy * moved), rtol=1e-10, atol=1e-10)


def products(graph):
    """How many multiplications the contractions of a program take."""
    from kcompile.codegen import cpu
    from kcompile.ir.kernels import Contract
    from kcompile.passes import pipeline
    from kcompile.schedule.plan import plan_graph

    plan = plan_graph(pipeline.run(graph), cpu.target())
    return sum(k.contraction.flops // 2 for k in plan.kernels if isinstance(k, Contract))


def test_no_tap_is_computed_in_vain():
    """3 x 3 taps at stride 2: phases of 4, 2, 2 and 1 taps, where each of four with 4 taps would take 16."""
    graph, (*_, dy) = gradient((32, 32), (3, 3), (2, 2), "same", 64, "float32")
    forward = dy[..., 0].size * 3 * 3 * 64 * 3
    assert products(graph) < 2.25 * forward
