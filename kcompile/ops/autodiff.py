"""Ops that speak about gradients: stop_gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew

stop_gradient_op = Op("stop_gradient", cheap=True)


@stop_gradient_op.infer
def _infer(x: TensorType) -> TensorType:
    return x


@stop_gradient_op.reference
def _reference(x: np.ndarray) -> np.ndarray:
    return x


@stop_gradient_op.vjp
def _vjp(dy: Any, y: Any, x: Any) -> tuple[None]:
    return (None,)


@stop_gradient_op.scalar
def _scalar(i: Index, x: Any, *, out: TensorType) -> Expr:
    return x(i)


@stop_gradient_op.onnx
def _onnx(g: Any, x: str) -> str:
    return g.node("Identity", x)


@stop_gradient_op.samples
def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(3,)).astype("float32"),), differentiable=False)


def stop_gradient(variable: Any) -> Any:
    """The same tensor, through which no gradient flows."""
    return stop_gradient_op(ew.as_tensor(variable))
