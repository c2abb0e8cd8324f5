"""Runs a Python function once over symbolic values and keeps what it did: outputs, reads, assignments."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kcompile.core import tree
from kcompile.core.collection import paused_collection
from kcompile.ir import numbers
from kcompile.ir.graph import Graph, Value
from kcompile.ops import elementwise as ew
from kcompile.ops import state

if TYPE_CHECKING:
    from kcompile.trace.variable import Variable

_local = threading.local()


class Tracer:
    """The scope of one trace: what each variable holds by now."""

    records = True  # a graph is made

    def __init__(self) -> None:
        self.current: dict[Variable, Value] = {}
        self.assigned: dict[Variable, Value] = {}
        self.slots = itertools.count()  # numbers for values that must be unlike any other of the trace

    def __enter__(self) -> Tracer:
        self._outer = enter(self)
        if self._outer is not None:
            self.slots = self._outer.slots
        return self

    def __exit__(self, *_: object) -> None:
        _local.tracer = self._outer

    def leaf(self, variable: Variable) -> Value:
        """What a variable holds when the trace begins."""
        return variable.leaf

    def read(self, variable: Variable) -> Value:
        if variable not in self.current:
            self.current[variable] = self.leaf(variable)
        return self.current[variable]

    def assign(self, variable: Variable, value: Any) -> Value:
        self.read(variable)
        new = ew.as_tensor(value, variable.leaf.dtype)
        from kcompile.ir.op import constant
        from kcompile.ops.movement import broadcast_to

        new = broadcast_to(new if isinstance(new, Value) else constant(new), variable.shape)
        self.current[variable] = self.assigned[variable] = new
        return new

    @contextmanager
    def branch(self, held: dict[Variable, Value]) -> Iterator[dict[Variable, Value]]:
        """Inside, variables in `held` have these values; afterwards all are as before.

        Gives a dictionary that is filled, at the end, with the new values of those that were assigned.
        """
        before, assigned = dict(self.current), dict(self.assigned)
        changes: dict[Variable, Value] = {}
        self.current |= held
        self.assigned = {}
        try:
            yield changes
            changes.update(self.assigned)
        finally:
            read = self.current
            self.current, self.assigned = {v: before.get(v, self.leaf(v)) for v in read}, assigned


def active() -> Any:
    """What variables of this thread are read from and assigned to: a trace, a StatelessScope, or None."""
    return getattr(_local, "tracer", None)


def enter(scope: Any) -> Any:
    """Make another scope the active one; returns the one before."""
    outer, _local.tracer = active(), scope
    return outer


def is_tracing() -> bool:
    """Are variables read from a scope, rather than from memory?"""
    return active() is not None


state.install(active)
numbers.install(active)


@contextmanager
def suspended() -> Iterator[None]:
    """Eager work in the middle of a trace: variables are made, and random numbers drawn, as arrays."""
    outer, _local.tracer = active(), None
    try:
        yield
    finally:
        _local.tracer = outer


def trace(function: Callable[..., Any], inputs: Sequence[Value], name: str = "graph") -> tuple[Graph, Any]:
    """The graph of function(*inputs), and the function's result as a structure of values."""
    from kcompile.ir.op import constant, unwrap

    with paused_collection(), Tracer() as tracer:
        result = function(*inputs)
        result = tree.map_structure(lambda x: None if x is None else constant(unwrap(x)), result)
    outputs = [x for x in tree.flatten(result) if x is not None]
    assignments = {v.leaf: new for v, new in tracer.assigned.items() if new is not v.leaf}
    variables = {v.uid: v for v in tracer.current}
    return Graph(list(inputs), outputs, assignments, variables, name), result
