"""Recurrent models in onnxruntime, at several batch sizes and lengths."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import kcompile as keras
from kcompile import layers as L
from kcompile import ops
from kcompile.core import tree
from kcompile.layers import state
from tests.export.onnx_tools import LATEST, graph_of, model_of, ops_of, run
from tests.layers.check import TOLERANCE
from tests.parity import recurrent_cases as cases

SIZES = ((1, 6), (3, 6), (17, 4))  # batch, steps


def exported(model, path, opset=18):
    model.export(path, format="onnx", opset_version=opset, verbose=False)
    return onnx.load(path)


def assert_same(model, path, inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    arrays = tree.flatten(inputs)
    found = session.run(None, dict(zip(sorted(names), arrays, strict=True)))
    for got, wanted in zip(found, tree.flatten(model(inputs)), strict=True):
        np.testing.assert_allclose(got, wanted, **TOLERANCE)


def assert_same_sequences(model, path, width):
    """On sequences of several numbers and lengths."""
    rng = np.random.default_rng(0)
    for batch, steps in SIZES:
        assert_same(model, path, rng.normal(size=(batch, steps, width)).astype("float32"))


@pytest.mark.parametrize("opset", [13, 18, LATEST])
@pytest.mark.parametrize("name", cases.BUILDERS)
def test_models(name, opset, tmp_path):
    model = cases.BUILDERS[name](keras)
    model.set_weights(cases.weights_like([w.shape for w in model.weights]))
    path = tmp_path / "model.onnx"
    exported(model, path, opset)
    for batch, steps in SIZES:
        fixed = name in ("own_backward_layer", "regularized")
        assert_same(model, path, cases.inputs_of(name, batch, cases.STEPS if fixed else steps))


def test_while_loops_and_loops_without_slices():
    def function(x):
        halved = ops.while_loop(lambda v: ops.sum(v) > 1.0, lambda v: v * 0.5, x)
        return ops.fori_loop(0, 3, lambda i, v: v + ops.cast(i, "float32") * x, halved)

    x = np.full((3, 2), 4.0, "float32")
    model = model_of(graph_of(function, [x], batch=True))
    assert {"Loop", "Scan"} <= set(ops_of(model))
    for rows in (1, 3):
        [found] = run(model, [x[:rows]])
        np.testing.assert_allclose(found, function(x[:rows]))


def test_loops_in_loops_read_what_is_outside():
    def function(x, w):
        def outer(c, row):
            inner = ops.scan(lambda d, _: (ops.tanh(d @ w + row), d), c, length=2)
            return inner[0], inner[1][1] * ops.sum(w)

        return ops.scan(outer, x[0], x, reverse=True)

    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s).astype("float32") for s in ((4, 3, 2), (2, 2))]
    found = run(model_of(graph_of(function, arrays)), arrays)
    for got, wanted in zip(found, function(*arrays), strict=True):
        np.testing.assert_allclose(got, wanted, **TOLERANCE)


OPERATORS = {
    "lstm": (lambda: L.LSTM(4), ["Transpose", "LSTM", "Squeeze"]),
    "lstm-backwards": (
        lambda: L.LSTM(5, go_backwards=True, activation="relu"),
        ["Transpose", "LSTM", "Squeeze"],
    ),
    "lstm-sequences": (
        lambda: L.LSTM(5, return_sequences=True, use_bias=False),
        ["Transpose", "LSTM", "Squeeze", "Transpose"],
    ),
    "gru": (lambda: L.GRU(4), ["Transpose", "GRU", "Squeeze"]),
    "gru-square": (lambda: L.GRU(3, use_bias=False), ["Transpose", "GRU", "Squeeze"]),
    "gru-reset-before": (lambda: L.GRU(3, reset_after=False), ["Transpose", "GRU", "Squeeze"]),
    "simple": (lambda: L.SimpleRNN(4, activation="softsign"), ["Transpose", "RNN", "Squeeze"]),
    "backwards-sequences": (
        lambda: L.GRU(4, return_sequences=True, go_backwards=True),
        ["Transpose", "GRU", "Squeeze", "Slice", "Transpose"],
    ),
    "dropout": (lambda: L.LSTM(4, dropout=0.3, recurrent_dropout=0.2), ["Transpose", "LSTM", "Squeeze"]),
    "cell": (lambda: L.RNN(L.LSTMCell(4)), ["Transpose", "LSTM", "Squeeze"]),
    "hard-gates": (
        lambda: L.LSTM(4, activation="elu", recurrent_activation="hard_sigmoid"),
        ["Transpose", "LSTM", "Squeeze"],
    ),
    "gates-of-numbers": (
        lambda: L.GRU(4, activation="leaky_relu", recurrent_activation="hard_sigmoid", reset_after=False),
        ["Transpose", "GRU", "Squeeze"],
    ),
    "linear": (lambda: L.SimpleRNN(4, activation=None), ["Transpose", "RNN", "Squeeze"]),
}


@pytest.mark.parametrize("opset", [13, 18, LATEST])
@pytest.mark.parametrize("name", OPERATORS)
def test_usual_layers_are_one_operator(name, opset, tmp_path):
    make, wanted = OPERATORS[name]
    model = keras.Sequential([keras.Input((None, 3)), make()])
    model.set_weights(cases.weights_like([w.shape for w in model.weights]))
    before = state.version()
    made = exported(model, tmp_path / "m.onnx", opset)
    assert state.version() == before  # looking for an operator makes no layers
    assert ops_of(made) == wanted
    assert {i.name.rpartition("/")[2] for i in made.graph.initializer} >= {"W", "R"}
    assert_same_sequences(model, tmp_path / "m.onnx", 3)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: L.LSTM(4, activation="gelu"),
        lambda: L.RNN([L.LSTMCell(3), L.GRUCell(2)]),
        lambda: L.LSTM(3, dtype="float64"),
        lambda: L.GRU(4, activation="softplus"),
    ],
    ids=["gelu", "stack", "double", "softplus"],
)
def test_other_recurrences_are_scans(layer, tmp_path):
    one = layer()
    model = keras.Sequential([keras.Input((None, 3), dtype=one.dtype), one])
    made = exported(model, tmp_path / "m.onnx")
    assert "Scan" in ops_of(made)
    assert_same(model, tmp_path / "m.onnx", np.ones((2, 5, 3), one.dtype))


@pytest.mark.parametrize("number", [80, 100, 300])
@pytest.mark.parametrize("layer", [L.SimpleRNN, L.GRU, L.LSTM])
@pytest.mark.parametrize("activation", ["softplus", "elu", "leaky_relu", "linear"])
def test_activations_of_large_numbers(activation, layer, number, tmp_path):
    """onnxruntime's recurrent kernels take the exponential of what softplus is of."""
    model = keras.Sequential([keras.Input((1, 1)), layer(1, activation=activation)])
    model.set_weights([np.ones(w.shape, "float32") for w in model.weights])
    exported(model, tmp_path / "m.onnx")
    given = np.full((1, 1, 1), number, "float32")
    np.testing.assert_allclose(run(onnx.load(tmp_path / "m.onnx"), [given])[0], model(given), rtol=1e-6)


def test_states_that_are_given():
    """Initial states are inputs of the operator."""
    layer = L.LSTM(4, return_state=True)
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=s).astype("float32") for s in ((3, 5, 2), (3, 4), (3, 4))]
    layer.build(arrays[0].shape)

    def function(x, h, c):
        return layer(x, initial_state=[h, c])

    model = model_of(graph_of(function, arrays, batch=True))
    assert ops_of(model).count("LSTM") == 1
    for got, wanted in zip(run(model, arrays), function(*arrays), strict=True):
        np.testing.assert_allclose(got, wanted, **TOLERANCE)


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize("layer", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize(
    ("options", "behind"),
    [
        ({}, ["Transpose", "Reshape"]),
        ({"merge_mode": "sum"}, ["ReduceSum"]),
        ({"return_sequences": True}, ["Transpose", "Reshape"]),
        ({"return_sequences": True, "merge_mode": "sum"}, ["ReduceSum", "Transpose"]),
        ({"return_sequences": True, "merge_mode": "mul"}, ["ReduceProd", "Transpose"]),
        ({"return_sequences": True, "merge_mode": "ave"}, ["ReduceSum", "Div", "Transpose"]),
    ],
)
def test_both_directions_are_one_operator(layer, options, behind, opset, tmp_path):
    one = {"return_sequences": options.get("return_sequences", False)}
    merge = options.get("merge_mode", "concat")
    x = keras.Input((None, 4))
    model = keras.Model(x, L.Bidirectional(getattr(L, layer)(3, **one), merge_mode=merge)(x))
    model.set_weights(cases.weights_like([w.shape for w in model.weights]))
    operator = "RNN" if layer == "SimpleRNN" else layer
    assert ops_of(exported(model, tmp_path / "m.onnx", opset)) == ["Transpose", operator, *behind]
    assert_same_sequences(model, tmp_path / "m.onnx", 4)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("layer", ["LSTM", "GRU"])
def test_both_directions_of_halves_are_one_operator(layer, bias, tmp_path):
    """The weights stay halves in the file, and are converted as one."""
    x = keras.Input((5, 4), dtype="float16")
    inner = getattr(L, layer)(3, use_bias=bias, dtype="float16")
    model = keras.Model(x, L.Bidirectional(inner, dtype="float16")(x))
    model.set_weights(cases.weights_like([w.shape for w in model.weights]))
    found = exported(model, tmp_path / "m.onnx")
    assert [ops_of(found).count(op) for op in (layer, "Cast")] == [1, (4 if bias else 3) + 2]
    assert onnx.TensorProto.FLOAT not in {t.data_type for t in found.graph.initializer}
    keras.export.onnx.check(model, tmp_path / "m.onnx")


def test_each_direction_has_its_own_activations(tmp_path):
    """And their numbers, of which some take none."""
    x = keras.Input((None, 4))
    backward = L.LSTM(3, activation="elu", recurrent_activation="hard_sigmoid", go_backwards=True)
    y = L.Bidirectional(L.LSTM(3, activation="leaky_relu"), backward_layer=backward)(x)
    model = keras.Model(x, y)
    model.set_weights(cases.weights_like([w.shape for w in model.weights]))
    found = exported(model, tmp_path / "m.onnx")
    assert ops_of(found).count("LSTM") == 1
    assert_same_sequences(model, tmp_path / "m.onnx", 4)


def test_both_directions_one_upon_the_other_and_apart(tmp_path):
    x = keras.Input((None, 4))
    y = L.Bidirectional(L.LSTM(3, return_sequences=True))(x)
    forwards, backwards = L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode=None)(y)
    model = keras.Model(x, [forwards, ops.tanh(backwards)])
    model.set_weights(cases.weights_like([w.shape for w in model.weights]))
    found = ops_of(exported(model, tmp_path / "m.onnx"))
    assert [found.count(op) for op in ("LSTM", "GRU", "Slice", "Split", "Squeeze")] == [1, 1, 0, 1, 2]
    assert_same_sequences(model, tmp_path / "m.onnx", 4)


@pytest.mark.parametrize(
    "join",
    [
        lambda a, b: ops.concatenate([b, a], axis=-1),
        lambda a, b: ops.concatenate([a, b], axis=1),
        lambda a, b: ops.stack([a, b], axis=1),
        lambda a, b: a - b,
        lambda a, b: (a + b) * a,
    ],
)
def test_both_directions_joined_in_other_ways(join, tmp_path):
    x = keras.Input((5, 4))
    one = [L.GRU(3, return_sequences=True, go_backwards=backwards)(x) for backwards in (False, True)]
    model = keras.Model(x, join(*one))
    model.set_weights(cases.weights_like([w.shape for w in model.weights]))
    assert ops_of(exported(model, tmp_path / "m.onnx")).count("GRU") == 1
    assert keras.export.onnx.check(model, tmp_path / "m.onnx") < 1e-5


def test_states_given_to_one_direction_leave_two_operators(tmp_path):
    """And so does an input of its own."""
    x, h = keras.Input((None, 4)), keras.Input((3,))
    one = L.GRU(3)(x, initial_state=h)
    model = keras.Model([x, h], [one, L.GRU(3, go_backwards=True)(x), L.GRU(3, go_backwards=True)(x * 2.0)])
    assert ops_of(exported(model, tmp_path / "m.onnx")).count("GRU") == 3
    assert keras.export.onnx.check(model, tmp_path / "m.onnx") < 1e-5
