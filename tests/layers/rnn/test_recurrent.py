"""Recurrent layers: what their loops hold, lengths and batches, states, dropout, own cells, mistakes."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers as L
from kcompile import ops
from kcompile.core.config import config
from kcompile.ir.graph import topological
from kcompile.passes import pipeline
from kcompile.training import step
from tests.layers.check import TOLERANCE, gradients_of

RNG = np.random.default_rng(3)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def loops_of(layer, features=5, **inputs):
    """The loops of a training step of a model with this layer."""
    model = keras.Sequential([keras.Input((None, features), **inputs), layer, L.Dense(1)])
    model.compile("sgd", "mse")
    data = (normal(4, 6, features), normal(4, 1), None)
    model.train_on_batch(*data[:2])
    program = model._training.programs.batch("train", data)
    graph = pipeline.run(program.traced.graph)
    return [n for n in graph.nodes() if n.op.name == "loop"]


def contractions(loop):
    return sum(n.op.name == "contract" for n in topological(loop.attrs["body"].outputs))


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        (lambda: L.LSTM(7), 1),
        (lambda: L.LSTM(7, dropout=0.3), 1),
        (lambda: L.LSTM(7, implementation=1, dropout=0.3), 1),
        (lambda: L.GRU(7), 1),
        (lambda: L.GRU(7, reset_after=False), 2),
        (lambda: L.SimpleRNN(7), 1),
    ],
    ids=["lstm", "lstm-dropout", "lstm-dropout-per-gate", "gru", "gru-reset-before", "simple"],
)
def test_only_products_with_the_state_are_left_in_the_loops(layer, count):
    """One loop forward and one backward; products with the inputs, and of weights' gradients, are outside."""
    assert [contractions(loop) for loop in loops_of(layer())] == [count, count]


def test_the_last_output_is_a_state_and_is_not_stacked():
    model = keras.Sequential([keras.Input((None, 3)), L.LSTM(4)])
    shapes = [(step.symbol("batch"), 6, 3)]
    graph = pipeline.run(step.trace_predict(model, normal(2, 6, 3), shapes).graph)
    [loop] = [n for n in graph.nodes() if n.op.name == "loop"]
    assert [len(v.shape) for v in loop.values] == [2, 2]  # h and c, both carried


@pytest.fixture
def compilations(monkeypatch):
    """The names of the graphs that are compiled."""
    from kcompile import compiler

    found = []
    original = compiler.compile_graph
    monkeypatch.setattr(compiler, "compile_graph", lambda graph: found.append(graph.name) or original(graph))
    return found


def eager(model, x):
    with config(target="reference"):
        return model.predict_on_batch(x)


@pytest.mark.parametrize("kind", [L.LSTM, L.GRU, L.SimpleRNN])
def test_one_program_for_all_batches_and_lengths(kind, compilations):
    ids = keras.Input((None,), dtype="int32")
    h = L.Bidirectional(kind(5, return_sequences=True))(L.Embedding(9, 3, mask_zero=True)(ids))
    model = keras.Model(ids, kind(4)(h))
    expected = {}
    for batch in (1, 5, 17, 33):
        for steps in (4, 7):
            x = RNG.integers(0, 9, (batch, steps)).astype("int32")
            expected[batch, steps] = x, eager(model, x)
    compilations.clear()
    for x, wanted in expected.values():
        np.testing.assert_allclose(model.predict_on_batch(x), wanted, **TOLERANCE)
    assert compilations == ["predict"]


def test_one_training_program_for_all_lengths(compilations):
    x = keras.Input((None, 3))
    model = keras.Model(x, L.Dense(2)(L.LSTM(4, return_sequences=True)(x)))
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    model.compile("sgd", "mse")
    other.compile("sgd", "mse", run_eagerly=True)
    compilations.clear()
    for batch, steps in ((5, 4), (5, 7), (17, 2), (1, 7)):
        data = normal(batch, steps, 3), normal(batch, steps, 2)
        np.testing.assert_allclose(model.train_on_batch(*data), other.train_on_batch(*data), rtol=1e-5)
    assert compilations == ["train"]
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_epochs_of_several_lengths(compilations):
    model = keras.Sequential([keras.Input((None, 3)), L.GRU(4), L.Dense(2)])
    model.compile("sgd", "mse")
    for steps in (3, 6):
        model.fit(normal(10, steps, 3), normal(10, 2), batch_size=4, verbose=0)
    assert compilations == ["train epoch"]


def test_a_loss_that_must_know_the_length_gets_it():
    def loss(y, p):
        return ops.mean(ops.square(y - p)) * int(y.shape[1])

    x = keras.Input((None, 3))
    model = keras.Model(x, L.LSTM(2, return_sequences=True)(x))
    model.compile("sgd", loss)
    for steps in (3, 5):
        found = model.evaluate(normal(4, steps, 3), normal(4, steps, 2), verbose=0)
        assert np.isfinite(found)


@pytest.mark.parametrize("arguments", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}], ids=str)
@pytest.mark.parametrize("implementation", [1, 2])
def test_dropout_is_the_same_at_every_step(arguments, implementation):
    """Ones go in, weights are ones, nothing is carried: what a step gives shows its mask."""
    layer = L.RNN(_Watched(6, implementation, **arguments), return_sequences=True)
    masks = np.asarray(layer(np.ones((4, 5, 6), "float32"), training=True))
    assert set(np.unique(masks)) == {0.0, 2.0}
    np.testing.assert_array_equal(masks, np.repeat(masks[:, :1], 5, axis=1))
    again = np.asarray(layer(np.ones((4, 5, 6), "float32"), training=True))
    assert (again != masks).any()
    quiet = np.asarray(layer(np.ones((4, 5, 6), "float32")))
    np.testing.assert_array_equal(quiet, np.ones_like(quiet))


class _Watched(L.GRUCell):
    """Gives what its masks make of ones."""

    def __init__(self, units, implementation, **kwargs):
        super().__init__(units, implementation=implementation, seed=4, **kwargs)

    def call(self, inputs, states, training=False):
        masks = self.input_masks(inputs, training)
        masks = self.state_masks(states[0], training) if masks is None else masks
        one = masks[1] if isinstance(masks, list) else masks
        return inputs if one is None else inputs * one, states


@pytest.mark.parametrize("kind", [L.LSTM, L.GRU, L.SimpleRNN])
def test_dropout_compiled_and_eager_draw_the_same(kind):
    def trained(run_eagerly):
        keras.utils.set_random_seed(5)
        layer = kind(4, dropout=0.4, recurrent_dropout=0.3, seed=9, return_sequences=True)
        model = keras.Sequential([keras.Input((None, 3)), layer, kind(2)])
        model.compile("sgd", "mse", run_eagerly=run_eagerly)
        rng = np.random.default_rng(1)
        data = rng.normal(size=(6, 5, 3)).astype("float32"), rng.normal(size=(6, 2)).astype("float32")
        return [model.train_on_batch(*data) for _ in range(3)]

    losses = trained(False)
    np.testing.assert_allclose(losses, trained(True), rtol=1e-5)
    assert len(set(losses)) == 3


def test_masks_of_stacked_cells():
    cells = [L.LSTMCell(4, dropout=0.5), L.GRUCell(3, dropout=0.5, recurrent_dropout=0.2), L.SimpleRNNCell(2)]
    layer = L.RNN(cells)
    x = normal(3, 5, 6)
    first, second = layer(x, training=True), layer(x, training=True)
    assert first.shape == (3, 2)
    assert (first != second).any()
    assert not any(cell._masks for cell in cells[:2])


def test_stateful_models_go_on_from_batch_to_batch():
    def model(stateful):
        keras.utils.set_random_seed(2)
        inputs = keras.Input(batch_shape=(4, None, 3)) if stateful else keras.Input((None, 3))
        h = L.GRU(5, return_sequences=True, stateful=stateful)(inputs)
        return keras.Model(inputs, L.LSTM(2, return_sequences=True, stateful=stateful)(h))

    x = normal(4, 6, 3)
    whole, parts = model(False), model(True)
    wanted = whole.predict(x, verbose=0)
    for _ in range(2):
        found = [parts.predict(x[:, k : k + 2], verbose=0) for k in (0, 2, 4)]
        np.testing.assert_allclose(np.concatenate(found, axis=1), wanted, **TOLERANCE)
        assert all(np.abs(s.numpy()).max() > 0 for layer in parts.layers[1:] for s in layer.states)
        for layer in parts.layers[1:]:
            layer.reset_state()
    gru = parts.layers[1]
    assert [v.path for v in gru.states] == [f"{gru.name}/rnn_state"]
    assert len(parts.weights) == len(whole.weights)


def test_stateful_training():
    """Two batches of an epoch are two halves of the same sequences."""
    model = keras.Sequential([keras.Input(batch_shape=(4, 3, 2)), L.LSTM(3, stateful=True), L.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = normal(8, 3, 2), np.zeros((8, 1), "float32")
    loss = model.fit(x, y, batch_size=4, shuffle=False, epochs=1, verbose=0).history["loss"][0]
    state = [s.numpy() for s in model.layers[0].states]
    layer = L.LSTM(3)
    layer.build((4, 6, 2))
    layer.set_weights(model.layers[0].get_weights())
    joined = layer(np.concatenate([x[:4], x[4:]], axis=1))
    np.testing.assert_allclose(state[0], joined, **TOLERANCE)
    outputs = [model.layers[1](layer(x[:4])), model.layers[1](joined)]
    np.testing.assert_allclose(loss, np.mean(np.square(outputs)), rtol=1e-5)


def test_stateful_needs_one_batch_size():
    with pytest.raises(ValueError, match="must be static"):
        L.LSTM(3, stateful=True)(keras.Input((5, 2)))
    model = keras.Sequential([keras.Input(batch_shape=(2, 5, 3)), L.LSTM(3, stateful=True)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="batch size of the input sequences must be the same"):
        model.predict(normal(3, 5, 3), verbose=0)
    with pytest.raises(ValueError, match="one size"):
        model.fit(normal(5, 5, 3), normal(5, 3), batch_size=2, verbose=0)
    with pytest.raises(AttributeError, match="stateful"):
        L.Bidirectional(L.LSTM(3)).reset_state()


class NestedStates(L.Layer):
    """Two states, one of them a pair; the output is another thing."""

    state_size = [3, [2, 2]]
    output_size = 5

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], 3), name="w")

    def call(self, inputs, states):
        h, (a, b) = states
        h = ops.tanh(h + inputs @ self.w)
        a, b = b, a + h[:, :2]
        return ops.concatenate([h, a], axis=-1), [h, [a, b]]


@pytest.mark.parametrize("masked", [False, True])
def test_cells_with_nested_states(masked):
    x, mask = normal(4, 5, 2), RNG.random((4, 5)) < 0.6
    mask[0, :2] = False
    layer = L.RNN(NestedStates(), return_sequences=True, return_state=True)
    y, h, (a, _) = layer(x, mask=mask if masked else None)
    states = [np.zeros((4, 3), "float32"), [np.zeros((4, 2), "float32")] * 2]
    last, outputs = np.zeros((4, 5), "float32"), []
    for k in range(5):
        output, new = layer.cell(x[:, k], states)
        keep = mask[:, k : k + 1] if masked else True
        last = np.where(keep, output, last)
        pairs = zip([new[0], *new[1]], [states[0], *states[1]], strict=True)
        flat = [np.where(keep, n, o) for n, o in pairs]
        states = [flat[0], flat[1:]]
        outputs.append(last)
    np.testing.assert_allclose(y, np.stack(outputs, 1), rtol=1e-6)
    np.testing.assert_allclose(h, states[0], rtol=1e-6)
    np.testing.assert_allclose(a, states[1][0], rtol=1e-6)
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, layer(L.Masking()(inputs) if masked else inputs))
    x[~mask] = 0
    y, h, (a, _) = model(x)
    eager_y, eager_h, (eager_a, _) = layer(x, mask=mask if masked else None)
    for found, wanted in ((y, eager_y), (h, eager_h), (a, eager_a)):
        np.testing.assert_allclose(found, wanted, **TOLERANCE)


def test_cells_that_are_no_layers():
    class Count:
        state_size = 1

        def call(self, inputs, states):
            return states[0] + 1, states[0] + 1

        __call__ = call

    assert L.RNN(Count())(normal(2, 7, 3)).tolist() == [[7.0], [7.0]]


def test_images_with_masked_steps():
    """Keras on JAX cannot do this; a masked step is as if it were not there."""
    layer = L.ConvLSTM2D(2, 3, padding="same", return_state=True)
    x = normal(2, 4, 5, 5, 1)
    mask = np.array([[True, False, True, True]] * 2)
    for found, wanted in zip(layer(x, mask=mask), layer(x[:, [0, 2, 3]]), strict=True):
        np.testing.assert_allclose(found, wanted, **TOLERANCE)


def test_gradients_reach_initial_states():
    layer = L.LSTM(3)
    h, c, x = normal(4, 3), normal(4, 3), normal(4, 5, 2)
    layer.build(x.shape)
    found = gradients_of(_Started(layer), [x, h, c], {})
    assert all(np.abs(found[f"input_gradient{k}"]).max() > 0 for k in range(3))


class _Started(L.Layer):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, inputs):
        x, *states = inputs
        return self.layer(x, initial_state=states)


def test_masks_travel_on():
    x = L.Embedding(5, 2, mask_zero=True)(np.array([[1, 2, 0]], "int32"))
    from kcompile.trace.masks import mask_of

    assert mask_of(L.LSTM(2)(x)) is None
    assert mask_of(L.LSTM(2, return_sequences=True)(x)).tolist() == [[True, True, False]]
    outputs, state = L.GRU(2, return_sequences=True, return_state=True)(x)
    assert mask_of(outputs) is not None
    assert mask_of(state) is None
    pair = L.Bidirectional(L.LSTM(2, return_sequences=True), merge_mode=None)(x)
    assert all(mask_of(y) is not None for y in pair)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "mixed_bfloat16"])
def test_dtypes(dtype):
    x = normal(3, 4, 2)
    layer = L.LSTM(3, dtype=dtype, return_state=True)
    outputs = layer(x)
    wanted = "bfloat16" if "bfloat16" in dtype else dtype
    assert [str(y.dtype) for y in outputs] == [wanted] * 3
    assert {v.dtype for v in layer.weights} == {dtype.replace("mixed_bfloat16", "float32")}
    plain = L.LSTM(3)
    plain.build(x.shape)
    plain.set_weights([w.astype("float32") for w in layer.get_weights()])
    np.testing.assert_allclose(
        np.asarray(outputs[0], "float32"), plain(x), atol=1e-6 if dtype == "float64" else 0.02
    )


def test_settings_of_the_cell_are_those_of_the_layer():
    layer = L.GRU(3, activation="relu", dropout=2.0, recurrent_dropout=-1, reset_after=False)
    assert (layer.units, layer.reset_after, layer.use_bias) == (3, False, True)
    assert (layer.dropout, layer.recurrent_dropout) == (1.0, 0.0)
    assert layer.activation is layer.cell.activation
    assert layer.cell.name == "gru_cell"
    assert L.LSTM(3, recurrent_dropout=0.1).cell.implementation == 1
    assert L.ConvLSTM1D(3, 2).kernel_size == (2,)


def test_forget_gates_begin_open():
    layer = L.LSTM(2)
    layer.build((None, 3, 1))
    assert layer.cell.bias.numpy().tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    layer = L.LSTM(2, unit_forget_bias=False, bias_initializer="ones")
    layer.build((None, 3, 1))
    assert layer.cell.bias.numpy().tolist() == [1] * 8


X = np.zeros((2, 3, 4), "float32")


class ForgetfulCell(L.Layer):
    """Its first states are fewer than it says."""

    state_size = output_size = [4, 4]

    def get_initial_state(self, batch_size=None):
        return [keras.ops.zeros((batch_size, 4))]

    def call(self, inputs, states):
        return inputs, states


MISTAKES = {
    "units": (lambda: L.LSTM(0), ValueError, "positive integer"),
    "units-cell": (lambda: L.GRUCell(-1), ValueError, "positive integer"),
    "no-call": (lambda: L.RNN(3), ValueError, "`call` method"),
    "no-state-size": (lambda: L.RNN(L.Dense(2)), ValueError, "state_size"),
    "stack": (lambda: L.StackedRNNCells([L.Dense(2)]), ValueError, "state_size"),
    "rank": (lambda: L.LSTM(2)(X[0]), ValueError, "expected ndim=3"),
    "cudnn": (lambda: L.LSTM(2, use_cudnn="yes"), ValueError, "use_cudnn"),
    "states": (lambda: L.LSTM(2)(X, initial_state=[X[:, 0, :2]]), ValueError, "expects 2 initial state"),
    "few-states": (lambda: L.GRU(2)(X, initial_state=[]), IndexError, "expects 1 .* received 0"),
    "many-states": (
        lambda: L.GRU(2)(X, initial_state=[X[:, 0, :2]] * 2),
        TypeError,
        "expects 1 .* received 2",
    ),
    "state-size": (
        lambda: L.LSTM(3)(X, initial_state=[X[:, 0]] * 2),
        TypeError,
        r"shape \(2, 3\) of initial st",
    ),
    "state-batch": (lambda: L.SimpleRNN(4)(X, initial_state=X[:1, 0]), TypeError, r"received \(1, 4\)"),
    "cell-states": (
        lambda: L.RNN(ForgetfulCell(), return_state=True)(keras.Input((3, 4))),
        ValueError,
        "3 leaves. Received: 2",
    ),
    "filters": (lambda: L.ConvLSTM2D(0, 3), ValueError, "`filters`, expected a positive integer"),
    "argument": (lambda: L.LSTM(2, unitz=3), ValueError, "unitz"),
    "activation": (lambda: L.LSTM(2, activation="tanhh"), ValueError, "tanhh"),
    "layer": (lambda: L.Bidirectional("lstm"), ValueError, "Layer` instance"),
    "mode": (lambda: L.Bidirectional(L.LSTM(2), merge_mode="max"), ValueError, "merge mode"),
    "same-way": (
        lambda: L.Bidirectional(L.LSTM(2), backward_layer=L.LSTM(2)),
        ValueError,
        "different `go_backwards`",
    ),
    "shared": (
        lambda: L.Bidirectional(
            L.LSTM(2), backward_layer=L.LSTM(2, go_backwards=True, return_sequences=True)
        ),
        ValueError,
        "return_sequences",
    ),
    "image-size": (
        lambda: L.ConvLSTM2D(2, 3)(keras.Input((None, None, 5, 1))),
        ValueError,
        "static input shapes",
    ),
    "steps-and-dilation": (lambda: L.ConvLSTM1D(2, 3, strides=2, dilation_rate=2), ValueError, "strides"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name):
    call, error, text = MISTAKES[name]
    with pytest.raises(error, match=text):
        call()
