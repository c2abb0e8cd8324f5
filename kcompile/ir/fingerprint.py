"""What a graph computes, as one number: equal for graphs that differ in no more than names of variables."""

from __future__ import annotations

import enum
import hashlib
import json
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

from kcompile.core.symbolic import Atom, Int
from kcompile.ir.body import Body
from kcompile.ir.graph import Constant, Graph, Node, Value, topological
from kcompile.ir.op import Op
from kcompile.ir.traits import Leaf
from kcompile.ir.types import TensorType


class Unfit(Exception):
    """Something in the graph has no lasting name: an op or an attribute of a user's own."""


def fingerprint(graph: Graph) -> str:
    """SHA-256, in hex, of a graph's nodes, types and attributes; the same in every process.

    Variables and inputs count by their place, not by name or number; layer paths do not count. Raises: Unfit.
    """
    return _Writer().graph(graph)


def variables_in_order(graph: Graph) -> list[Value]:
    """The leaves of a graph's variables, in the order in which its nodes need them."""
    reached = [n.values[0] for n in topological([*graph.roots(), *graph.assignments])]
    return [v for v in reached if v.op.leaf is Leaf.VARIABLE]


@cache
def _is_ours(op: Op) -> bool:
    """Are the op's rules those of this library and NumPy? Those of a user's own may be edited."""
    return {rule.__module__.partition(".")[0] for rule in op.rules.values()} <= {"kcompile", "numpy"}


class _Writer:
    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.names: dict[Value, str] = {}
        self.bodies: dict[int, str] = {}

    def graph(self, graph: Graph) -> str:
        self._leaves("input", graph.inputs)
        self._leaves("variable", variables_in_order(graph))
        self._nodes(graph.roots())
        self._line("return", [self.names[v] for v in graph.outputs])
        self._line("assign", [[self.names[a], self.names[b]] for a, b in graph.assignments.items()])
        self._line("stable", sorted(self.names[v] for v in graph.stable))
        return self.hash.hexdigest()

    def _line(self, *parts: Any) -> None:
        self.hash.update(json.dumps(parts).encode() + b"\n")

    def _leaves(self, kind: str, values: Sequence[Value]) -> None:
        for v in values:
            self.names[v] = f"{kind}{len(self.names)}"
            self._line(self.names[v], self._type(v.type))

    def _nodes(self, roots: Sequence[Value]) -> None:
        for node in topological(roots):
            if node.values[0] not in self.names:
                self._node(node)

    def _node(self, node: Node) -> None:
        if not _is_ours(node.op) or node.op.leaf in (Leaf.PARAMETER, Leaf.VARIABLE):
            raise Unfit(f"{node!r} has no lasting name")
        attributes = [[k, self._attribute(a)] for k, a in node.attrs.items()]
        types = [self._type(v.type) for v in node.values]
        self._line(node.op.name, [self.names[v] for v in node.inputs], attributes, types)
        for v in node.values:
            self.names[v] = str(len(self.names))

    def _type(self, one: TensorType) -> list[Any]:
        return [one.dtype, *map(self._attribute, one.shape)]

    def _attribute(self, a: Any) -> Any:
        """An attribute in terms of JSON; the kind stands first where two kinds could look the same."""
        if a is None or isinstance(a, (bool, str)) or type(a) is int:
            return a
        if type(a) is float:
            return ["float", struct.pack("<d", a).hex()]
        if isinstance(a, (tuple, list)):
            return ["tuple", *map(self._attribute, a)]
        if isinstance(a, dict):
            return ["dict", *([k, self._attribute(a[k])] for k in sorted(a))]
        if isinstance(a, Int):
            return ["int", repr(a), *(self._atom(x) for x in sorted(set(a.atoms()), key=repr))]
        if isinstance(a, TensorType):
            return ["type", *self._type(a)]
        if isinstance(a, Constant):
            return ["array", a.array.dtype.str, a.array.shape, hashlib.sha256(a.array.tobytes()).hexdigest()]
        if isinstance(a, Body):
            return ["body", self._body(a)]
        if isinstance(a, enum.Enum):
            return ["enum", type(a).__name__, a.name]
        raise Unfit(f"no lasting name for {a!r}")

    def _atom(self, x: Atom) -> list[Any]:
        return [repr(x), x.low, repr(x.extent), x.is_signed]

    def _body(self, body: Body) -> str:
        """Bodies are compared by identity: each is written once, then named."""
        if id(body) not in self.bodies:
            extended = self._body(body.extends) if body.extends is not None else ""
            self.bodies[id(body)] = name = f"body{len(self.bodies)}"
            self._line(name, extended)
            self._leaves("parameter", body.parameters)
            self._nodes(body.outputs)
            self._line("gives", [self.names[v] for v in body.outputs])
        return self.bodies[id(body)]
