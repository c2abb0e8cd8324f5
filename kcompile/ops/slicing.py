"""Blocks at computed positions: slice and slice_update whose start is a tensor."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import symbolic
from kcompile.core.errors import BroadcastError, message
from kcompile.core.symbolic import Int
from kcompile.core.wholes import Extents
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample, unwrap
from kcompile.ir.types import Shape, TensorType
from kcompile.ops import cutting, joining, movement
from kcompile.ops import elementwise as ew

dynamic_slice_op = Op("dynamic_slice", cheap=True)
dynamic_update_op = Op("dynamic_update")


def _check(op: str, x: TensorType, start: TensorType, size: Shape) -> None:
    if start.shape != (x.rank,) or len(size) != x.rank:
        raise BroadcastError(
            message(f"{op}: one start and one extent per dimension.", received=f"{x!r}, {start!r}, {size}")
        )
    for d, n in zip(x.shape, size, strict=True):
        if isinstance(d, int) and isinstance(n, int) and n > d:
            raise BroadcastError(
                message(f"{op}: the block is larger than the tensor.", received=f"{size} of {x!r}")
            )


def _clamped(x: np.ndarray, start: np.ndarray, size: Any) -> tuple[builtins.slice, ...]:
    """The block, moved so that it lies inside; negative starts count from the end."""
    extents = np.array(x.shape, np.int64)
    start = np.where(start < 0, start + extents, start.astype(np.int64))
    first = np.clip(start, 0, extents - np.array(size, np.int64))
    return tuple(builtins.slice(int(a), int(a) + n) for a, n in zip(first, size, strict=True))


def _starts(start: Any, shape: Shape, size: Shape) -> list[int | Int]:
    """The clamped start of each dimension as an index."""
    found: list[int | Int] = []
    for k, (d, n) in enumerate(zip(shape, size, strict=True)):
        position = loops.cast(start((k,)), "int64")
        from_end = loops.apply("add", position, loops.index(d))
        negative = loops.apply("lt", position, loops.const(0, "int64"), dtype="bool")
        position = loops.apply("maximum", loops.select(negative, from_end, position), loops.const(0, "int64"))
        room = loops.apply("minimum", position, loops.index(d - n))
        found.append(0 if d == n else loops.dynamic(room, d - n + 1))
    return found


@dynamic_slice_op.infer
def _slice_infer(x: TensorType, start: TensorType, *, size: Shape) -> TensorType:
    _check("slice", x, start, size)
    return TensorType(tuple(size), x.dtype)


@dynamic_slice_op.reference
def _slice_reference(x: np.ndarray, start: np.ndarray, *, size: Shape) -> np.ndarray:
    return x[_clamped(x, start, size)]


@dynamic_slice_op.vjp
def _slice_vjp(dy: Any, y: Any, x: Any, start: Any, *, size: Shape) -> tuple[Any, None]:
    empty = movement.broadcast_to(ew.zero_like(dy), x.shape)
    return dynamic_update_op(empty, start, dy), None


@dynamic_slice_op.scalar
def _slice_scalar(i: Index, x: Any, start: Any, *, out: TensorType, size: Shape) -> Expr:
    first = _starts(start, x.type.shape, size)
    return x(tuple(a + k for a, k in zip(first, i, strict=True)))


@dynamic_slice_op.onnx
def _slice_onnx(g: Any, x: str, start: str, *, size: Shape) -> str:
    known = _known_start(g, start, g.shape(x), size)
    if known is not None:
        return str(cutting.slice_op.rules["onnx"](g, x, start=known, size=size, step=(1,) * len(size)))
    first = _onnx_start(g, start, g.shape(x), size)
    return g.node("Slice", x, first, g.node("Add", first, g.dims(size)), g.constant(np.arange(len(size))))


def _known_start(g: Any, start: str, shape: Shape, size: Shape) -> Shape | None:
    """The clamped start that a constant stands for."""
    if start not in g.constants:
        return None
    return tuple(map(_clamped_start, g.constants[start].tolist(), shape, size))


def _clamped_start(a: int, d: int | Int, n: int | Int) -> int | Int:
    if a == 0:  # the block is no larger than the tensor, so it lies inside
        return 0
    if a > 0:
        return symbolic.minimum(a, d - n)
    from_end = d - symbolic.minimum(-a, d)
    return from_end if isinstance(n, int) and -a >= n else symbolic.minimum(from_end, d - n)


def _onnx_start(g: Any, start: str, shape: Shape, size: Shape) -> str:
    known = _known_start(g, start, shape, size)
    if known is not None:
        return str(g.dims(known))
    first, extents = g.cast(start, "int64"), g.dims(shape)
    zero = g.constant(np.zeros((len(shape),), np.int64))
    first = g.node("Where", g.node("Less", first, zero), g.node("Add", first, extents), first)
    return g.node("Max", g.node("Min", first, g.node("Sub", extents, g.dims(size))), zero)


@dynamic_slice_op.samples
def _slice_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(5, 4)).astype("float32")
    for name, start in {"inside": (1, 2), "clamped": (4, 9), "negative": (-2, -4)}.items():
        yield Sample((x, np.array(start, "int32")), {"size": (3, 2)}, name)
    yield Sample((x, np.array([3, 0], "int64")), {"size": (1, 4)}, "row")


@dynamic_update_op.infer
def _update_infer(x: TensorType, start: TensorType, updates: TensorType) -> TensorType:
    _check("slice_update", x, start, updates.shape)
    return x


@dynamic_update_op.reference
def _update_reference(x: np.ndarray, start: np.ndarray, updates: np.ndarray) -> np.ndarray:
    y = x.copy()
    y[_clamped(x, start, updates.shape)] = updates
    return y


@dynamic_update_op.vjp
def _update_vjp(dy: Any, y: Any, x: Any, start: Any, updates: Any) -> tuple[Any, None, Any]:
    hole = movement.broadcast_to(ew.zero_like(dy), updates.shape)
    return dynamic_update_op(dy, start, hole), None, dynamic_slice_op(dy, start, size=tuple(updates.shape))


@dynamic_update_op.scalar
def _update_scalar(i: Index, x: Any, start: Any, updates: Any, *, out: TensorType) -> Expr:
    first = _starts(start, x.type.shape, updates.type.shape)
    at = tuple(k - a for a, k in zip(first, i, strict=True))
    inside = loops.const(True, "bool")
    for k, n, d in zip(at, updates.type.shape, x.type.shape, strict=True):
        if n == d:
            continue
        for test in (cutting.compare("ge", k, 0), cutting.compare("lt", k, n)):
            inside = test if inside.op == "const" else loops.apply("and", inside, test, dtype="bool")
    return loops.guard(inside, updates(at), x(i))


@dynamic_update_op.onnx
def _update_onnx(g: Any, x: str, start: str, updates: str) -> str:
    # Positions of the block, one row each: the start plus the offsets inside of the block.
    size = g.shape(updates)
    if not all(isinstance(n, int) for n in size):
        raise NotImplementedError(
            "slice_update with a block whose size is known only at run time has no ONNX form"
        )
    offsets = np.moveaxis(np.indices(size), 0, -1).astype(np.int64)
    known = _known_start(g, start, g.shape(x), size)
    if known is not None and all(isinstance(a, int) for a in known):
        at = g.constant(offsets + np.array(known, np.int64))
    else:
        at = g.node("Add", g.constant(offsets), _onnx_start(g, start, g.shape(x), size))
    return g.node("ScatterND", x, at, updates)


@dynamic_update_op.samples
def _update_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x, block = (rng.normal(size=s).astype("float32") for s in ((5, 4), (2, 3)))
    for name, start in {"inside": (1, 1), "clamped": (9, 0), "negative": (-2, 0)}.items():
        yield Sample((x, np.array(start, "int32"), block), {}, name)
    yield Sample((x, np.array([2, 0], "int64"), x[:1] * 2), {}, "row")


def slice(inputs: Any, start_indices: Any, shape: Extents) -> Any:
    """The block of `shape` that begins at `start_indices`.

    Args:    start_indices: ints, or a tensor of one int per dimension. A block that would reach over the
             edge is moved inside; negative starts count from the end. shape: ints; -1 stands for all that
             follows a known start.

    >>> slice(np.arange(12).reshape(3, 4), (1, 1), (2, 2)).tolist()
    [[5, 6], [9, 10]]
    """
    x, start = ew.as_tensor(inputs), _index_vector(unwrap(start_indices))
    shape = _known_shape(shape, x.shape, start)
    is_open = isinstance(start, Value) or not all(isinstance(d, int) for d in x.shape)
    if is_open or not isinstance(x, Value):
        return dynamic_slice_op(x, start, size=tuple(shape))
    _check("slice", x.type, TensorType(start.shape, "int32"), tuple(shape))
    starts = np.where(start < 0, start + np.array(x.shape), start)
    first = tuple(int(a) for a in np.clip(starts, 0, np.array(x.shape) - np.array(shape)))
    return cutting.slice_op(x, start=first, size=tuple(shape), step=(1,) * len(first))


def _known_shape(shape: Any, extents: Any, start: Any) -> tuple[Any, ...]:
    """The shape of a block without -1."""
    rest = [isinstance(d, (int, np.integer)) and d == -1 for d in shape]
    if not any(rest):
        return tuple(shape)
    if not isinstance(start, np.ndarray):
        raise ValueError("slice: -1 in `shape` needs start indices that are known numbers.")
    begin = [int(a) if a >= 0 else d + int(a) for a, d in zip(start, extents, strict=True)]
    return tuple(d - a if r else s for r, s, d, a in zip(rest, shape, extents, begin, strict=True))


def _index_vector(start: Any) -> Any:
    if isinstance(start, (tuple, list)):
        parts = [ew.as_tensor(a, "int32") for a in start]
        return joining.stack(parts) if parts else np.zeros((0,), np.int32)
    return ew.as_tensor(start)


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """inputs with the block that begins at `start_indices` replaced by `updates`.

    >>> slice_update(np.zeros((2, 3), "int32"), (0, 1), np.ones((2, 2), "int32")).tolist()
    [[0, 1, 1], [0, 1, 1]]
    """
    x = ew.as_tensor(inputs)
    new = ew.as_tensor(updates, str(x.dtype))
    return dynamic_update_op(x, _index_vector(unwrap(start_indices)), new)
