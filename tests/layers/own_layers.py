"""Layers as a user would write them, for tests of what every layer does."""

from __future__ import annotations

from kcompile import layers


class Outer(layers.Layer):
    """A layer around others, without `build` of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(2, name="first")
        self.listed = [layers.Dense(2, name="second")]
        self.mapped = {"key": (layers.Dense(2, name="third"),)}
        self.listed.append(layers.Dense(1, name="fourth"))

    def call(self, inputs):
        x = self.first(inputs)
        for layer in [self.listed[0], self.mapped["key"][0], self.listed[1]]:
            x = layer(x)
        return x


class Scale(layers.Layer):
    def __init__(self, factor=2, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.gain = self.add_weight((input_shape[-1],), "ones", name="gain")

    def call(self, inputs):
        return inputs * self.gain * self.factor
