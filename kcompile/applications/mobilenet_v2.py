"""MobileNetV2 (Sandler et al., 2018, https://arxiv.org/abs/1801.04381): inverted residual blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kcompile import layers
from kcompile.applications import building
from kcompile.applications.building import IMAGENET_CLASSES, Options
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.imagenet_utils import preprocessing
from kcompile.applications.mobile import check_trained_size, rows_of, size_of
from kcompile.applications.scaling import divisible, halving_pad
from kcompile.applications.trained import download
from kcompile.core import public_names
from kcompile.models import Functional

# Channels, strides of the first block, and number of blocks of each stage; all but the first expand by 6.
STAGES = ((16, 1, 1), (24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1))
EXPANSION, LAST = 6, 1280
SIZES, ALPHAS = (96, 128, 160, 192, 224), (0.35, 0.50, 0.75, 1.0, 1.3, 1.4)


def MobileNetV2(
    input_shape: Any = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = IMAGENET_CLASSES,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Functional:
    """MobileNetV2 (Sandler et al., 2018).

    Args:    alpha: factor of all numbers of channels; trained weights are there for 0.35, 0.5, 0.75, 1, 1.3
             and 1.4. The rest is explained in `kcompile.applications`.
    """
    options = Options(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name or ""
    )
    building.check(options)
    shape = building.check_size(options, size_of(options, SIZES), 32)
    rows = rows_of(shape)
    if options.pretrained:
        rows = check_trained_size(shape, alpha, ALPHAS, SIZES)
    options.name = name or f"mobilenetv2_{alpha:0.2f}_{rows}"
    start = x = building.image(options, shape)
    x = layers.Conv2D(divisible(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1")(x)
    x = relu(normalized(x, "bn_Conv1"), "Conv1_relu")
    number = 0
    for filters, strides, count in STAGES:
        for k in range(count):
            x = block(x, divisible(int(filters * alpha)), strides if k == 0 else 1, number)
            number += 1
    last = divisible(LAST * alpha) if alpha > 1 else LAST
    x = layers.Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
    x = relu(normalized(x, "Conv_1_bn"), "out_relu")
    x = building.classified(x, options, None) if include_top else building.pooled(x, options)
    return building.finished(start, x, options, lambda o: _file(o, alpha, rows))


def normalized(x: Any, name: str) -> Any:
    axis = building.channel_axis(-1)
    return layers.BatchNormalization(axis=axis, epsilon=1e-3, momentum=0.999, name=name)(x)


def relu(x: Any, name: str) -> Any:
    return layers.ReLU(6.0, name=name)(x)


def block(x: Any, filters: int, strides: int, number: int) -> Any:
    """Expand, convolve each channel, project; the input is added where nothing changes its shape."""
    before, width = x, x.shape[building.channel_axis(-1)]
    prefix = f"block_{number}_" if number else "expanded_conv_"
    if number:
        x = layers.Conv2D(EXPANSION * width, 1, padding="same", use_bias=False, name=f"{prefix}expand")(x)
        x = relu(normalized(x, f"{prefix}expand_BN"), f"{prefix}expand_relu")
    if strides == 2:
        x = layers.ZeroPadding2D(halving_pad(x, 3), name=f"{prefix}pad")(x)
    padding = "same" if strides == 1 else "valid"
    x = layers.DepthwiseConv2D(
        3, strides=strides, padding=padding, use_bias=False, name=f"{prefix}depthwise"
    )(x)
    x = relu(normalized(x, f"{prefix}depthwise_BN"), f"{prefix}depthwise_relu")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{prefix}project")(x)
    x = normalized(x, f"{prefix}project_BN")
    return layers.Add(name=f"{prefix}add")([before, x]) if width == filters and strides == 1 else x


def _file(options: Options, alpha: float, rows: int | None) -> Path:
    """Keras publishes no hashes of these files."""
    ending = "" if options.include_top else "_no_top"
    stem = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{rows}"
    return download(f"{stem}{ending}.h5", "mobilenet_v2/")


preprocess_input = preprocessing("tf")

__all__ = public_names.of(__name__)
