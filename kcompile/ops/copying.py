"""A tensor once more, which costs a program nothing: another one, to which no mask belongs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew

copy_op = Op("copy", cheap=True)  # slot makes two copies of one value two values, while gradients are made


@copy_op.infer
def _copy_infer(x: TensorType, *, slot: int) -> TensorType:
    return x


copy_op.simplify(lambda out, x, *, slot: x)


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


def copy(x: Any) -> Any:
    """A tensor with the elements of x."""
    return copy_op(ew.as_tensor(x), slot=0)
