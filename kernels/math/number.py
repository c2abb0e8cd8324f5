"""A value of an IR under construction, with operators: so that numerical code reads as mathematics.

Floating-point operations carry the flag `contract` and no other: a product and a sum may fuse, which every
function here tolerates, but nothing may be reassociated, which would undo argument reductions and compensated
sums. (An explicit flag also keeps Numba from adding those of its `fastmath` option.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llvmlite import ir

FLAGS = ("contract",)
I32 = ir.IntType(32)
I64 = ir.IntType(64)
FLOAT = ir.FloatType()
DOUBLE = ir.DoubleType()


def element(kind: ir.Type) -> ir.Type:
    """The scalar type of a scalar or vector type."""
    return kind.element if isinstance(kind, ir.VectorType) else kind


def shaped(scalar: ir.Type, like: ir.Type) -> ir.Type:
    """A scalar type, widened to the vector shape of another type."""
    return ir.VectorType(scalar, like.count) if isinstance(like, ir.VectorType) else scalar


def constant(kind: ir.Type, value: float | int) -> ir.Constant:
    """A constant of a scalar type, or the same in every lane of a vector type."""
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


@dataclass(frozen=True, eq=False)
class Number:
    """A scalar or vector of floats or signed integers; plain Python numbers become constants of its type."""

    b: ir.IRBuilder
    value: ir.Value

    @property
    def kind(self) -> ir.Type:
        return self.value.type

    @property
    def is_float(self) -> bool:
        return not isinstance(element(self.kind), ir.IntType)

    def of(self, other: Number | float | int) -> ir.Value:
        """`other` as a value of this number's type."""
        return other.value if isinstance(other, Number) else constant(self.kind, other)

    def new(self, value: ir.Value) -> Number:
        return Number(self.b, value)

    def _binary(self, name: str, other: Number | float | int, swap: bool = False) -> Number:
        x, y = self.value, self.of(other)
        x, y = (y, x) if swap else (x, y)
        if self.is_float:
            return self.new(getattr(self.b, "f" + name)(x, y, flags=FLAGS))
        return self.new(getattr(self.b, name)(x, y))

    def __add__(self, other: Number | float | int) -> Number:
        return self._binary("add", other)

    def __radd__(self, other: float | int) -> Number:
        return self._binary("add", other)

    def __sub__(self, other: Number | float | int) -> Number:
        return self._binary("sub", other)

    def __rsub__(self, other: float | int) -> Number:
        return self._binary("sub", other, swap=True)

    def __mul__(self, other: Number | float | int) -> Number:
        return self._binary("mul", other)

    def __rmul__(self, other: float | int) -> Number:
        return self._binary("mul", other)

    def __truediv__(self, other: Number | float | int) -> Number:
        return self._binary("div", other)

    def __rtruediv__(self, other: float | int) -> Number:
        return self._binary("div", other, swap=True)

    def __neg__(self) -> Number:
        return self.new(self.b.fneg(self.value)) if self.is_float else 0 - self

    def __and__(self, other: Number | int) -> Number:
        return self.new(self.b.and_(self.value, self.of(other)))

    def __or__(self, other: Number | int) -> Number:
        return self.new(self.b.or_(self.value, self.of(other)))

    def __xor__(self, other: Number | int) -> Number:
        return self.new(self.b.xor(self.value, self.of(other)))

    def __lshift__(self, count: Number | int) -> Number:
        return self.new(self.b.shl(self.value, self.of(count)))

    def __rshift__(self, count: Number | int) -> Number:
        """Arithmetic shift: the sign fills."""
        return self.new(self.b.ashr(self.value, self.of(count)))

    def shifted_down(self, count: Number | int) -> Number:
        """Logical shift: zeros fill."""
        return self.new(self.b.lshr(self.value, self.of(count)))

    # Comparisons are named, as == would change what equality of objects means. With a NaN all are false.
    def compare(self, sign: str, other: Number | float | int) -> Number:
        """A truth value, of sign <, <=, ==, >=, >; != is true with a NaN, too."""
        test = self.b.icmp_signed
        if self.is_float:
            test = self.b.fcmp_unordered if sign == "!=" else self.b.fcmp_ordered
        return self.new(test(sign, self.value, self.of(other)))

    def below(self, other: Number | float | int) -> Number:
        return self.compare("<", other)

    def above(self, other: Number | float | int) -> Number:
        return self.compare(">", other)

    def equals(self, other: Number | float | int) -> Number:
        return self.compare("==", other)

    def is_nan(self) -> Number:
        return self.new(self.b.fcmp_unordered("uno", self.value, self.value))

    def choose(self, yes: Number, no: Number) -> Number:
        """Where this truth value holds `yes`, elsewhere `no`."""
        return self.new(self.b.select(self.value, yes.value, no.value))

    def where(self, test: Number, replacement: Number | float | int) -> Number:
        """This number, but the replacement where the test holds."""
        return self.new(self.b.select(test.value, self.of(replacement), self.value))

    def at_least(self, bound: float) -> Number:
        """The bound where this is below it; a NaN stays."""
        return self.where(self.below(bound), bound)

    def at_most(self, bound: float) -> Number:
        """The bound where this is above it; a NaN stays."""
        return self.where(self.above(bound), bound)

    def bits(self) -> Number:
        """The bits of a float as an integer of its width."""
        scalar = I32 if element(self.kind) == FLOAT else I64
        return self.new(self.b.bitcast(self.value, shaped(scalar, self.kind)))

    def as_float(self) -> Number:
        """Bits of an integer as a float of its width."""
        scalar = FLOAT if element(self.kind).width == 32 else DOUBLE
        return self.new(self.b.bitcast(self.value, shaped(scalar, self.kind)))

    def to_float(self) -> Number:
        """A signed 32-bit integer, rounded to float32."""
        return self.new(self.b.sitofp(self.value, shaped(FLOAT, self.kind)))

    def to_double(self) -> Number:
        return self.new(self.b.fpext(self.value, shaped(DOUBLE, self.kind)))

    def to_single(self) -> Number:
        return self.new(self.b.fptrunc(self.value, shaped(FLOAT, self.kind)))

    def to_i64(self, signed: bool = True) -> Number:
        widen = self.b.sext if signed else self.b.zext
        return self.new(widen(self.value, shaped(I64, self.kind)))

    def to_i32(self) -> Number:
        return self.new(self.b.trunc(self.value, shaped(I32, self.kind)))

    def magnitude(self) -> Number:
        """Absolute value of a float."""
        return (self.bits() & (0x7FFFFFFF if element(self.kind) == FLOAT else (1 << 63) - 1)).as_float()

    def sign_bit(self) -> Number:
        """The sign of a float32, alone in its place."""
        return self.bits() & -(1 << 31)

    def signed_as(self, sign_bit: Number) -> Number:
        """This float32, not negative, with a sign that `sign_bit` isolated."""
        return (self.bits() | sign_bit).as_float()


def polynomial(x: Number, coefficients: Sequence[float]) -> Number:
    """Sum of coefficients[i] * x**i, by Horner's rule."""
    total = x.new(constant(x.kind, coefficients[-1]))
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def call_libm(b: ir.IRBuilder, name: str, *arguments: ir.Value) -> ir.Value:
    """A call of the C library's function over doubles."""
    function = b.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(DOUBLE, [DOUBLE] * len(arguments))
        function = ir.Function(b.module, kind, name)
    return b.call(function, arguments)


def call_intrinsic(b: ir.IRBuilder, name: str, *arguments: ir.Value, flags: tuple[str, ...] = ()) -> ir.Value:
    """A call of LLVM's intrinsic `llvm.<name>` over values of one floating-point type, which it returns."""
    kind = arguments[0].type
    suffix = {FLOAT: "f32", DOUBLE: "f64"}[element(kind)]
    count = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
    full = f"llvm.{name}.{count}{suffix}"
    function = b.module.globals.get(full)
    if function is None:
        function = ir.Function(b.module, ir.FunctionType(kind, [kind] * len(arguments)), full)
    return b.call(function, arguments, fastmath=flags)
