"""Blocks measured alone: their records tell the truth, and adapters compute what NumPy computes."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest
from rich.console import Console

import kcompile
from benchmarks import block, environment, layer_cases, report
from benchmarks.block import Block, Operand, named
from benchmarks.contenders import LAYERS as CONTENDERS
from benchmarks.layer_cases import LAYERS, RANDOM
from benchmarks.network import first_weights
from benchmarks.peers import keras_blocks
from benchmarks.workloads import Workload
from tests.benchmarks.test_results import results, series

INSTALLED = [one for one in CONTENDERS if all(map(find_spec, one.requires)) and "compile" not in one.options]
TORCH = next(one for one in CONTENDERS if one.name == "torch")
BLOCKS = {name: work for name, work in LAYERS.items() if layer_cases.block_of(work)}
by_contender = pytest.mark.parametrize("contender", INSTALLED, ids=lambda one: one.name)


def work_of(one, shape, batch=3, name="w"):
    return Workload(name, "", shape, (one,), batch, batch, loss="mse")


def opened(contender, work):
    session = import_module(f"benchmarks.peers.{contender.adapter}").open_session(contender, work, 1)
    for variant in session.variants("layer"):
        session.runner("layer", variant)()
    return session


@pytest.mark.parametrize("name", BLOCKS)
def test_shapes_of_a_record_are_those_of_the_layer(name):
    work = BLOCKS[name]
    one = layer_cases.block_of(work)
    call, weighted = keras_blocks.block(kcompile, work)
    x = kcompile.Input(work.input_shape, batch_size=work.batch)
    others = [kcompile.Input(other.shape, batch_size=work.batch) for other in one.others]
    y = call(x, *others)
    assert tuple(y.shape) == (() if one.is_loss else (work.batch, *work.output_shape))
    shapes = [tuple(weight.shape) for layer in weighted for weight in layer.weights]
    assert shapes == [shape for _, shape in one.weights]


def test_records_need_no_framework():
    found = (
        "import sys, benchmarks.layer_cases; print(*{'torch', 'kcompile', 'keras', 'jax'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", found]
    run = subprocess.run(command, cwd=environment.ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


@by_contender
def test_a_grouped_convolution_by_hand(contender):
    """Kernel 1, so that each group is a product: 4 channels to 6 in two groups."""
    one = Block(
        keras=named("Conv1D", 6, 1, groups=2),
        torch=(named("Conv1d", 4, 6, 1, groups=2),),
        after=(5, 6),
        weights=(("kernel", (1, 2, 6)), ("bias", (6,))),
        first=True,
    )
    work = work_of(one, (5, 4))
    x, dy = layer_cases.operands(work)
    ((kernel, bias),) = first_weights(work.layers, work.input_shape)
    halves = [(x[..., :2], kernel[0, :, :3], dy[..., :3]), (x[..., 2:], kernel[0, :, 3:], dy[..., 3:])]
    y = np.concatenate([left @ right for left, right, _ in halves], -1) + bias
    dx = np.concatenate([back @ right.T for _, right, back in halves], -1)
    weights = [np.einsum("ntc,ntf->cf", left, back) for left, _, back in halves]
    expected = layer_cases.sample_of([y, dx], [*weights, dy.sum((0, 1))])
    np.testing.assert_allclose(opened(contender, work).sample(), expected, atol=1e-6)


@by_contender
def test_a_depthwise_convolution_of_several_channels_each_by_hand(contender):
    one = Block(
        keras=named("DepthwiseConv2D", 1, depth_multiplier=2),
        torch=(named("Conv2d", 3, 6, 1, groups=3),),
        after=(2, 5, 6),
        weights=(("depthwise_kernel", (1, 1, 3, 2)), ("bias", (6,))),
        first=True,
    )
    work = work_of(one, (2, 5, 3))
    x, dy = layer_cases.operands(work)
    ((kernel, bias),) = first_weights(work.layers, work.input_shape)
    y = (x[..., None] * kernel[0, 0]).reshape(dy.shape) + bias
    back = dy.reshape(*x.shape, 2)
    gradients = [np.einsum("nhwc,nhwcm->cm", x, back), dy.sum((0, 1, 2))]
    expected = layer_cases.sample_of([y, (back * kernel[0, 0]).sum(-1)], gradients)
    np.testing.assert_allclose(opened(contender, work).sample(), expected, atol=1e-6)


@by_contender
def test_a_block_of_two_inputs_by_hand(contender):
    one = Block(keras=named("Multiply"), torch=(named("mul"),), others=(Operand((4,)),))
    work = work_of(one, (4,))
    x, other, dy = layer_cases.operands(work)
    expected = layer_cases.sample_of([x * other, dy * other, dy * x], [])
    np.testing.assert_allclose(opened(contender, work).sample(), expected, atol=1e-6)


@by_contender
def test_a_loss_by_hand(contender):
    """One number for the batch; its targets get no gradient."""
    one = Block(
        keras=named("losses.SparseCategoricalCrossentropy", from_logits=True),
        torch=(named("CrossEntropyLoss"),),
        after=(),
        others=(Operand((), 5),),
    )
    work = work_of(one, (5,))
    x, labels, dy = layer_cases.operands(work)
    assert dy == 1 and dy.shape == () and labels.dtype == np.int64
    shares = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    picked = np.eye(5)[labels]
    expected = layer_cases.sample_of([-(np.log(shares) * picked).sum(-1).mean(), (shares - picked) / 3], [])
    np.testing.assert_allclose(opened(contender, work).sample(), expected, atol=1e-6)


@by_contender
def test_functions_are_called_and_nested_names_made(contender):
    function = Block(keras=named("ops.negative"), torch=(named("neg"), named("mul", 1.0)))
    nested = Block(
        keras=named("TimeDistributed", named("Dense", 4)),
        torch=(named("Linear", 3, 4),),
        after=(2, 4),
        weights=(("kernel", (3, 4)), ("bias", (4,))),
    )
    works = work_of(function, (2, 3)), work_of(nested, (2, 3))
    x, dy = layer_cases.operands(works[0])
    expected = layer_cases.sample_of([-x, -dy], [])
    np.testing.assert_allclose(opened(contender, works[0]).sample(), expected, atol=1e-6)
    ((kernel, _),) = first_weights(works[1].layers, works[1].input_shape)
    x, dy = layer_cases.operands(works[1])
    expected = layer_cases.sample_of(
        [x @ kernel, dy @ kernel.T], [np.einsum("nti,nto->io", x, dy), dy.sum((0, 1))]
    )
    np.testing.assert_allclose(opened(contender, works[1]).sample(), expected, atol=1e-6)


@by_contender
def test_random_blocks_are_not_compared(contender):
    session = opened(contender, LAYERS["layer_spatial_dropout1d"])
    assert session.sample() == []


def test_random_blocks_are_named():
    assert "layer_dropout" in RANDOM and "layer_gelu" not in RANDOM
    run = results(
        *(series(name, (2.0,), task="layer_dropout", measure="layer") for name in ("kcompile", "torch")),
        *(series(name, (2.0,), task="layer_gelu", measure="layer") for name in ("kcompile", "torch")),
    )
    console = Console(record=True, width=140)
    report.print_report(run, console)
    assert "not compared, as they are random: dropout" in console.export_text()


def test_numbers_of_operands():
    rng = np.random.default_rng(0)
    shares, bits = (block.drawn(rng, (4, 9), values) for values in ("shares", "bits"))
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-6)
    assert shares.min() > 0 and set(bits.ravel()) == {0.0, 1.0}
    classes = block.drawn(rng, (100,), 4)
    assert set(classes) == {1, 2, 3}  # 0 is CTC's blank


def test_work_of_blocks_by_hand():
    """Of a transposed convolution for each place in front, of recurrent steps for each step."""
    work = LAYERS["layer_conv1d_transpose"]
    assert layer_cases.layer_flops(work) == 3 * 2 * 32 * 128 * 4 * 64 * 64
    assert layer_cases.layer_flops(LAYERS["layer_simple_rnn"]) == 3 * 2 * 32 * 80 * 2 * 64 * 64
    assert layer_cases.layer_flops(LAYERS["layer_conv2d_groups4"]) == 3 * 2 * 32 * 32 * 32 * 9 * 8 * 64
    assert layer_cases.layer_flops(LAYERS["layer_dropout"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(LAYERS) - RANDOM))
def test_both_libraries_compute_the_same(name):
    pytest.importorskip("torch")
    work = LAYERS[name]
    ours, theirs = (
        import_module(f"benchmarks.peers.{one.adapter}").open_session(one, work, 2).sample()
        for one in (CONTENDERS[0], TORCH)
    )
    np.testing.assert_allclose(
        ours, theirs, atol=1e-4
    )  # float32: most agree within 1e-6, logarithms of CTC less
