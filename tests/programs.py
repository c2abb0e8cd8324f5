"""What the tests of compiled programs share: many small graphs as one program, and their expected numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kcompile.autograd.backward import pull_back
from kcompile.compiler import compile_graph
from kcompile.core import dtypes
from kcompile.core.symbolic import Int
from kcompile.ir.evaluate import bind_symbols, evaluate
from kcompile.ir.graph import Graph, Value
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.ops import elementwise as ew
from kcompile.ops import reduce
from tests.helpers import assert_close

TERMS = 64  # at most so many products are summed in a sample


@dataclass
class Case:
    """A computation over parameters: arrays for these, and the values to compute."""

    name: str
    inputs: list[Value]
    arrays: list[np.ndarray]
    outputs: list[Value] = field(default_factory=list)

    def expected(self, arrays: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
        """The outputs by the NumPy references."""
        arrays = self.arrays if arrays is None else arrays
        symbols = bind_symbols(self.inputs, list(arrays))
        return evaluate(self.outputs, dict(zip(self.inputs, arrays, strict=True)), symbols)


def make_case(
    name: str, function: Callable[..., Any], arrays: Sequence[np.ndarray], shapes: Sequence[Any] | None = None
) -> Case:
    """function over new parameters: of the arrays' dtypes and, unless other ones are given, their shapes."""
    shapes = shapes or [a.shape for a in arrays]
    inputs = [
        make_parameter(f"{name} {k}", TensorType(tuple(s), dtypes.standardize(a.dtype)))
        for k, (a, s) in enumerate(zip(arrays, shapes, strict=True))
    ]
    found = function(*inputs)
    return Case(name, inputs, list(arrays), list(found) if isinstance(found, (tuple, list)) else [found])


def gradients_of(case: Case, seed: int = 0) -> Case | None:
    """The gradients of the sum of the float outputs times random numbers; None where there are none."""
    rng = np.random.default_rng(seed)
    losses = [
        reduce.sum(ew.multiply(y, rng.normal(size=concrete(y.shape)).astype(y.dtype)))
        for y in case.outputs
        if dtypes.is_float(y.dtype)
    ]
    active = [x for x in case.inputs if dtypes.is_float(x.dtype)]
    if not losses or not active:
        return None
    loss = losses[0]
    for other in losses[1:]:
        loss = ew.add(loss, ew.cast(other, loss.dtype))
    found = [g for g in pull_back(loss, ew.as_tensor(1.0, loss.dtype), active) if g is not None]
    return Case(f"gradient of {case.name}", case.inputs, case.arrays, found) if found else None


def concrete(shape: Sequence[int | Int]) -> tuple[int, ...]:
    """A shape without symbols: random weights are the same along symbolic axes."""
    return tuple(d if isinstance(d, int) else 1 for d in shape)


def failures(cases: Sequence[Case], terms: int = TERMS) -> list[str]:
    """All cases as one compiled program against their references: what differs."""
    graph = Graph(
        list(dict.fromkeys(x for case in cases for x in case.inputs)),
        [y for case in cases for y in case.outputs],
    )
    arrays = {x: a for case in cases for x, a in zip(case.inputs, case.arrays, strict=True)}
    found = iter(compile_graph(graph)(*(arrays[x] for x in graph.inputs)))
    return [
        text for case in cases for text in differences(case, [next(found) for _ in case.outputs], terms=terms)
    ]


def differences(
    case: Case,
    found: Sequence[np.ndarray],
    arrays: Sequence[np.ndarray] | None = None,
    terms: int = TERMS,
) -> list[str]:
    """What is wrong with a case's outputs, one text each."""
    texts = []
    for number, (got, want) in enumerate(zip(found, case.expected(arrays), strict=True)):
        try:
            assert_close(got, want, terms)
        except AssertionError as error:
            texts.append(f"{case.name}, output {number}: {error}")
    return texts
