"""Two recurrent operators that read a sequence forwards and backwards are one of two directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kcompile.export.onnx.builder import AXES_AS_INPUT, AXES_AS_INPUT_ALL
from kcompile.export.onnx.graph import Links, OnnxGraph, OnnxNode, distinct

RECURRENT = ("LSTM", "GRU", "RNN")
WEIGHTS = slice(1, 4)  # of inputs: W, R and, if there are any, B
ACTIVATIONS = ("activations", "activation_alpha", "activation_beta")  # listed for one direction after another
LENGTHS = 4  # inputs up to the sequences' lengths; initial states come behind
REDUCED = {"Add": "ReduceSum", "Mul": "ReduceProd"}  # what two directions are joined by


def join(graph: OnnxGraph) -> None:
    """Write pairs of operators over the same input as one."""
    waiting: dict[tuple[object, ...], OnnxNode] = {}
    for node in [node for node in graph.nodes if node.op in RECURRENT]:
        key = _key(graph, node)
        other = waiting.pop((*key, "forward" if node.attrs["direction"] == "reverse" else "reverse"), None)
        if key and other is None:
            waiting[*key, node.attrs["direction"]] = node
        elif other is not None:
            pair = (node, other) if node.attrs["direction"] == "forward" else (other, node)
            _Pair(graph, *pair).write()


def _key(graph: OnnxGraph, node: OnnxNode) -> tuple[object, ...]:
    """What two operators must share; nothing, if the operator cannot be one of a pair."""
    links = Links(graph)
    known = all(_stored(links, name) for name in node.inputs[WEIGHTS] if name)
    if not known or any(node.inputs[LENGTHS + 1 :]) or node.attrs["direction"] == "bidirectional":
        return ()
    given = [bool(name) for name in node.inputs[WEIGHTS]]
    options = sorted((k, v) for k, v in node.attrs.items() if k not in ("direction", *ACTIVATIONS))
    return node.op, node.inputs[0], node.inputs[LENGTHS:], *given, *options


def _stored(links: Links, name: str) -> str:
    """The constant that a weight is, or is converted from; no name if it is computed."""
    maker = links.makers.get(name)
    name = maker.inputs[0] if maker is not None and maker.op == "Cast" else name
    return name if name in links.graph.constants else ""


class _Pair(Links):
    def __init__(self, graph: OnnxGraph, forward: OnnxNode, backward: OnnxNode):
        super().__init__(graph)
        self.forward, self.backward = forward, backward
        self.taken = {*self.makers, *graph.constants, *graph.inputs, *graph.outputs}
        self.casts = list[OnnxNode]()
        self.scope = _shared([node.name for node in (forward, backward)])

    def write(self) -> None:
        """Put the one operator, and what takes its outputs apart, into the place of the two."""
        f, b = self.forward, self.backward
        weights = [self._stacked(pair) for pair in zip(f.inputs[WEIGHTS], b.inputs[WEIGHTS], strict=True)]
        outputs = tuple(self._new(f"{self.scope}{f.op}") for _ in f.outputs)
        attrs = f.attrs | {"direction": "bidirectional"}
        listed = {name: [*f.attrs.get(name, ()), *b.attrs.get(name, ())] for name in ACTIVATIONS}
        attrs |= {name: both for name, both in listed.items() if both}
        inputs = (f.inputs[0], *weights, *f.inputs[LENGTHS:])
        both = replace(f, inputs=inputs, outputs=outputs, attrs=attrs, label="")
        apart, joined = list[OnnxNode](), dict[str, list[OnnxNode]]()
        for k, name in enumerate(outputs):
            one, other = f.outputs[k], b.outputs[k]
            if not any(user for made in (one, other) for user in self.users.get(made, ())):
                continue
            found = self._joined(k, name)
            if found is None:
                apart.append(OnnxNode("Split", (name,), (one, other), self._halves(k)))
            else:
                joined |= found
        first = min(self.graph.nodes.index(node) for node in (f, b))
        nodes = [node for node in self.graph.nodes if node is not f and node is not b]
        nodes[first:first] = [*self.casts, both, *apart]
        self.graph.nodes = [new for node in nodes for new in joined.get(node.outputs[0], [node])]

    def _halves(self, k: int) -> dict[str, int]:
        return {"axis": 1 - bool(k)} | ({"num_outputs": 2} if self.graph.opset >= AXES_AS_INPUT_ALL else {})

    def _joined(self, k: int, name: str) -> dict[str, list[OnnxNode]] | None:
        """What stands for the node that joins two outputs, by its result; None if no node does only that."""
        squeezed = [self.reader(node.outputs[k]) for node in (self.forward, self.backward)]
        if any(node is None or node.op != "Squeeze" for node in squeezed):
            return None
        names = [node.outputs[0] for node in squeezed if node is not None]
        join, other = (self.reader(one) for one in names)
        if join is None or join is not other or len(join.inputs) != 2:
            return None
        axis, type_ = 1 - bool(k), self.graph.types.get(names[0])
        if join.op in REDUCED:
            return {join.outputs[0]: [self._reduced(name, axis, join)]}
        if join.op != "Concat" or list(join.inputs) != names or join.attrs["axis"] not in (axis + 1, -1):
            return None
        turned = f"{name}:turned"
        perm = [*range(axis), axis + 1, axis, axis + 2]
        target = self.graph.constant(f"{name}:shape", np.array([0] * (axis + 1) + [-1], np.int64))
        if type_ is not None:
            shape = (*type_.shape[:-1], 2, type_.shape[-1])
            self.graph.types[turned] = replace(type_, shape=shape)
            self.graph.types[name] = replace(type_, shape=tuple(shape[p] for p in perm))
        reshaped = OnnxNode("Reshape", (turned, target), join.outputs, label=join.label_as("Reshape"))
        return {join.outputs[0]: [OnnxNode("Transpose", (name,), (turned,), {"perm": perm}), reshaped]}

    def _reduced(self, name: str, axis: int, join: OnnxNode) -> OnnxNode:
        op, attrs, inputs = REDUCED[join.op], {"keepdims": 0}, [name]
        if self.graph.opset < AXES_AS_INPUT.get(op, AXES_AS_INPUT_ALL):
            attrs["axes"] = [axis]  # type: ignore[assignment]
        else:
            inputs.append(self.graph.constant(f"{name}:axes", np.array([axis], np.int64)))
        return OnnxNode(op, tuple(inputs), join.outputs, attrs, label=join.label_as(op))

    def _stacked(self, names: tuple[str, str]) -> str:
        if not names[0]:
            return ""
        found = self._new(f"{_shared(names)}{names[0].rpartition('/')[2]}")
        stored = [_stored(self, name) for name in names]
        self.graph.constants[found] = np.concatenate([self.graph.constants[name] for name in stored])
        if names[0] in self.graph.constants:
            return found
        made = self._new(f"{found}:cast")
        self.casts.append(replace(self.makers[names[0]], inputs=(found,), outputs=(made,), label=""))
        return made

    def _new(self, wish: str) -> str:
        found = distinct(wish, self.taken)
        self.taken.add(found)
        return found


def _shared(names: Sequence[str]) -> str:
    """The scope that names lie in."""
    first, second = (name.split("/") for name in names)
    same = next((k for k, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
    return "".join(f"{part}/" for part in first[:same])
