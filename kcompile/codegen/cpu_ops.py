"""Small operations of generated CPU kernels, as intrinsics without branches: loops around them vectorize.

Imports Numba.
"""

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
    kind, other = types.unliteral(a), types.unliteral(b)
    kind = kind if kind == other else typing_context.unify_types(a, b)
    if kind is None:
        return None

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        test, x, y = args
        return builder.select(test, x, y)

    return kind(types.boolean, kind, kind), generate


@intrinsic
def relu(typing_context: Any, x: types.Type) -> Any:
    """The larger of x and 0; NaN stays NaN, because NaN < 0 is false."""
    kind = types.unliteral(x)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.select(_is_below(builder, kind, args[0]), args[0].type(0), args[0])

    return kind(kind), generate


def _is_below(builder: ir.IRBuilder, kind: types.Type, value: ir.Value, flip: bool = False) -> ir.Value:
    """value < 0, or value > 0."""
    sign = ">" if flip else "<"
    if isinstance(kind, types.Float):
        return builder.fcmp_ordered(sign, value, value.type(0.0))
    compare = builder.icmp_signed if getattr(kind, "signed", True) else builder.icmp_unsigned
    return compare(sign, value, value.type(0))


@intrinsic
def magnitude(typing_context: Any, x: types.Type) -> Any:
    """The absolute value; the lowest integer stays itself, as in NumPy."""
    kind = types.unliteral(x)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        value = args[0]
        if isinstance(kind, types.Float):
            return builder.call(builder.module.declare_intrinsic("llvm.fabs", [value.type]), [value])
        return builder.select(_is_below(builder, kind, value), builder.neg(value), value)

    return kind(kind), generate


@intrinsic
def sign_of(typing_context: Any, x: types.Type) -> Any:
    """-1, 0 or 1 in the type of x; NaN stays NaN."""
    kind = types.unliteral(x)

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        value = args[0]
        low = builder.select(_is_below(builder, kind, value), value.type(-1), value)
        return builder.select(_is_below(builder, kind, value, flip=True), value.type(1), low)

    return kind(kind), generate


def _in_any_order(name: str, instruction: str) -> Any:
    """An operation of a reduction, whose order the vectorizer may change."""

    def make(typing_context: Any, total: types.Type, value: types.Type) -> Any:
        if not isinstance(total, types.Float) or total != value:
            return None

        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            return getattr(builder, instruction)(*args, flags=("reassoc", "contract", "nsz"))

        return total(total, value), generate

    make.__name__ = name
    return intrinsic(make)


add_up, multiply_up = _in_any_order("add_up", "fadd"), _in_any_order("multiply_up", "fmul")


@intrinsic
def integer_power(typing_context: Any, base: types.Type, exponent: types.Type) -> Any:
    """base ** exponent modulo 2**64, by squaring; exponents are not negative."""
    kind = types.uint64 if types.unliteral(base) == types.uint64 else types.int64

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        start, word = builder.block, args[0].type
        test, step, after = (
            builder.append_basic_block(f"power.{name}") for name in ("test", "step", "after")
        )
        builder.branch(test)
        builder.position_at_end(test)
        total, square, left = (builder.phi(word) for _ in range(3))
        builder.cbranch(builder.icmp_signed(">", left, word(0)), step, after)
        builder.position_at_end(step)
        odd = builder.trunc(left, ir.IntType(1))
        following = (
            builder.select(odd, builder.mul(total, square), total),
            builder.mul(square, square),
            builder.lshr(left, word(1)),
        )
        builder.branch(test)
        for phi, first, later in zip((total, square, left), (word(1), *args), following, strict=True):
            phi.add_incoming(first, start)
            phi.add_incoming(later, step)
        builder.position_at_end(after)
        return total

    return kind(kind, kind), generate


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
