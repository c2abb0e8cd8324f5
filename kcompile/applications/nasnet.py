"""NASNet, mobile and large (Zoph et al., 2018, https://arxiv.org/abs/1707.07012): cells found by a search."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kcompile import layers
from kcompile.applications import building
from kcompile.applications.building import IMAGENET_CLASSES, Options, published
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.imagenet_utils import preprocessing
from kcompile.applications.scaling import halving_pad, spatial
from kcompile.applications.trained import download
from kcompile.core import public_names
from kcompile.models import Functional
from kcompile.trace.variable import name_scope

FACTOR = 2  # channels double where the size is halved


@dataclass(frozen=True)
class Variant:
    """Size of images, channels at the end and at the beginning, normal cells between reductions.

    skips: whether a cell after a reduction sees what was two cells before, rather than the last one.
    """

    size: int
    last: int
    first: int
    cells: int
    skips: bool
    digests: tuple[str, str]


def network(options: Options, kind: str, variant: Variant) -> Functional:
    building.check(options)
    start = x = building.image(options, building.check_size(options, variant.size, 32, flat=True))
    filters = variant.last // 24
    x = layers.Conv2D(
        variant.first, 3, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem_conv1"
    )(x)
    x = normalized(x, "stem_bn1")
    x, before = reduction(x, None, filters // FACTOR**2, "stem_1")
    x, before = reduction(x, before, filters // FACTOR, "stem_2")
    for stage in range(3):
        width, number = filters * FACTOR**stage, variant.cells * stage
        if stage > 0:
            x, latest = reduction(x, before, width, f"reduce_{number}")
            before = before if variant.skips else latest
        for k in range(variant.cells):
            x, before = normal(x, before, width, str(number + k + (stage > 0)))
    x = layers.Activation("relu")(x)
    x = building.classified(x, options, None) if options.include_top else building.pooled(x, options)
    return building.finished(start, x, options, lambda o: _file(o, kind, variant))


def normalized(x: Any, name: str) -> Any:
    axis = building.channel_axis(-1)
    return layers.BatchNormalization(axis=axis, momentum=0.9997, epsilon=1e-3, name=name)(x)


def pointwise(x: Any, filters: int, name: str) -> Any:
    return layers.Conv2D(
        filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)


def separable(x: Any, filters: int, kernel: int, name: str, strides: int = 1) -> Any:
    """Two separable convolutions, each with a relu before and a normalization after it."""
    with name_scope(f"separable_conv_block_{name}"):
        for k in (1, 2):
            padding, step = "same", strides if k == 1 else 1
            x = layers.Activation("relu")(x)
            if step == 2:
                x = layers.ZeroPadding2D(halving_pad(x, kernel), name=f"separable_conv_1_pad_{name}")(x)
                padding = "valid"
            x = layers.SeparableConv2D(
                filters,
                kernel,
                strides=step,
                padding=padding,
                use_bias=False,
                name=f"separable_conv_{k}_{name}",
            )(x)
            x = normalized(x, f"separable_conv_{k}_bn_{name}")
    return x


def adjusted(before: Any, x: Any, filters: int, name: str) -> Any:
    """The output of the cell before the last, in the size and with the channels of this cell."""
    if before is None:
        return x
    axis = building.channel_axis(-1)
    with name_scope("adjust_block"):
        if spatial(before)[0] != spatial(x)[0]:
            with name_scope(f"adjust_reduction_block_{name}"):
                return factorized(before, filters, name)
        if before.shape[axis] != filters:
            with name_scope(f"adjust_projection_block_{name}"):
                before = layers.Activation("relu")(before)
                before = pointwise(before, filters, f"adjust_conv_projection_{name}")
                return normalized(before, f"adjust_bn_{name}")
    return before


def factorized(x: Any, filters: int, name: str) -> Any:
    """Half of the size: every second pixel, beside every second pixel one step to the right and below."""
    x = layers.Activation("relu", name=f"adjust_relu_1_{name}")(x)
    moved = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    moved = layers.Cropping2D(((1, 0), (1, 0)))(moved)
    halves = []
    for k, part in enumerate((x, moved), 1):
        part = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_{k}_{name}")(part)
        halves.append(pointwise(part, filters // 2, f"adjust_conv_{k}_{name}"))
    x = layers.Concatenate(axis=building.channel_axis(-1))(halves)
    return normalized(x, f"adjust_bn_{name}")


def normal(x: Any, before: Any, filters: int, name: str) -> tuple[Any, Any]:
    """A cell that keeps the size (figure 4, left). Returns its output and its input."""
    with name_scope(f"normal_A_block_{name}"):
        p = adjusted(before, x, filters, name)
        h = layers.Activation("relu")(x)
        h = normalized(pointwise(h, filters, f"normal_conv_1_{name}"), f"normal_bn_1_{name}")
        with name_scope("block_1"):
            left = separable(h, filters, 5, f"normal_left1_{name}")
            right = separable(p, filters, 3, f"normal_right1_{name}")
            a = layers.Add(name=f"normal_add_1_{name}")([left, right])
        with name_scope("block_2"):
            left = separable(p, filters, 5, f"normal_left2_{name}")
            right = separable(p, filters, 3, f"normal_right2_{name}")
            b = layers.Add(name=f"normal_add_2_{name}")([left, right])
        c = layers.Add(name=f"normal_add_3_{name}")([averaged(h, f"normal_left3_{name}"), p])
        pools = [averaged(p, f"normal_{side}4_{name}") for side in ("left", "right")]
        d = layers.Add(name=f"normal_add_4_{name}")(pools)
        with name_scope("block_5"):
            left = separable(h, filters, 3, f"normal_left5_{name}")
            e = layers.Add(name=f"normal_add_5_{name}")([left, h])
        axis = building.channel_axis(-1)
        return layers.Concatenate(axis=axis, name=f"normal_concat_{name}")([p, a, b, c, d, e]), x


def averaged(x: Any, name: str) -> Any:
    return layers.AveragePooling2D(3, strides=1, padding="same", name=name)(x)


def reduction(x: Any, before: Any, filters: int, name: str) -> tuple[Any, Any]:
    """A cell that halves the size (figure 4, right). Returns its output and its input."""
    with name_scope(f"reduction_A_block_{name}"):
        p = adjusted(before, x, filters, name)
        h = layers.Activation("relu")(x)
        h = normalized(pointwise(h, filters, f"reduction_conv_1_{name}"), f"reduction_bn_1_{name}")
        padded = layers.ZeroPadding2D(halving_pad(h, 3), name=f"reduction_pad_1_{name}")(h)
        with name_scope("block_1"):
            left = separable(h, filters, 5, f"reduction_left1_{name}", 2)
            right = separable(p, filters, 7, f"reduction_right1_{name}", 2)
            a = layers.Add(name=f"reduction_add_1_{name}")([left, right])
        with name_scope("block_2"):
            left = layers.MaxPooling2D(3, strides=2, name=f"reduction_left2_{name}")(padded)
            right = separable(p, filters, 7, f"reduction_right2_{name}", 2)
            b = layers.Add(name=f"reduction_add_2_{name}")([left, right])
        with name_scope("block_3"):
            left = layers.AveragePooling2D(3, strides=2, name=f"reduction_left3_{name}")(padded)
            right = separable(p, filters, 5, f"reduction_right3_{name}", 2)
            c = layers.Add(name=f"reduction_add3_{name}")([left, right])
        d = layers.Add()([b, averaged(a, f"reduction_left4_{name}")])
        with name_scope("block_5"):
            left = separable(a, filters, 3, f"reduction_left4_{name}")
            right = layers.MaxPooling2D(3, strides=2, name=f"reduction_right5_{name}")(padded)
            e = layers.Add(name=f"reduction_add4_{name}")([left, right])
        axis = building.channel_axis(-1)
        return layers.Concatenate(axis=axis, name=f"reduction_concat_{name}")([b, c, d, e]), x


def _file(options: Options, kind: str, variant: Variant) -> Path:
    web, cached, digest = ("", "", 0) if options.include_top else ("-no-top", "_no_top", 1)
    file, name = f"NASNet-{kind}{web}.h5", f"nasnet_{kind}{cached}.h5"
    return download(file, "nasnet/", variant.digests[digest], cached=name)


def _of(kind: str, variant: Variant) -> Any:
    def build(
        input_shape: Any = None,
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        pooling: str | None = None,
        classes: int = IMAGENET_CLASSES,
        classifier_activation: Any = "softmax",
        name: str = f"nasnet_{kind}",
    ) -> Functional:
        options = Options(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        )
        return network(options, kind, variant)

    about = f"NASNet, {kind} (Zoph et al., 2018), for images of {variant.size} pixels."
    return published(build, f"NASNet{kind.title()}", about)


NASNetMobile = _of(
    "mobile",
    Variant(
        224, 1056, 32, 4, False, ("020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63")
    ),
)
NASNetLarge = _of(
    "large",
    Variant(331, 4032, 96, 6, True, ("11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5")),
)
preprocess_input = preprocessing("tf")

__all__ = public_names.of(__name__)
