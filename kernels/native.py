"""LLVM IR to callable machine code in this process, by llvmlite alone: for measurements, tests and tuning."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import llvmlite.binding as llvm
from llvmlite import ir

from kcompile.kernels.host import Host, code_generator, host


def target_machine(cpu: Host | None = None, jit: bool = True) -> llvm.TargetMachine:
    """LLVM's code generator for a host (default: this one)."""
    model = "jitdefault" if jit else "default"
    return code_generator(cpu or host(), opt=3, reloc="pic", codemodel=model, jit=jit)


def parse(module: ir.Module | str, machine: llvm.TargetMachine, optimize: bool = True) -> llvm.ModuleRef:
    """Verified LLVM module for a target machine; optimize runs LLVM's -O3 passes."""
    parsed = llvm.parse_assembly(str(module))
    parsed.triple = machine.triple
    parsed.data_layout = str(machine.target_data)
    parsed.verify()
    if optimize:
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        passes = llvm.create_pass_builder(machine, options)
        passes.getModulePassManager().run(parsed, passes)
    return parsed


def assembly(module: ir.Module | str, cpu: Host | None = None, optimize: bool = True) -> str:
    """The machine code of a module as text."""
    machine = target_machine(cpu)
    return machine.emit_assembly(parse(module, machine, optimize))


@dataclass(frozen=True)
class Library:
    """Modules loaded into this process. The code lives as long as this object."""

    engine: llvm.ExecutionEngine

    def address(self, name: str) -> int:
        """Address of an external function. Raises KeyError if there is none of that name."""
        address = self.engine.get_function_address(name)
        if not address:
            raise KeyError(name)
        return address

    def function(self, name: str, arguments: int) -> Callable[..., None]:
        """A void function of int64 arguments, as a ctypes callable."""
        return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)(self.address(name))


def load(*modules: ir.Module | str, optimize: bool = True) -> Library:
    """Compile modules for this host and load them into the process."""
    machine = target_machine()
    engine = llvm.create_mcjit_compiler(parse("", machine, False), machine)
    for module in modules:
        engine.add_module(parse(module, machine, optimize))
    engine.finalize_object()
    return Library(engine)
