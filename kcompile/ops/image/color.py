"""Colours: RGB to grey and to hue, saturation, value, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile.core import dtypes
from kcompile.core.symbolic import Int
from kcompile.ops import elementwise as ew
from kcompile.ops import joining, movement
from kcompile.ops.image import layout

LUMA = (0.2989, 0.5870, 0.1140)


def _planes(images: Any, data_format: str | None, allowed: tuple[int, ...]) -> tuple[list[Any], int]:
    """The channels of images, each without its dimension, and the axis that they lay along."""
    axis = layout.channel_axis(data_format)
    channels = images.shape[axis]
    if isinstance(channels, Int) or channels not in allowed:
        known = {(1, 3): "3 (RGB) or 1 (Grayscale)", (3,): "3"}[allowed]
        raise ValueError(
            f"Invalid channel size: expected {known}. Received input with shape: images.shape={images.shape}"
        )
    at = axis % len(images.shape)
    lead = (slice(None),) * at
    return [images[(*lead, k)] for k in range(channels)], at


def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Any:
    """Brightness of RGB images, one channel; grey images are left as they are.

    Shapes:  (h, w, 3) or (n, h, w, 3) -> (..., 1), channels first with that data_format. Ints are truncated.

    >>> import numpy as np
    >>> rgb_to_grayscale(np.ones((1, 1, 3), "uint8") * 200).tolist()
    [[[199]]]
    """
    x = ew.as_tensor(images)
    layout.check_rank(x)
    planes, axis = _planes(x, data_format, (1, 3))
    if len(planes) == 1:
        return x
    own = dtypes.standardize(x.dtype)
    planes = [ew.as_tensor(movement.expand_dims(p, axis), ew.float_of(own)) for p in planes]
    total = ew.multiply(planes[0], LUMA[0])
    for plane, share in zip(planes[1:], LUMA[1:], strict=True):
        total = ew.add(total, ew.multiply(plane, share))
    return ew.cast(total, own)


def _floats(images: Any) -> Any:
    x = ew.as_tensor(images)
    layout.check_rank(x)
    dtype = dtypes.standardize(x.dtype)
    if not dtypes.is_float(dtype):
        raise ValueError(f"Invalid images dtype: expected float dtype. Received: images.dtype={dtype}")
    return x


def _by_planes(images: Any, data_format: str | None, function: Callable[..., tuple[Any, ...]]) -> Any:
    planes, axis = _planes(images, data_format, (3,))
    return joining.stack(list(function(*planes)), axis=axis)


def rgb_to_hsv(images: Any, data_format: str | None = None) -> Any:
    """RGB in [0, 1] as hue, saturation and value, each in [0, 1].

    Shapes:  (h, w, 3) or (n, h, w, 3) -> the same, channels first with that data_format.
    Raises:  ValueError for integers or another number of channels.
    Source:  A. R. Smith, "Color Gamut Transform Pairs", SIGGRAPH 1978.

    >>> import numpy as np
    >>> rgb_to_hsv(np.array([[[0.0, 1.0, 0.0]]])).round(3).tolist()
    [[[0.333, 1.0, 1.0]]]
    """
    x = _floats(images)
    least = dtypes.spacing(dtypes.standardize(x.dtype))
    x = ew.where(ew.less(ew.absolute(x), least), 0.0, x)
    return _by_planes(x, data_format, _hsv)


def _hsv(r: Any, g: Any, b: Any) -> tuple[Any, Any, Any]:
    value = ew.maximum(ew.maximum(r, g), b)
    span = ew.subtract(value, ew.minimum(ew.minimum(r, g), b))
    bright, coloured = ew.greater(value, 0.0), ew.greater(span, 0.0)
    saturation = ew.where(bright, ew.true_divide(span, ew.where(bright, value, 1.0)), 0.0)
    sixth = ew.true_divide(1.0, ew.multiply(ew.where(coloured, span, 1.0), 6.0))
    green = ew.add(ew.multiply(sixth, ew.subtract(b, r)), 2.0 / 6.0)
    blue = ew.add(ew.multiply(sixth, ew.subtract(r, g)), 4.0 / 6.0)
    hue = ew.where(ew.equal(value, g), green, blue)
    hue = ew.where(ew.equal(value, r), ew.multiply(sixth, ew.subtract(g, b)), hue)
    around = ew.cast(ew.less(hue, 0.0), dtypes.standardize(hue.dtype))
    return ew.add(ew.where(coloured, hue, 0.0), around), saturation, value


def hsv_to_rgb(images: Any, data_format: str | None = None) -> Any:
    """Hue, saturation and value in [0, 1] as RGB; the hue goes round.

    Shapes:  (h, w, 3) or (n, h, w, 3) -> the same, channels first with that data_format.
    Raises:  ValueError for integers or another number of channels.

    >>> import numpy as np
    >>> hsv_to_rgb(np.array([[[0.5, 1.0, 1.0]]])).tolist()
    [[[0.0, 1.0, 1.0]]]
    """
    return _by_planes(_floats(images), data_format, _rgb)


def _rgb(hue: Any, saturation: Any, value: Any) -> tuple[Any, Any, Any]:
    turn = ew.multiply(ew.mod(hue, 1.0), 6.0)

    def bounded(x: Any) -> Any:
        return ew.minimum(ew.maximum(x, 0.0), 1.0)

    shares = (
        bounded(ew.subtract(ew.absolute(ew.subtract(turn, 3.0)), 1.0)),
        bounded(ew.subtract(2.0, ew.absolute(ew.subtract(turn, 2.0)))),
        bounded(ew.subtract(2.0, ew.absolute(ew.subtract(turn, 4.0)))),
    )
    grey = ew.subtract(1.0, saturation)
    return tuple(ew.multiply(value, ew.add(grey, ew.multiply(saturation, share))) for share in shares)
