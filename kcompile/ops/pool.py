"""Pooling over channels-last tensors of any spatial rank: windows as small reductions with affine indices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.config import data_format_of
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import Shape, TensorType
from kcompile.ops import create, movement, pool_onnx
from kcompile.ops import elementwise as ew
from kcompile.ops.checks import check_rank, for_each
from kcompile.ops.convolution import Pairs, onnx_padding, padded_apart, padding_pairs
from kcompile.ops.windows import Window, all_of, covering, element, identity, pooled, scattered, windows

max_pool_op = Op("max_pool")
max_position_op = Op("max_pool_position")
max_gradient_op = Op("max_pool_gradient")
selected_op = Op("max_pool_selected")
sum_pool_op = Op("sum_pool")
sum_gradient_op = Op("sum_pool_gradient")
average_pool_op = Op("average_pool")


# --- max ----------------------------------------------------------------------------------------------------


@max_pool_op.infer
def _max_infer(x: TensorType, *, window: Window, strides: Window, pads: Pairs) -> TensorType:
    return TensorType(pooled("max_pool", x, window, strides, pads), x.dtype)


@max_pool_op.reference
def _max_reference(x: np.ndarray, *, window: Window, strides: Window, pads: Pairs) -> np.ndarray:
    value = identity("max", dtypes.standardize(x.dtype))
    return windows(x, window, strides, pads, value).max(axis=-1)


@max_pool_op.vjp
def _max_vjp(dy: Any, y: Any, x: Any, *, window: Window, strides: Window, pads: Pairs) -> tuple[Any]:
    attrs = {"window": window, "strides": strides, "pads": pads}
    position = max_position_op(x, y, **attrs)
    return (max_gradient_op(dy, position, shape=tuple(x.shape), **attrs),)


@max_pool_op.scalar
def _max_scalar(i: Index, x: Any, *, out: TensorType, window: Window, strides: Window, pads: Pairs) -> Expr:
    bound = tuple(loops.axis(k, "w") for k in window)
    return loops.reduce("max", bound, element(i, bound, x, strides, pads, identity("max", out.dtype)))


@max_pool_op.onnx
def _max_onnx(g: Any, x: str, *, window: Window, strides: Window, pads: Pairs) -> str:
    attrs = _onnx_attrs(window, strides, pads)
    return g.channels_first(x, len(window), lambda t: g.node("MaxPool", t, **attrs))


def _onnx_attrs(window: Window, strides: Window, pads: Pairs) -> dict[str, Any]:
    begin, end = ([p[k] for p in pads] for k in (0, 1))
    return {"kernel_shape": list(window), "strides": list(strides), "pads": begin + end}


CASES: dict[str, tuple[Any, ...]] = {  # input, window, strides, pads
    "apart": ((2, 4, 6, 3), (2, 2), (2, 2), ((0, 0), (0, 0))),
    "rest": ((1, 5, 7, 2), (2, 3), (2, 3), ((0, 0), (0, 0))),
    "overlap": ((2, 6, 5, 2), (3, 2), (2, 1), ((0, 0), (0, 0))),
    "padded": ((1, 5, 5, 2), (3, 3), (2, 2), ((1, 1), (1, 1))),
    "gaps": ((1, 7, 2), (2,), (3,), ((0, 1),)),
    "same": ((2, 5, 3), (2,), (2,), ((0, 1),)),
    "3d": ((1, 3, 4, 2, 2), (2, 2, 2), (1, 2, 1), ((0, 0), (0, 0), (0, 0))),
}


def _pool_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for name, (shape, window, strides, pads) in CASES.items():
        x = rng.permutation(int(np.prod(shape))).reshape(shape).astype("float32") / 7
        yield Sample((x,), {"window": window, "strides": strides, "pads": pads}, name)


max_pool_op.samples(_pool_samples)


# --- where the maximum lay ----------------------------------------------------------------------------------


@max_position_op.infer
def _position_infer(
    x: TensorType, y: TensorType, *, window: Window, strides: Window, pads: Pairs
) -> TensorType:
    return TensorType(y.shape, "uint8" if np.prod(window) <= 256 else "int32")


@max_position_op.reference
def _position_reference(
    x: np.ndarray, y: np.ndarray, *, window: Window, strides: Window, pads: Pairs
) -> np.ndarray:
    hits = windows(x, window, strides, pads, identity("max", dtypes.standardize(x.dtype))) == y[..., None]
    return np.where(hits.any(-1), np.argmax(hits, axis=-1), int(np.prod(window)) - 1)


@max_position_op.vjp
def _position_vjp(dy: Any, position: Any, x: Any, y: Any, **_: Any) -> tuple[None, None]:
    return None, None


@max_position_op.scalar
def _position_scalar(
    i: Index, x: Any, y: Any, *, out: TensorType, window: Window, strides: Window, pads: Pairs
) -> Expr:
    # The first position whose element equals the maximum.
    bound = tuple(loops.axis(k, "w") for k in window)
    value = element(i, bound, x, strides, pads, identity("max", x.type.dtype))
    hit = loops.apply("eq", value, y(i), dtype="bool")
    position = loops.index(movement.flat_index(bound, window), out.dtype)
    last = loops.const(int(np.prod(window)) - 1, out.dtype)
    return loops.reduce("min", bound, loops.select(hit, position, last))


max_position_op.onnx(pool_onnx.max_position_onnx)


@max_position_op.samples
def _position_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for sample in _pool_samples(rng):
        x = np.floor(sample.arrays[0] / 3)  # with ties
        yield Sample((x, max_pool_op(x, **sample.attrs)), sample.attrs, sample.name, False)


@max_gradient_op.infer
def _gradient_infer(
    dy: TensorType, position: TensorType, *, shape: Shape, window: Window, strides: Window, pads: Pairs
) -> TensorType:
    return TensorType(shape, dy.dtype)


@max_gradient_op.reference
def _gradient_reference(
    dy: np.ndarray, position: np.ndarray, *, shape: Shape, window: Window, strides: Window, pads: Pairs
) -> np.ndarray:
    return scattered(dy, shape, window, strides, pads, lambda k: np.where(position == k, dy, 0))


@max_gradient_op.scalar
def _gradient_scalar(
    i: Index,
    dy: Any,
    position: Any,
    *,
    out: TensorType,
    shape: Shape,
    window: Window,
    strides: Window,
    pads: Pairs,
) -> Expr:
    at, tests, inside, axes = covering(i, dy.type, window, strides, pads, shape)
    here = loops.index(movement.flat_index(inside, window), position.type.dtype)
    zero = loops.const(0, out.dtype)
    value = loops.select(loops.apply("eq", position(at), here, dtype="bool"), dy(at), zero)
    return loops.reduce("sum", axes, loops.guard(all_of(tests), value, zero))


max_gradient_op.onnx(pool_onnx.max_gradient_onnx)


@max_gradient_op.samples
def _gradient_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for sample in _position_samples(rng):
        x, y = sample.arrays
        position = max_position_op(x, y, **sample.attrs)
        dy = rng.normal(size=y.shape).astype("float32")
        yield Sample((dy, position), {"shape": x.shape, **sample.attrs}, sample.name)


@max_gradient_op.vjp
def _gradient_vjp(ddx: Any, dx: Any, dy: Any, position: Any, *, shape: Shape, **attrs: Any) -> Any:
    return selected_op(ddx, position, **attrs), None


@selected_op.infer
def _selected_infer(
    x: TensorType, position: TensorType, *, window: Window, strides: Window, pads: Pairs
) -> TensorType:
    return TensorType(position.shape, x.dtype)


@selected_op.reference
def _selected_reference(
    x: np.ndarray, position: np.ndarray, *, window: Window, strides: Window, pads: Pairs
) -> np.ndarray:
    return np.take_along_axis(windows(x, window, strides, pads, 0), position[..., None], axis=-1)[..., 0]


@selected_op.vjp
def _selected_vjp(dy: Any, y: Any, x: Any, position: Any, **attrs: Any) -> tuple[Any, None]:
    return max_gradient_op(dy, position, shape=tuple(x.shape), **attrs), None


@selected_op.scalar
def _selected_scalar(
    i: Index, x: Any, position: Any, *, out: TensorType, window: Window, strides: Window, pads: Pairs
) -> Expr:
    bound = tuple(loops.axis(k, "w") for k in window)
    here = loops.index(movement.flat_index(bound, window), position.type.dtype)
    hit, value = loops.apply("eq", position(i), here, dtype="bool"), element(i, bound, x, strides, pads, 0)
    return loops.reduce("sum", bound, loops.select(hit, value, loops.const(0, out.dtype)))


selected_op.onnx(pool_onnx.selected_onnx)


@selected_op.samples
def _selected_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for sample in _gradient_samples(rng):
        x = rng.normal(size=sample.attrs["shape"]).astype("float32")
        attrs = {name: value for name, value in sample.attrs.items() if name != "shape"}
        yield Sample((x, sample.arrays[1]), attrs, sample.name)


# --- sum and average ----------------------------------------------------------------------------------------


@sum_pool_op.infer
def _sum_infer(x: TensorType, *, window: Window, strides: Window, pads: Pairs) -> TensorType:
    return TensorType(pooled("sum_pool", x, window, strides, pads), x.dtype)


@sum_pool_op.reference
def _sum_reference(x: np.ndarray, *, window: Window, strides: Window, pads: Pairs) -> np.ndarray:
    return windows(x, window, strides, pads, 0).sum(axis=-1)


@sum_pool_op.vjp
def _sum_vjp(dy: Any, y: Any, x: Any, **attrs: Any) -> tuple[Any]:
    return (sum_gradient_op(dy, shape=tuple(x.shape), **attrs),)


@sum_pool_op.scalar
def _sum_scalar(i: Index, x: Any, *, out: TensorType, window: Window, strides: Window, pads: Pairs) -> Expr:
    bound = tuple(loops.axis(k, "w") for k in window)
    return loops.reduce("sum", bound, element(i, bound, x, strides, pads, 0))


@sum_pool_op.onnx
def _sum_onnx(g: Any, x: str, *, window: Window, strides: Window, pads: Pairs) -> str:
    attrs = _onnx_attrs(window, strides, pads)
    mean = g.channels_first(x, len(window), lambda t: g.node("AveragePool", t, count_include_pad=1, **attrs))
    return g.node("Mul", mean, ew.onnx_number(g, np.prod(window), x))


sum_pool_op.samples(_pool_samples)


@sum_gradient_op.infer
def _sum_gradient_infer(
    dy: TensorType, *, shape: Shape, window: Window, strides: Window, pads: Pairs
) -> TensorType:
    return TensorType(shape, dy.dtype)


@sum_gradient_op.reference
def _sum_gradient_reference(
    dy: np.ndarray, *, shape: Shape, window: Window, strides: Window, pads: Pairs
) -> np.ndarray:
    return scattered(dy, shape, window, strides, pads, lambda _: dy)


@sum_gradient_op.vjp
def _sum_gradient_vjp(ddx: Any, dx: Any, dy: Any, *, shape: Shape, **attrs: Any) -> tuple[Any]:
    return (sum_pool_op(ddx, **attrs),)


@sum_gradient_op.scalar
def _sum_gradient_scalar(
    i: Index, dy: Any, *, out: TensorType, shape: Shape, window: Window, strides: Window, pads: Pairs
) -> Expr:
    at, tests, _, axes = covering(i, dy.type, window, strides, pads, shape)
    return loops.reduce("sum", axes, loops.guard(all_of(tests), dy(at), loops.const(0, out.dtype)))


sum_gradient_op.onnx(pool_onnx.sum_gradient_onnx)


@sum_gradient_op.samples
def _sum_gradient_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for sample in _pool_samples(rng):
        x = sample.arrays[0]
        dy = rng.normal(size=sum_pool_op(x, **sample.attrs).shape).astype("float32")
        yield Sample((dy,), {"shape": x.shape, **sample.attrs}, sample.name)


@average_pool_op.infer
def _average_infer(x: TensorType, *, window: Window, strides: Window, pads: Pairs) -> TensorType:
    return TensorType(pooled("average_pool", x, window, strides, pads), x.dtype)


@average_pool_op.reference
def _average_reference(x: np.ndarray, *, window: Window, strides: Window, pads: Pairs) -> np.ndarray:
    count = windows(np.ones((1, *x.shape[1:-1], 1), x.dtype), window, strides, pads, 0).sum(-1)
    return windows(x, window, strides, pads, 0).sum(axis=-1) / count


@average_pool_op.decompose
def _average_decompose(x: Any, *, window: Window, strides: Window, pads: Pairs) -> Any:
    inner, left = padded_apart(x, pads)
    total = sum_pool_op(inner, window=window, strides=strides, pads=left)
    return _divided(total, x, window, strides, pads)


def _divided(total: Any, x: Any, window: Window, strides: Window, pads: Pairs) -> Any:
    """Sums of windows as means of the elements of x in them."""
    dtype = dtypes.standardize(x.dtype)
    if not any(a or b for a, b in pads):
        return ew.multiply(total, 1.0 / float(np.prod(window)))
    for k, (n, w, s, p, d) in enumerate(
        zip(total.shape[1:-1], window, strides, pads, x.shape[1:-1], strict=True)
    ):
        count = ew.cast(_elements(n, w, s, p[0], d), dtype)
        total = ew.true_divide(total, movement.reshape(count, (n, *(1,) * (len(window) - k))))
    return total


def _elements(windows: int | Int, window: int, stride: int, before: int | Int, extent: int | Int) -> Any:
    """How many elements, padding not counted, each window has along one dimension."""
    first = ew.subtract(ew.multiply(create.iota(windows), stride), ew.as_tensor(before, "int32"))
    last = ew.minimum(ew.add(first, window), ew.as_tensor(extent, "int32"))
    return ew.subtract(last, ew.maximum(first, 0))


@average_pool_op.onnx
def _average_onnx(g: Any, x: str, *, window: Window, strides: Window, pads: Pairs) -> str:
    around = onnx_padding(g.shape(x)[1:-1], window, strides, (1,) * len(window), pads)
    attrs = {"kernel_shape": list(window), "strides": list(strides), "count_include_pad": 0, **around}
    return g.channels_first(x, len(window), lambda t: g.node("AveragePool", t, **attrs))


average_pool_op.samples(_pool_samples)


# --- public functions ---------------------------------------------------------------------------------------


def _pool(op: Op, inputs: Any, pool_size: Any, strides: Any, padding: str, data_format: str | None) -> Any:
    x = ew.as_tensor(inputs)
    check_rank(op.name, "inputs", x, 3)
    spatial = len(x.shape) - 2
    window = for_each(op.name, "pool_size", pool_size, spatial)
    steps = window if strides is None else for_each(op.name, "strides", strides, spatial)
    first = data_format_of(data_format) == "channels_first"
    if first:
        x = movement.transpose(x, (0, *range(2, spatial + 2), 1))
    pads = padding_pairs(padding.lower(), x.shape[1:-1], window, steps, (1,) * spatial)
    y = _slide(op, x, window, steps, pads)
    return movement.transpose(y, (0, spatial + 1, *range(1, spatial + 1))) if first else y


def _slide(op: Op, x: Any, window: Window, strides: Window, pads: Pairs) -> Any:
    """The pooling of x; padding of which the maximum is known only at run time is added before."""
    if op is max_pool_op:
        x, pads = padded_apart(x, pads, identity("max", dtypes.standardize(x.dtype)))
    return op(x, window=window, strides=strides, pads=pads)


def max_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Any:
    """The largest element of each window, per channel.

    Shapes:  inputs (n, d..., c) -> (n, o..., c); valid: o = (d - k) // s + 1, same: o = ceil(d / s).
    Args:    strides: `pool_size` unless given. The gradient goes to the first maximum of a window.

    >>> max_pool(np.arange(8.0).reshape(1, 2, 4, 1), 2)[0, 0, :, 0].tolist()
    [5.0, 7.0]
    """
    return _pool(max_pool_op, inputs, pool_size, strides, padding, data_format)


def average_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Any:
    """The mean of each window, per channel; padding does not count.

    Shapes:  as `max_pool`.

    >>> average_pool(np.arange(3.0).reshape(1, 3, 1), 2, 1, "same")[0, :, 0].tolist()
    [0.5, 1.5, 2.0]
    """
    from kcompile.ops.composite import floating

    return _pool(average_pool_op, floating(inputs), pool_size, strides, padding, data_format)
