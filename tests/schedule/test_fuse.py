"""What becomes one kernel: counts and contents, before any number is computed."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile import random as krandom
from kcompile.autograd.backward import gradients
from kcompile.codegen import cpu
from kcompile.core.config import config
from kcompile.core.symbolic import symbol
from kcompile.ir.kernels import Contract, Loop, Pack
from kcompile.ir.loops import outermost_reductions, walk
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.passes import pipeline
from kcompile.schedule.lower import reductions
from kcompile.schedule.plan import plan_graph
from kcompile.trace.tracer import trace
from kcompile.trace.variable import Variable

BATCH = symbol("batch")


def parameter(name, *shape, dtype="float32"):
    return make_parameter(name, TensorType(shape, dtype))


def variable(*shape):
    return Variable(np.ones(shape, "float32"))


def plan(function, *parameters):
    graph, _ = trace(function, list(parameters))
    return plan_graph(pipeline.run(graph), cpu.target())


def kinds(made):
    return [type(k) for k in made.kernels]


def test_an_elementwise_chain_is_one_kernel_with_one_store():
    made = plan(lambda x: ops.tanh(ops.exp(x) * 2 + 1) - x, parameter("x", BATCH, 64))
    assert kinds(made) == [Loop]
    assert len(made.kernels[0].stores) == 1


def test_a_softmax_row_is_one_kernel():
    made = plan(ops.softmax, parameter("x", BATCH, 64))
    assert kinds(made) == [Loop]
    assert made.kernels[0].fused == ("max", "sum", "true_divide")
    assert len(made.kernels[0].stores) == 1


def test_a_layer_norm_is_one_kernel():
    gamma, beta = variable(64), variable(64)
    made = plan(
        lambda x: ops.layer_normalization(x, gamma=gamma.value, beta=beta.value), parameter("x", BATCH, 64)
    )
    assert kinds(made) == [Loop]
    assert len(made.kernels[0].stores) == 1


def test_bias_activation_and_dropout_are_the_epilogue_of_the_product():
    w, b, seed = variable(64, 32), variable(32), krandom.SeedGenerator(1)

    def dense(x):
        return krandom.dropout(ops.relu(ops.matmul(x, w.value) + b.value), 0.5, seed=seed)

    made = plan(dense, parameter("x", BATCH, 64))
    contractions = [k for k in made.kernels if isinstance(k, Contract)]
    assert len(contractions) == 1
    assert [s.target for s in contractions[0].stores] == made.graph.outputs
    others = [k for k in made.kernels if not isinstance(k, Contract | Pack)]
    assert [s.target.shape for k in others for s in k.stores] == [seed.state.shape]  # the seed's next state


@pytest.mark.parametrize(
    "read",
    [
        lambda v: [ops.sum(v * 3.0 + v, axis=1)],  # once, but in another shape
        lambda v: [ops.max(v, axis=1), ops.sum(v, axis=0)],
        lambda v: [ops.transpose(v) * 2, ops.reshape(v, (-1,)) - 1],
    ],
)
def test_the_last_value_of_an_epilogue_is_stored_in_place_of_the_product(read):
    """Its readers would add the bias again, and read the product, which nobody needs."""
    w, b = variable(64, 32), variable(32)

    def activated(x):
        return read(ops.relu(ops.matmul(x, w.value) + b.value))

    made = plan(activated, parameter("x", BATCH, 64))
    (product,) = [k for k in made.kernels if isinstance(k, Contract)]
    assert product.fused != ("contract",)
    assert [s.target.op.name for s in product.stores] != ["contract"]
    assert not any("contract" in s.target.op.name for k in made.kernels for s in getattr(k, "stores", ()))


def test_a_product_that_is_read_behind_a_sum_of_it_is_stored_alone():
    """The gradient of softmax: the sum's kernel multiplies again, for it reads both factors anyway."""

    def gradient(g, v, p):
        d = ops.matmul(g, v)
        return p * (d - ops.sum(d * p, axis=-1, keepdims=True))

    made = plan(gradient, parameter("g", BATCH, 64), parameter("v", 64, 96), parameter("p", BATCH, 96))
    whole = [
        s.target for k in made.kernels for s in getattr(k, "stores", ()) if s.target.shape == (BATCH, 96)
    ]
    assert [v.op.name for v in whole] == ["contract", "multiply"]


def test_the_smaller_operand_is_the_one_that_is_read_across_its_rows():
    """Summed over the rows of both: lines of A lie far apart."""
    for large, small in (("bqk,bqd->bkd", 0), ("bqd,bqk->bdk", 1)):
        shapes = {"b": 8, "q": 512, "k": 512, "d": 32}
        operands = [
            parameter(f"x{i}", *(shapes[a] for a in axes))
            for i, axes in enumerate(large.split("->")[0].split(","))
        ]
        made = plan(lambda x, y, large=large: ops.einsum(large, x, y), *operands)
        (product,) = [k for k in made.kernels if isinstance(k, Contract)]
        assert product.contraction.a.base is operands[1 - small]


def test_adam_is_the_epilogue_of_the_weights_gradient():
    w, m, v = variable(64, 32), variable(64, 32), variable(64, 32)

    def step(x, y):
        loss = ops.mean(ops.square(ops.matmul(x, w.value) - y))
        (g,) = gradients(loss, [w.value])
        m.assign(m * 0.9 + g * 0.1)
        v.assign(v * 0.999 + ops.square(g) * 0.001)
        w.assign(w - 0.001 * m / (ops.sqrt(v.value) + 1e-7))
        return loss

    made = plan(step, parameter("x", BATCH, 64), parameter("y", BATCH, 32))
    (update,) = [
        k for k in made.kernels if {made.aliases.get(s.target) for s in getattr(k, "stores", ())} - {None}
    ]
    assert {made.aliases[s.target] for s in update.stores} == {w.leaf, m.leaf, v.leaf}
    assert isinstance(update, Contract)


def test_a_loss_of_all_rows_is_one_kernel():
    made = plan(
        lambda x, y: ops.mean(ops.square(x - y)), parameter("x", BATCH, 64), parameter("y", BATCH, 64)
    )
    assert all(k.fused != ("subtract",) for k in made.kernels)
    assert len(made.kernels) <= 2  # parts of the long sum, and their sum


def test_views_of_operands_cost_no_kernel():
    w = variable(32, 64)

    def product(x):
        return ops.matmul(ops.reshape(x, (x.shape[0], 64)), ops.transpose(w.value))

    made = plan(product, parameter("x", BATCH, 8, 8))
    assert [k for k in kinds(made) if k is Loop] == []


def test_a_costly_value_read_many_times_is_stored():
    made = plan(
        lambda x: ops.sum(ops.expand_dims(ops.exp(x), 2) * ops.expand_dims(ops.exp(x), 1), axis=2),
        parameter("x", 16, 64),
    )
    sums = [r for k in made.kernels for s in k.stores for r in reductions(s.expr)]
    assert len(sums) == 1
    repeated = [
        e for e in walk(sums[0].args[0]) if e.op == "exp" and not e.free_axes.isdisjoint(sums[0].attr[1])
    ]
    assert repeated == []


def test_without_optimization_every_operation_is_a_kernel():
    with config(noopt=True):
        made = plan(lambda x: ops.tanh(ops.exp(x)) - x, parameter("x", 8, 8))
    assert [k.fused for k in made.kernels] == [("exp",), ("tanh",), ("subtract",)]


def test_the_same_function_gives_the_same_plan():
    def shapes():
        made = plan(lambda x: ops.softmax(ops.matmul(x, ops.transpose(x))), parameter("x", BATCH, 16))
        return [(type(k), k.fused) for k in made.kernels]

    assert shapes() == shapes()


def test_a_value_that_nobody_reads_is_not_computed():
    def unused(x):
        ops.exp(x)
        return ops.tanh(x)

    assert [k.fused for k in plan(unused, parameter("x", 8)).kernels] == [("tanh",)]


@pytest.mark.parametrize("side", ["pad", "concatenate"])
def test_a_sum_inside_of_a_border_is_not_computed_on_the_border(side):
    """A few rows are scattered into what is padded: beyond the border's edge there is nothing to read."""

    def padded(rows, update):
        found = ops.segment_sum(update, rows, num_segments=9)
        if side == "pad":
            return ops.pad(found, ((0, 0), (16, 3)))
        return ops.concatenate([ops.zeros((9, 16)), found, ops.zeros((9, 3))], axis=1)

    made = plan(padded, parameter("rows", 6, dtype="int32"), parameter("update", 6, 2))
    wide = [k for k in made.kernels if isinstance(k, Loop) and any(a.extent == 21 for a in k.axes)]
    assert wide
    stores = [store for kernel in wide for store in kernel.stores]
    assert not any(outermost_reductions(store.expr, guarded=False) for store in stores)
