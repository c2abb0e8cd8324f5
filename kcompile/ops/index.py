"""Reading and adding at computed positions: take, take_along_axis and their gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import DTypeError, ShapeError, SubscriptError, message
from kcompile.core.open_extents import all_fit, fit
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType, broadcast_shapes
from kcompile.ops import elementwise as ew
from kcompile.ops import movement, places, scatter_onnx

take_op = Op("take")
scatter_add_rows_op = Op("scatter_add_rows")
take_along_axis_op = Op("take_along_axis")
scatter_along_axis_op = Op("scatter_along_axis")


def missing(dtype: str) -> Any:
    """What a read outside of a tensor gives, as in JAX: NaN, True, the least int or largest unsigned one."""
    if dtypes.is_float(dtype):
        return float("nan")
    if dtype == "bool":
        return True
    info = np.iinfo(dtype)
    return int(info.min if info.min else info.max)


def _check_indices(op: str, x: TensorType, indices: TensorType, axis: int) -> None:
    if not dtypes.is_int(indices.dtype):
        raise DTypeError(message(f"{op}: indices must be integers.", received=f"{indices!r}"))
    if x.shape[axis] == 0 and indices.size != 0:
        raise SubscriptError(
            message(f"{op}: nothing can be taken from an empty axis.", received=f"axis {axis} of {x!r}")
        )


def wrapped(indices: np.ndarray, extent: int) -> np.ndarray:
    """Indices as int64, negative ones counted from the end."""
    positions = indices.astype(np.int64)
    return np.where(positions < 0, positions + extent, positions)


def _wrapped_expr(index: Expr, extent: int | Int) -> Expr:
    position = loops.cast(index, "int64")
    if index.dtype not in dtypes.SIGNED:
        return position
    from_end = loops.apply("add", position, loops.index(extent))
    return loops.select(
        loops.apply("lt", position, loops.const(0, "int64"), dtype="bool"), from_end, position
    )


def checked_position(index: Expr, extent: int | Int) -> tuple[Expr, int | Int]:
    """Does an index lie inside, and the position to read, which always does."""
    position = _wrapped_expr(index, extent)
    zero, last = loops.const(0, "int64"), loops.index(extent - 1)
    inside = loops.apply(
        "and",
        loops.apply("ge", position, zero, dtype="bool"),
        loops.apply("le", position, last, dtype="bool"),
        dtype="bool",
    )
    clamped = loops.apply("minimum", loops.apply("maximum", position, zero), last)
    return inside, loops.dynamic(clamped, extent)


def _hits(index: Expr, extent: int | Int, row: int | Int) -> Expr:
    return loops.apply("eq", _wrapped_expr(index, extent), loops.index(row), dtype="bool")


# --- take --------------------------------------------------------------------------------------------------


@take_op.infer
def _take_infer(x: TensorType, indices: TensorType, *, axis: int) -> TensorType:
    _check_indices("take", x, indices, axis)
    return TensorType((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)


@take_op.reference
def _take_reference(x: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
    extent = x.shape[axis]
    positions = wrapped(indices, extent)
    inside = (positions >= 0) & (positions < extent)
    y = np.take(x, np.clip(positions, 0, max(extent - 1, 0)), axis=axis)
    seen = inside.reshape(inside.shape + (1,) * (x.ndim - axis - 1))
    return np.where(seen, y, np.asarray(missing(dtypes.standardize(x.dtype)), x.dtype))


@take_op.positions
def _take_positions(x: TensorType, indices: TensorType, *, axis: int) -> tuple[int, int | Int]:
    return 1, x.shape[axis]


@take_op.vjp
def _take_vjp(dy: Any, y: Any, x: Any, indices: Any, *, axis: int) -> tuple[Any, None]:
    # The taken axes go first, so that a row of `updates` belongs to one index.
    rank, taken = len(dy.shape), len(indices.shape)
    order = (*range(axis, axis + taken), *range(axis), *range(axis + taken, rank))
    updates = movement.transpose(dy, order)
    updates = movement.reshape(updates, (indices.type.size, *updates.shape[taken:]))
    rows = scatter_add_rows_op(movement.reshape(indices, (indices.type.size,)), updates, rows=x.shape[axis])
    back = (*range(1, axis + 1), 0, *range(axis + 1, len(x.shape)))
    return movement.transpose(rows, back), None


@take_op.scalar
def _take_scalar(i: Index, x: Any, indices: Any, *, out: TensorType, axis: int) -> Expr:
    end = axis + indices.type.rank
    inside, position = checked_position(indices(i[axis:end]), x.type.shape[axis])
    return loops.select(
        inside, x((*i[:axis], position, *i[end:])), loops.const(missing(out.dtype), out.dtype)
    )


@take_op.onnx
def _take_onnx(g: Any, x: str, indices: str, *, axis: int) -> str:
    return g.node("Gather", x, g.cast(indices, "int64"), axis=axis)


@take_op.samples
def _take_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(5, 3, 4)).astype("float32")
    yield Sample((x, rng.integers(0, 5, (2, 3)).astype("int32")), {"axis": 0}, "rows")
    yield Sample((x, rng.integers(-3, 3, (7,)).astype("int64")), {"axis": 1}, "middle")
    yield Sample((x, np.array(2, "uint8")), {"axis": 2}, "scalar")
    yield Sample((x, np.array([0, 9, -6, -5], "int32")), {"axis": 0}, "outside", False)
    yield Sample((x[:, 0, 0].astype("int32"), np.array([7, 1], "int32")), {"axis": 0}, "ints", False)


def as_indices(x: Any) -> Any:
    """A tensor of indices. An empty list, which by itself has the dtype of floats, is one of ints here."""
    return ew.as_tensor(x, "int32" if isinstance(x, (tuple, list)) and not x else None)


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Elements of x at `indices` along `axis`; from the flattened tensor for None.

    Shapes:  x (a..., d, b...), indices (i...) -> (a..., i..., b...).
    Args:    indices: integers; negative ones count from the end, others outside give NaN (the least or
             largest int, for ints), as in Keras on JAX.

    >>> take(np.array([10.0, 20.0, 30.0]), np.array([0, -1])).tolist()
    [10.0, 30.0]
    """
    x, indices = ew.as_tensor(x), as_indices(indices)
    if ew.common_dtype(indices) == "bool":
        indices = ew.cast(indices, "int32")
    if axis is None:
        x, axis = movement.reshape(x, (-1,)), 0
    return take_op(x, indices, axis=movement.check_axis("take", axis, len(x.shape)))


# --- scatter_add_rows --------------------------------------------------------------------------------------


@scatter_add_rows_op.infer
def _scatter_infer(indices: TensorType, updates: TensorType, *, rows: int | Int) -> TensorType:
    if indices.rank != 1 or updates.rank < 1 or not fit(indices.shape[0], updates.shape[0]):
        raise ShapeError(
            message(
                "scatter_add_rows: one index per row of updates.", received=f"{indices!r} and {updates!r}"
            )
        )
    return TensorType((rows, *updates.shape[1:]), updates.dtype)


@scatter_add_rows_op.reference
def _scatter_reference(indices: np.ndarray, updates: np.ndarray, *, rows: int) -> np.ndarray:
    y = np.zeros((rows, *updates.shape[1:]), updates.dtype)
    positions = wrapped(indices, rows)
    inside = (positions >= 0) & (positions < rows)
    np.add.at(y, positions[inside], updates[inside])
    return y


@scatter_add_rows_op.positions
def _scatter_positions(indices: TensorType, updates: TensorType, *, rows: int | Int) -> tuple[int, int | Int]:
    return 0, rows


@scatter_add_rows_op.vjp
def _scatter_vjp(dy: Any, y: Any, indices: Any, updates: Any, *, rows: int | Int) -> tuple[None, Any]:
    _, inside = places.placed(indices, rows)
    inside = movement.reshape(inside, (*inside.shape, *(1,) * (len(dy.shape) - 1)))
    return None, ew.where(inside, take(dy, indices, axis=0), 0)


@scatter_add_rows_op.scalar
def _scatter_scalar(i: Index, indices: Any, updates: Any, *, out: TensorType, rows: int | Int) -> Expr:
    j = loops.axis(indices.type.shape[0], "r")
    hit = _hits(indices((j,)), rows, i[0])
    return loops.reduce("sum", (j,), loops.select(hit, updates((j, *i[1:])), loops.const(0, out.dtype)))


@scatter_add_rows_op.onnx
def _scatter_onnx(g: Any, indices: str, updates: str, *, rows: int | Int) -> str:
    if g.opset < scatter_onnx.SUMS:
        return scatter_onnx.sums_of_rows(g, indices, updates, rows)
    empty = g.node(
        "Expand", g.constant(np.zeros((), g.dtype(updates))), g.dims((rows, *g.shape(updates)[1:]))
    )
    at = g.node("Unsqueeze", g.cast(indices, "int64"), g.constant(np.array([1])))
    return g.node("ScatterND", empty, at, updates, reduction="add")


@scatter_add_rows_op.samples
def _scatter_samples(rng: np.random.Generator) -> Iterator[Sample]:
    updates = rng.normal(size=(6, 3)).astype("float32")
    yield Sample((np.array([0, 3, 3, -1, 0, 3], "int32"), updates), {"rows": 5}, "repeated")
    yield Sample((np.array([0, 1, 2, 9, -7, 1], "int64"), updates[:, 0]), {"rows": 3}, "outside")
    yield Sample((np.zeros((0,), "int32"), updates[:0]), {"rows": 2}, "empty")


def scatter_add_rows(indices: Any, updates: Any, rows: int | Int) -> Any:
    """A tensor of `rows` rows in which row r is the sum of the updates whose index is r.

    Shapes:  indices (j,), updates (j, b...) -> (rows, b...). The sum runs in the order of the updates.
    Args:    indices: negative ones count from the end; others outside are left out.

    >>> scatter_add_rows(np.array([2, 0, 2]), np.array([1.0, 2.0, 3.0]), rows=3).tolist()
    [2.0, 0.0, 4.0]
    """
    return scatter_add_rows_op(ew.as_tensor(indices), ew.as_tensor(updates), rows=rows)


# --- take_along_axis ---------------------------------------------------------------------------------------


def _along_shape(x: TensorType, indices: TensorType, axis: int) -> tuple[int | Int, ...]:
    lead = broadcast_shapes(x.shape[:axis], indices.shape[:axis], op="take_along_axis")
    tail = broadcast_shapes(x.shape[axis + 1 :], indices.shape[axis + 1 :], op="take_along_axis")
    return (*lead, indices.shape[axis], *tail)


@take_along_axis_op.infer
def _along_infer(x: TensorType, indices: TensorType, *, axis: int) -> TensorType:
    if x.rank != indices.rank:
        raise ShapeError(
            message(
                "take_along_axis: x and indices must have the same rank.", received=f"{x!r} and {indices!r}"
            )
        )
    _check_indices("take_along_axis", x, indices, axis)
    return TensorType(_along_shape(x, indices, axis), x.dtype)


@take_along_axis_op.reference
def _along_reference(x: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
    extent = x.shape[axis]
    positions = wrapped(indices, extent)
    inside = (positions >= 0) & (positions < extent)
    shape = np.broadcast_shapes(*(np.delete(a.shape, axis) for a in (x, indices)))
    x = np.broadcast_to(x, (*shape[:axis], extent, *shape[axis:]))
    clipped = np.broadcast_to(
        np.clip(positions, 0, max(extent - 1, 0)), (*shape[:axis], indices.shape[axis], *shape[axis:])
    )
    y = np.take_along_axis(x, clipped, axis=axis)
    return np.where(inside, y, np.asarray(missing(dtypes.standardize(x.dtype)), x.dtype))


take_along_axis_op.positions(_take_positions)


@take_along_axis_op.vjp
def _along_vjp(dy: Any, y: Any, x: Any, indices: Any, *, axis: int) -> tuple[Any, None]:
    everywhere = movement.broadcast_to(indices, dy.shape)
    dx = scatter_along_axis_op(everywhere, dy, axis=axis, extent=x.shape[axis])
    return ew.unbroadcast(dx, x.shape), None


@take_along_axis_op.scalar
def _along_scalar(i: Index, x: Any, indices: Any, *, out: TensorType, axis: int) -> Expr:
    inside, position = checked_position(indices(ew.aligned(i, indices.type.shape)), x.type.shape[axis])
    at = tuple(position if k == axis else a for k, a in enumerate(ew.aligned(i, x.type.shape)))
    return loops.select(inside, x(at), loops.const(missing(out.dtype), out.dtype))


@take_along_axis_op.onnx
def _along_onnx(g: Any, x: str, indices: str, *, axis: int) -> str:
    (xs, js) = (g.shape(t) for t in (x, indices))
    shape = broadcast_shapes((*xs[:axis], 1, *xs[axis + 1 :]), (*js[:axis], 1, *js[axis + 1 :]))
    at = indices if g.dtype(indices) == "int32" else g.cast(indices, "int64")
    wanted = [(*shape[:axis], s[axis], *shape[axis + 1 :]) for s in (xs, js)]
    whole, at = (
        t if s == w else movement.broadcast_op.rules["onnx"](g, t, shape=w)
        for t, s, w in zip((x, at), (tuple(xs), tuple(js)), wanted, strict=True)
    )
    return g.node("GatherElements", whole, at, axis=axis)


@take_along_axis_op.samples
def _along_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(3, 5)).astype("float32")
    yield Sample((x, rng.integers(0, 5, (3, 1)).astype("int32")), {"axis": 1}, "one")
    yield Sample((x, rng.integers(-3, 3, (4, 5)).astype("int32")), {"axis": 0}, "rows")
    yield Sample((x, rng.integers(0, 5, (1, 2)).astype("int64")), {"axis": 1}, "broadcast")
    yield Sample((x[:1], rng.integers(0, 5, (3, 2)).astype("int64")), {"axis": 1}, "broadcast_x")
    yield Sample((x, np.array([[5], [-6], [4]], "int32")), {"axis": 1}, "outside", False)


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """x[..., indices[...], ...] along one axis: both have the same rank, other dimensions broadcast.

    >>> take_along_axis(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1], [0]]), axis=1).tolist()
    [[2.0], [3.0]]
    """
    x, indices = ew.as_tensor(x), ew.as_tensor(indices)
    if axis is None:
        x, indices, axis = movement.reshape(x, (-1,)), movement.reshape(indices, (-1,)), 0
    return take_along_axis_op(x, indices, axis=movement.check_axis("take_along_axis", axis, len(x.shape)))


# --- scatter_along_axis ------------------------------------------------------------------------------------


@scatter_along_axis_op.infer
def _scatter_along_infer(
    indices: TensorType, updates: TensorType, *, axis: int, extent: int | Int
) -> TensorType:
    if not all_fit(indices.shape, updates.shape):
        raise ShapeError(
            message("scatter_along_axis: one index per update.", received=f"{indices!r} and {updates!r}")
        )
    return TensorType((*updates.shape[:axis], extent, *updates.shape[axis + 1 :]), updates.dtype)


@scatter_along_axis_op.reference
def _scatter_along_reference(
    indices: np.ndarray, updates: np.ndarray, *, axis: int, extent: int
) -> np.ndarray:
    y = np.zeros((*updates.shape[:axis], extent, *updates.shape[axis + 1 :]), updates.dtype)
    positions = wrapped(indices, extent)
    inside = (positions >= 0) & (positions < extent)
    at = list(np.nonzero(inside))
    at[axis] = positions[inside]
    np.add.at(y, tuple(at), updates[inside])
    return y


@scatter_along_axis_op.positions
def _scatter_along_positions(
    indices: TensorType, updates: TensorType, *, axis: int, extent: int | Int
) -> tuple[int, int | Int]:
    return 0, extent


@scatter_along_axis_op.vjp
def _scatter_along_vjp(
    dy: Any, y: Any, indices: Any, updates: Any, *, axis: int, extent: int | Int
) -> tuple[None, Any]:
    _, inside = places.placed(indices, extent)
    return None, ew.where(inside, take_along_axis(dy, indices, axis), 0)


@scatter_along_axis_op.scalar
def _scatter_along_scalar(
    i: Index, indices: Any, updates: Any, *, out: TensorType, axis: int, extent: int | Int
) -> Expr:
    j = loops.axis(indices.type.shape[axis], "r")
    at = (*i[:axis], j, *i[axis + 1 :])
    hit = _hits(indices(at), extent, i[axis])
    return loops.reduce("sum", (j,), loops.select(hit, updates(at), loops.const(0, out.dtype)))


@scatter_along_axis_op.onnx
def _scatter_along_onnx(g: Any, indices: str, updates: str, *, axis: int, extent: int | Int) -> str:
    shape = g.shape(updates)
    if g.opset < scatter_onnx.SUMS:
        return scatter_onnx.sums_along(g, indices, updates, axis, extent)
    empty = g.node(
        "Expand",
        g.constant(np.zeros((), g.dtype(updates))),
        g.dims((*shape[:axis], extent, *shape[axis + 1 :])),
    )
    return g.node("ScatterElements", empty, g.cast(indices, "int64"), updates, axis=axis, reduction="add")


@scatter_along_axis_op.samples
def _scatter_along_samples(rng: np.random.Generator) -> Iterator[Sample]:
    updates = rng.normal(size=(3, 2)).astype("float32")
    yield Sample((rng.integers(-4, 4, (3, 2)).astype("int32"), updates), {"axis": 1, "extent": 4})
    yield Sample(
        (rng.integers(0, 4, (3, 1)).astype("int32"), updates[:, :1]), {"axis": 1, "extent": 4}, "one"
    )
    yield Sample(
        (np.array([[0, 0], [0, 7], [1, -1]], "int64"), updates), {"axis": 0, "extent": 2}, "repeated"
    )
