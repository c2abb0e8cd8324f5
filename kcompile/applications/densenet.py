"""DenseNet121, 169 and 201 (Huang et al., 2017, https://arxiv.org/abs/1608.06993)."""

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

EPSILON = 1.001e-5
GROWTH = 32  # channels that each convolution of a block adds
FILES = {
    121: ("9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"),
    169: ("d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"),
    201: ("1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"),
}


def network(options: Options, depth: int, counts: tuple[int, ...]) -> Functional:
    """counts: convolutions of each block, each of which sees the outputs of all before it."""
    building.check(options)
    start = x = building.image(options, building.check_size(options, 224, 32))
    x = layers.ZeroPadding2D(3)(x)
    x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
    x = activated(x, "conv1_bn", "conv1_relu")
    x = layers.ZeroPadding2D(1)(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for number, count in enumerate(counts, 2):
        for k in range(1, count + 1):
            x = grown(x, f"conv{number}_block{k}")
        if number <= len(counts):
            x = halved(x, f"pool{number}")
    x = activated(x, "bn", "relu")
    if options.include_top:
        x = building.classified(x, options)
    else:
        x = building.pooled(x, options, "avg_pool", "max_pool")
    return building.finished(start, x, options, tf_kernels(f"densenet{depth}", "densenet/", *FILES[depth]))


def activated(x: Any, bn: str, relu: str) -> Any:
    x = layers.BatchNormalization(axis=building.channel_axis(), epsilon=EPSILON, name=bn)(x)
    return layers.Activation("relu", name=relu)(x)


def grown(x: Any, name: str) -> Any:
    y = activated(x, f"{name}_0_bn", f"{name}_0_relu")
    y = layers.Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(y)
    y = activated(y, f"{name}_1_bn", f"{name}_1_relu")
    y = layers.Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(y)
    return layers.Concatenate(axis=building.channel_axis(), name=f"{name}_concat")([x, y])


def halved(x: Any, name: str) -> Any:
    """Half of the channels and half of the size."""
    x = activated(x, f"{name}_bn", f"{name}_relu")
    x = layers.Conv2D(building.channels(x) // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def _of(depth: int, counts: tuple[int, ...]) -> Any:
    return standard(
        f"DenseNet{depth}",
        f"densenet{depth}",
        lambda options: network(options, depth, counts),
        f"Densely connected network of {depth} layers (Huang et al., 2017).",
    )


DenseNet121 = _of(121, (6, 12, 24, 16))
DenseNet169 = _of(169, (6, 12, 32, 32))
DenseNet201 = _of(201, (6, 12, 48, 32))
preprocess_input = preprocessing("torch")

__all__ = public_names.of(__name__)
