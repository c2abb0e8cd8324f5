"""LLVM IR text -> optimized object code for this machine. llvmlite alone; no JIT engine takes part."""

from __future__ import annotations

from functools import cache

import llvmlite.binding as llvm

from kcompile.kernels.host import code_generator, host


@cache
def target_machine() -> llvm.TargetMachine:
    """This host's code generator.

    Small position-independent code: constants are read relative to the code.
    """
    return code_generator(host(), opt=3, reloc="pic", codemodel="small")


def optimize(ir_texts: list[str], entry: str, symbol: str, is_brief: bool = False) -> llvm.ModuleRef:
    """Link the texts, keep only function `entry` (renamed to `symbol`) visible, run LLVM's passes.

    is_brief: without vector loops.
    """
    module, *linked = map(llvm.parse_assembly, ir_texts)
    for other in linked:
        module.link_in(other)
    module.triple = target_machine().triple
    module.data_layout = str(target_machine().target_data)
    _hide_all_but(module, entry, symbol)
    module.verify()
    builder = _pass_builder(is_brief)
    builder.getModulePassManager().run(module, builder)
    return module


def assembly(module: llvm.ModuleRef) -> str:
    """Machine code of an optimized module as text."""
    return target_machine().emit_assembly(module)


def emit_object(module: llvm.ModuleRef) -> bytes:
    """Object file (ELF, Mach-O or COFF) of an optimized module."""
    return target_machine().emit_object(module)


def _pass_builder(is_brief: bool) -> llvm.PassBuilder:
    options = llvm.create_pipeline_tuning_options(speed_level=1 if is_brief else 2)
    options.loop_vectorization = not is_brief
    options.slp_vectorization = False
    options.loop_unrolling = False  # a fifth of the compile time, and no kernel was faster for it
    return llvm.create_pass_builder(target_machine(), options)


def _hide_all_but(module: llvm.ModuleRef, entry: str, symbol: str) -> None:
    for function in module.functions:
        if not function.is_declaration and function.name != entry:
            function.linkage = "internal"
    module.get_function(entry).name = symbol
