"""TimeDistributed step by step and at once, SpectralNormalization, Lambda, ReversibleEmbedding, masks."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import kcompile as keras
from kcompile import layers as L
from kcompile import ops
from kcompile.layers.core import time_distributed
from kcompile.trace.masks import mask_of
from tests.export.onnx_tools import run
from tests.layers.check import TOLERANCE, gradients_of, traced

X = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")


@keras.saving.register_keras_serializable("tests")
class Centred(L.Layer):
    """Mixes the samples of a step."""

    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")

    def call(self, inputs):
        return inputs * self.factor - ops.mean(inputs, axis=0, keepdims=True)


@keras.saving.register_keras_serializable("tests")
def doubled(x, times=2):
    return x * times


@keras.saving.register_keras_serializable("tests")
def longer(shape):
    return (*shape[:-1], 2 * shape[-1])


@keras.saving.register_keras_serializable("tests")
def kept(inputs, mask=None):
    return mask


# --- TimeDistributed ----------------------------------------------------------------------------------------


def by_hand(layer, x, **call):
    return np.stack([layer(x[:, k], **call) for k in range(x.shape[1])], axis=1)


@pytest.mark.parametrize("unrolled", [16, 2], ids=["written out", "loop"])
@pytest.mark.parametrize(
    "make",
    [
        Centred,
        L.BatchNormalization,
        lambda: L.Lambda(lambda x: x - ops.mean(x, axis=0)),
        lambda: L.UnitNormalization(axis=0),
        lambda: keras.Sequential([L.Dense(3), Centred()]),
    ],
    ids=["own", "batch", "lambda", "axis 0", "model"],
)
def test_layers_that_mix_samples_get_one_step_at_a_time(make, unrolled, monkeypatch):
    monkeypatch.setattr(time_distributed, "UNROLLED", unrolled)
    inner = make()
    layer = L.TimeDistributed(inner)
    layer.build((None, None, 4))
    before = layer.get_weights()
    expected = by_hand(inner, X, training=True)
    after = layer.get_weights()
    for outputs in (lambda: layer(X, training=True), lambda: traced(layer, [X], {"training": True})[0]):
        layer.set_weights(before)
        np.testing.assert_allclose(outputs(), expected, **TOLERANCE)
        for got, wanted in zip(layer.get_weights(), after, strict=True):
            np.testing.assert_allclose(got, wanted, **TOLERANCE)


def test_gradients_of_the_loop_are_those_of_written_out_steps(monkeypatch):
    layer = L.TimeDistributed(Centred())
    layer.build((None, None, 4))
    expected = gradients_of(layer, [X], {})
    monkeypatch.setattr(time_distributed, "UNROLLED", 2)
    found = gradients_of(layer, [X], {})
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name], gradient, **TOLERANCE)


@pytest.mark.parametrize(
    "kind, arguments", [(L.Dense, (2,)), (L.LayerNormalization, ()), (L.Dropout, (0.5,))]
)
def test_layers_that_do_not_are_called_once(kind, arguments, monkeypatch):
    calls, own = [], kind._call_in_place
    monkeypatch.setattr(
        kind, "_call_in_place", lambda self, x, **k: calls.append(x.shape) or own(self, x, **k)
    )
    layer = L.TimeDistributed(kind(*arguments))
    layer.build((None, 5, 4))
    layer.call(X)
    assert calls == [(15, 4)]


def test_an_unknown_number_of_steps():
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, L.TimeDistributed(L.Dense(2))(L.TimeDistributed(Centred())(inputs)))
    assert model.output_shape == (None, None, 2)
    for steps in (5, 3):
        x = X[:, :steps]
        inner = [layer.layer for layer in model.layers[1:]]
        expected = by_hand(inner[1], by_hand(inner[0], x))
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, **TOLERANCE)


def test_the_mask_reaches_the_layer_and_goes_on():
    class Seen(L.Layer):
        def call(self, inputs, mask=None):
            return inputs if mask is None else inputs * ops.expand_dims(ops.cast(mask, "float32"), -1)

    x = X.copy()
    x[1, 2:] = 0
    masked = L.Masking()(x)
    y = L.TimeDistributed(Seen())(masked)
    np.testing.assert_array_equal(y, x)
    assert mask_of(y).tolist() == (x != 0).any(-1).tolist()


def test_time_distributed_trains_and_exports(tmp_path):
    model = keras.Sequential([keras.Input((5, 4)), L.TimeDistributed(L.Dense(2)), L.Flatten(), L.Dense(1)])
    model.compile("adam", "mse")
    history = model.fit(X, np.ones((3, 1)), epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    [found] = run(onnx.load(tmp_path / "m.onnx"), [X[:2]])
    np.testing.assert_allclose(found, model.predict(X[:2], verbose=0), **TOLERANCE)


# --- SpectralNormalization ----------------------------------------------------------------------------------


def test_training_keeps_the_kernel_as_it_is_learned():
    """The normalized one holds within a forward pass. Numbers of Keras on JAX, which trains so."""
    kernel, x, y = (
        np.random.default_rng(seed).normal(size=size).astype("float32")
        for seed, size in enumerate(((4, 3), (8, 4), (8, 3)))
    )
    dense = L.Dense(3, use_bias=False)
    spectral = L.SpectralNormalization(dense)
    model = keras.Sequential([keras.Input((4,)), spectral])
    dense.kernel.assign(kernel)
    spectral.vector_u.assign(np.ones((1, 3), "float32"))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    for loss, first in ((1.0921738, 0.12232395), (1.0187340, 0.11057569)):
        assert abs(model.train_on_batch(x, y) - loss) < 1e-5
        assert abs(dense.kernel.numpy()[0, 0] - first) < 1e-6
    np.testing.assert_allclose(model.predict(x, verbose=0)[0], [2.231604, 0.65238047, 0.19655338], rtol=1e-5)


def test_the_kernel_gets_the_spectral_norm_one():
    # Singular values apart: of a kernel whose two largest are nearly equal, 50 steps do not find the largest.
    apart = keras.initializers.GlorotUniform(seed=1)
    layer = L.SpectralNormalization(L.Dense(3, kernel_initializer=apart), power_iterations=50)
    x = X[:, 0]
    layer(x)
    kernel = layer.layer.kernel.numpy()
    layer(x, training=True)
    largest = np.linalg.svd(kernel, compute_uv=False)[0]
    np.testing.assert_allclose(layer.layer.kernel.numpy(), kernel / largest, rtol=1e-4)
    layer(x)
    np.testing.assert_allclose(np.linalg.norm(layer.layer.kernel.numpy(), 2), 1, rtol=1e-4)


def test_a_kernel_of_zeros_stays_and_has_finite_gradients():
    layer = L.SpectralNormalization(L.Dense(3, kernel_initializer="zeros"))
    x = X[:, 0]
    layer.build(x.shape)
    u = layer.vector_u.numpy()
    y = layer(x, training=True)
    assert not y.any() and not layer.layer.kernel.numpy().any()
    np.testing.assert_array_equal(layer.vector_u.numpy(), u)
    assert all(np.isfinite(g).all() for g in gradients_of(layer, [x], {"training": True}).values())


def test_the_rows_of_an_embedding_stay_floats():
    layer = L.SpectralNormalization(L.Embedding(7, 3))
    assert layer(np.array([[1, 2]]), training=True).dtype == "float32"


def test_spectral_normalization_in_fit():
    model = keras.Sequential([keras.Input((4,)), L.SpectralNormalization(L.Dense(3)), L.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    spectral = model.layers[0]
    before = spectral.layer.kernel.numpy()
    model.fit(X[:, 0], np.ones((3, 1)), epochs=40, verbose=0)
    np.testing.assert_array_equal(spectral.layer.kernel.numpy(), before)  # only its direction was looked for
    spectral(X[:, 0], training=True)
    np.testing.assert_allclose(np.linalg.norm(spectral.layer.kernel.numpy(), 2), 1, rtol=1e-3)


# --- Lambda -------------------------------------------------------------------------------------------------


def test_lambda_answers_for_shapes():
    assert L.Lambda(doubled).compute_output_shape((None, 3)) == (None, 3)
    assert L.Lambda(doubled, output_shape=(7,)).compute_output_shape((None, 3)) == (None, 7)
    assert L.Lambda(doubled, output_shape=longer).compute_output_shape((None, 3)) == (None, 6)
    several = L.Lambda(lambda x: [x, x], output_shape=[(2,), (None, 4)])
    assert several.compute_output_shape((5, 3)) == [(5, 2), (5, None, 4)]


def test_lambda_round_trip():
    layer = L.Lambda(doubled, output_shape=longer, mask=kept, arguments={"times": 3}, name="triple")
    copy = L.deserialize(L.serialize(layer))
    assert copy.function is doubled and copy.mask is kept and copy.name == "triple"
    assert copy.compute_output_shape((1, 2)) == (1, 4)
    np.testing.assert_array_equal(copy(X), 3 * X)
    assert L.deserialize(L.serialize(L.Lambda(doubled, output_shape=(2,)))).compute_output_shape((1, 9)) == (
        1,
        2,
    )


def test_lambda_gets_training_and_masks():
    layer = L.Lambda(lambda x, training, mask: (x * 2 if training else x) * (0 if mask is None else 1))
    assert not layer(X).any()
    np.testing.assert_array_equal(layer(X, training=True, mask=np.ones((3, 5), bool)), 2 * X)
    fixed = np.ones((3, 5), bool)
    assert mask_of(L.Lambda(doubled, mask=fixed)(X)) is fixed
    assert mask_of(L.Lambda(doubled, mask=lambda x, mask: x[..., 0] > 0)(X)).shape == (3, 5)


# --- ReversibleEmbedding ------------------------------------------------------------------------------------


def test_a_reversible_embedding_masks_what_it_looks_up():
    layer = L.ReversibleEmbedding(7, 3, mask_zero=True)
    y = layer(np.array([[1, 0]]))
    assert mask_of(y).tolist() == [[True, False]]
    assert mask_of(layer(y, reverse=True)) is None


def test_a_tied_projection_in_a_model():
    tokens = keras.Input((4,), dtype="int32")
    embedding = L.ReversibleEmbedding(7, 3)
    model = keras.Model(tokens, embedding(embedding(tokens), reverse=True))
    table = model.get_weights()[0]
    x = np.array([[1, 2, 6, 0]])
    np.testing.assert_allclose(model.predict(x, verbose=0), table[x] @ table.T, **TOLERANCE)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.evaluate(x, x, verbose=0)
    model.fit(x, x, epochs=5, verbose=0)
    assert model.evaluate(x, x, verbose=0) < before


def test_the_dtype_of_the_projection():
    layer = L.ReversibleEmbedding(7, 3, reverse_dtype="float16")
    assert layer(np.ones((2, 3), "float32"), reverse=True).dtype == "float16"


# --- values and masks of other layers -----------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.0, -1.5, np.inf])
def test_masking_clears_steps(value):
    x = X.copy()
    x[0, 1:3] = value
    y = L.Masking(mask_value=value)(x)
    assert not y[0, 1:3].any() and mask_of(y)[0].tolist() == [True, False, False, True, True]
    np.testing.assert_array_equal(y[1:], x[1:])


def test_softmax_of_nothing_is_zero():
    mask = np.array([[True, True, False], [False, False, False]])
    x = np.array([[1.0, 1.0, 5.0]] * 2, "float32")
    np.testing.assert_allclose(L.Softmax()(x, mask=mask), [[0.5, 0.5, 0], [0, 0, 0]])
    np.testing.assert_allclose(L.Softmax()(x, mask=mask.astype("float32") * 0.6), [[0.5, 0.5, 0], [0, 0, 0]])


def test_batch_statistics_leave_out_masked_numbers():
    x = X.copy()
    mask = np.arange(5)[None] < np.array([5, 2, 1])[:, None]
    x[~mask] = np.nan
    layer = L.BatchNormalization(momentum=0.0)
    layer(x, mask=mask, training=True)
    np.testing.assert_allclose(layer.moving_mean.numpy(), x[mask].mean(0), **TOLERANCE)
    np.testing.assert_allclose(layer.moving_variance.numpy(), x[mask].var(0), **TOLERANCE)


def test_weights_of_a_layer_made_untrainable_are_so():
    layer = L.Dense(2, trainable=False)
    layer.build((None, 3))
    assert [w.trainable for w in layer.weights] == [False, False]
    layer.trainable = True
    assert len(layer.trainable_weights) == 2


def test_a_subclass_may_convolve_with_another_kernel():
    class Halved(L.Conv2D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel / 2)

    x = np.random.default_rng(0).normal(size=(1, 5, 5, 2)).astype("float32")
    halved, whole = Halved(3, 3, use_bias=False), L.Conv2D(3, 3, use_bias=False)
    halved.build(x.shape), whole.build(x.shape)
    halved.set_weights(whole.get_weights())
    np.testing.assert_allclose(halved(x), whole(x) / 2, **TOLERANCE)


def test_steps_are_computed_in_the_dtype_of_the_wrapper():
    # As Keras 3.15: the layer's `call` runs in the wrapper's scope.
    assert L.TimeDistributed(L.Dense(2), dtype="mixed_bfloat16")(X).dtype == "bfloat16"
    assert L.TimeDistributed(L.Dense(2, dtype="float16"))(X).dtype == "float32"


def test_steps_of_a_layer_with_several_outputs():
    layer = L.TimeDistributed(L.LSTM(2, return_state=True), name="steps")
    with pytest.raises(ValueError, match=r"'steps': `TimeDistributed` takes layers with one output. 'lstm"):
        layer(X[..., None])
