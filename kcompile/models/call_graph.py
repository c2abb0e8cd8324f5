"""The calls between the inputs and the outputs of a functional model, in the order in which they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from kcompile.core import tree
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.operation import CallNode, Operation


class CallGraph:
    """What leads from `inputs` to `outputs` (flat lists of placeholders).

    nodes: calls, each after those it needs. operations: their operations, by depth (the longest way to an
    output), then in the order in which a walk from the outputs meets them; summaries and configs list them
    so. unique_names: whether two operations of one name are an error.
    """

    def __init__(self, inputs: list[KerasTensor], outputs: list[KerasTensor], unique_names: bool = True):
        self.inputs, self.outputs = inputs, outputs
        walk = _Walk({id(x) for x in inputs})
        for tensor in outputs:
            walk.visit(tensor)
        self.operations = _by_depth(walk, inputs)
        unused = [_call_of(x) for x in inputs if x._keras_history[0] is not None]
        self.nodes = list({id(node): node for node in [*walk.finished, *unused]}.values())
        self._check_connected()
        if unique_names:
            self._check_names()

    def _check_connected(self) -> None:
        made = {id(t) for node in self.nodes for t in node.output_tensors} | {id(x) for x in self.inputs}
        for tensor in self.outputs:
            if id(tensor) not in made:
                raise ValueError(f"Output {tensor} is not connected to `inputs`.")

    def _check_names(self) -> None:
        for name, count in Counter(op.name for op in self.operations).items():
            if count > 1:
                raise ValueError(
                    f'The name "{name}" is used {count} times in the model. All operation names should be '
                    "unique."
                )

    def index_of(self, node: CallNode) -> int:
        """The number of a call among the calls of its operation that belong to this graph."""
        own = set(map(id, self.nodes))
        return [n for n in node.operation._inbound_nodes if id(n) in own].index(node)

    def run(self, inputs: list[Any], call: Callable[..., Any]) -> list[Any]:
        """Values of the outputs for values of the inputs; `call(operation, args, kwargs)` makes each call."""
        values = {id(x): value for x, value in zip(self.inputs, inputs, strict=True)}
        for node in self.nodes:
            if node.is_input or any(id(t) in values for t in node.output_tensors):  # given, not computed
                continue
            results = call(node.operation, *node.fill(values))
            for tensor, value in zip(node.output_tensors, tree.flatten(results), strict=True):
                values[id(tensor)] = value
        return [values[id(x)] for x in self.outputs]


class _Walk:
    """Depth-first from the outputs towards the inputs."""

    def __init__(self, inputs: set[int]):
        self.inputs = inputs
        self.finished: list[CallNode] = []  # each after its parents
        self.order: dict[Operation, int] = {}  # when the walk first met an operation
        self._state: dict[int, bool] = {}  # call -> whether it is finished

    def visit(self, tensor: KerasTensor) -> None:
        """Without recursion: models may be deeper than Python's stack."""
        stack = [self._enter(tensor)]
        while stack:
            entered = stack[-1]
            if entered is None:
                stack.pop()
                continue
            node, parents = entered
            parent = next(parents, None)
            if parent is not None:
                stack.append(self._enter(parent))
                continue
            self._state[id(node)] = True
            self.finished.append(node)
            stack.pop()

    def _enter(self, tensor: KerasTensor) -> tuple[CallNode, Iterator[KerasTensor]] | None:
        """The call that made a tensor and the tensors it needs; None where there is nothing to do."""
        operation, index, _ = tensor._keras_history
        given = id(tensor) in self.inputs
        if not given and (operation is None or operation._inbound_nodes[index].is_input):
            raise ValueError(f"{tensor} is not connected to `inputs`.")
        if operation is None:
            return None
        node = operation._inbound_nodes[index]
        if id(node) in self._state:
            if not self._state[id(node)]:
                raise ValueError(f"Tensor {tensor} is part of a cycle.")
            return None
        self._state[id(node)] = False
        self.order.setdefault(operation, len(self.order))
        return node, iter([] if given else node.input_tensors)


def _call_of(tensor: KerasTensor) -> CallNode:
    """The call that made a tensor."""
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def _by_depth(walk: _Walk, inputs: list[KerasTensor]) -> list[Operation]:
    nodes: dict[int, int] = {}
    operations: dict[Operation, int] = {}
    included = {id(node) for node in walk.finished}
    for node in reversed(walk.finished):
        depth = max(nodes.get(id(node), 0), operations.get(node.operation, 0))
        nodes[id(node)] = operations[node.operation] = depth
        for parent in node.parent_nodes:
            if id(parent) in included:
                nodes[id(parent)] = max(depth + 1, nodes.get(id(parent), 0))
    for x in inputs:  # an input that no output needs belongs to the model all the same
        if x._keras_history[0] is not None:
            operations.setdefault(x._keras_history[0], 0)
            walk.order.setdefault(x._keras_history[0], -1)
    return sorted(operations, key=lambda op: (-operations[op], walk.order[op]))


def cut_at(inputs: list[KerasTensor], outputs: list[KerasTensor], make_input: Callable[..., Any]) -> Any:
    """New placeholders (inputs, outputs) of the same calls, beginning at fresh inputs in place of `inputs`.

    make_input(shape, dtype, name) makes an input.
    """
    graph = CallGraph(inputs, outputs)
    fresh = [make_input(x.shape, x.dtype, f"{x.name}CLONE") for x in inputs]
    copies: dict[int, KerasTensor] = {id(old): new for old, new in zip(inputs, fresh, strict=True)}
    for node in graph.nodes:
        if node.is_input or all(id(t) in copies for t in node.output_tensors):
            continue
        args, kwargs = node.fill(copies)
        made = tree.map_structure(_copy, node.outputs)
        CallNode(node.operation, args, kwargs, made)
        for old, new in zip(node.output_tensors, tree.flatten(made), strict=True):
            copies[id(old)] = new
    return fresh, [copies[id(x)] for x in outputs]


def _copy(tensor: Any) -> Any:
    return KerasTensor(tensor.shape, tensor.dtype) if isinstance(tensor, KerasTensor) else tensor
