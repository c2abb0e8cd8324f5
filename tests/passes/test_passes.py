"""Each rewrite: where it fires, where it must not, and that the numbers stay the same."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph
from kcompile.ir.op import REGISTRY, constant, make_parameter
from kcompile.ir.types import TensorType
from kcompile.ops.movement import broadcast_op, reshape_op, transpose_op
from kcompile.passes import algebra, crop, decompose, fold, masks, pipeline

BATCH = symbol("batch")


def parameter(*shape, dtype="float32", name="x"):
    return make_parameter(name, TensorType(shape, dtype))


def rewritten(y, rules=algebra, close=0):
    """y after a pass; the same bits as before for random inputs, or as `close` where sums are shorter."""
    inputs = [v for node in Graph([], [y]).nodes() for v in node.values if v.op.name == "parameter"]
    (new,) = rules.run(Graph(inputs, [y])).outputs
    rng = np.random.default_rng(0)
    shapes = [tuple(d if isinstance(d, int) else 3 for d in v.shape) for v in inputs]
    leaves = {v: rng.normal(size=s).astype(v.dtype) for v, s in zip(inputs, shapes, strict=True)}
    before, after = (evaluate([v], leaves, {"batch": 3})[0] for v in (y, new))
    np.testing.assert_allclose(before, after, rtol=close, atol=close)
    return new


def ones(*shape):
    return ops.broadcast_to(constant(np.float32(1)), shape)


X = parameter(2, 6)


@pytest.mark.parametrize(
    "y, expected",
    [
        (ops.reshape(ops.reshape(X, (3, 4)), (12,)), ops.reshape(X, (12,))),
        (ops.reshape(ops.reshape(X, (3, 4)), (2, 6)), X),
        (reshape_op(X, shape=(2, 6)), X),
        (ops.transpose(ops.transpose(X)), X),
        (
            ops.transpose(ops.transpose(parameter(2, 3, 4), (1, 2, 0)), (1, 2, 0)),
            ops.transpose(parameter(2, 3, 4), (2, 0, 1)),
        ),
        (broadcast_op(X, shape=(2, 6)), X),
        (ops.multiply(X, 1.0), X),
        (ops.multiply(ones(6), X), X),
        (ops.true_divide(X, 1.0), X),
    ],
    ids=str,
)
def test_algebra_fires(y, expected):
    assert rewritten(y) is expected


@pytest.mark.parametrize(
    "y",
    [
        ops.reshape(X, (3, 4)),
        ops.transpose(X),
        ops.broadcast_to(X, (3, 2, 6)),
        ops.multiply(X, 2.0),
        ops.multiply(X, ones(3, 2, 6)),  # it also broadcasts
        ops.true_divide(X, 2.0),
        ops.true_divide(ones(2, 6), X),
        ops.add(X, 1.0),
        transpose_op(ops.exp(X), axes=(1, 0)),
    ],
    ids=str,
)
def test_algebra_does_not_fire(y):
    assert rewritten(y) is y


def test_algebra_reaches_through_a_chain():
    y = ops.transpose(ops.multiply(ops.transpose(ops.exp(X)), 1.0))
    assert rewritten(y) is ops.exp(X)


def test_symbolic_reshapes_are_joined():
    x = parameter(BATCH, 8, 4)
    assert rewritten(ops.reshape(ops.reshape(x, (BATCH, 32)), (BATCH, 8, 4))) is x


def test_constants_are_folded():
    y = ops.add(ops.exp(constant(np.float32(1.0))), constant(np.float32(2.0)))
    (new,) = fold.run(Graph([], [y])).outputs
    assert new.op.name == "constant"
    assert new.node.attrs["value"].array == np.exp(np.float32(1.0)) + np.float32(2.0)


def test_what_depends_on_an_input_is_not_folded():
    y = ops.add(X, 1.0)
    assert fold.run(Graph([X], [y])).outputs == [y]


def test_large_constants_are_not_folded():
    y = ops.broadcast_to(constant(np.float32(1.0)), (fold.LIMIT + 1,))
    assert fold.run(Graph([], [y])).outputs == [y]


def test_decomposition_leaves_primitives_only():
    gamma = np.ones(6, "float32")
    graph = Graph([X], [ops.softmax(ops.gelu(ops.layer_normalization(X, gamma=gamma, beta=gamma)))])
    assert not all(decompose.is_primitive(n) for n in graph.nodes())
    done = decompose.run(graph)
    assert all(decompose.is_primitive(n) for n in done.nodes())
    assert all("scalar" in n.op.rules for n in done.nodes() if n.op.leaf is None)


def test_stop_gradient_is_nothing_at_run_time():
    assert decompose.run(Graph([X], [ops.stop_gradient(X)])).outputs == [X]


def test_passes_are_skipped_by_name():
    y = ops.multiply(X, 1.0)
    graph = Graph([X], [y])
    assert pipeline.run(graph).outputs == [X]
    with config(skip="algebra,fold"):
        assert pipeline.run(graph).outputs == [y]
    with config(noopt=True):
        assert pipeline.run(graph).outputs == [y]


def test_what_codegen_needs_is_not_skipped_by_noopt():
    with config(noopt=True):
        done = pipeline.run(Graph([X], [ops.softmax(X)]))
    assert all(n.op is not REGISTRY["softmax"] for n in done.nodes())


def dropped(x, keep, scale=1.25):
    return ops.where(keep, ops.relu(x) * scale, 0.0)


def both_ways(scale=1.25, back=1.25):
    """A masked value, and a cotangent masked as its gradient is."""
    x, dy = parameter(4, 5), parameter(4, 5, name="dy")
    keep = ops.less(parameter(4, 5, name="u"), 0.5)
    y = dropped(x, keep, scale)
    return y, ops.where(ops.greater(ops.relu(x), 0.0), ops.where(keep, dy, 0.0) * back, 0.0)


def of_both(y, dx):
    inputs = [v for n in Graph([], [y, dx]).nodes() for v in n.values if v.op.name == "parameter"]
    found = masks.run(Graph(inputs, [y, dx])).outputs
    rng = np.random.default_rng(0)
    leaves = {v: rng.normal(size=v.shape).astype("float32") for v in inputs}
    for before, after in zip(evaluate([y, dx], leaves, {}), evaluate(found, leaves, {}), strict=True):
        np.testing.assert_array_equal(before, after)
    return found


def test_what_two_masks_hide_is_masked_by_the_sign_of_a_value():
    y, dx = of_both(*both_ways())
    nodes = Graph([], [dx]).nodes()
    assert y.node in nodes
    assert [n.op.name for n in nodes].count("where") == 2  # that of y, and one by its sign


def test_the_value_that_shows_its_masks_keeps_them():
    """relu as a selection: the value lies behind both masks, as its gradient does."""
    x, dy = parameter(4, 5), parameter(4, 5, name="dy")
    keep, sign = ops.less(parameter(4, 5, name="u"), 0.5), ops.greater(x, 0.0)
    before = [ops.where(keep, ops.where(sign, v, 0.0) * 1.25, 0.0) for v in (x, dy)]
    y, dx = of_both(*before)
    assert y is before[0]
    assert dx is not before[1] and y.node in Graph([], [dx]).nodes()


def test_masks_of_a_larger_value_are_shown_by_the_one_that_is_broadcast():
    x, dy = parameter(4, 5), parameter(3, 4, 5, name="dy")
    keep = ops.less(parameter(4, 5, name="u"), 0.5)
    y = dropped(x, keep)
    dx = ops.where(ops.greater(ops.relu(x), 0.0), ops.where(keep, dy, 0.0), 0.0)
    found = of_both(y, dx)
    assert found[1].shape == (3, 4, 5) and y.node in Graph([], [found[1]]).nodes()


@pytest.mark.parametrize("scale, back", [(0.5, 1.25), (1.25, -1.0)])
def test_a_scale_that_may_change_a_sign_is_left(scale, back):
    """0.5 times a tiny positive number is 0; a negative factor would make -0 of what is masked."""
    before = both_ways(scale, back)
    assert of_both(*before)[1] is before[1]


def test_a_mask_alone_is_left():
    x, keep = parameter(4, 5), ops.less(parameter(4, 5, name="u"), 0.5)
    y, dx = dropped(x, keep), ops.where(ops.greater(ops.relu(x), 0.0), parameter(4, 5, name="dy"), 0.0)
    assert of_both(y, dx)[1] is dx


def widened(x):
    return ops.cast(x, "float32")


HALF = parameter(2, 6, dtype="float16", name="half")


@pytest.mark.parametrize(
    "move",
    [
        lambda x: ops.reshape(x, (3, 4)),
        ops.transpose,
        lambda x: ops.broadcast_to(x, (5, 2, 6)),
        lambda x: ops.pad(x, ((1, 0), (0, 2))),
        lambda x: ops.pad(x, ((1, 0), (0, 2)), constant_values=-np.inf),
        lambda x: x[:, 1:4],
        lambda x: ops.transpose(ops.reshape(x, (3, 4))),
    ],
)
def test_halves_are_moved_before_they_are_widened(move):
    assert rewritten(move(widened(HALF))) is widened(move(HALF))


@pytest.mark.parametrize(
    "y",
    [
        ops.pad(widened(HALF), ((1, 0), (0, 2)), constant_values=0.1),  # float16 has no 0.1
        ops.reshape(ops.cast(X, "float16"), (3, 4)),
        ops.reshape(ops.cast(X, "float64"), (3, 4)),
        ops.reshape(ops.cast(parameter(2, 6, dtype="int32", name="i"), "float32"), (3, 4)),
        ops.reshape(ops.cast(HALF, "float64"), (3, 4)),
    ],
    ids=["pad", "narrowing", "to float64", "int", "half to float64"],
)
def test_other_casts_stay_where_they_are(y):
    assert rewritten(y) is y


def _convolution(x, stride=1):
    """The input gradient of a convolution of x in "same" padding, after decomposition."""
    w = parameter(3, 3, 4, 5, name="w")
    y = ops.conv(x, w, strides=stride, padding="same")
    (dx,) = gradients(ops.sum(y), [x])
    return rewritten(rewritten(dx, decompose, 1e-5), algebra)


@pytest.mark.parametrize("extent", [7, 8])
def test_the_border_of_a_gradient_is_not_computed(extent):
    """Without the pass the contraction is as large as the padded image, two rows and columns larger."""
    dx = rewritten(_convolution(parameter(2, extent, extent, 4)), crop, 1e-5)
    assert dx.op.name == "contract" and dx.shape == (2, extent, extent, 4)


def test_whole_groups_are_cut_off_of_a_strided_gradient():
    """Groups of two rows: of 15 padded rows of gradient, 8 groups are made, and 14 rows are wanted."""
    dx = rewritten(_convolution(parameter(2, 14, 14, 4), 2), crop, 1e-5)
    assert dx.op.name == "reshape" and dx.node.inputs[0].shape == (2, 7, 2, 7, 2, 4)


def test_a_product_that_others_need_whole_is_not_cropped():
    y = ops.matmul(parameter(4, 6), parameter(6, 8, name="w"))
    part = rewritten(ops.add(y[1:3], ops.sum(y)), decompose, 1e-5)
    assert rewritten(part, crop, 1e-5) is part


def test_parts_of_operands_are_read_where_they_lie():
    y = rewritten(ops.matmul(parameter(4, 6), parameter(6, 8, name="w"))[1:3, 2:], decompose, 1e-5)
    x, w = rewritten(y, crop, 1e-5).node.inputs
    assert (x.op.name, x.shape, w.op.name, w.shape) == ("slice", (2, 6), "slice", (6, 6))


def test_rows_are_cut_off_before_they_are_joined_unless_others_need_them():
    y = ops.matmul(parameter(4, 6), parameter(6, 8, name="w"))
    part = ops.reshape(y, (32,))[8:24]
    alone = rewritten(rewritten(part, decompose, 1e-5), crop, 1e-5)
    assert alone.op.name == "reshape" and alone.node.inputs[0].shape == (2, 8)
    shared = rewritten(ops.add(part, ops.sum(y)), decompose, 1e-5)
    assert rewritten(shared, crop, 1e-5) is shared


def test_an_operand_that_others_need_whole_is_computed_once():
    inner = ops.matmul(parameter(4, 6), parameter(6, 8, name="w"))
    outer = ops.matmul(inner, parameter(8, 5, name="v"))
    y = rewritten(ops.add(ops.sum(outer[1:3]), ops.sum(inner)), decompose, 1e-5)
    new = rewritten(y, crop, 1e-5)
    assert sum(n.op.name == "contract" for n in Graph([], [new]).nodes()) == 2


def test_integers_that_wrap_to_zero_are_no_mask():
    """x * 4 is 0 where x is 2**30: its sign does not show the masks behind it."""
    x, dy, keep = (
        parameter(3, 5, dtype=d, name=n) for d, n in (("int32", "x"), ("int32", "dy"), ("bool", "keep"))
    )
    y = ops.where(keep, ops.relu(x) * 4, ops.zeros_like(x))
    back = ops.where(keep, ops.where(ops.greater(ops.relu(x), 0), dy, ops.zeros_like(dy)), ops.zeros_like(dy))
    total = ops.add(back, y)
    assert masks.run(Graph([x, dy, keep], [total])).outputs == [total]
