"""LLVM IR text -> optimized object code for this machine. llvmlite alone; no JIT engine takes part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import llvmlite.binding as llvm

from kcompile.kernels.host import code_generator, host

# Beyond so many addresses LLVM's strength reduction of loops is left out: there are no registers for
# what it keeps, and its search took 60% of the code generator's time.
_MANY_ADDRESSES = 64


@cache
def target_machine() -> llvm.TargetMachine:
    """This host's code generator.

    Small position-independent code: constants are read relative to the code.
    """
    return code_generator(host(), opt=3, reloc="pic", codemodel="small")


# Of Numba's IR, of a kernel that is not worth vector loops, of IR that was written as vector code already.
Kind = Literal["lowered", "brief", "written"]


def optimize(ir_texts: list[str], entry: str, symbol: str, kind: Kind = "lowered") -> llvm.ModuleRef:
    """Link the texts, keep only function `entry` (renamed to `symbol`) visible, run LLVM's passes."""
    module, *linked = map(llvm.parse_assembly, ir_texts)
    for other in linked:
        module.link_in(other)
    module.triple = target_machine().triple
    module.data_layout = str(target_machine().target_data)
    _hide_all_but(module, entry, symbol)
    module.verify()
    builder = _pass_builder(kind)
    passes = _few_passes() if kind == "written" else builder.getModulePassManager()
    passes.run(module, builder)
    return module


def assembly(module: llvm.ModuleRef) -> str:
    """Machine code of an optimized module as text."""
    with _strength_reduction(module):
        return target_machine().emit_assembly(module)


def emit_object(module: llvm.ModuleRef) -> bytes:
    """Object file (ELF, Mach-O or COFF) of an optimized module."""
    with _strength_reduction(module):
        return target_machine().emit_object(module)


@contextmanager
def _strength_reduction(module: llvm.ModuleRef) -> Iterator[None]:
    """LLVM's option for all it compiles, in a user's own Numba functions, too: set for this module alone."""
    is_off = str(module).count("getelementptr") > _MANY_ADDRESSES
    if is_off:
        llvm.set_option("kcompile", "-disable-lsr=true")
    try:
        yield
    finally:
        if is_off:
            llvm.set_option("kcompile", "-disable-lsr=false")


def _few_passes() -> llvm.ModulePassManager:
    """Constants are folded and equal addresses joined; loops stay as they are."""
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_new_gvn_pass()
    passes.add_simplify_cfg_pass()
    return passes


def _pass_builder(kind: Kind) -> llvm.PassBuilder:
    options = llvm.create_pipeline_tuning_options(speed_level=1 if kind == "brief" else 2)
    options.loop_vectorization = kind != "brief"
    options.slp_vectorization = False
    options.loop_unrolling = False  # a fifth of the compile time, and no kernel was faster for it
    return llvm.create_pass_builder(target_machine(), options)


def _hide_all_but(module: llvm.ModuleRef, entry: str, symbol: str) -> None:
    for function in module.functions:
        if not function.is_declaration and function.name != entry:
            function.linkage = "internal"
    module.get_function(entry).name = symbol
