"""Pooling to a given output size as ONNX operators: windows side by side on an axis of their own, reduced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.symbolic import Int, floordiv

Dim = int | Int


def begin(i: Any, extent: Any, size: Any) -> Any:
    """Where window i begins."""
    return floordiv(i * extent, size)


def end(i: Any, extent: Any, size: Any) -> Any:
    """Where window i ends."""
    return floordiv((i + 1) * extent + size - 1, size)


def slices(extent: int, size: int) -> Iterator[slice]:
    """All windows, in their order."""
    for i in range(size):
        yield slice(begin(i, extent, size), end(i, extent, size))


def reduced(g: Any, op: str, x: str, axis: int, size: Dim) -> str:
    """Each window's sum or maximum; one slice for each where the extent is open."""
    assert isinstance(size, int)
    extent, axes = g.shape(x)[axis], g.constant(np.array([axis], np.int64))
    if isinstance(extent, int) and extent:
        fill = _nothing if op == "ReduceSum" else _again
        return str(g.reduce(op, _windows(g, x, axis, size, extent, fill), [axis + 1], False))
    parts = []
    for i in range(size):
        first, last = (g.dims((f(i, extent, size),)) for f in (begin, end))
        parts.append(g.reduce(op, g.node("Slice", x, first, last, axes), [axis], True))
    return str(parts[0] if size == 1 else g.node("Concat", *parts, axis=axis))


def mean(g: Any, x: str, *, axis: int, size: Dim) -> str:
    """Each window's mean, where windows are as wide as each other, or of at most two elements.

    Raises:  NotImplementedError for others: their sums are multiplied with a share of their own.
    """
    extent = g.shape(x)[axis]
    if not isinstance(size, int) or not isinstance(extent, int) or not extent:
        raise NotImplementedError("the widths of the windows are open")
    parts = list(slices(extent, size))
    widths = {part.stop - part.start for part in parts}
    if max(widths) <= 2:
        return _mean_of_pairs(g, x, axis, parts)
    if len(widths) > 1:
        raise NotImplementedError("the windows differ in width")
    return str(g.reduce("ReduceMean", _windows(g, x, axis, size, extent, _again), [axis + 1], False))


def _mean_of_pairs(g: Any, x: str, axis: int, parts: list[slice]) -> str:
    """The first and the last element of each window, which are the same in a window of one."""
    first, last = ([part.start for part in parts], [part.stop - 1 for part in parts])
    if first == list(range(g.shape(x)[axis])) == last:
        return str(g.node("Identity", x))
    if first == last:  # more windows than elements
        return str(g.node("Gather", x, g.constant(np.array(first, np.int64)), axis=axis))
    a, b = (g.node("Gather", x, g.constant(np.array(at, np.int64)), axis=axis) for at in (first, last))
    dtype = dtypes.standardize(g.dtype(x))
    if dtype == "float32":  # the only one that onnxruntime has this operator for
        return str(g.node("Mean", a, b))
    return str(g.node("Mul", g.node("Add", a, b), g.constant(np.array(0.5, dtypes.numpy_dtype(dtype)))))


Fill = Callable[[range, int], int]


def _again(window: range, extent: int) -> int:
    """A window is filled up with its last element, which changes no maximum."""
    return window[-1]


def _nothing(window: range, extent: int) -> int:
    """A window is filled up with a zero behind all others."""
    return extent


def _windows(g: Any, x: str, axis: int, size: int, extent: int, fill: Fill) -> str:
    """x with (size, widest window) in the place of the axis."""
    windows = [range(part.start, part.stop) for part in slices(extent, size)]
    widest = max(map(len, windows))
    index = np.array([[*w, fill(w, extent)][:widest] for w in windows])
    if index.max() == extent:
        pads = np.zeros((2, len(g.shape(x))), np.int64)
        pads[1, axis] = 1
        zero = g.constant(np.zeros((), dtypes.numpy_dtype(g.dtype(x))))
        x = g.node("Pad", x, g.constant(pads.reshape(-1)), zero)
    return str(g.node("Gather", x, g.constant(index), axis=axis))


def gradient(g: Any, dy: str, position: str, *, axis: int, size: Any) -> str:
    """Element j of the axis adds up what lies where `position` is j."""
    behind = g.constant(np.array([axis + 1], np.int64))
    counted = g.reshape(
        g.constant(np.arange(size, dtype="int32")), (size, *(1,) * (len(g.shape(dy)) - axis - 1))
    )
    hit = g.node("Equal", g.node("Unsqueeze", position, behind), counted)
    zero = g.constant(np.zeros((), dtypes.numpy_dtype(g.dtype(dy))))
    chosen = g.node("Where", hit, g.node("Unsqueeze", dy, behind), zero)
    return str(g.reduce("ReduceSum", chosen, [axis], False))


def position(g: Any, x: str, y: str, *, axis: int) -> str:
    """One slice of x for each output: where its maximum lies."""
    extent, size = g.shape(x)[axis], g.shape(y)[axis]
    axes, parts = g.constant(np.array([axis], np.int64)), []
    for i in range(size):
        first, last = (g.dims((f(i, extent, size),)) for f in (begin, end))
        part = g.node("ArgMax", g.node("Slice", x, first, last, axes), axis=axis, keepdims=1)
        parts.append(g.node("Add", part, first))
    joined = parts[0] if size == 1 else g.node("Concat", *parts, axis=axis)
    return str(g.cast(joined, "int32"))
