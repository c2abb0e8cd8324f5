"""Which contractions take several groups in the lanes of a tile, and with how many products."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile
from kcompile import ops
from kcompile.autograd.backward import pull_back
from kcompile.codegen import cpu
from kcompile.core.symbolic import symbol
from kcompile.ir.kernels import Contract
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.kernels.host import host
from kcompile.passes import pipeline
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace
from tests.helpers import assert_close

pytestmark = pytest.mark.skipif(host().lanes("float32") != 16, reason="groups are counted for 16 lanes")


def contractions(step, *shapes):
    """Of a program of float32 operands of these shapes."""
    inputs = [make_parameter(f"x{k}", TensorType(shape)) for k, shape in enumerate(shapes)]
    graph, _ = trace(step, inputs)
    plan = plan_graph(pipeline.run(graph), cpu.target())
    return [k.contraction for k in plan.kernels if isinstance(k, Contract)]


def step(strides=1):
    def run(x, w, dy):
        y = ops.conv(x, w, strides=strides, padding="valid")
        return [y, *pull_back(y, dy, [x, w])]

    return run


@pytest.mark.parametrize("batch", [5, symbol("batch")])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize(("depth", "features"), [(4, 4), (2, 4), (4, 2), (2, 2)])
def test_a_convolution_and_both_gradients_multiply_no_zeros(batch, strides, depth, features):
    size, out = 9, 7 // strides + 7 % strides
    shapes = [(batch, size, size, 8 * depth), (3, 3, depth, 8 * features), (batch, out, out, 8 * features)]
    found = contractions(step(strides), *shapes)
    narrow = [c for c in found if c.groups is not None]
    products = {"forward": 0, "rows": 0}
    for c in narrow:
        assert c.n.extent == 8 * (c.groups.columns)
        products["forward" if c.groups.sums_depth else "rows"] += 1
    assert products["forward"] >= 2, "forward and the gradient of the images"
    assert products["rows"] == 1, "the gradient of the kernel"
    assert len(narrow) == len(found)


@pytest.mark.parametrize(
    ("groups", "depth", "features", "strides"),
    [
        (8, 3, 4, 1),  # channels that are no power of two
        (8, 4, 3, 1),
        (3, 4, 4, 1),  # no whole vectors
        (8, 16, 4, 1),  # more channels than two vectors hold
        (2, 16, 16, 2),  # a vector for each
        (8, 16, 8, 1),  # Winograd's algorithm computes them joined
    ],
)
def test_others_are_joined_or_stay_apart(groups, depth, features, strides):
    shapes = [(2, 12, 12, groups * depth), (3, 3, depth, groups * features)]
    found = contractions(lambda x, w: ops.conv(x, w, strides=strides), *shapes)
    assert found and all(c.groups is None for c in found)


def test_groups_of_half_a_vector_where_no_other_algorithm_is_faster():
    (found,) = contractions(lambda x, w: ops.conv(x, w, strides=2), (2, 12, 12, 128), (3, 3, 8, 128))
    assert (found.groups.columns, found.groups.depth) == (8, 8)


def test_any_product_of_groups_profits():
    """Nothing but strides is looked at: a product of many small matrices that lie side by side."""
    x, w = np.random.default_rng(0).normal(size=(50, 16, 4)), np.random.default_rng(1).normal(size=(4, 16, 4))
    run = lambda x, w: ops.einsum("ngc,cgf->ngf", x, w)  # noqa: E731
    (found,) = contractions(run, x.shape, w.shape)
    assert found.groups is not None
    got = kcompile.jit(run)(x.astype("float32"), w.astype("float32"))
    assert_close(np.asarray(got), np.einsum("ngc,cgf->ngf", x, w).astype("float32"), terms=4)


def test_groups_that_fill_no_whole_vector_stay_apart():
    (found,) = contractions(lambda x, w: ops.einsum("ngc,cgf->ngf", x, w), (50, 3, 4), (4, 3, 4))
    assert found.groups is None
