"""EfficientNetV2 B0 to B3, S, M and L (Tan and Le, 2021, https://arxiv.org/abs/2104.00298)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kcompile import initializers, layers
from kcompile.applications import building
from kcompile.applications.building import IMAGENET_CLASSES, Options, published
from kcompile.applications.imagenet_utils import RGB_DEVIATION, RGB_MEAN, preprocessing
from kcompile.applications.imagenet_utils import decode_predictions as decode_predictions
from kcompile.applications.scaling import deeper
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
from kcompile.applications.trained import BASE, pair
from kcompile.core import public_names
from kcompile.models import Functional

SQUEEZE, MOMENTUM, DROPOUT = 0.25, 0.9, 0.2
# Fused?, repeats, channels, expansion and strides of each stage (table 4). The convolutions of a fused block
# are dense; all others are depthwise, with squeeze and excitation.
STAGES = {
    "b": (
        (True, 1, 16, 1, 1), (True, 2, 32, 4, 2), (True, 2, 48, 4, 2), (False, 3, 96, 4, 2),
        (False, 5, 112, 6, 1), (False, 8, 192, 6, 2),
    ),
    "s": (
        (True, 2, 24, 1, 1), (True, 4, 48, 4, 2), (True, 4, 64, 4, 2), (False, 6, 128, 4, 2),
        (False, 9, 160, 6, 1), (False, 15, 256, 6, 2),
    ),
    "m": (
        (True, 3, 24, 1, 1), (True, 5, 48, 4, 2), (True, 5, 80, 4, 2), (False, 7, 160, 4, 2),
        (False, 14, 176, 6, 1), (False, 18, 304, 6, 2), (False, 5, 512, 6, 1),
    ),
    "l": (
        (True, 4, 32, 1, 1), (True, 7, 64, 4, 2), (True, 7, 96, 4, 2), (False, 10, 192, 4, 2),
        (False, 19, 224, 6, 1), (False, 25, 384, 6, 2), (False, 7, 640, 6, 1),
    ),
}  # fmt: skip
STEMS = {"b": 32, "s": 24, "m": 24, "l": 32}


@dataclass(frozen=True)
class Variant:
    """kind: a key of `STAGES`. Factors of width and depth, size of images, hashes of the files."""

    kind: str
    width: float
    depth: float
    size: int
    digests: tuple[str, str]

    def widened(self, filters: int) -> int:
        return max(8, int(self.width * filters + 4) // 8 * 8)


def network(options: Options, ending: str, variant: Variant, preprocessing: bool) -> Functional:
    building.check(options)
    start = x = building.image(options, building.check_size(options, variant.size, 32))
    if preprocessing:
        x = prepared(x, variant)
    x = conv(x, variant.widened(STEMS[variant.kind]), 3, "stem_conv", strides=2)
    x = swish(normalized(x, "stem_bn", MOMENTUM), "stem_activation")
    stages = STAGES[variant.kind]
    total, number = sum(stage[1] for stage in stages), 0  # before they are deepened, as in Keras
    for stage, (fused, repeats, filters, expansion, strides) in enumerate(stages, 1):
        for k in range(deeper(repeats, variant.depth)):
            drop, prefix = DROP_PATHS * number / total, f"block{stage}{chr(ord('a') + k)}_"
            step = strides if k == 0 else 1
            make = fused_block if fused else block
            x = make(x, variant.widened(filters), step, expansion, drop, prefix)
            number += 1
    x = conv(x, variant.widened(TOP), 1, "top_conv")
    x = swish(normalized(x, "top_bn", MOMENTUM), "top_activation")
    x = ended(x, options, DROPOUT, bias_initializer=initializers.Constant(0.0))
    files = pair(f"efficientnetv2{ending}", "efficientnet_v2/", variant.digests, base=BASE)
    return building.finished(start, x, options, files)


def prepared(x: Any, variant: Variant) -> Any:
    """Pixels from 0..255 as the network was trained: B0 to B3 with ImageNet's mean and deviation."""
    if variant.kind != "b":
        return layers.Rescaling(scale=1 / 128, offset=-1)(x)
    x = layers.Rescaling(scale=1 / 255)(x)
    variance = [deviation**2 for deviation in RGB_DEVIATION]
    return layers.Normalization(mean=list(RGB_MEAN), variance=variance, axis=building.channel_axis())(x)


def block(x: Any, filters: int, strides: int, expansion: int, drop: float, prefix: str) -> Any:
    before, width = x, building.channels(x)
    x = conv(x, expansion * width, 1, f"{prefix}expand_conv")
    x = swish(normalized(x, f"{prefix}expand_bn", MOMENTUM), f"{prefix}expand_activation")
    x = depthwise(x, 3, strides, "same", f"{prefix}dwconv2")
    x = swish(normalized(x, f"{prefix}bn", MOMENTUM), f"{prefix}activation")
    x = excited(x, max(1, int(SQUEEZE * width)), prefix)
    x = normalized(conv(x, filters, 1, f"{prefix}project_conv"), f"{prefix}project_bn", MOMENTUM)
    return added(x, before, drop, prefix) if strides == 1 and width == filters else x


def fused_block(x: Any, filters: int, strides: int, expansion: int, drop: float, prefix: str) -> Any:
    before, width = x, building.channels(x)
    if expansion == 1:
        x = normalized(conv(x, filters, 3, f"{prefix}project_conv", strides), f"{prefix}project_bn", MOMENTUM)
        x = swish(x, f"{prefix}project_activation")
    else:
        x = conv(x, expansion * width, 3, f"{prefix}expand_conv", strides)
        x = swish(normalized(x, f"{prefix}expand_bn", MOMENTUM), f"{prefix}expand_activation")
        x = normalized(conv(x, filters, 1, f"{prefix}project_conv"), f"{prefix}project_bn", MOMENTUM)
    return added(x, before, drop, prefix) if strides == 1 and width == filters else x


def _of(letter: str, width: float, depth: float, size: int, *digests: str) -> Any:
    title = f"EfficientNetV2{letter}"
    ending = f"-{letter.lower()}"
    variant = Variant(letter[0].lower(), width, depth, size, (digests[0], digests[1]))

    def build(
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Any = None,
        pooling: str | None = None,
        classes: int = IMAGENET_CLASSES,
        classifier_activation: Any = "softmax",
        include_preprocessing: bool = True,
        name: str = f"efficientnetv2{ending}",
    ) -> Functional:
        options = Options(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
        )
        return network(options, ending, variant, include_preprocessing)

    about = (
        f"{title} (Tan and Le, 2021) for images of {variant.size} pixels.\n\n"
        "include_preprocessing: the model takes values from 0 to 255."
    )
    return published(build, title, about)


EfficientNetV2B0 = _of(
    "B0", 1.0, 1.0, 224, "21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff"
)
EfficientNetV2B1 = _of(
    "B1", 1.0, 1.1, 240, "069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37"
)
EfficientNetV2B2 = _of(
    "B2", 1.1, 1.2, 260, "424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb"
)
EfficientNetV2B3 = _of(
    "B3", 1.2, 1.4, 300, "1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856"
)
EfficientNetV2S = _of(
    "S", 1.0, 1.0, 384, "e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070"
)
EfficientNetV2M = _of(
    "M", 1.0, 1.0, 480, "a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342"
)
EfficientNetV2L = _of(
    "L", 1.0, 1.0, 480, "27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615"
)
preprocess_input = preprocessing(None)

__all__ = public_names.of(__name__)
