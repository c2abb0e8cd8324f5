"""Ops on the bits of integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import DTypeError, message
from kcompile.ir import loops
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


OPERATORS = 18  # the opset from which on ONNX has operators for bits
WIDE = 64  # bits, for which there is no wider dtype
HALF = 32  # so many are summed up at a time: onnxruntime's sums of int64 are no longer exact beyond 53


def _onnx_bits(of_flags: str, of_bits: Callable[[Any, str, str], str]) -> Callable[..., str]:
    """ONNX's operator, for bools that of flags; in old opsets bit by bit, as numbers that are 0 or 1."""

    def write(g: Any, a: str, b: str) -> str:
        operator = f"Bitwise{of_flags}"
        if g.dtype(a) == "bool":
            return str(g.node(of_flags, a, b))
        if g.opset >= OPERATORS:
            return str(g.node(operator, a, b))
        dtype, count = g.dtype(a), 8 * dtypes.itemsize(g.dtype(a))
        made = of_bits(g, *(_onnx_bits_of(g, x, count) for x in (a, b)))
        places = np.left_shift(1, np.arange(count) % HALF, dtype=np.int64)
        if dtype in dtypes.SIGNED and count <= HALF:
            places[-1] *= -1
        total = _onnx_sum(g, made, places * (np.arange(count) < HALF))
        if count > HALF:  # whatever runs over is the sign
            above = _onnx_sum(g, made, places * (np.arange(count) >= HALF))
            total = g.node("Add", total, g.node("Mul", above, g.constant(np.array(2**HALF, np.int64))))
        return str(g.cast(total, dtype))

    return write


def _onnx_sum(g: Any, bits: str, places: np.ndarray) -> str:
    last = len(g.shape(bits)) - 1
    return str(g.reduce("ReduceSum", g.node("Mul", bits, g.constant(places)), [last], False))


def _apart(g: Any, a: str, b: str) -> str:
    return str(g.node("Abs", g.node("Sub", a, b)))


def _onnx_bits_of(g: Any, x: str, count: int) -> str:
    """As int64 along a new last axis, the lowest first. Divisions round down, as negative numbers need it."""
    rank, dtype = len(g.shape(x)), "int64" if count < WIDE else "uint64"
    places = g.constant(np.left_shift(1, np.arange(count, dtype=dtype), dtype=dtype))
    wide = g.node("Unsqueeze", g.cast(x, dtype), g.constant(np.array([rank])))
    halves = g.node("Div", g.node("Sub", wide, g.node("Mod", wide, places)), places)
    return str(g.cast(g.node("Mod", halves, g.constant(np.array(2, dtype))), "int64"))


SHIFTS = ("shl", "shr")


def _shift(code: str) -> Callable[[loops.Expr, loops.Expr], loops.Expr]:
    """By more places than there are, or by a negative number, no bit of the number is left but its sign."""

    def scalar(a: loops.Expr, b: loops.Expr) -> loops.Expr:
        most = 8 * dtypes.itemsize(a.dtype) - 1
        inside = loops.apply("ge", b, ew.const_like(0, b), dtype="bool")
        inside = loops.apply(
            "and", inside, loops.apply("le", b, ew.const_like(most, b), dtype="bool"), dtype="bool"
        )
        moved = loops.apply(code, a, loops.select(inside, b, ew.const_like(most, b)))
        beyond = moved if code == "shr" and a.dtype in dtypes.SIGNED else ew.const_like(0, a)
        return loops.select(inside, moved, beyond)

    return scalar


_ROWS: dict[str, tuple[Any, str, Any]] = {  # NumPy's function, scalar code, ONNX
    "bitwise_and": (np.bitwise_and, "and", _onnx_bits("And", lambda g, a, b: g.node("Mul", a, b))),
    "bitwise_or": (np.bitwise_or, "or", _onnx_bits("Or", lambda g, a, b: g.node("Max", a, b))),
    "bitwise_xor": (np.bitwise_xor, "xor", _onnx_bits("Xor", _apart)),
    "left_shift": (np.left_shift, "shl", _onnx_left),
    "right_shift": (np.right_shift, "shr", _onnx_right),
}  # fmt: skip


def _register(name: str) -> Any:
    reference, code, onnx = _ROWS[name]
    call = ew.binary(
        name,
        reference,
        _shift(code) if code in SHIFTS else code,
        lambda dy, y, a, b: (None, None),
        onnx=onnx,
        inputs="int",
        cheap=True,
    )

    def function(x: Any, y: Any) -> Any:
        dtype = ew.common_dtype(x, y)
        if dtypes.is_float(dtype):
            raise DTypeError(message(f"{name}: operands must be integers or bools.", received=dtype))
        if code in SHIFTS and dtype == "bool":
            x, y = ew.as_tensor(x, "int32"), ew.as_tensor(y, "int32")
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
