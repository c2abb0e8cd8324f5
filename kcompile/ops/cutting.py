"""Parts of tensors and tensors inside of padding: index maps, each the gradient of the other."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.core.errors import ShapeError, message
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.traits import Traits
from kcompile.ir.types import Shape, TensorType
from kcompile.ir.views import View
from kcompile.ops import elementwise as ew
from kcompile.ops import spans

# --- slice --------------------------------------------------------------------------------------------------

slice_op = Op("slice", cheap=True, traits=Traits(moves=True, slices=True))


@slice_op.infer
def _slice_infer(x: TensorType, *, start: tuple[Any, ...], size: Shape, step: tuple[int, ...]) -> TensorType:
    for d, a, n, s in zip(x.shape, start, size, step, strict=True):
        ends = a, a + (n - 1) * s
        if (
            n != 0
            and not builtins.any(isinstance(k, Int) for k in (d, *ends))
            and not 0 <= min(ends) <= max(ends) < d
        ):
            what = f"elements {ends[0]} to {ends[1]} of {d} are not there"
            raise ShapeError(message(f"slice: {what}.", received=f"{x!r}"))
    return TensorType(tuple(size), x.dtype)


def _slices(start: Any, size: Any, step: Any) -> tuple[slice, ...]:
    return tuple(
        slice(
            a,
            a + (n - 1) * s + (1 if s > 0 else -1) if a + (n - 1) * s + (1 if s > 0 else -1) >= 0 else None,
            s,
        )
        if n > 0
        else slice(0, 0)
        for a, n, s in zip(start, size, step, strict=True)
    )


@slice_op.reference
def _slice_reference(x: np.ndarray, *, start: Any, size: Any, step: Any) -> np.ndarray:
    return x[_slices(start, size, step)]


@slice_op.vjp
def _slice_vjp(dy: Any, y: Any, x: Any, *, start: Any, size: Any, step: Any) -> tuple[Any]:
    if builtins.any(s < 0 for s in step):
        flipped = tuple(k for k, s in enumerate(step) if s < 0)
        dy = flip(dy, flipped)
        start = tuple(a + (n - 1) * s if s < 0 else a for a, n, s in zip(start, size, step, strict=True))
    steps = tuple(abs(s) for s in step)
    after = tuple(d - a - ((n - 1) * s + 1) for d, a, n, s in zip(x.shape, start, size, steps, strict=True))
    return (pad_op(dy, before=tuple(start), after=after, inner=tuple(s - 1 for s in steps), value=0.0),)


@slice_op.scalar
def _slice_scalar(i: Index, x: Any, *, out: TensorType, start: Any, size: Any, step: Any) -> Expr:
    return x(tuple(a + k * s for a, k, s in zip(start, i, step, strict=True)))


@slice_op.view
def _slice_view(inner: View, out: Shape, *, start: Any, size: Any, step: Any) -> View:
    offset = inner.offset
    for a, stride in zip(start, inner.strides, strict=True):
        offset = offset + a * stride
    strides = tuple(s * stride for s, stride in zip(step, inner.strides, strict=True))
    return View(inner.base, out, strides, offset)


@slice_op.onnx
def _slice_onnx(g: Any, x: str, *, start: Any, size: Any, step: Any) -> str:
    given = zip(range(len(step)), start, size, step, g.shape(x), strict=True)
    cuts = [(k, a, n, s, d) for k, a, n, s, d in given if n != d or s != 1]  # the axes that change
    if not cuts:
        return x
    twice = [spans.moved_inside(*cut[1:]) for cut in cuts]
    bounds = [_onnx_bounds(*cut) if pair is None else pair[0] for cut, pair in zip(cuts, twice, strict=True)]
    if any(bound is None for bound in bounds):
        return _onnx_turned_slice(g, x, start, size, step)
    shape = list(g.shape(x))
    x = _onnx_cut(g, x, [cut[0] for cut in cuts], bounds, [cut[3] for cut in cuts])
    again = [(cut, *pair) for cut, pair in zip(cuts, twice, strict=True) if pair is not None]
    if not again:
        return x
    for k, _, n, _, _ in cuts:
        shape[k] = n
    for (k, *_, d), (low, high), _ in again:
        shape[k] = spans.span(low, None if high == spans.END else high, 1, d)[1]
    g.types[x] = TensorType(tuple(shape), g.dtype(x))
    return _onnx_cut(g, x, [cut[0] for cut, *_ in again], [bound for *_, bound in again], [1] * len(again))


def _onnx_cut(g: Any, x: str, axes: Sequence[int], bounds: Sequence[Any], steps: Sequence[int]) -> str:
    starts, ends = (g.dims([bound[k] for bound in bounds]) for k in (0, 1))
    rest = (g.constant(np.array(numbers, np.int64)) for numbers in (axes, steps))
    return str(g.node("Slice", x, starts, ends, *rest))


def _onnx_bounds(axis: int, start: Any, size: Any, step: int, extent: Any) -> tuple[Any, Any] | None:
    """Start and end for ONNX; None for an end that may come before the first element.

    An end of -1 would mean the last element; the end before the first one is any far negative number.
    """
    if any(isinstance(n, Int) for n in (start, size)):
        fixed = spans.fixed_bounds(start, size, step, extent)
        if fixed is not None:
            return fixed
        return (start, start + size * step) if step > 0 else None
    end = start + size * step
    return start, spans.FIRST if end < 0 else end


def _onnx_turned_slice(g: Any, x: str, start: Any, size: Any, step: Any) -> str:
    """A slice with steps backwards over open extents: forwards, then all of it turned over."""
    turned = [k for k, s in enumerate(step) if s < 0]
    lowest = [a + (n - 1) * s if s < 0 else a for a, n, s in zip(start, size, step, strict=True)]
    forwards = _slice_onnx(g, x, start=tuple(lowest), size=size, step=tuple(abs(s) for s in step))
    g.types[forwards] = TensorType(tuple(size), g.dtype(x))
    back = [g.constant(np.full(len(turned), n, np.int64)) for n in (-1, spans.FIRST)]
    axes, steps = (g.constant(np.array(n, np.int64)) for n in (turned, [-1] * len(turned)))
    return str(g.node("Slice", forwards, *back, axes, steps))


@slice_op.samples
def _slice_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(5, 6)).astype("float32")
    yield Sample((x,), {"start": (1, 2), "size": (3, 4), "step": (1, 1)})
    yield Sample((x,), {"start": (0, 1), "size": (3, 2), "step": (2, 3)}, "strided")
    yield Sample((x,), {"start": (4, 5), "size": (5, 3), "step": (-1, -2)}, "reversed")


def flip(x: Any, axis: Any = None) -> Any:
    """x with the order of elements reversed along `axis`."""
    from kcompile.ops.reduce import normalize_axes

    x = ew.as_tensor(x)
    axes = normalize_axes("flip", axis, len(x.shape))
    start = tuple(d - 1 if k in axes else 0 for k, d in enumerate(x.shape))
    step = tuple(-1 if k in axes else 1 for k in range(len(x.shape)))
    return slice_op(x, start=start, size=tuple(x.shape), step=step)


# --- pad ----------------------------------------------------------------------------------------------------

pad_op = Op("pad", traits=Traits(moves=True, pads=True))


@pad_op.infer
def _pad_infer(x: TensorType, *, before: Any, after: Any, inner: Any, value: float) -> TensorType:
    dims = tuple(
        b + d + (d - 1) * n + a if n else b + d + a
        for d, b, a, n in zip(x.shape, before, after, inner, strict=True)
    )
    return TensorType(dims, x.dtype)


@pad_op.reference
def _pad_reference(x: np.ndarray, *, before: Any, after: Any, inner: Any, value: float) -> np.ndarray:
    shape = tuple(b + d + (d - 1) * n + a for d, b, a, n in zip(x.shape, before, after, inner, strict=True))
    y = np.full(tuple(max(d, 0) for d in shape), value, x.dtype)
    into: list[np.ndarray] = []
    taken: list[np.ndarray] = []
    for d, b, n in zip(x.shape, before, inner, strict=True):
        positions = b + np.arange(d) * (n + 1)
        ok = (positions >= 0) & (positions < y.shape[len(into)])
        into.append(positions[ok])
        taken.append(np.arange(d)[ok])
    y[np.ix_(*into)] = x[np.ix_(*taken)]
    return y


@pad_op.vjp
def _pad_vjp(dy: Any, y: Any, x: Any, *, before: Any, after: Any, inner: Any, value: float) -> tuple[Any]:
    # Negative padding crops; what was cropped has no gradient.
    cropped = pad_op(
        dy, before=tuple(_minus(b) for b in before), after=tuple(_minus(a) for a in after),
        inner=(0,) * len(inner), value=0.0,
    )  # fmt: skip
    if not _some(inner):
        return (cropped,)
    return (
        slice_op(cropped, start=(0,) * len(inner), size=tuple(x.shape), step=tuple(n + 1 for n in inner)),
    )


@pad_op.simplify
def _pad_simplify(out: TensorType, x: Any, *, before: Any, after: Any, inner: Any, value: float) -> Any:
    """Nothing around it, and nothing in between."""
    return x if all(isinstance(n, int) and n == 0 for n in (*before, *after, *inner)) else None


def _some(xs: Sequence[Any]) -> bool:
    return bool([x for x in xs if x])


def _minus(d: int | Int) -> int | Int:
    return -1 * d


def _positive(d: int | Int) -> bool:
    return not isinstance(d, int) or d > 0


@pad_op.scalar
def _pad_scalar(
    i: Index, x: Any, *, out: TensorType, before: Any, after: Any, inner: Any, value: float
) -> Expr:
    at, tests = [], []
    for k, d, b, a, n in zip(i, x.type.shape, before, after, inner, strict=True):
        position = k - b
        if n:
            stepped = symbolic.floordiv(position, n + 1)
            tests.append(compare("eq", position - stepped * (n + 1), 0))
            position = stepped
        if _positive(b):
            tests.append(compare("ge", position, 0))
        if _positive(a) or n:
            tests.append(compare("lt", position, d))
        at.append(position)
    inside = loops.const(True, "bool")
    for test in tests:
        inside = (
            test if inside.op == "const" and inside.attr else loops.apply("and", inside, test, dtype="bool")
        )
    return loops.guard(inside, x(tuple(at)), loops.const(value, out.dtype))


def compare(op: str, a: int | Int, b: int | Int) -> Expr:
    return loops.apply(op, loops.index(a), loops.index(b), dtype="bool")


@pad_op.onnx
def _pad_onnx(g: Any, x: str, *, before: Any, after: Any, inner: Any, value: float) -> str:
    number = ew.onnx_number(g, value, x)
    for axis, gap in enumerate(inner):
        if gap:
            x = _onnx_gaps(g, x, axis, gap, number)
    return g.node("Pad", x, g.dims((*before, *after)), number)


def _onnx_gaps(g: Any, x: str, axis: int, gap: int, number: str) -> str:
    """`gap` numbers after each element but the last: an axis of their own, joined to `axis`, then cut."""
    *front, extent = g.shape(x)[: axis + 1]
    back, rank = g.shape(x)[axis + 1 :], len(g.shape(x)) + 1
    pads = [0] * 2 * rank
    pads[rank + axis + 1] = gap
    apart = g.node("Unsqueeze", x, g.constant(np.array([axis + 1])))
    apart = g.node("Pad", apart, g.constant(np.array(pads, np.int64)), number)
    joined = g.reshape(apart, (*front, extent * (gap + 1), *back))
    start, end = g.constant(np.array([0])), g.dims((extent * (gap + 1) - gap,))
    return g.node("Slice", joined, start, end, g.constant(np.array([axis])))


@pad_op.samples
def _pad_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(3, 4)).astype("float32")
    yield Sample((x,), {"before": (1, 0), "after": (2, 3), "inner": (0, 0), "value": 0.0})
    yield Sample((x,), {"before": (1, 2), "after": (0, 1), "inner": (1, 2), "value": 0.0}, "dilated")
    yield Sample((x,), {"before": (-1, 0), "after": (0, -2), "inner": (0, 0), "value": 0.0}, "crop")
    yield Sample((x,), {"before": (1, 1), "after": (1, 1), "inner": (0, 0), "value": -1.5}, "value")


def pad(x: Any, pad_width: Any, constant_values: Any = None) -> Any:
    """x with `pad_width` ((before, after) per axis) elements of `constant_values` (0) around it."""
    x = ew.as_tensor(x)
    widths = np.broadcast_to(np.asarray(pad_width, int), (len(x.shape), 2)).tolist()
    before, after = tuple(w[0] for w in widths), tuple(w[1] for w in widths)
    if not _some(before) and not _some(after):
        return x
    dtype = dtypes.standardize(x.dtype)
    if constant_values is None:
        value = 0.0
    elif dtypes.is_int(dtype):  # a float has not all digits of a long number
        value = np.asarray(constant_values).astype(dtypes.numpy_dtype(dtype)).item()
    else:
        value = float(constant_values)
    return pad_op(x, before=before, after=after, inner=(0,) * len(x.shape), value=value)
