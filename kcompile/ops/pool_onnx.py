"""Gradients of pooling as ONNX operators, which has none: one strided slice per position in the window."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ir.types import Shape
from kcompile.ops import cutting
from kcompile.ops import elementwise as ew
from kcompile.ops.windows import Window, identity

Pairs = Any


def max_position_onnx(g: Any, x: str, y: str, *, window: Window, strides: Window, pads: Pairs) -> str:
    """The first position that holds the maximum: tested from the last to the first."""
    shape = g.shape(y)
    dtype = "uint8" if np.prod(window) <= 256 else "int32"
    count = int(np.prod(window))
    if any(a or b for a, b in pads):
        ends = [0, *(p[0] for p in pads), 0, 0, *(p[1] for p in pads), 0]
        least = ew.onnx_number(g, identity("max", dtypes.standardize(g.dtype(x))), x)
        x = g.node("Pad", x, g.dims(tuple(ends)), least)
    axes = g.constant(np.arange(1, 1 + len(window), dtype=np.int64))
    steps = g.constant(np.array(strides, np.int64))
    parts = []
    for offsets in itertools.product(*map(range, window)):
        ends = [o + (n - 1) * s + 1 for o, n, s in zip(offsets, shape[1:-1], strides, strict=True)]
        parts.append(
            g.node("Slice", x, g.constant(np.array(offsets, np.int64)), g.dims(tuple(ends)), axes, steps)
        )
    if dtypes.is_half(g.dtype(x)):  # onnxruntime may leave y unrounded, and then it equals none of them
        y = g.node("Max", *parts)
    found = g.node("Expand", g.constant(np.array(count - 1, dtype)), g.dims(shape))
    for position, here in reversed(list(enumerate(parts[:-1]))):
        found = g.node("Where", g.node("Equal", here, y), g.constant(np.array(position, dtype)), found)
    return str(found)


def selected_onnx(g: Any, x: str, position: str, *, window: Window, strides: Window, pads: Pairs) -> str:
    """The element of each window that lies at `position`."""
    shape, kind = g.shape(position), g.dtype(position)
    if any(a or b for a, b in pads):
        ends = [0, *(p[0] for p in pads), 0, 0, *(p[1] for p in pads), 0]
        x = g.node("Pad", x, g.dims(tuple(ends)), ew.onnx_number(g, 0, x))
    axes = g.constant(np.arange(1, 1 + len(window), dtype=np.int64))
    steps = g.constant(np.array(strides, np.int64))
    found = ""
    for number, offsets in enumerate(itertools.product(*map(range, window))):
        ends = [o + (n - 1) * s + 1 for o, n, s in zip(offsets, shape[1:-1], strides, strict=True)]
        here = g.node("Slice", x, g.constant(np.array(offsets, np.int64)), g.dims(tuple(ends)), axes, steps)
        hit = g.node("Equal", position, g.constant(np.array(number, kind)))
        found = g.node("Where", hit, here, found) if found else here
    return str(found)


def max_gradient_onnx(
    g: Any, dy: str, position: str, *, shape: Shape, window: Window, strides: Window, pads: Pairs
) -> str:
    """Each element of dy at the position that held the maximum."""
    zero, kind = ew.onnx_number(g, 0, dy), g.dtype(position)

    def part(number: int) -> str:
        hit = g.node("Equal", position, g.constant(np.array(number, kind)))
        return str(g.node("Where", hit, dy, zero))

    return _scattered(g, dy, shape, window, strides, pads, part)


def sum_gradient_onnx(g: Any, dy: str, *, shape: Shape, window: Window, strides: Window, pads: Pairs) -> str:
    """Each element of dy at every position of its window."""
    return _scattered(g, dy, shape, window, strides, pads, lambda _: dy)


def _scattered(g: Any, dy: str, shape: Shape, window: Window, strides: Window, pads: Pairs, part: Any) -> str:
    total = ""
    for number, (before, after) in enumerate(_places(g.shape(dy), shape, window, strides, pads)):
        inner = (0, *(s - 1 for s in strides), 0)
        attrs = {"before": before, "after": after, "inner": inner, "value": 0.0}
        placed = cutting.pad_op.rules["onnx"](g, part(number), **attrs)
        total = g.node("Add", total, placed) if total else placed
    return total


def _places(
    y: Shape, x: Shape, window: Window, strides: Window, pads: Pairs
) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """For each position in the window: what lies before and behind the spread elements of dy."""
    for offsets in itertools.product(*map(range, window)):
        before = [o - p[0] for o, p in zip(offsets, pads, strict=True)]
        spread = [(n - 1) * s + 1 for n, s in zip(y[1:-1], strides, strict=True)]
        after = [d - b - n for d, b, n in zip(x[1:-1], before, spread, strict=True)]
        yield (0, *before, 0), (0, *after, 0)
