"""Object code -> callable addresses in this process, with llvmlite alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import llvmlite.binding as llvm

from kcompile.codegen.emit import target_machine
from kcompile.core.errors import CompileError


class Loader:
    """One JIT engine that only links: objects are added, nothing is compiled, what is loaded stays."""

    def __init__(self) -> None:
        self._engine: llvm.ExecutionEngine | None = None
        self._kept: list[object] = []

    def load(self, objects: Sequence[bytes], names: Sequence[str]) -> dict[str, int]:
        """Link object files and return the address of each name."""
        engine = self._engine or self._start()
        for data in objects:
            file = llvm.ObjectFileRef.from_data(data)
            self._kept += [data, file]
            engine.add_object_file(file)
        engine.finalize_object()
        addresses = {name: engine.get_function_address(name) for name in names}
        for name, address in addresses.items():
            if not address:
                raise CompileError(f"object code does not define {name}")
        return addresses

    def _start(self) -> llvm.ExecutionEngine:
        machine = target_machine()
        empty = llvm.parse_assembly("")
        empty.triple = machine.triple
        # llvmlite's memory manager keeps the sections of an object side by side, as position-independent code
        # needs.
        self._engine = llvm.create_mcjit_compiler(empty, machine, use_lmm=True)
        return self._engine


_loader = Loader()
_lock = threading.Lock()


def load(objects: Sequence[bytes], names: Sequence[str]) -> dict[str, int]:
    """Link object files into this process and return the address of each name.

    Undefined symbols must have been given to `define_symbol` or belong to the process (libc, libm): LLVM ends
    the process otherwise. Raises CompileError for a name that no object defines.
    """
    with _lock:
        return _loader.load(objects, names)


def define_symbol(name: str, address: int) -> None:
    """Let objects loaded from now on call `name`."""
    llvm.add_symbol(name, address)


def is_defined(name: str) -> bool:
    """Can an object that calls `name` be loaded?"""
    return bool(llvm.address_of_symbol(name))
