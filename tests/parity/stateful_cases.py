"""Models whose recurrent layers keep their states from batch to batch, through every way of running them.

The numbers come from Keras on TensorFlow: on JAX, Keras leaves the states as they were whenever a model is
run by `fit`, `evaluate` or `predict`, because they are no variables of its compiled functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

BATCH, STEPS, FEATURES = 2, 5, 3


def _masked(keras: Any, layer: Any) -> Any:
    inputs = keras.Input(batch_shape=(BATCH, STEPS, FEATURES))
    outputs = layer(keras.layers.Masking()(inputs))
    if len(outputs.shape) > 2:
        outputs = keras.layers.GlobalAveragePooling1D()(outputs)
    return keras.Model(inputs, keras.layers.Dense(2)(outputs))


def _rows(keras: Any, layer: Any) -> Any:
    inputs = keras.Input(batch_shape=(BATCH, STEPS, FEATURES))
    rows = keras.layers.Reshape((STEPS, FEATURES, 1))(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(layer(rows))))


def cases() -> dict[str, tuple[Callable[..., Any], Callable[[Any], Any]]]:
    """(what builds the model around a layer, what makes the layer) by name."""
    return {
        "simple": (_masked, lambda L: L.SimpleRNN(3, stateful=True)),
        "lstm": (_masked, lambda L: L.LSTM(3, stateful=True)),
        "lstm-sequences": (_masked, lambda L: L.LSTM(3, stateful=True, return_sequences=True)),
        "lstm-unrolled": (_masked, lambda L: L.LSTM(3, stateful=True, unroll=True)),
        "gru": (_masked, lambda L: L.GRU(3, stateful=True)),
        "gru-backwards": (_masked, lambda L: L.GRU(3, stateful=True, reset_after=False, go_backwards=True)),
        "both": (_masked, lambda L: L.Bidirectional(L.LSTM(3, stateful=True))),
        "both-sum": (_masked, lambda L: L.Bidirectional(L.GRU(3, stateful=True), merge_mode="sum")),
        "rows": (_rows, lambda L: L.ConvLSTM1D(2, 2, stateful=True)),
    }


def _states(keras: Any, layer: Any) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(s)) for s in keras.tree.flatten(layer.states)]


def run(keras: Any, name: str, eager: bool = False) -> dict[str, np.ndarray]:
    """What fit, evaluate, single batches and predict return and leave as states."""
    build, make = cases()[name]
    rng = np.random.default_rng(11)
    x = rng.normal(size=(3 * BATCH, STEPS, FEATURES)).astype("float32")
    x[::2, 3:] = 0  # masked; no row begins with a masked step, where TensorFlow's numbers are not JAX's
    y = rng.normal(size=(3 * BATCH, 2)).astype("float32")
    layer = make(keras.layers)
    model = build(keras, layer)
    model.set_weights([rng.uniform(-0.6, 0.6, w.shape).astype("float32") for w in model.get_weights()])
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=eager)
    found: dict[str, Any] = {}

    def keep(key: str, value: Any) -> None:
        found[key] = np.asarray(value)
        found.update({f"{key}/state{k}": s for k, s in enumerate(_states(keras, layer))})

    keep("fit", model.fit(x, y, batch_size=BATCH, shuffle=False, epochs=2, verbose=0).history["loss"])
    found |= {f"weight{k}": np.array(w) for k, w in enumerate(model.get_weights())}
    keep("evaluate", model.evaluate(x, y, batch_size=BATCH, verbose=0))
    keep("predict", model.predict(x, batch_size=BATCH, verbose=0))
    layer.reset_state()
    keep("reset", 0)
    keep("call", model(x[:BATCH]))
    keep("test_on_batch", model.test_on_batch(x[:BATCH], y[:BATCH]))
    keep("train_on_batch", model.train_on_batch(x[BATCH : 2 * BATCH], y[BATCH : 2 * BATCH]))
    keep("predict_on_batch", model.predict_on_batch(x[:BATCH]))
    return found
