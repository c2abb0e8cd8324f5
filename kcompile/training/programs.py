"""Traced and compiled steps of a model, kept as long as they fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from kcompile.core import config, tree
from kcompile.core.symbolic import Int, symbol
from kcompile.layers import state
from kcompile.trace.variable import Variable
from kcompile.training import step as steps
from kcompile.training.step import StepGraph, Structure


class StepProgram:
    """A traced step; machine code is made when it first runs."""

    def __init__(self, traced: StepGraph, eager: bool):
        self.traced, self.eager = traced, eager
        self.listed: list[str] | None = None  # names of the logs, in the order in which a list gives them

    @cached_property
    def run(self) -> Any:
        """The executable: called with arrays it returns the outputs, `repeat` runs it many times."""
        if self.eager:
            from kcompile.runtime.reference import ReferenceExecutable

            return ReferenceExecutable(self.traced.graph)
        from kcompile.compiler import compile_graph  # here, because it loads the code generator

        return compile_graph(self.traced.graph)

    def logs(self, outputs: list[np.ndarray]) -> dict[str, Any]:
        """The graph's outputs as logs: Python floats, and arrays where a metric has several values."""
        named = zip(self.traced.names, outputs, strict=True)
        return {name: value.item() if value.ndim == 0 else value for name, value in named}


class Programs:
    """The steps of one model by kind and by dtypes and shapes of the data.

    Whenever a layer has changed anywhere, a step is traced again before it is used; it keeps its machine
    code if the trace is the same.
    """

    def __init__(self, model: Any):
        self._model = model
        self._known: dict[Any, tuple[Any, StepProgram]] = {}
        self.cursor = Variable(np.zeros((), np.int64), dtype="int64", trainable=False, name="cursor")

    def version(self) -> tuple[Any, ...]:
        """Changes whenever a step may have to be another."""
        training = self._model._training
        optimizer = training.optimizer
        return (
            state.version(),
            training.compiled_times,
            -1 if optimizer is None else optimizer.version,
            training.run_eagerly,
            config.current().target,
        )

    def _get(self, key: Any, make: Callable[[], StepGraph]) -> StepProgram:
        version = self.version()
        known = self._known.get(key)
        if known is not None and known[0] == version:
            return known[1]
        traced = make()
        program = known[1] if known is not None else None
        eager = bool(self._model._training.run_eagerly)
        version = self.version()  # a first trace builds layers
        if program is None or program.eager != eager or not program.traced.same_as(traced):
            program = StepProgram(traced, eager)
        self._known[key] = (version, program)
        return program

    def batch(
        self, kind: str, data: tuple[Structure, Structure, Structure], alone: bool = True
    ) -> StepProgram:
        """A training or test step ("train", "test") on a batch (x, y, sample_weight).

        alone: its metrics are those of the batch; else they go on from those of earlier batches.
        """
        key = (kind, alone, spec(tuple(data)))
        return self._get(key, lambda: steps.trace_batch(self._model, kind, data, alone))

    def epoch(self, kind: str, data: tuple[Structure, Structure, Structure], shuffled: bool) -> StepProgram:
        """A training or test step on the next rows of whole arrays."""
        key = ("epoch", kind, shuffled, spec(tuple(data)))
        return self._get(key, lambda: steps.trace_epoch(self._model, kind, data, self.cursor, shuffled))

    def predict(self, x: Structure) -> StepProgram:
        """The outputs for a batch. Dimensions that the model leaves open are known only when the program
        runs."""
        names = open_dimensions(x, self._model._placeholders(x))
        shapes = {id(leaf): shape for leaf, shape in zip(leaves_of(x), names, strict=True)}
        return self._get(
            ("predict", spec(x, names)), lambda: steps.trace_predict(self._model, x, lambda a: shapes[id(a)])
        )


def leaves_of(structure: Structure) -> list[np.ndarray]:
    if isinstance(structure, np.ndarray):
        return [structure]
    return [leaf for leaf in tree.flatten(structure) if leaf is not None]


def spec(structure: Structure, shapes: Any = None) -> Any:
    """Form, dtypes and shapes without the first dimension, as a hashable value."""
    if isinstance(structure, np.ndarray):
        return structure.dtype, structure.shape[1:] if shapes is None else shapes[0]
    if structure is None:
        return None
    if type(structure) is tuple and shapes is None:
        return tuple([spec(part) for part in structure])
    form = repr(tree.map_structure(lambda leaf: leaf is None, structure))  # keys of dicts, order of lists
    leaves = leaves_of(structure)
    return form, tuple(
        (leaf.dtype, leaf.shape[1:] if shapes is None else shapes[k]) for k, leaf in enumerate(leaves)
    )


def open_dimensions(x: Structure, inputs: Any) -> list[tuple[int | Int, ...]]:
    """Shapes for tracing: the batch, and dimensions where the model's inputs say None, are symbols.

    Two of the latter that are equal now share a symbol, because layers may need them to be equal.
    """
    leaves = leaves_of(x)
    fits = inputs is not None and len(inputs) == len(leaves)
    names: dict[int, Int] = {}
    found = []
    for k, leaf in enumerate(leaves):
        known = inputs[k].shape if fits and len(inputs[k].shape) == leaf.ndim else leaf.shape
        dims: list[int | Int] = [symbol("batch")]
        for given, extent in zip(known[1:], leaf.shape[1:], strict=True):
            dims.append(names.setdefault(extent, symbol(f"dim{len(names) + 1}")) if given is None else extent)
        found.append(tuple(dims))
    return found
