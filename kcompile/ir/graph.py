"""Nodes, values and graphs. Nodes are immutable and interned: equal subgraphs are one object, so CSE is free
and `is` compares.
"""

from __future__ import annotations

import itertools
import os
import struct
import threading
import weakref
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kcompile.core.errors import NoNumbersError
from kcompile.ir.traits import Leaf
from kcompile.ir.types import Shape, TensorType

if TYPE_CHECKING:
    from kcompile.ir.op import Op


class Constant:
    """An array as a hashable attribute, compared by bits."""

    __slots__ = ("_key", "array")

    def __init__(self, array: np.ndarray):
        self.array = np.ascontiguousarray(array).reshape(array.shape)
        self.array.setflags(write=False)
        self._key = (self.array.dtype.str, self.array.shape, self.array.tobytes())

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self._key == other._key

    def __repr__(self) -> str:
        return f"{self.array.item():g}" if self.array.size == 1 else f"<{self.array.shape}>"


# What a node can say of its numbers without a run: nothing, as some leaf is open; they are the same in any
# run; they depend on what a tape outside of traces has recorded, and can be computed (`ir/numbers.py`).
OPEN, FIXED, HAS_NUMBERS = range(3)


class Node:
    """One application of an op. Create with `node()`, which interns."""

    __slots__ = ("__weakref__", "attrs", "inputs", "numbers", "op", "origin", "serial", "standing", "values")

    op: Op
    inputs: tuple[Value, ...]
    attrs: dict[str, Any]
    values: tuple[Value, ...]
    serial: int  # counts nodes in the order of their making
    origin: str  # layer path where it was first made under one; never part of its identity
    standing: int  # OPEN, FIXED or HAS_NUMBERS
    numbers: tuple[np.ndarray, ...] | None  # of its values, where they have been asked for

    def __repr__(self) -> str:
        return f"{self.op.name}#{self.serial}"


class Value:
    """One output of a node; the symbolic tensor of user code. Operators are installed by `kcompile.ops`."""

    __slots__ = ("__weakref__", "index", "node", "type")

    def __init__(self, node: Node, index: int, type_: TensorType):
        self.node, self.index, self.type = node, index, type_

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> str:
        return self.type.dtype

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def op(self) -> Op:
        return self.node.op

    @property
    def _numbers(self) -> np.ndarray | None:
        if self.node.standing != HAS_NUMBERS:
            return None
        from kcompile.ir.numbers import numbers  # which needs ops

        return numbers(self)

    def __repr__(self) -> str:
        known = self._numbers
        text = f"<Tensor shape={self.type.shape}, dtype={self.type.dtype}>"  # also in messages to users
        return text if known is None else repr(known)

    def __format__(self, spec: str) -> str:
        known = self._numbers
        return object.__format__(self, spec) if known is None else format(known[()], spec)

    def __bool__(self) -> bool:
        known = self._numbers
        if known is None:
            raise NoNumbersError(
                "A symbolic tensor has no truth value while a model is traced: "
                "Python `if` and `while` cannot look at it. "
                "Use ops.where(condition, a, b)."
            )
        return bool(known)

    def _number(self) -> Any:
        known = self._numbers
        if known is None:
            raise NoNumbersError(
                f"A symbolic tensor ({self.type!r}) has no number while a function is traced. What must be "
                "known then, such as an axis or a shape, has to be a constant; for `jit`, name it in "
                "`static_argnames`."
            )
        return known

    def __float__(self) -> float:
        return float(self._number())

    def __int__(self) -> int:
        return int(self._number())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        known = self._numbers
        if known is None:
            raise NoNumbersError(
                f"A symbolic tensor ({self.type!r}) has no numbers while a model is traced; "
                "use kcompile.ops instead of NumPy functions."
            )
        return np.array(known, dtype=dtype)

    def numpy(self) -> np.ndarray:
        """The numbers of what a tape has recorded outside of a trace, as an array."""
        return self.__array__()

    def __iter__(self) -> Any:
        if not self.shape or not isinstance(self.shape[0], int):
            raise NoNumbersError("Iterating over a symbolic tensor needs a known first dimension.")
        return (self[i] for i in range(self.shape[0]))  # type: ignore[index]

    def __len__(self) -> int:
        if not self.shape or not isinstance(self.shape[0], int):
            raise TypeError(f"The first dimension of {self.type!r} is not known while tracing.")
        return self.shape[0]


class Interning:
    """Puts objects into a table, one for each key, also where several threads make it at the same time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        if hasattr(os, "register_at_fork"):  # another thread may hold it at that moment
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def first(self, table: weakref.WeakValueDictionary[Any, Any], key: Any, made: Any) -> Any:
        """What the table holds under this key: `made`, unless something is there."""
        with self._lock:
            return table.setdefault(key, made)


_interning = Interning()
_interned: weakref.WeakValueDictionary[Any, Node] = weakref.WeakValueDictionary()
_serials = itertools.count()


class _Thread(threading.local):
    """What a thread is doing: the layer that new nodes belong to, and who notes them."""

    def __init__(self) -> None:
        self.origin = ""
        self.recorders: list[set[Node]] = []


_thread = _Thread()


def set_origin(path: str) -> str:
    """Set the layer path given to new nodes; returns the previous one."""
    previous, _thread.origin = _thread.origin, path
    return previous


@contextmanager
def recorded() -> Iterator[set[Node]]:
    """Inside, every node that is asked for is noted, whether it is new or there was an equal one already."""
    nodes: set[Node] = set()
    _thread.recorders.append(nodes)
    try:
        yield nodes
    finally:
        _thread.recorders.pop()


def attribute_key(value: Any) -> Any:
    """An attribute's identity: floats by their bits, and 1, 1.0 and True apart."""
    if isinstance(value, float):
        return struct.pack("d", value)
    if isinstance(value, (tuple, list)):
        return tuple(attribute_key(v) for v in value)
    if isinstance(value, dict):
        return tuple((k, attribute_key(value[k])) for k in sorted(value))
    return type(value), value


def node(op: Op, inputs: tuple[Value, ...], attrs: dict[str, Any], types: tuple[TensorType, ...]) -> Node:
    """The one node with this op, these inputs and attributes."""
    # Inputs by their numbers: a table that held them would let go of one layer of a graph per collection.
    places = tuple((v.node.serial, v.index) for v in inputs)
    key = (op, places, tuple((k, attribute_key(v)) for k, v in attrs.items()), types)
    found = _interned.get(key)
    if found is None:
        made = Node()
        made.op, made.inputs, made.attrs = op, inputs, attrs
        made.serial, made.origin = next(_serials), _thread.origin
        made.standing, made.numbers = _standing(op, inputs), None
        made.values = tuple(Value(made, i, t) for i, t in enumerate(types))
        found = _interning.first(_interned, key, made)
    elif not found.origin:
        found.origin = _thread.origin
    for nodes in _thread.recorders:
        nodes.add(found)
    return found


def _standing(op: Op, inputs: tuple[Value, ...]) -> int:
    found = FIXED
    for v in inputs:
        if v.node.standing == OPEN:
            return OPEN
        found = max(found, v.node.standing)
    return found if inputs or op.leaf is None or op.leaf is Leaf.CONSTANT else OPEN


@dataclass
class Graph:
    """A program: what it returns and which variables it assigns.

    inputs: `parameter` values in call order. outputs: returned values. assignments: variable value -> new
    value.
    variables: the objects behind `variable` leaves, by their uid.
    stable: inputs that are the same in many runs.
    """

    inputs: list[Value]
    outputs: list[Value]
    assignments: dict[Value, Value] = field(default_factory=dict)
    variables: dict[int, Any] = field(default_factory=dict)
    name: str = "graph"
    stable: frozenset[Value] = frozenset()

    def roots(self) -> list[Value]:
        return [*self.outputs, *self.assignments.values()]

    def nodes(self) -> list[Node]:
        """All nodes that the roots need, inputs first."""
        return topological(self.roots())

    def map(self, change: Callable[[Value], Value]) -> Graph:
        """The graph with `change` applied to each root."""
        return Graph(
            self.inputs,
            [change(v) for v in self.outputs],
            {var: change(v) for var, v in self.assignments.items()},
            self.variables,
            self.name,
            self.stable,
        )


def topological(roots: Iterable[Value], ends: Container[Node] = frozenset()) -> list[Node]:
    """Nodes reachable from roots, each after its inputs; deterministic, and without recursion.

    ends: nodes behind which nobody looks.
    """
    done: set[Node] = set()
    order: list[Node] = []
    for root in roots:
        stack: list[tuple[Node, int]] = [(root.node, 0)]
        while stack:
            current, position = stack.pop()
            if position == 0:
                if current in done:
                    continue
                done.add(current)
            inputs = () if current in ends else current.inputs
            while position < len(inputs) and inputs[position].node in done:
                position += 1
            if position < len(inputs):
                stack.append((current, position + 1))
                stack.append((inputs[position].node, 0))
            else:
                order.append(current)
    return order


def rebuild(graph: Graph, rule: Callable[[Node, tuple[Value, ...]], tuple[Value, ...] | None]) -> Graph:
    """The graph rebuilt bottom-up: rule(node, new inputs) gives replacements, or None to keep the node."""
    replaced: dict[Value, Value] = {}
    for old in graph.nodes():
        inputs = tuple(replaced[v] for v in old.inputs)
        before_origin = set_origin(old.origin)  # what replaces a node belongs to the same layer
        try:
            new = rule(old, inputs)
        finally:
            set_origin(before_origin)
        if new is None:
            same = same_values(inputs, old.inputs)
            new = (
                old.values
                if same
                else node(old.op, inputs, old.attrs, tuple(v.type for v in old.values)).values
            )
        for before, after in zip(old.values, new, strict=True):
            replaced[before] = after
    return graph.map(lambda v: replaced[v])


def same_values(a: Iterable[Value], b: Iterable[Value]) -> bool:
    """Are these the same objects? In a trace `==` compares elements."""
    return all(x is y for x, y in zip(a, b, strict=True))


def depending_on(roots: Iterable[Value], leaves: Iterable[Value]) -> set[Value]:
    """Of the values that the roots need, those that depend on some of the leaves, these included."""
    found = set(leaves)
    for current in topological(roots):
        if any(v in found for v in current.inputs):
            found.update(current.values)
    return found


def substitute(roots: Iterable[Value], replaced: dict[Value, Value]) -> list[Value]:
    """The roots with values replaced. What is replaced is not looked into."""
    known = dict(replaced)
    roots = list(roots)
    stack = [(v.node, False) for v in reversed(roots)]
    while stack:
        current, ready = stack.pop()
        if all(v in known for v in current.values):
            continue
        if not ready:
            stack.append((current, True))
            stack.extend((v.node, False) for v in current.inputs if v not in known)
            continue
        inputs = tuple(known[v] for v in current.inputs)
        made = current.values
        if not same_values(inputs, current.inputs):
            before = set_origin(current.origin)
            made = node(current.op, inputs, current.attrs, tuple(v.type for v in current.values)).values
            set_origin(before)
        for old, new in zip(current.values, made, strict=True):
            known.setdefault(old, new)
    return [known[v] for v in roots]
