"""Ops on the bits of integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import DTypeError, message
from kcompile.ops import elementwise as ew


def _onnx_left(g: Any, a: str, b: str) -> str:
    """ONNX shifts unsigned numbers only."""
    dtype = g.dtype(a)
    unsigned = f"u{dtype.removeprefix('u')}"
    return g.cast(g.node("BitShift", g.cast(a, unsigned), g.cast(b, unsigned), direction="LEFT"), dtype)


def _onnx_right(g: Any, a: str, b: str) -> str:
    """Signed numbers are divided by 2**b, rounding down."""
    dtype = g.dtype(a)
    if dtype in dtypes.UNSIGNED:
        return g.node("BitShift", a, b, direction="RIGHT")
    steps = g.node("Min", g.cast(b, "int64"), g.constant(np.array(62, np.int64)))
    one = g.constant(np.array(1, np.uint64))
    power = g.cast(g.node("BitShift", one, g.cast(steps, "uint64"), direction="LEFT"), "int64")
    wide = g.cast(a, "int64")
    return g.cast(g.node("Div", g.node("Sub", wide, g.node("Mod", wide, power)), power), dtype)


_ROWS = {  # NumPy's function, scalar code, ONNX
    "bitwise_and": (np.bitwise_and, "and", "BitwiseAnd"),
    "bitwise_or": (np.bitwise_or, "or", "BitwiseOr"),
    "bitwise_xor": (np.bitwise_xor, "xor", "BitwiseXor"),
    "left_shift": (np.left_shift, "shl", _onnx_left),
    "right_shift": (np.right_shift, "shr", _onnx_right),
}


def _register(name: str) -> Any:
    reference, code, onnx = _ROWS[name]
    call = ew.binary(
        name, reference, code, lambda dy, y, a, b: (None, None), onnx=onnx, inputs="int", cheap=True
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
    if dtypes.is_float(dtype):
        raise DTypeError(message("bitwise_not: the operand must be of integers or bools.", received=dtype))
    return bitwise_xor(x, ew.as_tensor(-1 if dtype in dtypes.SIGNED else np.iinfo(dtype).max, dtype))
