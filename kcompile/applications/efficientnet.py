"""EfficientNetB0 to B7 (Tan and Le, 2019, https://arxiv.org/abs/1905.11946)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kcompile import layers
from kcompile.applications import building
from kcompile.applications.building import Options, standard
from kcompile.applications.imagenet_utils import RGB_DEVIATION, preprocessing
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.scaling import deeper, divisible, halving_pad
from kcompile.applications.squeezing import (
    DROP_PATHS,
    TOP,
    added,
    conv,
    depthwise,
    ended,
    excited,
    normalized,
    swish,
)
from kcompile.applications.trained import pair
from kcompile.core import public_names
from kcompile.models import Functional

# Kernel, repeats, channels, expansion and strides of each stage of B0 (table 1).
STAGES = (
    (3, 1, 16, 1, 1), (3, 2, 24, 6, 2), (5, 2, 40, 6, 2), (3, 3, 80, 6, 2), (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2), (3, 1, 320, 6, 1),
)  # fmt: skip
STEM, SQUEEZE = 32, 0.25
BASE = "https://storage.googleapis.com/keras-applications/"


@dataclass(frozen=True)
class Variant:
    """Factors of width and depth, size of images, rate of the dropout at the end, hashes of the files."""

    width: float
    depth: float
    size: int
    dropout: float
    digests: tuple[str, str]


def network(options: Options, letter: str, variant: Variant) -> Functional:
    building.check(options)
    start = x = building.image(options, building.check_size(options, variant.size, 32))
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Normalization(axis=building.channel_axis())(x)
    if options.pretrained:  # the trained networks had their deviations taken off once more
        x = layers.Rescaling([1 / deviation**0.5 for deviation in RGB_DEVIATION])(x)
    x = layers.ZeroPadding2D(halving_pad(x, 3), name="stem_conv_pad")(x)
    x = conv(x, divisible(STEM * variant.width), 3, "stem_conv", strides=2, padding="valid")
    x = swish(normalized(x, "stem_bn"), "stem_activation")
    total, number = sum(deeper(stage[1], variant.depth) for stage in STAGES), 0
    for stage, (kernel, repeats, filters, expansion, strides) in enumerate(STAGES, 1):
        for k in range(deeper(repeats, variant.depth)):
            drop, prefix = DROP_PATHS * number / total, f"block{stage}{chr(ord('a') + k)}_"
            wide = divisible(filters * variant.width)
            x = block(x, wide, kernel, strides if k == 0 else 1, expansion, drop, prefix)
            number += 1
    x = conv(x, divisible(TOP * variant.width), 1, "top_conv")
    x = swish(normalized(x, "top_bn"), "top_activation")
    x = ended(x, options, variant.dropout)
    return building.finished(start, x, options, pair(f"efficientnet{letter}", "", variant.digests, base=BASE))


def block(x: Any, filters: int, kernel: int, strides: int, expansion: int, drop: float, prefix: str) -> Any:
    before, width = x, building.channels(x)
    if expansion != 1:
        x = conv(x, expansion * width, 1, f"{prefix}expand_conv")
        x = swish(normalized(x, f"{prefix}expand_bn"), f"{prefix}expand_activation")
    if strides == 2:
        x = layers.ZeroPadding2D(halving_pad(x, kernel), name=f"{prefix}dwconv_pad")(x)
    x = depthwise(x, kernel, strides, "valid" if strides == 2 else "same", f"{prefix}dwconv")
    x = swish(normalized(x, f"{prefix}bn"), f"{prefix}activation")
    x = excited(x, max(1, int(SQUEEZE * width)), prefix)
    x = normalized(conv(x, filters, 1, f"{prefix}project_conv"), f"{prefix}project_bn")
    return added(x, before, drop, prefix) if strides == 1 and width == filters else x


def _of(letter: str, width: float, depth: float, size: int, dropout: float, *digests: str) -> Any:
    variant = Variant(width, depth, size, dropout, (digests[0], digests[1]))
    return standard(
        f"EfficientNet{letter}",
        f"efficientnet{letter.lower()}",
        lambda options: network(options, letter.lower(), variant),
        f"EfficientNet{letter} (Tan and Le, 2019) for images of {variant.size} pixels with values 0 to 255.",
    )


EfficientNetB0 = _of(
    "B0", 1.0, 1.0, 224, 0.2, "902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d"
)
EfficientNetB1 = _of(
    "B1", 1.0, 1.1, 240, 0.2, "1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432"
)
EfficientNetB2 = _of(
    "B2", 1.1, 1.2, 260, 0.3, "b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39"
)
EfficientNetB3 = _of(
    "B3", 1.2, 1.4, 300, 0.3, "ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226"
)
EfficientNetB4 = _of(
    "B4", 1.4, 1.8, 380, 0.4, "18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba"
)
EfficientNetB5 = _of(
    "B5", 1.6, 2.2, 456, 0.4, "ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f"
)
EfficientNetB6 = _of(
    "B6", 1.8, 2.6, 528, 0.5, "165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743"
)
EfficientNetB7 = _of(
    "B7", 2.0, 3.1, 600, 0.5, "8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a"
)
preprocess_input = preprocessing(None)

__all__ = public_names.of(__name__)
