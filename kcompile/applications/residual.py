"""Residual networks (He et al., 2015, 2016): stacks of bottleneck blocks, the activation after or before."""

from __future__ import annotations

from typing import Any

from kcompile import layers
from kcompile.applications import building
from kcompile.applications.building import Options
from kcompile.applications.trained import tf_kernels
from kcompile.models import Functional

EPSILON = 1.001e-5
WIDTHS = (64, 128, 256, 512)  # of the four stacks; each ends four times as wide
FILES = {
    "resnet50": ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet152": ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "resnet50v2": ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    "resnet101v2": ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "resnet152v2": ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
}


def network(options: Options, file: str, counts: tuple[int, ...], preactivated: bool) -> Functional:
    """counts: blocks of each stack. preactivated: version 2, which normalizes before each convolution."""
    building.check(options)
    start = x = building.image(options, building.check_size(options, 224, 32))
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)
    if not preactivated:
        x = activated(x, "conv1")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    stack = stack_v2 if preactivated else stack_v1
    for number, (width, count) in enumerate(zip(WIDTHS, counts, strict=True), 2):
        x = stack(x, width, count, number)
    if preactivated:
        x = activated(x, "post")
    if options.include_top:
        x = building.classified(x, options)
    else:
        x = building.pooled(x, options, "avg_pool", "max_pool")
    return building.finished(start, x, options, tf_kernels(file, "resnet/", *FILES[file]))


def normalized(x: Any, name: str) -> Any:
    axis = building.channel_axis()
    return layers.BatchNormalization(axis=axis, epsilon=EPSILON, name=f"{name}_bn")(x)


def activated(x: Any, name: str) -> Any:
    return layers.Activation("relu", name=f"{name}_relu")(normalized(x, name))


def stack_v1(x: Any, width: int, count: int, number: int) -> Any:
    """The first block of a stack has a convolution in its shortcut, and strides from the second stack on."""
    for k in range(1, count + 1):
        strides = 2 if k == 1 and number > 2 else 1
        x = block_v1(x, width, strides, k == 1, f"conv{number}_block{k}")
    return x


def block_v1(x: Any, width: int, strides: int, widens: bool, name: str) -> Any:
    shortcut = x
    if widens:
        shortcut = layers.Conv2D(4 * width, 1, strides=strides, name=f"{name}_0_conv")(x)
        shortcut = normalized(shortcut, f"{name}_0")
    x = activated(layers.Conv2D(width, 1, strides=strides, name=f"{name}_1_conv")(x), f"{name}_1")
    x = activated(layers.Conv2D(width, 3, padding="same", name=f"{name}_2_conv")(x), f"{name}_2")
    x = normalized(layers.Conv2D(4 * width, 1, name=f"{name}_3_conv")(x), f"{name}_3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def stack_v2(x: Any, width: int, count: int, number: int) -> Any:
    """In version 2 the last block has the strides, and the last stack none."""
    for k in range(1, count + 1):
        strides = 2 if k == count and number < len(WIDTHS) + 1 else 1
        x = block_v2(x, width, strides, k == 1, f"conv{number}_block{k}")
    return x


def block_v2(x: Any, width: int, strides: int, widens: bool, name: str) -> Any:
    before = activated(x, f"{name}_preact")
    if widens:
        shortcut = layers.Conv2D(4 * width, 1, strides=strides, name=f"{name}_0_conv")(before)
    else:
        shortcut = layers.MaxPooling2D(1, strides=strides)(x) if strides > 1 else x
    x = activated(layers.Conv2D(width, 1, use_bias=False, name=f"{name}_1_conv")(before), f"{name}_1")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = layers.Conv2D(width, 3, strides=strides, use_bias=False, name=f"{name}_2_conv")(x)
    x = layers.Conv2D(4 * width, 1, name=f"{name}_3_conv")(activated(x, f"{name}_2"))
    return layers.Add(name=f"{name}_out")([shortcut, x])
