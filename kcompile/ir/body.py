"""Functions as attributes of nodes: what a loop repeats."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from kcompile.ir.evaluate import evaluate
from kcompile.ir.graph import Graph, Value, depending_on, substitute, topological
from kcompile.ir.op import make_parameter
from kcompile.ir.traits import Leaf
from kcompile.ir.types import TensorType

_numbers = itertools.count()


class Body:
    """A function of values: `parameters`, which are leaves, to `outputs`. Compared by identity.

    extends: the body of which this one computes all outputs first and then more, if there is one.
    """

    __slots__ = ("extends", "outputs", "parameters")

    def __init__(
        self, parameters: Sequence[Value], outputs: Sequence[Value], extends: Body | None = None
    ) -> None:
        self.parameters, self.outputs, self.extends = tuple(parameters), tuple(outputs), extends

    def __repr__(self) -> str:
        return f"<body of {len(topological(self.outputs))} nodes>"

    @property
    def takes(self) -> list[TensorType]:
        return [v.type for v in self.parameters]

    @property
    def gives(self) -> list[TensorType]:
        return [v.type for v in self.outputs]

    @property
    def origin(self) -> Body:
        """The first of the bodies that this one extends."""
        return self if self.extends is None else self.extends.origin

    def graph(self, name: str = "body") -> Graph:
        return Graph(list(self.parameters), list(self.outputs), name=name)

    def concrete(self, symbols: Mapping[str, int]) -> BoundBody:
        """The body with numbers for symbolic dimensions, which can be called with arrays."""
        return BoundBody(self, symbols)

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        return self.concrete({})(*arrays)


class BoundBody:
    """A body for given extents, by the NumPy references."""

    def __init__(self, body: Body, symbols: Mapping[str, int]) -> None:
        self.body, self.symbols = body, symbols

    @property
    def takes(self) -> list[TensorType]:
        return [t.concrete(self.symbols) for t in self.body.takes]

    @property
    def gives(self) -> list[TensorType]:
        return [t.concrete(self.symbols) for t in self.body.gives]

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        known = dict(zip(self.body.parameters, arrays, strict=True))
        return evaluate(list(self.body.outputs), known, self.symbols)


def new_parameters(types: Sequence[TensorType], what: str) -> list[Value]:
    """Leaves for a body, unlike all others."""
    number = next(_numbers)
    return [make_parameter(f"{what}{number}.{k}", t) for k, t in enumerate(types)]


def closed(parameters: Sequence[Value], outputs: Sequence[Value]) -> tuple[Body, list[Value]]:
    """The body over `outputs`, and the values from outside that it uses: they become its last parameters.

    What does not depend on the parameters is computed outside, once; constants stay inside.
    """
    inside = depending_on(outputs, parameters)
    captured = list(dict.fromkeys(_used_from_outside(outputs, inside)))
    inner = new_parameters([v.type for v in captured], "captured")
    moved = substitute(outputs, dict(zip(captured, inner, strict=True)))
    return Body([*parameters, *inner], moved), captured


def _used_from_outside(outputs: Sequence[Value], inside: set[Value]) -> Iterator[Value]:
    for node in topological(outputs):
        if node.values[0] in inside:
            for v in node.inputs:
                if v not in inside and v.op.leaf is not Leaf.CONSTANT:
                    yield v
    for v in outputs:
        if v not in inside and v.op.leaf is not Leaf.CONSTANT:
            yield v
