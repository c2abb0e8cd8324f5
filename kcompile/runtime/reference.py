"""The interpreter as a target: a graph runs by the NumPy references of its ops.

It serves `run_eagerly=True` and is the oracle of the tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kcompile.core import dtypes
from kcompile.ir.evaluate import bind_symbols, run
from kcompile.ir.graph import Graph
from kcompile.trace.variable import writes


class ReferenceExecutable:
    """Runs a graph step by step on NumPy arrays; same interface as `runtime.executable.Executable`."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self._leaves = {v.leaf: v for v in graph.variables.values()}

    def __call__(self, *arrays: np.ndarray, symbols: Mapping[str, int] | None = None) -> list[np.ndarray]:
        """One run: returns the outputs, then writes the assigned variables."""
        inputs = self.graph.inputs
        bound = {**bind_symbols(inputs, list(arrays)), **(symbols or {})}
        leaves = {v: np.asarray(a, dtypes.numpy_dtype(v.dtype)) for v, a in zip(inputs, arrays, strict=True)}
        leaves.update({leaf: variable.array for leaf, variable in self._leaves.items()})
        results = run(self.graph, leaves, bound)
        outputs, assigned = results[: len(self.graph.outputs)], results[len(self.graph.outputs) :]
        outputs = [np.array(o) for o in outputs]
        assigned = [np.array(a) for a in assigned]  # one may be another variable's memory: a swap
        for leaf, new in zip(self.graph.assignments, assigned, strict=True):
            np.copyto(self._leaves[leaf].array, new)
        if self.graph.assignments:
            writes.note()
        return outputs

    def repeat(self, arrays: Sequence[np.ndarray], symbols: Mapping[str, int], steps: int) -> int:
        """`steps` runs on the same inputs, outputs dropped; what changes are the variables."""
        for _ in range(steps):
            self(*arrays, symbols=symbols)
        return steps
