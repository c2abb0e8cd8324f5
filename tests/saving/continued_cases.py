"""Ten kinds of models that one library trains and saves, and another trains on: three further epochs.

Every function takes the library as an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BEFORE, AFTER = 2, 3
ENDINGS = (".keras", ".h5", ".weights.h5")
Case = tuple[Any, Any, Any, dict[str, Any]]  # model, x, y, what `compile` takes


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def whole(high: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, high, shape)


CLASSES = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}


def cnn(k: Any) -> Case:
    parts = [
        k.Input((8, 8, 2)),
        k.layers.Conv2D(4, 3, use_bias=False),
        k.layers.BatchNormalization(momentum=0.9),
        k.layers.ReLU(),
        k.layers.GlobalAveragePooling2D(),
        k.layers.Dense(3, activation="softmax"),
    ]
    how = {"optimizer": k.optimizers.Adam(0.01), **CLASSES}
    return k.Sequential(parts), numbers(12, 8, 8, 2), whole(3, 12), how


def lstm(k: Any) -> Case:
    model = k.Sequential([k.Input((6, 3)), k.layers.LSTM(5), k.layers.Dense(1)])
    how = {"optimizer": k.optimizers.RMSprop(0.01, momentum=0.5), "loss": "mse"}
    return model, numbers(12, 6, 3), numbers(12, 1, seed=1), how


def both_directions(k: Any) -> Case:
    gru = k.layers.Bidirectional(k.layers.GRU(4, return_sequences=True))
    model = k.Sequential([k.Input((5, 3)), gru, k.layers.GlobalMaxPooling1D(), k.layers.Dense(2)])
    how = {"optimizer": k.optimizers.Nadam(0.01), "loss": "mae"}
    return model, numbers(12, 5, 3), numbers(12, 2, seed=1), how


def transformer(k: Any) -> Case:
    inputs = k.Input((6, 8))
    x = k.layers.MultiHeadAttention(2, 4)(inputs, inputs)
    x = k.layers.LayerNormalization(epsilon=1e-6)(inputs + x)
    y = k.layers.Dense(8)(k.layers.Dense(12, activation="gelu")(x))
    x = k.layers.LayerNormalization(epsilon=1e-6)(x + y)
    outputs = k.layers.Dense(3, activation="softmax")(k.layers.GlobalAveragePooling1D()(x))
    how = {"optimizer": k.optimizers.AdamW(0.01, clipnorm=1.0), **CLASSES}
    return k.Model(inputs, outputs), numbers(12, 6, 8), whole(3, 12), how


def several(k: Any) -> Case:
    one, two = k.Input((4,), name="one"), k.Input((3,), name="two")
    shared = k.layers.Dense(5, activation="tanh")
    x = k.layers.Concatenate()([shared(one), k.layers.Dense(2)(two)])
    outputs = {"a": k.layers.Dense(1, name="a")(x), "b": k.layers.Dense(3, name="b")(x)}
    loss = {"a": "mse", "b": k.losses.SparseCategoricalCrossentropy(from_logits=True)}
    how = {"optimizer": k.optimizers.SGD(0.05, momentum=0.9, nesterov=True), "loss": loss}
    x = {"one": numbers(12, 4), "two": numbers(12, 3, seed=2)}
    y = {"a": numbers(12, 1, seed=3), "b": whole(3, 12)}
    return k.Model({"one": one, "two": two}, outputs), x, y, {**how, "loss_weights": {"a": 0.5, "b": 1.0}}


def nested(k: Any) -> Case:
    inner = k.Sequential([k.Input((4,)), k.layers.Dense(3, activation="relu")], name="inner")
    middle_in = k.Input((4,))
    middle = k.Model(middle_in, k.layers.Dense(4)(inner(middle_in)), name="middle")
    inputs = k.Input((4,))
    model = k.Model(inputs, k.layers.Dense(1)(middle(middle(inputs))))
    how = {"optimizer": k.optimizers.Adagrad(0.05), "loss": "mse"}
    return model, numbers(12, 4), numbers(12, 1, seed=1), how


def subclassed(k: Any) -> Case:
    @k.saving.register_keras_serializable(package="continued")
    class Own(k.Model):
        def __init__(self, width: int, **kwargs: Any):
            super().__init__(**kwargs)
            self.width = width
            self.hidden = [k.layers.Dense(width, activation="tanh") for _ in range(2)]
            self.head = k.layers.Dense(1)

        def call(self, x: Any) -> Any:
            for layer in self.hidden:
                x = layer(x)
            return self.head(x)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "width": self.width}

    model, x = Own(5), numbers(12, 4)
    model(x)
    how = {"optimizer": k.optimizers.Adamax(0.02), "loss": "mse"}
    return model, x, numbers(12, 1, seed=1), how


def text(k: Any) -> Case:
    """What a TextVectorization outside of the model makes of texts, which JAX does not know."""
    vectorizer = k.layers.TextVectorization(output_sequence_length=5)
    texts = ["one two three", "two four", "five one", "three four five one", "two two", "one"] * 2
    vectorizer.adapt(texts)
    rows = len(vectorizer.get_vocabulary())
    parts = [
        k.Input((5,), dtype="int64"),
        k.layers.Embedding(rows, 4, mask_zero=True),
        k.layers.GlobalAveragePooling1D(),
        k.layers.Dense(1, activation="sigmoid"),
    ]
    how = {"optimizer": k.optimizers.Ftrl(0.1), "loss": "binary_crossentropy", "metrics": ["auc"]}
    return k.Sequential(parts), np.asarray(vectorizer(texts)), whole(2, 12, 1), how


def separable(k: Any) -> Case:
    parts = [
        k.Input((8, 8, 2)),
        k.layers.SeparableConv2D(4, 3, depth_multiplier=2, activation="relu"),
        k.layers.Flatten(),
        k.layers.Dense(3, activation="softmax"),
    ]
    how = {"optimizer": k.optimizers.Adam(0.005, amsgrad=True), **CLASSES}
    return k.Sequential(parts), numbers(12, 8, 8, 2), whole(3, 12), how


def half(k: Any) -> Case:
    parts = [
        k.Input((6,)),
        k.layers.Dense(8, activation="relu", dtype="mixed_float16"),
        k.layers.Dense(1, dtype="float32"),
    ]
    optimizer = k.optimizers.LossScaleOptimizer(
        k.optimizers.Adam(0.01), initial_scale=64.0, dynamic_growth_steps=3
    )
    return (
        k.Sequential(parts),
        numbers(12, 6),
        numbers(12, 1, seed=1),
        {"optimizer": optimizer, "loss": "mse"},
    )


KINDS: dict[str, Callable[[Any], Case]] = {
    f.__name__: f
    for f in (cnn, lstm, both_directions, transformer, several, nested, subclassed, text, separable, half)
}


def begun(k: Any, name: str) -> Case:
    """The model as it is before any training, compiled."""
    k.utils.clear_session()
    model, x, y, how = KINDS[name](k)
    rng = np.random.default_rng(5)
    model.set_weights(
        [w if v.name.endswith("variance") else rng.normal(size=w.shape) * 0.3
         for v, w in zip(model.weights, model.get_weights(), strict=True)]
    )  # fmt: skip
    model.compile(**how)
    return model, x, y, how


def epochs(model: Any, x: Any, y: Any, count: int) -> list[float]:
    history = model.fit(x, y, batch_size=5, epochs=count, shuffle=False, verbose=0).history
    return [float(v) for key in history for v in history[key]]


def endings(name: str) -> list[str]:
    """A subclassed model has no config in the older format."""
    return [e for e in ENDINGS if (name, e) != ("subclassed", ".h5")]


def written(k: Any, name: str, folder: Path) -> dict[str, list[float]]:
    """Train, save in all formats, train on: losses and metrics of the further epochs, outputs before them."""
    model, x, y, _ = begun(k, name)
    epochs(model, x, y, BEFORE)
    for ending in endings(name):
        path = folder / f"{name}{ending}"
        (model.save_weights if ending == ".weights.h5" else model.save)(path)
    return described(model, x, y)


def described(model: Any, x: Any, y: Any) -> dict[str, list[float]]:
    outputs = model.predict(x, verbose=0)
    outputs = [outputs[key] for key in sorted(outputs)] if isinstance(outputs, dict) else [outputs]
    slots = [np.asarray(v).astype("float64").sum() for v in model.optimizer.variables]
    found = {"outputs": [float(v) for o in outputs for v in np.ravel(o)], "slots": [float(s) for s in slots]}
    return {**found, "epochs": epochs(model, x, y, AFTER)}


def read(k: Any, name: str, ending: str, folder: Path) -> dict[str, list[float]]:
    """The same numbers of the model in the file."""
    model, x, y, _ = begun(k, name)
    path = folder / f"{name}{ending}"
    if ending == ".weights.h5":
        model.optimizer.build(model.trainable_variables)
        model.load_weights(path)
    else:
        model = k.saving.load_model(path)
    return described(model, x, y)
