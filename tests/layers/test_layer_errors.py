"""What every layer says about wrong calls, inputs and names."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import layers, ops
from kcompile.core.errors import ShapeError

X = np.ones((2, 3), "float32")


def test_an_error_inside_names_the_innermost_layer_and_keeps_its_type():
    class Broken(layers.Layer):
        def call(self, inputs):
            raise LookupError("nothing there")

    class Around(layers.Layer):
        def __init__(self):
            super().__init__(name="around")
            self.inner = Broken(name="broken")

        def call(self, inputs):
            return self.inner(inputs)

    with pytest.raises(LookupError) as caught:
        Around()(X)
    assert str(caught.value).startswith("nothing there")
    assert 'layer "broken" (Broken), path around/broken' in str(caught.value)
    assert str(caught.value).count("at  ") == 1


def test_a_shape_error_inside_stays_one():
    class Bad(layers.Layer):
        def call(self, inputs):
            return ops.reshape(inputs, (7, 7))

    with pytest.raises(ShapeError, match=r'(?s)number of elements.*layer "bad_one" \(Bad\)'):
        Bad(name="bad_one")(X)


@pytest.mark.parametrize(
    "inputs, text",
    [
        (np.ones((2, 4)), r'layer "dd" is incompatible.*expected axis -1.*value 3.*shape \(2, 4\)'),
        (np.ones(4), r"expected min_ndim=2, found ndim=1. Full shape received: \(4,\)"),
        ([X, X], r'Layer "dd" expects 1 input\(s\), but it received 2'),
        ([[1.0, 2.0, 3.0]], r"Only input tensors may be passed as positional arguments.*1.0"),
    ],
)
def test_wrong_inputs(inputs, text):
    dense = layers.Dense(2, name="dd")
    dense(X)
    with pytest.raises(ValueError, match=text):
        dense(inputs)


def test_wrong_arguments_of_a_call():
    with pytest.raises(TypeError, match="inputs"):
        layers.Dense(2)()
    with pytest.raises(TypeError, match="foo"):
        layers.Dense(2)(X, foo=1)
    with pytest.raises(NotImplementedError, match="does not have a `call` method"):
        layers.Layer()(X)


@pytest.mark.parametrize("name", ["a/b", 3])
def test_wrong_names(name):
    with pytest.raises(ValueError, match="cannot contain character `/`"):
        layers.Layer(name=name)
