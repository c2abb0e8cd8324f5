"""CUDA source -> PTX or a launchable kernel: the only module that knows numba-cuda's compiler.

Importing it imports numba.cuda. Another compiler takes its place by offering `ptx` and `launchable`.
"""

from __future__ import annotations

import linecache
import math
import warnings
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cuda, types

from kcompile.codegen.cuda_source import CudaSource
from kcompile.core.errors import CompileError, message
from kcompile.kernels.math import cuda as device_math
from kcompile.kernels.math import cuda_primitives
from kcompile.kernels.random import cuda as device_random

is_simulated = bool(getattr(cuda.config, "ENABLE_CUDASIM", False))  # by Numba, in Python
_LIBRARY = {"floor": "floor", "ceil": "ceil", "round": "rint", "fma": "fma"}  # libdevice's names


def ptx(source: CudaSource, cc: tuple[int, int]) -> str:
    """PTX of a kernel for a compute capability. Needs the CUDA wheels, but neither a device nor a driver.

    Raises: CompileError naming the kernel.
    """
    options = {"cc": cc, "abi": "numba", "output": "ptx", "device": False, "launch_bounds": source.threads}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cuda.compile(function_of(source), _signature(source), **options)[0]
    except Exception as error:
        raise _compile_error(source, error) from error


def launchable(source: CudaSource) -> Any:
    """A kernel to be called as kernel[blocks, threads](*arguments) on the current device."""
    options = {} if is_simulated else {"launch_bounds": source.threads}
    try:
        return cuda.jit(_signature(source), **options)(function_of(source))
    except Exception as error:
        raise _compile_error(source, error) from error


def _compile_error(source: CudaSource, error: Exception) -> CompileError:
    received = str(error).strip() or type(error).__name__
    return CompileError(
        message(f"kernel {source.name} does not compile for CUDA.", received=received, at=source.text)
    )


def _signature(source: CudaSource) -> Any:
    arrays = [types.Array(_element(dtype), 1, "C") for dtype in source.arrays]
    return types.void(*arrays, *[types.int64] * source.numbers)


def _element(dtype: str) -> Any:
    return (
        types.uint16 if dtype == "bfloat16" else types.boolean if dtype == "bool" else getattr(types, dtype)
    )


def function_of(source: CudaSource) -> FunctionType:
    """The Python function that the text defines, with everything that it may call; linecache lets errors show
    its lines.
    """
    filename = f"<cuda {source.name} {source.key[:16]}>"
    linecache.cache[filename] = (len(source.text), None, source.text.splitlines(True), filename)
    scope = dict(_namespace())
    exec(compile(source.text, filename, "exec"), scope)
    return scope["kernel"]


# -- what kernels may call
# ------------------------------------------------------------------------------------


@cache
def _namespace() -> dict[str, Any]:
    """Primitives as instructions or library functions, device functions inlined."""
    names: dict[str, Any] = {"cuda": cuda, "np": np, **_primitives()}
    for module in (device_math, device_random):
        for name in module.__all__:
            names[name] = _inlined(getattr(module, name), names)
    return names


def _primitives() -> dict[str, Any]:
    hosts = {name: getattr(cuda_primitives, name) for name in cuda_primitives.__all__}
    if is_simulated:
        return hosts
    found = {name: host if isinstance(host, type) else _in_math(name) for name, host in hosts.items()}
    found |= {name: _library(name, called) for name, called in _LIBRARY.items()}
    found |= {
        "bits_f32": _same_bits(types.uint32, types.float32),
        "f32_bits": _same_bits(types.float32, types.uint32),
        "bits_f64": _same_bits(types.uint64, types.float64),
        "f64_bits": _same_bits(types.float64, types.uint64),
    }
    return found | {"at": np.uint64, "index_div": _index_div()}


def _in_math(name: str) -> Any:
    """The function of Python's `math` that Numba has for a device."""
    return getattr(math, {"arctan2": "atan2"}.get(name, name), None)


def _inlined(function: Any, names: dict[str, Any]) -> Any:
    """A device function that the compiler copies into its caller: that needs no current device while
    compiling.
    """
    bound = FunctionType(function.__code__, names, function.__name__)
    return cuda.jit(device=True, inline="always")(bound)


def _library(name: str, called: str) -> Any:
    """A function of floats from libdevice, in the arguments' own type."""
    from numba.cuda.extending import intrinsic

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        symbol = f"__nv_{called}{'f' if signature.return_type == types.float32 else ''}"
        declared = builder.module.globals.get(symbol)
        if declared is None:
            shape = ir.FunctionType(values[0].type, [v.type for v in values])
            declared = ir.Function(builder.module, shape, symbol)
        return builder.call(declared, values)

    if name == "fma":
        return intrinsic(lambda context, x, y, z: (x(x, x, x), emit))
    return intrinsic(lambda context, x: (x(x), emit))


def _index_div() -> Any:
    """Division of numbers below 2**31 in 32 bits: a device has no instruction for 64."""
    from numba.cuda.extending import intrinsic

    @intrinsic
    def index_div(context: Any, a: Any, b: Any) -> Any:
        def emit(c: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
            short = [builder.trunc(v, ir.IntType(32)) for v in values]
            return builder.zext(builder.udiv(*short), ir.IntType(64))

        return types.int64(types.int64, types.int64), emit

    return index_div


def _same_bits(source: Any, result: Any) -> Any:
    from numba.cuda.extending import intrinsic

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        return builder.bitcast(values[0], context.get_value_type(result))

    return intrinsic(lambda context, x: (result(source), emit))
