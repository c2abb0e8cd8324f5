"""Machine operations as Numba intrinsics: atomics, calls by address, the clock, the floating-point mode.

All operands and results are int64; an address is an int64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kcompile.codegen.numba_types import INT64
from kcompile.kernels.host import host

_BYTES = ir.IntType(8).as_pointer()
_INT32 = ir.IntType(32)
_WHOLE_SYSTEM = 15  # the scope of ARM's barrier


def _pointer(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    return builder.inttoptr(address, INT64.as_pointer())


def _all_int64(
    result: types.Type, count: int, generate: Callable[..., Any]
) -> tuple[Any, Callable[..., Any]]:
    def code(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> Any:
        value = generate(builder, *args)
        return context.get_dummy_value() if result is types.none else value

    return result(*[types.int64] * count), code


@intrinsic
def atomic_load(typing_context, address):
    """The word at an address; what its writer wrote before an `atomic_store` of it is seen afterwards."""
    return _all_int64(types.int64, 1, lambda b, a: b.load_atomic(_pointer(b, a), "seq_cst", 8))


@intrinsic
def atomic_store(typing_context, address, value):
    return _all_int64(types.none, 2, lambda b, a, v: b.store_atomic(v, _pointer(b, a), "seq_cst", 8))


@intrinsic
def atomic_add(typing_context, address, value):
    """Add to the word at an address; the word before."""
    return _all_int64(types.int64, 2, lambda b, a, v: b.atomic_rmw("add", _pointer(b, a), v, "seq_cst"))


@intrinsic
def compare_exchange(typing_context, address, expected, value):
    """Store `value` if the word is `expected`; the word before."""

    def generate(builder, address, expected, value):
        pair = builder.cmpxchg(_pointer(builder, address), expected, value, "seq_cst", "seq_cst")
        return builder.extract_value(pair, 0)

    return _all_int64(types.int64, 3, generate)


@intrinsic
def call_kernel(typing_context, function, arguments, begin, end, scratch):
    """Call `void kernel(int64 *args, int64 begin, int64 end, void *scratch)` at address `function`."""

    def generate(builder, function, *arguments):
        kernel = ir.FunctionType(ir.VoidType(), [INT64] * 4)
        builder.call(builder.inttoptr(function, kernel.as_pointer()), arguments)

    return _all_int64(types.none, 5, generate)


@intrinsic
def pause(typing_context):
    """Tell the core that this is a spin loop."""

    def generate(builder):
        if host().is_x86:
            _call(builder, "llvm.x86.sse2.pause", ir.VoidType())
        elif host().is_arm64:
            _call(builder, "llvm.aarch64.isb", ir.VoidType(), _INT32(_WHOLE_SYSTEM))

    return _all_int64(types.none, 0, generate)


@intrinsic
def ticks(typing_context):
    """A clock that only grows, in units of its own."""

    def generate(builder):
        if host().is_arm64:
            name = builder.module.add_metadata(["cntvct_el0"])
            return _call(builder, "llvm.read_volatile_register.i64", INT64, name)
        return _call(builder, "llvm.readcyclecounter", INT64)

    return _all_int64(types.int64, 0, generate)


@intrinsic
def float_mode(typing_context):
    """The thread's floating-point control word."""

    def generate(builder):
        if host().is_x86:
            word = cgutils.alloca_once(builder, _INT32)
            _call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), builder.bitcast(word, _BYTES))
            return builder.zext(builder.load(word), INT64)
        if host().is_arm64:
            return _call(builder, "llvm.aarch64.get.fpcr", INT64)
        return INT64(0)

    return _all_int64(types.int64, 0, generate)


@intrinsic
def set_float_mode(typing_context, mode):
    """Set the thread's floating-point control word."""

    def generate(builder, mode):
        if host().is_x86:
            word = cgutils.alloca_once_value(builder, builder.trunc(mode, _INT32))
            _call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), builder.bitcast(word, _BYTES))
        elif host().is_arm64:
            _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), mode)

    return _all_int64(types.none, 1, generate)


@intrinsic
def flushing(typing_context, mode):
    """A control word that also flushes subnormal operands and results to zero."""
    bits = 0x8040 if host().is_x86 else 1 << 24 if host().is_arm64 else 0
    return _all_int64(types.int64, 1, lambda b, mode: b.or_(mode, INT64(bits)))


def _call(builder: ir.IRBuilder, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
    function_type = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), arguments)
