"""Ops that move elements and compute nothing: index maps that fuse into whatever reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.core.errors import AxisError, BroadcastError, ShapeError, message
from kcompile.core.open_extents import fit
from kcompile.core.symbolic import Int
from kcompile.core.wholes import Extents, whole
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample, constant
from kcompile.ir.traits import Traits
from kcompile.ir.types import Shape, TensorType
from kcompile.ir.views import View, reshape_strides
from kcompile.ops import elementwise as ew


def check_axis(op: str, axis: int, rank: int) -> int:
    axis = whole("axis", axis, of=op)
    if not -rank <= axis < rank:
        raise AxisError(message(f"{op}: axis must lie in [{-rank}, {rank}).", received=f"axis={axis}"))
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
        quotient = symbolic.floordiv(position, d if d != 0 else 1)  # no element is read where d is 0
        index.append(position - quotient * d)
        position = quotient
    return tuple(reversed([*index, position])) if shape else ()


# --- reshape ------------------------------------------------------------------------------------------------

reshape_op = Op("reshape", cheap=True, traits=Traits(linear=True, moves=True, reshapes=True))


@reshape_op.infer
def _reshape_infer(x: TensorType, *, shape: Shape) -> TensorType:
    if not fit(symbolic.product(x.shape), symbolic.product(shape)):
        raise BroadcastError(
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


@reshape_op.simplify
def _reshape_simplify(out: TensorType, x: Any, *, shape: Shape) -> Any:
    inner = x.node.inputs[0] if x.op is reshape_op else x
    if inner.shape == out.shape:
        return inner
    return None if inner is x else reshape_op(inner, shape=shape)


@reshape_op.view
def _reshape_view(inner: View, out: Shape, *, shape: Shape) -> View | None:
    strides = reshape_strides(inner.shape, inner.strides, out)
    return None if strides is None else View(inner.base, out, strides, inner.offset)


@reshape_op.batch
def _reshape_batch(out: TensorType, xs: Any, stacked: Any, steps: Any, *, shape: Shape) -> Any:
    return reshape(xs[0], (steps, *out.shape))


@reshape_op.onnx
def _reshape_onnx(g: Any, x: str, *, shape: Shape) -> str:
    return g.reshape(x, shape)


@reshape_op.samples
def _reshape_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    for shape in ((6, 4), (24,), (2, 12), (4, 3, 2), (1, 2, 3, 4, 1)):
        yield Sample((x,), {"shape": shape}, str(shape))


def reshape(x: Any, newshape: Extents) -> Any:
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
        if not fit(rest * known, total):
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

transpose_op = Op("transpose", cheap=True, traits=Traits(linear=True, moves=True))


@transpose_op.infer
def _transpose_infer(x: TensorType, *, axes: tuple[int, ...]) -> TensorType:
    if sorted(axes) != list(range(x.rank)):
        raise BroadcastError(
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


@transpose_op.simplify
def _transpose_simplify(out: TensorType, x: Any, *, axes: tuple[int, ...]) -> Any:
    if x.op is not transpose_op:
        return None
    return transpose(x.node.inputs[0], tuple(x.node.attrs["axes"][a] for a in axes))


@transpose_op.view
def _transpose_view(inner: View, out: Shape, *, axes: tuple[int, ...]) -> View:
    return View(inner.base, out, tuple(inner.strides[a] for a in axes), inner.offset)


@transpose_op.batch
def _transpose_batch(out: TensorType, xs: Any, stacked: Any, steps: Any, *, axes: tuple[int, ...]) -> Any:
    return transpose(xs[0], (0, *(a + 1 for a in axes)))


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

broadcast_op = Op("broadcast_to", cheap=True, traits=Traits(moves=True))


@broadcast_op.infer
def _broadcast_infer(x: TensorType, *, shape: Shape) -> TensorType:
    tail = shape[len(shape) - x.rank :] if x.rank else ()
    if x.rank > len(shape) or any(d != 1 and not fit(d, e) for d, e in zip(x.shape, tail, strict=True)):
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


@broadcast_op.simplify
def _broadcast_simplify(out: TensorType, x: Any, *, shape: Shape) -> Any:
    return x if x.shape == out.shape else None


@broadcast_op.view
def _broadcast_view(inner: View, out: Shape, *, shape: Shape) -> View:
    lead = len(out) - len(inner.shape)
    strides = tuple(
        0 if k < lead or (inner.shape[k - lead] == 1 and d != 1) else inner.strides[k - lead]
        for k, d in enumerate(out)
    )
    return View(inner.base, out, strides, inner.offset)


@broadcast_op.onnx
def _broadcast_onnx(g: Any, x: str, *, shape: Shape) -> str:
    lead = len(shape) - len(g.shape(x))
    same = [k >= lead and g.shape(x)[k - lead] == d for k, d in enumerate(shape)]
    # Expand keeps the dimensions of x where it is given a 1, so that none of these need be read from a shape.
    return g.node("Expand", x, g.dims(tuple(1 if s else d for s, d in zip(same, shape, strict=True))))


@broadcast_op.samples
def _broadcast_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(3, 1)).astype("float32"),), {"shape": (2, 3, 4)})
    yield Sample((rng.normal(size=()).astype("float32"),), {"shape": (5,)}, "scalar")


def broadcast_to(x: Any, shape: Extents) -> Any:
    """x repeated along new and size-1 dimensions up to `shape`."""
    x = ew.as_tensor(x)
    shape = tuple(shape)
    return x if tuple(x.shape) == shape else broadcast_op(x, shape=shape)


def or_zeros(slope: Any, like: Value) -> Any:
    """A slope; a 0 for each element of `like` where there is none, a value from which a graph can go on."""
    return broadcast_to(constant(0, like.dtype), like.shape) if slope is None else slope


def expand_dims(x: Any, axis: Any) -> Any:
    """x with new dimensions of size 1 at `axis` (positions in the result)."""
    x = ew.as_tensor(x)
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    rank = len(x.shape) + len(given)
    places = {check_axis("expand_dims", a, rank) for a in given}
    if len(places) < len(given):
        raise ShapeError(message("expand_dims: an axis is given twice.", received=f"axis={axis}"))
    dims = iter(x.shape)
    return reshape(x, tuple(1 if k in places else next(dims) for k in range(rank)))


def squeeze(x: Any, axis: Any = None) -> Any:
    """x without its dimensions of size 1 (all, or those in `axis`)."""
    x = ew.as_tensor(x)
    given = [k for k, d in enumerate(x.shape) if d == 1] if axis is None else axis
    given = given if isinstance(given, (tuple, list)) else (given,)
    places = {check_axis("squeeze", a, len(x.shape)) for a in given}
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
    return g.counted(g.node("Squeeze", g.dims((dim,))), dtype)


@extent_op.samples
def _extent_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((), {"dim": 5, "dtype": "int32"})
    yield Sample((), {"dim": 7, "dtype": "float32"}, "float")


def extent(dim: int | Int, dtype: str = "int32") -> Any:
    """A dimension as a 0-d tensor."""
    from kcompile.ir import graph

    if isinstance(dim, int):
        return constant(np.asarray(dim, dtype))
    attrs = {"dim": dim, "dtype": dtype}
    return graph.node(extent_op, (), attrs, extent_op.infer_types((), attrs)).values[0]


def shape(x: Any) -> tuple[Any, ...]:
    """The shape of x: ints, and symbolic dimensions where they are known only at run time."""
    return tuple(ew.as_tensor(x).shape)
