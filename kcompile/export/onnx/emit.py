"""Walks a traced graph: an op with an `onnx` rule writes itself, others are decomposed until rules exist."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import message
from kcompile.export.onnx import recurrent
from kcompile.export.onnx.builder import Builder
from kcompile.export.onnx.graph import OnnxGraph, OnnxNode
from kcompile.export.onnx.text import TextCalls
from kcompile.ir.graph import Graph, Node, Value, set_origin, topological

REPEATS = {"Expand", "Gather", "Tile"}  # nodes that make more of what there is without computing
ROOM = 2**16  # bytes that a result of constants may take, even if it is made of fewer
NEXT = ".next"  # what the name of an input gets where its new value goes out
STATE = "kcompile.state"
HINT = "another opset, or these layers written with other ops"


class UnsupportedOps(NotImplementedError):
    """Some ops have no ONNX form: `ops` lists (layer path, op, reason)."""

    def __init__(
        self,
        ops: list[tuple[str, str, str]],
        opset: int,
        hint: str = HINT,
    ):
        self.ops = ops
        rows = "\n".join(f"    {path or 'top level'}: {op} ({reason})" for path, op, reason in ops)
        summary = f"{len(ops)} operation(s) of this model cannot be written to ONNX opset {opset}:\n{rows}"
        super().__init__(message(summary, hint=hint))


class Emitter:
    """Emits the values of one graph into a builder. constant_weights: variables are constants of the file."""

    def __init__(self, graph: Graph, g: Builder, constant_weights: bool = True):
        self.graph, self.g = graph, g
        self.weights = graph.variables if constant_weights else {}
        g.body = self.body
        self.names: dict[Value, str] = {}
        self.unsupported: dict[tuple[str, str, str], int | None] = {}  # and the opset that has the operator

    def emit(self, roots: Sequence[Value], origin: str = "") -> None:
        """Write all nodes that the roots need. `origin` stands in for nodes that have none of their own."""
        for node in topological(roots):
            if any(value not in self.names for value in node.values):
                self._node(node, node.origin or origin)

    def _node(self, node: Node, origin: str) -> None:
        name = node.op.name
        if name == "constant":
            self._bind(node, (self.g.constant(node.attrs["value"].array),))
        elif name == "variable":
            self._bind(node, (self._weight(node),))
        elif not self._by_rule(node, origin) and not self._by_parts(node, origin):
            self.unsupported.setdefault((origin, name, self.reason), self.since)
            self._bind(node, tuple(self.g.name(name) for _ in node.values))  # to look at what comes after it

    def _weight(self, node: Node) -> str:
        variable = self.weights[node.attrs["uid"]]
        return self.g.constant(np.asarray(variable.array), variable.path)

    def _by_rule(self, node: Node, origin: str) -> bool:
        """Let the op's rule write it; False if it has none or declines."""
        self.reason, self.since = "it has no ONNX form", None
        rule = node.op.rules.get("onnx")
        if rule is None:
            return False
        mark, self.g.scope = self.g.mark(), origin
        try:
            bodies = node.op.has_bodies
            made: Any = recurrent.written(self.g, node, self.names, self.weights) if bodies else None
            if made is None:
                made = rule(self.g, *(self.names[v] for v in node.inputs), **node.attrs)
        except NotImplementedError as error:  # NotInOpset among them
            self.reason, self.since, made = str(error), getattr(error, "since", None), None
        if made is None:
            self.g.undo(mark)
            return False
        names = made if isinstance(made, tuple) else (made,)
        self._bind(node, self._as_constants(node, names, mark) if self._is_known(node, mark) else names)
        return True

    def _as_constants(self, node: Node, names: Sequence[str], mark: int) -> tuple[str, ...]:
        """What the node's operation makes of constants, in the place of the nodes written since `mark`."""
        arrays = tuple(self.g.constants[self.names[v]] for v in node.inputs)
        self.g.undo(mark)
        made = node.op.evaluate(arrays, node.attrs)
        return tuple(map(self.g.constant, made if isinstance(made, tuple) else (made,), names))

    def _is_known(self, node: Node, mark: int) -> bool:
        """Do nodes compute it, each call again, of constants alone that take no less room?"""
        inputs = [self.names[v] for v in node.inputs]
        if not inputs or any(name not in self.g.constants for name in inputs):
            return False
        if node.op.has_bodies or node.op.traits.converts:  # weights of few bits stay so: see Builder.cast
            return False
        made = {written.op for written in self.g.nodes[mark:]}
        types, arrays = [v.type for v in node.values], [self.g.constants[name] for name in inputs]
        # What is packed stays so, for the sake of the room: each step of unpacking alone takes no more.
        packed = any(a.itemsize == 1 and a.dtype != bool and a.size > 1 for a in arrays)
        if made <= {"Identity"} or packed or not node.op.has("reference"):
            return False
        sizes = [t.size * dtypes.itemsize(t.dtype) for t in types if isinstance(t.size, int)]
        given = sum(array.nbytes for array in arrays)
        room = given if made <= REPEATS else max(ROOM, given)
        return len(sizes) == len(types) and sum(sizes) <= room

    def _by_parts(self, node: Node, origin: str) -> bool:
        """Write what the op decomposes into; False if it does not decompose."""
        rule = node.op.rules.get("decompose")
        if rule is None:
            return False
        outer = set_origin(origin)
        try:
            made = rule(*node.inputs, **node.attrs)
        finally:
            set_origin(outer)
        parts = made if isinstance(made, tuple) else (made,)
        mark, lacking = self.g.mark(), dict(self.unsupported)
        self.emit(parts, origin)
        names = tuple(self.names[part] for part in parts)
        if self._is_known(node, mark):  # whatever ONNX has for its parts
            names, self.unsupported = self._as_constants(node, names, mark), lacking
        self._bind(node, names)
        return True

    def write_text(self, text: TextCalls) -> None:
        """What layers make of text, for the rest to read."""
        for call in text.calls:
            self.emit(call.inputs, call.layer)
            self.g.scope = call.layer
            try:
                name = call.write(self.g, *(self.names[v] for v in call.inputs))
            except NotImplementedError as error:
                name = self.g.name("text")
                since = getattr(error, "since", None)
                self.unsupported.setdefault((call.layer, call.kind, str(error)), since)
            self.names[call.result] = name
            self.g.types[name] = call.result.type
            self.g.symbols.declare(name, call.result.shape)

    def body(
        self, parameters: Sequence[Value], captured: dict[Value, str], outputs: Sequence[Value]
    ) -> OnnxGraph:
        """What a loop repeats, from parameters to outputs. captured: parameters with names from outside."""
        outer, g = dict(self.names), self.g
        inputs = {g.name(p.node.attrs["name"]): p.type for p in parameters}
        g.types.update(inputs)
        self.names |= dict(zip(parameters, inputs, strict=True)) | captured
        with g.inside() as nodes:
            self.emit(outputs, g.scope)
            made = [OnnxNode("Identity", (self.names[v],), (g.name("result"),)) for v in outputs]
            nodes += made
        self.names = outer
        return OnnxGraph(
            inputs, {n.outputs[0]: v.type for n, v in zip(made, outputs, strict=True)}, nodes, {}
        )

    def _bind(self, node: Node, names: tuple[str, ...]) -> None:
        for value, name in zip(node.values, names, strict=True):
            self.names[value] = name
            self.g.types[name] = value.type


def emit_graph(
    graph: Graph, inputs: Sequence[str], outputs: Sequence[str], opset: int, text: TextCalls | None = None
) -> OnnxGraph:
    """The ONNX graph of a traced graph, with these names for its inputs and outputs.

    What a call leaves behind for the next one, as stateful layers do, goes out as `<path>.next`, and comes in
    under the variable's path; left out it is what the variable holds now. text: calls that the trace went
    around.

    Raises:  UnsupportedOps, which lists every op that ONNX cannot express.
    """
    g = Builder(opset)
    emitter = Emitter(graph, g)
    shown = {}
    for value, wish in zip(graph.inputs, inputs, strict=True):
        name = g.input(wish, value.type)
        emitter.names[value] = name
        shown[name] = value.type
    states, defaults = states_of(graph), {}
    for leaf in states:
        variable = graph.variables[leaf.node.attrs["uid"]]
        emitter.names[leaf] = name = g.input(variable.path, leaf.type)
        emitter.weights = {k: v for k, v in emitter.weights.items() if k != leaf.node.attrs["uid"]}
        shown[name], defaults[name] = leaf.type, np.array(variable.array)
    roots = [*graph.outputs, *states.values()]
    results = [g.name(wish) for wish in outputs] + [g.name(f"{emitter.names[leaf]}{NEXT}") for leaf in states]
    emitter.write_text(text or TextCalls())
    emitter.emit(roots)
    if emitter.unsupported:
        needed = [since or 0 for since in emitter.unsupported.values()]
        hint = f"opset {max(needed)} or later has the operators" if all(needed) else HINT
        raise UnsupportedOps(list(emitter.unsupported), opset, hint)
    for value, name in zip(roots, results, strict=True):
        g.nodes.append(OnnxNode("Identity", (emitter.names[value],), (name,)))
    types = {name: value.type for value, name in zip(roots, results, strict=True)}
    return OnnxGraph(
        shown, types, g.nodes, g.constants, g.types, defaults=defaults, opset=opset, extents=g.extents
    )


def states_of(graph: Graph) -> dict[Value, Value]:
    """Variables that the outputs, or new values of such ones, depend on and that the graph changes."""
    found: dict[Value, Value] = {}
    while True:
        read = {
            n.values[0] for n in topological([*graph.outputs, *found.values()]) if n.op.name == "variable"
        }
        new = {leaf: value for leaf, value in graph.assignments.items() if leaf in read and leaf not in found}
        if not new:
            return found
        found |= new


def state_property(outputs: Iterable[str]) -> dict[str, str]:
    """The file's property that maps inputs to the outputs to feed back."""
    states = {name[: -len(NEXT)]: name for name in outputs if name.endswith(NEXT)}
    return {STATE: json.dumps(states)} if states else {}
