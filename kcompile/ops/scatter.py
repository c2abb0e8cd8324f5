"""Writing and reducing at computed positions: scatter, scatter_update, segment reductions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import DTypeError, ShapeError, message
from kcompile.core.open_extents import fit
from kcompile.core.symbolic import product
from kcompile.core.wholes import Extents
from kcompile.ir.graph import Value
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import Shape, TensorType
from kcompile.ops import create, movement, places, reduce, scatter_onnx, subscript
from kcompile.ops import elementwise as ew
from kcompile.ops import index as indexing


def _flat(indices: Any, shape: Any) -> tuple[Any, tuple[Any, ...]]:
    """Row numbers (j,) of indices (j..., n) into the first n dimensions of `shape`; the shape of a row.

    Negative indices count from the end. Where one lies outside, the row is one behind the last.
    """
    indices = ew.as_tensor(indices)
    n = indices.shape[-1]
    if not dtypes.is_int(ew.common_dtype(indices)):
        raise DTypeError(message("scatter: indices must be integers.", received=str(indices.dtype)))
    parts = [subscript.getitem(indices, (..., k)) for k in range(n)]
    rows, inside = places.joined(parts, shape[:n])
    if not parts:
        rows = create.zeros(indices.shape[:-1], "int64")
    rows = ew.where(inside, rows, ew.as_tensor(product(shape[:n]), "int64"))
    return movement.reshape(rows, (-1,)), tuple(shape[n:])


def scatter(indices: Any, values: Any, shape: Extents) -> Any:
    """Zeros of `shape` with `values` added at `indices`.

    Shapes:  indices (j..., n), values (j..., shape[n:]...).

    >>> scatter(np.array([[1], [1]]), np.array([2.0, 3.0]), (3,)).tolist()
    [0.0, 5.0, 0.0]
    """
    indices, shape = ew.as_tensor(indices), tuple(shape)
    if not dtypes.is_int(ew.common_dtype(indices)):
        raise DTypeError(message("scatter: indices must be integers.", received=str(indices.dtype)))
    values = _for_each_index(values, indices, shape)
    return scatter_op(indices, values, shape=shape)


def _for_each_index(values: Any, indices: Any, shape: Shape) -> Any:
    """What is written at each index: `values` themselves, or repeated for several of them."""
    count = indices.shape[-1]
    wanted, values = (*indices.shape[:-1], *shape[count:]), ew.as_tensor(values)
    repeated = len(values.shape) < len(wanted) or (1 in values.shape and tuple(values.shape) != wanted)
    return (movement.broadcast_to if repeated else movement.reshape)(values, wanted)


# --- scatter: sums at positions of several dimensions -------------------------------------------------------

scatter_op = Op("scatter")


@scatter_op.infer
def _scatter_infer(indices: TensorType, values: TensorType, *, shape: Shape) -> TensorType:
    return TensorType(shape, values.dtype)


@scatter_op.reference
def _scatter_reference(indices: np.ndarray, values: np.ndarray, *, shape: Any) -> np.ndarray:
    y = np.zeros(shape, values.dtype)
    at = [indexing.wrapped(indices[..., k], d) for k, d in zip(range(indices.shape[-1]), shape, strict=False)]
    inside = np.ones(indices.shape[:-1], bool)
    for k, d in zip(at, shape, strict=False):
        inside &= (k >= 0) & (k < d)
    np.add.at(y, tuple(k[inside] for k in at), values[inside])
    return y


@scatter_op.positions
def _scatter_positions(indices: TensorType, values: TensorType, *, shape: Shape) -> tuple[int, int]:
    depth = indices.shape[-1]
    known = [d for d in shape[: depth if isinstance(depth, int) else 0] if isinstance(d, int)]
    return 0, min(known, default=1)


@scatter_op.decompose
def _scatter_decompose(indices: Any, values: Any, *, shape: Shape) -> Any:
    rows, tail = _flat(indices, shape)
    values = movement.reshape(values, (rows.shape[0], *tail))
    total = indexing.scatter_add_rows(rows, values, product(shape[: len(shape) - len(tail)]))
    return movement.reshape(total, shape)


@scatter_op.onnx
def _scatter_onnx(g: Any, indices: str, values: str, *, shape: Shape) -> str | None:
    if g.opset < scatter_onnx.SUMS or g.shape(indices)[-1] == 0:
        return None
    zeros = g.node("Expand", g.constant(np.zeros((), g.dtype(values))), g.dims(shape))
    return str(g.node("ScatterND", zeros, g.cast(indices, "int64"), values, reduction="add"))


@scatter_op.samples
def _scatter_samples(rng: np.random.Generator) -> Iterator[Sample]:
    values = rng.normal(size=(2, 3, 2)).astype("float32")
    places = np.array([[[0, 1], [2, 0], [0, 1]], [[-1, -4], [1, 3], [2, 0]]], "int32")
    yield Sample((places, values), {"shape": (3, 4, 2)}, "repeated")
    yield Sample((places[0], values[0, :, 0]), {"shape": (3, 4)}, "numbers")
    yield Sample((places[0, :, :1].astype("int64"), values[1]), {"shape": (3, 2)}, "rows")
    far = np.array([[0, 4], [-4, 1], [3, 0], [-9, -9], [1, -5], [2, 3]], "int32")
    yield Sample((far, values.reshape(6, 2)), {"shape": (3, 4, 2)}, "outside")


REDUCTIONS: dict[str | None, Any] = {
    None: None,
    "add": ew.add,
    "mul": ew.multiply,
    "max": ew.maximum,
    "min": ew.minimum,
}


def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """inputs with `updates` written (or added, multiplied, ...) at `indices`; the last of several wins.

    Shapes:  indices (j..., n), updates (j..., inputs.shape[n:]...).

    >>> scatter_update(np.zeros(3), np.array([[1]]), np.array([2.0])).tolist()
    [0.0, 2.0, 0.0]
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"Invalid reduction: {reduction!r}. Expected one of {list(REDUCTIONS)}.")
    x, indices = ew.as_tensor(inputs), ew.as_tensor(indices)
    rows, tail = _flat(indices, x.shape)
    updates = _for_each_index(ew.as_tensor(updates, ew.common_dtype(x)), indices, x.shape)
    updates = movement.reshape(updates, (rows.shape[0], *tail))
    count = product(x.shape[: len(x.shape) - len(tail)])
    flat = movement.reshape(x, (count, *tail))
    if reduction == "add":
        result = ew.add(flat, indexing.scatter_add_rows(rows, updates, count))
    elif reduction is None:
        result = _overwritten(flat, rows, updates, count)
    else:
        kind = {"mul": "prod"}.get(reduction, reduction)
        result = REDUCTIONS[reduction](flat, _segments(kind, updates, rows, count))
    return movement.reshape(result, x.shape)


def _overwritten(flat: Any, rows: Any, updates: Any, count: Any) -> Any:
    """Each row of the result is the last update for it, or the old row."""
    hits = ew.equal(
        movement.expand_dims(create.iota(count, "int32"), 1), movement.expand_dims(ew.cast(rows, "int32"), 0)
    )
    number = ew.where(hits, create.iota(rows.shape[0]), -1)
    last = reduce.max(number, axis=1)
    taken = indexing.take(updates, ew.maximum(last, 0), axis=0)
    written = movement.reshape(ew.greater_equal(last, 0), (count, *(1,) * (len(updates.shape) - 1)))
    return ew.where(written, taken, flat)


# --- segments -----------------------------------------------------------------------------------------------


def _neutral(kind: str, dtype: str) -> Any:
    if kind in ("sum", "prod"):
        return 0 if kind == "sum" else 1
    if dtypes.is_float(dtype):
        return -math.inf if kind == "max" else math.inf
    info = np.iinfo(dtype)
    return info.min if kind == "max" else info.max


def _segments(kind: str, data: Any, ids: Any, count: Any) -> Any:
    """Row s is the reduction of the rows of data whose id is s; the neutral element where there is none."""
    if kind == "sum":
        ids = ew.cast(ids, "int64")
        inside = ew.logical_and(ew.greater_equal(ids, 0), ew.less(ids, ew.as_tensor(count, "int64")))
        # The row behind the last takes what is left out: ONNX refuses indices outside of a tensor.
        return indexing.scatter_add_rows(ew.where(inside, ids, count), data, count + 1)[:count]
    hits = ew.equal(
        movement.expand_dims(create.iota(count), 1), movement.expand_dims(ew.cast(ids, "int32"), 0)
    )
    hits = movement.reshape(hits, (*hits.shape, *(1,) * (len(data.shape) - 1)))
    dtype = ew.common_dtype(data)
    chosen = ew.where(hits, movement.expand_dims(data, 0), ew.as_tensor(_neutral(kind, dtype), dtype))
    return {"prod": reduce.prod, "max": reduce.max, "min": reduce.min}[kind](chosen, axis=1)


def _segment(kind: str, data: Any, segment_ids: Any, num_segments: Any) -> Any:
    data, ids = ew.as_tensor(data), ew.as_tensor(segment_ids)
    if len(ids.shape) != 1 or not fit(ids.shape[0], data.shape[0]):
        raise ShapeError(
            message(
                f"segment_{kind}: one id per row of data.", received=f"data {data.shape}, ids {ids.shape}"
            )
        )
    if num_segments is None:
        if isinstance(ids, Value):
            raise ValueError(f"segment_{kind}: `num_segments` must be given in a trace.")
        num_segments = int(ids.max(initial=-1)) + 1
    if kind == "sum":
        return _segments(kind, data, ids, num_segments)
    dtype = ew.common_dtype(data)
    if dtype == "bool":  # of bits
        data = ew.cast(data, "uint8")
    return ew.cast(_segments(kind, data, ids, num_segments), dtype)


def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Sums of the rows of data with equal ids.

    >>> segment_sum(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 0])).tolist()
    [4.0, 2.0]
    """
    return _segment("sum", data, segment_ids, num_segments)


def segment_prod(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Products of the rows of data with equal ids."""
    return _segment("prod", data, segment_ids, num_segments)


def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Largest elements of the rows of data with equal ids."""
    return _segment("max", data, segment_ids, num_segments)


def segment_min(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Smallest elements of the rows of data with equal ids."""
    return _segment("min", data, segment_ids, num_segments)
