"""Typed memory for generated kernels: `buffer_f32(address, scope)` and what one does with it.

A buffer is a bare pointer with an element type. `x[i]` and `x[i] = v` become one load or store: no bounds
check, no wraparound, no array header. Every access carries LLVM's scoped-alias metadata: two buffers with
different `scope` never overlap, buffers with the same scope may (an in-place update reads and writes through
one scope).

Numba is imported here, so only `codegen.lowering` imports this module, and only when something must be
compiled.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

from kcompile.kernels import halves
from kcompile.kernels.host import host

INT64 = ir.IntType(64)
ARGUMENTS_SCOPE = -1  # the scope of the kernel's own argument block


@dataclass(frozen=True)
class Element:
    """How one element lies in memory, and as which Numba type it is computed with."""

    name: str
    memory: ir.Type
    value: types.Type


_ELEMENTS = [
    Element("f64", ir.DoubleType(), types.float64),
    Element("f32", ir.FloatType(), types.float32),
    Element("f16", ir.IntType(16), types.float32),  # computed in float32, rounded once at the store
    Element("bf16", ir.IntType(16), types.float32),
    Element("i64", INT64, types.int64),
    Element("i32", ir.IntType(32), types.int32),
    Element("i16", ir.IntType(16), types.int16),
    Element("i8", ir.IntType(8), types.int8),
    Element("u64", INT64, types.uint64),
    Element("u32", ir.IntType(32), types.uint32),
    Element("u16", ir.IntType(16), types.uint16),
    Element("u8", ir.IntType(8), types.uint8),
    Element("bool", ir.IntType(8), types.boolean),  # one byte, 0 or 1
]
ELEMENTS = {element.name: element for element in _ELEMENTS}
HALVES = ("f16", "bf16")


class BufferType(types.Type):
    """Numba type of a typed pointer. Equal element and scope: equal type."""

    def __init__(self, element: str, scope: int) -> None:
        self.element = ELEMENTS[element]
        self.scope = scope
        super().__init__(name=f"buffer_{element}[{scope}]")


@register_model(BufferType)
class _BufferModel(PrimitiveModel):
    def __init__(self, manager: Any, buffer: BufferType) -> None:
        super().__init__(manager, buffer, buffer.element.memory.as_pointer())


ARGUMENTS = BufferType("i64", ARGUMENTS_SCOPE)


def _buffer_maker(element: str) -> Callable[..., Any]:
    def make_buffer(typing_context: Any, address: types.Type, scope: types.Type) -> Any:
        if not isinstance(scope, types.IntegerLiteral) or not isinstance(address, types.Integer):
            return None
        buffer = BufferType(element, scope.literal_value)

        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            number = context.cast(builder, args[0], sig.args[0], types.int64)
            return builder.inttoptr(number, buffer.element.memory.as_pointer())

        return buffer(address, scope), generate

    make_buffer.__name__ = f"buffer_{element}"
    return intrinsic(prefer_literal=True)(make_buffer)


buffer_f64, buffer_f32, buffer_f16, buffer_bf16 = map(_buffer_maker, ("f64", "f32", "f16", "bf16"))
buffer_i64, buffer_i32, buffer_i16, buffer_i8 = map(_buffer_maker, ("i64", "i32", "i16", "i8"))
buffer_u64, buffer_u32, buffer_u16, buffer_u8 = map(_buffer_maker, ("u64", "u32", "u16", "u8"))
buffer_bool = _buffer_maker("bool")


@infer_global(operator.getitem)
class _BufferGetitem(AbstractTemplate):
    def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        if isinstance(args[0], BufferType) and isinstance(args[1], types.Integer):
            return signature(args[0].element.value, args[0], types.int64)
        return None


@infer_global(operator.setitem)
class _BufferSetitem(AbstractTemplate):
    def generic(self, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        is_place = isinstance(args[0], BufferType) and isinstance(args[1], types.Integer)
        if is_place and isinstance(args[2], (types.Number, types.Boolean)):
            return signature(types.none, args[0], types.int64, args[0].element.value)
        return None


@lower_builtin(operator.getitem, BufferType, types.Integer)
def _lower_load(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    buffer = sig.args[0]
    place = builder.gep(args[0], [args[1]], inbounds=True)
    loaded = builder.load(place)
    remember_access(builder, loaded, buffer.scope)
    return _from_memory(builder, buffer.element.name, loaded)


@lower_builtin(operator.setitem, BufferType, types.Integer, types.Any)
def _lower_store(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> None:
    buffer = sig.args[0]
    place = builder.gep(args[0], [args[1]], inbounds=True)
    stored = builder.store(_to_memory(builder, buffer.element.name, args[2]), place)
    remember_access(builder, stored, buffer.scope)


def _from_memory(builder: ir.IRBuilder, element: str, value: ir.Value) -> ir.Value:
    if element == "bool":
        return builder.icmp_unsigned("!=", value, ir.Constant(value.type, 0))
    return halves.widen(builder, element, value, host().converts_float16) if element in HALVES else value


def _to_memory(builder: ir.IRBuilder, element: str, value: ir.Value) -> ir.Value:
    if element == "bool":
        return builder.zext(value, ir.IntType(8))
    return halves.narrow(builder, element, value, host().converts_float16) if element in HALVES else value


def _rounding(element: str) -> Any:
    """A float32 rounded as if it were stored as another float and loaded again."""

    def make_rounding(typing_context: Any, x: types.Type) -> Any:
        if x != types.float32:
            return None

        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            return _from_memory(builder, element, _to_memory(builder, element, args[0]))

        return x(x), generate

    make_rounding.__name__ = f"round_{element}"
    return intrinsic(make_rounding)


round_f16, round_bf16 = map(_rounding, HALVES)


# Alias scopes. The list of all scopes is known only when the whole kernel is lowered, so accesses are
# remembered on the module and marked at the end.


def remember_access(builder: ir.IRBuilder, instruction: ir.Instruction, scope: int) -> None:
    """Note that `instruction` touches memory of `scope`; kernels' own intrinsics call this too."""
    module = builder.module
    if not hasattr(module, "kcompile_accesses"):
        module.kcompile_accesses = []
    module.kcompile_accesses.append((instruction, scope))


def mark_alias_scopes(module: ir.Module) -> None:
    """Attach !alias.scope and !noalias to all remembered accesses of a lowered module."""
    accesses = getattr(module, "kcompile_accesses", [])
    scopes = sorted({scope for _, scope in accesses})
    domain = module.add_metadata(["kcompile"])
    nodes = {scope: module.add_metadata([f"scope {scope}", domain]) for scope in scopes}
    own = {scope: module.add_metadata([nodes[scope]]) for scope in scopes}
    others = {s: module.add_metadata([nodes[other] for other in scopes if other != s]) for s in scopes}
    for instruction, scope in accesses:
        instruction.set_metadata("alias.scope", own[scope])
        instruction.set_metadata("noalias", others[scope])


# Small things that generated code says.


@intrinsic
def address(typing_context: Any, buffer: types.Type, index: types.Type) -> Any:
    """address(x, i) -> int64: where element i of a buffer lies."""
    if not isinstance(buffer, BufferType) or not isinstance(index, types.Integer):
        return None

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        return builder.ptrtoint(builder.gep(args[0], [args[1]], inbounds=True), INT64)

    return types.int64(buffer, types.int64), generate


def _constant_maker(name: str, target: types.Type) -> Callable[..., Any]:
    def make_constant(typing_context: Any, value: types.Type) -> Any:
        if not isinstance(value, (types.Number, types.Boolean)):
            return None

        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            return context.cast(builder, args[0], sig.args[0], target)

        return target(types.unliteral(value)), generate

    make_constant.__name__ = name
    return intrinsic(make_constant)


f32 = _constant_maker("f32", types.float32)
f64 = _constant_maker("f64", types.float64)
i64 = _constant_maker("i64", types.int64)
i32 = _constant_maker("i32", types.int32)
u32 = _constant_maker("u32", types.uint32)
u64 = _constant_maker("u64", types.uint64)
i8 = _constant_maker("i8", types.int8)
u8 = _constant_maker("u8", types.uint8)


def _choice_maker(name: str, sign: str) -> Callable[..., Any]:
    """`b if b < a else a`, as Python's min, and max with the other sign: a NaN second operand is ignored."""

    def make_choice(typing_context: Any, left: types.Type, right: types.Type) -> Any:
        if not isinstance(left, types.Number) or not isinstance(right, types.Number):
            return None
        kind = typing_context.unify_types(types.unliteral(left), types.unliteral(right))

        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            if isinstance(kind, types.Float):
                better = builder.fcmp_ordered(sign, args[1], args[0])
            elif kind.signed:
                better = builder.icmp_signed(sign, args[1], args[0])
            else:
                better = builder.icmp_unsigned(sign, args[1], args[0])
            return builder.select(better, args[1], args[0])

        return kind(kind, kind), generate

    make_choice.__name__ = name
    return intrinsic(make_choice)


smaller = _choice_maker("smaller", "<")  # what generated code calls min
larger = _choice_maker("larger", ">")  # and max


def _index_maker(name: str, generate_one: Callable[[ir.IRBuilder, ir.Value, ir.Value], ir.Value]) -> Any:
    def make_index(typing_context: Any, left: types.Type, right: types.Type) -> Any:
        if not isinstance(left, types.Integer) or not isinstance(right, types.Integer):
            return None

        def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            return generate_one(builder, args[0], args[1])

        return types.int64(types.int64, types.int64), generate

    make_index.__name__ = name
    return intrinsic(make_index)


# Division of indices: neither operand is negative, the divisor is not zero, so no sign needs mending.
index_div = _index_maker("index_div", lambda builder, a, b: builder.udiv(a, b))
index_mod = _index_maker("index_mod", lambda builder, a, b: builder.urem(a, b))


@intrinsic(prefer_literal=True)
def call_external(typing_context: Any, symbol: types.Type, *arguments: Any) -> Any:
    """call_external("kc_name", a, b, ...): call a C function `void kc_name(int64, int64, ...)`."""
    if not isinstance(symbol, types.StringLiteral):
        return None
    values = types.StarArgTuple.from_types([types.int64] * len(arguments))

    def generate(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        numbers = cgutils.unpack_tuple(builder, args[1])
        function_type = ir.FunctionType(ir.VoidType(), [INT64] * len(numbers))
        function = cgutils.get_or_insert_function(builder.module, function_type, symbol.literal_value)
        builder.call(function, numbers)
        return context.get_dummy_value()

    return types.none(symbol, values), generate
