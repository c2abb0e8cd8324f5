"""Complex arrays, made of real ones and taken apart: arrays only, because kernels have no complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ir.graph import Value
from kcompile.ir.op import unwrap
from kcompile.ops import elementary
from kcompile.ops import elementwise as ew


def _array(op: str, x: Any) -> np.ndarray:
    x = unwrap(x)
    if isinstance(x, Value):
        raise NotImplementedError(
            f"{op}: a compiled model cannot hold complex numbers. Keep the real and the imaginary part as "
            "two tensors, as ops.fft does."
        )
    return x if isinstance(x, np.ndarray) else np.asarray(ew.as_tensor(x))


def is_complex(x: Any) -> bool:
    """Is this a complex array?"""
    return isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind == "c"


def view_as_complex(x: Any) -> Any:
    """The complex array of which x (..., 2) holds the real and the imaginary part. Arrays only.

    >>> view_as_complex(np.array([[1.0, 2.0]], "float32")).tolist()
    [(1+2j)]
    """
    x = _array("view_as_complex", x)
    if not x.ndim or x.shape[-1] != 2:
        raise ValueError(
            f"Last dimension of input must be size 2 (real and imaginary). Received shape: {x.shape}"
        )
    return x[..., 0] + 1j * x[..., 1]


def view_as_real(x: Any) -> Any:
    """The real and the imaginary part of x along a new last axis.

    >>> view_as_real(np.array([1 + 2j], "complex64")).tolist()
    [[1.0, 2.0]]
    """
    if isinstance(unwrap(x), Value):  # a tensor of a trace is real
        from kcompile.ops import joining

        return joining.stack([x, ew.multiply(x, 0)], axis=-1)
    x = _array("view_as_real", x)
    return np.stack([x.real, x.imag], axis=-1)


def polar(abs_: Any, angle: Any) -> Any:
    """The complex array with these absolute values and angles. Arrays only."""
    wide = dtypes.promote(ew.float_of(ew.common_dtype(abs_, angle)), "float32")
    size, turn = (_array("polar", x).astype(wide) for x in (abs_, angle))
    return size * np.cos(turn) + 1j * (size * np.sin(turn))


def real(x: Any) -> Any:
    """The real part: x itself unless it is complex."""
    return np.real(x) if is_complex(x) else elementary.real(x)


def imag(x: Any) -> Any:
    """The imaginary part: zeros unless x is complex."""
    return np.imag(x) if is_complex(x) else elementary.imag(x)


def conj(x: Any) -> Any:
    """x with the sign of its imaginary part changed."""
    return np.conj(x) if is_complex(x) else elementary.real(x)


conjugate = conj


def angle(x: Any) -> Any:
    """The angle of a complex number; 0 or pi of a real one."""
    return np.angle(x) if is_complex(x) else elementary.angle(x)


def isreal(x: Any) -> Any:
    """Which elements have no imaginary part?"""
    return np.isreal(x) if is_complex(x) else elementary.isreal(x)


def absolute(x: Any) -> Any:
    """The absolute value, also of complex arrays.

    >>> absolute(np.array([3 - 4j])).tolist()
    [5.0]
    """
    return np.abs(x) if is_complex(x) else ew.absolute(x)
