"""Ops that move elements and compute nothing: index maps that fuse into whatever reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.core.errors import ShapeError, message
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import Shape, TensorType
from kcompile.ops import elementwise as ew


def _axis(op: str, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ShapeError(message(f"{op}: axis must lie in [{-rank}, {rank}).", received=f"axis={axis}"))
    return axis % rank


def flat_index(i: Index, shape: Shape) -> int | Int:
    """Row-major position of an index."""
    position: int | Int = 0
    for k, d in zip(i, shape, strict=True):
        position = position * d + k
    return position


def unflatten(position: int | Int, shape: Shape) -> Index:
    """The index at a row-major position."""
    index: list[int | Int] = []
    for d in reversed(shape[1:]):
        quotient = symbolic.floordiv(position, d)
        index.append(position - quotient * d)
        position = quotient
    return tuple(reversed([*index, position])) if shape else ()


# --- reshape ------------------------------------------------------------------------------------------------

reshape_op = Op("reshape", cheap=True)


@reshape_op.infer
def _reshape_infer(x: TensorType, *, shape: Shape) -> TensorType:
    if symbolic.product(x.shape) != symbolic.product(shape):
        raise ShapeError(
            message(
                "reshape: the number of elements must stay the same.",
                expected=f"{x!r}",
                received=f"shape {shape}",
            )
        )
    return TensorType(tuple(shape), x.dtype)


@reshape_op.reference
def _reshape_reference(x: np.ndarray, *, shape: Shape) -> np.ndarray:
    return x.reshape(shape)


@reshape_op.vjp
def _reshape_vjp(dy: Any, y: Any, x: Any, *, shape: Shape) -> tuple[Any]:
    return (reshape(dy, x.shape),)


@reshape_op.scalar
def _reshape_scalar(i: Index, x: Any, *, out: TensorType, shape: Shape) -> Expr:
    return x(reshaped_index(i, out.shape, x.type.shape))


def reshaped_index(i: Index, here: Shape, there: Shape) -> Index:
    """The index in shape `there` of the element at index i of shape `here`; equal leading dimensions stay."""
    lead = 0
    while lead < min(len(here), len(there)) and here[lead] == there[lead]:
        lead += 1
    tail_here, tail_there = here[lead:], there[lead:]
    if not tail_there:
        return i[:lead]
    return (*i[:lead], *unflatten(flat_index(i[lead:], tail_here), tail_there))


@reshape_op.onnx
def _reshape_onnx(g: Any, x: str, *, shape: Shape) -> str:
    return g.reshape(x, shape)


@reshape_op.samples
def _reshape_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    for shape in ((6, 4), (24,), (2, 12), (4, 3, 2), (1, 2, 3, 4, 1)):
        yield Sample((x,), {"shape": shape}, str(shape))


def reshape(x: Any, newshape: Any) -> Any:
    """x in another shape with the same elements in row-major order; one dimension may be -1.

    >>> reshape(np.arange(6), (2, -1)).shape
    (2, 3)
    """
    x = ew.as_tensor(x)
    shape = resolve_shape(x.shape, newshape)
    return x if tuple(x.shape) == shape else reshape_op(x, shape=shape)


def resolve_shape(shape: Shape, target: Any) -> Shape:
    """`target` with its -1 (or one None) replaced by what is left of `shape`."""
    target = tuple(target) if isinstance(target, (tuple, list)) else (target,)
    dims = [d if isinstance(d, Int) else -1 if d is None else int(d) for d in target]
    unknown = [k for k, d in enumerate(dims) if isinstance(d, int) and d == -1]
    if len(unknown) > 1:
        raise ShapeError(message("reshape: only one dimension may be -1.", received=f"shape {target}"))
    if unknown:
        known = symbolic.product(d for k, d in enumerate(dims) if k != unknown[0])
        total = symbolic.product(shape)
        rest = 0 if known == 0 else symbolic.floordiv(total, known)
        if rest * known != total:
            raise ShapeError(
                message(
                    "reshape: -1 cannot be resolved.",
                    expected=f"a divisor of {total}",
                    received=f"shape {target}",
                )
            )
        dims[unknown[0]] = rest
    return tuple(dims)


# --- transpose ----------------------------------------------------------------------------------------------

transpose_op = Op("transpose", cheap=True)


@transpose_op.infer
def _transpose_infer(x: TensorType, *, axes: tuple[int, ...]) -> TensorType:
    if sorted(axes) != list(range(x.rank)):
        raise ShapeError(
            message("transpose: axes must be a permutation.", expected=f"rank {x.rank}", received=str(axes))
        )
    return TensorType(tuple(x.shape[a] for a in axes), x.dtype)


@transpose_op.reference
def _transpose_reference(x: np.ndarray, *, axes: tuple[int, ...]) -> np.ndarray:
    return np.transpose(x, axes)


@transpose_op.vjp
def _transpose_vjp(dy: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> tuple[Any]:
    return (transpose(dy, tuple(int(k) for k in np.argsort(axes))),)


@transpose_op.scalar
def _transpose_scalar(i: Index, x: Any, *, out: TensorType, axes: tuple[int, ...]) -> Expr:
    at: list[Any] = [0] * len(axes)
    for position, a in enumerate(axes):
        at[a] = i[position]
    return x(tuple(at))


@transpose_op.onnx
def _transpose_onnx(g: Any, x: str, *, axes: tuple[int, ...]) -> str:
    return g.node("Transpose", x, perm=list(axes))


@transpose_op.samples
def _transpose_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    for axes in ((2, 1, 0), (0, 2, 1), (1, 0, 2)):
        yield Sample((x,), {"axes": axes}, str(axes))


def transpose(x: Any, axes: Any = None) -> Any:
    """x with its axes permuted, reversed by default."""
    x = ew.as_tensor(x)
    rank = len(x.shape)
    order = tuple(reversed(range(rank))) if axes is None else tuple(int(a) % rank for a in axes)
    return x if order == tuple(range(rank)) else transpose_op(x, axes=order)


# --- broadcast ----------------------------------------------------------------------------------------------

broadcast_op = Op("broadcast_to", cheap=True)


@broadcast_op.infer
def _broadcast_infer(x: TensorType, *, shape: Shape) -> TensorType:
    tail = shape[len(shape) - x.rank :] if x.rank else ()
    if x.rank > len(shape) or any(d not in (1, e) for d, e in zip(x.shape, tail, strict=True)):
        raise ShapeError(
            message("broadcast_to: the shape does not fit.", expected=f"{shape}", received=f"{x!r}")
        )
    return TensorType(tuple(shape), x.dtype)


broadcast_op.reference(lambda x, *, shape: np.broadcast_to(x, shape))


@broadcast_op.vjp
def _broadcast_vjp(dy: Any, y: Any, x: Any, *, shape: Shape) -> tuple[Any]:
    return (ew.unbroadcast(dy, x.shape),)


@broadcast_op.scalar
def _broadcast_scalar(i: Index, x: Any, *, out: TensorType, shape: Shape) -> Expr:
    return x(ew.aligned(i, x.type.shape))


@broadcast_op.onnx
def _broadcast_onnx(g: Any, x: str, *, shape: Shape) -> str:
    return g.node("Expand", x, g.dims(shape))


@broadcast_op.samples
def _broadcast_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(3, 1)).astype("float32"),), {"shape": (2, 3, 4)})
    yield Sample((rng.normal(size=()).astype("float32"),), {"shape": (5,)}, "scalar")


def broadcast_to(x: Any, shape: Any) -> Any:
    """x repeated along new and size-1 dimensions up to `shape`."""
    x = ew.as_tensor(x)
    shape = tuple(shape)
    return x if tuple(x.shape) == shape else broadcast_op(x, shape=shape)


# --- slice --------------------------------------------------------------------------------------------------

slice_op = Op("slice", cheap=True)


@slice_op.infer
def _slice_infer(x: TensorType, *, start: tuple[Any, ...], size: Shape, step: tuple[int, ...]) -> TensorType:
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
    if any(s < 0 for s in step):
        flipped = tuple(k for k, s in enumerate(step) if s < 0)
        dy = flip(dy, flipped)
        start = tuple(a + (n - 1) * s if s < 0 else a for a, n, s in zip(start, size, step, strict=True))
    steps = tuple(abs(s) for s in step)
    after = tuple(d - a - ((n - 1) * s + 1) for d, a, n, s in zip(x.shape, start, size, steps, strict=True))
    return (pad_op(dy, before=tuple(start), after=after, inner=tuple(s - 1 for s in steps), value=0.0),)


@slice_op.scalar
def _slice_scalar(i: Index, x: Any, *, out: TensorType, start: Any, size: Any, step: Any) -> Expr:
    return x(tuple(a + k * s for a, k, s in zip(start, i, step, strict=True)))


@slice_op.onnx
def _slice_onnx(g: Any, x: str, *, start: Any, size: Any, step: Any) -> str:
    # An end of -1 would mean the last element; the end before the first one is any far negative number.
    ends = [a + n * s for a, n, s in zip(start, size, step, strict=True)]
    ends = [-(2**31) if isinstance(e, int) and e < 0 else e for e in ends]
    axes, steps = (g.constant(np.array(v, np.int64)) for v in (range(len(step)), step))
    return g.node("Slice", x, g.dims(start), g.dims(ends), axes, steps)


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


def getitem(x: Any, key: Any) -> Any:
    """Basic and integer-array indexing: x[1], x[:, None, ::2], x[..., -1], x[indices]."""
    from kcompile.ops import index as indexing

    key = key if isinstance(key, tuple) else (key,)
    arrays = [
        k
        for k in key
        if not isinstance(k, (int, slice, np.integer, Int)) and k is not None and k is not Ellipsis
    ]
    if arrays:
        if len(arrays) == 1 and all(k is arrays[0] or k in (slice(None), Ellipsis) for k in key):
            before = key[: [k is arrays[0] for k in key].index(True)]
            rank = len(x.shape) - len(key) + 1 + (1 if Ellipsis in before else 0)
            axis = len(before) if Ellipsis not in before else len(before) - 1 + rank - 1
            return indexing.take(x, arrays[0], axis=axis)
        raise NotImplementedError(
            "indexing with several arrays is not supported; use ops.take or ops.take_along_axis"
        )
    expanded = _expand_key(key, len(x.shape))
    start, size, step, final = [], [], [], []
    dims = iter(x.shape)
    for k in expanded:
        if k is None:
            final.append(1)
            continue
        d = next(dims)
        a, n, s = _slice_of(k, d)
        start.append(a), size.append(n), step.append(s)
        if isinstance(k, slice):
            final.append(n)
    full = all(isinstance(a, int) and a == 0 and s == 1 for a, s in zip(start, step, strict=True)) and tuple(
        size
    ) == tuple(x.shape)
    cut = x if full else slice_op(x, start=tuple(start), size=tuple(size), step=tuple(step))
    return reshape(cut, tuple(final))


def _expand_key(key: tuple[Any, ...], rank: int) -> list[Any]:
    used = len([k for k in key if k is not None and k is not Ellipsis])
    if used > rank:
        raise IndexError(f"too many indices: {used} for a tensor of rank {rank}")
    fill = [slice(None)] * (rank - used)
    if Ellipsis in key:
        at = [k is Ellipsis for k in key].index(True)
        return [*key[:at], *fill, *key[at + 1 :]]
    return [*key, *fill]


def _slice_of(k: Any, d: int | Int) -> tuple[Any, Any, int]:
    if not isinstance(k, slice):
        if isinstance(k, (int, np.integer)) and isinstance(d, int) and not -d <= k < d:
            raise IndexError(f"index {k} is out of bounds for a dimension of size {d}")
        return (d + k if isinstance(k, (int, np.integer)) and k < 0 else k), 1, 1
    if isinstance(d, int) and not any(isinstance(b, Int) for b in (k.start, k.stop)):
        first, last, s = k.indices(d)
        return first, max(0, -(-(last - first) // s)), s
    s = k.step or 1
    first = 0 if k.start is None else k.start if isinstance(k.start, Int) or k.start >= 0 else d + k.start
    last = d if k.stop is None else k.stop if isinstance(k.stop, Int) or k.stop >= 0 else d + k.stop
    if s < 0:
        raise NotImplementedError(
            "a negative step over a dimension that is known only at run time: use ops.flip"
        )
    return first, symbolic.floordiv(last - first + s - 1, s), s


# --- pad ----------------------------------------------------------------------------------------------------

pad_op = Op("pad")


@pad_op.infer
def _pad_infer(x: TensorType, *, before: Any, after: Any, inner: Any, value: float) -> TensorType:
    dims = tuple(
        b + d + (d - 1) * n + a if n else b + d + a
        for d, b, a, n in zip(x.shape, before, after, inner, strict=True)
    )
    return TensorType(dims, x.dtype)


@pad_op.reference
def _pad_reference(x: np.ndarray, *, before: Any, after: Any, inner: Any, value: float) -> np.ndarray:
    shape = tuple(
        b + d + max(d - 1, 0) * n + a for d, b, a, n in zip(x.shape, before, after, inner, strict=True)
    )
    y = np.full(tuple(max(d, 0) for d in shape), value, x.dtype)
    into, take = [], []
    for d, b, n in zip(x.shape, before, inner, strict=True):
        positions = b + np.arange(d) * (n + 1)
        ok = (positions >= 0) & (positions < y.shape[len(into)])
        into.append(positions[ok]), take.append(np.arange(d)[ok])
    y[np.ix_(*into)] = x[np.ix_(*take)]
    return y


@pad_op.vjp
def _pad_vjp(dy: Any, y: Any, x: Any, *, before: Any, after: Any, inner: Any, value: float) -> tuple[Any]:
    # Negative padding crops; what was cropped has no gradient.
    cropped = pad_op(
        dy, before=tuple(_minus(b) for b in before), after=tuple(_minus(a) for a in after),
        inner=(0,) * len(inner), value=0.0,
    )  # fmt: skip
    if not builtins_any(inner):
        return (cropped,)
    return (
        slice_op(cropped, start=(0,) * len(inner), size=tuple(x.shape), step=tuple(n + 1 for n in inner)),
    )


def builtins_any(xs: Sequence[Any]) -> bool:
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
            tests.append(_compare("eq", position - stepped * (n + 1), 0))
            position = stepped
        if _positive(b):
            tests.append(_compare("ge", position, 0))
        if _positive(a) or n:
            tests.append(_compare("lt", position, d))
        at.append(position)
    inside = loops.const(True, "bool")
    for test in tests:
        inside = (
            test if inside.op == "const" and inside.attr else loops.apply("and", inside, test, dtype="bool")
        )
    return loops.guard(inside, x(tuple(at)), loops.const(value, out.dtype))


def _compare(op: str, a: int | Int, b: int | Int) -> Expr:
    return loops.apply(op, loops.index(a), loops.index(b), dtype="bool")


@pad_op.onnx
def _pad_onnx(g: Any, x: str, *, before: Any, after: Any, inner: Any, value: float) -> str:
    number = ew.onnx_number(g, value, x)
    for axis, gap in enumerate(inner):
        if gap:
            x = _onnx_gaps(g, x, axis, gap, number)
    return g.node("Pad", x, g.dims((*before, *after)), number)


def _onnx_gaps(g: Any, x: str, axis: int, gap: int, number: str) -> str:
    """`gap` numbers after each element but the last: an axis of their own, joined to `axis`, less the last ones."""
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


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """x with `pad_width` ((before, after) per axis) elements of `constant_values` (0) around it."""
    x = ew.as_tensor(x)
    widths = np.broadcast_to(np.asarray(pad_width, int), (len(x.shape), 2)).tolist()
    if mode != "constant":
        return _pad_by_index(x, widths, mode)
    value = 0.0 if constant_values is None else float(constant_values)
    before, after = tuple(w[0] for w in widths), tuple(w[1] for w in widths)
    if not builtins_any(before) and not builtins_any(after):
        return x
    return pad_op(x, before=before, after=after, inner=(0,) * len(x.shape), value=value)


def _pad_by_index(x: Any, widths: list[list[int]], mode: str) -> Any:
    """Reflect, symmetric, edge and wrap padding: gather along each axis."""
    from kcompile.ops import index as indexing

    for k, (before, after) in enumerate(widths):
        if before or after:
            d = x.shape[k]
            if not isinstance(d, int):
                raise ShapeError(
                    message(f"pad: mode {mode!r} needs a known dimension.", received=f"axis {k} is {d}")
                )
            x = indexing.take(x, np.pad(np.arange(d, dtype="int32"), (before, after), mode=mode), axis=k)  # type: ignore[call-overload]
    return x


# --- concatenate --------------------------------------------------------------------------------------------

concatenate_op = Op("concatenate")


@concatenate_op.infer
def _concatenate_infer(*xs: TensorType, axis: int) -> TensorType:
    first = xs[0]
    for x in xs[1:]:
        if x.rank != first.rank or any(
            a != b for k, (a, b) in enumerate(zip(x.shape, first.shape, strict=True)) if k != axis
        ):
            raise ShapeError(
                message(
                    "concatenate: shapes must match except along the axis.",
                    received=", ".join(map(repr, xs)),
                    expected=f"equal dimensions except axis {axis}",
                )
            )
    total: int | Int = 0
    for x in xs:
        total = total + x.shape[axis]
    return TensorType((*first.shape[:axis], total, *first.shape[axis + 1 :]), first.dtype)


@concatenate_op.reference
def _concatenate_reference(*xs: np.ndarray, axis: int) -> np.ndarray:
    return np.concatenate(xs, axis=axis)


@concatenate_op.vjp
def _concatenate_vjp(dy: Any, y: Any, *xs: Any, axis: int) -> tuple[Any, ...]:
    parts, offset = [], 0
    for x in xs:
        start = tuple(offset if k == axis else 0 for k in range(len(x.shape)))
        parts.append(slice_op(dy, start=start, size=tuple(x.shape), step=(1,) * len(x.shape)))
        offset = offset + x.shape[axis]
    return tuple(parts)


@concatenate_op.scalar
def _concatenate_scalar(i: Index, *xs: Any, out: TensorType, axis: int) -> Expr:
    offsets: list[Any] = [0]
    for x in xs[:-1]:
        offsets.append(offsets[-1] + x.type.shape[axis])
    pieces = [x((*i[:axis], i[axis] - o, *i[axis + 1 :])) for x, o in zip(xs, offsets, strict=True)]
    result = pieces[-1]
    for piece, end in reversed(list(zip(pieces[:-1], offsets[1:], strict=True))):
        result = loops.guard(_compare("lt", i[axis], end), piece, result)
    return result


@concatenate_op.onnx
def _concatenate_onnx(g: Any, *xs: str, axis: int) -> str:
    return g.node("Concat", *xs, axis=axis)


@concatenate_op.samples
def _concatenate_samples(rng: np.random.Generator) -> Iterator[Sample]:
    a, b, c = (rng.normal(size=(2, n, 3)).astype("float32") for n in (1, 4, 2))
    yield Sample((a, b, c), {"axis": 1})
    yield Sample((a[:, 0], b[:, 0]), {"axis": 0}, "axis0")


def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Tensors joined along an existing axis.

    >>> concatenate([np.zeros((2, 1)), np.ones((2, 2))], axis=1).shape
    (2, 3)
    """
    tensors = ew.operands(*xs)
    position = _axis("concatenate", axis, len(tensors[0].shape))
    return concatenate_op(*tensors, axis=position)


def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Tensors joined along a new axis."""
    tensors = ew.operands(*x)
    position = _axis("stack", axis, len(tensors[0].shape) + 1)
    return concatenate([expand_dims(t, position) for t in tensors], axis=position)


def expand_dims(x: Any, axis: Any) -> Any:
    """x with new dimensions of size 1 at `axis` (positions in the result)."""
    x = ew.as_tensor(x)
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    rank = len(x.shape) + len(given)
    places = {_axis("expand_dims", a, rank) for a in given}
    dims = iter(x.shape)
    return reshape(x, tuple(1 if k in places else next(dims) for k in range(rank)))


def squeeze(x: Any, axis: Any = None) -> Any:
    """x without its dimensions of size 1 (all, or those in `axis`)."""
    x = ew.as_tensor(x)
    given = [k for k, d in enumerate(x.shape) if d == 1] if axis is None else axis
    given = given if isinstance(given, (tuple, list)) else (given,)
    places = {_axis("squeeze", a, len(x.shape)) for a in given}
    for k in places:
        if x.shape[k] != 1:
            raise ShapeError(
                message("squeeze: only dimensions of size 1 can go.", received=f"axis {k} of {x.shape}")
            )
    return reshape(x, tuple(d for k, d in enumerate(x.shape) if k not in places))


# --- extents as numbers -------------------------------------------------------------------------------------

extent_op = Op("extent", cheap=True)


@extent_op.infer
def _extent_infer(*, dim: Any, dtype: str) -> TensorType:
    return TensorType((), dtype)


@extent_op.reference
def _extent_reference(*, dim: Any, dtype: str) -> np.ndarray:
    return np.asarray(dim, dtypes.numpy_dtype(dtype))


@extent_op.scalar
def _extent_scalar(i: Index, *, out: TensorType, dim: Any, dtype: str) -> Expr:
    return loops.cast(loops.index(dim, "int64"), dtype)


@extent_op.onnx
def _extent_onnx(g: Any, *, dim: Any, dtype: str) -> str:
    return g.cast(g.node("Squeeze", g.dims((dim,))), dtype)


@extent_op.samples
def _extent_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((), {"dim": 5, "dtype": "int32"})
    yield Sample((), {"dim": 7, "dtype": "float32"}, "float")


def extent(dim: int | Int, dtype: str = "int32") -> Any:
    """A dimension as a 0-d tensor."""
    from kcompile.ir import graph
    from kcompile.ir.op import constant

    if isinstance(dim, int):
        return constant(np.asarray(dim, dtype))
    attrs = {"dim": dim, "dtype": dtype}
    return graph.node(extent_op, (), attrs, extent_op.infer_types((), attrs)).values[0]


def shape(x: Any) -> tuple[Any, ...]:
    """The shape of x: ints, and symbolic dimensions where they are known only at run time."""
    return tuple(ew.as_tensor(x).shape)


def _install() -> None:
    from kcompile.ir.graph import Value

    Value.__getitem__ = lambda x, key: getitem(x, key)  # type: ignore[attr-defined]


_install()


# --- copy ---------------------------------------------------------------------------------------------------

copy_op = Op("copy", cheap=True)  # slot makes two copies of one value two values


@copy_op.infer
def _copy_infer(x: TensorType, *, slot: int) -> TensorType:
    return x


copy_op.reference(lambda x, *, slot: x.copy())


@copy_op.vjp
def _copy_vjp(dy: Any, y: Any, x: Any, *, slot: int) -> tuple[Any]:
    return (dy,)


@copy_op.scalar
def _copy_scalar(i: Index, x: Any, *, out: TensorType, slot: int) -> Expr:
    return x(i)


@copy_op.onnx
def _copy_onnx(g: Any, x: str, *, slot: int) -> str:
    return g.node("Identity", x)


@copy_op.samples
def _copy_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(3, 2)).astype("float32"),), {"slot": 0})
