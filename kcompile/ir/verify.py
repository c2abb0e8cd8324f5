"""Is a graph well formed? Every node is inferred once more, and state is what the graph says it is."""

from __future__ import annotations

from collections.abc import Iterable

from kcompile.core.errors import CompileError, message
from kcompile.ir.graph import Graph, Node, Value
from kcompile.ir.op import REGISTRY
from kcompile.ir.traits import Leaf

LEAVES = (Leaf.PARAMETER, Leaf.VARIABLE)  # where values come from: their types are given, not inferred


def verify(graph: Graph, stage: str = "traced") -> None:
    """Check structure and types of a graph as it is after `stage`.

    Raises: CompileError that names the stage, the node and what is wrong with it.
    """
    nodes = graph.nodes()
    for node in nodes:
        found = _fault_of(node)
        if found:
            raise _error(graph, stage, node, found)
    _verify_leaves(graph, stage, nodes)
    _verify_assignments(graph, stage)


def _fault_of(node: Node) -> str:
    """What is wrong with one node; empty where nothing is."""
    if REGISTRY.get(node.op.name) is not node.op:
        return "its op is not registered"
    if len(node.values) != node.op.outputs and node.op.outputs is not None:
        return f"it has {len(node.values)} values, its op gives {node.op.outputs}"
    for number, value in enumerate(node.inputs):
        if not isinstance(value, Value) or value.node.values[value.index] is not value:
            return f"input {number} is no output of the node that it names"
    if node.op.leaf in LEAVES:
        return f"it has {len(node.inputs)} inputs" if node.inputs else ""
    return _type_fault(node)


def _type_fault(node: Node) -> str:
    try:
        inferred = node.op.infer_types(tuple(v.type for v in node.inputs), node.attrs)
    except Exception as error:
        return f"its types do not fit: {error}"
    stated = tuple(v.type for v in node.values)
    return "" if inferred == stated else f"it states {_shown(stated)}, its op infers {_shown(inferred)}"


def _verify_leaves(graph: Graph, stage: str, nodes: list[Node]) -> None:
    given = set(graph.inputs)
    known = {variable.leaf for variable in graph.variables.values()}
    for node in nodes:
        if node.op.leaf is Leaf.PARAMETER and node.values[0] not in given:
            raise _error(graph, stage, node, "the parameter is no input of the graph")
        if node.op.leaf is Leaf.VARIABLE and node.values[0] not in known:
            raise _error(graph, stage, node, "the variable is none of the graph's")
    if len(given) != len(graph.inputs):
        raise _error(graph, stage, graph.inputs[0].node, "an input is listed twice")


def _verify_assignments(graph: Graph, stage: str) -> None:
    known = {variable.leaf for variable in graph.variables.values()}
    for leaf, new in graph.assignments.items():
        if leaf not in known:
            raise _error(graph, stage, leaf.node, "what is assigned is no variable of the graph")
        if new.type != leaf.type:
            raise _error(graph, stage, leaf.node, f"it is assigned a {new.type!r}, but is a {leaf.type!r}")


def _shown(types: Iterable[object]) -> str:
    return ", ".join(map(repr, types))


def _error(graph: Graph, stage: str, node: Node, fault: str) -> CompileError:
    inputs = ", ".join(repr(v.type) if isinstance(v, Value) else repr(v) for v in node.inputs)
    return CompileError(
        message(
            f"{graph.name} is malformed after {stage!r}: {node!r}: {fault}.",
            received=f"{node.op.name}({inputs}), attributes {node.attrs}",
            at=node.origin,
        )
    )
