"""Xception (Chollet, 2017, https://arxiv.org/abs/1610.02357): separable convolutions and shortcuts."""

from __future__ import annotations

from typing import Any

from kcompile import layers
from kcompile.applications import building
from kcompile.applications.building import Options, standard
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.imagenet_utils import preprocessing
from kcompile.applications.trained import tf_kernels
from kcompile.core import public_names
from kcompile.models import Functional

MIDDLE = 728  # channels of the blocks in the middle
_FILES = tf_kernels(
    "xception", "xception/", "0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"
)


def network(options: Options) -> Functional:
    building.check(options)
    start = x = building.image(options, building.check_size(options, 299, 71))
    for k, (filters, strides) in enumerate(((32, 2), (64, 1)), 1):
        x = layers.Conv2D(filters, 3, strides=strides, use_bias=False, name=f"block1_conv{k}")(x)
        x = relu(normalized(x, f"block1_conv{k}_bn"), f"block1_conv{k}_act")
    for number, filters in ((2, 128), (3, 256), (4, MIDDLE)):
        x = halved(x, number, (filters, filters), activate=number > 2)
    for number in range(5, 13):
        before = x
        for k in (1, 2, 3):
            x = separable(relu(x, f"block{number}_sepconv{k}_act"), MIDDLE, f"block{number}_sepconv{k}")
        x = layers.Add()([x, before])
    x = halved(x, 13, (MIDDLE, 1024), activate=True)
    for k, filters in enumerate((1536, 2048), 1):
        x = relu(separable(x, filters, f"block14_sepconv{k}"), f"block14_sepconv{k}_act")
    x = building.classified(x, options) if options.include_top else building.pooled(x, options)
    return building.finished(start, x, options, _FILES)


def halved(x: Any, number: int, filters: tuple[int, int], activate: bool) -> Any:
    """Two separable convolutions and a pooling, beside a 1x1 convolution with strides."""
    shortcut = layers.Conv2D(filters[1], 1, strides=2, padding="same", use_bias=False)(x)
    shortcut = layers.BatchNormalization(axis=building.channel_axis(-1))(shortcut)
    for k in (1, 2):
        name = f"block{number}_sepconv{k}"
        if k == 2 or activate:
            x = relu(x, f"{name}_act")
        x = separable(x, filters[k - 1], name)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"block{number}_pool")(x)
    return layers.Add()([x, shortcut])


def separable(x: Any, filters: int, name: str) -> Any:
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return normalized(x, f"{name}_bn")


def normalized(x: Any, name: str) -> Any:
    return layers.BatchNormalization(axis=building.channel_axis(-1), name=name)(x)


def relu(x: Any, name: str) -> Any:
    return layers.Activation("relu", name=name)(x)


Xception = standard("Xception", "xception", network, "Xception (Chollet, 2017) for images of 299 pixels.")
preprocess_input = preprocessing("tf")

__all__ = public_names.of(__name__)
