"""The contractions that are measured alone: shapes, data and work.

The convolution is 3x3 without padding over 128 channels-last images, 26x26x32 -> 24x24x64: the MNIST CNN's
second.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Shape = tuple[int, ...]

IMAGES = (128, 26, 26, 32)
FILTERS = (3, 3, 32, 64)
OUTPUT = (128, 24, 24, 64)


@dataclass(frozen=True)
class Case:
    """``kind`` says what is computed from two operands; ``terms`` is the length of each of its sums.

    matmul: a @ b. forward: images, filters -> output. kernel_grad: images, d output -> d filters.
    input_grad: d output, filters -> d images.
    """

    name: str
    title: str
    kind: str
    left: Shape
    right: Shape
    result: Shape
    flops: int

    @property
    def terms(self) -> float:
        return self.flops / 2 / prod(self.result)


def _convolution(kind: str, title: str, left: Shape, right: Shape, result: Shape) -> Case:
    flops = 2 * prod(OUTPUT) * prod(FILTERS[:3])
    return Case(
        f"conv_{kind}", f"convolution 26x26x32 -> 24x24x64, N=128, {title}", kind, left, right, result, flops
    )


CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case("matmul", "matmul 512^3", "matmul", (512, 512), (512, 512), (512, 512), 2 * 512**3),
        _convolution("forward", "forward", IMAGES, FILTERS, OUTPUT),
        _convolution("kernel_grad", "weight gradient", IMAGES, OUTPUT, FILTERS),
        _convolution("input_grad", "input gradient", OUTPUT, FILTERS, IMAGES),
    )
}


def operands(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Both operands, float32 in [-1, 1)."""
    import numpy as np

    rng = np.random.default_rng(0)
    left, right = (rng.uniform(-1, 1, shape).astype(np.float32) for shape in (case.left, case.right))
    return left, right


def sample_of(case: Case, result: np.ndarray) -> list[float]:
    """Some elements of a result, scaled to the size of a single product: what contenders are compared by."""
    import numpy as np

    flat = np.asarray(result).reshape(-1)
    return [float(value) for value in flat[:: max(1, len(flat) // 64)] / case.terms**0.5]
