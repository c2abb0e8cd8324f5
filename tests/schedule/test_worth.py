"""What is computed again, and what must not be: a value is equal to itself, whichever kernels compute it."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.compiler import compile_graph
from kcompile.ir import loops
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.schedule.worth import depends_on_order
from kcompile.trace.tracer import trace


@pytest.mark.parametrize("width", [2, 3, 5, 10, 16, 40])
def test_an_element_picked_out_is_the_element(width):
    """The shares of a row lie in memory or are computed again, by a loop for all and by hand for the one."""

    def equals(x, at):
        shares = ops.softmax(ops.tanh(x))
        own = ops.take_along_axis(shares, at, axis=-1)
        return ops.sum(ops.cast(ops.equal(shares, own), "int32"), axis=-1)

    types = TensorType((64, width)), TensorType((64, 1), "int32")
    run = compile_graph(trace(equals, [make_parameter(f"x{k}", t) for k, t in enumerate(types)])[0])
    rng = np.random.default_rng(0)
    for _ in range(5):
        x, at = rng.normal(size=(64, width)).astype("float32"), rng.integers(0, width, (64, 1), np.int32)
        np.testing.assert_array_equal(run(x, at)[0], 1)


@pytest.mark.parametrize(
    "kind, dtype, expected",
    [("sum", "float32", True), ("prod", "float64", True), ("max", "float32", False), ("sum", "int32", False)],
)
def test_sums_of_floats_depend_on_their_order(kind, dtype, expected):
    axis = loops.Axis(5)
    x = loops.load(make_parameter("x", TensorType((5,), dtype)), (loops.Int.of(axis),), dtype)
    assert depends_on_order(loops.reduce(kind, (loops.Int.of(axis),), x)) == expected
