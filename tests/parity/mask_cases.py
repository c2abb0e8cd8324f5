"""Masks that are compared with Keras: through each layer alone, and through whole models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.parity.layer_cases import CASES, Case

# --- one layer ----------------------------------------------------------------------------------------------


def masked_calls() -> dict[str, tuple[Case, tuple[bool, ...]]]:
    """Each layer case with masks on all of its inputs, on the first, and on the last of several."""
    found: dict[str, tuple[Case, tuple[bool, ...]]] = {}
    for case in CASES:
        count = len(case.shapes)
        if case.mask or min(len(s) for s in case.shapes) < 2:
            continue
        which = {"all": (True,) * count}
        if count > 1:
            which |= {"first": (True,) + (False,) * (count - 1), "last": (False,) * (count - 1) + (True,)}
        found |= {f"{case.name} masked: {name}": (case, on) for name, on in which.items()}
    return found


def mask_for(shape: tuple[int, ...], number: int) -> np.ndarray:
    """Steps that count: (n,) for inputs (n, d), else (n, steps). Another one for each input."""
    if len(shape) == 2:
        return np.arange(shape[0]) % 2 == number % 2
    n, steps = np.ogrid[: shape[0], : shape[1]]
    return (n + 2 * steps + number) % 3 != 0


# --- models -------------------------------------------------------------------------------------------------

IDS = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0], [6, 1, 2, 3, 4]], "int32")
SHORT = np.array([[2, 1, 0], [3, 0, 0], [1, 1, 2]], "int32")
FEATURES = np.random.default_rng(3).normal(size=(3, 5, 4)).astype("float32") * (IDS > 0)[..., None]


def ids_of(keras: Any, name: str, steps: int | None = None) -> Any:
    return keras.Input((steps,), dtype="int32", name=name)


def embedded(keras: Any, ids: Any, size: int = 4, name: str | None = None) -> Any:
    return keras.layers.Embedding(8, size, mask_zero=True, name=name)(ids)


def pooled_after_merges(keras: Any) -> Any:
    L, a, b = keras.layers, ids_of(keras, "a", 5), ids_of(keras, "b", 5)
    x, y = embedded(keras, a), embedded(keras, b)
    parts = [L.Add()([x, y]), L.Multiply()([x, y]), L.Maximum()([x, y]), L.Average()([x, y])]
    parts += [L.Concatenate()([x, y]), L.Subtract()([x, L.Dense(4)(y)]), L.Concatenate(axis=1)([x, y])]
    return keras.Model([a, b], [L.GlobalAveragePooling1D()(p) for p in parts])


def half_masked_merges(keras: Any) -> Any:
    L, a, x = keras.layers, ids_of(keras, "a", 5), keras.Input((5, 4), name="x")
    e = embedded(keras, a)
    parts = [L.Add()([e, x]), L.Multiply()([x, e]), L.Minimum()([x, e]), L.Minimum()([e, x])]
    parts += [L.Concatenate()([e, x]), L.Concatenate(axis=1)([x, e])]
    return keras.Model([a, x], [L.GlobalAveragePooling1D()(p) for p in parts])


def encoder(keras: Any) -> Any:
    L, ids = keras.layers, ids_of(keras, "ids")
    x = embedded(keras, ids)
    x = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 3)(x, x)]))
    x = L.LayerNormalization()(L.Add()([x, L.Dense(4)(L.Dense(6, activation="relu")(x))]))
    return keras.Model(ids, [x, L.GlobalAveragePooling1D()(x)])


def encoder_of_sums(keras: Any) -> Any:
    """The sum by an operator: it loses the mask."""
    L, ids = keras.layers, ids_of(keras, "ids")
    x = embedded(keras, ids)
    x = x + L.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    return keras.Model(ids, [L.GlobalAveragePooling1D()(x), x])


def decoder(keras: Any) -> Any:
    L, source, target = keras.layers, ids_of(keras, "source"), ids_of(keras, "target")
    memory, x = embedded(keras, source), embedded(keras, target)
    x = L.Add()([x, L.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)])
    x = L.MultiHeadAttention(2, 3)(x, memory)
    y = L.MultiHeadAttention(2, 2)(x, memory)  # the first one has taken the mask of the memory
    z = L.GroupQueryAttention(2, 2, 1)(y, memory)
    return keras.Model([source, target], [x, y, z])


def given_masks(keras: Any) -> Any:
    L, x, seen = keras.layers, keras.Input((5, 4), name="x"), keras.Input((5,), dtype="bool", name="seen")
    pairs = L.Reshape((1, 5))(seen)
    y = L.MultiHeadAttention(2, 3)(x, x, attention_mask=pairs, use_causal_mask=True)
    z = L.GroupQueryAttention(3, 2, 1)(x, x, attention_mask=pairs)
    scores = L.MultiHeadAttention(2, 3)(x, x, value_mask=seen, return_attention_scores=True)[1]
    return keras.Model([x, seen], [y, z, scores, L.GlobalAveragePooling1D()(x, mask=seen)])


def plain_attention(keras: Any) -> Any:
    L, a, b = keras.layers, ids_of(keras, "a"), ids_of(keras, "b")
    x, y = embedded(keras, a), embedded(keras, b)
    z = L.Attention(use_scale=True)([x, y])
    u, scores = L.AdditiveAttention()([x, y, L.Dense(4)(y)], return_attention_scores=True)
    pooled = [L.GlobalAveragePooling1D()(t) for t in (z, u)]
    return keras.Model([a, b], [z, u, scores, L.Attention()([x, y], use_causal_mask=True), *pooled])


def masking(keras: Any) -> Any:
    L, x = keras.layers, keras.Input((None, 4), name="x")
    y = L.Dense(3)(L.Dropout(0.5)(L.Masking()(x)))
    z = L.Dense(2)(y)
    return keras.Model(x, [L.GlobalAveragePooling1D()(z), L.BatchNormalization()(y), z])


def lost(keras: Any) -> Any:
    """Layers that hand no mask on."""
    L, ids = keras.layers, ids_of(keras, "ids", 5)
    x = embedded(keras, ids)
    parts = [L.Reshape((5, 2, 2))(x), L.Permute((2, 1))(x), L.ZeroPadding1D(1)(x), L.UpSampling1D(2)(x)]
    parts += [L.Conv1D(3, 2)(x), L.AveragePooling1D(2)(x)]
    pooled = [L.GlobalAveragePooling1D()(L.Reshape((-1, 2))(p)) for p in (parts[0], L.Flatten()(x))]
    return keras.Model(ids, [*pooled, *(L.GlobalAveragePooling1D()(p) for p in parts[1:])])


def nested(keras: Any) -> Any:
    L = keras.layers
    inner_ids = ids_of(keras, "inner_ids", 5)
    inner = keras.Model(inner_ids, L.Dense(3)(embedded(keras, inner_ids)), name="inner")
    tail = keras.Sequential([keras.Input((5, 3)), L.Dense(2), L.GlobalAveragePooling1D()], name="tail")
    u = keras.Input((5, 3), name="u")
    head = keras.Model(u, [L.Dense(2)(u), L.GlobalAveragePooling1D()(u)], name="head")
    ids = ids_of(keras, "ids", 5)
    x = inner(ids)
    return keras.Model(ids, [x, tail(x), *head(x)], name="outer")


def nested_of_two(keras: Any) -> Any:
    L = keras.layers
    u, v = keras.Input((5, 4), name="u"), keras.Input((5, 4), name="v")
    inner = keras.Model([u, v], L.GlobalAveragePooling1D()(L.Concatenate()([u, v])), name="inner")
    a, b = ids_of(keras, "a", 5), ids_of(keras, "b", 5)
    return keras.Model([a, b], inner([embedded(keras, a), embedded(keras, b)]), name="outer")


def own_layers(keras: Any) -> Any:
    L, ops = keras.layers, keras.ops

    class Reads(L.Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            return inputs if mask is None else inputs * ops.cast(mask, inputs.dtype)[..., None]

    class HandsOn(L.Layer):
        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, inputs: Any) -> Any:
            return inputs + 1

    class Shifts(L.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs[:, 1:]

        def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
            return None if mask is None else mask[:, 1:]

    class Two(L.Layer):
        def call(self, first: Any, second: Any, first_mask: Any = None, second_mask: Any = None) -> Any:
            for m in (first_mask, second_mask):
                first = first if m is None else first + ops.cast(m, first.dtype)[..., None]
            return first * second

    class Sets(L.Layer):
        def call(self, inputs: Any) -> Any:
            y = inputs * 2
            y._keras_mask = inputs[..., 0] > 0
            return y

    ids = ids_of(keras, "ids", 5)
    x = embedded(keras, ids)
    pool = L.GlobalAveragePooling1D
    outputs = [Reads()(x), pool()(HandsOn()(x)), pool()(Shifts()(x)), Two()(x, HandsOn()(x))]
    outputs += [pool()(L.Lambda(lambda t: t * 2, mask=lambda t, m: m, output_shape=(5, 4))(x))]
    return keras.Model(ids, [*outputs, pool()(Reads()(x))])


def chain(keras: Any) -> Any:
    """Built by its first call."""
    L = keras.layers
    return keras.Sequential(
        [L.Masking(), L.Dense(3), L.Dropout(0.2), L.LayerNormalization(), L.GlobalAveragePooling1D()]
    )


def language_model(keras: Any) -> Any:
    """Scores of the next token at every step: its mask reaches losses and metrics."""
    L, ids = keras.layers, ids_of(keras, "ids", 5)
    x = embedded(keras, ids)
    x = L.Add()([x, L.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)])
    return keras.Model(ids, L.Dense(8)(L.Activation("tanh")(x)))


def tagged(keras: Any) -> Any:
    """A mask that reaches losses and metrics on a straight way."""
    L, ids = keras.layers, ids_of(keras, "ids", 5)
    return keras.Model(ids, L.Dense(8)(L.Dense(4, activation="tanh")(embedded(keras, ids))))


MODELS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "pooled_after_merges": (pooled_after_merges, [IDS, IDS[::-1].copy()]),
    "half_masked_merges": (half_masked_merges, [IDS, FEATURES]),
    "encoder": (encoder, IDS),
    "encoder_of_sums": (encoder_of_sums, IDS),
    "decoder": (decoder, [IDS, SHORT]),
    "given_masks": (given_masks, [FEATURES, IDS > 1]),
    "plain_attention": (plain_attention, [IDS, SHORT]),
    "masking": (masking, FEATURES),
    "lost": (lost, IDS),
    "nested": (nested, IDS),
    "nested_of_two": (nested_of_two, [IDS, IDS[::-1].copy()]),
    "own_layers": (own_layers, IDS),
    "chain": (chain, FEATURES),
    "language_model": (language_model, IDS),
    "tagged": (tagged, IDS),
}
TRAINED = ("language_model", "tagged")
LABELS = np.random.default_rng(5).integers(0, 8, (3, 5)).astype("int32")
STEP_WEIGHTS = np.random.default_rng(6).uniform(0.5, 2.0, (3, 5)).astype("float32")


def weights_like(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    return [rng.uniform(-0.9, 0.9, s).astype("float32") for s in shapes]


def trained(keras: Any, name: str) -> dict[str, Any]:
    """Losses and metrics of three steps and an evaluation, without and with weights of steps."""
    found = {}
    for kind, weights in (("plain", None), ("weighted", STEP_WEIGHTS)):
        model = MODELS[name][0](keras)
        model.set_weights(weights_like([tuple(w.shape) for w in model.weights]))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        entropy = keras.metrics.SparseCategoricalCrossentropy(from_logits=True)
        metrics: dict[str, Any] = {"metrics": ["accuracy"], "weighted_metrics": ["accuracy", entropy]}
        model.compile(keras.optimizers.SGD(0.1), loss=loss, **metrics)
        data = {"sample_weight": weights} if weights is not None else {}
        steps = [model.train_on_batch(IDS, LABELS, **data) for _ in range(3)]
        last = model.evaluate(IDS, LABELS, batch_size=2, verbose=0, **data)
        found[kind] = [[float(x) for x in step] for step in (*steps, last)]
    return found
