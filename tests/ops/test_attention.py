"""dot_product_attention: against Keras (tests/parity/attention.npz), compiled for any length, its errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from kcompile import ops
from kcompile.core.symbolic import symbol
from kcompile.export.onnx.emit import emit_graph
from kcompile.ir.graph import topological
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.trace.tracer import trace
from tests.export.onnx_tools import graph_of, model_of, ops_of, run
from tests.parity.attention_cases import CASES, arrays
from tests.programs import failures, gradients_of, make_case

FIXTURES = Path(__file__).resolve().parents[1] / "parity" / "attention.npz"
EXPECTED = dict(np.load(FIXTURES))
INPUTS = arrays()
Q, K, V = (INPUTS[name] for name in "qkv")


@pytest.mark.parametrize("name", CASES)
def test_as_keras(name):
    found = np.asarray(CASES[name](ops, INPUTS))
    near = 2e-2 if "bfloat16" in name else 4e-3 if "float16" in name or name == "mixed" else 1e-5
    assert found.shape == EXPECTED[name].shape  # halves: several roundings to 8 and 11 bits
    np.testing.assert_allclose(found, EXPECTED[name], rtol=near, atol=near)


def in_lengths(shape, names):
    return tuple(symbol(names[d]) if d in names else d for d in shape)


@pytest.mark.parametrize("heads", [4, 2, 1])
@pytest.mark.parametrize("causal", [False, True])
def test_compiled_for_any_length(heads, causal):
    """One program with symbolic batch and lengths, its gradients too, against the references."""
    names = {2: "batch", 3: "t", 6: "s"}
    mask = INPUTS["mask1"]
    data = [Q, K[:, :, :heads], V[:, :, :heads], mask]
    case = make_case(
        "attention",
        lambda q, k, v, m: ops.dot_product_attention(q, k, v, mask=m, is_causal=causal),
        data,
        [
            (symbol("batch"), symbol("t"), 4, 5),
            *((symbol("batch"), symbol("s"), heads, 5),) * 2,
            in_lengths(mask.shape, names),
        ],
    )
    assert failures([case, gradients_of(case)]) == []


def test_it_is_one_node_until_it_is_lowered():
    graph = graph_of(lambda q, k, v: ops.dot_product_attention(q, k, v, is_causal=True), [Q, K, V])
    assert [n.op.name for n in topological(graph.outputs)].count("dot_product_attention") == 1
    assert len(topological(graph.outputs)) == 4


def test_grouped_heads_are_not_repeated():
    graph = graph_of(ops.dot_product_attention, [Q, K[:, :, :2], V[:, :, :2]])
    model = model_of(graph, 23)
    attention = next(n for n in model.graph.node if n.op_type == "Attention")
    assert {a.name: a.i for a in attention.attribute if "heads" in a.name} == {
        "q_num_heads": 4,
        "kv_num_heads": 2,
    }
    assert ops_of(model).count("Transpose") == 0


def test_onnx_with_open_lengths():
    types = [TensorType((symbol("batch"), symbol(d), 4, 5), "float32") for d in "tss"]
    names = ["q", "k", "v"]
    inputs = [make_parameter(name, t) for name, t in zip(names, types, strict=True)]
    mask = make_parameter("m", TensorType((symbol("batch"), 1, 1, symbol("s")), "bool"))
    graph, _ = trace(
        lambda q, k, v, m: ops.dot_product_attention(q, k, v, mask=m, is_causal=True), [*inputs, mask]
    )
    assert "Attention" in [n.op for n in emit_graph(graph, [*names, "m"], ["y"], 23).nodes]
    given = [Q, K, V, INPUTS["mask3"]]
    for cut in (given, [Q[:1, :2], K[:1, :4], V[:1, :4], INPUTS["mask3"][:1, ..., :4]]):
        wanted = ops.dot_product_attention(*cut[:3], mask=cut[3], is_causal=True)
        np.testing.assert_allclose(run(model_of(graph, 23), cut)[0], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "wrong, error, text",
    [
        (lambda: ops.dot_product_attention(Q[0], K[0], V[0]), ValueError, "only supports 4D inputs"),
        (lambda: ops.dot_product_attention(Q, K, V[0]), ValueError, r"value.shape=\(6, 4, 5\)"),
        (lambda: ops.dot_product_attention(Q, K[:, :, :3], V[:, :, :3]), ValueError, "multiple of key heads"),
        (lambda: ops.dot_product_attention(Q, K[..., :3], V), ValueError, "the same depth"),
        (lambda: ops.dot_product_attention(Q, K[:, :5], V), ValueError, "the same length"),
        (lambda: ops.dot_product_attention(Q, K, V, mask=INPUTS["mask0"][:, :2]), ValueError, "broadcast"),
        (lambda: ops.dot_product_attention(Q, K, V, bias=np.ones((5, 1, 1, 1))), ValueError, "broadcast"),
        (lambda: ops.dot_product_attention(Q, K, V, attn_logits_soft_cap=1.0), ValueError, "soft_cap"),
        (lambda: ops.dot_product_attention(Q, K, V, flash_attention=True), RuntimeError, "cuDNN"),
    ],
)
def test_mistakes_are_named(wrong, error, text):
    with pytest.raises(error, match=text):
        wrong()


def test_flash_attention_setting():
    assert keras.config.is_flash_attention_enabled() is None
    keras.config.disable_flash_attention()
    try:
        assert keras.config.is_flash_attention_enabled() is False
    finally:
        keras.config.enable_flash_attention()
    assert keras.config.is_flash_attention_enabled() is None


def test_in_a_functional_model():
    x, m = keras.Input((3, 4, 5)), keras.Input((1, 3, 3), dtype="bool")
    y = ops.dot_product_attention(x, x, x, mask=m, scale=0.5, is_causal=True)
    model = keras.Model([x, m], y)
    copy = keras.Model.from_config(model.get_config())
    mask = np.random.default_rng(0).random((2, 1, 3, 3)) > 0.3
    wanted = ops.dot_product_attention(Q, Q, Q, mask=mask, scale=0.5, is_causal=True)
    np.testing.assert_allclose(copy([Q, mask]), wanted, rtol=1e-5, atol=1e-6)
    node = model.get_config()["layers"][-1]["inbound_nodes"][0]
    assert len(node["args"]) == 3
    assert node["kwargs"].keys() == {"bias", "mask", "scale"}  # as Keras writes them
