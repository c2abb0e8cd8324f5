"""A case: a layer with its arguments, shapes of inputs, and seeded numbers for them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """A layer with its arguments and the shapes (batch included) of its inputs."""

    layer: str
    kwargs: dict[str, Any]
    shapes: tuple[Shape, ...]
    training: bool = False  # whether the outputs with training=True are compared too
    ints: int = 0  # inputs are ints in [0, ints)
    mask: bool = False  # call(mask=...) with a mask (n, steps)
    differentiable: bool = True
    spread: bool = False  # call(*inputs), not call(inputs)
    options: dict[str, Any] = field(default_factory=dict)  # further arguments of the call
    weight_size: float = 1.0  # smaller: rounding errors of gradients that cancel out stay below the tolerance

    @property
    def name(self) -> str:
        text = ",".join(f"{k}={v}" for k, v in self.kwargs.items())
        tail = ",".join("x".join(map(str, s)) for s in self.shapes)
        more = "".join(f"+{k}={v}" for k, v in self.options.items())
        return f"{self.layer}({text})[{tail}]{'+mask' if self.mask else ''}{more}"

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.name.encode()))

    def inputs(self) -> list[np.ndarray]:
        rng = self.rng()
        if self.ints:
            return [rng.integers(0, self.ints, s).astype("int32") for s in self.shapes]
        return [rng.normal(size=s).astype("float32") for s in self.shapes]

    def arranged(self, xs: list[Any]) -> tuple[Any, ...]:
        """The positional arguments of the call for these inputs: several are a list, unless spread."""
        return tuple(xs) if self.spread else (xs if len(xs) > 1 else xs[0],)

    def mask_array(self) -> np.ndarray | None:
        if not self.mask:
            return None
        n, steps = self.shapes[0][:2]
        return np.arange(steps)[None] < np.arange(1, n + 1)[:, None]

    def weights(self, shapes: list[Shape]) -> list[np.ndarray]:
        """Positive numbers, because some weights are variances."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()) + 1)
        return [
            (rng.uniform(0.2, 1.2, s) * self.weight_size).astype("float32") * (-1) ** (k % 2 * (len(s) > 1))
            for k, s in enumerate(shapes)
        ]


def case(
    layer: str,
    shapes: Any,
    *,
    training: bool = False,
    ints: int = 0,
    mask: bool = False,
    spread: bool = False,
    options: dict[str, Any] | None = None,
    weight_size: float = 1.0,
    **kwargs: Any,
) -> Case:
    several = tuple(shapes) if isinstance(shapes[0], tuple) else (shapes,)
    return Case(layer, kwargs, several, training, ints, mask, ints == 0, spread, options or {}, weight_size)


IMAGE = (2, 6, 7, 4)
STEPS = (2, 7, 4)
VOLUME = (2, 4, 5, 4, 2)
PAIR = ((3, 4), (3, 4))
