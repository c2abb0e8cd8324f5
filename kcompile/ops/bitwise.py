"""Ops on the bits of integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import DTypeError, message
from kcompile.ops import elementwise as ew

_ROWS = {  # NumPy's function, scalar code, ONNX
    "bitwise_and": (np.bitwise_and, "and", "BitwiseAnd"),
    "bitwise_or": (np.bitwise_or, "or", "BitwiseOr"),
    "bitwise_xor": (np.bitwise_xor, "xor", "BitwiseXor"),
    "left_shift": (np.left_shift, "shl", None),
    "right_shift": (np.right_shift, "shr", None),
}


def _shift(direction: str) -> Any:
    return lambda g, a, b: g.node("BitShift", a, b, direction=direction)


def _register(name: str) -> Any:
    reference, code, onnx = _ROWS[name]
    rule = onnx or _shift("LEFT" if code == "shl" else "RIGHT")
    call = ew.binary(
        name, reference, code, lambda dy, y, a, b: (None, None), onnx=rule, inputs="int", cheap=True
    )

    def function(x: Any, y: Any) -> Any:
        dtype = ew.common_dtype(x, y)
        if dtypes.is_float(dtype):
            raise DTypeError(message(f"{name}: operands must be integers or bools.", received=dtype))
        return call(x, y)

    function.__name__ = function.__qualname__ = name
    return function


bitwise_and = _register("bitwise_and")
bitwise_or = _register("bitwise_or")
bitwise_xor = _register("bitwise_xor")
left_shift = _register("left_shift")
right_shift = _register("right_shift")


def bitwise_not(x: Any) -> Any:
    """Every bit turned; for bools logical not."""
    x = ew.as_tensor(x)
    dtype = ew.common_dtype(x)
    if dtype == "bool":
        return ew.logical_not(x)
    return bitwise_xor(x, ew.as_tensor(-1 if dtype in dtypes.SIGNED else np.iinfo(dtype).max, dtype))
