"""Pooling to a given output size: output i reads [floor(i d / o), ceil((i + 1) d / o)) along each dimension.

Every op here works along one axis; several dimensions are pooled one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.config import data_format_of
from kcompile.core.errors import ArgumentError, ShapeError, message
from kcompile.core.symbolic import Int, floordiv
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import adaptive_onnx, checks, create, cutting, movement
from kcompile.ops import elementwise as ew
from kcompile.ops.adaptive_onnx import begin, end, slices
from kcompile.ops.composite import floating
from kcompile.ops.pool import average_pool_op, max_pool_op
from kcompile.ops.windows import identity

Dim = int | Int
MOST = 1 << 24  # windows of an axis: a number from a file must not take any amount of memory
LISTED = 1 << 14  # windows whose widths are listed; of more the program computes them

adaptive_sum_op = Op("adaptive_sum")
adaptive_mean_op = Op("adaptive_mean")
adaptive_max_op = Op("adaptive_max")
adaptive_position_op = Op("adaptive_max_position")
adaptive_gradient_op = Op("adaptive_max_gradient")


def _resized(x: TensorType, axis: int, size: Dim, dtype: str | None = None) -> TensorType:
    checks.check_not_empty("adaptive pooling", x, (axis,))
    return TensorType((*x.shape[:axis], size, *x.shape[axis + 1 :]), dtype or x.dtype)


def _window(i: Index, axis: int, extent: Dim, size: Dim) -> tuple[Dim, Dim, Expr]:
    """An axis over the widest window, the position that it stands for in window i, and whether it is inside.

    Windows differ in width by one at most.
    """
    start, stop = begin(i[axis], extent, size), end(i[axis], extent, size)
    bound = loops.axis(floordiv(extent + size - 1, size) + 1, "w")
    return bound, start + bound, cutting.compare("lt", start + bound, stop)


def _at(i: Index, axis: int, position: Dim) -> Index:
    return (*i[:axis], position, *i[axis + 1 :])


def _moved(x: np.ndarray, axis: int) -> np.ndarray:
    return np.moveaxis(x, axis, 0)


# --- sum ----------------------------------------------------------------------------------------------------


@adaptive_sum_op.infer
def _sum_infer(x: TensorType, *, axis: int, size: Dim) -> TensorType:
    return _resized(x, axis, size)


@adaptive_sum_op.reference
def _sum_reference(x: np.ndarray, *, axis: int, size: int) -> np.ndarray:
    parts = [_moved(x, axis)[part].sum(0) for part in slices(x.shape[axis], size)]
    return np.stack(parts, axis)


@adaptive_sum_op.vjp
def _sum_vjp(dy: Any, y: Any, x: Any, *, axis: int, size: Dim) -> tuple[Any]:
    # Input j lies in the outputs that would be its window, were the sizes exchanged.
    return (adaptive_sum_op(dy, axis=axis, size=x.shape[axis]),)


@adaptive_sum_op.scalar
def _sum_scalar(i: Index, x: Any, *, out: TensorType, axis: int, size: Dim) -> Expr:
    bound, position, inside = _window(i, axis, x.type.shape[axis], size)
    value = loops.guard(inside, x(_at(i, axis, position)), loops.const(0, out.dtype))
    return loops.reduce("sum", (bound,), value)


@adaptive_sum_op.onnx
def _sum_onnx(g: Any, x: str, *, axis: int, size: Dim) -> str:
    return adaptive_onnx.reduced(g, "ReduceSum", x, axis, size)


def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    cases = (((2, 5, 3), 1, 3), ((2, 3, 4), 2, 7), ((7, 2), 0, 4), ((2, 6, 2), 1, 3), ((1, 4), 1, 1))
    for shape, axis, size in cases:
        x = rng.permutation(int(np.prod(shape))).reshape(shape).astype("float32") / 7
        yield Sample((x,), {"axis": axis, "size": size}, f"{shape}to{size}")


adaptive_sum_op.samples(_samples)


# --- mean ---------------------------------------------------------------------------------------------------


adaptive_mean_op.infer(_sum_infer)


@adaptive_mean_op.reference
def _mean_reference(x: np.ndarray, *, axis: int, size: int) -> np.ndarray:
    width = np.array([part.stop - part.start for part in slices(x.shape[axis], size)], x.dtype)
    share = (1 / width).astype(x.dtype).reshape(size, *(1,) * (x.ndim - axis - 1))
    return _sum_reference(x, axis=axis, size=size) * share


@adaptive_mean_op.decompose
def _mean_decompose(x: Any, *, axis: int, size: Dim) -> Any:
    extent = x.shape[axis]
    if isinstance(extent, int) and isinstance(size, int) and size <= LISTED:
        width = np.array([part.stop - part.start for part in slices(extent, size)], "int32")
    else:
        i, d = create.iota(size), ew.as_tensor(extent, "int32")
        first = ew.floor_divide(ew.multiply(i, d), size)
        last = ew.floor_divide(ew.add(ew.multiply(ew.add(i, 1), d), size - 1), size)
        width = ew.subtract(last, first)
    share = ew.true_divide(1.0, ew.cast(width, dtypes.standardize(x.dtype)))
    along = (size, *(1,) * (len(x.shape) - axis - 1))
    return ew.multiply(adaptive_sum_op(x, axis=axis, size=size), movement.reshape(share, along))


adaptive_mean_op.onnx(adaptive_onnx.mean)
adaptive_mean_op.samples(_samples)


# --- max ----------------------------------------------------------------------------------------------------


@adaptive_max_op.infer
def _max_infer(x: TensorType, *, axis: int, size: Dim) -> TensorType:
    return _resized(x, axis, size)


@adaptive_max_op.reference
def _max_reference(x: np.ndarray, *, axis: int, size: int) -> np.ndarray:
    return np.stack([_moved(x, axis)[part].max(0) for part in slices(x.shape[axis], size)], axis)


@adaptive_max_op.vjp
def _max_vjp(dy: Any, y: Any, x: Any, *, axis: int, size: Dim) -> tuple[Any]:
    position = adaptive_position_op(x, y, axis=axis)
    return (adaptive_gradient_op(dy, position, axis=axis, size=x.shape[axis]),)


@adaptive_max_op.scalar
def _max_scalar(i: Index, x: Any, *, out: TensorType, axis: int, size: Dim) -> Expr:
    bound, position, inside = _window(i, axis, x.type.shape[axis], size)
    least = loops.const(identity("max", out.dtype), out.dtype)
    return loops.reduce("max", (bound,), loops.guard(inside, x(_at(i, axis, position)), least))


@adaptive_max_op.onnx
def _max_onnx(g: Any, x: str, *, axis: int, size: Dim) -> str:
    return adaptive_onnx.reduced(g, "ReduceMax", x, axis, size)


adaptive_max_op.samples(_samples)


# --- where the maximum lay ----------------------------------------------------------------------------------


@adaptive_position_op.infer
def _position_infer(x: TensorType, y: TensorType, *, axis: int) -> TensorType:
    return TensorType(y.shape, "int32")


@adaptive_position_op.reference
def _position_reference(x: np.ndarray, y: np.ndarray, *, axis: int) -> np.ndarray:
    moved = _moved(x, axis)
    parts = [part.start + np.argmax(moved[part], axis=0) for part in slices(x.shape[axis], y.shape[axis])]
    return np.stack(parts, axis)


@adaptive_position_op.vjp
def _position_vjp(dy: Any, position: Any, x: Any, y: Any, *, axis: int) -> tuple[None, None]:
    return None, None


@adaptive_position_op.scalar
def _position_scalar(i: Index, x: Any, y: Any, *, out: TensorType, axis: int) -> Expr:
    # The first position whose element equals the maximum.
    extent = x.type.shape[axis]
    bound, position, inside = _window(i, axis, extent, out.shape[axis])
    none = loops.index(extent, out.dtype)
    hit = loops.apply("eq", x(_at(i, axis, position)), y(i), dtype="bool")
    found = loops.select(hit, loops.index(position, out.dtype), none)
    return loops.reduce("min", (bound,), loops.guard(inside, found, none))


adaptive_position_op.onnx(adaptive_onnx.position)


@adaptive_position_op.samples
def _position_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for sample in _samples(rng):
        x, axis = np.floor(sample.arrays[0] / 2), sample.attrs["axis"]  # with ties
        yield Sample((x, adaptive_max_op(x, **sample.attrs)), {"axis": axis}, sample.name, False)


@adaptive_gradient_op.infer
def _gradient_infer(dy: TensorType, position: TensorType, *, axis: int, size: Dim) -> TensorType:
    return _resized(dy, axis, size)


@adaptive_gradient_op.reference
def _gradient_reference(dy: np.ndarray, position: np.ndarray, *, axis: int, size: int) -> np.ndarray:
    dy, position = _moved(dy, axis), _moved(position, axis)
    parts = enumerate(slices(len(dy), size))  # the outputs whose windows hold j
    return np.stack([np.where(position[part] == j, dy[part], 0).sum(0) for j, part in parts], axis)


@adaptive_gradient_op.vjp
def _gradient_vjp(dx: Any, y: Any, dy: Any, position: Any, *, axis: int, size: Dim) -> tuple[Any, None]:
    from kcompile.ops import index

    return index.take_along_axis(dx, position, axis=axis), None


@adaptive_gradient_op.scalar
def _gradient_scalar(i: Index, dy: Any, position: Any, *, out: TensorType, axis: int, size: Dim) -> Expr:
    bound, at, inside = _window(i, axis, dy.type.shape[axis], size)
    zero, here = loops.const(0, out.dtype), loops.index(i[axis], position.type.dtype)
    hit = loops.apply("eq", position(_at(i, axis, at)), here, dtype="bool")
    value = loops.select(hit, dy(_at(i, axis, at)), zero)
    return loops.reduce("sum", (bound,), loops.guard(inside, value, zero))


adaptive_gradient_op.onnx(adaptive_onnx.gradient)


@adaptive_gradient_op.samples
def _gradient_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for sample in _position_samples(rng):
        (x, y), axis = sample.arrays, sample.attrs["axis"]
        dy = rng.normal(size=y.shape).astype("float32")
        position = adaptive_position_op(x, y, axis=axis)
        yield Sample((dy, position), {"axis": axis, "size": x.shape[axis]}, sample.name)


# --- public functions ---------------------------------------------------------------------------------------


def _prepared(
    op: str, x: Any, output_size: Any, data_format: str | None
) -> tuple[Any, tuple[int, ...], bool]:
    """x with channels last, the output's size in each dimension, and whether channels came first."""
    spatial = len(x.shape) - 2
    sizes = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * spatial
    are_ints = all(isinstance(n, int) for n in sizes)
    if len(sizes) != spatial or not sizes or not are_ints or not all(0 < n <= MOST for n in sizes):
        raise (ShapeError if are_ints and sizes else ArgumentError)(
            message(
                f"{op}: `output_size` must be a positive int up to {MOST:,}, or one for each "
                "spatial dimension.",
                received=f"output_size={output_size} for an input of rank {len(x.shape)}",
            )
        )
    first = data_format_of(data_format) == "channels_first"
    return (movement.transpose(x, (0, *range(2, spatial + 2), 1)) if first else x), sizes, first


def _given(y: Any, first: bool) -> Any:
    rank = len(y.shape)
    return movement.transpose(y, (0, rank - 1, *range(1, rank - 1))) if first else y


def _window_of(extent: Dim, size: int) -> int | None:
    """The width of all windows where they are equal and lie side by side."""
    return extent // size if isinstance(extent, int) and extent and extent % size == 0 else None


def adaptive_average_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """The mean of each of `output_size` windows, which cover the input and may overlap by an element.

    Shapes:  inputs (n, d..., c) -> (n, output_size..., c).
    Args:    output_size: an int for all spatial dimensions, or one for each.
    Raises:  ShapeError (a ValueError) if it does not fit the input's rank or is not positive, ArgumentError
             for what is no int.

    >>> adaptive_average_pool(np.arange(5.0).reshape(1, 5, 1), 3)[0, :, 0].tolist()
    [0.5, 2.0, 3.5]
    """
    x, sizes, first = _prepared("adaptive_average_pool", floating(inputs), output_size, data_format)
    widths = [_window_of(d, n) for d, n in zip(x.shape[1:-1], sizes, strict=True)]
    if all(widths):
        window = tuple(widths)
        return _given(average_pool_op(x, window=window, strides=window, pads=((0, 0),) * len(window)), first)
    for axis, size in enumerate(sizes, 1):
        x = adaptive_mean_op(x, axis=axis, size=size)
    return _given(x, first)


def adaptive_max_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """The largest element of each of `output_size` windows, which cover the input.

    Shapes:  inputs (n, d..., c) -> (n, output_size..., c).
    Args:    output_size: an int for all spatial dimensions, or one for each.
    Raises:  ShapeError (a ValueError) if it does not fit the input's rank or is not positive, ArgumentError
             for what is no int.

    >>> adaptive_max_pool(np.arange(5.0).reshape(1, 5, 1), 3)[0, :, 0].tolist()
    [1.0, 3.0, 4.0]
    """
    x, sizes, first = _prepared("adaptive_max_pool", ew.as_tensor(inputs), output_size, data_format)
    for axis, size in enumerate(sizes, 1):
        width = _window_of(x.shape[axis], size)
        if width is None:
            x = adaptive_max_op(x, axis=axis, size=size)
        elif width > 1:
            window = tuple(width if k == axis else 1 for k in range(1, len(x.shape) - 1))
            x = max_pool_op(x, window=window, strides=window, pads=((0, 0),) * len(window))
    return _given(x, first)
