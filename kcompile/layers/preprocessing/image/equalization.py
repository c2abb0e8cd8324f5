"""Equalization and AutoContrast: brightness spread over its whole range, in training and inference."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.layers.preprocessing.image.base import ColorLayer, value_range_of

FULL = (0, 255)


class Equalization(ColorLayer):
    """In training, brightness replaced by its rank: each channel of the batch uses all values equally often.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same.
    Args:    value_range: of the images. bins: of the histogram.
    """

    _SETTINGS = ("bins", "value_range")

    def __init__(
        self, value_range: Any = (0, 255), bins: int = 256, data_format: str | None = None, **kwargs: Any
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.bins = bins
        self.value_range = value_range_of(value_range)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        if not training:
            return images
        x = ops.cast(images, self.compute_dtype)
        first = self.data_format == "channels_first"
        x = ops.transpose(x, (0, 2, 3, 1)) if first else x
        low, high = self.value_range
        scale = (FULL[1] - FULL[0]) / (high - low)
        brightness = x * scale + (FULL[0] - low * scale)
        back = (high - low) / (FULL[1] - FULL[0])
        y = self._ranked(brightness) * back + (low - FULL[0] * back)
        y = ops.transpose(y, (0, 3, 1, 2)) if first else y
        return ops.cast(y, self.compute_dtype)

    def _ranked(self, x: Any) -> Any:
        """Brightness (n, h, w, c) in [0, 255] through the lookup table of its channel."""
        channels, last = x.shape[-1], self.bins - 1
        row = ops.arange(channels, dtype="int32") * self.bins  # where the table of a channel begins
        own = ops.cast(ops.cast(x, "float32") * last / 255.0, "int32")
        ids = ops.reshape(ops.clip(own, 0, last) + row, (-1,))
        counts = ops.segment_sum(ops.ones_like(ids), ids, channels * self.bins)
        counts = ops.reshape(counts, (channels, self.bins))
        below = ops.cumsum(counts, axis=1)
        total = below[:, -1:]
        least = ops.min(ops.where(below > 0, below, total), axis=1, keepdims=True)
        spread = ops.where(ops.equal(total, least), 1, total - least)
        table = ops.cast(below - least, "float32") * 255.0 / ops.cast(spread, "float32")
        table = ops.reshape(ops.clip(ops.round(table), 0, 255), (-1,))
        at = ops.cast(ops.clip(x / 255.0 * last, 0, last), "int32") + row
        several = ops.count_nonzero(counts, axis=1) > 1
        return ops.where(several, ops.cast(ops.take(table, at), x.dtype), x)


class AutoContrast(ColorLayer):
    """Brightness stretched so that the darkest pixel of a channel is black and the brightest white.

    Shapes:  (h, w, c) or (n, h, w, c) -> the same. A channel of one brightness stays as it is.
    Args:    value_range: of the images.

    >>> import numpy as np
    >>> AutoContrast()(np.array([[[100.0], [150.0], [200.0]]])).ravel().tolist()
    [0.0, 127.5, 255.0]
    """

    _USE_BASE_FACTOR = False
    _SETTINGS = ("value_range",)

    def __init__(self, value_range: Any = (0, 255), **kwargs: Any):
        super().__init__(**kwargs)
        self.value_range = value_range_of(value_range)

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        dtype = self.compute_dtype
        x = ops.cast(self._transform_value_range(images, self.value_range, FULL, dtype), dtype)
        low = ops.min(x, axis=(1, 2), keepdims=True)
        high = ops.max(x, axis=(1, 2), keepdims=True)
        scale = ops.divide(255.0, high - low)
        x = ops.clip(x * scale + (-low * scale), 0.0, 255.0)
        x = self._transform_value_range(x, FULL, self.value_range, dtype)
        return ops.where(ops.isnan(x), ops.cast(images, dtype), x)
