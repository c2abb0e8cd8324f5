"""softmax, log_softmax, logsumexp and sparsemax."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core.callers import users_level
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import arrange, create, cumulative, cutting, movement, reduce
from kcompile.ops import elementwise as ew
from kcompile.ops import order as sorting
from kcompile.ops.autodiff import stop_gradient
from kcompile.ops.composite import floating

softmax_op = Op("softmax")
log_softmax_op = Op("log_softmax")


def _same(x: TensorType, *, axis: int) -> TensorType:
    return x


def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(3, 5)).astype("float32"),), {"axis": 1}, "rows")
    yield Sample((rng.normal(size=(2, 3, 4)).astype("float32"),), {"axis": 1}, "middle")
    yield Sample((rng.normal(size=(4, 1)).astype("float32"),), {"axis": 1}, "one")
    yield Sample((rng.normal(size=(2, 17)).astype("float32") * 1e3,), {"axis": 1}, "large", False)
    masked = np.array([[0.5, -np.inf, 1.0]], "float32")
    yield Sample((masked,), {"axis": 1}, "masked", False)


def _shifted(x: Any, axis: int) -> Any:
    """x less its largest element, so that exp cannot overflow. The shift cancels in the gradient."""
    return ew.subtract(x, stop_gradient(reduce.max(x, axis=axis, keepdims=True)))


softmax_op.infer(_same)


@softmax_op.reference
def _softmax_reference(x: np.ndarray, *, axis: int) -> np.ndarray:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


@softmax_op.vjp
def _softmax_vjp(dy: Any, y: Any, x: Any, *, axis: int) -> tuple[Any]:
    # The Jacobian is never formed.
    along = reduce.sum(ew.multiply(dy, y), axis=axis, keepdims=True)
    return (ew.multiply(y, ew.subtract(dy, along)),)


@softmax_op.decompose
def _softmax_decompose(x: Any, *, axis: int) -> Any:
    e = ew.exp(_shifted(x, axis))
    return ew.true_divide(e, reduce.sum(e, axis=axis, keepdims=True))


@softmax_op.onnx
def _softmax_onnx(g: Any, x: str, *, axis: int) -> str:
    return g.node("Softmax", x, axis=axis)


softmax_op.samples(_samples)
log_softmax_op.infer(_same)


@log_softmax_op.reference
def _log_softmax_reference(x: np.ndarray, *, axis: int) -> np.ndarray:
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@log_softmax_op.vjp
def _log_softmax_vjp(dy: Any, y: Any, x: Any, *, axis: int) -> tuple[Any]:
    return (ew.subtract(dy, ew.multiply(softmax_op(x, axis=axis), reduce.sum(dy, axis=axis, keepdims=True))),)


@log_softmax_op.decompose
def _log_softmax_decompose(x: Any, *, axis: int) -> Any:
    shifted = _shifted(x, axis)
    return ew.subtract(shifted, ew.log(reduce.sum(ew.exp(shifted), axis=axis, keepdims=True)))


@log_softmax_op.onnx
def _log_softmax_onnx(g: Any, x: str, *, axis: int) -> str:
    return g.node("LogSoftmax", x, axis=axis)


log_softmax_op.samples(_samples)


def _along(op: Op, x: Any, axes: tuple[int, ...]) -> Any:
    """op over several axes taken together: they are moved to the end and joined to one."""
    if 0 in x.shape:  # nothing stays nothing
        return x
    if len(axes) == 1:
        return op(x, axis=axes[0])
    rank, shape = len(x.shape), x.shape
    order = [*(k for k in range(rank) if k not in axes), *axes]
    moved = movement.transpose(x, order)
    joined = math.prod(shape[a] for a in axes)
    y = op(movement.reshape(moved, (*moved.shape[: rank - len(axes)], joined)), axis=rank - len(axes))
    return movement.transpose(movement.reshape(y, moved.shape), [order.index(k) for k in range(rank)])


def softmax(x: Any, axis: Any = -1) -> Any:
    """exp(x) scaled to sum 1 over `axis` (an int, or several as a tuple).

    >>> softmax(np.array([[0.0, 0.0]], "float32")).tolist()
    [[0.5, 0.5]]
    """
    x = floating(x)
    axes = reduce.normalize_axes("softmax", axis, len(x.shape))
    if isinstance(axis, int) and x.shape[axis] == 1:
        warnings.warn(
            f"You are using a softmax over axis {axis} of a tensor of shape {x.shape}. This axis has size 1. "
            "The softmax operation will always return the value 1, which is likely not what you intended. "
            "Did you mean to use a sigmoid instead?",
            stacklevel=users_level(),
        )
    return _along(softmax_op, x, axes)


def sparsemax(x: Any, axis: int = -1) -> Any:
    """The point of the simplex nearest to x along `axis` (Martins and Astudillo 2016).

    >>> sparsemax(np.array([3.0, 0.0], "float32")).tolist()
    [1.0, 0.0]
    """
    x = arrange.moveaxis(floating(x), axis, -1)
    order = cutting.flip(sorting.sort(x), -1)
    count = ew.cast(ew.add(create.iota(x.shape[-1]), 1), ew.common_dtype(x))
    sums = cumulative.cumsum(order, axis=-1)
    inside = ew.greater(ew.add(ew.multiply(order, count), 1.0), sums)
    size = reduce.sum(ew.cast(inside, ew.common_dtype(x)), axis=-1, keepdims=True)
    total = reduce.sum(ew.where(inside, order, 0.0), axis=-1, keepdims=True)
    y = ew.relu(ew.subtract(x, ew.true_divide(ew.subtract(total, 1.0), size)))
    return arrange.moveaxis(y, -1, axis)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """log(softmax(x)), without overflow or log of 0."""
    x = floating(x)
    axes = reduce.normalize_axes("log_softmax", axis, len(x.shape))
    return _along(log_softmax_op, x, axes)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over `axis`, without overflow: the largest element is taken out first."""
    x = ew.as_tensor(x)
    x = ew.as_tensor(x, ew.float_of(ew.common_dtype(x)))
    axes = reduce.normalize_axes("logsumexp", axis, len(x.shape))
    if 0 in [x.shape[k] for k in axes]:
        return ew.log(reduce.sum(x, axis=axis, keepdims=keepdims))  # of nothing: log(0)
    top = reduce.max(x, axis=axis, keepdims=True)
    top = stop_gradient(ew.where(ew.isfinite(top), top, 0))
    total = ew.log(reduce.sum(ew.exp(ew.subtract(x, top)), axis=axis, keepdims=True)) + top
    if keepdims:
        return total
    return movement.reshape(total, tuple(d for k, d in enumerate(x.shape) if k not in axes))
