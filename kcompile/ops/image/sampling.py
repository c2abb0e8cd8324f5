"""Images read at computed coordinates: map_coordinates, affine and perspective maps, elastic displacement."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.core.symbolic import Int
from kcompile.ops import create, cutting, joining, movement, reduce
from kcompile.ops import elementwise as ew
from kcompile.ops.image import layout
from kcompile.ops.image.reading import pick

FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
ORDERS = {"nearest": 0, "bilinear": 1}


# --- one tensor at any coordinates --------------------------------------------------------------------------


def round_half_away(x: Any) -> Any:
    """The nearest whole number; halves go away from 0."""
    size = ew.absolute(x)
    low = ew.floor(size)
    up = ew.cast(ew.greater_equal(ew.subtract(size, low), 0.5), dtypes.standardize(x.dtype))
    return ew.multiply(ew.sign(x), ew.add(low, up))


def _mirrored(index: Any, size: Any) -> Any:
    """... 2 1 0 1 2 ... : the edge stands once."""
    last = ew.subtract(size, 1)
    period = ew.maximum(ew.multiply(last, 2), 1)  # an axis of one element has nothing to mirror
    return ew.absolute(ew.subtract(ew.mod(ew.add(index, last), period), last))


def _inside(index: Any, size: int | Int, mode: str) -> Any:
    """The position that a fill mode reads for an index."""
    extent = ew.as_tensor(size, "int32")
    last = ew.subtract(extent, 1)
    if mode == "wrap":
        return ew.mod(index, extent)
    if mode == "mirror":
        return ew.minimum(_mirrored(index, extent), last)
    if mode == "reflect":  # ... 1 0 0 1 ... : mirrored between the elements
        twice = _mirrored(ew.add(ew.multiply(index, 2), 1), ew.add(ew.multiply(extent, 2), 1))
        return ew.floor_divide(ew.subtract(twice, 1), 2)
    return ew.maximum(ew.minimum(index, last), 0)


def _nodes(coordinate: Any, size: int | Int, order: int, mode: str) -> list[tuple[Any, Any, Any]]:
    """(position, is it inside?, weight) of the elements of one axis that a coordinate reads."""
    if order == 0:
        whole = coordinate
        if dtypes.is_float(dtypes.standardize(coordinate.dtype)):
            whole = round_half_away(coordinate)
        found = [(ew.cast(whole, "int32"), None)]
    else:
        lower = ew.floor(coordinate)
        upper = ew.subtract(coordinate, lower)
        index = ew.cast(lower, "int32")
        found = [(index, ew.subtract(1.0, upper)), (ew.add(index, 1), upper)]
    nodes = []
    for index, weight in found:
        valid = None
        if mode == "constant":
            below = ew.less(index, ew.as_tensor(size, "int32"))
            valid = ew.logical_and(ew.greater_equal(index, 0), below)
        nodes.append((_inside(index, size, mode), valid, weight))
    return nodes


def read(
    rows: Any, base: Any, coordinates: Sequence[Any], extents: Sequence[Any], order: int, mode: str, fill: Any
) -> Any:
    """Elements of `rows` (p, c...) at coordinates of a grid of `extents` that begins at position `base`.

    Shapes:  base and every coordinate (o...) -> (o..., c...), in the dtype of the rows; ints are rounded.
    """
    own = dtypes.standardize(rows.dtype)
    tail = (1,) * (len(rows.shape) - 1)
    grids = [_nodes(c, d, order, mode) for c, d in zip(coordinates, extents, strict=True)]
    total: Any = None
    for corner in itertools.product(*grids):
        position, valid, weight = base, None, None
        stride: Any = 1
        for (index, inside, share), d in zip(reversed(corner), reversed(extents), strict=True):
            position = ew.add(position, ew.multiply(index, stride))
            valid = inside if valid is None else ew.logical_and(inside, valid)
            weight = share if weight is None else ew.multiply(share, weight)
            stride = stride * d
        values = pick(rows, position)
        if valid is not None:
            values = ew.where(_spread(valid, tail), values, ew.as_tensor(fill, own))
        part = values if weight is None else ew.multiply(_spread(weight, tail), _weighable(values))
        total = part if total is None else ew.add(total, part)
    if dtypes.standardize(total.dtype) != own and dtypes.is_int(own):
        total = round_half_away(total)
    return ew.cast(total, own)


def _spread(x: Any, tail: tuple[int, ...]) -> Any:
    return movement.reshape(x, (*x.shape, *tail)) if tail else x


def _weighable(values: Any) -> Any:
    return values if dtypes.is_float(dtypes.standardize(values.dtype)) else ew.cast(values, "float32")


def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0
) -> Any:
    """The tensor at fractional coordinates, between its elements by multilinear interpolation.

    Shapes:  inputs of rank r, coordinates (r, o...) -> (o...).
    Args:    order: 1 for interpolation, 0 for the nearest element (halves go away from 0). fill_mode: what
             lies outside: "constant" (fill_value), "nearest", "wrap", "mirror" or "reflect".
    Raises:  ValueError where the first dimension of the coordinates is not the rank, or for another name.

    >>> import numpy as np
    >>> map_coordinates(np.array([0.0, 10.0, 20.0]), np.array([[0.5, 2.0]]), order=1).tolist()
    [5.0, 20.0]
    """
    x = ew.as_tensor(inputs)
    if isinstance(coordinates, (tuple, list)):
        coordinates = joining.stack([ew.as_tensor(c) for c in coordinates])
    at = ew.as_tensor(coordinates)
    if at.shape[0] != len(x.shape):
        raise ValueError(
            "First dim of `coordinates` must be the same as the rank of `inputs`. Received inputs with "
            f"shape: {x.shape} and coordinate leading dim of {at.shape[0]}"
        )
    if len(at.shape) < 2:
        raise ValueError(
            f"Invalid coordinates rank: expected at least rank 2. Received input with shape: {at.shape}"
        )
    layout.one_of("fill_mode", fill_mode, FILL_MODES)
    if order not in (0, 1):
        raise ValueError(
            f"Invalid value for argument `order`. Expected one of [0, 1]. Received: order={order}"
        )
    if order == 1 and not dtypes.is_float(dtypes.standardize(at.dtype)):
        at = ew.cast(at, "float32")
    rows = movement.reshape(x, (symbolic.product(x.shape),))
    return read(rows, 0, [at[k] for k in range(len(x.shape))], x.shape, order, fill_mode, fill_value)


# --- maps of whole images -----------------------------------------------------------------------------------


def sample_images(x: Any, rows: Any, columns: Any, interpolation: str, mode: str, fill: Any) -> Any:
    """Images (n, h, w, c) read at rows and columns (n, h, w)."""
    n, h, w, c = x.shape
    flat = movement.reshape(x, (n * h * w, c))
    base = movement.reshape(ew.multiply(create.iota(n), ew.as_tensor(h * w, "int32")), (n, 1, 1))
    return read(flat, base, (rows, columns), (h, w), ORDERS[interpolation], mode, fill)


def grid(h: int | Int, w: int | Int, dtype: str = "float32") -> tuple[Any, Any]:
    """Row numbers (h, 1) and column numbers (w,)."""
    return movement.expand_dims(create.iota(h, dtype), -1), create.iota(w, dtype)


def projected(transform: Any, h: int | Int, w: int | Int) -> tuple[Any, Any]:
    """Where output pixels come from: rows and columns (n, h, w) for transforms (n, 8)."""
    y, x = grid(h, w, dtypes.standardize(transform.dtype))
    a0, a1, a2, b0, b1, b2, c0, c1 = (movement.reshape(transform[:, k], (-1, 1, 1)) for k in range(8))

    def linear(p: Any, q: Any, r: Any) -> Any:
        return ew.add(ew.add(ew.multiply(p, x), ew.multiply(q, y)), r)

    depth = linear(c0, c1, 1.0)
    return ew.true_divide(linear(b0, b1, b2), depth), ew.true_divide(linear(a0, a1, a2), depth)


def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Any:
    """Images moved by projective maps [a0, a1, a2, b0, b1, b2, c0, c1].

    The output pixel (x, y) comes from ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k),
    k = c0 x + c1 y + 1.

    Shapes:  images (h, w, c) or (n, h, w, c), transform (8,) or (n, 8) -> the images' shape and dtype.
    Args:    interpolation: "bilinear" or "nearest". fill_mode: as in `map_coordinates`.

    >>> import numpy as np
    >>> image = np.arange(4.0).reshape(1, 4, 1)
    >>> affine_transform(image, np.array([1.0, 0, 1, 0, 1, 0, 0, 0])).ravel().tolist()
    [1.0, 2.0, 3.0, 0.0]
    """
    layout.one_of("interpolation", interpolation, tuple(ORDERS))
    layout.one_of("fill_mode", fill_mode, FILL_MODES)
    x, restore = layout.channels_last("affine_transform", images, data_format)
    maps = ew.as_tensor(transform)
    maps = ew.as_tensor(maps, ew.float_of(dtypes.standardize(maps.dtype)))
    if len(maps.shape) not in (1, 2):
        raise ValueError(
            "Invalid transform rank: expected rank 1 (single transform) or rank 2 (batch of transforms). "
            f"Received input with shape: transform.shape={maps.shape}"
        )
    maps = movement.expand_dims(maps, 0) if len(maps.shape) == 1 else maps
    rows, columns = projected(maps, *x.shape[1:3])
    return restore(sample_images(x, rows, columns, interpolation, fill_mode, fill_value))


# --- four points to four points -----------------------------------------------------------------------------


def _basis(points: Any) -> Any:
    """The images (n, 3, 3), in homogeneous coordinates, of the unit vectors under the map that takes them and
    (1, 1, 1) to four points (n, 4, 2).
    """
    corners = pick(points, np.array([[3, 1, 2], [0, 3, 2], [0, 1, 3]], "int32"), axis=1)
    a, b = (ew.subtract(corners[:, :, k], corners[:, :, 0]) for k in (1, 2))
    areas = ew.subtract(ew.multiply(a[..., 0], b[..., 1]), ew.multiply(b[..., 0], a[..., 1]))
    areas = movement.expand_dims(areas, -1)
    return ew.multiply(cutting.pad(points[:, :3], ((0, 0), (0, 0), (0, 1)), constant_values=1.0), areas)


def _crossed(m: Any) -> Any:
    """For vectors (n, 3, 3) the cross products of the next two: the rows of the adjugate."""
    turned = [np.array(order, "int32") for order in ([1, 2, 0], [2, 0, 1])]
    a, b = (pick(m, order, axis=1) for order in turned)
    first = ew.multiply(pick(a, turned[0], axis=2), pick(b, turned[1], axis=2))
    return ew.subtract(first, ew.multiply(pick(a, turned[1], axis=2), pick(b, turned[0], axis=2)))


def compute_homography_matrix(start_points: Any, end_points: Any) -> Any:
    """The maps (n, 8) under which the end points (n, 4, 2) come from the start points.

    Source: P. Heckbert, "Fundamentals of Texture Mapping and Image Warping" (1989), section 2.2.3.
    """
    start, end = (ew.as_tensor(p, "float32") for p in (start_points, end_points))
    first, back = movement.expand_dims(_basis(start), -1), movement.expand_dims(_crossed(_basis(end)), -2)
    maps = movement.reshape(reduce.sum(ew.multiply(first, back), axis=1), (start.shape[0], 9))
    return ew.true_divide(maps[:, :8], maps[:, 8:])


def _checked_points(start: Any, end: Any) -> tuple[Any, Any]:
    for name, points in (("start_points", start), ("end_points", end)):
        if tuple(points.shape[-2:]) != (4, 2) or len(points.shape) not in (2, 3):
            raise ValueError(
                f"Invalid {name} shape: expected (4,2) for a single image or (N,4,2) for a batch. "
                f"Received shape: {points.shape}"
            )
    if tuple(start.shape) != tuple(end.shape):
        raise ValueError(
            "start_points and end_points must have the same shape. Received "
            f"start_points.shape={start.shape}, end_points.shape={end.shape}"
        )
    return tuple(movement.expand_dims(p, 0) if len(p.shape) == 2 else p for p in (start, end))


def perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Any:
    """Images seen from elsewhere: what is at the start points goes to the end points.

    Shapes:  images (h, w, c) or (n, h, w, c), both points (4, 2) or (n, 4, 2), pairs (x, y) -> as images.
    Args:    interpolation: "bilinear" or "nearest". fill_value: what lies outside.

    >>> import numpy as np
    >>> image, corners = np.arange(4.0).reshape(2, 2, 1), np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    >>> perspective_transform(image, corners, corners[[1, 0, 3, 2]]).ravel().tolist()
    [1.0, 0.0, 3.0, 2.0]
    """
    layout.one_of("interpolation", interpolation, tuple(ORDERS))
    x, restore = layout.channels_last("perspective_transform", images, data_format)
    start, end = _checked_points(ew.as_tensor(start_points), ew.as_tensor(end_points))
    rows, columns = projected(compute_homography_matrix(start, end), *x.shape[1:3])
    return restore(sample_images(x, rows, columns, interpolation, "constant", fill_value))


# --- displacement -------------------------------------------------------------------------------------------


def displaced(x: Any, noise: Any, alpha: Any, interpolation: str, mode: str, fill: Any) -> Any:
    """Images (n, h, w, c) whose pixels come from alpha * noise (columns, rows), each (n, h, w), away."""
    y, across = grid(*x.shape[1:3])
    columns, rows = (ew.add(g, ew.multiply(alpha, d)) for g, d in zip((across, y), noise, strict=True))
    return sample_images(x, rows, columns, interpolation, mode, fill)
