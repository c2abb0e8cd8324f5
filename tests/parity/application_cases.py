"""Configurations of `keras.applications` that tests/applications compares with Keras, and weights by formula.

The smallest images that an architecture takes, ten classes, no trained weights. Every architecture once as
it stands; options once for each family. `OUTPUTS` are those whose outputs are compared as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SMALL: dict[int, str] = {  # by the smallest width of an image
    32: (
        "VGG16 VGG19 ResNet50 ResNet101 ResNet152 ResNet50V2 ResNet101V2 ResNet152V2 MobileNet MobileNetV2 "
        "MobileNetV3Small MobileNetV3Large DenseNet121 DenseNet169 DenseNet201 NASNetMobile NASNetLarge "
        "EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3 EfficientNetB4 EfficientNetB5 "
        "EfficientNetB6 EfficientNetB7 EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3 "
        "EfficientNetV2S EfficientNetV2M EfficientNetV2L ConvNeXtTiny ConvNeXtSmall ConvNeXtBase "
        "ConvNeXtLarge ConvNeXtXLarge"
    ),
    71: "Xception",
    75: "InceptionV3 InceptionResNetV2",
}
WIDTHS = {name: width for width, names in SMALL.items() for name in names.split()}

# One architecture of each family, each once without its top.
FAMILY_NAMES = (
    "VGG16 ResNet50 ResNet50V2 MobileNet MobileNetV2 MobileNetV3Small DenseNet121 NASNetMobile "
    "EfficientNetB0 EfficientNetV2B0 EfficientNetV2S ConvNeXtTiny Xception InceptionV3 InceptionResNetV2"
)
FAMILIES = FAMILY_NAMES.split()

# Options beside the defaults. `size` replaces the smallest width; None is an image of any size.
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("VGG16", {"include_top": False, "pooling": "max"}),
    ("VGG19", {"include_top": False, "pooling": "avg", "name": "mine"}),
    ("ResNet50", {"include_top": False, "pooling": "avg", "size": None}),
    ("ResNet50", {"include_top": False, "pooling": "max", "size": 47}),
    ("ResNet50V2", {"include_top": False, "pooling": "avg"}),
    ("MobileNet", {"alpha": 0.5, "depth_multiplier": 2, "dropout": 0.2}),
    ("MobileNet", {"alpha": 0.75, "include_top": False, "size": None}),
    ("MobileNetV2", {"alpha": 0.35}),
    ("MobileNetV2", {"alpha": 1.4, "include_top": False, "pooling": "avg", "size": 65}),
    ("MobileNetV3Small", {"alpha": 0.75, "include_preprocessing": False}),
    ("MobileNetV3Small", {"minimalistic": True, "dropout_rate": 0.0}),
    ("MobileNetV3Large", {"minimalistic": True, "include_top": False, "pooling": "avg"}),
    ("MobileNetV3Large", {"alpha": 1.25, "size": 97}),
    ("DenseNet121", {"include_top": False, "pooling": "max"}),
    ("NASNetMobile", {"include_top": False, "pooling": "avg", "size": 43}),
    ("EfficientNetB0", {"include_top": False, "pooling": "avg", "size": 75}),
    ("EfficientNetB2", {"include_top": False, "pooling": "max", "size": None}),
    ("EfficientNetV2B1", {"include_preprocessing": False, "include_top": False, "pooling": "avg"}),
    ("EfficientNetV2S", {"include_top": False, "pooling": "max", "size": 49}),
    ("ConvNeXtTiny", {"include_preprocessing": False, "include_top": False, "pooling": "avg"}),
    ("ConvNeXtTiny", {"classifier_activation": None, "size": 50}),
    ("Xception", {"include_top": False, "pooling": "avg"}),
    ("InceptionV3", {"include_top": False, "pooling": "avg", "size": 88}),
    ("InceptionResNetV2", {"include_top": False, "pooling": "max", "size": 88}),
    ("InceptionV3", {"classifier_activation": "sigmoid"}),
]

Case = tuple[str, dict[str, Any]]
CASES: list[Case] = (
    [(name, {}) for name in WIDTHS] + [(name, {"include_top": False}) for name in FAMILIES] + OPTIONS
)
OUTPUTS: list[Case] = [(name, {"classifier_activation": None}) for name in FAMILIES] + [
    ("MobileNetV3Large", {"minimalistic": True, "classifier_activation": None}),
    ("ResNet50", {"include_top": False, "pooling": "max", "size": 47}),
    ("MobileNetV2", {"alpha": 1.4, "include_top": False, "pooling": "avg", "size": 65}),
    ("EfficientNetV2S", {"include_top": False, "pooling": "max", "size": 49}),
    ("NASNetMobile", {"include_top": False, "pooling": "avg", "size": 43}),
]


def key_of(case: Case) -> str:
    """ResNet50(include_top=False, size=None)."""
    return f"{case[0]}({', '.join(f'{k}={v!r}' for k, v in case[1].items())})"


def arguments_of(case: Case) -> dict[str, Any]:
    """The arguments of the call."""
    options = dict(case[1])
    width = options.pop("size", WIDTHS[case[0]])
    top = {"classes": 10} if options.get("include_top", True) else {}
    return {"weights": None, "input_shape": (width, width, 3), **top, **options}


def noise(count: int, seed: int) -> np.ndarray:
    """Numbers in [-1, 1) that look random and are the same everywhere: a multiplicative hash of the index."""
    x = np.arange(count, dtype=np.uint32) + np.uint32(seed * 7919 + 1)
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        x = (x ^ (x >> np.uint32(15))) * np.uint32(factor)
    x ^= x >> np.uint32(16)
    return (x.astype("float64") / 2**31 - 1).astype("float32")


def weight(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A weight that keeps activations of a deep network near 1."""
    x = noise(int(np.prod(shape)), seed).reshape(shape)
    if "variance" in name:
        return 1 + 0.5 * x
    if name in ("gamma", "scale"):
        return 1 + 0.25 * x
    if "kernel" in name:
        summed = shape[:2] if "depthwise" in name else shape[:-1]
        return x * np.float32((4 / np.prod(summed)) ** 0.5)
    return 0.1 * x


def images(shape: tuple[int, ...]) -> np.ndarray:
    """Pixels from 0 to 255."""
    return 127.5 * (noise(int(np.prod(shape)), 1) + 1).reshape(shape)
