"""Tensors made from nothing: ranges, constants, triangles, one-hot rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ArgumentError, ShapeError, message
from kcompile.core.symbolic import Int
from kcompile.core.wholes import Extents
from kcompile.ir import graph, loops
from kcompile.ir.graph import Value
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample, constant
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew
from kcompile.ops import movement, spans

iota_op = Op("iota", cheap=True)
one_hot_op = Op("one_hot", cheap=True)

# Of what numbers up to an open dimension may be fractions: formulas of extents have whole numbers.
FINEST = 2**20


# --- iota --------------------------------------------------------------------------------------------------


@iota_op.infer
def _iota_infer(*, dim: int | Int, dtype: str) -> TensorType:
    return TensorType((dim,), dtype)


@iota_op.reference
def _iota_reference(*, dim: int, dtype: str) -> np.ndarray:
    return np.arange(dim).astype(dtypes.numpy_dtype(dtype))


@iota_op.scalar
def _iota_scalar(i: Index, *, out: TensorType, dim: int | Int, dtype: str) -> Expr:
    return loops.cast(loops.index(i[0]), dtype)


@iota_op.onnx
def _iota_onnx(g: Any, *, dim: int | Int, dtype: str) -> str:
    limit = g.node("Squeeze", g.dims((dim,)))
    zero, one = (g.constant(np.array(n, np.int64)) for n in (0, 1))
    return g.counted(g.node("Range", zero, limit, one), dtype)


@iota_op.samples
def _iota_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((), {"dim": 7, "dtype": "int32"})
    yield Sample((), {"dim": 4, "dtype": "float32"}, "float")


def iota(dim: int | Int, dtype: str = "int32") -> Any:
    """0, 1, ... dim - 1. The dimension may be one that is known only at run time.

    >>> iota(3).tolist()
    [0, 1, 2]
    """
    attrs = {"dim": dim, "dtype": dtypes.standardize(dtype)}
    if isinstance(dim, int):
        return iota_op.evaluate((), attrs)
    return graph.node(iota_op, (), attrs, iota_op.infer_types((), attrs)).values[0]


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """Numbers from `start` (0 if it is the only one) up to `stop`, exclusive, in steps of `step`.

    >>> arange(1, 7, 2).tolist()
    [1, 3, 5]
    """
    if start is None:
        raise ArgumentError("arange: a number is needed to go up to. Received: start=None")
    first, last = (0, start) if stop is None else (start, stop)
    step = 1 if step is None else step
    given = [x for x in (start, stop, step) if x is not None and not isinstance(x, Int)]
    name = dtypes.standardize(dtype) if dtype is not None else ew.common_dtype(*given) if given else "int32"
    if isinstance(first, Int) or isinstance(last, Int):
        numbers = iota(_count(first, last, step), name)
        if step != 1:
            numbers = ew.multiply(numbers, ew.as_tensor(step, name))
        begins_at_0 = isinstance(first, int) and first == 0
        return numbers if begins_at_0 else ew.add(numbers, ew.as_tensor(first, name))
    return np.arange(first, last, step).astype(dtypes.numpy_dtype(name))


def _count(first: Any, last: Any, step: Any) -> int | Int:
    """How many numbers there are from first up to last, one of which is open."""
    parts = [x if isinstance(x, Int) else Fraction(float(x)) for x in (first, last, step)]
    scale = math.lcm(*(x.denominator for x in parts if isinstance(x, Fraction)))
    if scale > FINEST:
        raise ArgumentError(
            f"arange: with an open dimension numbers must be whole, halves, quarters ... Received: {step=}"
        )
    first, last, step = (x * scale if isinstance(x, Int) else int(x * scale) for x in parts)
    return spans.count(first, last, step)


# --- one_hot -----------------------------------------------------------------------------------------------


@one_hot_op.infer
def _one_hot_infer(x: TensorType, *, classes: int, axis: int, dtype: str) -> TensorType:
    return TensorType((*x.shape[:axis], classes, *x.shape[axis:]), dtype)


@one_hot_op.reference
def _one_hot_reference(x: np.ndarray, *, classes: int, axis: int, dtype: str) -> np.ndarray:
    rows = np.arange(classes).reshape((-1,) + (1,) * (x.ndim - axis))
    return (np.expand_dims(x.astype(np.int64), axis) == rows).astype(dtypes.numpy_dtype(dtype))


@one_hot_op.positions
def _one_hot_positions(x: TensorType, *, classes: int, axis: int, dtype: str) -> tuple[int, int]:
    return 0, classes


@one_hot_op.vjp
def _one_hot_vjp(dy: Any, y: Any, x: Any, *, classes: int, axis: int, dtype: str) -> tuple[None]:
    return (None,)


@one_hot_op.scalar
def _one_hot_scalar(i: Index, x: Any, *, out: TensorType, classes: int, axis: int, dtype: str) -> Expr:
    label = loops.cast(x((*i[:axis], *i[axis + 1 :])), "int64")
    hit = loops.apply("eq", label, loops.index(i[axis]), dtype="bool")
    return loops.cast(hit, dtype)


@one_hot_op.onnx
def _one_hot_onnx(g: Any, x: str, *, classes: int, axis: int, dtype: str) -> str:
    rank = len(g.shape(x))
    label = x if g.dtype(x) == "int32" else g.cast(x, "int64")
    if classes <= TABLE and axis in (0, rank):
        return _onnx_rows(g, label, classes, axis, dtype)
    if dtype == "float32":
        # ONNX's own OneHot counts negative labels from the end; modulo a number that is no label's, they lie
        # beyond it.
        own = dtypes.numpy_dtype(g.dtype(label))
        place = g.node("Mod", label, g.constant(np.array(BEYOND[own.name], own)))
        off_on = g.constant(np.array([0, 1], "float32"))
        return str(g.node("OneHot", place, g.constant(np.array([classes], own)), off_on, axis=axis))
    rows = np.arange(classes, dtype=g.dtype(label)).reshape((-1,) + (1,) * (rank - axis))
    apart = g.node("Unsqueeze", label, g.constant(np.array([axis])))
    return g.cast(g.node("Equal", apart, g.constant(rows)), dtype)


TABLE = 64  # classes up to which the rows are a table in the file
BEYOND = {"int32": 1_500_000_001, "int64": 6_000_000_000_000_000_001}  # nothing counts so far, or marks so


def _onnx_rows(g: Any, label: str, classes: int, axis: int, dtype: str) -> str:
    """Rows of a table, the last one of zeros for all labels outside: -1 counts from the end, too."""
    own, table = dtypes.numpy_dtype(g.dtype(label)), np.eye(classes + 1, classes)
    low, high = (g.constant(np.array(n, own)) for n in (-1, classes))
    place = g.node("Clip", label, low, high)
    rows = g.constant((table if axis else table.T).astype(dtypes.numpy_dtype(dtype)))
    return str(g.node("Gather", rows, place, axis=0 if axis else 1))


@one_hot_op.samples
def _one_hot_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = np.array([[0, 2, 3], [1, -1, 9]], "int32")
    yield Sample((x,), {"classes": 4, "axis": 2, "dtype": "float32"})
    yield Sample((x,), {"classes": 3, "axis": 0, "dtype": "int32"}, "first")
    yield Sample((x[0, 1],), {"classes": 3, "axis": 0, "dtype": "bool"}, "scalar")


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """Rows that are 1 at the position of a label and 0 elsewhere; all 0 for labels outside [0, num_classes).

    Shapes:  x (a...) -> (a..., num_classes), the new dimension at `axis`.
    Args:    dtype: the default float unless given.

    >>> one_hot(np.array([1, -1]), 3).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    no_sparse("one_hot", sparse)
    x = ew.as_tensor(x)
    x = x if dtypes.is_int(dtypes.standardize(x.dtype)) else ew.cast(x, "int32")
    position = movement.check_axis("one_hot", axis, len(x.shape) + 1)
    return one_hot_op(x, classes=int(num_classes), axis=position, dtype=dtypes.standardize(dtype))


def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    """One row for all labels of a sample: 1 at the position of each label that occurs.

    Shapes:  inputs (b, n) or (n,) -> (b, num_classes) or (num_classes,).

    >>> multi_hot(np.array([[0, 2], [1, 1]]), 3).tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """
    from kcompile.ops import reduce

    if num_classes is None:
        raise ValueError("Argument `num_classes` must be specified.")
    rows = one_hot(inputs, num_classes, axis=axis, dtype=dtype, sparse=sparse)
    return reduce.max(rows, axis=1 if len(rows.shape) > 2 else 0)


def no_sparse(op: str, sparse: bool) -> None:
    if sparse:
        raise ValueError(f"{op}: sparse=True is not supported; tensors are dense.")


# --- constant tensors --------------------------------------------------------------------------------------


def _dims(shape: Any) -> tuple[Any, ...]:
    return tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)


def full(shape: Extents, fill_value: Any, dtype: Any = None) -> Any:
    """A tensor of `shape` that holds `fill_value` everywhere, of the default float unless `dtype` is given.

    >>> full((2,), 3).tolist()
    [3.0, 3.0]
    """
    dims, value = _dims(shape), ew.as_tensor(fill_value, dtypes.standardize(dtype))
    if any(isinstance(d, Int) for d in dims):
        value = constant(value)
    return movement.broadcast_to(value, dims) if isinstance(value, Value) else np.full(dims, value)


def zeros(shape: Extents, dtype: Any = None) -> Any:
    """A tensor of zeros."""
    return full(shape, 0, dtype)


def ones(shape: Extents, dtype: Any = None) -> Any:
    """A tensor of ones."""
    return full(shape, 1, dtype)


empty = zeros


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A tensor of the shape (and dtype, unless given) of x, full of `fill_value`."""
    x = ew.as_tensor(x)
    value = ew.as_tensor(fill_value, dtypes.standardize(x.dtype if dtype is None else dtype))
    if isinstance(x, Value):
        return movement.broadcast_to(constant(value), x.shape)
    return full(x.shape, value, dtypes.standardize(value.dtype))


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros in the shape of x."""
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones in the shape of x."""
    return full_like(x, 1, dtype)


empty_like = zeros_like


def eye(N: int | Int, M: int | Int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones on the k-th diagonal of N rows and M (N) columns.

    >>> eye(2, 3, k=1).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    kind = dtypes.standardize(dtype)
    if isinstance(N, Int) or isinstance(M, Int):
        rows, columns = _grid(N, N if M is None else M)
        return ew.cast(ew.equal(columns, ew.add(rows, k)), kind)
    return np.eye(N, M, k, dtypes.numpy_dtype(kind))


def identity(n: int | Int, dtype: Any = None) -> Any:
    """The identity matrix."""
    return eye(n, dtype=dtype)


def tri(N: int | Int, M: int | Int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones at and below the k-th diagonal."""
    kind = dtypes.standardize(dtype)
    if isinstance(N, Int) or isinstance(M, Int):
        rows, columns = _grid(N, N if M is None else M)
        return ew.cast(ew.less_equal(columns, ew.add(rows, k)), kind)
    return np.tri(N, M, k, dtypes.numpy_dtype(kind))


def _grid(rows: int | Int, columns: int | Int) -> tuple[Any, Any]:
    """The numbers of the rows of a matrix, as a column, and those of its columns, as a row."""
    return movement.expand_dims(iota(rows), 1), movement.expand_dims(iota(columns), 0)


def _below(x: Any, k: int) -> Any:
    """Which elements of the last two dimensions lie at or below the k-th diagonal."""
    if len(x.shape) < 2:
        raise ShapeError(
            message("tril, triu: x must have at least 2 dimensions.", received=f"shape {x.shape}")
        )
    rows, columns = _grid(*x.shape[-2:])
    return ew.less_equal(columns, ew.add(rows, k))


def tril(x: Any, k: int = 0) -> Any:
    """x with zeros above the k-th diagonal of its last two dimensions."""
    x = ew.as_tensor(x)
    return ew.where(_below(x, k), x, ew.zero_like(x))


def triu(x: Any, k: int = 0) -> Any:
    """x with zeros below the k-th diagonal of its last two dimensions."""
    x = ew.as_tensor(x)
    return ew.where(_below(x, k - 1), ew.zero_like(x), x)


def linspace(
    start: Any,
    stop: Any,
    num: int | Int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`num` evenly spaced numbers from start to stop.

    >>> linspace(0, 1, 3).tolist()
    [0.0, 0.5, 1.0]
    """
    if not isinstance(num, Int) and num < 0:
        raise ValueError(f"linspace: `num` must not be negative. Received: num={num}")
    float_dtype = ew.float_of(ew.common_dtype(start, stop))
    first, last = ew.operands(start, stop, dtype=float_dtype)
    gaps = ew.maximum(ew.as_tensor(num - 1 if endpoint else num, float_dtype), 1)
    width = ew.subtract(last, first)
    step = ew.true_divide(width, gaps)
    rank = len(width.shape)
    position = movement.check_axis("linspace", axis, rank + 1)
    shape = (1,) * position + (-1,) + (1,) * (rank - position)
    numbers = iota(num, float_dtype) if isinstance(num, Int) else np.arange(num).astype(float_dtype)
    counted = movement.reshape(numbers, shape)
    part = ew.multiply(counted, movement.expand_dims(step, position))
    y = ew.add(movement.expand_dims(movement.broadcast_to(first, width.shape), position), part)
    if endpoint:  # the last number exactly, unless it is the first
        is_last = ew.equal(counted, gaps)
        y = ew.where(is_last, movement.expand_dims(movement.broadcast_to(last, width.shape), position), y)
    y = y if dtype is None else ew.cast(y, dtype)
    return (y, step) if retstep else y


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`base` to evenly spaced powers."""
    y = ew.power(float(base), linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else ew.cast(y, dtype)


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """Numbers with a constant ratio from start to stop, which have the same sign."""
    ends = ew.operands(start, stop)
    below = ew.logical_and(*(ew.less(x, 0) for x in ends))
    sign = ew.where(below, -1, 1)
    first, last = (ew.log(ew.multiply(sign, x)) for x in ends)
    y = ew.exp(linspace(first, last, num, endpoint, axis=axis))
    y = ew.multiply(y, sign if not len(sign.shape) else movement.expand_dims(sign, axis))
    return y if dtype is None else ew.cast(y, dtype)
