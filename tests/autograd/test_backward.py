"""The reverse walk: which gradients exist, how paths add up, and what stops them."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.autograd.check import gradient_error
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import topological
from kcompile.ir.op import REGISTRY, Op, make_parameter
from kcompile.ir.types import TensorType


def parameter(name, *shape, dtype="float64"):
    return make_parameter(name, TensorType(shape, dtype))


X, Y = parameter("x", 3), parameter("y", 3)
ARRAYS = {X: np.array([0.5, -1.0, 2.0]), Y: np.array([1.0, 3.0, -2.0])}


def value(v):
    return evaluate([v], ARRAYS, {})[0]


def test_paths_add_up():
    (g,) = gradients(ops.sum(X * X + ops.sin(X)), [X])
    np.testing.assert_allclose(value(g), 2 * ARRAYS[X] + np.cos(ARRAYS[X]), rtol=1e-14)


def test_an_operand_used_twice_counts_twice():
    (g,) = gradients(ops.sum(ops.add(X, X)), [X])
    np.testing.assert_array_equal(value(g), [2, 2, 2])


REPEATED = {
    "einsum": lambda h: ops.einsum("bi,bi->b", h, h),
    "outer": lambda h: ops.einsum("bi,bj->bij", h, h),
    "three": lambda h: ops.einsum("bi,bi,bj->j", h, h * 2.0, h),
    "matmul": lambda h: ops.matmul(h, ops.transpose(h)),
    "tensordot": lambda h: ops.tensordot(h, h, 2),
    "attention": lambda h: ops.dot_product_attention(*[ops.reshape(h, (1, 3, 2, 2))] * 3),
    "layer_norm": lambda h: ops.layer_normalization(h, h[0], h[0]),
}


@pytest.mark.parametrize("name", REPEATED)
def test_an_operand_that_stands_there_twice(name):
    """Of a composite, too, each use counts once."""
    h = np.random.default_rng(0).normal(size=(3, 4))
    assert gradient_error(REPEATED[name], h) < 1e-6


def test_what_the_loss_does_not_depend_on_has_none():
    assert gradients(ops.sum(X), [X, Y])[1] is None


def test_stop_gradient_stops_one_path():
    (g,) = gradients(ops.sum(X * ops.stop_gradient(X)), [X])
    np.testing.assert_array_equal(value(g), ARRAYS[X])


def test_integers_have_no_gradient():
    index = parameter("i", 3, dtype="int32")
    assert gradients(ops.sum(ops.take(X, index)), [X, index])[1] is None


def test_intermediate_values_can_be_asked_for():
    h = ops.exp(X)
    g, through = gradients(ops.sum(h * Y), [h, X])
    np.testing.assert_array_equal(value(g), ARRAYS[Y])
    assert through is None  # the walk ends at h


def test_only_paths_to_what_is_asked_for_are_walked():
    (g,) = gradients(ops.sum(ops.sin(X) * ops.cos(Y)), [X])
    assert all(node.op is not REGISTRY["sin"] for node in topological([g]))


def test_composites_are_differentiated_by_way_of_their_parts():
    (g,) = gradients(ops.sum(ops.softmax(X) * Y), [X])
    e = np.exp(ARRAYS[X] - ARRAYS[X].max())
    s = e / e.sum()
    np.testing.assert_allclose(value(g), s * (ARRAYS[Y] - (s * ARRAYS[Y]).sum()), rtol=1e-13, atol=1e-15)


def test_broadcast_operands_get_sums():
    row = parameter("row", 1, 3)
    (g,) = gradients(ops.sum(ops.broadcast_to(row, (5, 3))), [row])
    assert g.shape == (1, 3)
    np.testing.assert_array_equal(evaluate([g], {row: np.zeros((1, 3))}, {})[0], [[5, 5, 5]])


def test_a_loss_of_several_numbers_counts_as_their_sum():
    (dx,) = gradients(X * X, [X])
    np.testing.assert_array_equal(value(dx), 2 * ARRAYS[X])


def test_an_op_without_a_rule_is_named():
    op = Op("no_rule")
    try:
        op.infer(lambda x: x)
        with pytest.raises(NotImplementedError, match="'no_rule' has no gradient"):
            gradients(ops.sum(op(X)), [X])
    finally:
        del REGISTRY["no_rule"]
