"""MobileNetV3, small and large (Howard et al., 2019, https://arxiv.org/abs/1905.02244)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kcompile import layers
from kcompile.applications import building
from kcompile.applications.building import IMAGENET_CLASSES, Options, published
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.imagenet_utils import preprocessing
from kcompile.applications.scaling import divisible, halving_pad
from kcompile.applications.trained import download
from kcompile.core import public_names
from kcompile.models import Functional

# Expansion, channels, kernel, strides, squeeze and excitation?, hard swish? of each block (tables 1 and 2).
SMALL = (
    (1, 16, 3, 2, True, False), (72 / 16, 24, 3, 2, False, False), (88 / 24, 24, 3, 1, False, False),
    (4, 40, 5, 2, True, True), (6, 40, 5, 1, True, True), (6, 40, 5, 1, True, True),
    (3, 48, 5, 1, True, True), (3, 48, 5, 1, True, True), (6, 96, 5, 2, True, True),
    (6, 96, 5, 1, True, True), (6, 96, 5, 1, True, True),
)  # fmt: skip
LARGE = (
    (1, 16, 3, 1, False, False), (4, 24, 3, 2, False, False), (3, 24, 3, 1, False, False),
    (3, 40, 5, 2, True, False), (3, 40, 5, 1, True, False), (3, 40, 5, 1, True, False),
    (6, 80, 3, 2, False, True), (2.5, 80, 3, 1, False, True), (2.3, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True), (6, 112, 3, 1, True, True), (6, 112, 3, 1, True, True),
    (6, 160, 5, 2, True, True), (6, 160, 5, 1, True, True), (6, 160, 5, 1, True, True),
)  # fmt: skip
SQUEEZE = 0.25
FILES = {
    "large_224_0.75_float": ("765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    "large_224_1.0_float": ("59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    "large_minimalistic_224_1.0_float": (
        "675e7b876c45c57e9e63e6d90a36599c",
        "ec5221f64a2f6d1ef965a614bdae7973",
    ),
    "small_224_0.75_float": ("cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    "small_224_1.0_float": ("8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    "small_minimalistic_224_1.0_float": (
        "99cd97fb2fcdad2bf028eb838de69e37",
        "cde8136e733e811080d9fcd8a252f7e4",
    ),
}


@dataclass(frozen=True)
class Variant:
    """kind: "small" or "large". plain: without 5x5 kernels, hard swish, and squeeze and excitation."""

    kind: str
    blocks: tuple[tuple[Any, ...], ...]
    last: int
    alpha: float
    plain: bool

    @property
    def file(self) -> str:
        return f"{self.kind}{'_minimalistic' if self.plain else ''}_224_{self.alpha}_float"


def network(options: Options, variant: Variant, dropout: float, preprocessing: bool) -> Functional:
    building.check(options)
    start = x = building.image(options, building.check_size(options, 224, 32))
    _check_trained(options, variant)
    if preprocessing:
        x = layers.Rescaling(scale=1 / 127.5, offset=-1.0)(x)
    swish = not variant.plain
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
    x = activated(normalized(x, "conv_bn"), swish)
    for k, (expansion, filters, kernel, strides, squeeze, hard) in enumerate(variant.blocks):
        wide = divisible(expansion * x.shape[building.channel_axis(-1)])
        filters = divisible(filters * variant.alpha)
        if variant.plain:
            kernel, squeeze, hard = 3, False, False
        x = block(x, wide, filters, kernel, strides, squeeze, hard, k)
    wide = divisible(6 * x.shape[building.channel_axis(-1)])
    last = divisible(variant.last * variant.alpha) if variant.alpha > 1 else variant.last
    x = layers.Conv2D(wide, 1, padding="same", use_bias=False, name="conv_1")(x)
    x = activated(normalized(x, "conv_1_bn"), swish)
    if options.include_top:
        x = top(x, options, last, swish, dropout)
    else:
        x = building.pooled(x, options, "avg_pool", "max_pool")
    return building.finished(start, x, options, lambda o: _file(o, variant))


def normalized(x: Any, name: str) -> Any:
    axis = building.channel_axis(-1)
    return layers.BatchNormalization(axis=axis, epsilon=1e-3, momentum=0.999, name=name)(x)


def activated(x: Any, swish: bool) -> Any:
    return layers.Activation("hard_swish")(x) if swish else layers.ReLU()(x)


def block(
    x: Any, wide: int, filters: int, kernel: int, strides: int, squeeze: bool, hard: bool, number: int
) -> Any:
    before, prefix = x, f"expanded_conv_{number}_" if number else "expanded_conv_"
    if number:
        x = layers.Conv2D(wide, 1, padding="same", use_bias=False, name=f"{prefix}expand")(x)
        x = activated(normalized(x, f"{prefix}expand_bn"), hard)
    if strides == 2:
        x = layers.ZeroPadding2D(halving_pad(x, kernel), name=f"{prefix}depthwise_pad")(x)
    padding = "same" if strides == 1 else "valid"
    x = layers.DepthwiseConv2D(
        kernel, strides=strides, padding=padding, use_bias=False, name=f"{prefix}depthwise"
    )(x)
    x = activated(normalized(x, f"{prefix}depthwise_bn"), hard)
    if squeeze:
        x = excited(x, f"{prefix}squeeze_excite_")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{prefix}project")(x)
    x = normalized(x, f"{prefix}project_bn")
    same = strides == 1 and before.shape[building.channel_axis(-1)] == filters
    return layers.Add(name=f"{prefix}add")([before, x]) if same else x


def excited(x: Any, prefix: str) -> Any:
    """Channels weighted by what is in the whole image (Hu et al., 2018), with a hard sigmoid."""
    wide = x.shape[building.channel_axis(-1)]
    y = layers.GlobalAveragePooling2D(keepdims=True, name=f"{prefix}avg_pool")(x)
    y = layers.Conv2D(divisible(SQUEEZE * wide), 1, padding="same", name=f"{prefix}conv")(y)
    y = layers.ReLU(name=f"{prefix}relu")(y)
    y = layers.Conv2D(wide, 1, padding="same", name=f"{prefix}conv_1")(y)
    y = layers.ReLU(6.0)(y + 3.0) * (1 / 6)
    return layers.Multiply(name=f"{prefix}mul")([x, y])


def top(x: Any, options: Options, last: int, swish: bool, dropout: float) -> Any:
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(last, 1, padding="same", name="conv_2")(x)
    x = activated(x, swish)
    if dropout > 0:
        x = layers.Dropout(dropout)(x)
    x = layers.Conv2D(options.classes, 1, padding="same", name="logits")(x)
    x = layers.Flatten()(x)
    return layers.Activation(building.check_classifier(options), name="predictions")(x)


def _check_trained(options: Options, variant: Variant) -> None:
    if options.pretrained and variant.file not in FILES:
        raise ValueError(
            'With weights="imagenet", `alpha` can be 0.75 or 1.0, and with minimalistic=True 1.0 only. '
            f"Received: alpha={variant.alpha}, minimalistic={variant.plain}"
        )


def _file(options: Options, variant: Variant) -> Path:
    ending, digest = ("", 0) if options.include_top else ("_no_top_v2", 1)
    name = f"weights_mobilenet_v3_{variant.file}{ending}.h5"
    return download(name, "mobilenet_v3/", FILES[variant.file][digest])


def _of(kind: str, blocks: tuple[tuple[Any, ...], ...], last: int) -> Any:
    title = f"MobileNetV3{kind.title()}"

    def build(
        input_shape: Any = None,
        alpha: float = 1.0,
        minimalistic: bool = False,
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        classes: int = IMAGENET_CLASSES,
        pooling: str | None = None,
        dropout_rate: float = 0.2,
        classifier_activation: Any = "softmax",
        include_preprocessing: bool = True,
        name: str = title,
    ) -> Functional:
        options = Options(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        )
        variant = Variant(kind, blocks, last, alpha, minimalistic)
        return network(options, variant, dropout_rate, include_preprocessing)

    about = (
        f"MobileNetV3, {kind} (Howard et al., 2019).\n\nalpha is a factor of all numbers of channels; "
        "minimalistic leaves out 5x5 kernels, hard swish, and squeeze and excitation;\n"
        "include_preprocessing scales images from 0..255 to -1..1."
    )
    return published(build, title, about)


MobileNetV3Small = _of("small", SMALL, 1024)
MobileNetV3Large = _of("large", LARGE, 1280)
preprocess_input = preprocessing(None)

__all__ = public_names.of(__name__)
