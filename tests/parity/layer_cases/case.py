"""A case: a layer with its arguments, shapes of inputs, and seeded numbers for them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
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

    @property
    def name(self) -> str:
        text = ",".join(f"{k}={v}" for k, v in self.kwargs.items())
        tail = ",".join("x".join(map(str, s)) for s in self.shapes)
        return f"{self.layer}({text})[{tail}]{'+mask' if self.mask else ''}"

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.name.encode()))

    def inputs(self) -> list[np.ndarray]:
        rng = self.rng()
        if self.ints:
            return [rng.integers(0, self.ints, s).astype("int32") for s in self.shapes]
        return [rng.normal(size=s).astype("float32") for s in self.shapes]

    def mask_array(self) -> np.ndarray | None:
        if not self.mask:
            return None
        n, steps = self.shapes[0][:2]
        return np.arange(steps)[None] < np.arange(1, n + 1)[:, None]

    def weights(self, shapes: list[Shape]) -> list[np.ndarray]:
        """Positive numbers, because some weights are variances."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()) + 1)
        return [
            rng.uniform(0.2, 1.2, s).astype("float32") * (-1) ** (k % 2 * (len(s) > 1))
            for k, s in enumerate(shapes)
        ]


def case(
    layer: str, shapes: Any, *, training: bool = False, ints: int = 0, mask: bool = False, **kwargs: Any
) -> Case:
    several = tuple(shapes) if isinstance(shapes[0], tuple) else (shapes,)
    return Case(layer, kwargs, several, training, ints, mask, ints == 0)


IMAGE = (2, 6, 7, 4)
STEPS = (2, 7, 4)
VOLUME = (2, 4, 5, 4, 2)
PAIR = ((3, 4), (3, 4))
