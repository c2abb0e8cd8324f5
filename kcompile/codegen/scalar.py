"""Scalar operations as source text, per dtype.

The names that are called come from `codegen.cpu_ops` and `kernels.math`.
"""

from __future__ import annotations

import math

from kcompile.core.dtypes import is_half
from kcompile.ir.loops import Expr

SHORT = {
    "float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16",
    "int64": "i64", "int32": "i32", "int16": "i16", "int8": "i8",
    "uint64": "u64", "uint32": "u32", "uint16": "u16", "uint8": "u8", "bool": "bool",
}  # fmt: skip
_NARROW = ("int8", "uint8", "int16", "uint16")
_COMPUTED_WIDER = {"float16": "f32", "bfloat16": "f32", **dict.fromkeys(_NARROW, "i64")}

_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
    "and": "&", "or": "|", "xor": "^", "shl": "<<", "shr": ">>",
}  # fmt: skip
_CALLS = {
    "exp", "log", "log1p", "expm1", "tanh", "sigmoid", "erf", "normal_cdf", "softplus", "sin", "cos", "pow",
    "sqrt", "rsqrt", "floor", "ceil", "round", "maximum", "minimum", "relu", "sign", "abs", "floordiv", "mod",
    "philox_uniform", "philox_bits", "atan2", "f32_bits", "bits_f32", "f64_bits", "bits_f64",
}  # fmt: skip
# Functions of some ten operations or more.
COSTLY = {
    "exp", "log", "log1p", "expm1", "tanh", "sigmoid", "erf", "normal_cdf", "softplus", "sin", "cos", "pow",
    "philox_uniform", "philox_bits", "atan2",
}  # fmt: skip
_SPELLING = {
    "sign": "sign_of", "philox_uniform": "uniform_f32", "philox_bits": "philox2x32", "abs": "magnitude",
    "floordiv": "floor_quotient", "mod": "remainder", "atan2": "arctan2",
}  # fmt: skip
_ON_BOOLS = {"add": "or", "mul": "and", "maximum": "or", "minimum": "and"}
_ON_INTEGERS = {
    "abs": "magnitude({0})", "floordiv": "{0} // {1}", "mod": "{0} % {1}", "pow": "integer_power({0}, {1})",
    "maximum": "select({0} > {1}, {0}, {1})", "minimum": "select({0} < {1}, {0}, {1})",
    "floor": "{0}", "ceil": "{0}", "round": "{0}",
    "relu": "select({0} > 0, {0}, {0} * 0)", "sign": "i64({0} > 0) - i64({0} < 0)",
}  # fmt: skip
INITIAL = {"sum": 0, "prod": 1, "max": -math.inf, "min": math.inf, "any": 0, "all": 1}
_COMBINE = {"sum": "add", "prod": "mul", "max": "maximum", "min": "minimum", "any": "or", "all": "and"}
_IN_ANY_ORDER = {"sum": "add_up", "prod": "multiply_up"}


def is_float(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat"))


def register(dtype: str) -> str:
    """The conversion that brings a number to the type it is computed in."""
    return _COMPUTED_WIDER.get(dtype, SHORT[dtype])


def memory(dtype: str) -> str:
    """The elements of scratch memory in which numbers of `dtype` are added up: sums of halves are float32."""
    return "f32" if is_half(dtype) else SHORT[dtype]


def unrounded(e: Expr, target: str) -> Expr:
    """What a store of `e` may write instead: storing rounds by itself."""
    return e.args[0] if e.op == "cast" and e.dtype == target and _rounds_at_store(e) else e


def _rounds_at_store(e: Expr) -> bool:
    return is_half(e.dtype) and register(e.args[0].dtype) == "f32"


def literal(value: float | int | bool, dtype: str) -> str:
    """A constant of exactly this dtype."""
    if dtype == "bool":
        return str(bool(value))
    if is_float(dtype):
        kind = register(dtype)
        if math.isnan(value):
            return f"{kind}(np.nan)"
        if math.isinf(value):
            return f"{kind}({'-' if value < 0 else ''}np.inf)"
        return f"{kind}({float(value)!r})"
    return f"{register(dtype)}({int(value)})"


def initial(kind: str, dtype: str) -> str:
    """The neutral element of a reduction."""
    if kind in ("max", "min") and not is_float(dtype):
        bits = int("".join(c for c in dtype if c.isdigit()) or 1)
        bits, low = (bits, 0) if dtype.startswith("u") or dtype == "bool" else (bits - 1, -(2 ** (bits - 1)))
        return literal(low if kind == "max" else 2**bits - 1, dtype)
    return literal(INITIAL[kind], dtype)


def combine(kind: str, dtype: str, a: str, b: str) -> str:
    """One more element of a reduction; floats are added in whatever order vectors bring."""
    if kind in _IN_ANY_ORDER and is_float(dtype):
        return f"{_IN_ANY_ORDER[kind]}({a}, {b})"
    return operation(_COMBINE[kind], dtype, dtype, [a, b])


def expression(e: Expr, args: list[str]) -> str:
    """Source text of one operation over the texts of its arguments."""
    source = e.args[0].dtype if e.args else e.dtype
    if e.op == "select":
        return f"select({', '.join(args)})"
    if e.op == "cast":
        return cast(args[0], source, e.dtype)
    return operation(e.op, source, e.dtype, args)


def operation(op: str, source: str, dtype: str, args: list[str]) -> str:
    if op in _ON_BOOLS and source == "bool":
        op = _ON_BOOLS[op]
    if op in _INFIX:
        return _fitted(f"{args[0]} {_INFIX[op]} {args[1]}", dtype)
    if op == "not":
        return f"(not {args[0]})"
    if op == "neg":
        return _fitted(f"-{args[0]}", dtype)
    if not is_float(source) and op in _ON_INTEGERS:
        return _fitted(_ON_INTEGERS[op].format(*args), dtype)
    if op == "div":
        return f"({args[0]} / {args[1]})"
    if op in _CALLS:
        return f"{_SPELLING.get(op, op)}({', '.join(args)})"
    raise NotImplementedError(f"scalar operation {op!r} has no code")


def _fitted(text: str, dtype: str) -> str:
    """A result in the type that numbers of `dtype` are computed in; integers wrap around, as in NumPy."""
    if is_float(dtype) or dtype == "bool":
        return f"({text})"
    return _narrow(text, dtype) if dtype in _NARROW else f"{register(dtype)}({text})"


def cast(text: str, source: str, target: str) -> str:
    """A conversion; floats become ints towards zero, anything but 0 becomes True. Where a program says that a
    number is of two bytes it is rounded, in a register, too.
    """
    if target == "bool":
        return f"({text} != {literal(0, source)})"
    if is_half(target):
        return f"round_{SHORT[target]}({register(target)}({text}))"
    return _narrow(text, target) if target in _NARROW else f"{register(target)}({text})"


def _narrow(text: str, target: str) -> str:
    return f"narrow_{SHORT[target]}({text})"
