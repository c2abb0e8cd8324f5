"""Recurrent models that are made alike with Keras and with kcompile; `keras` is the library.

Each builder gives a model; `inputs_of` its inputs and `targets_of` what it is trained on.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

BATCH, STEPS = 5, 6


def tokens_lstm(keras: Any) -> Any:
    L = keras.layers
    ids = keras.Input((None,), dtype="int32")
    h = L.LSTM(4)(L.Embedding(9, 3, mask_zero=True)(ids))
    return keras.Model(ids, L.Dense(2)(h))


def tokens_simple(keras: Any) -> Any:
    L = keras.layers
    model = [keras.Input((None,), dtype="int32"), L.Embedding(9, 3, mask_zero=True), L.SimpleRNN(4)]
    return keras.Sequential([*model, L.Dense(2)])


def labelled_steps(keras: Any) -> Any:
    """A label for each step: the mask reaches the loss."""
    L = keras.layers
    ids = keras.Input((None,), dtype="int32")
    h = L.GRU(4, return_sequences=True)(L.Embedding(9, 3, mask_zero=True)(ids))
    return keras.Model(ids, L.Dense(2)(h))


def both_directions(keras: Any) -> Any:
    L = keras.layers
    ids = keras.Input((None,), dtype="int32")
    h = L.Bidirectional(L.LSTM(3, return_sequences=True))(L.Embedding(9, 3, mask_zero=True)(ids))
    h = L.Bidirectional(L.GRU(3, reset_after=False), merge_mode="sum")(h)
    return keras.Model(ids, L.Dense(2)(h))


def own_backward_layer(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((STEPS, 3))
    back = L.LSTM(4, activation="relu", return_sequences=True, go_backwards=True, name="back")
    h = L.Bidirectional(L.LSTM(4, return_sequences=True), backward_layer=back, merge_mode="ave")(x)
    return keras.Model(x, h)


def encoder_decoder(keras: Any) -> Any:
    """States handed from layer to layer as symbolic tensors."""
    L = keras.layers
    source, target = keras.Input((None, 3), name="source"), keras.Input((4, 2), name="target")
    _, h, c = L.LSTM(4, return_state=True)(source)
    y, *_ = L.LSTM(4, return_sequences=True, return_state=True)(target, initial_state=[h, c])
    return keras.Model({"source": source, "target": target}, L.Dense(2)(y))


def states_of_both(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((None, 3))
    first = L.Bidirectional(L.GRU(4, return_state=True), merge_mode="mul")
    y, forward, backward = first(x)
    second = L.Bidirectional(L.GRU(4, return_sequences=True, return_state=True), merge_mode=None)
    return keras.Model(x, [y, *second(x, initial_state=[forward, backward])])


def stack(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((None, 3))
    cells = [L.LSTMCell(4), L.GRUCell(3, reset_after=False), L.SimpleRNNCell(2)]
    y, (h, c), *others = L.RNN(cells, return_sequences=True, return_state=True)(x)
    return keras.Model(x, [y, h, c, *others])


def masked_stack(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((None, 3))
    h = L.Masking()(x)
    h = L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.LSTMCell(2)]), return_sequences=True)(h)
    return keras.Model(x, L.GRU(2, go_backwards=True)(h))


def custom_cell(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((None, 3))
    return keras.Model(x, L.RNN(minimal_cell(keras)(4), return_sequences=True, go_backwards=True)(x))


def minimal_cell(keras: Any) -> Any:
    """A cell with two states, an output of another size, and a layer inside."""

    @keras.saving.register_keras_serializable("recurrent_cases")
    class MinimalCell(keras.layers.Layer):
        def __init__(self, units: int, **kwargs: Any):
            super().__init__(**kwargs)
            self.units = units
            self.state_size = [units, 2]
            self.output_size = units + 2
            self.inner = keras.layers.Dense(2, use_bias=False)

        def build(self, input_shape: Any) -> None:
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
            self.inner.build((input_shape[0], self.units))

        def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
            ops = keras.ops
            h = ops.tanh(ops.matmul(inputs, self.kernel) + states[0])
            s = states[1] * 0.5 + self.inner(h)
            return ops.concatenate([h, s], axis=-1), [h, s]

        def get_config(self) -> Any:
            return {**super().get_config(), "units": self.units}

    return MinimalCell


def films(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((None, 5, 6, 2))
    h = L.ConvLSTM2D(3, 2, return_sequences=True, padding="same")(x)
    y, h, c = L.ConvLSTM2D(2, 3, return_state=True)(h)
    return keras.Model(x, [y, h, c])


def regularized(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((STEPS, 3))
    y = L.LSTM(3, kernel_regularizer="l2", activity_regularizer="l2", recurrent_constraint="max_norm")(x)
    return keras.Model(x, L.Dense(2)(y))


BUILDERS = {
    one.__name__: one
    for one in (
        tokens_lstm, tokens_simple, labelled_steps, both_directions, own_backward_layer, encoder_decoder,
        states_of_both, stack, masked_stack, custom_cell, films, regularized,
    )
}  # fmt: skip
TRAINED = [
    "tokens_lstm", "tokens_simple", "labelled_steps", "both_directions", "encoder_decoder", "masked_stack",
    "custom_cell", "own_backward_layer", "regularized",
]  # fmt: skip
TOKENS = ("tokens_lstm", "tokens_simple", "labelled_steps", "both_directions")


def rng_of(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def inputs_of(name: str, batch: int = BATCH, steps: int = STEPS) -> Any:
    rng = rng_of(name)
    if name in TOKENS:
        ids = rng.integers(1, 9, (batch, steps)).astype("int32")
        lengths = rng.integers(1, steps + 1, batch)
        ids[np.arange(steps)[None] >= lengths[:, None]] = 0
        ids[0, : steps // 2] = 0  # masked steps at the beginning
        return ids
    if name == "films":
        return rng.normal(size=(batch, steps, 5, 6, 2)).astype("float32")
    x = rng.normal(size=(batch, steps, 3)).astype("float32")
    if name == "masked_stack":
        x[:, 2] = 0
        x[1:2, -2:] = 0
    if name == "encoder_decoder":
        return {"source": x, "target": rng.normal(size=(batch, 4, 2)).astype("float32")}
    return x


def weights_like(shapes: Any) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [(rng.normal(size=tuple(s)) * 0.4).astype("float32") for s in shapes]


def train(keras: Any, name: str, model: Any) -> list[float]:
    """Losses of five steps of SGD."""
    rng, outputs = rng_of(name + " targets"), model.output_shape
    shape = tuple(d or STEPS for d in outputs[1:])
    model.compile(keras.optimizers.SGD(0.3, momentum=0.5), loss="mse")
    y = rng.normal(size=(BATCH, *shape)).astype("float32")
    return [float(model.train_on_batch(inputs_of(name), y)) for _ in range(5)]


def stateful(keras: Any) -> dict[str, np.ndarray]:
    """Outputs of layers that go on from batch to batch, and after a reset."""
    L, found = keras.layers, {}
    x = rng_of("stateful").normal(size=(2, STEPS, 3)).astype("float32")
    layers = {
        "lstm": L.LSTM(3, stateful=True, name="lstm"),
        "gru": L.GRU(3, stateful=True, return_sequences=True, name="gru"),
        "stack": L.RNN([L.SimpleRNNCell(3), L.LSTMCell(2)], stateful=True, name="stack"),
        "both": L.Bidirectional(L.GRU(3, stateful=True), name="both"),
    }
    for name, layer in layers.items():
        layer.build(x.shape)
        layer.set_weights(weights_like([w.shape for w in layer.weights]))
        for k, part in enumerate((x[:, :2], x[:, 2:3], x[:, 3:])):
            found[f"{name}/{k}"] = np.asarray(layer(part))
        if name == "stack":
            continue  # Keras cannot reset nested states
        layer.reset_state()
        found[f"{name}/reset"] = np.asarray(layer(x))
    return found


def explicit_states(keras: Any) -> dict[str, np.ndarray]:
    """initial_state as arrays, with and without a mask."""
    L, rng = keras.layers, rng_of("explicit")
    x = rng.normal(size=(4, STEPS, 3)).astype("float32")
    h, c = rng.normal(size=(2, 4, 3)).astype("float32")
    mask = rng.random((4, STEPS)) < 0.6
    mask[1, :2] = False
    layers = {
        "lstm": (L.LSTM(3, return_sequences=True), [h, c]),
        "unrolled": (L.LSTM(3, return_sequences=True, unroll=True), [h, c]),
        "gru": (L.GRU(3, return_sequences=True, go_backwards=True), h),
        "simple": (L.SimpleRNN(3, return_sequences=True), [h]),
        "stack": (L.RNN([L.LSTMCell(3), L.GRUCell(3)], return_sequences=True), [[h, c], [c]]),
    }
    found = {}
    for name, (layer, states) in layers.items():
        layer.build(x.shape)
        layer.set_weights(weights_like([w.shape for w in layer.weights]))
        found[name] = np.asarray(layer(x, initial_state=states))
        found[f"{name}/masked"] = np.asarray(layer(x, initial_state=states, mask=mask))
    return found
