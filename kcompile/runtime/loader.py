"""Object code -> callable addresses in this process, with llvmlite alone."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping, Sequence
from itertools import count

import llvmlite.binding as llvm

from kcompile.codegen.emit import target_machine
from kcompile.core.errors import CompileError

_symbols: dict[str, int] = {}
if sys.platform == "win32":  # what the executor calls sched_yield
    _symbols["sched_yield"] = ctypes.cast(ctypes.windll.kernel32.SwitchToThread, ctypes.c_void_p).value or 0


class Loader:
    """A linker for this process. What it loads stays for the process's life."""

    def __init__(self) -> None:
        target_machine()  # initializes LLVM
        # JITLink places an object's sections side by side, makes the stubs that far calls need, and reports
        # an undefined symbol as an error; LLVM's older linker (MCJIT) ends the process instead.
        self._linker = llvm.create_lljit_compiler(use_jit_link=True, suppress_errors=True)
        self._loaded: list[llvm.ResourceTracker] = []
        _keep_forever(self)  # a thread may still run loaded code while the interpreter shuts down
        self._names = (f"kernels {number}" for number in count())  # a name serves once, even if linking fails

    def load(
        self, objects: Sequence[bytes], names: Sequence[str], imports: Mapping[str, int]
    ) -> dict[str, int]:
        """Link object files; the address of each name."""
        library = llvm.JITLibraryBuilder().add_current_process()
        for data in objects:
            library.add_object_img(data)
        for name in names:
            library.export_symbol(name)
        for name, address in imports.items():
            library.import_symbol(name, address)
        try:
            loaded = library.link(self._linker, next(self._names))
        except RuntimeError as error:
            raise CompileError(str(error)) from error
        self._loaded.append(loaded)
        return {name: loaded[name] for name in names}


def _keep_forever(thing: object) -> None:
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


_loader: Loader | None = None


def load(
    objects: Sequence[bytes], names: Sequence[str], imports: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Link object files into this process and return the address of each name.

    imports: addresses of symbols that the objects call; those given to `define_symbol` and those of the
    process (libc, libm) need not be in it. For one thread at a time (`runtime.kernels` has the lock).
    Raises: CompileError for damaged objects, undefined symbols, and a name that no object defines.
    """
    global _loader
    _loader = _loader or Loader()
    return _loader.load(objects, names, _symbols | dict(imports or {})) if names else {}


def define_symbol(name: str, address: int) -> None:
    """Let objects loaded from now on call `name`."""
    _symbols[name] = address


def is_defined(name: str) -> bool:
    """Can an object that calls `name` be loaded? Where the process's own symbols cannot be asked for, yes."""
    if name in _symbols:
        return True
    try:
        return hasattr(ctypes.CDLL(None), name)
    except (TypeError, OSError):
        return True
