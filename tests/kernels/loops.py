"""A native loop that applies emitted scalar IR to arrays: y[i] = emit(x0[i], x1[i], ...)."""

import numpy as np
from llvmlite import ir

from kcompile.kernels import native

I64 = ir.IntType(64)
KINDS = {"f4": ir.FloatType(), "f8": ir.DoubleType(), "i4": ir.IntType(32), "u4": ir.IntType(32)}


def loop_module(emit, inputs, output):
    """Module with loop(count, addresses of the inputs, address of the output); dtypes as in KINDS."""
    module, pointer = ir.Module("loop"), ir.PointerType()
    arguments = [I64] * (len(inputs) + 2)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), "loop")
    b = ir.IRBuilder(function.append_basic_block("entry"))
    count, *addresses = function.args
    places = [b.inttoptr(address, pointer) for address in addresses]
    entry, loop, after = b.block, b.append_basic_block("loop"), b.append_basic_block("after")
    b.branch(loop)
    b.position_at_end(loop)
    i = b.phi(I64)
    i.add_incoming(I64(0), entry)
    at = [b.gep(p, [i], source_etype=KINDS[t]) for p, t in zip(places, [*inputs, output], strict=True)]
    values = [b.load(p, typ=KINDS[t]) for p, t in zip(at, inputs, strict=False)]
    b.store(emit(b, *values), at[-1])
    following = b.add(i, I64(1))
    i.add_incoming(following, b.block)
    b.cbranch(b.icmp_signed("<", following, count), loop, after)
    b.position_at_end(after)
    b.ret_void()
    return module


def apply(emit, *arrays, output="f4"):
    """emit over arrays of one length, as an array of dtype `output`."""
    inputs = [a.dtype.str[1:] for a in arrays]
    library = native.load(loop_module(emit, inputs, output))
    result = np.empty(len(arrays[0]), output)
    function = library.function("loop", len(arrays) + 2)
    function(len(result), *(np.ascontiguousarray(a).ctypes.data for a in arrays), result.ctypes.data)
    return result


def optimized(emit, inputs, output="f4"):
    """LLVM IR of the loop after optimization, as text."""
    return str(native.parse(loop_module(emit, inputs, output), native.target_machine()))
