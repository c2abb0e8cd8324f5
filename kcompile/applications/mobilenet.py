"""MobileNet (Howard et al., 2017, https://arxiv.org/abs/1704.04861): depthwise and pointwise convolutions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kcompile import layers
from kcompile.applications import building
from kcompile.applications.building import IMAGENET_CLASSES, Options
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.imagenet_utils import preprocessing
from kcompile.applications.mobile import check_trained_size, rows_of, size_of
from kcompile.applications.trained import download
from kcompile.core import public_names
from kcompile.models import Functional

# Channels and strides of each pair of convolutions.
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
ALPHAS, TEXTS = (0.25, 0.5, 0.75, 1.0), {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}


def MobileNet(
    input_shape: Any = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 1e-3,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = IMAGENET_CLASSES,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Functional:
    """MobileNet (Howard et al., 2017).

    Args:    alpha: factor of all numbers of channels; trained weights are there for 0.25, 0.5, 0.75 and 1.
             depth_multiplier: outputs of a depthwise convolution for each channel. dropout: rate before the
             last layer. The rest is explained in `kcompile.applications`.
    """
    options = Options(
        include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name or ""
    )
    building.check(options)
    shape = building.check_size(options, size_of(options, (128, 160, 192, 224)), 32)
    rows = rows_of(shape)
    if options.pretrained:
        if depth_multiplier != 1:
            raise ValueError(
                'With weights="imagenet", `depth_multiplier` must be 1. '
                f"Received: depth_multiplier={depth_multiplier}"
            )
        rows = check_trained_size(shape, alpha, ALPHAS, (128, 160, 192, 224))
    options.name = name or f"mobilenet_{alpha:0.2f}_{rows}"
    start = x = building.image(options, shape)
    x = layers.Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1")(x)
    x = activated(x, "conv1")
    for k, (filters, strides) in enumerate(BLOCKS, 1):
        x = block(x, int(filters * alpha), strides, depth_multiplier, k)
    x = top(x, options, dropout) if include_top else building.pooled(x, options)
    return building.finished(start, x, options, lambda o: _file(o, alpha, rows))


def activated(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(axis=building.channel_axis(-1), name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def block(x: Any, filters: int, strides: int, multiplier: int, k: int) -> Any:
    if strides != 1:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{k}")(x)
    x = layers.DepthwiseConv2D(
        3,
        strides=strides,
        padding="same" if strides == 1 else "valid",
        depth_multiplier=multiplier,
        use_bias=False,
        name=f"conv_dw_{k}",
    )(x)
    x = activated(x, f"conv_dw_{k}")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{k}")(x)
    return activated(x, f"conv_pw_{k}")


def top(x: Any, options: Options, dropout: float) -> Any:
    """The dense layer is a 1x1 convolution here."""
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(options.classes, 1, padding="same", name="conv_preds")(x)
    x = layers.Reshape((options.classes,), name="reshape_2")(x)
    return layers.Activation(building.check_classifier(options), name="predictions")(x)


def _file(options: Options, alpha: float, rows: int | None) -> Path:
    """Keras publishes no hashes of these files."""
    ending = "" if options.include_top else "_no_top"
    return download(f"mobilenet_{TEXTS[alpha]}_{rows}_tf{ending}.h5", "mobilenet/")


preprocess_input = preprocessing("tf")

__all__ = public_names.of(__name__)
