"""Sizes of images and factors that MobileNet and MobileNetV2 were trained with."""

from __future__ import annotations

import warnings
from typing import Any

from kcompile.applications.building import Options
from kcompile.config import image_data_format

DEFAULT = 224


def rows_of(shape: tuple[Any, ...]) -> int | None:
    return shape[0] if image_data_format() == "channels_last" else shape[1]


def size_of(options: Options, trained: tuple[int, ...]) -> int:
    """The size that the network has by default: that of the image, if it was trained with it."""
    shape = options.input_shape
    if shape is None or len(shape) != 3:
        return DEFAULT
    first, second = (shape[0], shape[1]) if image_data_format() == "channels_last" else (shape[1], shape[2])
    return first if first == second and first in trained else DEFAULT


def check_trained_size(
    shape: tuple[Any, ...], alpha: float, alphas: tuple[float, ...], sizes: tuple[int, ...]
) -> int:
    """The size of image whose trained weights fit: that of the image, or else 224 with a warning."""
    if alpha not in alphas:
        raise ValueError(
            f'With weights="imagenet", `alpha` can be one of {", ".join(map(str, alphas))} only. '
            f"Received: alpha={alpha}"
        )
    rows = rows_of(shape)
    if shape.count(rows) >= 2 and rows in sizes:
        return rows
    warnings.warn(
        f"`input_shape` is undefined or not square, or its size is not one of {sizes}. "
        f"Weights for input shape ({DEFAULT}, {DEFAULT}) will be loaded.",
        stacklevel=3,
    )
    return DEFAULT
