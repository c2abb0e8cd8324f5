"""What an op asks of extents that only a run knows, where the shape of its result does not show it: of a
crop, that something is left, of a padding, that it is not below 0. Shape rules are asked again with numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core.errors import ShapeError
from kcompile.core.symbolic import Int
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import Shape, TensorType

demand_op = Op("demand", cheap=True)


def _check(shape: Shape, extents: tuple[int | Int, ...], otherwise: str) -> None:
    if any(isinstance(d, int) and d < 0 for d in extents):
        raise ShapeError(f"{otherwise} Received: inputs.shape={shape}")


@demand_op.infer
def _demand_infer(x: TensorType, *, extents: tuple[int | Int, ...], otherwise: str) -> TensorType:
    _check(x.shape, extents, otherwise)
    return x


demand_op.reference(lambda x, **_: x)
demand_op.vjp(lambda dy, y, x, **_: (dy,))
demand_op.decompose(lambda x, **_: x)
demand_op.onnx(lambda g, x, **_: x)


@demand_op.samples
def _demand_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.normal(size=(2, 3)).astype("float32"),), {"extents": (0, 3), "otherwise": "never"})


def demanding(x: Any, *extents: int | Int, otherwise: str) -> Any:
    """x, whose reader needs that no extent is below 0.

    Raises:  ShapeError with the sentence `otherwise`, now or when a program gets such sizes.
    """
    _check(x.shape, extents, otherwise)
    is_open = any(isinstance(d, Int) for d in extents)
    return demand_op(x, extents=extents, otherwise=otherwise) if is_open else x
