"""Tensors joined: concatenate and stack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kcompile.core.errors import BroadcastError, message
from kcompile.core.open_extents import fit
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import cutting, movement
from kcompile.ops import elementwise as ew
from kcompile.ops.movement import check_axis

# --- concatenate --------------------------------------------------------------------------------------------

concatenate_op = Op("concatenate")


@concatenate_op.infer
def _concatenate_infer(*xs: TensorType, axis: int) -> TensorType:
    first = xs[0]
    for x in xs[1:]:
        if x.rank != first.rank or any(
            not fit(a, b) for k, (a, b) in enumerate(zip(x.shape, first.shape, strict=True)) if k != axis
        ):
            raise BroadcastError(
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
        parts.append(cutting.slice_op(dy, start=start, size=tuple(x.shape), step=(1,) * len(x.shape)))
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
        result = loops.guard(cutting.compare("lt", i[axis], end), piece, result)
    return result


@concatenate_op.onnx
def _concatenate_onnx(g: Any, *xs: str, axis: int) -> str:
    return g.node("Concat", *xs, axis=axis)


@concatenate_op.samples
def _concatenate_samples(rng: np.random.Generator) -> Iterator[Sample]:
    a, b, c = (rng.normal(size=(2, n, 3)).astype("float32") for n in (1, 4, 2))
    yield Sample((a, b, c), {"axis": 1})
    yield Sample((a[:, 0], b[:, 0]), {"axis": 0}, "axis0")


def concatenate(xs: Sequence[Any], axis: int | None = 0) -> Any:
    """Tensors joined along an existing axis; flattened and joined for None.

    >>> concatenate([np.zeros((2, 1)), np.ones((2, 2))], axis=1).shape
    (2, 3)
    """
    if len(xs) == 0:
        raise ValueError("concatenate: at least one tensor is needed.")
    tensors = ew.operands(*xs)
    if axis is None:
        return concatenate_op(*(movement.reshape(x, (-1,)) for x in tensors), axis=0)
    position = check_axis("concatenate", axis, len(tensors[0].shape))
    return concatenate_op(*tensors, axis=position)


def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Tensors joined along a new axis."""
    tensors = ew.operands(*x)
    position = check_axis("stack", axis, len(tensors[0].shape) + 1)
    return concatenate([movement.expand_dims(t, position) for t in tensors], axis=position)
