"""Generated Python text -> LLVM IR text, through Numba's front end.

Imports Numba: only for kernels not in the cache.

Numba's own pipeline compiles for a Python caller: reference counts, a CPython wrapper, an environment, two
optimization rounds and a JIT engine. A kernel needs none of it, so only the passes between bytecode and LLVM
IR run here.
"""

from __future__ import annotations

import importlib
import linecache
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import bytecode, compiler, errors, fastmathpass, funcdesc, interpreter, lowering, types
from numba.core import ir as numba_ir
from numba.core.compiler_lock import global_compiler_lock
from numba.core.targetconfig import ConfigStack

from kcompile.codegen.inference import infer_types
from kcompile.codegen.numba_types import ARGUMENTS, INT64, larger, mark_alias_scopes, smaller
from kcompile.codegen.outline import Outline
from kcompile.codegen.source import BASE_MODULES, KernelSource
from kcompile.codegen.target import kernel_target

ENTRY = "kernel"  # the entry function's name in the IR text

# NaN and infinity keep their meaning: masks are -inf and a NaN is news. Formulas keep their order: (a - b) +
# c may be written so for a reason. Only what a reduction adds up may be added in any order
# (`cpu_ops.add_up`). Divisions stay divisions: a loop would multiply by a reciprocal that single elements do
# not, and a value would differ from itself.
FAST_MATH = {"contract", "nsz"}

_SIGNATURE = (ARGUMENTS, types.int64, types.int64, types.int64)


class _ByteCode(bytecode.ByteCode):
    """A function's bytecode, without the room between instructions where CPython keeps its caches: half of
    all entries, each of which Numba would interpret.
    """

    def __init__(self, identity: Any) -> None:
        super().__init__(identity)
        self.labels = frozenset(self.labels)  # type: ignore[assignment]
        following = None
        for instruction in reversed(self.table.values()):
            if instruction.opname == "CACHE":
                continue
            if following is not None and not instruction.is_jump:
                instruction.next = following.offset
            following = instruction


class _Interpreter(interpreter.Interpreter):
    """Numba's bytecode interpreter without the rewrites for `with`, `try`, star arguments, dictionaries."""

    def post_process(self, peepholes: Any, func_ir: Any) -> Any:
        return func_ir


class _Lower(lowering.Lower):
    """Numba's lowering without environment, debug information and reference counts: for Python callers."""

    loc: Any

    def lower(self) -> None:
        self.genlower = None
        self.lower_normal_function(self.fndesc)

    def _find_singly_assigned_variable(self) -> None:
        """Variables that need no stack slot: assigned once, and used only in the block that assigns them."""
        assigned = Counter(
            inst.target.name
            for block in self.blocks.values()
            for inst in block.body
            if isinstance(inst, numba_ir.Assign)
        )
        shared: set[str] = set()
        for block in self.blocks.values():
            here: set[str] = set()
            for inst in block.body:
                shared.update(name for name in _names_used(inst) if name not in here)
                if isinstance(inst, numba_ir.Assign):
                    here.add(inst.target.name)
        self._singly_assigned_vars = {name for name, count in assigned.items() if count == 1} - shared
        self._blk_local_varmap: dict[str, ir.Value] = {}

    def pre_block(self, block: Any) -> None:
        self._cur_ir_block = block

    def lower_block(self, block: Any) -> None:
        self.pre_block(block)
        try:
            for inst in block.body:
                self.loc = inst.loc
                self.lower_inst(inst)
        except errors.NumbaError:
            raise
        except Exception as error:
            raise errors.LoweringError(str(error), loc=self.loc) from error

    def lower_inst(self, inst: Any) -> None:
        if isinstance(inst, numba_ir.Assign):
            self.storevar(self.lower_assign(self.typeof(inst.target.name), inst), inst.target.name)
        else:
            super().lower_inst(inst)

    def storevar(self, value: ir.Value, name: str, argidx: int | None = None) -> None:
        if name in self._singly_assigned_vars:
            self._blk_local_varmap[name] = value
        else:
            self.builder.store(value, self.getvar(name))

    def alloca_lltype(self, name: str, lltype: ir.Type, datamodel: Any = None) -> ir.Value:
        with self.builder.goto_entry_block():
            return self.builder.alloca(lltype, name=name)


def _names_used(inst: Any) -> Iterator[str]:
    """Names of the variables that an instruction reads."""
    if not isinstance(inst, numba_ir.Assign):
        yield from (var.name for var in inst.list_vars())
    elif isinstance(inst.value, numba_ir.Var):
        yield inst.value.name
    elif isinstance(inst.value, numba_ir.Expr):
        for part in inst.value._kws.values():
            for item in part if isinstance(part, (list, tuple)) else (part,):
                if isinstance(item, numba_ir.Var):
                    yield item.name
                elif isinstance(item, tuple):  # keyword arguments
                    yield from (var.name for var in item if isinstance(var, numba_ir.Var))


def lower(source: KernelSource) -> list[str]:
    """LLVM IR texts to be linked; the first defines `void @kernel(i64*, i64, i64, i64)`.

    Raises: Numba's errors, which show the generated line.
    """
    outline = Outline.of(source.text)
    known = outline.text, source.modules
    texts = _outlines.get(known)
    if texts is None:
        try:
            texts = _through_numba(outline.text, source)
        except Exception:  # again, so that the error shows the kernel's own numbers
            return _through_numba(source.text, source)
        _outlines.clear()  # kernels that are alike come one after the other (`helper.Waiting`)
        _outlines[known] = texts
    return [outline.filled(text) for text in texts]


_outlines: dict[tuple[str, tuple[str, ...]], list[str]] = {}  # IR with marks, of the last text with marks


def _through_numba(text: str, source: KernelSource) -> list[str]:
    function = _define(text, source)
    flags = _flags()
    with global_compiler_lock, ConfigStack().enter(flags):
        state = _front_end(function, flags)
        return _to_llvm(state)


def _define(text: str, source: KernelSource) -> Any:
    """Run the text in its namespace; linecache lets Numba and tracebacks show its lines."""
    filename = f"<kernel {source.name} {source.symbol}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    scope = dict(_namespace(source.modules))
    exec(compile(text, filename, "exec"), scope)
    return scope[ENTRY]


@cache
def _namespace(modules: tuple[str, ...]) -> dict[str, Any]:
    names: dict[str, Any] = {"np": np, "numba": numba, "float32": np.float32, "float64": np.float64}
    for module in (*BASE_MODULES, *modules):
        names |= _public_names(module)
    return names | {"min": smaller, "max": larger}


def _public_names(module: str) -> dict[str, Any]:
    loaded = importlib.import_module(module)
    return {name: value for name, value in vars(loaded).items() if not name.startswith("_")}


def _flags() -> Any:
    flags: Any = compiler.Flags()
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.no_compile = True
    flags.error_model = "numpy"
    flags.fastmath = FAST_MATH
    return flags


def _front_end(function: Any, flags: Any) -> Any:
    """Numba's state after bytecode analysis and type inference. There is no SSA: a variable has one type."""
    target = kernel_target()
    pipeline = compiler.Compiler(
        target.typing_context, target.target_context, None, _SIGNATURE, types.none, flags, locals={}
    )
    state = pipeline.state
    state.func_id = bytecode.FunctionIdentity.from_function(function)
    state.func_ir = _Interpreter(state.func_id).interpret(_ByteCode(state.func_id))
    infer_types(state)
    return state


def _to_llvm(state: Any) -> list[str]:
    target = state.targetctx
    descriptor = funcdesc.PythonFunctionDescriptor.from_specialized_function(
        state.func_ir, state.typemap, state.return_type, state.calltypes, mangler=target.mangler,
        inline=False, noalias=False, abi_tags=(),
    )  # fmt: skip
    library = target.codegen().create_library(ENTRY)
    with target.push_code_library(library):
        lowered = _Lower(target, library, descriptor, state.func_ir, metadata={})
        lowered.lower()
    fastmathpass.rewrite_module(lowered.module, target.fastmath)
    mark_alias_scopes(lowered.module)
    _add_entry(lowered.module, lowered.function)
    callees = [str(callee._get_module_for_linking()) for callee in library._linking_libraries]
    return [str(lowered.module), *callees]


def _add_entry(module: ir.Module, inner: ir.Function) -> None:
    """The C function around Numba's calling convention; LLVM inlines `inner` into it."""
    inner.attributes.add("alwaysinline")
    for argument in inner.args:
        argument.attributes.discard("noalias")  # inlined, each would become one more alias scope
    entry_type = ir.FunctionType(ir.VoidType(), [INT64.as_pointer(), INT64, INT64, INT64])
    entry = ir.Function(module, entry_type, ENTRY)
    builder = ir.IRBuilder(entry.append_basic_block())
    result, error = (builder.alloca(argument.type.pointee) for argument in inner.args[:2])
    builder.call(inner, [result, error, *entry.args])
    builder.ret_void()
