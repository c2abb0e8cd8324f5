"""Smooth random displacement of pixels."""

from __future__ import annotations

from typing import Any

from kcompile.core import dtypes
from kcompile.ops import elementwise as ew
from kcompile.ops import movement
from kcompile.ops import random as draws
from kcompile.ops.image import filters, layout, sampling


def elastic_transform(
    images: Any,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> Any:
    """Images whose pixels come from random places nearby, which change smoothly over the image.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same, channels first with that data_format.
    Args:    alpha: how far. sigma: how smooth, in pixels. interpolation: "bilinear" or "nearest".
             fill_mode: what lies outside, as in `map_coordinates`. seed: an int, a SeedGenerator or None.
    Source:  P. Simard et al., "Best Practices for Convolutional Neural Networks", 2003.

    >>> import numpy as np
    >>> elastic_transform(np.ones((4, 4, 1)), seed=1).round(3).min().item()
    1.0
    """
    from kcompile.random import draw_seed

    size = int(6 * float(sigma)) | 1
    return with_key(
        draw_seed(seed), images, alpha, sigma, size, interpolation, fill_mode, fill_value, data_format
    )


def with_key(
    key: Any,
    images: Any,
    alpha: Any,
    sigma: Any,
    size: int,
    interpolation: str,
    fill_mode: str,
    fill_value: float,
    data_format: str | None,
) -> Any:
    """As `elastic_transform`, where alpha and sigma may be traced; no window is larger than `size`."""
    layout.one_of("interpolation", interpolation, tuple(sampling.ORDERS))
    layout.one_of("fill_mode", fill_mode, sampling.FILL_MODES)
    x, restore = layout.channels_last("elastic_transform", images, data_format)
    dtype = ew.float_of(dtypes.standardize(x.dtype))
    sigma, alpha = ew.as_tensor(sigma, dtype), ew.as_tensor(alpha, dtype)
    taps = ew.floor(ew.multiply(sigma, 6.0))
    width = ew.add(taps, ew.subtract(1.0, ew.mod(taps, 2.0)))  # the next odd number: the window's own size
    kernel = filters.gaussian_kernel(size, sigma, dtype, width)
    noise = []
    for number in (0, 1):
        drawn = ew.multiply(draws.normal(draws.folded(key, number), x.shape[:3], dtype), sigma)
        smooth = filters.each_channel(movement.expand_dims(drawn, -1), kernel, kernel)
        noise.append(movement.squeeze(smooth, -1))
    return restore(sampling.displaced(x, noise, alpha, interpolation, fill_mode, fill_value))
