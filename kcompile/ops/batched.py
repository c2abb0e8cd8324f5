"""Any primitive op for many operands at once, along a new first axis: what loops without a carry become."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core.symbolic import Int
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import REGISTRY, Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops.contract import Map, contract_op

batched_op = Op("batched")
"""Attributes: name and attrs of the op; steps: the extent of the new axis; stacked: which inputs have it (the
others are the same at every step)."""


def _one(x: TensorType, is_stacked: bool) -> TensorType:
    return TensorType(x.shape[1:], x.dtype) if is_stacked else x


def _inner(types: tuple[TensorType, ...], name: str, attrs: dict[str, Any]) -> TensorType:
    [found] = REGISTRY[name].infer_types(types, attrs)
    return found


@batched_op.infer
def _infer(
    *xs: TensorType, name: str, attrs: dict[str, Any], steps: int | Int, stacked: tuple[bool, ...]
) -> TensorType:
    one = _inner(tuple(map(_one, xs, stacked)), name, attrs)
    return TensorType((steps, *one.shape), one.dtype)


@batched_op.reference
def _reference(
    *xs: np.ndarray, name: str, attrs: dict[str, Any], steps: int, stacked: tuple[bool, ...]
) -> np.ndarray:
    op = REGISTRY[name]
    found = [
        op.evaluate(tuple(x[k] if s else x for x, s in zip(xs, stacked, strict=True)), attrs)
        for k in range(steps)
    ]
    if found:
        return np.stack(found)
    types = tuple(_one(TensorType(x.shape, x.dtype.name), s) for x, s in zip(xs, stacked, strict=True))
    return np.zeros((0, *_inner(types, name, attrs).shape))


class _Slice:
    """An operand at one step."""

    def __init__(self, x: Any, step: int | Int) -> None:
        self.type, self._x, self._step = _one(x.type, True), x, step

    def __call__(self, index: Index) -> Expr:
        return self._x((self._step, *index))


@batched_op.scalar
def _scalar(
    i: Index,
    *xs: Any,
    out: TensorType,
    name: str,
    attrs: dict[str, Any],
    steps: int | Int,
    stacked: tuple[bool, ...],
) -> Expr:
    operands = [_Slice(x, i[0]) if s else x for x, s in zip(xs, stacked, strict=True)]
    return REGISTRY[name].rules["scalar"](i[1:], *operands, out=_one(out, True), **attrs)


@batched_op.samples
def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype("float32")

    def attrs(name: str, steps: int, *stacked: bool, **own: Any) -> dict[str, Any]:
        return {"name": name, "attrs": own, "steps": steps, "stacked": stacked}

    yield Sample((normal(4, 3), normal(3)), attrs("add", 4, True, False), "row")
    yield Sample((normal(4, 2, 3),), attrs("sum", 4, True, axes=(1,), keepdims=False), "sum")
    yield Sample((normal(5), normal(5, 2, 3)), attrs("multiply", 5, True, True), "scalars")
    yield Sample((normal(0, 3),), attrs("exp", 0, True), "nothing")


# --- contractions: one more axis of the same contraction ----------------------------------------------------


@contract_op.batch
def _contract_batch(out: TensorType, xs: Any, stacked: Any, steps: Any, **attrs: Any) -> Any:
    return _with_axis(xs, stacked, attrs, 0, shape=(steps, *attrs["shape"]))


@contract_op.batch_sum
def _contract_batch_sum(out: TensorType, xs: Any, stacked: Any, steps: Any, **attrs: Any) -> Any:
    number = len(attrs["shape"]) + len(attrs["over"])
    return _with_axis(xs, stacked, attrs, number, over=(*attrs["over"], steps))


def _with_axis(xs: Any, stacked: Any, attrs: dict[str, Any], number: int, **changed: Any) -> Any:
    """The contraction with one more axis of this number, which leads the stacked operands."""

    def moved(mapping: Map, has_axis: bool) -> Map:
        own = tuple(tuple((c, a + (a >= number)) for c, a in terms) for terms in mapping)
        return (((1, number),), *own) if has_axis else own

    maps = [moved(attrs[k], s) for k, s in zip(("x_map", "w_map"), stacked, strict=True)]
    return contract_op(*xs, **{**attrs, **changed, "x_map": maps[0], "w_map": maps[1]})
