"""Loops over vector blocks as LLVM IR, for generators that write whole functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

I64 = ir.IntType(64)


def void_function(module: ir.Module, name: str, arguments: int) -> tuple[ir.IRBuilder, Sequence[ir.Argument]]:
    """An external C function of int64 arguments, never inlined, and a builder at its beginning."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * arguments), name)
    function.attributes.add("nounwind")
    function.attributes.add("noinline")
    return ir.IRBuilder(function.append_basic_block("entry")), function.args


def overlapping_loop(b: ir.IRBuilder, count: ir.Value, step: int, body: Callable[[ir.Value], None]) -> None:
    """body(min(i, count - step)) for i = 0, step, ... below count; count >= step.

    The last block is moved back to end at count, so what it shares with its neighbour is done twice.
    """
    before, loop, after = b.block, b.append_basic_block("loop"), b.append_basic_block("after")
    last = b.sub(count, I64(step))
    b.branch(loop)
    b.position_at_end(loop)
    i = b.phi(I64)
    i.add_incoming(I64(0), before)
    body(b.select(b.icmp_signed("<", i, last), i, last) if step > 1 else i)
    following = b.add(i, I64(step))
    i.add_incoming(following, b.block)
    b.cbranch(b.icmp_signed("<", following, count), loop, after)
    b.position_at_end(after)


def counted_loop(b: ir.IRBuilder, count: ir.Value, body: Callable[[ir.Value], None]) -> None:
    """body(i) for i = 0, 1, ... below count, which may be 0."""
    before = b.block
    head, loop, after = (b.append_basic_block(name) for name in ("head", "loop", "after"))
    b.branch(head)
    b.position_at_end(head)
    i = b.phi(I64)
    i.add_incoming(I64(0), before)
    b.cbranch(b.icmp_signed("<", i, count), loop, after)
    b.position_at_end(loop)
    body(i)
    i.add_incoming(b.add(i, I64(1)), b.block)
    b.branch(head)
    b.position_at_end(after)


def widest_fitting(
    b: ir.IRBuilder, extent: ir.Value, steps: Sequence[int], body: Callable[[int], None]
) -> None:
    """body(step) for the first of falling steps that is at most extent; then, or if none is, return."""
    for step in steps:
        with b.if_then(b.icmp_signed(">=", extent, I64(step))):
            body(step)
            b.ret_void()
    b.ret_void()
