"""Numbers of channels and sizes that follow from a factor or an image."""

from __future__ import annotations

import math
from typing import Any

from kcompile.config import image_data_format


def divisible(value: float, divisor: int = 8, least: int | None = None) -> int:
    """The nearest multiple of the divisor that is not more than a tenth below the value.

    >>> divisible(33.6), divisible(11.2), divisible(92)
    (32, 16, 96)
    """
    rounded = max(least or divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def deeper(repeats: int, factor: float) -> int:
    return math.ceil(factor * repeats)


def spatial(x: Any) -> tuple[int | None, int | None]:
    """Height and width of a batch of images, None where unknown."""
    return tuple(x.shape[2:4]) if image_data_format() == "channels_first" else tuple(x.shape[1:3])


def halving_pad(x: Any, kernel: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Zeros around x so that a convolution with strides 2 and padding "valid" sees what "same" would let it.

    An even size gets one row less in front; an unknown size counts as odd in front, as in Keras.
    """
    half = kernel // 2
    sizes = spatial(x)
    known = sizes if sizes[0] is not None else (0, 0)
    rows, columns = ((half - (1 - (size or 0) % 2), half) for size in known)
    return rows, columns
