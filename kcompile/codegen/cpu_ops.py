"""Small operations of generated CPU kernels, as intrinsics: no branches, so that loops around them vectorize. Imports Numba."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


@intrinsic
def select(typing_context: Any, condition: types.Type, a: types.Type, b: types.Type) -> Any:
    """select(condition, a, b): both are evaluated, one is taken."""
    if condition != types.boolean:
        return None
    kind = types.unliteral(a) if types.unliteral(a) == types.unliteral(b) else typing_context.unify_types(a, b)
    if kind is None:
        return None

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        test, x, y = args
        return builder.select(test, x, y)

    return kind(types.boolean, kind, kind), generate


@intrinsic
def relu(typing_context: Any, x: types.Type) -> Any:
    """The larger of x and 0; NaN stays NaN, because NaN < 0 is false."""

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        zero = ir.Constant(args[0].type, 0 if isinstance(sig.args[0], types.Integer) else 0.0)
        if isinstance(sig.args[0], types.Integer):
            return builder.select(builder.icmp_signed("<", args[0], zero), zero, args[0])
        return builder.select(builder.fcmp_ordered("<", args[0], zero), zero, args[0])

    kind = types.unliteral(x)
    return kind(kind), generate


@intrinsic
def sign_of(typing_context: Any, x: types.Type) -> Any:
    """-1, 0 or 1 in the type of x; NaN stays NaN."""
    kind = types.unliteral(x)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        value = args[0]
        one, zero, minus = (ir.Constant(value.type, c) for c in ((1, 0, -1) if isinstance(kind, types.Integer) else (1.0, 0.0, -1.0)))
        if isinstance(kind, types.Integer):
            low = builder.select(builder.icmp_signed("<", value, zero), minus, zero)
            return builder.select(builder.icmp_signed(">", value, zero), one, low)
        low = builder.select(builder.fcmp_ordered("<", value, zero), minus, value)
        return builder.select(builder.fcmp_ordered(">", value, zero), one, low)

    return kind(kind), generate


def _narrowing(name: str, bits: int, signed: bool) -> Any:
    def make(typing_context: Any, x: types.Type) -> Any:
        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            wide = context.cast(builder, args[0], sig.args[0], types.int64)
            small = builder.trunc(wide, ir.IntType(bits))
            return (builder.sext if signed else builder.zext)(small, ir.IntType(64))

        return types.int64(types.unliteral(x)), generate

    make.__name__ = name
    return intrinsic(make)


narrow_i8, narrow_i16 = _narrowing("narrow_i8", 8, True), _narrowing("narrow_i16", 16, True)
narrow_u8, narrow_u16 = _narrowing("narrow_u8", 8, False), _narrowing("narrow_u16", 16, False)
