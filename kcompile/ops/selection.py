"""`where`: one of two tensors, element by element."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.traits import Traits
from kcompile.ir.types import TensorType, broadcast_shapes
from kcompile.ops.operands import aligned, as_tensor, operands, unbroadcast, zero_like

where_op = Op("where", cheap=True, traits=Traits(selects=True))


@where_op.infer
def _where_infer(condition: TensorType, a: TensorType, b: TensorType) -> TensorType:
    return TensorType(broadcast_shapes(condition.shape, a.shape, b.shape, op="where"), a.dtype)


where_op.reference(np.where)


@where_op.vjp
def _where_vjp(dy: Any, y: Any, condition: Any, a: Any, b: Any) -> tuple[Any, ...]:
    zero = zero_like(dy)
    return (
        None,
        unbroadcast(where(condition, dy, zero), a.shape),
        unbroadcast(where(condition, zero, dy), b.shape),
    )


@where_op.scalar
def _where_scalar(i: Index, condition: Any, a: Any, b: Any, *, out: TensorType) -> Expr:
    c, x, y = (v(aligned(i, v.type.shape)) for v in (condition, a, b))
    return loops.select(c, x, y)


@where_op.onnx
def _where_onnx(g: Any, condition: str, a: str, b: str) -> str:
    return g.node("Where", condition, a, b)


@where_op.samples
def _where_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for shapes in (((3, 5),) * 3, ((3, 1), (5,), ()), ((),) * 3, ((0, 2),) * 3):
        c, a, b = shapes
        yield Sample(
            (rng.random(c) < 0.5, rng.normal(size=a).astype("float32"), rng.normal(size=b).astype("float32"))
        )


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where `condition` holds, else x2, broadcast together; without x1 and x2, `nonzero(condition)`.

    >>> where(np.array([True, False]), 1.0, 2.0).tolist()
    [1.0, 2.0]
    """
    if (x1 is None) != (x2 is None):
        raise ValueError("`x1` and `x2` either both should be `None` or both should have non-None value.")
    if x1 is None:
        from kcompile.ops.arrays import nonzero

        return nonzero(condition)
    a, b = operands(x1, x2)
    return where_op(as_tensor(condition, "bool"), a, b)
