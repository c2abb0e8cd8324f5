"""Numbers of values: those that a tape records outside of a trace have some, found when they are asked for.

Such values come from leaves that `given` makes, which hold an array. What ops make of them and of constants
has numbers, too: the references' results. A value that depends on a parameter or a variable has none.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ir.graph import HAS_NUMBERS, OPEN, Node, Value, topological
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType

_names = itertools.count()
_trace: list[Callable[[], Any]] = [lambda: None]


def install(trace: Callable[[], Any]) -> None:
    """trace() gives the trace that this thread is in, or None."""
    _trace[0] = trace


def outside_of_traces(inputs: Sequence[Any]) -> list[Any] | None:
    """An op's inputs as arrays, where it must compute at once: there is no trace, and all have numbers."""
    values = [x for x in inputs if isinstance(x, Value)]
    if not values or any(v.node.standing != HAS_NUMBERS for v in values) or _trace[0]() is not None:
        return None
    return [numbers(x) if isinstance(x, Value) else x for x in inputs]


def given(array: np.ndarray) -> Value:
    """A leaf, unlike any other, with a copy of this array as its numbers."""
    leaf = make_parameter(f"given{next(_names)}", TensorType(array.shape, dtypes.standardize(array.dtype)))
    leaf.node.standing, leaf.node.numbers = HAS_NUMBERS, (array.copy(),)
    return leaf


def numbers(value: Value) -> np.ndarray | None:
    """The numbers of a value; None if they are known only at run time."""
    if value.node.standing == OPEN:
        return None
    for node in topological([value], _Computed()):
        if node.numbers is None:
            arrays = tuple(v.node.numbers[v.index] for v in node.inputs)  # type: ignore[index]
            found = node.op.evaluate(arrays, node.attrs)
            node.numbers = (found,) if node.op.outputs == 1 else tuple(found)
    assert value.node.numbers is not None
    return value.node.numbers[value.index]


class _Computed:
    """The nodes whose numbers are there, as a set: behind them nobody looks."""

    def __contains__(self, node: object) -> bool:
        return isinstance(node, Node) and node.numbers is not None
