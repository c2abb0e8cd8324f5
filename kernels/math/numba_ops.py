"""The mathematics of this package for Numba's code: ``v3 = exp(v2)`` on float32 or float64.

They are intrinsics, inlined as LLVM IR while Numba lowers: nothing to compile on their own, and a loop that
uses them in float32 is vectorized. Importing this module imports Numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from kcompile.kernels.math import division, philox, rounding, trigonometry
from kcompile.kernels.math.arctangent import arctan2 as arctan2_ir
from kcompile.kernels.math.erf import erf as erf_ir
from kcompile.kernels.math.exp import exp as exp_ir
from kcompile.kernels.math.expm1 import expm1 as expm1_ir
from kcompile.kernels.math.gelu import gelu as gelu_ir
from kcompile.kernels.math.gelu import normal_cdf as normal_cdf_ir
from kcompile.kernels.math.log import log as log_ir
from kcompile.kernels.math.log1p import log1p as log1p_ir
from kcompile.kernels.math.number import DOUBLE, FLOAT, I32, I64, Number
from kcompile.kernels.math.power import pow as pow_ir
from kcompile.kernels.math.sigmoid import sigmoid as sigmoid_ir
from kcompile.kernels.math.softplus import softplus as softplus_ir
from kcompile.kernels.math.tanh import tanh as tanh_ir


def _unary(name: str, emit: Callable[[ir.IRBuilder, ir.Value], ir.Value]) -> Any:
    """A Numba function of one float that emits its own IR."""

    def op(context: Any, x: Any) -> Any:
        if not isinstance(x, types.Float):
            return None  # Numba reports that no signature matches
        return x(x), lambda cx, b, signature, values: emit(b, values[0])

    op.__name__ = name
    return intrinsic(op)


def _binary(name: str, emit: Callable[[ir.IRBuilder, ir.Value, ir.Value], ir.Value]) -> Any:
    """A Numba function of two floats of one type."""

    def op(context: Any, x: Any, y: Any) -> Any:
        if not isinstance(x, types.Float) or x != y:
            return None
        return x(x, y), lambda cx, b, signature, values: emit(b, values[0], values[1])

    op.__name__ = name
    return intrinsic(op)


def _words(result: Any, arguments: list[Any], emit: Callable[..., ir.Value]) -> Any:
    """Typing and lowering of a function whose integer arguments are taken modulo 2**32."""
    if not all(isinstance(argument, types.Integer) for argument in arguments):
        return None
    return result(*[types.uint32] * len(arguments)), lambda cx, b, signature, values: emit(b, *values)


exp = _unary("exp", exp_ir)
log = _unary("log", log_ir)
log1p = _unary("log1p", log1p_ir)
expm1 = _unary("expm1", expm1_ir)
tanh = _unary("tanh", tanh_ir)
sigmoid = _unary("sigmoid", sigmoid_ir)
erf = _unary("erf", erf_ir)
gelu = _unary("gelu", gelu_ir)
normal_cdf = _unary("normal_cdf", normal_cdf_ir)
softplus = _unary("softplus", softplus_ir)
sin = _unary("sin", trigonometry.sin)
cos = _unary("cos", trigonometry.cos)
rsqrt = _unary("rsqrt", rounding.rsqrt)
sqrt = _unary("sqrt", rounding.sqrt)
floor = _unary("floor", rounding.floor)
ceil = _unary("ceil", rounding.ceil)
round = _unary("round", rounding.round)
pow = _binary("pow", pow_ir)
arctan2 = _binary("arctan2", arctan2_ir)
floor_quotient = _binary("floor_quotient", division.floor_quotient)
remainder = _binary("remainder", division.remainder)
maximum = _binary("maximum", rounding.maximum)
minimum = _binary("minimum", rounding.minimum)


@intrinsic
def bits_f32(context: Any, word: Any) -> Any:
    """The float32 that these 32 bits stand for."""
    return _words(types.float32, [word], lambda b, x: b.bitcast(x, FLOAT))


@intrinsic
def f32_bits(context: Any, x: Any) -> Any:
    """The bits of a float32 as uint32."""
    if x != types.float32:
        return None
    return types.uint32(x), lambda cx, b, signature, values: b.bitcast(values[0], I32)


@intrinsic
def bits_f64(context: Any, word: Any) -> Any:
    """The float64 that these 64 bits stand for."""
    return types.float64(types.uint64), lambda cx, b, signature, values: b.bitcast(values[0], DOUBLE)


@intrinsic
def f64_bits(context: Any, x: Any) -> Any:
    """The bits of a float64 as uint64."""
    if x != types.float64:
        return None
    return types.uint64(x), lambda cx, b, signature, values: b.bitcast(values[0], I64)


@intrinsic
def mulhi_u32(context: Any, x: Any, y: Any) -> Any:
    """Upper word of the product of two uint32."""

    def emit(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
        wide = Number(b, x).to_i64(signed=False) * Number(b, y).to_i64(signed=False)
        return wide.shifted_down(32).to_i32().value

    return _words(types.uint32, [x, y], emit)


@intrinsic
def philox2x32(context: Any, counter_lo: Any, counter_hi: Any, key: Any) -> Any:
    """The first random word, uint32, of a counter under a key: Philox 2x32 with ten rounds."""
    emit = lambda b, *words: philox.philox2x32(b, *words)[0]  # noqa: E731
    return _words(types.uint32, [counter_lo, counter_hi, key], emit)


@intrinsic
def uniform_f32(context: Any, counter_lo: Any, counter_hi: Any, key: Any) -> Any:
    """A float32 in [0, 1): the upper 24 bits of philox2x32 of the same arguments."""
    emit = lambda b, *words: philox.uniform(b, philox.philox2x32(b, *words)[0])  # noqa: E731
    return _words(types.float32, [counter_lo, counter_hi, key], emit)


__all__ = [
    "arctan2",
    "bits_f32",
    "bits_f64",
    "ceil",
    "cos",
    "erf",
    "exp",
    "expm1",
    "f32_bits",
    "f64_bits",
    "floor",
    "floor_quotient",
    "gelu",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "mulhi_u32",
    "normal_cdf",
    "philox2x32",
    "pow",
    "remainder",
    "round",
    "rsqrt",
    "sigmoid",
    "sin",
    "softplus",
    "sqrt",
    "tanh",
    "uniform_f32",
]
