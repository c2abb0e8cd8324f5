"""Models that are made alike with Keras and with kcompile; `keras` is the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def chain(keras: Any) -> Any:
    L = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            L.Conv2D(3, 3, activation="relu"),
            L.MaxPooling2D(),
            L.Flatten(),
            L.Dropout(0.3),
            L.Dense(4),
        ]
    )


def deferred(keras: Any) -> Any:
    L = keras.layers
    model = keras.Sequential(
        [L.Dense(3, activation="tanh"), L.BatchNormalization(), L.Dense(2)], name="deferred"
    )
    model.build((None, 5))
    return model


def unbuilt(keras: Any) -> Any:
    return keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)])


def functional_chain(keras: Any) -> Any:
    x = keras.Input((5,), name="features")
    y = keras.layers.Dense(4, activation="relu")(x)
    return keras.Model(x, keras.layers.Dense(2)(y), name="chain")


def with_ops(keras: Any) -> Any:
    L, ops = keras.layers, keras.ops
    x = keras.Input((4,))
    h = L.BatchNormalization()(L.Dropout(0.5)(L.Dense(3, activation="relu")(x)))
    z = ops.sum(h * 2.0 + 1, axis=-1, keepdims=True)
    joined = L.Concatenate()([h, z / 2, 1 - z])
    return keras.Model(x, [joined, ops.relu(h[:, :2]), ops.softmax(ops.reshape(joined, (-1, 5)), axis=-1)])


def masked(keras: Any) -> Any:
    L = keras.layers
    ids = keras.Input((None,), name="ids", dtype="int32")
    features = keras.Input((2,), name="features")
    pooled = L.GlobalAveragePooling1D()(L.Embedding(10, 3, mask_zero=True)(ids))
    return keras.Model({"ids": ids, "features": features}, {"out": L.Concatenate()([pooled, features])})


def shared_and_nested(keras: Any) -> Any:
    L = keras.layers
    inner = keras.Sequential([keras.Input((3,)), L.Dense(2), L.Dense(4)], name="inner")
    x = keras.Input((3,))
    dense = L.Dense(3)
    y = dense(dense(x))
    u = keras.Input((4,))
    residual = keras.Model(u, L.Add()([u, L.Dense(4)(u)]), name="residual")
    return keras.Model(x, [inner(y), residual(inner(y))], name="outer")


def two_inputs(keras: Any) -> Any:
    L = keras.layers
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    tower = L.Dense(4, activation="relu", kernel_regularizer="l2")
    return keras.Model([a, b], L.Dense(1)(L.Subtract()([tower(a), tower(b)])), name="siamese")


def frozen(keras: Any) -> Any:
    model = chain(keras)
    model.layers[0].trainable = False
    return model


def subclassed(keras: Any) -> Any:
    L = keras.layers

    class Blocks(keras.Model):
        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.first = L.Dense(2)
            self.blocks = [L.Dense(3), L.Dense(4)]
            self.by_name = {"last": L.Dense(5)}

        def call(self, x: Any) -> Any:
            x = self.first(x)
            for block in self.blocks:
                x = block(x)
            return self.by_name["last"](x)

    model = Blocks()
    model(keras.Input((3,)))
    return model


def nested_structures(keras: Any) -> Any:
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    both = keras.layers.Concatenate()([a, b])
    outputs = {"sum": keras.layers.Dense(2)(both), "rest": (both, [a])}
    return keras.Model({"u": [a], "v": {"w": b}}, outputs)


def one_in_lists(keras: Any) -> Any:
    x = keras.Input((3,))
    return keras.Model([x], [keras.layers.Dense(2)(x)])


def variable_sizes(keras: Any) -> Any:
    L = keras.layers
    x = keras.Input((None, None, 2))
    return keras.Model(x, [L.GlobalAveragePooling2D()(L.Conv2D(3, 3)(x)), L.Conv2D(1, 1)(x)])


def features_of_another(keras: Any) -> Any:
    """Inner outputs of a model, which is frozen, under a new head; the whole is nested once more."""
    L = keras.layers
    base = keras.Sequential(
        [keras.Input((6, 6, 2)), L.Conv2D(3, 3, name="c"), L.ReLU(name="r"), L.Flatten(), L.Dense(2)],
        name="base",
    )
    base.trainable = False
    inner = keras.Model(base.inputs, base.get_layer("r").output, name="features")
    x = keras.Input((6, 6, 2))
    y = L.Dense(2, name="head")(L.GlobalMaxPooling2D()(inner(x)))
    middle = keras.Model(x, y, name="middle")
    return keras.Sequential([keras.Input((6, 6, 2)), middle, L.Dense(1, name="last")], name="top")


def partly_frozen(keras: Any) -> Any:
    model = deferred(keras)
    model.trainable = False
    model.layers[1].trainable = True
    return model


def optional_input(keras: Any) -> Any:
    L = keras.layers
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b", optional=True)
    return keras.Model([a, b], [L.Dense(2)(a), L.Dense(2)(b)])


def stateful_subclass(keras: Any) -> Any:
    """Layers in lists, dicts and tuples; a variable that is not trained; a loss added in call()."""
    L, ops = keras.layers, keras.ops

    class Stateful(keras.Model):
        def __init__(self, units: int = 3, **kwargs: Any):
            super().__init__(**kwargs)
            self.units = units
            self.scale = self.add_weight(shape=(units,), name="scale", initializer="ones", trainable=False)
            self.blocks = [L.Dense(units, name="b0"), {"k": L.Dense(units, name="b1")}]
            self.pair = (L.Dense(units, name="t0"), L.Dropout(0.5, name="t1"))
            self.gain = self.add_weight(shape=(), name="gain", initializer="ones")
            self.blocks.append(L.BatchNormalization(name="b2"))

        def call(self, x: Any, training: Any = None) -> Any:
            x = self.blocks[1]["k"](self.blocks[0](x))
            x = self.pair[1](self.pair[0](x), training=training)
            x = self.blocks[2](x, training=training)
            self.add_loss(ops.mean(ops.square(x)))
            return x * self.scale * self.gain

    model = Stateful(name="stateful")
    model(keras.Input((4,)))
    return model


BUILDERS: dict[str, Callable[[Any], Any]] = {
    f.__name__: f
    for f in (
        chain,
        deferred,
        unbuilt,
        functional_chain,
        with_ops,
        masked,
        shared_and_nested,
        two_inputs,
        frozen,
        subclassed,
        nested_structures,
        one_in_lists,
        variable_sizes,
        features_of_another,
        partly_frozen,
        optional_input,
        stateful_subclass,
    )
}
SUMMARIES: list[dict[str, Any]] = [
    {},
    {"expand_nested": True, "show_trainable": True},
    {"line_length": 60},
    {"show_trainable": True, "line_length": 100},
    {"layer_range": ["(.*dense|.*conv|middle|b0)", ".*"]},
]
SUBCLASSED = ("subclassed", "stateful_subclass")  # cannot be made from their configs here


def inputs_of(name: str) -> Any:
    """Numbers for a model that has inputs."""
    rng = np.random.default_rng(7)

    def floats(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype("float32")

    return {
        "chain": lambda: floats(3, 6, 6, 2),
        "frozen": lambda: floats(3, 6, 6, 2),
        "deferred": lambda: floats(3, 5),
        "functional_chain": lambda: floats(3, 5),
        "with_ops": lambda: floats(3, 4),
        "masked": lambda: {"ids": np.array([[1, 2, 0, 0], [3, 4, 5, 0]], "int32"), "features": floats(2, 2)},
        "shared_and_nested": lambda: floats(3, 3),
        "two_inputs": lambda: [floats(3, 3), floats(3, 3)],
        "subclassed": lambda: floats(3, 3),
        "nested_structures": lambda: {"u": [floats(3, 3)], "v": {"w": floats(3, 2)}},
        "one_in_lists": lambda: floats(3, 3),
        "variable_sizes": lambda: floats(2, 5, 4, 2),
        "features_of_another": lambda: floats(2, 6, 6, 2),
        "partly_frozen": lambda: floats(3, 5),
        "optional_input": lambda: [floats(3, 3), floats(3, 3)],
        "stateful_subclass": lambda: floats(3, 4),
    }[name]()


def weights_like(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    return [rng.uniform(0.1, 1.0, s).astype("float32") for s in shapes]


def summary_text(model: Any, options: dict[str, Any]) -> str:
    """What `summary` prints, or that it finds no such layers."""
    lines: list[str] = []
    try:
        model.summary(print_fn=lambda text, line_break=False: lines.append(text), **options)
    except ValueError:
        return "no such layers"
    return "\n".join(lines)
