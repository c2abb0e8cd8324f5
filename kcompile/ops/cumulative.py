"""Running sums and products.

There is no scan kernel yet: in a compiled program each element sums what is before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import cutting, movement
from kcompile.ops import elementwise as ew


def _running(name: str, kind: str, neutral: int, reference: Any, vjp: Any, onnx: Any) -> Op:
    op = Op(name)

    @op.infer
    def infer(x: TensorType, *, axis: int) -> TensorType:
        return x

    @op.reference
    def evaluate(x: np.ndarray, *, axis: int) -> np.ndarray:
        return reference(x, axis=axis, dtype=x.dtype)

    op.vjp(vjp)

    @op.scalar
    def at(i: Index, x: Any, *, out: TensorType, axis: int) -> Expr:
        j = loops.axis(out.shape[axis], "r")
        seen = loops.apply("le", loops.index(j), loops.index(i[axis]), dtype="bool")
        value = x(tuple(j if k == axis else a for k, a in enumerate(i)))
        return loops.reduce(kind, (j,), loops.select(seen, value, loops.const(neutral, out.dtype)))

    op.onnx(onnx)

    @op.samples
    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        yield Sample((rng.uniform(0.5, 1.5, (3, 5)).astype("float32"),), {"axis": 1})
        yield Sample((rng.uniform(0.5, 1.5, (4, 2)).astype("float32"),), {"axis": 0}, "first")
        yield Sample((rng.integers(-2, 3, (6,)).astype("int32"),), {"axis": 0}, "ints")

    return op


def _sum_vjp(dy: Any, y: Any, x: Any, *, axis: int) -> tuple[Any]:
    return (_from_the_end(dy, axis),)


def _from_the_end(dy: Any, axis: int) -> Any:
    """The sum of dy from each position to the end."""
    return cutting.flip(cumsum_op(cutting.flip(dy, axis), axis=axis), axis)


def _prod_vjp(dy: Any, y: Any, x: Any, *, axis: int) -> tuple[Any]:
    return (ew.true_divide(_from_the_end(ew.multiply(dy, y), axis), x),)


def _sum_onnx(g: Any, x: str, *, axis: int) -> str:
    return g.node("CumSum", x, g.constant(np.array(axis, np.int64)))


def _prod_onnx(g: Any, x: str, *, axis: int) -> str:
    # ONNX has no running product: for each position, the product of a row in which what comes later is 1.
    shape = g.shape(x)
    if not isinstance(shape[axis], int):
        raise NotImplementedError("cumprod along an axis whose extent is known only at run time")
    seen = np.tri(shape[axis], dtype=bool).reshape((shape[axis],) * 2 + (1,) * (len(shape) - axis - 1))
    rows = g.node("Unsqueeze", x, g.constant(np.array([axis])))
    kept = g.node("Where", g.constant(seen), rows, ew.onnx_number(g, 1, x))
    return g.reduce("ReduceProd", kept, [axis + 1], False)


cumsum_op = _running("cumsum", "sum", 0, np.cumsum, _sum_vjp, _sum_onnx)
cumprod_op = _running("cumprod", "prod", 1, np.cumprod, _prod_vjp, _prod_onnx)


def _run(op: Op, x: Any, axis: int | None, dtype: Any) -> Any:
    x = ew.as_tensor(x, None if dtype is None else dtypes.standardize(dtype))
    if dtype is None and ew.common_dtype(x) == "bool":
        x = ew.cast(x, "int32")
    if axis is None:
        x, axis = movement.reshape(x, (-1,)), 0
    return op(x, axis=movement.check_axis(op.name, axis, len(x.shape)))


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Running sums along `axis`, or of the flattened tensor.

    >>> cumsum(np.array([1, 2, 3])).tolist()
    [1, 3, 6]
    """
    return _run(cumsum_op, x, axis, dtype)


def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Running products along `axis`, or of the flattened tensor. Gradients need elements other than 0."""
    return _run(cumprod_op, x, axis, dtype)
