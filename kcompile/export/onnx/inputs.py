"""Random inputs for a model's inference call, and the states that such a call must leave as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.export.onnx.emit import states_of
from kcompile.export.onnx.signature import Spec, Traced
from kcompile.ir.graph import Graph, Value
from kcompile.ir.positions import ANY, CAREFUL, lie_within

TEXTS = ("", "a", "The quick, brown fox!", "  no\tÉtudes ", "0", "[UNK]", "yes")  # inputs that are text
EXTENT = 7  # of dimensions behind the batch that are left open


def arguments_of(traced: Traced, batch: int, rng: np.random.Generator, extent: int = EXTENT) -> list[Any]:
    """Random arguments, as long as `extent` where open; of small numbers if others do not fit."""
    for most in (ANY, CAREFUL, 1):
        found = _drawn(traced, batch, rng, extent, most)
        if lie_within(traced.graph, tree.flatten(found)):
            break
    return found


def _drawn(traced: Traced, batch: int, rng: np.random.Generator, extent: int, most: int) -> list[Any]:
    def draw(spec: Spec) -> np.ndarray:
        limited = spec.limit is not None and dtypes.is_int(spec.dtype) and most < ANY
        spec = replace(spec, limit=min(spec.limit or most, most)) if limited else spec
        return random_input(spec, batch, rng, extent)

    return [tree.map_structure(draw, argument) for argument in traced.specs]


def random_input(spec: Spec, batch: int, rng: np.random.Generator, extent: int = EXTENT) -> np.ndarray:
    """What most models accept: normal floats; texts; ints that are positions where something is looked up,
    and not 0 elsewhere, by which runtimes do not divide.
    """
    opened = (batch, *(extent for _ in spec.shape[1:]))
    shape = tuple(d if isinstance(d, int) else size for d, size in zip(spec.shape, opened, strict=False))
    if spec.dtype == dtypes.STRING:
        return rng.choice(np.array(TEXTS, object), shape)
    kind = dtypes.numpy_dtype(spec.dtype)
    if dtypes.is_float(spec.dtype) and spec.limit is None:
        return rng.normal(size=shape).astype(kind)
    most = 2 if spec.dtype == "bool" else np.iinfo(kind).max + 1 if dtypes.is_int(spec.dtype) else ANY
    least = 1 if dtypes.is_int(spec.dtype) and spec.limit is None else 0
    return rng.integers(least, min(spec.limit or ANY, most), shape).astype(kind)


def kept_by(graph: Graph) -> dict[Value, Any]:
    """The variables that a call leaves for the next one, by their leaves: those that its results depend on
    come first.
    """
    leaves = dict.fromkeys([*states_of(graph), *graph.assignments])
    return {leaf: graph.variables[leaf.node.attrs["uid"]] for leaf in leaves}


@contextmanager
def keeping_states(graph: Graph) -> Iterator[list[Any]]:
    """The variables that calls inside of it change; they are put back at its end."""
    states = list(kept_by(graph).values())
    before = [np.array(variable.array) for variable in states]
    try:
        yield states
    finally:
        for variable, array in zip(states, before, strict=True):
            variable.assign(array)
