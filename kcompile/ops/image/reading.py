"""Reading at positions that are known to lie inside, so that nothing is checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import index as indexing

pick_op = Op("pick")


@pick_op.infer
def _pick_infer(x: TensorType, positions: TensorType, *, axis: int) -> TensorType:
    return TensorType((*x.shape[:axis], *positions.shape, *x.shape[axis + 1 :]), x.dtype)


@pick_op.reference
def _pick_reference(x: np.ndarray, positions: np.ndarray, *, axis: int) -> np.ndarray:
    return np.take(x, positions, axis=axis)


@pick_op.vjp
def _pick_vjp(dy: Any, y: Any, x: Any, positions: Any, *, axis: int) -> tuple[Any, None]:
    return indexing.take_op.rules["vjp"](dy, y, x, positions, axis=axis)


@pick_op.scalar
def _pick_scalar(i: Index, x: Any, positions: Any, *, out: TensorType, axis: int) -> Expr:
    end = axis + positions.type.rank
    at = loops.dynamic(loops.cast(positions(i[axis:end]), "int64"), x.type.shape[axis])
    return x((*i[:axis], at, *i[end:]))


@pick_op.onnx
def _pick_onnx(g: Any, x: str, positions: str, *, axis: int) -> str:
    return g.node("Gather", x, g.cast(positions, "int64"), axis=axis)


@pick_op.samples
def _pick_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.normal(size=(5, 3, 4)).astype("float32")
    yield Sample((x, rng.integers(0, 5, (2, 3)).astype("int32")), {"axis": 0}, "rows")
    yield Sample((x, rng.integers(0, 3, (7,)).astype("int64")), {"axis": 1}, "middle")
    yield Sample((x, np.array(2, "int32")), {"axis": 2}, "scalar")


def pick(x: Any, positions: Any, axis: int = 0) -> Any:
    """Elements of x at `positions` along `axis`, which must lie in [0, extent).

    Shapes:  x (a..., d, b...), positions (i...) -> (a..., i..., b...).
    """
    return pick_op(x, positions, axis=axis)
