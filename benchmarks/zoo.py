"""The networks that are measured, as lists of layers."""

from __future__ import annotations

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
    MaxPool,
    Positions,
    Recurrent,
    Residual,
    SelfAttention,
    UpSample,
)

Layers = tuple[Layer, ...]


def mlp() -> Layers:
    """784-512-512-10 with dropout."""
    hidden = (Dense(512, "relu"), Dropout(0.2))
    return (*hidden, *hidden, Dense(10, "softmax"))


def cnn() -> Layers:
    """The convolutional network of Keras's MNIST example."""
    features = (Conv(32, 3, "relu"), Conv(64, 3, "relu"), MaxPool(2), Dropout(0.25), Flatten())
    return (*features, Dense(128, "relu"), Dropout(0.5), Dense(10, "softmax"))


def _conv(filters: int, kernel: int, stride: int = 1, activation: str | None = "relu") -> Layers:
    """A convolution with batch normalization and, where one is named, an activation behind it."""
    layers = (Conv(filters, kernel, stride=stride, same=True, bias=False), BatchNorm())
    return (*layers, Activation(activation)) if activation else layers


def resnet(depth: int, width: int = 16) -> Layers:
    """ResNet-20, -56, -110 for 32x32 images: He et al. 2016, section 4.2, with projections as shortcuts."""
    layers = [*_conv(width, 3)]
    for stage in range(3):
        for block in range((depth - 2) // 6):
            filters, stride = width << stage, 2 if stage and not block else 1
            branch = (*_conv(filters, 3, stride), *_conv(filters, 3, activation=None))
            shortcut = _conv(filters, 1, stride, None) if stride == 2 else ()
            layers += [Residual(branch, shortcut), Activation("relu")]
    return (*layers, GlobalAverage(), Dense(10, "softmax"))


def resnet50() -> Layers:
    """He et al. 2016, table 1; the stride is in the 3x3 convolution."""
    layers = [*_conv(64, 7, 2), MaxPool(3, 2, same=True)]
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            filters, stride = 64 << stage, 2 if stage and not block else 1
            branch = (*_conv(filters, 1), *_conv(filters, 3, stride), *_conv(4 * filters, 1, activation=None))
            shortcut = () if block else _conv(4 * filters, 1, stride, None)
            layers += [Residual(branch, shortcut), Activation("relu")]
    return (*layers, GlobalAverage(), Dense(1000, "softmax"))


def mobilenet(rows: tuple[tuple[int, int], ...] | None = None) -> Layers:
    """Howard et al. 2017, table 1, shortened for 32x32 images; rows: (filters, stride)."""
    rows = rows or ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))
    layers = [*_conv(32, 3)]
    for filters, stride in rows:
        layers += [Depthwise(3, stride), BatchNorm(), Activation("relu"), *_conv(filters, 1)]
    return (*layers, GlobalAverage(), Dense(10, "softmax"))


def mobilenet_v2() -> Layers:
    """Sandler et al. 2018, table 2."""
    rows = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    layers: list[Layer] = [*_conv(32, 3, 2, "relu6")]
    width = 32
    for growth, filters, count, first in rows:
        for stride in (first, *[1] * (count - 1)):
            wide = _conv(growth * width, 1, activation="relu6") if growth > 1 else ()
            depthwise = (Depthwise(3, stride), BatchNorm(), Activation("relu6"))
            block = (*wide, *depthwise, *_conv(filters, 1, activation=None))
            layers += [Residual(block)] if stride == 1 and filters == width else block
            width = filters
    return (*layers, *_conv(1280, 1, activation="relu6"), GlobalAverage(), Dense(1000, "softmax"))


def recurrent(kind: str, bidirectional: bool = False, units: int = 64, vocabulary: int = 10_000) -> Layers:
    """A sentence to one probability."""
    return (Embedding(vocabulary, 64), Recurrent(kind, units, bidirectional), Dense(1, "sigmoid"))


def transformer(width: int = 128, heads: int = 4, vocabulary: int = 1000, blocks: int = 2) -> Layers:
    """Pre-norm blocks that tell the next token."""
    attend = Residual((LayerNorm(), SelfAttention(heads)))
    think = Residual((LayerNorm(), Dense(4 * width, "gelu"), Dense(width)))
    body = (attend, think) * blocks
    return (Embedding(vocabulary, width), Positions(), *body, LayerNorm(), Dense(vocabulary, "softmax"))


def autoencoder() -> Layers:
    """28x28x1 to 7x7x64 and back, by a transposed convolution, then by repeated pixels and a convolution."""
    down = (Conv(32, 3, "relu", stride=2, same=True), Conv(64, 3, "relu", stride=2, same=True))
    up = (ConvTranspose(32, 4, 2, "relu"), UpSample(2), Conv(16, 3, "relu", same=True))
    return (*down, *up, Conv(1, 3, "sigmoid", same=True))


def tabular() -> Layers:
    """64-256-256-1 with batch normalization."""
    hidden = (Dense(256), BatchNorm(), Activation("relu"))
    return (*hidden, *hidden, Dense(1))
