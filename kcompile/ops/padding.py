"""numpy.pad: what lies around a tensor, by constants, by its elements, or by numbers computed of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.symbolic import Int
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import arrange, checks, create, cutting, joining, movement, order, reduce, spans
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing
from kcompile.ops.copying import copy

BY_INDEX = ("edge", "reflect", "symmetric", "wrap")
STATISTICS: dict[str, Callable[..., Any]] = {
    "maximum": reduce.max, "minimum": reduce.min, "mean": reduce.mean, "median": order.median,
}  # fmt: skip
MODES = ("constant", "empty", "linear_ramp", *BY_INDEX, *STATISTICS)


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """x with `pad_width` elements around it.

    Args:    pad_width: a number, (before, after), or such a pair for each axis. mode: "constant"
             (`constant_values`, 0 by default), "edge", "reflect", "symmetric", "wrap", "maximum", "minimum",
             "mean" and "median" (of all that lies along the axis), "linear_ramp" (down to 0), "empty" (0).
    Raises:  ValueError for another mode, and for `constant_values` where none are used.

    >>> pad(np.array([1, 2]), (1, 2), mode="edge").tolist()
    [1, 1, 2, 2, 2]
    """
    if mode not in MODES:
        raise ValueError(f"pad: unknown mode {mode!r}. Expected one of {', '.join(MODES)}")
    if mode != "constant" and constant_values is not None:
        raise ValueError(
            "Argument `constant_values` can only be provided when `mode == 'constant'`. Received: "
            f"mode={mode}"
        )
    x = ew.as_tensor(x)
    if np.min(pad_width, initial=0) < 0:
        raise ValueError(f"pad: `pad_width` must not be negative. Received: pad_width={pad_width}")
    if not np.any(pad_width):
        return copy(x)
    if mode in ("constant", "empty"):
        return cutting.pad(x, pad_width, constant_values)
    widths = np.broadcast_to(np.asarray(pad_width, int), (len(x.shape), 2)).tolist()
    for axis, (before, after) in enumerate(widths):
        if not before and not after:
            continue
        checks.check_not_empty(f"pad by {mode!r}", x, (axis,))
        if mode not in BY_INDEX:
            x = _around(x, axis, before, after, mode)
    if mode in BY_INDEX:
        x = surround_op(x, before=tuple(w[0] for w in widths), after=tuple(w[1] for w in widths), mode=mode)
    return x


# --- padding by elements ------------------------------------------------------------------------------------

surround_op = Op("surround")


@surround_op.infer
def _surround_infer(
    x: TensorType, *, before: tuple[int, ...], after: tuple[int, ...], mode: str
) -> TensorType:
    checks.check_not_empty(
        f"pad by {mode!r}", x, (k for k, n in enumerate(zip(before, after, strict=True)) if any(n))
    )
    return TensorType(tuple(b + d + a for d, b, a in zip(x.shape, before, after, strict=True)), x.dtype)


@surround_op.reference
def _surround_reference(x: np.ndarray, *, before: Any, after: Any, mode: str) -> np.ndarray:
    return np.pad(x, tuple(zip(before, after, strict=True)), mode=mode)  # type: ignore[call-overload]


@surround_op.decompose
def _surround_decompose(x: Any, *, before: Any, after: Any, mode: str) -> Any:
    for axis, (b, a) in enumerate(zip(before, after, strict=True)):
        x = _by_index(x, axis, b, a, mode) if b or a else x
    return x


WRAPS = 19  # the opset from which on Pad wraps


@surround_op.onnx
def _surround_onnx(g: Any, x: str, *, before: Any, after: Any, mode: str) -> str | None:
    """Pad has no "symmetric", and its "reflect" goes back once: runtimes refuse images that are too small."""
    widths = list(zip(g.shape(x), before, after, strict=True))
    short = any(isinstance(d, int) and max(b, a) >= d for d, b, a in widths)
    if mode == "symmetric" and max(*before, *after) <= 1:
        mode = "edge"  # the same elements
    if (mode == "reflect" and short) or (mode in ("wrap", "symmetric") and g.opset < WRAPS):
        return None
    if mode == "symmetric":
        return _symmetric_onnx(g, x, widths)
    return str(g.node("Pad", x, g.dims((*before, *after)), mode=mode))


@surround_op.onnx_least
def _surround_onnx_least(*, before: Any, after: Any, mode: str) -> list[int]:
    """The extents from which on what is written holds for open ones."""
    return [max(b, a) + 1 if mode == "reflect" else 1 for b, a in zip(before, after, strict=True)]


def _symmetric_onnx(g: Any, x: str, widths: Sequence[tuple[int | Int, int, int]]) -> str:
    """What repeats is x and x backwards: both, wrapped, without as much at the end as x backwards has."""
    opened = [k for k, (d, *around) in enumerate(widths) if any(around) and not isinstance(d, int)]
    for axis, (d, b, a) in enumerate(widths):
        if isinstance(d, int) and (b or a):
            x = g.node("Gather", x, g.constant(np.pad(np.arange(d), (b, a), mode="symmetric")), axis=axis)
    if not opened:
        return x
    for axis in opened:
        ends = (-1, spans.FIRST, axis, -1)
        back = g.node("Slice", x, *(g.constant(np.array([end], np.int64)) for end in ends))
        x = g.node("Concat", x, back, axis=axis)
    pads = [w[side] if k in opened else 0 for side in (1, 2) for k, w in enumerate(widths)]
    x = g.node("Pad", x, g.dims(pads), mode="wrap")
    start, axes = (g.constant(np.array(ns, np.int64)) for ns in ([0] * len(opened), opened))
    return str(g.node("Slice", x, start, g.node("Neg", g.dims([widths[k][0] for k in opened])), axes))


@surround_op.samples
def _surround_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(3, 4)).astype("float32")
    for mode in BY_INDEX:
        yield Sample((x,), {"before": (1, 0), "after": (2, 3), "mode": mode}, mode)
        yield Sample((x,), {"before": (5, 0), "after": (0, 9), "mode": mode}, f"{mode}_far")
    whole = rng.integers(0, 9, (2, 3)).astype("int32")
    yield Sample((whole,), {"before": (0, 1), "after": (1, 2), "mode": "reflect"}, "int32")


def _by_index(x: Any, axis: int, before: int, after: int, mode: str) -> Any:
    """Reflect, symmetric, edge and wrap padding: gather along the axis."""
    size = x.shape[axis]
    if mode == "edge":
        return _edges(x, axis, before, after)
    if not isinstance(size, int):
        return indexing.take(x, _periodic(size, before, after, mode), axis=axis)
    at = np.pad(np.arange(size, dtype="int32"), (before, after), mode=mode)  # type: ignore[call-overload]
    return indexing.take(x, at, axis=axis)


def _periodic(size: Int, before: int, after: int, mode: str) -> Any:
    """Where the elements come from that reflect, symmetric and wrap padding repeat without end."""
    n = ew.as_tensor(movement.extent(size), "int32")
    at = ew.subtract(create.iota(size + (before + after)), before)
    if mode == "wrap":
        return ew.mod(at, n)
    back = 2 * n - 1 if mode == "symmetric" else ew.maximum(2 * n - 2, 1)  # the way back mirrors 0 there
    at = ew.mod(at, back + 1 if mode == "symmetric" else back)
    return ew.where(ew.less(at, n), at, ew.subtract(back, at))


def _edges(x: Any, axis: int, before: int, after: int) -> Any:
    first, last = arrange.part(x, axis, 0, 1), arrange.part(x, axis, x.shape[axis] - 1, 1)
    return _joined(x, axis, (first, before), (last, after))


def _around(x: Any, axis: int, before: int, after: int, mode: str) -> Any:
    """The same number on both sides, or two ramps."""
    if mode == "linear_ramp":
        first, last = arrange.part(x, axis, 0, 1), arrange.part(x, axis, x.shape[axis] - 1, 1)
        shape = [-1 if k == axis else 1 for k in range(len(x.shape))]
        up, down = (np.arange(n).reshape(shape) / max(n, 1) for n in (before, after))
        return _joined(x, axis, (_scaled(first, up), 1), (_scaled(last, np.flip(down, axis)), 1))
    own = dtypes.standardize(x.dtype)
    found = STATISTICS[mode](x, axis=axis, keepdims=True)
    if dtypes.is_int(own) and dtypes.is_float(dtypes.standardize(found.dtype)):
        found = ew.round(found)
    found = ew.cast(found, own)
    return _joined(x, axis, (found, before), (found, after))


def _scaled(edge: Any, factors: np.ndarray) -> Any:
    own = dtypes.standardize(edge.dtype)
    return ew.cast(ew.multiply(ew.cast(edge, ew.float_of(own)), factors.astype("float32")), own)


def _joined(x: Any, axis: int, front: tuple[Any, int], back: tuple[Any, int]) -> Any:
    """x between parts, each repeated along the axis."""
    parts = [_repeated(part, axis, times) for part, times in (front, back)]
    return joining.concatenate([parts[0], x, parts[1]], axis=axis)


def _repeated(part: Any, axis: int, times: int) -> Any:
    size: list[int | Int] = list(part.shape)
    if times == 0:
        return create.zeros(
            [0 if k == axis else d for k, d in enumerate(size)], dtypes.standardize(part.dtype)
        )
    if times == 1:
        return part
    return movement.broadcast_to(part, [times if k == axis else d for k, d in enumerate(size)])
