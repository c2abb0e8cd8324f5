"""KCOMPILE_CHECK: every kernel's results against the NumPy references, and the first that differs by name.

Each kernel runs alone. What it should have written is computed from the numbers that its predecessors left in
memory, so one kernel's rounding is never another's fault.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence

import numpy as np

from kcompile.codegen.spec import KernelSpec
from kcompile.core import dtypes, symbolic
from kcompile.core.errors import CompileError, message
from kcompile.ir.evaluate import concrete
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Kernel, writes
from kcompile.ir.traits import Leaf
from kcompile.runtime.program import Bound
from kcompile.runtime.stepwise import StepwiseExecutable
from kcompile.runtime.team import team

Arrays = dict[Value, np.ndarray]


class CheckedExecutable(StepwiseExecutable):
    """An executable that compares as it runs.

    Raises: CompileError that names the first kernel whose results differ from the references'.
    """

    def _bound_to(self, symbols: Mapping[str, int]) -> Bound:
        return self.program.bind(symbols, one_by_one=True)

    def _run_once(
        self,
        bound: Bound,
        arrays: Sequence[np.ndarray],
        results: Sequence[np.ndarray],
        symbols: Mapping[str, int] | None,
    ) -> None:
        found = self.symbols_of(arrays, symbols or {})
        known = {v: a.copy() for v, a in zip(self.inputs, arrays, strict=True)}
        known.update({leaf: array.copy() for leaf, array in self.program.variables.items()})
        plan = self.program.plan
        kernels = [k for k in plan.kernels if not set(writes(k)) <= plan.prepared]
        for number, (kernel, spec) in enumerate(zip(kernels, self.program.specs, strict=True)):
            command = bound.commands[number : number + 1]
            team().run(command.copy(), 1, threads=bound.threads, scratch=bound.scratch)
            first = (int(command[0, 1]) - bound.arguments.ctypes.data) // 8 + (spec.nested is not None)
            addresses = dict(zip(spec.buffers, bound.arguments[first:].tolist(), strict=False))
            self._check(number, kernel, spec, addresses, known, found)

    def _check(
        self,
        number: int,
        kernel: Kernel,
        spec: KernelSpec,
        addresses: Mapping[Value, int],
        known: Arrays,
        symbols: Mapping[str, int],
    ) -> None:
        plan = self.program.plan
        found: Arrays = {}
        for target in writes(kernel):
            if (
                target.op.leaf is Leaf.MEMORY
            ):  # packed operands and partial sums: seen in what is made of them
                continue
            address = addresses[plan.aliases.get(target, target)]
            got = _array_at(address, target, symbols)
            value = plan.graph.assignments.get(target, target)  # a copy into a variable
            reference = Reference(known, symbols)
            fault = reference.fault_of(got, value)
            if fault:
                raise _error(number, spec, target, fault)
            if target is value:
                found[target] = got
        known.update(found)


class Reference:
    """Values computed by the ops' references from `known` ones."""

    def __init__(self, known: Arrays, symbols: Mapping[str, int]):
        self.values, self.symbols = dict(known), symbols
        self.terms, self.largest = 1, 0.0
        self.halves: set[str] = set()  # dtypes of two bytes on the way: kernels round them less often

    def of(self, value: Value) -> np.ndarray:
        if value not in self.values:
            self._compute(value)
        array = self.values[value]
        if dtypes.is_float(dtypes.standardize(array.dtype)) and array.size:
            numbers = np.abs(array[np.isfinite(array)])
            self.largest = max(self.largest, float(numbers.max(initial=0)))
        return array

    def _compute(self, value: Value) -> None:
        node = value.node
        inputs = tuple(self.of(v) for v in node.inputs)
        attrs = {k: concrete(a, self.symbols) for k, a in node.attrs.items()}
        result = node.op.evaluate(inputs, attrs)
        for v, array in zip(node.values, result if node.op.outputs != 1 else (result,), strict=True):
            self.values[v] = array
            if dtypes.is_half(v.dtype):
                self.halves.add(v.dtype)
        largest = max((a.size for a in inputs), default=0)
        self.terms += max(math.prod(attrs.get("over", ())), largest // max(self.values[value].size, 1))

    def fault_of(self, got: np.ndarray, value: Value) -> str:
        """How an array differs from the value by more than rounding explains; empty where it does not."""
        want = self.of(value)
        if not dtypes.is_float(value.dtype):
            wrong = got != want
            allowed: np.ndarray | float = 0.0
        else:
            tolerance = max(dtypes.tolerance(d, self.terms) for d in (value.dtype, *self.halves))
            a, b = got.astype(np.float64), want.astype(np.float64)
            allowed = tolerance * (np.abs(b) + self.largest)
            with np.errstate(invalid="ignore"):
                near = np.abs(a - b) <= allowed
            wrong = ~(near | (a == b) | (np.isnan(a) & np.isnan(b)))
        if not np.any(wrong):
            return ""
        at = tuple(int(k) for k in np.argwhere(wrong)[0])
        return (
            f"{int(np.count_nonzero(wrong))} of {got.size} elements; at {list(at)} {got[at]}, not {want[at]}"
        )


def _array_at(address: int, value: Value, symbols: Mapping[str, int]) -> np.ndarray:
    """A copy of a value's memory."""
    shape = tuple(symbolic.evaluate(d, symbols) for d in value.shape)
    dtype = dtypes.numpy_dtype(value.dtype)
    size = math.prod(shape) * dtype.itemsize
    return np.frombuffer(ctypes.string_at(address, size) if size else b"", dtype).reshape(shape)


def _error(number: int, spec: KernelSpec, target: Value, fault: str) -> CompileError:
    return CompileError(
        message(
            f"kernel {number} {spec.name!r} differs from the reference in {target!r}: {fault}.",
            received=f"fused: {' '.join(spec.fused)}",
            at=target.node.origin,
            hint="KCOMPILE_DEBUG=plan,source shows the kernel",
        )
    )
