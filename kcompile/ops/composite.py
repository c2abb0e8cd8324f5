"""Elementwise ops that are written with other ops, one row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType, broadcast_shapes
from kcompile.ops import elementwise as ew

Rule = Callable[..., Any]


def floating(x: Any) -> Any:
    """x as a tensor of floats: ints become the default float."""
    x = ew.as_tensor(x)
    return ew.as_tensor(x, ew.float_of(ew.common_dtype(x)))


def composite(
    name: str,
    reference: Rule,
    decompose: Rule,
    onnx: Rule | str | None = None,
    *,
    vjp: Rule | None = None,
    arity: int = 1,
    domain: tuple[float, float] = (-4.0, 4.0),
    far: tuple[float, ...] = (),
    **attrs: Any,
) -> Op:
    """Register an elementwise composite of floats.

    vjp: where the gradient of the decomposition would be worse. domain: of the samples.
    far: further numbers, for a sample without a gradient. attrs: the attributes that the samples use.
    """
    op = Op(name)

    @op.infer
    def infer(*xs: TensorType, **_: Any) -> TensorType:
        return TensorType(broadcast_shapes(*(x.shape for x in xs), op=name), xs[0].dtype)

    op.reference(reference)
    op.decompose(decompose)
    if vjp is not None:
        rule = vjp

        @op.vjp
        def pull_back(dy: Any, y: Any, *xs: Any, **own: Any) -> tuple[Any, ...]:
            return tuple(ew.unbroadcast(d, x.shape) for d, x in zip(rule(dy, y, *xs, **own), xs, strict=True))

    if isinstance(onnx, str):
        op.onnx(_not_narrowed(lambda g, *names: g.node(onnx, *names)))
    elif onnx is not None:
        op.onnx(_not_narrowed(onnx))

    @op.samples
    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        for shape in ((3, 5), (), (0, 2), (17,)):
            arrays = tuple(ew.sample_array(rng, shape, domain) for _ in range(arity))
            yield Sample(arrays, dict(attrs), str(shape))
        if far:
            pairs = np.array(np.meshgrid(*(far,) * arity), "float32").reshape(arity, -1)
            yield Sample(tuple(pairs), dict(attrs), "far", differentiable=False)

    return op


def _not_narrowed(rule: Rule) -> Rule:
    """Where an operator is not computed in a dtype, the parts are, which is better than a narrower dtype."""

    def written(g: Any, *names: str, **attrs: Any) -> Any:
        with g.not_narrowed():
            return rule(g, *names, **attrs)

    return written
