"""Branches of the Inception networks: chains of convolutions beside one another, joined at the end.

A branch is written as (filters, rows, columns, strides) of its convolutions.
"""

from __future__ import annotations

from typing import Any

from kcompile import layers
from kcompile.applications import building

Step = tuple[int, int, int] | tuple[int, int, int, int]


def conv(x: Any, filters: int, rows: int, columns: int, strides: int = 1, padding: str = "same") -> Any:
    """Convolution, normalization without a scale, relu."""
    x = layers.Conv2D(filters, (rows, columns), strides=strides, padding=padding, use_bias=False)(x)
    x = layers.BatchNormalization(axis=building.channel_axis(), scale=False)(x)
    return layers.Activation("relu")(x)


def chain(x: Any, *steps: Step) -> Any:
    """Convolutions one after the other; those with strides see no border."""
    for step in steps:
        strides = step[3] if len(step) == 4 else 1
        x = conv(x, step[0], step[1], step[2], strides, "same" if strides == 1 else "valid")
    return x


def stem(x: Any) -> Any:
    """The first layers, from an image to an eighth of its size."""
    x = conv(x, 32, 3, 3, 2, "valid")
    x = conv(x, 32, 3, 3, 1, "valid")
    x = conv(x, 64, 3, 3)
    x = shrunk(x)
    x = conv(x, 80, 1, 1, 1, "valid")
    x = conv(x, 192, 3, 3, 1, "valid")
    return shrunk(x)


def shrunk(x: Any) -> Any:
    return layers.MaxPooling2D(3, strides=2)(x)


def averaged(x: Any) -> Any:
    return layers.AveragePooling2D(3, strides=1, padding="same")(x)


def joined(branches: list[Any], name: str | None = None) -> Any:
    return layers.Concatenate(axis=building.channel_axis(), name=name)(branches)
