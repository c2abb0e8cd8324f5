"""Arithmetic with the types that Numba gives it on a device, on NumPy scalars and arrays.

What differs from NumPy: integers are computed in 64 bits, and a Python float is a float64.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.runtime.cuda.faults import DeviceFault

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
    ast.BitXor: operator.xor, ast.LShift: operator.lshift, ast.RShift: operator.rshift,
}  # fmt: skip
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_ON_BITS = (ast.BitAnd, ast.BitOr, ast.BitXor)


def constant(value: Any) -> Any:
    """A literal as Numba types it."""
    if isinstance(value, bool):
        return np.bool_(value)
    return np.int64(value) if isinstance(value, int) and value < 2**63 else np.float64(value)


def binary(op: ast.operator, a: Any, b: Any) -> Any:
    """a op b. Raises: DeviceFault where Numba would compute uint64 and int64 in float64."""
    kinds = a.dtype.kind + b.dtype.kind
    if "f" not in kinds and not (kinds == "bb" and isinstance(op, _ON_BITS)):
        wide = _integer(a, b)
        a, b = convert(a, wide), convert(b, wide)
    return _BINARY[type(op)](a, b)


def _integer(a: Any, b: Any) -> type:
    if a.dtype.kind == b.dtype.kind == "u":
        return np.uint64
    if np.uint64 in (a.dtype, b.dtype):
        raise DeviceFault("uint64 and int64 meet: Numba would compute in float64")
    return np.int64


def compare(op: ast.cmpop, a: Any, b: Any) -> Any:
    return _COMPARE[type(op)](a, b)


def unary(op: ast.unaryop, a: Any) -> Any:
    if isinstance(op, ast.Not):
        return np.logical_not(a)
    return -(convert(a, np.int64) if a.dtype.kind in "iub" and a.dtype != np.uint64 else a)


def convert(x: Any, dtype: Any) -> Any:
    """x in another type; integers wrap around, floats become integers towards zero."""
    return x if x.dtype == dtype else np.asarray(x).astype(dtype)[()]


def is_uniform(x: Any) -> bool:
    """Is it one number for all threads?"""
    return np.ndim(x) == 0
