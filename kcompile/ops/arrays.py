"""What NumPy computes at once: these have no kernels, so a compiled model cannot contain them."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.ir.graph import Value
from kcompile.ops import elementwise as ew
from kcompile.ops import order


def _arrays(op: str, *xs: Any) -> tuple[np.ndarray, ...]:
    """Operands as arrays of their common dtype."""
    found = ew.operands(*xs)
    if any(isinstance(x, Value) for x in found):
        raise NotImplementedError(f"{op} has no kernel: it works on arrays, not inside of a compiled model.")
    return found


def _floats(op: str, *xs: Any) -> tuple[np.ndarray, ...]:
    found = _arrays(op, *xs)
    return tuple(ew.as_tensor(x, ew.float_of(ew.common_dtype(x))) for x in found)


def gcd(x1: Any, x2: Any) -> Any:
    """Greatest common divisors. Arrays only."""
    return np.gcd(*_arrays("gcd", x1, x2))


def lcm(x1: Any, x2: Any) -> Any:
    """Least common multiples. Arrays only."""
    return np.lcm(*_arrays("lcm", x1, x2))


def nextafter(x1: Any, x2: Any) -> Any:
    """The next number after x1 in the direction of x2. Arrays only."""
    return np.nextafter(*_floats("nextafter", x1, x2))


def i0(x: Any) -> Any:
    """The modified Bessel function of order 0. Arrays only."""
    (x,) = _floats("i0", x)
    return np.i0(x).astype(x.dtype)


def nonzero(x: Any) -> tuple[Any, ...]:
    """Positions (int32) of the elements that are not 0, one tensor per dimension. Arrays only."""
    (x,) = _arrays("nonzero", x)
    return tuple(at.astype(np.int32) for at in np.nonzero(x))


def histogram(x: Any, bins: int = 10, range: tuple[float, float] | None = None) -> tuple[Any, Any]:
    """How many elements of a 1-D tensor lie in each of `bins` intervals, and the edges. Arrays only."""
    (x,) = _floats("histogram", x)
    counts, edges = np.histogram(x, bins=bins, range=range)
    return counts.astype(x.dtype), edges.astype(x.dtype)


# --- quantiles without NaN ----------------------------------------------------------------------------------


def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """Quantiles of what is not NaN. Arrays only."""
    if method not in order.METHODS:
        raise ValueError(f"Invalid method: {method!r}. Expected one of {', '.join(order.METHODS)}.")
    (x,) = _floats("nanquantile", x)
    axis = tuple(axis) if isinstance(axis, list) else axis
    found = np.nanquantile(x, np.asarray(q, np.float64), axis=axis, method=method, keepdims=keepdims)  # type: ignore[call-overload]
    return np.asarray(found, x.dtype)


def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """Percentiles of what is not NaN. Arrays only."""
    return nanquantile(x, np.asarray(q, np.float64) / 100, axis, method, keepdims)


def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The median of what is not NaN. Arrays only."""
    return nanquantile(x, 0.5, axis, keepdims=keepdims)
