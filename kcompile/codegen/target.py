"""A Numba target for kernels: the CPU's, without arrays, strings, reference counts and NumPy functions.

Numba's own CPU target loads seventy modules and a runtime library before it compiles its first function (0.12
s), and types every `a + b` against NumPy's ufuncs. Kernels use numbers, ranges, buffers and intrinsics, so
their target declares only those, and remembers what a call with given types resolves to.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba.core import cpu, types, typing
from numba.core.imputils import builtin_registry
from numba.core.target_extension import CPU, dispatcher_registry, target_registry
from numba.core.typing import templates

from kcompile.codegen.ranges import lowerings

NAME = "kcompile"

_OVERLOADED = {templates._OverloadFunctionTemplate, templates._OverloadAttributeTemplate}


class KernelCPU(CPU):
    """The target's mark in Numba's registry: what is declared for any CPU holds for it."""


class _Function(types.Function):
    """A function's type that remembers the signature of a call: the same types give the same signature."""

    def __init__(self, template: Any) -> None:
        super().__init__(template)
        self._signatures: dict[Any, Any] = {}

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
        if kws:
            return super().get_call_type(context, args, kws)
        plain = tuple(map(types.unliteral, args))
        found = self._signatures.get(plain) or self._signatures.get(tuple(args))
        if found is None:
            found = super().get_call_type(context, args, kws)
            assert found is not None  # Numba raises instead
            literal = any(isinstance(argument, types.Literal) for argument in found.args)
            self._signatures[tuple(args) if literal else plain] = found
        return found


class KernelTyping(typing.Context):
    """Typing rules of numbers, ranges and intrinsics."""

    def __init__(self) -> None:
        self._declarations = templates.RegistryLoader(templates.builtin_registry)
        super().__init__()

    def refresh(self) -> None:
        """Take up what was declared since the last call: intrinsics declare themselves on import."""
        for template in self._declarations.new_registrations("functions"):
            if _is_ours(template):
                self.insert_function(template(self))
        for template in self._declarations.new_registrations("attributes"):
            if _is_ours(template):
                self.insert_attributes(template(self))
        for value, kind in self._declarations.new_registrations("globals"):
            if type(kind) is types.Function:
                ours = tuple(filter(_is_ours, kind.templates))
                if not ours:
                    continue
                kind = _Function(ours)
            known = self._lookup_global(value)
            if known is None:
                self.insert_global(value, kind)
            elif (both := known.augment(kind)) is not None:
                self._remove_global(value)
                self._insert_global(value, both)

    _load_builtins = refresh

    def resolve_value_type(self, value: Any) -> Any:
        """Numba type of a constant; declared functions first, before Numba looks for values of a kind."""
        declared = self._lookup_global(value) if callable(value) else None
        return declared or super().resolve_value_type(value)


class KernelTarget(cpu.CPUContext):
    """Lowering of numbers, ranges and intrinsics; remembers how a call with given types is lowered."""

    def init(self) -> None:
        self._implementations: dict[Any, Any] = {}
        super().init()

    def get_function(self, fn: Any, sig: Any, _firstcall: bool = True) -> Any:
        """What lowers a call. Numba inspects the implementation's parameters each time it is asked."""
        key = fn, sig.return_type, sig.args
        found = self._implementations.get(key)
        if found is None:
            found = self._implementations[key] = super().get_function(fn, sig, _firstcall)
        return found

    def load_additional_registries(self) -> None:
        from numba.core import optional  # noqa: F401
        from numba.cpython import builtins, numbers, rangeobj, tupleobj  # noqa: F401

    def insert_func_defn(self, definitions: Any) -> None:
        """Take up Numba's lowerings, except where this target has a leaner one."""
        lean = lowerings()
        for implementation, function, arguments in definitions:
            implementation = lean.get((function, arguments), implementation)
            self._defns[function].append(implementation, arguments)


class _Descriptor:
    """What Numba asks a target's dispatcher for, to declare intrinsics in."""

    def __init__(self) -> None:
        self.typing_context = KernelTyping()
        self.target_context = KernelTarget(self.typing_context, NAME)
        self.target_context.refresh()


@cache
def kernel_target() -> _Descriptor:
    """The target, made on first use."""
    target_registry[NAME] = KernelCPU
    descriptor = _Descriptor()
    dispatcher_registry[KernelCPU] = type("KernelDispatcher", (), {"targetdescr": descriptor})
    assert builtin_registry in descriptor.target_context._registries
    return descriptor


def _is_ours(template: Any) -> bool:
    """Declared for any CPU, and not overloaded by Python code: that is for arrays, strings and their like."""
    # Not issubclass: for an abstract class that asks every class derived from it, 80 ms altogether.
    if not _OVERLOADED.isdisjoint(template.__mro__):
        return False
    target = (getattr(template, "metadata", None) or {}).get("target")
    return target in (None, "generic", "cpu", "CPU")
