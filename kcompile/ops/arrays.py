"""NumPy functions of whole numbers and counts, and Bessel's."""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import DTypeError, message
from kcompile.ir.graph import Value
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import control, create, movement, reduce
from kcompile.ops import elementwise as ew
from kcompile.ops.composite import floating


def _whole(op: str, x1: Any, x2: Any) -> tuple[Any, Any, bool]:
    """Operands as ints of their common dtype, and whether they are arrays."""
    a, b = ew.operands(x1, x2)
    if not dtypes.is_int(dtypes.standardize(a.dtype)):
        raise DTypeError(message(f"{op}: operands must be integers.", received=f"{x1!r} and {x2!r}"))
    return a, b, not isinstance(a, Value) and not isinstance(b, Value)


def gcd(x1: Any, x2: Any) -> Any:
    """Greatest common divisors.

    >>> gcd(np.array([12, -8]), 18).tolist()
    [6, 2]
    """
    a, b, arrays = _whole("gcd", x1, x2)
    if arrays:
        return np.gcd(a, b)
    # Euclid's algorithm: the worst operands are neighbours in Fibonacci's sequence.
    steps = math.ceil(8 * dtypes.itemsize(dtypes.standardize(a.dtype)) / math.log2((1 + math.sqrt(5)) / 2))

    def step(_: Any, pair: Any) -> Any:
        a, b = pair
        rest = ew.mod(a, ew.where(ew.equal(b, 0), 1, b))
        return ew.where(ew.equal(b, 0), a, b), ew.where(ew.equal(b, 0), b, rest)

    zero = ew.multiply(ew.add(a, b), 0)  # both in the shape in which they meet
    return control.fori_loop(0, steps, step, (ew.absolute(ew.add(a, zero)), ew.absolute(ew.add(b, zero))))[0]


def lcm(x1: Any, x2: Any) -> Any:
    """Least common multiples.

    >>> lcm(np.array([4, 0]), 6).tolist()
    [12, 0]
    """
    a, b, arrays = _whole("lcm", x1, x2)
    if arrays:
        return np.lcm(a, b)
    divisor = gcd(a, b)
    quotient = ew.floor_divide(ew.absolute(a), ew.where(ew.equal(divisor, 0), 1, divisor))
    return ew.absolute(ew.multiply(quotient, b))


def nonzero(x: Any) -> tuple[Any, ...]:
    """Positions (int32) of the elements that are not 0, one tensor per dimension.

    Arrays only: in a compiled model the number of such elements is not known.
    """
    x = ew.as_tensor(x)
    if isinstance(x, Value):
        raise NotImplementedError(
            "nonzero: in a compiled model the number of elements that are not 0 is not known; "
            "ops.where(condition, a, b) selects without positions."
        )
    return tuple(at.astype(np.int32) for at in np.nonzero(x))


def histogram(x: Any, bins: int = 10, range: tuple[float, float] | None = None) -> tuple[Any, Any]:
    """How many elements of a 1-D tensor lie in each of `bins` intervals of `range`, and the edges.

    Args:    range: (low, high), by default of the elements; others are not counted.

    >>> [part.tolist() for part in histogram(np.array([1.0, 2.0, 2.5, 4.0]), bins=3)]
    [[1.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]]
    """
    if not isinstance(bins, int) or bins < 1:
        raise ValueError(f"Argument `bins` should be a non-negative integer. Received: bins={bins}")
    if range is not None and (len(range) != 2 or range[1] < range[0]):
        raise ValueError(f"The `range` argument must be a tuple of (min, max). Received: range={range}")
    x = floating(x)
    if len(x.shape) != 1:
        raise ValueError(f"Input tensor must be 1-dimensional. Received: input.shape={tuple(x.shape)}")
    dtype = dtypes.standardize(x.dtype)
    if not isinstance(x, Value):
        counts, edges = np.histogram(x, bins=bins, range=range)
        return counts.astype(x.dtype), edges.astype(x.dtype)
    low, high = range if range is not None else (reduce.min(x), reduce.max(x))
    low, high = ew.as_tensor(low, dtype), ew.as_tensor(high, dtype)
    wide = ew.where(ew.equal(low, high), 0.5, 0.0)
    edges = create.linspace(ew.subtract(low, wide), ew.add(high, wide), bins + 1)
    # Every interval has its lower edge; the last one its upper edge, too.
    reached = ew.greater_equal(movement.expand_dims(x, 1), edges)
    passed = np.arange(bins + 1) == bins
    reached = ew.where(passed, ew.greater(movement.expand_dims(x, 1), edges), reached)
    above = reduce.sum(ew.cast(reached, dtype), axis=0)
    return ew.subtract(above[:-1], above[1:]), edges


# --- Bessel's function --------------------------------------------------------------------------------------

i0_op = Op("i0")
SERIES, ASYMPTOTIC, BORDER = 46, 20, 20.0  # terms, and |x| from which on the second is used
FINITE = 1e3  # exp of it is infinite, that of half of it is not in float64


@i0_op.infer
def _i0_infer(x: TensorType) -> TensorType:
    return x


@i0_op.reference
def _i0_reference(x: np.ndarray) -> np.ndarray:
    return np.i0(x.astype(np.float64)).reshape(x.shape)


@i0_op.decompose
def _i0_decompose(x: Any) -> Any:
    """Abramowitz and Stegun 9.6.12 and 9.7.1, by Horner's rule; all terms are positive."""
    x = ew.absolute(x)
    near, far = ew.minimum(x, BORDER), ew.maximum(x, BORDER)
    far = ew.minimum(far, FINITE)  # beyond it the result is infinite, and infinity times the root of 1/x NaN
    y, u = ew.multiply(ew.square(near), 0.25), ew.reciprocal(far)
    series: Any = ew.add(ew.multiply(x, 0), 1.0)
    for k in reversed(builtins.range(1, SERIES + 1)):
        series = ew.add(ew.multiply(ew.multiply(y, 1.0 / k**2), series), 1.0)
    tail: Any = ew.add(ew.multiply(x, 0), 1.0)
    for k in reversed(builtins.range(1, ASYMPTOTIC + 1)):
        tail = ew.add(ew.multiply(ew.multiply(u, (2 * k - 1) ** 2 / (8.0 * k)), tail), 1.0)
    # exp in two halves: the root would otherwise come too late to keep it finite.
    half = ew.exp(ew.multiply(far, 0.5))
    large = ew.multiply(ew.multiply(half, ew.multiply(tail, ew.rsqrt(ew.multiply(far, 2 * math.pi)))), half)
    return ew.where(ew.less(x, BORDER), series, large)


@i0_op.samples
def _i0_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.uniform(-4, 4, (3, 5)).astype("float32"),))
    yield Sample((np.array([0.0, 19.5, 20.5, -60.0], "float32"),), {}, "far", False)


def i0(x: Any) -> Any:
    """The modified Bessel function of order 0.

    >>> i0(np.array([0.0])).tolist()
    [1.0]
    """
    return i0_op(floating(x))
