"""A workload's network in Keras's words: for Keras on any backend, and for kcompile."""

from __future__ import annotations

from functools import cache
from typing import Any

from benchmarks.network import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Depthwise,
    Dropout,
    Embedding,
    Flatten,
    GlobalAverage,
    Layer,
    LayerNorm,
    Leaf,
    MaxPool,
    Positions,
    Recurrent,
    Residual,
    SelfAttention,
    UpSample,
    weight_shapes,
)
from benchmarks.workloads import Workload

LOSSES = {"classes": "sparse_categorical_crossentropy", "binary": "binary_crossentropy", "mse": "mse"}


def build(keras: Any, work: Workload) -> tuple[Any, list[Any]]:
    """The compiled model, and its layers that have weights."""
    model, weighted = network(keras, work)
    metrics = ["accuracy"] if work.loss != "mse" else None
    model.compile(optimizer="adam", loss=LOSSES[work.loss], metrics=metrics)
    return model, weighted


def network(keras: Any, work: Workload) -> tuple[Any, list[Any]]:
    """The model, and its layers that have weights, in the order of ``network.leaves``.

    ``Sequential`` where the network is a chain of single calls, as its users would write it.
    """
    weighted: list[Any] = []
    inputs = keras.Input(work.input_shape, dtype="int32" if work.vocabulary else "float32")
    if all(_is_single(layer) for layer in work.layers):
        layers = [_made(keras, layer, before, weighted) for layer, before, _ in work.leaves]
        return keras.Sequential([inputs, *layers]), weighted
    return keras.Model(inputs, _called(keras, work.layers, inputs, weighted)), weighted


def _is_single(layer: Layer) -> bool:
    return not isinstance(layer, Residual | SelfAttention)


def _called(keras: Any, layers: tuple[Layer, ...], x: Any, weighted: list[Any]) -> Any:
    for layer in layers:
        if isinstance(layer, Residual):
            branch = _called(keras, layer.branch, x, weighted)
            x = keras.layers.add([branch, _called(keras, layer.shortcut, x, weighted)])
            continue
        made = _made(keras, layer, tuple(x.shape[1:]), weighted)
        x = made(x, x, use_causal_mask=True) if isinstance(layer, SelfAttention) else made(x)
    return x


def _made(keras: Any, layer: Leaf, before: tuple[int, ...], weighted: list[Any]) -> Any:
    made = _image(keras.layers, layer) or _plain(keras, layer, before)
    if weight_shapes(layer, before):
        weighted.append(made)
    return made


def _image(layers: Any, layer: Leaf) -> Any:
    match layer:
        case Conv(filters, kernel, activation, stride, same, bias):
            padding = "same" if same else "valid"
            return layers.Conv2D(filters, kernel, stride, padding, activation=activation, use_bias=bias)
        case Depthwise(kernel, stride):
            return layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False)
        case ConvTranspose(filters, kernel, stride, activation):
            return layers.Conv2DTranspose(filters, kernel, stride, padding="same", activation=activation)
        case UpSample(size):
            return layers.UpSampling2D(size)
        case MaxPool(size=size, same=same):
            return layers.MaxPooling2D(size, layer.step, padding="same" if same else "valid")
        case GlobalAverage():
            return layers.GlobalAveragePooling2D()
    return None


def _plain(keras: Any, layer: Leaf, before: tuple[int, ...]) -> Any:
    layers = keras.layers
    match layer:
        case Dense(units, activation):
            return layers.Dense(units, activation=activation)
        case BatchNorm(momentum, epsilon):
            return layers.BatchNormalization(momentum=momentum, epsilon=epsilon)
        case LayerNorm(epsilon):
            return layers.LayerNormalization(epsilon=epsilon)
        case Activation(activation):
            return layers.Activation(activation)
        case Dropout(rate):
            return layers.Dropout(rate)
        case Flatten():
            return layers.Flatten()
        case Embedding(vocabulary, width):
            return layers.Embedding(vocabulary, width)
        case Positions():
            return positions(keras)()
        case Recurrent(kind, units, bidirectional):
            one = {"lstm": layers.LSTM, "gru": layers.GRU}[kind](units)
            return layers.Bidirectional(one) if bidirectional else one
        case SelfAttention(heads):
            return layers.MultiHeadAttention(heads, before[-1] // heads)
    raise TypeError(f"no Keras layer for {layer}")


@cache
def positions(keras: Any) -> type:
    """A layer of the user's own, as Keras's examples of transformers have it."""

    class AddPositions(keras.layers.Layer):
        def build(self, input_shape: tuple[int | None, ...]) -> None:
            self.table = self.add_weight(shape=input_shape[1:], initializer="uniform", name="embeddings")

        def call(self, x: Any) -> Any:
            return x + self.table

    return AddPositions
