"""Images cut into windows whose elements lie side by side: extract_patches, in two and three dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ArgumentError
from kcompile.core.wholes import wholes
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
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
    values = wholes(name, value, of="extract_patches")
    values = values * spatial if isinstance(value, int) else values
    if len(values) != spatial:
        raise ArgumentError(f"Invalid `{name}` argument. Got: {value}")
    if min(values) < 1:
        raise ArgumentError(f"extract_patches: `{name}` must be positive. Received: {name}={value}")
    return values


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
    pads = convolution.padding_pairs(padding.lower(), x.shape[1:-1], size, strides, rate)
    y = windows_op(x, size=size, strides=strides, rate=rate, pads=pads)
    y = movement.transpose(y, (0, spatial + 1, *range(1, spatial + 1))) if first else y
    return movement.squeeze(y, 0) if single else y


# --- the op -------------------------------------------------------------------------------------------------

windows_op = Op("extract_windows")


@windows_op.infer
def _windows_infer(x: TensorType, *, size: Any, strides: Any, rate: Any, pads: Any) -> TensorType:
    outer = _outer(x.shape, size, strides, rate, pads)
    return TensorType((x.shape[0], *outer, math.prod(size) * x.shape[-1]), x.dtype)


def _outer(shape: Any, size: Any, strides: Any, rate: Any, pads: Any) -> list[Any]:
    """How many windows there are along each dimension."""
    return [
        convolution.output_extent(*given)
        for given in zip(shape[1:-1], size, strides, pads, rate, strict=True)
    ]


@windows_op.reference
def _windows_reference(x: np.ndarray, **how: Any) -> np.ndarray:
    return np.asarray(_windows_decompose(x, **how))


@windows_op.decompose
def _windows_decompose(x: Any, *, size: Any, strides: Any, rate: Any, pads: Any) -> Any:
    """(n, d..., c) -> (n, o..., prod(size) c)."""
    spatial, c = len(size), x.shape[-1]
    none, outer = (0, 0), _outer(x.shape, size, strides, rate, pads)
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


POSITIONS = 2**16  # of pixels, and numbers of filters, that a file should not have more of
WEIGHTS = 2**20


@windows_op.onnx
def _windows_onnx(g: Any, x: str, *, size: Any, strides: Any, rate: Any, pads: Any) -> str | None:
    """All pixels gathered at once; or, where a run knows where they lie, a convolution that copies them."""
    shape, whole = g.shape(x), math.prod(size)
    extents, c = shape[1:-1], shape[-1]
    apart = all(p == (0, 0) for p in pads)
    if apart and all(isinstance(d, int) for d in extents):
        outer = _outer(shape, size, strides, rate, pads)
        if _side_by_side(extents, size, strides, rate):
            return None
        if math.prod(outer) * whole <= POSITIONS:
            positions = g.constant(_positions(extents, outer, size, strides, rate))
            pixels = g.reshape(x, (shape[0], math.prod(extents), c))
            return str(g.reshape(g.node("Gather", pixels, positions, axis=1), (shape[0], *outer, whole * c)))
    if not dtypes.is_float(g.dtype(x)) or not isinstance(c, int) or (whole * c) ** 2 > WEIGHTS:
        return None
    # One filter for each pixel of a window and channel: (whole c, c, *size).
    filters = np.eye(whole * c).reshape(whole * c, *size, c)
    kernel = g.constant(np.moveaxis(filters, -1, 1).astype(dtypes.numpy_dtype(g.dtype(x))))
    how = {"strides": list(strides), "dilations": list(rate)}
    how |= convolution.onnx_padding(extents, size, strides, rate, pads, gap=1)
    return str(g.channels_first(x, len(size), lambda t: g.node("Conv", t, kernel, **how)))


def _side_by_side(extents: Any, size: Any, strides: Any, rate: Any) -> bool:
    """Do the windows cover everything once?"""
    return bool(
        size == strides and set(rate) == {1} and not any(d % p for d, p in zip(extents, size, strict=True))
    )


def _positions(extents: Any, outer: Any, size: Any, strides: Any, rate: Any) -> np.ndarray:
    """Where the pixels of all windows lie in rows of all pixels: (o..., prod(size))."""
    spatial = len(size)
    grid = np.indices((*outer, *size))
    at = [grid[k] * strides[k] + grid[spatial + k] * rate[k] for k in range(spatial)]
    return np.ravel_multi_index(at, extents).reshape(*outer, -1)


@windows_op.samples
def _windows_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(2, 5, 6, 3)).astype("float32")
    none, one = ((0, 0), (0, 0)), ((1, 1), (0, 1))
    for name, size, strides, rate, pads in (
        ("apart", (2, 3), (2, 3), (1, 1), none), ("whole", (5, 2), (5, 2), (1, 1), none),
        ("over", (3, 2), (1, 2), (1, 1), none), ("dilated", (2, 2), (1, 1), (3, 2), none),
        ("padded", (3, 2), (2, 2), (1, 1), one),
    ):  # fmt: skip
        yield Sample((x,), {"size": size, "strides": strides, "rate": rate, "pads": pads}, name)
    volume = rng.normal(size=(1, 3, 4, 2, 2)).astype("float32")
    yield Sample(
        (volume,), {"size": (2,) * 3, "strides": (1,) * 3, "rate": (1,) * 3, "pads": ((0, 0),) * 3}, "3d"
    )
