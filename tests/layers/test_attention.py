"""Attention layers beyond their parity cases: masks given by hand, dropout, subclasses, bad input, dtypes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers as L
from kcompile import ops
from kcompile.trace.masks import mask_of, set_mask

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4)).astype("float32")
Y = RNG.normal(size=(2, 5, 4)).astype("float32")
SEEN = np.array([[True, True, False, True, False], [True, False, False, False, False]])


@pytest.mark.parametrize("layer", [L.MultiHeadAttention(2, 3), L.GroupQueryAttention(3, 4, 2)])
def test_scores_are_shares_of_the_keys_that_are_seen(layer):
    output, scores = layer(X, Y, value_mask=SEEN, return_attention_scores=True)
    np.testing.assert_allclose(scores.sum(-1), np.ones(scores.shape[:-1]), rtol=1e-5)
    assert not scores[~np.broadcast_to(SEEN[:, None, None], scores.shape)].any()
    np.testing.assert_allclose(output, layer(X, Y, value_mask=SEEN), rtol=1e-5, atol=1e-6)
    pairs = np.broadcast_to(SEEN[:, None], (2, 3, 5))
    np.testing.assert_allclose(output, layer(X, Y, attention_mask=pairs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", [L.MultiHeadAttention(2, 3), L.GroupQueryAttention(3, 4, 2)])
@pytest.mark.parametrize("window", [None, 2])
def test_what_comes_later_does_not_matter(layer, window):
    layer = type(layer).from_config({**layer.get_config(), "sliding_window": window})
    before = layer(X, X, use_causal_mask=True)
    changed = X.copy()
    changed[:, 2] += 1
    after = layer(changed, changed, use_causal_mask=True)
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert not np.allclose(before[:, 2], after[:, 2])
    changed = X.copy()
    changed[:, 0] += 1
    unmoved = np.array_equal(layer(changed, changed, use_causal_mask=True)[:, 2], before[:, 2])
    assert unmoved == (window == 2)


def test_the_outputs_of_heads_carry_the_mask_of_the_query_and_the_inputs_lose_theirs():
    x, y = X.copy(), Y.copy()
    set_mask(x, SEEN[:, :3])
    set_mask(y, SEEN)
    output = L.MultiHeadAttention(2, 3)(x, y)
    np.testing.assert_array_equal(mask_of(output), SEEN[:, :3])
    assert mask_of(x) is None
    assert mask_of(y) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda rate: L.Attention(dropout=rate, seed=1),
        lambda rate: L.AdditiveAttention(use_scale=False, dropout=rate, seed=1),
    ],
)
def test_dropout_of_scores(make):
    layer = make(0.5)
    output, scores = layer([X, Y], training=True, return_attention_scores=True)
    assert 0 < (scores == 0).mean() < 1
    plain, shares = make(0.0)([X, Y], return_attention_scores=True)
    np.testing.assert_allclose(scores[scores != 0], 2 * shares[scores != 0], rtol=1e-5)
    np.testing.assert_allclose(output, scores @ Y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer([X, Y]), plain, rtol=1e-5, atol=1e-6)


def test_dropout_in_heads_draws_anew_in_each_compiled_step():
    x = keras.Input((3, 4))
    model = keras.Model(x, L.MultiHeadAttention(2, 3, dropout=0.5, seed=3)(x, x))
    first, second = (model(X, training=True) for _ in range(2))
    assert not np.array_equal(first, second)
    assert np.array_equal(model(X), model(X))


def test_subclasses_may_compute_attention_their_own_way():
    class First(L.MultiHeadAttention):
        def _compute_attention(self, query, key, value, attention_mask=None, training=None, *_):
            assert attention_mask.shape == (1, 3, 3)  # a mask instead of the flag
            return value, None

    class Grouped(L.GroupQueryAttention):
        def _compute_attention(self, query, key, value, attention_mask=None, training=None):
            assert key.shape == value.shape == query.shape == (2, 3, 4, 3)  # a key for every query
            return value, None

    for layer in (First(2, 3), Grouped(3, 4, 2)):
        assert layer(X, X, use_causal_mask=True).shape == X.shape


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16", "float64"])
@pytest.mark.parametrize("layer", [L.MultiHeadAttention, L.GroupQueryAttention, L.Attention])
def test_dtypes(layer, dtype):
    args = {L.MultiHeadAttention: (2, 3), L.GroupQueryAttention: (3, 4, 2), L.Attention: ()}[layer]
    wide, narrow = layer(*args, dtype="float32"), layer(*args, dtype=dtype)
    call = (lambda made: made([X, Y])) if layer is L.Attention else (lambda made: made(X, Y))
    call(wide), call(narrow)
    narrow.set_weights(wide.get_weights())
    found = call(narrow)
    assert found.dtype.name == dtype.removeprefix("mixed_")
    near = {"float64": 1e-6, "bfloat16": 0.1}.get(found.dtype.name, 1e-2)
    np.testing.assert_allclose(found.astype("float64"), call(wide), rtol=near, atol=near)


def test_shapes_with_unknown_dimensions():
    q, v = keras.Input((None, 4)), keras.Input((None, 6))
    assert L.MultiHeadAttention(2, 3)(q, v).shape == (None, None, 4)
    output, scores = L.MultiHeadAttention(2, 3, output_shape=(5, 2))(q, v, return_attention_scores=True)
    assert (output.shape, scores.shape) == ((None, None, 5, 2), (None, 2, None, None))
    assert L.EinsumDense("abc,cd->abd", (None, 3))(q).shape == (None, None, 3)
    assert L.Attention()([keras.Input((7, 6)), v]).shape == (None, 7, 6)


def test_einsum_dense_starts_with_the_spread_of_its_inputs_and_outputs():
    layer = L.EinsumDense("abc,cde->abde", (None, 20, 30), kernel_initializer="glorot_uniform")
    layer.build((None, 4, 50))
    limit = np.sqrt(6 / (50 + 600))
    assert 0.95 * limit < np.abs(layer.kernel.numpy()).max() <= limit


def test_a_mask_made_of_positions_inside_a_layer():
    """As the guides make it, for a length that is known only at run time."""

    class Causal(L.Layer):
        def __init__(self):
            super().__init__()
            self.heads = L.MultiHeadAttention(2, 3)

        def build(self, input_shape):
            self.heads.build(input_shape, input_shape)

        def call(self, x):
            n = ops.shape(x)[1]
            i, j = ops.arange(n)[:, None], ops.arange(n)
            mask = ops.reshape(ops.cast(i >= j, "bool"), (1, n, n))
            return self.heads(x, x, attention_mask=mask)

    x = keras.Input((None, 4))
    layer = Causal()
    model = keras.Model(x, layer(x))
    np.testing.assert_allclose(model(X), layer.heads(X, X, use_causal_mask=True), rtol=1e-5, atol=1e-6)


WRONG = [
    (lambda: L.MultiHeadAttention(0, 3), r"`num_heads`, expected a positive integer. Received: num_heads=0"),
    (lambda: L.MultiHeadAttention(2, 2.5), "`key_dim`, expected a positive integer"),
    (lambda: L.MultiHeadAttention(2, 3, value_dim=-1), "`value_dim`"),
    (lambda: L.MultiHeadAttention(2, 3, output_shape="a"), "`output_shape` must be"),
    (
        lambda: L.MultiHeadAttention(2, 3, attention_axes="a"),
        "`attention_axes` must be an int, list, or tuple",
    ),
    (lambda: L.MultiHeadAttention(2, 3, sliding_window=0), "`sliding_window` must be `None` or a positive"),
    (
        lambda: L.MultiHeadAttention(2, 3, flash_attention=True, dropout=0.1),
        "Dropout is not supported when flash",
    ),
    (lambda: L.MultiHeadAttention(2, 3)(X, Y, X), "All dimensions of `value` and `key`"),
    (
        lambda: L.MultiHeadAttention(2, 3, flash_attention=True)(X, X, return_attention_scores=True),
        "Returning attention scores is not supported",
    ),
    (lambda: L.MultiHeadAttention(2, 3)(X, Y, attention_mask=np.ones((2, 4, 4), bool)), "broadcast"),
    (lambda: L.GroupQueryAttention(3, 4, 3), "`num_query_heads` must be divisible by `num_key_value_heads`"),
    (lambda: L.GroupQueryAttention(3, 4, 2, sliding_window=-1), "`sliding_window`"),
    (lambda: L.Attention(score_mode="sum"), "Expected one of {'dot', 'concat'}. Received: score_mode=sum"),
    (lambda: L.Attention()(X), "must be called on a list of inputs"),
    (lambda: L.Attention()([X]), "list of length 2 or 3"),
    (
        lambda: L.AdditiveAttention()([X, Y, Y, Y]),
        "AdditiveAttention layer accepts inputs list of length 2 or 3",
    ),
    (lambda: L.Attention()([X, Y], mask=SEEN), "mask must be a list"),
    (lambda: L.Attention()([X, Y], mask=[SEEN]), "mask list of length 2 or 3"),
    (lambda: L.EinsumDense("ab,bc", 4)(X), "Invalid einsum equation 'ab,bc'"),
    (lambda: L.EinsumDense("abc,cd->abe", (3, 4))(X), "no corresponding dim"),
    (lambda: L.EinsumDense("abc,cdf->abd", (3, 4))(X), "Weight dimension 'f' did not have a match"),
    (lambda: L.EinsumDense("abc,cd->abd", (7, 4))(X), "do not match at shared dimension 'b'"),
    (lambda: L.EinsumDense("abc,cd->abd", (3, 4), bias_axes="c")(X), "Bias dimension 'c'"),
    (lambda: L.EinsumDense("abc,cd->abd", (3, None))(X), r"fully-defined.*\(4, None\)"),
    (lambda: L.Softmax()(X, mask=np.ones((2, 3, 4, 1), bool)), "must be broadcastable to `inputs`"),
    (lambda: L.Softmax()(X, mask=np.ones((2, 4), bool)), "must be broadcastable to `inputs`"),
    (lambda: L.BatchNormalization()(X, mask=np.ones((2,), bool)), "one dimension less than the inputs"),
    (lambda: L.Add().compute_mask([X, X], [None]), "should have the same length"),
    (lambda: L.Concatenate().compute_mask([X, X], SEEN), "`mask` should be a list"),
]


@pytest.mark.parametrize("wrong, text", WRONG, ids=range(len(WRONG)))
def test_value_errors(wrong, text):
    with pytest.raises(ValueError, match=text):
        wrong()


def test_flash_attention_is_refused_as_on_a_machine_without_it():
    with pytest.raises(RuntimeError, match="cuDNN"):
        L.MultiHeadAttention(2, 3, flash_attention=True)(X, X)


def test_no_warning_of_a_lost_mask_inside_heads():
    x = X.copy()
    set_mask(x, SEEN[:, :3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        L.MultiHeadAttention(2, 3)(x, x)


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 4, 6)])
def test_grouped_heads_take_sequences_alone(shape):
    with pytest.raises(ValueError, match=r"takes a query \(n, t, d\)"):
        L.GroupQueryAttention(3, 4, 2)(np.ones(shape), np.ones(shape))


@pytest.mark.parametrize("axes", [None, (1,), (-2,), (1, 2)])
def test_scores_of_a_layer_that_is_not_built(axes):
    layer = L.MultiHeadAttention(2, 3, attention_axes=axes)
    x = np.ones((2, 3, 5, 4), "float32")
    placeholder = keras.KerasTensor(x.shape)
    wanted = layer.compute_output_spec(placeholder, placeholder, return_attention_scores=True)
    found = layer(x, x, return_attention_scores=True)
    assert [y.shape for y in wanted] == [y.shape for y in found]


def test_grouped_query_attention_penalizes_its_outputs_twice_as_keras_does():
    x = np.random.default_rng(4).normal(size=(2, 3, 4)).astype("float32")
    layer = L.GroupQueryAttention(3, 4, 2, activity_regularizer=keras.regularizers.L2(0.5))
    y = layer(x, x)
    losses = [float(loss) for loss in layer.losses]
    own = 0.5 * (y**2).sum() / 2  # by the size of the batch
    assert len(losses) == 5
    np.testing.assert_allclose([losses[0], losses[4]], own, rtol=1e-5)
    again = L.GroupQueryAttention.from_config(layer.get_config())
    assert again.activity_regularizer.get_config() == {"l2": 0.5}
