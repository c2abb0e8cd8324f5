"""Ten kinds of models for real Keras and for kcompile: the same weights, the same batches, twenty steps.

Every function takes the library as an argument. Nothing is random but the numbers made here, with fixed
seeds. No bias stands before a batch normalization: its gradient is zero, Adam steps by what rounding leaves.
leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

STEPS, BATCH = 20, 8
SAMPLES = STEPS * BATCH
Kind = tuple[Any, Any, Any, dict[str, Any]]  # model, x, y, what `compile` takes besides the optimizer

CLASSES = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}


def _rng() -> np.random.Generator:
    return np.random.default_rng(21)


def _images(channels: int = 2) -> np.ndarray:
    return _rng().normal(size=(SAMPLES, 10, 10, channels)).astype("float32")


def _labels(classes: int = 4) -> np.ndarray:
    return np.random.default_rng(22).integers(0, classes, SAMPLES)


def cnn(keras: Any) -> Kind:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((10, 10, 2)),
            layers.Conv2D(6, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Conv2D(8, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    return model, _images(), _labels(), CLASSES


def depthwise(keras: Any) -> Kind:
    layers = keras.layers
    inputs = keras.Input((10, 10, 2))
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu6")(inputs)
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    x = layers.Add()([x, layers.Conv2D(6, 1, activation="relu")(y)])
    x = layers.SeparableConv2D(8, 3, strides=2, activation="relu")(x)
    outputs = layers.Dense(4)(layers.Flatten()(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return keras.Model(inputs, outputs), _images(), _labels(), {"loss": loss, "metrics": ["accuracy"]}


def lstm(keras: Any) -> Kind:
    layers = keras.layers
    model = keras.Sequential([keras.Input((7, 3)), layers.LSTM(6, return_sequences=True), layers.LSTM(5),
                              layers.Dense(1)])  # fmt: skip
    x = _rng().normal(size=(SAMPLES, 7, 3)).astype("float32")
    return model, x, x[:, :, 0].sum(1, keepdims=True), {"loss": "mse", "metrics": ["mae"]}


def gru(keras: Any) -> Kind:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((7, 3)),
            layers.Bidirectional(layers.GRU(5, return_sequences=True)),
            layers.Bidirectional(layers.GRU(4), merge_mode="sum"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    x = _rng().normal(size=(SAMPLES, 7, 3)).astype("float32")
    y = (x.sum((1, 2)) > 0).astype("float32")[:, None]
    return (
        model,
        x,
        y,
        {"loss": "binary_crossentropy", "metrics": ["accuracy", keras.metrics.AUC(name="auc")]},
    )


def transformer(keras: Any) -> Kind:
    """Pre-norm blocks over tokens, a loss for each position."""
    layers, ops = keras.layers, keras.ops
    inputs = keras.Input((6,), dtype="int32")
    places = np.sin(np.arange(48, dtype="float32")).reshape(6, 8)
    x = layers.Embedding(12, 8)(inputs) + ops.convert_to_tensor(places)
    for _ in range(2):
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(2, 4)(y, y, use_causal_mask=True)
        y = layers.LayerNormalization()(x)
        x = x + layers.Dense(8)(layers.Dense(16, activation="gelu")(y))
    outputs = layers.Dense(12)(layers.LayerNormalization()(x))
    tokens = _rng().integers(0, 12, (SAMPLES, 7))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    metrics = ["sparse_categorical_accuracy"]
    return keras.Model(inputs, outputs), tokens[:, :-1], tokens[:, 1:], {"loss": loss, "metrics": metrics}


def autoencoder(keras: Any) -> Kind:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu"),
            layers.UpSampling2D(2),
            layers.Conv2DTranspose(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    x = _rng().random((SAMPLES, 8, 8, 1)).astype("float32")
    return model, x, x, {"loss": "binary_crossentropy", "metrics": ["mse"]}


def several_inputs(keras: Any) -> Kind:
    """Two inputs and two outputs by name, losses with weights."""
    layers = keras.layers
    numbers, flags = keras.Input((5,), name="numbers"), keras.Input((3,), name="flags")
    shared = layers.Dense(8, activation="relu")(layers.Concatenate()([numbers, flags]))
    price = layers.Dense(1, name="price")(shared)
    kind = layers.Dense(3, activation="softmax", name="kind")(layers.Multiply()([shared, shared]))
    model = keras.Model({"numbers": numbers, "flags": flags}, {"price": price, "kind": kind})
    rng = _rng()
    x = {"numbers": rng.normal(size=(SAMPLES, 5)).astype("float32"),
         "flags": rng.integers(0, 2, (SAMPLES, 3)).astype("float32")}  # fmt: skip
    y = {"price": x["numbers"].sum(1, keepdims=True), "kind": rng.integers(0, 3, SAMPLES)}
    how = {
        "loss": {"price": "huber", "kind": "sparse_categorical_crossentropy"},
        "loss_weights": {"price": 0.5, "kind": 2.0},
        "metrics": {"price": ["mae"], "kind": ["accuracy"]},
    }
    return model, x, y, how


def siamese(keras: Any) -> Kind:
    """One encoder, called twice."""
    layers, ops = keras.layers, keras.ops
    encoder = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="tanh"), layers.Dense(4)])
    a, b = keras.Input((6,)), keras.Input((6,))
    distance = ops.sqrt(ops.sum(ops.square(encoder(a) - encoder(b)), axis=-1, keepdims=True) + 1e-6)
    outputs = layers.Dense(1, activation="sigmoid")(distance)
    rng = _rng()
    x = [rng.normal(size=(SAMPLES, 6)).astype("float32") for _ in range(2)]
    y = (np.abs(x[0] - x[1]).sum(1) > 6).astype("float32")[:, None]
    return keras.Model([a, b], outputs), x, y, {"loss": "binary_crossentropy", "metrics": ["accuracy"]}


def text(keras: Any) -> Kind:
    """Token numbers, zeros are padding: masks reach the LSTM and the average."""
    layers = keras.layers
    inputs = keras.Input((9,), dtype="int32")
    x = layers.Embedding(15, 6, mask_zero=True)(inputs)
    x = layers.LSTM(5, return_sequences=True)(x)
    outputs = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling1D()(x))
    rng = _rng()
    x = rng.integers(1, 15, (SAMPLES, 9)) * (np.arange(9) < rng.integers(2, 10, (SAMPLES, 1)))
    return keras.Model(inputs, outputs), x, _labels(), CLASSES


def tabular(keras: Any) -> Kind:
    """Numbers normalized, ages put into ranges, categories one-hot and crossed, all inside of the model."""
    layers = keras.layers
    rng = _rng()
    x = {"income": (rng.random((SAMPLES, 2)) * 50 + 10).astype("float32"),
         "age": rng.integers(1, 90, (SAMPLES, 1)).astype("float32"),
         "town": rng.integers(0, 5, (SAMPLES, 1))}  # fmt: skip
    inputs = {name: keras.Input(v.shape[1:], name=name, dtype="int32" if name == "town" else "float32")
              for name, v in x.items()}  # fmt: skip
    normal = layers.Normalization()
    normal.adapt(x["income"])
    ranges = layers.Discretization(bin_boundaries=[18.0, 35.0, 60.0], output_mode="one_hot")(inputs["age"])
    towns = layers.CategoryEncoding(5, output_mode="one_hot")(inputs["town"])
    features = layers.Concatenate()([normal(inputs["income"]), ranges, towns])
    x1 = layers.BatchNormalization()(layers.Dense(8, activation="relu")(features))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x1))
    y = (x["age"] > 40).astype("float32")
    return model, x, y, {"loss": "binary_crossentropy", "metrics": ["accuracy"], "weighted_metrics": ["mse"]}


FUNCTIONS = (cnn, depthwise, lstm, gru, transformer, autoencoder, several_inputs, siamese, text, tabular)
KINDS: dict[str, Callable[[Any], Kind]] = {function.__name__: function for function in FUNCTIONS}


def start(model: Any) -> None:
    """Weights of moderate size; variances are positive, and what `adapt` found stays."""
    rng = np.random.default_rng(23)
    values = []
    for weight in model.weights:
        made = rng.normal(size=weight.shape) * 0.3 + (len(weight.shape) == 1) * 0.5
        adapted = "normalization" in weight.path and "batch" not in weight.path and "layer" not in weight.path
        values.append(np.asarray(weight) if adapted or weight.name == "count" else made.astype("float32"))
    model.set_weights(
        [np.abs(v) if "variance" in w.name else v for v, w in zip(values, model.weights, strict=True)]
    )


def part(structure: Any, rows: slice) -> Any:
    if isinstance(structure, dict):
        return {name: part(value, rows) for name, value in structure.items()}
    return [part(value, rows) for value in structure] if isinstance(structure, list) else structure[rows]


def trajectory(keras: Any, name: str) -> dict[str, np.ndarray]:
    """Losses and metrics of the steps, the last weights, a prediction and an evaluation."""
    model, x, y, how = KINDS[name](keras)
    start(model)
    model.compile(optimizer=keras.optimizers.Adam(0.01), **how)
    logs: list[dict[str, Any]] = []
    for k in range(STEPS):
        rows = slice(k * BATCH, (k + 1) * BATCH)
        logs.append(model.train_on_batch(part(x, rows), part(y, rows), return_dict=True))
    found = {f"log_{key}": np.array([float(log[key]) for log in logs]) for key in logs[0]}
    found |= {f"weight{k}": np.asarray(v) for k, v in enumerate(model.get_weights())}
    rows = slice(0, 7)
    predicted = model.predict(part(x, rows), verbose=0)
    outputs = predicted if isinstance(predicted, dict) else {"output": predicted}
    found |= {f"predicted_{key}": np.asarray(value) for key, value in outputs.items()}
    tested = model.evaluate(part(x, rows), part(y, rows), batch_size=4, verbose=0, return_dict=True)
    return found | {f"test_{key}": np.array(float(value)) for key, value in tested.items()}
