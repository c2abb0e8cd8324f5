"""What EfficientNet and EfficientNetV2 have in common: initializers, squeeze and excitation, and the end."""

from __future__ import annotations

from typing import Any

from kcompile import initializers, layers
from kcompile.applications import building
from kcompile.applications.building import Options
from kcompile.config import image_data_format

TOP = 1280  # channels at the end of the smallest of each family
DROP_PATHS = 0.2  # rate of the last block; that of a block grows with its number


def kernel_initializer() -> Any:
    return initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")


def conv(x: Any, filters: int, kernel: int, name: str, strides: int = 1, padding: str = "same") -> Any:
    """A convolution whose offset is left to the batch normalization after it."""
    return layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding=padding,
        use_bias=False,
        kernel_initializer=kernel_initializer(),
        name=name,
    )(x)


def depthwise(x: Any, kernel: int, strides: int, padding: str, name: str) -> Any:
    return layers.DepthwiseConv2D(
        kernel,
        strides=strides,
        padding=padding,
        use_bias=False,
        depthwise_initializer=kernel_initializer(),
        name=name,
    )(x)


def normalized(x: Any, name: str, momentum: float = 0.99) -> Any:
    return layers.BatchNormalization(axis=building.channel_axis(), momentum=momentum, name=name)(x)


def swish(x: Any, name: str) -> Any:
    return layers.Activation("swish", name=name)(x)


def excited(x: Any, squeezed: int, prefix: str) -> Any:
    """Channels weighted by what is in the whole image (Hu et al., 2018)."""
    wide = building.channels(x)
    shape = (1, 1, wide) if image_data_format() == "channels_last" else (wide, 1, 1)
    y = layers.GlobalAveragePooling2D(name=f"{prefix}se_squeeze")(x)
    y = layers.Reshape(shape, name=f"{prefix}se_reshape")(y)
    for filters, activation, name in ((squeezed, "swish", "se_reduce"), (wide, "sigmoid", "se_expand")):
        y = layers.Conv2D(
            filters,
            1,
            padding="same",
            activation=activation,
            kernel_initializer=kernel_initializer(),
            name=f"{prefix}{name}",
        )(y)
    return layers.Multiply(name=f"{prefix}se_excite")([x, y])


def added(x: Any, before: Any, drop: float, prefix: str) -> Any:
    """The residual connection; in training a whole path is dropped now and then (Huang et al., 2016)."""
    if drop > 0:
        x = layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{prefix}drop")(x)
    return layers.Add(name=f"{prefix}add")([x, before])


def ended(x: Any, options: Options, dropout: float, **dense: Any) -> Any:
    if not options.include_top:
        return building.pooled(x, options, "avg_pool", "max_pool")
    dense["kernel_initializer"] = initializers.VarianceScaling(1 / 3, "fan_out", "uniform")
    return building.classified(x, options, dropout=dropout, **dense)
