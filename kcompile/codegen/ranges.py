"""`range` in kernels, as one counter. Numba's own lowering takes a division and twelve stack slots a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types

_STATES = (types.range_state32_type, types.range_state64_type, types.unsigned_range_state64_type)
_ITERATORS = (types.range_iter32_type, types.range_iter64_type, types.unsigned_range_iter64_type)


def _make_range(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    """range(stop), range(start, stop), range(start, stop, step) -> {start, stop, step}."""
    first, *more = args
    start, stop = (first, more[0]) if more else (first.type(0), first)
    step = more[1] if len(more) == 2 else first.type(1)
    return _struct(context, builder, sig.return_type, [start, stop, step])


def _begin(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    """{start, stop, step} -> {counter, stop, step, counter}."""
    start, stop, step = (builder.extract_value(args[0], field) for field in range(3))
    with builder.goto_entry_block():
        counter = builder.alloca(start.type)
    builder.store(start, counter)
    return _struct(context, builder, sig.return_type, [counter, stop, step, counter])


def _advance(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
    """The pair (value, is it inside?); the counter moves on."""
    counter, stop, step = (builder.extract_value(args[0], field) for field in range(3))
    value = builder.load(counter)
    signed = sig.args[0].yield_type.signed
    builder.store(builder.add(value, step, flags=["nsw"] if signed else ()), counter)
    if signed:
        upward = builder.icmp_signed(">", step, step.type(0))
        inside = builder.select(
            upward, builder.icmp_signed("<", value, stop), builder.icmp_signed(">", value, stop)
        )
    else:
        inside = builder.icmp_unsigned("<", value, stop)
    return _struct(context, builder, sig.return_type, [value, inside])


def _struct(context: Any, builder: ir.IRBuilder, kind: types.Type, fields: list[ir.Value]) -> ir.Value:
    value = ir.Constant(context.get_value_type(kind), ir.Undefined)
    for position, field in enumerate(fields):
        value = builder.insert_value(value, field, position)
    return value


def lowerings() -> dict[tuple[Any, tuple[types.Type, ...]], Callable[..., ir.Value]]:
    """(function, argument types) -> lowering, in place of Numba's."""
    table: dict[tuple[Any, tuple[types.Type, ...]], Callable[..., ir.Value]] = {}
    for state, iterator in zip(_STATES, _ITERATORS, strict=True):
        for count in (1, 2, 3):
            table[range, (state.dtype,) * count] = _make_range
        table["getiter", (state,)] = _begin
        table["iternext", (iterator,)] = _advance
    return table
