"""Gradients against finite differences: in float64, on the NumPy interpreter, along random directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcompile.autograd.backward import pull_back
from kcompile.core import dtypes
from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Value
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew
from kcompile.ops import reduce

STEP = 1e-5  # truncation and rounding of a central difference in float64 meet near this step
DIRECTIONS = 2


def gradient_error(function: Callable[..., Any], *arrays: np.ndarray, seed: int = 0) -> float:
    """The largest error of the gradients of function(*arrays), relative to the size of the derivative.

    Float inputs are moved along random directions; each directional derivative by the vjp rules is compared
    with a central difference. A gradient that the rules do not give counts as zero.
    Args:    function: of tensors, built of ops; gives a tensor or several. arrays: floats become float64.

    >>> from kcompile import ops
    >>> gradient_error(ops.tanh, np.array([0.5, -1.0])) < 1e-6
    True
    """
    rng = np.random.default_rng(seed)
    points = [_wide(a) for a in arrays]
    values = [make_parameter(f"x{k}", TensorType(p.shape, p.dtype.name)) for k, p in enumerate(points)]
    loss = _weighted(function(*values), rng)
    active = [k for k, v in enumerate(values) if dtypes.is_float(v.dtype)]
    found = pull_back(loss, ew.as_tensor(1.0, loss.dtype), [values[k] for k in active])

    def run(roots: list[Value], at: Sequence[np.ndarray]) -> list[np.ndarray]:
        return evaluate(roots, dict(zip(values, at, strict=True)), {})

    gradients = {
        k: run([g], points)[0] if g is not None else np.zeros(points[k].shape)
        for k, g in zip(active, found, strict=True)
    }
    worst = 0.0
    for k, gradient in gradients.items():
        for _ in range(DIRECTIONS):
            direction = rng.normal(size=gradient.shape)
            ahead, behind = (
                [p + s * STEP * direction if j == k else p for j, p in enumerate(points)] for s in (1, -1)
            )
            (above,), (below,) = run([loss], ahead), run([loss], behind)
            measured = (above - below) / (2 * STEP)
            size = max(1.0, float(np.sum(np.abs(gradient * direction))), abs(float(measured)))
            worst = max(worst, abs(float(measured) - float(np.sum(gradient * direction))) / size)
    return worst


def _wide(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    return array.astype(np.float64) if dtypes.is_float(dtypes.standardize(array.dtype)) else array


def _weighted(results: Any, rng: np.random.Generator) -> Value:
    """The sum of all float results times random weights."""
    parts = []
    for y in results if isinstance(results, (tuple, list)) else (results,):
        if dtypes.is_float(y.dtype):
            parts.append(reduce.sum(ew.multiply(y, rng.normal(size=y.shape))))
    total = parts[0]
    for part in parts[1:]:
        total = ew.add(total, part)
    return total
