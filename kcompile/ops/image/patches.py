"""Images cut into windows whose elements lie side by side: extract_patches, in two and three dimensions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile.ops import convolution, create, cutting, movement
from kcompile.ops import elementwise as ew
from kcompile.ops.image import layout
from kcompile.ops.image.reading import pick


def extract_patches(
    images: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Windows of images, each one's pixels and channels in one vector.

    Shapes:  (h, w, c) or (n, h, w, c) -> (..., rows, columns, ph * pw * c); with three sizes
             (d, h, w, c) or (n, d, h, w, c) -> (..., pd * ph * pw * c). Channels first with that data_format.
    Args:    size: of a window, one int or one per dimension. strides: steps, `size` by default.
             padding: "valid", or "same" for zeros around.

    >>> extract_patches(np.arange(4).reshape(1, 4, 1), (1, 2)).tolist()
    [[[0, 1], [2, 3]]]
    """
    if not isinstance(size, (int, tuple, list)):
        raise TypeError(
            "Invalid `size` argument. Expected an int or a tuple. "
            f"Received: size={size} of type {type(size).__name__}"
        )
    if not isinstance(size, int) and len(size) not in (2, 3):
        raise ValueError(
            "Invalid `size` argument. Expected a tuple of length 2 or 3. "
            f"Received: size={size} with length {len(size)}"
        )
    spatial = 2 if isinstance(size, int) else len(size)
    return _patches(images, size, strides, dilation_rate, padding, data_format, spatial)


def extract_patches_3d(
    volumes: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Windows of volumes, each one's voxels and channels in one vector; as `extract_patches`.

    Shapes:  (d, h, w, c) or (n, d, h, w, c) -> (..., pd * ph * pw * c).

    >>> extract_patches_3d(np.zeros((4, 4, 4, 2)), 2).shape
    (2, 2, 2, 16)
    """
    if not isinstance(size, int) and len(size) != 3:
        raise TypeError(
            f"Invalid `size` argument. Expected an int or a tuple of length 3. Received: size={size}"
        )
    return _patches(volumes, size, strides, dilation_rate, padding, data_format, 3)


def _each(name: str, value: Any, spatial: int) -> tuple[int, ...]:
    values = (value,) * spatial if isinstance(value, int) else tuple(value)
    if len(values) != spatial:
        raise ValueError(f"Invalid `{name}` argument. Got: {value}")
    return tuple(int(v) for v in values)


def _patches(
    images: Any, size: Any, strides: Any, rate: Any, padding: str, data_format: str | None, spatial: int
) -> Any:
    x = ew.as_tensor(images)
    size = _each("size", size, spatial)
    strides, rate = _each("strides", strides or size, spatial), _each("dilation_rate", rate, spatial)
    single, first = len(x.shape) == spatial + 1, layout.data_format_of(data_format) == "channels_first"
    if len(x.shape) not in (spatial + 1, spatial + 2):
        raise ValueError(
            f"Invalid images rank: expected rank {spatial + 1} (single) or {spatial + 2} (batch). "
            f"Received input with shape: images.shape={x.shape}"
        )
    x = movement.expand_dims(x, 0) if single else x
    x = movement.transpose(x, (0, *range(2, spatial + 2), 1)) if first else x
    y = _windows(x, size, strides, rate, padding)
    y = movement.transpose(y, (0, spatial + 1, *range(1, spatial + 1))) if first else y
    return movement.squeeze(y, 0) if single else y


def _windows(x: Any, size: Any, strides: Any, rate: Any, padding: str) -> Any:
    """(n, d..., c) -> (n, o..., prod(size) c)."""
    spatial, c = len(size), x.shape[-1]
    pads = convolution.padding_pairs(padding.lower(), x.shape[1:-1], size, strides, rate)
    none = (0, 0)
    outer = [
        convolution.output_extent(*given)
        for given in zip(x.shape[1:-1], size, strides, pads, rate, strict=True)
    ]
    if any(p != none for p in pads):
        before, after = zip(none, *pads, none, strict=True)
        x = cutting.pad_op(x, before=before, after=after, inner=(0,) * len(before), value=0.0)
    for k, (p, s, e, o) in enumerate(zip(size, strides, rate, outer, strict=True)):
        x = _along(x, 1 + 2 * k, p, s, e, o)
    order = (0, *range(1, 2 * spatial, 2), *range(2, 2 * spatial + 1, 2), 2 * spatial + 1)
    return movement.reshape(movement.transpose(x, order), (x.shape[0], *outer, math.prod(size) * c))


def _along(x: Any, axis: int, p: int, s: int, e: int, o: Any) -> Any:
    """The dimension at `axis` as two, (windows, positions in a window)."""
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    if p == s and e == 1:  # windows side by side: the same elements in the same order
        start, whole = (0,) * len(x.shape), (*before, o * p, *after)
        cut = cutting.slice_op(x, start=start, size=whole, step=(1,) * len(x.shape))
        return movement.reshape(cut, (*before, o, p, *after))
    first = movement.reshape(ew.multiply(create.iota(o), s), (-1, 1))
    return pick(x, ew.add(first, np.arange(p, dtype=np.int32) * np.int32(e)), axis=axis)
