"""Recurrent layers under a mask: ONNX's own operators, whatever the mask looks like."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile
from kcompile import layers
from tests.export.onnx_tools import LATEST

# Rows that are whole, end early, begin late, have holes, and hold nothing at all.
TOKENS = np.array([[1, 2, 3, 4], [5, 6, 0, 0], [0, 0, 7, 8], [1, 0, 0, 2], [0, 0, 0, 0]], "int32")
LAYERS = (layers.LSTM, layers.GRU, layers.SimpleRNN)
FORMS = {
    "last": {},
    "sequence": {"return_sequences": True},
    "zeros": {"return_sequences": True, "zero_output_for_mask": True},
    "states": {"return_state": True},
    "backwards": {"go_backwards": True},
    "sequence backwards": {"go_backwards": True, "return_sequences": True, "return_state": True},
    "zeros backwards": {"go_backwards": True, "return_sequences": True, "zero_output_for_mask": True},
}


def operators(path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def check(model, path, arrays, opset=18, tolerance=1e-6):
    model.export(path, format="onnx", opset_version=opset, verbose=False)
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    found = session.run(None, dict(zip(names, arrays, strict=True)))
    expected = kcompile.tree.flatten(model(arrays if len(arrays) > 1 else arrays[0]))
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance)
    return operators(path)


def weighted(model):
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape).astype("float32") for w in model.weights])
    return model


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_masked_layer_is_its_operator(layer, form, tmp_path):
    x = kcompile.Input((None,), dtype="int32")
    y = layer(3, **FORMS[form])(layers.Embedding(9, 2, mask_zero=True)(x))
    found = check(weighted(kcompile.Model(x, y)), tmp_path / "m.onnx", [TOKENS])
    assert {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}[layer.__name__] in found
    assert "Scan" not in found


@pytest.mark.parametrize("opset", [13, 20, LATEST])
def test_in_every_opset_and_with_states_of_ones_own(opset, tmp_path):
    """A row without any step keeps the first states."""
    x = kcompile.Input((None,), dtype="int32")
    h, c = kcompile.Input((3,)), kcompile.Input((3,))
    embedded = layers.Embedding(9, 2, mask_zero=True)(x)
    y = layers.LSTM(3, return_sequences=True, return_state=True)(embedded, initial_state=[h, c])
    states = np.random.default_rng(1).normal(size=(2, 5, 3)).astype("float32")
    model = weighted(kcompile.Model([x, h, c], y))
    found = check(model, tmp_path / "m.onnx", [TOKENS, *states], opset)
    assert "LSTM" in found and "Scan" not in found


def test_both_directions_and_a_stack(tmp_path):
    x = kcompile.Input((None, 2))
    h = layers.LSTM(3, return_sequences=True)(layers.Masking()(x))
    model = weighted(kcompile.Model(x, layers.Bidirectional(layers.GRU(2))(h)))
    values = np.where(TOKENS[:, :, None] > 0, np.random.default_rng(2).normal(size=(5, 4, 2)), 0)
    found = check(model, tmp_path / "m.onnx", [values.astype("float32")])
    kinds = ("LSTM", "GRU", "Scan", "TopK")
    assert sorted(op for op in found if op in kinds) == ["GRU", "LSTM", "TopK"]


@pytest.mark.parametrize("opset", [13, 20, LATEST])
@pytest.mark.parametrize("zeros", [False, True])
def test_backward_sequences_with_states_of_ones_own(zeros, opset, tmp_path):
    """Steps behind the last one that counts give the first state."""
    x = kcompile.Input((None,), dtype="int32")
    h = kcompile.Input((3,))
    embedded = layers.Embedding(9, 2, mask_zero=True)(x)
    layer = layers.GRU(
        3, go_backwards=True, return_sequences=True, return_state=True, zero_output_for_mask=zeros
    )
    states = np.random.default_rng(1).normal(size=(5, 3)).astype("float32")
    model = weighted(kcompile.Model([x, h], layer(embedded, initial_state=h)))
    found = check(model, tmp_path / "m.onnx", [TOKENS, states], opset)
    assert "GRU" in found and "Scan" not in found


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("layer", LAYERS)
def test_sequences_of_both_directions(layer, merge, tmp_path):
    """Any mask, of any batch and length."""
    x = kcompile.Input((None,), dtype="int32")
    embedded = layers.Embedding(9, 2, mask_zero=True)(x)
    y = layers.Bidirectional(layer(3, return_sequences=True), merge_mode=merge)(embedded)
    model = weighted(kcompile.Model(x, y))
    path = tmp_path / "m.onnx"
    found = check(model, path, [TOKENS])
    assert [found.count(op) for op in ("LSTM", "GRU", "RNN", "Scan", "TopK")].count(1) == 2
    rng = np.random.default_rng(3)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for shape in ((1, 1), (3, 9), (17, 6)):
        tokens = rng.integers(0, 3, shape, "int32")
        found = session.run(None, {session.get_inputs()[0].name: tokens})
        for a, b in zip(found, kcompile.tree.flatten(model(tokens)), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("form", ["last", "sequence", "zeros"])
def test_an_unrolled_layer_that_holds_its_last_output(layer, form, tmp_path):
    """Beside its states the loop carries what masked steps give, which is no state of the operator."""
    x = kcompile.Input((4,), dtype="int32")
    y = layer(3, unroll=True, **FORMS[form])(layers.Embedding(9, 2, mask_zero=True)(x))
    check(weighted(kcompile.Model(x, y)), tmp_path / "m.onnx", [TOKENS])


def test_a_mask_that_is_an_input(tmp_path):
    x, mask = kcompile.Input((None, 2)), kcompile.Input((None,), dtype="bool")
    model = weighted(kcompile.Model([x, mask], layers.LSTM(3)(x, mask=mask)))
    values = np.random.default_rng(1).normal(size=(5, 4, 2)).astype("float32")
    assert "LSTM" in check(model, tmp_path / "m.onnx", [values, TOKENS > 0])
