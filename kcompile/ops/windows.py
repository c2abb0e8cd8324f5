"""Windows that slide over the spatial dimensions of channels-last tensors: of arrays, and in kernels."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.core.errors import ShapeError, message
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.types import Shape, TensorType
from kcompile.ops import cutting
from kcompile.ops.convolution import Pairs, output_extent

Window = tuple[int, ...]


def pooled(op: str, x: TensorType, window: Window, strides: Window, pads: Pairs) -> Shape:
    if x.rank != len(window) + 2:
        raise ShapeError(
            message(f"{op}: {len(window)} spatial dimensions need rank {len(window) + 2}.", received=f"{x!r}")
        )
    spatial = []
    for d, k, s, p in zip(x.shape[1:-1], window, strides, pads, strict=True):
        n = output_extent(d, k, s, p, 1)
        if isinstance(n, int) and n <= 0:
            raise ShapeError(
                message(
                    f"{op}: the window is larger than the padded input.",
                    received=f"input {x!r}, window {window}",
                    hint='a smaller window, or padding="same"',
                )
            )
        spatial.append(n)
    return (x.shape[0], *spatial, x.shape[-1])


def identity(kind: str, dtype: str) -> Any:
    """What padding holds so that it does not change a reduction."""
    if kind == "sum":
        return 0
    if dtypes.is_float(dtype):
        return float("-inf")
    return False if dtype == "bool" else int(np.iinfo(dtype).min)


# --- windows of arrays --------------------------------------------------------------------------------------


def windows(x: np.ndarray, window: Window, strides: Window, pads: Pairs, value: Any) -> np.ndarray:
    """All windows of x, their positions flattened into one last axis: (n, o..., c, prod(window)).

    Negative padding cuts off what no window reads.
    """
    pairs = list(zip(x.shape[1:-1], pads, strict=True))
    x = x[(slice(None), *(slice(max(-a, 0), d + min(b, 0)) for d, (a, b) in pairs))]
    around = [(max(a, 0), max(b, 0)) for a, b in pads]
    padded = np.pad(x, ((0, 0), *around, (0, 0)), constant_values=value)
    axes = tuple(range(1, x.ndim - 1))
    views = np.lib.stride_tricks.sliding_window_view(padded, window, axes)
    views = views[(slice(None), *(slice(None, None, s) for s in strides))]
    return views.reshape((*views.shape[: x.ndim], math.prod(window)))


def scattered(
    dy: np.ndarray, x_shape: Shape, window: Window, strides: Window, pads: Pairs, take: Any
) -> np.ndarray:
    """The sum over windows of take(position in the window) at the element that lies there."""
    total = tuple(d + a + b for d, (a, b) in zip(x_shape[1:-1], pads, strict=True))
    dx = np.zeros((x_shape[0], *total, x_shape[-1]), dy.dtype)
    for position, offsets in enumerate(itertools.product(*map(range, window))):
        steps = zip(offsets, strides, dy.shape[1:-1], strict=True)
        at = tuple(slice(o, o + s * n, s) for o, s, n in steps)
        dx[(slice(None), *at)] += take(position)
    return dx[(slice(None), *(slice(a, a + d) for d, (a, _) in zip(x_shape[1:-1], pads, strict=True)))]


# --- windows in kernels -------------------------------------------------------------------------------------


def all_of(tests: list[Expr]) -> Expr:
    inside = loops.const(True, "bool")
    for test in tests:
        inside = test if inside.op == "const" else loops.apply("and", inside, test, dtype="bool")
    return inside


def element(i: Index, bound: Index, x: Any, strides: Window, pads: Pairs, value: Any) -> Expr:
    """The element of x at position `bound` of the window at output index i; `value` where that is padding."""
    at: list[int | Int] = [i[0]]
    tests = []
    for k, r, s, (a, b), d in zip(i[1:-1], bound, strides, pads, x.type.shape[1:-1], strict=True):
        position = k * s + r - a
        at.append(position)
        if a:
            tests.append(cutting.compare("ge", position, 0))
        if b:
            tests.append(cutting.compare("lt", position, d))
    return loops.guard(all_of(tests), x((*at, i[-1])), loops.const(value, x.type.dtype))


def covering(
    i: Index, dy: TensorType, window: Window, strides: Window, pads: Pairs, shape: Shape
) -> tuple[Index, list[Expr], Index, Index]:
    """The windows that cover input index i: their index in dy, tests that they exist, the offsets, axes.

    When windows do not overlap there is one, and no axis.
    """
    at, tests, inside, axes = [i[0]], [], [], []
    for h, p, k, s, (a, _), d in zip(
        i[1:-1], dy.shape[1:-1], window, strides, pads, shape[1:-1], strict=True
    ):
        candidates = -(-k // s)
        j = loops.axis(candidates, "w")
        last = symbolic.floordiv(h + a, s)  # the last window that begins at or before this element
        q, offset = last - j, h + a - last * s + j * s
        if candidates * s > k:
            tests.append(cutting.compare("lt", offset, k))
        if candidates > 1:
            tests.append(cutting.compare("ge", q, 0))
        if not (isinstance(d, int) and isinstance(p, int) and (d + a - 1) // s < p):
            tests.append(cutting.compare("lt", q, p))
        at.append(q)
        inside.append(offset)
        axes.append(j)
    return (*at, i[-1]), tests, tuple(inside), tuple(axes)
