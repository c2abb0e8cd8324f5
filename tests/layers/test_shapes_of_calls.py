"""Shapes: those that `build` gets, that a layer states without a call, and those made of NumPy's ints."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, ops

X = np.ones((2, 3), "float32")


def test_a_mask_that_is_given_has_a_shape():
    class Masked(layers.Layer):
        def build(self, inputs_shape, attention_mask_shape=None):
            self.shapes = (inputs_shape, attention_mask_shape)

        def call(self, inputs, attention_mask=None):
            return inputs

    layer = Masked()
    layer(X, attention_mask=X)
    assert layer.shapes == ((2, 3), (2, 3))
    layer = Masked()
    layer(keras.Input((3,)), attention_mask=keras.Input((3,)))
    assert layer.shapes == ((None, 3), (None, 3))
    layer = Masked()
    layer(X)
    assert layer.shapes == ((2, 3), None)


def test_arguments_of_build_are_named_after_those_of_call():
    class Wrong(layers.Layer):
        def build(self, a, b):
            pass

        def call(self, a, b):
            return a

    with pytest.raises(ValueError, match="all arguments should have a `_shape` suffix"):
        Wrong()(X, X)


class Stated(layers.Layer):
    def call(self, inputs):
        raise RuntimeError("this needs numbers")

    def compute_output_shape(self, input_shape):
        return {"rows": [input_shape, (input_shape[0], 7)]}


def test_a_stated_shape_spares_the_call():
    rows = Stated()(keras.Input((3,)))["rows"]
    assert [x.shape for x in rows] == [(None, 3), (None, 7)]
    assert rows[0].dtype == "float32" and isinstance(rows, list)


def test_layers_inside_are_built_all_the_same():
    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(2)

        def call(self, inputs):
            return self.inner(inputs)

        def compute_output_shape(self, input_shape):
            return (input_shape[0], 2)

    layer = Outer()
    assert layer(keras.Input((3,))).shape == (None, 2) and len(layer.weights) == 2


def test_ints_of_numpy_in_shapes():
    size, few = np.prod((4, 5)), np.int32(2)
    inputs = keras.Input(shape=(size,), batch_size=few)
    assert inputs.shape == (2, 20) and {type(d) for d in inputs.shape} == {int}
    model = keras.Model(inputs, layers.Reshape((np.int64(4), np.int32(5)))(inputs))
    assert model.output_shape == (2, 4, 5) and keras.models.model_from_json(model.to_json()).built
    stack = keras.Sequential([layers.Dense(2)])
    stack.build((None, size))
    assert stack.input_shape == (None, 20) and {type(d) for d in stack.input_shape[1:]} == {int}
    assert layers.Dense(2).compute_output_shape((few, size)) == (2, 2)
    assert ops.zeros((few, size)).shape == ops.reshape(np.ones(40), (few, size)).shape == (2, 20)
    with pytest.raises(ValueError, match="ints"):
        keras.Input(shape=(np.float32(3.0),))


@pytest.mark.parametrize(
    "layer, shape",
    [
        (layers.Dense(2, activation="relu"), (3,)),
        (layers.EinsumDense("ab,bc->ac", 2, activation="relu"), (3,)),
        (layers.Conv1D(2, 2, activation="relu"), (3, 3)),
        (layers.DepthwiseConv1D(2, activation="relu"), (3, 3)),
        (layers.SeparableConv1D(2, 2, activation="relu"), (3, 3)),
        (layers.Conv1DTranspose(2, 2, activation="relu"), (3, 3)),
    ],
    ids=lambda x: getattr(type(x), "__name__", None),
)
def test_an_activation_can_be_taken_away(layer, shape):
    model = keras.Sequential([keras.Input(shape), layer])
    x = np.ones((2, *shape), "float32")
    up = model.predict(x, verbose=0)
    model.layers[-1].activation = None
    free = model.predict(x, verbose=0)
    np.testing.assert_allclose(np.maximum(free, 0), up, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(-x, verbose=0), -free, rtol=1e-5, atol=1e-6)
    assert layer.get_config()["activation"] in (None, "linear")


def test_a_layer_of_a_namespace_without_a_name():
    text = """
class Own(layers.Layer):
    def compute_output_shape(self, shape):
        return shape
    def call(self, x):
        return x * 2
"""
    within = {"layers": layers}
    exec(text, within)
    assert within["Own"]()(keras.Input((3,))).shape == (None, 3)
