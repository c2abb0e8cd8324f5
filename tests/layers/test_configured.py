"""Layers that keep their arguments: attributes, weights' settings, and configs."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import constraints, initializers, layers, regularizers
from kcompile.core.signatures import arguments_of
from kcompile.layers.configured import Configured


class Gate(Configured):
    def __init__(self, units, activation="tanh", gate_initializer="ones", gate_regularizer=None,
                 gate_constraint=None, **kwargs):  # fmt: skip
        given = arguments_of(locals())
        super().__init__(**kwargs)
        self.configure(given)

    def build(self, input_shape):
        self.gate = self.add_configured_weight("gate_kernel", (input_shape[-1], self.units))
        self.shift = self.add_configured_weight("shift", (self.units,), part="gate", trainable=False)

    def call(self, x):
        return self.activation(x @ self.gate + self.shift)


def test_arguments_become_objects_attributes_and_config():
    layer = Gate(2, "relu", {"class_name": "Constant", "config": {"value": 3.0}}, "l2", "non_neg", name="g")
    assert layer.units == 2 and layer.activation(np.float32(-1)) == 0
    assert isinstance(layer.gate_initializer, initializers.Constant)
    config = layer.get_config()
    assert config["units"] == 2 and config["activation"] == "relu" and config["name"] == "g"
    again = Gate.from_config(config)
    assert again.get_config() == config
    assert isinstance(again.gate_regularizer, regularizers.L2)
    assert isinstance(again.gate_constraint, constraints.NonNeg)


def test_weights_have_the_settings_of_their_part():
    layer = Gate(2, None, initializers.Constant(3.0), regularizers.L1(0.5), "non_neg")
    assert layer(np.ones((1, 4), "float32")).tolist() == [[15.0, 15.0]]
    kernel, shift = layer.weights
    assert (kernel.name, shift.name, shift.trainable) == ("gate_kernel", "shift", False)
    assert kernel.regularizer is layer.gate_regularizer and kernel.constraint is layer.gate_constraint
    assert float(layer.losses[0]) == 0.5 * 8 * 3


def test_a_part_without_settings_is_named():
    layer = Gate(2)
    with pytest.raises(AttributeError, match="missing_initializer"):
        layer.add_configured_weight("missing", (1,))


def test_a_subclass_of_a_convolution_may_add_to_the_config():
    class Mine(layers.Conv2D):
        def __init__(self, filters, kernel_size=3, times=2, **kwargs):
            super().__init__(filters, kernel_size, **kwargs)
            self.times = times

        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel * self.times)

        def get_config(self):
            return {**super().get_config(), "times": self.times}

    once, twice = Mine(4, times=1, padding="same"), Mine(4, strides=1, padding="same")
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype("float32")
    once.build(x.shape)
    twice.build(x.shape)
    twice.set_weights(once.get_weights())
    np.testing.assert_allclose(twice(x), 2 * np.asarray(once(x)), rtol=1e-6)
    again = Mine.from_config(twice.get_config())
    assert again.times == 2 and again.padding == "same" and again.kernel_size == (3, 3)
