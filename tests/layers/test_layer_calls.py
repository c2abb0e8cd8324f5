"""What every layer does when it is called: training, losses, masks, dtypes, placeholders."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops
from kcompile.trace.keras_tensor import KerasTensor
from tests.layers.check import traced
from tests.layers.own_layers import Outer, Scale

X = np.ones((2, 3), "float32")


class Spy(layers.Layer):
    """Notes the `training` that reaches it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def call(self, inputs, training=None):
        self.seen.append(training)
        return inputs


# --- training -----------------------------------------------------------------------------------------------


def test_training_is_explicit_or_inherited_or_default():
    class Holder(layers.Layer):
        def __init__(self):
            super().__init__()
            self.spy, self.other = Spy(), Spy()

        def call(self, inputs):
            return self.other(self.spy(inputs, training=True))

    holder = Holder()
    holder(X), holder(X, training=True), holder(X, training=False)
    assert holder.spy.seen == [True, True, True]
    assert holder.other.seen == [None, True, False]  # what a sibling was told does not matter

    class Default(Spy):
        def call(self, inputs, training=True):
            return super().call(inputs, training)

    default = Default()
    default(X), default(X, training=False)
    assert default.seen == [True, False]


def any_call(self, *args, **kwargs):
    """As a decorator without functools.wraps leaves it."""
    self.seen.append(kwargs)
    return self.spy(args[0])


@pytest.mark.parametrize("kind", [layers.Layer, keras.Model])
def test_a_call_that_takes_anything_is_not_told_of_training(kind):
    """As in Keras; what it calls is."""
    layer = type("Open", (kind,), {"call": any_call})()
    layer.seen, layer.spy = [], Spy()
    layer(X), layer(X, training=True), layer(X, flag=3)
    assert layer.seen == [{}, {}, {"flag": 3}]
    assert layer.spy.seen == [None, True, None]


def test_dropout_is_active_in_training_only():
    dropout = layers.Dropout(0.5, seed=3)
    x = np.ones((100, 100), "float32")
    np.testing.assert_array_equal(dropout(x), x)
    np.testing.assert_array_equal(dropout(x, training=False), x)
    y = dropout(x, training=True)
    assert set(np.unique(y)) == {0.0, 2.0} and 0.47 < (y == 0).mean() < 0.53
    assert (dropout(x, training=True) != y).any()  # the next draw is another
    again = layers.Dropout(0.5, seed=3)
    np.testing.assert_array_equal(again(x, training=True), y)


def test_dropout_draws_alike_eagerly_and_traced():
    x = np.ones((8, 9, 4), "float32")
    for make in (
        lambda: layers.Dropout(0.3, noise_shape=(None, 1, 4), seed=5),
        lambda: layers.SpatialDropout1D(0.4, seed=6),
        lambda: layers.GaussianNoise(0.3, seed=7),
        lambda: layers.GaussianDropout(0.3, seed=8),
        lambda: layers.AlphaDropout(0.3, seed=9),
    ):
        eager, other = make(), make()
        found = traced(lambda v, other=other: other(v, training=True), [x])[0]
        np.testing.assert_allclose(found, eager(x, training=True), rtol=1e-6)
        np.testing.assert_array_equal(eager.seed_generator.state.numpy(), other.seed_generator.state.numpy())


@pytest.mark.parametrize("name", ["GaussianNoise", "GaussianDropout", "AlphaDropout"])
def test_noise_keeps_mean_and_has_its_deviation(name):
    x = np.random.default_rng(0).normal(size=(300, 300)).astype("float32")
    layer = getattr(layers, name)(0.2, seed=1)
    y = layer(x, training=True)
    assert abs((y - x).mean()) < 0.01
    if name == "AlphaDropout":
        assert abs(y.std() - 1) < 0.02
    else:
        wanted = 0.2 if name == "GaussianNoise" else np.sqrt(0.2 / 0.8) * x.std()
        assert abs((y - x).std() - wanted) < 0.01


def test_spatial_dropout_drops_whole_channels():
    x = np.ones((4, 5, 6, 7), "float32")
    y = layers.SpatialDropout2D(0.5, seed=0)(x, training=True)
    assert set(np.unique(y)) == {0.0, 2.0}
    assert (y == y[:, :1, :1, :]).all()


# --- losses -------------------------------------------------------------------------------------------------


def test_losses_of_the_last_call_and_of_weights():
    dense = layers.Dense(2, activity_regularizer="l2", kernel_regularizer="l1")
    y = dense(X)
    wanted = [0.01 * np.sum(y**2) / len(X), 0.01 * np.abs(dense.kernel.numpy()).sum()]
    dense(X)
    np.testing.assert_allclose([float(loss) for loss in dense.losses], wanted, rtol=1e-5)
    dense.trainable = False
    assert len(dense.losses) == 1


def test_added_losses_are_those_of_the_outermost_call():
    class Costly(layers.Layer):
        def call(self, inputs):
            self.add_loss(ops.sum(inputs))
            return inputs

    class Holder(layers.Layer):
        def __init__(self):
            super().__init__()
            self.a, self.b = Costly(), Costly()

        def call(self, inputs):
            return self.b(self.a(inputs) * 2)

    holder = Holder()
    holder(X), holder(X)
    assert [float(loss) for loss in holder.losses] == [6.0, 12.0]
    found = traced(lambda x: (holder(x), list(holder.losses))[1], [X])
    assert [float(loss) for loss in found] == [6.0, 12.0]
    assert holder.losses == []  # a finished trace leaves no symbolic losses


# --- masks --------------------------------------------------------------------------------------------------


def test_masks_travel_and_are_used():
    ids = np.array([[1, 2, 0], [3, 0, 0]], "int32")
    embedding = layers.Embedding(5, 4, mask_zero=True)
    x = embedding(ids)
    pooled = layers.GlobalAveragePooling1D()(layers.Dropout(0.5)(x))
    np.testing.assert_allclose(pooled[1], x[1, 0], rtol=1e-6)

    def model(x):
        return layers.GlobalAveragePooling1D()(layers.Activation("linear")(embedding(x)))

    [found] = traced(model, [ids])
    np.testing.assert_allclose(found, pooled, rtol=1e-6)


def test_a_layer_that_ignores_masks_says_so():
    x = layers.Masking()(np.zeros((2, 3, 4), "float32"))
    with pytest.warns(UserWarning, match="does not support masking"):
        flat = layers.Flatten()(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers.Flatten()(flat)


def test_masks_of_merged_inputs():
    from kcompile.trace.masks import mask_of

    a, b = np.ones((1, 3, 2), "float32"), np.ones((1, 3, 2), "float32")
    a[:, 2], b[:, 1:] = 0, 0
    masking = layers.Masking()
    joined = [masking(a), masking(b)]
    assert mask_of(layers.Add()(joined)).tolist() == [[True, True, False]]
    assert mask_of(layers.Concatenate(axis=1)(joined)).tolist() == [[True, True, False, True, False, False]]
    assert mask_of(layers.Concatenate(axis=1)([joined[0], b])).tolist() == [
        [True, True, False, True, True, True]
    ]


def test_a_masked_softmax_ignores_what_is_masked():
    y = layers.Softmax()(np.zeros((1, 4), "float32"), mask=np.array([[True, False, True, False]]))
    np.testing.assert_allclose(y, [[0.5, 0, 0.5, 0]])


# --- dtypes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given, dtype, wanted",
    [
        ("float64", None, "float32"),
        ("float16", None, "float32"),
        ("int32", None, "float32"),
        ("float32", "float64", "float64"),
        ("float32", "float16", "float16"),
        ("float32", "mixed_float16", "float16"),
    ],
)
def test_dense_computes_in_its_dtype(given, dtype, wanted):
    dense = layers.Dense(2, dtype=dtype)
    assert dense(np.ones((2, 3), given)).dtype == wanted
    assert dense.kernel.dtype == ("float32" if dtype in (None, "mixed_float16") else dtype)


def test_the_global_policy_and_its_config():
    keras.dtype_policies.set_dtype_policy("mixed_bfloat16")
    try:
        layer = layers.Dense(2)
    finally:
        keras.dtype_policies.set_dtype_policy("float32")
    assert (layer.compute_dtype, layer.variable_dtype) == ("bfloat16", "float32")
    assert layers.Dense.from_config(layer.get_config()).compute_dtype == "bfloat16"


def test_ints_are_left_alone_where_nothing_is_computed():
    ints = np.arange(6, dtype="uint8").reshape(2, 3)
    assert layers.Flatten()(ints).dtype == "uint8"
    assert layers.Rescaling(0.5)(ints).dtype == "float32"
    with pytest.raises(ValueError, match="Cannot convert 'floof'"):
        layers.Dense(2, dtype="floof")


# --- placeholders -------------------------------------------------------------------------------------------


def test_a_call_on_placeholders_is_remembered():
    x = KerasTensor((None, 3), name="x")
    spy = Spy(name="spy")
    y = spy(x, training=True)
    assert (y.shape, y.dtype) == ((None, 3), "float32")
    assert spy.input is x and spy.output is y
    [node] = spy._inbound_nodes
    assert node.args == (x,) and node.kwargs == {"training": True}
    with pytest.raises(AttributeError, match="never been called"):
        _ = Spy().output


def test_output_shapes_of_own_layers():
    assert Scale().compute_output_shape((None, 3)) == (None, 3)
    assert Outer().compute_output_shape((7, 3)) == (7, 1)

    class Split(layers.Layer):
        def call(self, inputs):
            return {"a": inputs[:, :1], "b": [inputs, ops.sum(inputs, axis=-1)]}

    assert Split().compute_output_shape((None, 3)) == {"a": (None, 1), "b": [(None, 3), (None,)]}
    assert Split()(KerasTensor((None, 3)))["b"][1].shape == (None,)
