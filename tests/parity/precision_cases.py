"""Dtype policies, loss scaling and promotion, for real Keras and for kcompile: the library is an argument."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

HALF_POLICIES = ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16")
WIDE_POLICIES = ("float64",)
POLICIES = (*HALF_POLICIES, *WIDE_POLICIES, "float32")
STEPS = 8

# --- promotion ----------------------------------------------------------------------------------------------

DTYPES = (
    "bool", "uint8", "uint16", "uint32", "int8", "int16", "int32", "int64", "float16", "bfloat16",
    "float32", "float64",
)  # fmt: skip
WEAK: dict[str, Any] = {"int": int, "float": float}


def promotions(keras: Any) -> dict[str, str]:
    """The dtype of every pair of dtypes and Python types."""
    names = [*DTYPES, *WEAK]
    pairs = itertools.combinations_with_replacement(names, 2)
    return {
        f"{a} {b}": keras.backend.result_type(WEAK.get(a, a), WEAK.get(b, b))
        for a, b in pairs
        if not (a in WEAK and b in WEAK)
    }


# --- dtypes of layers ---------------------------------------------------------------------------------------


@contextmanager
def policy(keras: Any, name: str) -> Iterator[None]:
    """A global policy; with float64 the default float, of inputs and losses, is that too."""
    before = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy(name)
    keras.config.set_floatx("float64" if name == "float64" else before[1])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before[0])
        keras.config.set_floatx(before[1])


def layers_of(keras: Any, **dtype: Any) -> dict[str, tuple[Any, Any]]:
    """Layers, each with an input that it takes."""
    layers = keras.layers
    rows = np.linspace(-1, 1, 12, dtype="float32").reshape(2, 6)
    images = np.linspace(-1, 1, 2 * 5 * 5 * 2, dtype="float32").reshape(2, 5, 5, 2)
    return {
        "dense": (layers.Dense(3, **dtype), rows),
        "dense on float64": (layers.Dense(3, **dtype), rows.astype("float64")),
        "dense on ints": (layers.Dense(3, **dtype), np.ones((2, 6), "int32")),
        "no autocast": (layers.Dense(3, autocast=False, **dtype), rows),
        "embedding": (layers.Embedding(7, 3, **dtype), np.array([[1, 2], [3, 0]], "int32")),
        "conv": (layers.Conv2D(3, 3, **dtype), images),
        "batch norm": (layers.BatchNormalization(**dtype), images),
        "layer norm": (layers.LayerNormalization(**dtype), rows),
        "group norm": (layers.GroupNormalization(2, **dtype), images),
        "dropout": (layers.Dropout(0.5, **dtype), rows),
        "softmax": (layers.Softmax(**dtype), rows),
        "pooling": (layers.MaxPooling2D(**dtype), images),
        "average": (layers.GlobalAveragePooling2D(**dtype), images),
        "flatten": (layers.Flatten(**dtype), images),
        "rescaling": (layers.Rescaling(2.0, **dtype), rows),
        "rescaling ints": (layers.Rescaling(2.0, **dtype), np.ones((2, 6), "uint8")),
        "activation": (layers.Activation("gelu", **dtype), rows),
    }


def layer_dtypes(keras: Any, name: str, by_argument: bool) -> dict[str, list[Any]]:
    """Dtypes of outputs and weights, and the policy's name, of layers under a policy."""
    with policy(keras, "float32" if by_argument else name):
        made = layers_of(keras, **({"dtype": name} if by_argument else {}))
        found = {}
        for key, (layer, x) in made.items():
            y = layer(keras.ops.convert_to_tensor(x))
            seen = [keras.backend.standardize_dtype(t.dtype) for t in (y, *layer.weights)]
            found[key] = [*seen, layer.dtype, layer.compute_dtype, layer.dtype_policy.name]
    return found


def reading_layer(keras: Any) -> Any:
    """A layer that notes in which dtype it reads its weights."""

    class Reading(keras.layers.Layer):
        def __init__(self, inner: Any = None, **kwargs: Any):
            super().__init__(**kwargs)
            self.inner, self.seen = inner, []

        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=(2,), initializer="ones", name="w")
            self.fixed = self.add_weight(shape=(2,), initializer="ones", autocast=False, name="fixed")
            self.own = self.add_weight(shape=(2,), initializer="ones", dtype="float16", name="own")
            self.count = self.add_weight(shape=(), initializer="zeros", dtype="int32", name="count")

        def call(self, x: Any) -> Any:
            dtypes = [keras.backend.standardize_dtype(v.dtype) for v in (x, *self._own())]
            read = [
                keras.backend.standardize_dtype(keras.ops.convert_to_tensor(v).dtype) for v in self._own()
            ]
            # Without autocasting Keras tells a wrong dtype of a variable whose own is not the default.
            self.seen = [*dtypes, *read] if self.autocast else [dtypes[0], *read]
            return x * self.w if self.inner is None else self.inner(x) + x * self.w

        def _own(self) -> list[Any]:
            return [self.w, self.fixed, self.own, self.count]

    return Reading


def nested_dtypes(keras: Any) -> dict[str, Any]:
    """What an outer and an inner layer see, for pairs of policies."""
    kind, found = reading_layer(keras), {}
    for outer, inner in itertools.product(
        ("float32", "mixed_float16", "mixed_bfloat16", "bfloat16"), ("float32", "mixed_float16", "float16")
    ):
        for autocast in (True, False):
            inside = kind(dtype=inner, autocast=autocast)
            around = kind(inside, dtype=outer)
            y = around(keras.ops.ones((3, 2)))
            found[f"{outer} around {inner}, autocast={autocast}"] = [
                around.seen,
                inside.seen,
                keras.backend.standardize_dtype(y.dtype),
            ]
    return found


# --- trainings ----------------------------------------------------------------------------------------------


# Keras on TensorFlow rounds Python numbers to float32 on their way to float64: all are exact in float32 here.
EPSILON = 2.0**-10


def mlp(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((9,)),
            layers.Dense(16, activation="relu"),
            layers.LayerNormalization(epsilon=EPSILON),
            layers.Dense(16, activation="silu", kernel_regularizer=keras.regularizers.L2(2.0**-7)),
            layers.Dense(4, activation="softmax", dtype=keras.config.floatx()),
        ]
    )


def cnn(keras: Any) -> Any:
    layers = keras.layers
    x = inputs = keras.Input((10, 10, 2))
    x = layers.Conv2D(8, 3, activation="relu")(x)
    x = layers.BatchNormalization(momentum=0.875, epsilon=EPSILON)(x)
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.Activation("relu")(
        layers.BatchNormalization(momentum=0.875, epsilon=EPSILON)(layers.Add()([x, y]))
    )
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dense(4)(x)
    return keras.Model(inputs, layers.Activation("softmax", dtype=keras.config.floatx())(x))


MODELS: dict[str, Callable[[Any], Any]] = {"mlp": mlp, "cnn": cnn}


def optimizer_for(keras: Any, name: str, policy_name: str = "") -> Any:
    """Adam for the convolutions; not where its squares of gradients, kept in float16, would be zero."""
    if name == "mlp" or policy_name == "float16":
        return keras.optimizers.SGD(2.0**-6, momentum=0.875)
    return keras.optimizers.Adam(2.0**-7, beta_1=0.875, beta_2=1 - 2.0**-10, epsilon=2.0**-20)


def batches(name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(4)
    shape = (9,) if name == "mlp" else (10, 10, 2)
    for _ in range(STEPS):
        yield rng.normal(size=(13, *shape)).astype("float32"), rng.integers(0, 4, 13)


def start(model: Any) -> None:
    """The same numbers for every library, those of the policy's dtype nearest to them."""
    rng = np.random.default_rng(8)
    values = []
    for v in model.weights:
        spread = 0.2 if v.name == "kernel" else 0.02
        value = rng.normal(size=tuple(v.shape)) * spread
        values.append(1 + abs(value) if v.name in ("gamma", "moving_variance") else value)
    model.set_weights([a.astype("float32") for a in values])


def training(keras: Any, name: str, policy_name: str, **options: Any) -> dict[str, Any]:
    """Losses of each step, weights and predictions after them; dtypes and names."""
    with policy(keras, policy_name):
        model = MODELS[name](keras)
        start(model)
        model.compile(
            optimizer=optimizer_for(keras, name, policy_name),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            **options,
        )
        losses = []
        for x, y in batches(name):
            losses.append(float(model.train_on_batch(x, y)[0]))
            model.reset_metrics()
        x = next(batches(name))[0]
        predicted = model.predict(x, verbose=0)
        outputs = [
            str(keras.backend.standardize_dtype(t.dtype)) for layer in model.layers for t in [layer.output]
        ]
    weights = [np.asarray(keras.ops.convert_to_numpy(v)).astype("float64") for v in model.weights]
    described = {
        "weights": [
            [v.path.split("/", 1)[-1], keras.backend.standardize_dtype(v.dtype)] for v in model.weights
        ],
        "optimizer": [[v.name, keras.backend.standardize_dtype(v.dtype)] for v in model.optimizer.variables],
        "optimizer class": type(model.optimizer).__name__,
        "outputs": outputs,
        "predicted": str(predicted.dtype),
    }
    return {"losses": np.array(losses), "predicted": predicted, "weights": weights, "described": described}


# --- loss scaling -------------------------------------------------------------------------------------------

SCALINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "fast growth": {"initial_scale": 8.0, "dynamic_growth_steps": 2},
    "every step": {"initial_scale": 4.0, "dynamic_growth_steps": 1},
}


def scaled_gradients() -> list[list[np.ndarray]]:
    """Gradients of eight steps: some infinite, one NaN."""
    rng = np.random.default_rng(2)
    found = [
        [rng.normal(size=(3, 2)).astype("float32"), rng.normal(size=2).astype("float32")] for _ in range(8)
    ]
    found[2][0][1, 1] = np.inf
    found[3][1][0] = np.nan
    found[6][0][0, 0] = -np.inf
    return found


def scaling(keras: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Scale, counter, iterations and variables after each step of an eager loss-scale optimizer."""
    variables = [
        keras.Variable(np.full(s, 0.5, "float32"), name=n) for n, s in (("kernel", (3, 2)), ("bias", (2,)))
    ]
    inner = keras.optimizers.Adam(0.1)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, **options)
    before = float(optimizer.scale_loss(keras.ops.convert_to_tensor(np.float32(1.0))))
    optimizer.build(variables)
    rows, states = [], []
    for gradients in scaled_gradients():
        optimizer.apply(list(map(keras.ops.convert_to_tensor, gradients)), variables)
        rows.append(
            [
                float(optimizer.scale_loss(keras.ops.convert_to_tensor(np.float32(1.0)))),
                float(keras.ops.convert_to_numpy(optimizer.step_counter)),
                float(keras.ops.convert_to_numpy(optimizer.iterations)),
            ]
        )
        states.append(np.concatenate([np.ravel(keras.ops.convert_to_numpy(v)) for v in variables]))
    return {
        "before": before,
        "rows": np.array(rows),
        "states": np.array(states),
        "names": [v.name for v in optimizer.variables],
        "config": {k: v for k, v in optimizer.get_config().items() if k not in ("inner_optimizer", "name")},
    }
