"""Masks under the half-precision policies: dtypes of results, and numbers near those of float32.

The float32 numbers are compared with Keras's elsewhere (test_masks_like_keras.py, test_layers_like_keras.py).
"""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers as L

EPSILON = {"mixed_float16": 2.0**-10, "mixed_bfloat16": 2.0**-7, "float16": 2.0**-10, "bfloat16": 2.0**-7}
RNG = np.random.default_rng(8)
X = RNG.normal(size=(3, 5, 4)).astype("float32")
Y = RNG.normal(size=(3, 6, 4)).astype("float32")
X[0, 3:], X[1, 0], X[2] = 0, 0, 0  # masked at the end, at the beginning, wholly
SEEN = np.any(X != 0, axis=-1)
VALUES_SEEN = np.arange(6) < np.array([[2], [6], [3]])

LAYERS = {
    "softmax": lambda p: L.Softmax(axis=1, dtype=p),
    "lstm": lambda p: L.LSTM(3, return_sequences=True, dtype=p),
    "gru": lambda p: L.GRU(3, dtype=p),
    "gru-backwards": lambda p: L.GRU(
        3, reset_after=False, go_backwards=True, zero_output_for_mask=True, return_sequences=True, dtype=p
    ),
    "simple": lambda p: L.SimpleRNN(3, unroll=True, return_sequences=True, dtype=p),
    "both": lambda p: L.Bidirectional(L.LSTM(3, return_sequences=True, dtype=p), dtype=p),
    "stack": lambda p: L.RNN([L.LSTMCell(3, dtype=p), L.GRUCell(2, dtype=p)], dtype=p),
    "average": lambda p: L.GlobalAveragePooling1D(dtype=p),
    "each-step": lambda p: L.TimeDistributed(L.Dense(2, dtype=p), dtype=p),
    "batch-norm": lambda p: L.BatchNormalization(dtype=p),
}
ATTENTION = {
    "dot": lambda p: L.Attention(use_scale=True, dtype=p),
    "concat": lambda p: L.Attention(score_mode="concat", dtype=p),
    "additive": lambda p: L.AdditiveAttention(dtype=p),
}


def near(found, wanted, policy):
    assert str(found.dtype) == policy.removeprefix("mixed_")
    scale = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(np.asarray(found, "float32"), wanted, rtol=0, atol=8 * EPSILON[policy] * scale)


def with_weights(layer):
    rng = np.random.default_rng(3)
    layer.set_weights([rng.uniform(-0.7, 0.7, w.shape).astype("float32") ** 2 for w in layer.get_weights()])
    return layer


def model_of(make, policy):
    inputs = keras.Input(X.shape[1:])
    mask = L.Masking(dtype=policy)(inputs)
    layer = make(policy)
    model = keras.Model(inputs, layer(mask))
    with_weights(layer)
    return model


@pytest.mark.parametrize("policy", EPSILON)
@pytest.mark.parametrize("name", LAYERS)
def test_masked_steps(name, policy):
    """Called with a mask, and compiled in a model whose masks come from `Masking`."""
    if name == "softmax":
        mask = np.broadcast_to(SEEN[..., None], X.shape)
        found, wanted = (LAYERS[name](p)(X, mask=mask) for p in (policy, "float32"))
        near(found, wanted, policy)
        return
    found, wanted = (model_of(LAYERS[name], p) for p in (policy, "float32"))
    near(found.predict(X, verbose=0), wanted.predict(X, verbose=0), policy)
    near(found.layers[-1](X, mask=SEEN), wanted.layers[-1](X, mask=SEEN), policy)


@pytest.mark.parametrize("size", [1, 40])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("policy", EPSILON)
@pytest.mark.parametrize("name", ATTENTION)
def test_masked_attention(name, policy, causal, size):
    """Large scores too: what is added to masked ones must be below all others in every dtype."""

    def run(p):
        layer = ATTENTION[name](p)
        layer.build([X.shape, Y.shape])
        with_weights(layer)
        options = {"mask": [SEEN, VALUES_SEEN], "use_causal_mask": causal, "return_attention_scores": True}
        given = [X * size**0.5 / 4, Y * size**0.5 / 4]
        eager = layer(given, **options)
        return eager, keras.jit(lambda q, v: layer([q, v], **options))(*given)

    found, wanted = run(policy), run("float32")
    for half, single in zip(found, wanted, strict=True):
        for part, whole in zip(half, single, strict=True):
            near(part, np.asarray(whole), policy)
        hidden = np.asarray(half[1], "float32")[np.broadcast_to(~VALUES_SEEN[:, None, :], half[1].shape)]
        assert not hidden.any()


@pytest.mark.parametrize("policy", EPSILON)
@pytest.mark.parametrize("layer", [L.MultiHeadAttention, L.GroupQueryAttention], ids=["heads", "groups"])
def test_masked_heads(layer, policy):
    def run(p):
        sizes = (2, 3) if layer is L.MultiHeadAttention else (3, 4, 2)
        made = layer(*sizes, dtype=p)
        made.build(X.shape, Y.shape)
        with_weights(made)
        return made(X, Y, query_mask=SEEN, value_mask=VALUES_SEEN, use_causal_mask=True)

    near(run(policy), run("float32"), policy)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none", "mean_with_sample_weight"])
@pytest.mark.parametrize("loss", ["MeanSquaredError", "CategoricalCrossentropy", "Huber"])
def test_masked_losses(loss, reduction, dtype):
    """The mask that predictions carry counts, with weights of samples, whatever their dtype."""
    from kcompile.trace.masks import set_mask

    labels = np.abs(Y[:, :5]) / 4
    single = keras.ops.softmax(X)
    values = []
    for predicted in (single, single.astype(keras.ops.cast(single, dtype).dtype)):
        set_mask(predicted, SEEN)
        made = getattr(keras.losses, loss)(reduction=reduction)
        values.append(
            np.asarray(made(labels, predicted, np.array([[1.0], [0.5], [2.0]], "float32")), "float32")
        )
    np.testing.assert_allclose(values[1], values[0], rtol=8 * EPSILON[dtype], atol=8 * EPSILON[dtype])
