"""Transformers as in Keras's guides, made alike with Keras and with kcompile; `keras` is the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

VOCABULARY, LONGEST, WIDTH = 11, 8, 6
STEPS = 5


def own_layers(keras: Any) -> tuple[Any, Any]:
    """The two layers of the guide "Text classification with Transformer", registered so that they load."""
    L, ops = keras.layers, keras.ops
    register = keras.saving.register_keras_serializable(package="transformer")

    @register
    class Block(L.Layer):
        def __init__(
            self, width: int, heads: int, inner: int, rate: float = 0.0, causal: bool = False, **kwargs: Any
        ):
            super().__init__(**kwargs)
            self.settings = {"width": width, "heads": heads, "inner": inner, "rate": rate, "causal": causal}
            self.att = L.MultiHeadAttention(num_heads=heads, key_dim=width // heads)
            self.ffn = keras.Sequential([L.Dense(inner, activation="relu"), L.Dense(width)])
            self.layernorm1, self.layernorm2 = (L.LayerNormalization(epsilon=1e-6) for _ in range(2))
            self.dropout1, self.dropout2 = L.Dropout(rate), L.Dropout(rate)

        def build(self, input_shape: Any) -> None:
            self.att.build(input_shape, input_shape)
            self.ffn.build(input_shape)
            self.layernorm1.build(input_shape)
            self.layernorm2.build(input_shape)

        def call(self, inputs: Any) -> Any:
            found = self.att(inputs, inputs, use_causal_mask=self.settings["causal"])
            out1 = self.layernorm1(inputs + self.dropout1(found))
            return self.layernorm2(out1 + self.dropout2(self.ffn(out1)))

        def get_config(self) -> Any:
            return {**super().get_config(), **self.settings}

    @register
    class TokenAndPosition(L.Layer):
        def __init__(self, longest: int, vocabulary: int, width: int, **kwargs: Any):
            super().__init__(**kwargs)
            self.settings = {"longest": longest, "vocabulary": vocabulary, "width": width}
            self.token_emb = L.Embedding(input_dim=vocabulary, output_dim=width)
            self.pos_emb = L.Embedding(input_dim=longest, output_dim=width)

        def build(self, input_shape: Any) -> None:
            self.token_emb.build(input_shape)
            self.pos_emb.build(input_shape)

        def call(self, x: Any) -> Any:
            positions = ops.arange(start=0, stop=ops.shape(x)[-1], step=1)
            return self.token_emb(x) + self.pos_emb(positions)

        def get_config(self) -> Any:
            return {**super().get_config(), **self.settings}

    return Block, TokenAndPosition


def classifier(keras: Any) -> Any:
    Block, TokenAndPosition = own_layers(keras)
    inputs = keras.Input((None,), dtype="int32", name="tokens")
    x = TokenAndPosition(LONGEST, VOCABULARY, WIDTH)(inputs)
    x = Block(WIDTH, 2, 8)(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x), name="classifier")


def language_model(keras: Any) -> Any:
    Block, TokenAndPosition = own_layers(keras)
    inputs = keras.Input((None,), dtype="int32", name="tokens")
    x = TokenAndPosition(LONGEST, VOCABULARY, WIDTH)(inputs)
    for _ in range(2):
        x = Block(WIDTH, 3, 8, causal=True)(x)
    return keras.Model(inputs, keras.layers.Dense(VOCABULARY)(x), name="language_model")


def functional(keras: Any) -> Any:
    """Masked, of built-in layers alone, with grouped heads in its second block."""
    L = keras.layers
    inputs = keras.Input((None,), dtype="int32", name="tokens")
    x = L.Embedding(VOCABULARY, WIDTH, mask_zero=True)(inputs)
    for attention in (L.MultiHeadAttention(2, 3, use_gate=True), L.GroupQueryAttention(3, 2, 1)):
        x = L.LayerNormalization()(L.Add()([x, attention(x, x, use_causal_mask=True)]))
        x = L.RMSNormalization()(L.Add()([x, L.Dense(WIDTH)(L.Dense(9, activation="gelu")(x))]))
    return keras.Model(inputs, L.Dense(VOCABULARY)(x), name="functional")


def encoder_decoder(keras: Any) -> Any:
    L = keras.layers
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    memory = L.Embedding(VOCABULARY, WIDTH, mask_zero=True)(source)
    memory = L.LayerNormalization()(L.Add()([memory, L.MultiHeadAttention(2, 3)(memory, memory)]))
    x = L.Embedding(VOCABULARY, WIDTH, mask_zero=True)(target)
    x = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)]))
    x = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 3)(query=x, value=memory)]))
    return keras.Model([source, target], L.Dense(VOCABULARY)(x), name="encoder_decoder")


def tokens(length: int, seed: int) -> np.ndarray:
    """Four sequences that end in padding."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(1, VOCABULARY, (4, length)).astype("int32")
    ends = rng.integers(2, length + 1, (4, 1))
    return np.where(np.arange(length) < ends, ids, 0).astype("int32")


def classes() -> np.ndarray:
    return np.array([0, 2, 1, 2], "int32")


# name -> (builder, inputs and labels of each step; lengths differ from step to step)
LENGTHS = (5, 7, 5, 4, 7)
MODELS: dict[str, Callable[[Any], Any]] = {
    f.__name__: f for f in (classifier, language_model, functional, encoder_decoder)
}
SAVED = ("language_model", "functional")


def batch(name: str, step: int) -> tuple[Any, np.ndarray]:
    length = LENGTHS[step]
    x = tokens(length, step)
    if name == "classifier":
        return x, classes()
    if name == "encoder_decoder":
        return [tokens(length + 1, step + 20), x], np.roll(x, -1, 1)
    return x, np.roll(x, -1, 1)


def weights_like(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    rng = np.random.default_rng(13)
    return [rng.normal(size=s).astype("float32") * 0.4 for s in shapes]


def made(keras: Any, name: str) -> Any:
    """The model with the weights of the fixtures, compiled for plain gradient descent."""
    model = MODELS[name](keras)
    model.set_weights(weights_like([tuple(w.shape) for w in model.weights]))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=name != "classifier")
    model.compile(keras.optimizers.SGD(0.2), loss=loss)
    return model


def descended(model: Any, name: str) -> dict[str, Any]:
    """Losses and weights of some steps of plain gradient descent, on sequences of several lengths."""
    losses = [float(np.ravel(model.train_on_batch(*batch(name, k)))[0]) for k in range(STEPS)]
    found: dict[str, Any] = {"losses": np.array(losses)}
    return found | {f"weight{k}": np.asarray(w) for k, w in enumerate(model.get_weights())}
