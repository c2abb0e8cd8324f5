"""The machine's limits, measured: multiply-adds in registers and streaming through memory.

A kernel's speed is told as a share of these. Both loops are LLVM IR for the host, run by plain threads at the
same time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from llvmlite import ir

from kcompile.kernels import native
from kcompile.kernels.host import Host, host, item_bytes

I64 = ir.IntType(64)
FMA_STEPS = 1_000_000
STREAM_BYTES = 96 << 20
ROUNDS = 12


@dataclass(frozen=True)
class Peak:
    """gflops: 1e9 operations a second (a multiply-add is two). gbytes: 1e9 bytes read or written a second."""

    gflops: float
    gbytes: float


def measure_peak(threads: int = 1, dtype: str = "float32") -> Peak:
    """What `threads` threads reach together: the best of some rounds, as noise only slows. Takes 0.1 s."""
    library = native.load(_fma_module(host(), dtype), _stream_module(host()))
    return Peak(_gflops(library, threads, dtype), _gbytes(library, threads))


def _gflops(library: native.Library, threads: int, dtype: str) -> float:
    out = np.zeros((threads, 64))
    function = library.function("kc_peak_fma", 2)
    seconds = _best(threads, lambda t: function(FMA_STEPS, out[t].ctypes.data))
    return threads * FMA_STEPS * _chains(host()) * host().lanes(dtype) * 2 / seconds / 1e9


def _gbytes(library: native.Library, threads: int) -> float:
    """Triad a = b + 3 c over arrays beyond the caches, the parts of the threads side by side."""
    count = STREAM_BYTES // 3 // 4 // threads // 64 * 64
    arrays = np.ones((3, threads, count), np.float32)
    function = library.function("kc_peak_stream", 4)
    seconds = _best(threads, lambda t: function(count, *(arrays[i, t].ctypes.data for i in range(3))))
    return arrays.nbytes / seconds / 1e9


def _best(threads: int, work: Callable[[int], None]) -> float:
    """Seconds of the fastest round in which every thread does its work once."""
    gate, spans = threading.Barrier(threads), np.zeros((ROUNDS, threads, 2))

    def run(thread: int) -> None:
        for spot in range(ROUNDS):
            gate.wait()
            begin = time.perf_counter()
            work(thread)
            spans[spot, thread] = begin, time.perf_counter()

    team = [threading.Thread(target=run, args=(t,)) for t in range(threads)]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    return float((spans[:, :, 1].max(axis=1) - spans[:, :, 0].min(axis=1)).min())


def _chains(cpu: Host) -> int:
    """Independent sums: enough to hide the latency, few enough to stay in registers."""
    return min(16, cpu.vector_registers - 4)


def _fma_module(cpu: Host, dtype: str) -> ir.Module:
    """kc_peak_fma(steps, out): steps times x = x / 2 + 1 on independent vectors x, their sum to out."""
    lanes, bits = cpu.lanes(dtype), 8 * item_bytes(dtype)
    vector = ir.VectorType({32: ir.FloatType(), 64: ir.DoubleType()}[bits], lanes)
    module = ir.Module("kc_peak_fma")
    fma = ir.Function(module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{lanes}f{bits}")
    b, (steps, out) = _function(module, "kc_peak_fma", 2)
    entry, loop, after = b.block, b.append_basic_block("loop"), b.append_basic_block("after")
    b.branch(loop)
    b.position_at_end(loop)
    left = b.phi(I64)
    left.add_incoming(steps, entry)
    sums = [b.phi(vector) for _ in range(_chains(cpu))]
    # x = x / 2 + 1 runs to its fixed point, 2: never subnormal, never infinite.
    factor, term = (ir.Constant(vector, [c] * lanes) for c in (0.5, 1.0))
    fresh = [b.call(fma, [x, factor, term]) for x in sums]
    for i, (x, y) in enumerate(zip(sums, fresh, strict=True)):
        x.add_incoming(ir.Constant(vector, [float(i)] * lanes), entry)
        x.add_incoming(y, loop)
    down = b.sub(left, I64(1))
    left.add_incoming(down, loop)
    b.cbranch(b.icmp_signed(">", down, I64(0)), loop, after)
    b.position_at_end(after)
    total = fresh[0]
    for x in fresh[1:]:
        total = b.fadd(total, x)
    b.store(total, b.inttoptr(out, ir.PointerType()), align=4)
    b.ret_void()
    return module


def _stream_module(cpu: Host) -> ir.Module:
    """kc_peak_stream(count, a, b, c): a = b + 3 c over count float32, a multiple of the vector's lanes."""
    lanes = cpu.lanes("float32")
    vector = ir.VectorType(ir.FloatType(), lanes)
    module = ir.Module("kc_peak_stream")
    b, (count, *addresses) = _function(module, "kc_peak_stream", 4)
    entry, loop, after = b.block, b.append_basic_block("loop"), b.append_basic_block("after")
    b.branch(loop)
    b.position_at_end(loop)
    i = b.phi(I64)
    i.add_incoming(I64(0), entry)
    places = [b.inttoptr(b.add(a, b.mul(i, I64(4))), ir.PointerType()) for a in addresses]
    x, y = (b.load(place, typ=vector, align=4) for place in places[1:])
    b.store(b.fadd(x, b.fmul(y, ir.Constant(vector, [3.0] * lanes))), places[0], align=4)
    following = b.add(i, I64(lanes))
    i.add_incoming(following, loop)
    b.cbranch(b.icmp_signed("<", following, count), loop, after)
    b.position_at_end(after)
    b.ret_void()
    return module


def _function(module: ir.Module, name: str, arguments: int) -> tuple[ir.IRBuilder, tuple[ir.Argument, ...]]:
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * arguments), name)
    return ir.IRBuilder(function.append_basic_block("entry")), function.args
