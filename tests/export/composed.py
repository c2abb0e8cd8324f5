"""Layers around others, cells, and layers whose arguments are objects: models for the table of the exports.

A case has the form of the parity cases: a layer's name, a name of its own, inputs, and how its model is made.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import kcompile
from kcompile import layers, ops

STEPS = (3, 4, 5)


@dataclass(frozen=True)
class Composed:
    """make(x, ...) calls the layer on placeholders. texts: what inputs that are text are drawn from."""

    layer: str
    what: str
    shapes: tuple[tuple[int, ...], ...]
    make: Callable[..., Any]
    texts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.layer}: {self.what}"

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.name.encode()))

    def inputs(self) -> list[np.ndarray]:
        if self.texts:
            return [self._rng().choice(np.array(self.texts, object), s) for s in self.shapes]
        return [self._rng().normal(size=s).astype("float32") for s in self.shapes]

    def model(self) -> Any:
        """A model with seeded weights."""
        xs = [kcompile.Input(s[1:], dtype="string" if self.texts else None) for s in self.shapes]
        model = kcompile.Model(xs, self.make(*xs))
        rng = self._rng()
        model.set_weights([rng.uniform(0.1, 0.9, w.shape).astype("float32") for w in model.weights])
        return model


class Doubled(layers.Layer):
    """A layer of one's own."""

    def call(self, x: Any) -> Any:
        return ops.tanh(x) * 2.0


class Wrapped(layers.Wrapper):
    """A wrapper of one's own."""

    def call(self, x: Any) -> Any:
        return self.layer(x) + 1.0


def _drawing(layer: str, **kwargs: Any) -> Composed:
    """An image layer that draws random numbers while training alone."""
    return Composed(
        layer, f"{kwargs}", ((2, 8, 6, 3),), lambda x: getattr(layers, layer)(**kwargs)(x, training=False)
    )


def _rnn(cell: Any, **kwargs: Any) -> Callable[[Any], Any]:
    return lambda x: layers.RNN(cell(), **kwargs)(x)


def _stack() -> Any:
    return layers.StackedRNNCells([layers.LSTMCell(3), layers.GRUCell(4)])


WORDS = ("a", "b", "É", "", "other")
SENTENCES = ("A b, c!", "", "É\tother  b", "c-c (a) B.")


def _lookup(**kwargs: Any) -> Composed:
    def make(x: Any) -> Any:
        return layers.StringLookup(vocabulary=["a", "b", "É"], **kwargs)(x)

    return Composed("StringLookup", f"{kwargs}", ((4, 3),), make, WORDS)


def _vectorization(**kwargs: Any) -> Composed:
    def make(x: Any) -> Any:
        return layers.TextVectorization(vocabulary=["a", "b", "c", "cc", "É"], **kwargs)(x)

    return Composed("TextVectorization", f"{kwargs}", ((4, 1),), make, SENTENCES)


COMPOSED = [
    _lookup(),
    _lookup(mask_token=""),
    _lookup(output_mode="multi_hot"),
    _lookup(output_mode="tf_idf", idf_weights=[0.5, 1.0, 2.0]),
    _vectorization(),
    _vectorization(output_sequence_length=3, ngrams=2),
    _vectorization(output_mode="count", standardize="lower"),
    Composed("Bidirectional", "lstm", (STEPS,), lambda x: layers.Bidirectional(layers.LSTM(3))(x)),
    Composed(
        "Bidirectional", "sequences", (STEPS,),
        lambda x: layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="sum")(x),
    ),
    Composed(
        "Bidirectional", "masked", (STEPS,),
        lambda x: layers.Bidirectional(layers.SimpleRNN(3))(layers.Masking(0.0)(x)),
    ),
    Composed(
        "Bidirectional", "masked sequences", (STEPS,),
        lambda x: layers.Bidirectional(layers.LSTM(3, return_sequences=True))(layers.Masking(0.0)(x)),
    ),
    Composed("RNN", "sequences", (STEPS,), _rnn(lambda: layers.LSTMCell(3), return_sequences=True)),
    Composed("LSTMCell", "in RNN", (STEPS,), _rnn(lambda: layers.LSTMCell(3))),
    Composed("GRUCell", "in RNN", (STEPS,), _rnn(lambda: layers.GRUCell(3))),
    Composed("SimpleRNNCell", "in RNN", (STEPS,), _rnn(lambda: layers.SimpleRNNCell(3))),
    Composed("StackedRNNCells", "in RNN", (STEPS,), _rnn(_stack)),
    Composed("TimeDistributed", "dense", (STEPS,), lambda x: layers.TimeDistributed(layers.Dense(2))(x)),
    Composed(
        "TimeDistributed", "convolution", ((2, 3, 6, 6, 2),),
        lambda x: layers.TimeDistributed(layers.Conv2D(2, 3))(x),
    ),
    Composed("Wrapper", "of one's own", (STEPS,), lambda x: Wrapped(layers.Dense(2))(x)),
    Composed(
        "SpectralNormalization", "dense", (STEPS,),
        lambda x: layers.SpectralNormalization(layers.Dense(2))(x),
    ),
    Composed("Lambda", "a function", (STEPS,), lambda x: layers.Lambda(lambda v: ops.exp(v) - 1.0)(x)),
    Composed("Layer", "of one's own", (STEPS,), lambda x: Doubled()(x)),
    Composed("InputLayer", "of a model", (STEPS,), lambda x: layers.Add()([x, layers.ReLU()(x)])),
    Composed(
        "Pipeline", "of two layers", ((2, 8, 6, 3),),
        lambda x: layers.Pipeline([layers.Rescaling(0.5), layers.CenterCrop(4, 4)])(x),
    ),
    Composed(
        "MelSpectrogram", "of a signal", ((2, 200),),
        lambda x: layers.MelSpectrogram(
            fft_length=64, sequence_stride=32, num_mel_bins=8, sampling_rate=8000
        )(x),
    ),
    _drawing("AugMix", value_range=(0, 1)),
    _drawing("ContrastLimitedAdaptiveHistogramEqualization", value_range=(0, 1)),
    _drawing("CutMix", factor=0.5),
    _drawing("MixUp", alpha=0.5),
    _drawing("RandAugment", value_range=(0, 1)),
    _drawing("RandomColorJitter", value_range=(0, 1), brightness_factor=0.2),
    _drawing("RandomContrast", factor=0.5),
    _drawing("RandomCrop", height=4, width=4),
    _drawing("RandomCrop", height=12, width=4),
    _drawing("RandomElasticTransform", factor=0.5),
    _drawing("RandomErasing", factor=1.0),
    _drawing("RandomFlip", mode="horizontal"),
    _drawing("RandomPerspective", factor=0.5),
    _drawing("RandomSaturation", factor=0.5),
    _drawing("RandomShear", x_factor=0.5),
    _drawing("Solarization", addition_factor=0.2, value_range=(0, 1)),
]  # fmt: skip
