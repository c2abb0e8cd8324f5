"""The largest middle part of images that has the shape of a given size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import symbolic
from kcompile.core.symbolic import Int
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import cutting

Dim = int | Int
Pair = tuple[int, int]
middle_op = Op("middle", cheap=True)


def middle_part(height: Dim, width: Dim, size: Pair) -> tuple[Dim, Dim, Dim, Dim]:
    """(top, left, rows, columns) of the largest middle part with the shape of `size`."""
    h, w = size
    rows = at_least(1, symbolic.minimum(height, symbolic.floordiv(width * h, w)))
    columns = at_least(1, symbolic.minimum(width, symbolic.floordiv(height * w, h)))
    return symbolic.floordiv(height - rows, 2), symbolic.floordiv(width - columns, 2), rows, columns


def at_least(low: int, x: Dim) -> Dim:
    """max(low, x) of dimensions."""
    return x + low - symbolic.minimum(x, low)


def _part(shape: Any, size: Pair, axes: Pair, whole: bool) -> tuple[Dim, Dim, Dim, Dim]:
    """As `middle_part`; where `whole`, of the very size if there are so many rows and columns."""
    height, width = (shape[a] for a in axes)
    found = middle_part(height, width, size)
    if not whole:
        return found
    h, w = size
    enough = symbolic.minimum(symbolic.floordiv(height, h), 1) * symbolic.minimum(
        symbolic.floordiv(width, w), 1
    )  # 1 or 0
    rows, columns = (enough * n + (1 - enough) * d for n, d in zip(size, found[2:], strict=True))
    return symbolic.floordiv(height - rows, 2), symbolic.floordiv(width - columns, 2), rows, columns


def _in_place(dims: Any, axes: Pair, values: Any) -> tuple[Any, ...]:
    changed = dict(zip(axes, values, strict=True))
    return tuple(changed.get(k, d) for k, d in enumerate(dims))


@middle_op.infer
def _middle_infer(x: TensorType, *, size: Pair, axes: Pair, whole: bool) -> TensorType:
    return TensorType(_in_place(x.shape, axes, _part(x.shape, size, axes, whole)[2:]), x.dtype)


@middle_op.reference
def _middle_reference(x: np.ndarray, *, size: Pair, axes: Pair, whole: bool) -> np.ndarray:
    top, left, rows, columns = (int(n) for n in _part(x.shape, size, axes, whole))
    cuts = (slice(top, top + rows), slice(left, left + columns))
    return x[_in_place((slice(None),) * x.ndim, axes, cuts)]


@middle_op.decompose
def _middle_decompose(x: Any, *, size: Pair, axes: Pair, whole: bool) -> Any:
    part, rank = _part(x.shape, size, axes, whole), len(x.shape)
    start = _in_place((0,) * rank, axes, part[:2])
    return cutting.slice_op(x, start=start, size=_in_place(x.shape, axes, part[2:]), step=(1,) * rank)


@middle_op.onnx
def _middle_onnx(g: Any, x: str, *, size: Pair, axes: Pair, whole: bool) -> str | None:
    """Rows and columns at once, as vectors of two."""
    extents = [g.shape(x)[a] for a in axes]
    if all(isinstance(d, int) for d in extents):
        return None
    own, new = g.dims(extents), _numbers(g, *size)
    across = g.node("Gather", own, _numbers(g, 1, 0))
    shaped = g.node("Div", g.node("Mul", across, new), _numbers(g, *size[::-1]))
    part = g.node("Max", g.node("Min", own, shaped), _numbers(g, 1))
    if whole:
        times = g.reduce("ReduceMin", g.node("Div", own, new), (0,), keepdims=True)
        part = g.node("Where", g.cast(times, "bool"), new, part)
    start = g.node("Div", g.node("Sub", own, part), _numbers(g, 2))
    return str(g.node("Slice", x, start, g.node("Add", start, part), _numbers(g, *axes)))


def _numbers(g: Any, *numbers: int) -> str:
    return str(g.constant(np.array(numbers, np.int64)))


@middle_op.samples
def _middle_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(2, 5, 7, 3)).astype("float32")
    for size in ((2, 2), (4, 1), (9, 3), (5, 7)):
        for whole in (False, True):
            attrs = {"size": size, "axes": (1, 2), "whole": whole}
            yield Sample((x,), attrs, f"{size}{'_whole' if whole else ''}")
    yield Sample((x[0],), {"size": (3, 6), "axes": (1, 2), "whole": True}, "first")
