"""What a drawing of a model shows: a box per layer with its lines of text, and which box feeds which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shown:
    """What a box tells besides the layer's class."""

    names: bool = True
    shapes: bool = False
    dtypes: bool = False
    activations: bool = False
    trainable: bool = False


@dataclass
class Boxes:
    """texts: the lines of each box; kinds: "input" or "layer"; edges: pairs of box numbers, each once.

    groups: name of a nested model -> the boxes inside it, where nested models are opened.
    """

    texts: list[list[str]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    edges: dict[tuple[int, int], None] = field(default_factory=dict)
    groups: dict[str, list[int]] = field(default_factory=dict)

    def add(self, lines: list[str], kind: str) -> int:
        """A new box's number."""
        self.texts.append(lines)
        self.kinds.append(kind)
        return len(self.texts) - 1


def boxes_of(model: Any, shown: Shown = Shown(), expand_nested: bool = False) -> Boxes:
    """The boxes of a model; a model without a graph of layers (a subclass) is one box.

    Raises:  ValueError for a model that is not built.
    """
    if not model.built:
        raise ValueError(
            f"Model {model.name!r} has not yet been built: its layers' connections are unknown. Build it "
            "first by calling `build()` or by calling it on a batch of data."
        )
    boxes = Boxes()
    if calls_of(model) is None:
        boxes.add(lines_of(model, shown), "layer")
    else:
        _Walk(boxes, shown, expand_nested).model(model, "")
    return boxes


def calls_of(operation: Any) -> Any:
    """The calls inside a functional or Sequential model; None for anything else."""
    inner = getattr(operation, "_inner_calls", None)
    return None if inner is None else inner()


class _Walk:
    """Adds a model's calls; `ends` tells from which box a tensor comes."""

    def __init__(self, boxes: Boxes, shown: Shown, expand_nested: bool):
        self.boxes, self.shown, self.expand_nested = boxes, shown, expand_nested

    def model(self, model: Any, prefix: str, feeds: list[list[int]] | None = None) -> list[int]:
        """Boxes of a model; feeds: what comes into each of its inputs. Returns the box of each output."""
        graph = calls_of(model)
        ends: dict[int, int] = {}
        own: dict[Any, int] = {}  # an operation that is called twice is one box
        for operation in graph.operations:
            if not self._opens(operation):
                kind = "input" if type(operation).__name__ == "InputLayer" else "layer"
                own[operation] = self.boxes.add(lines_of(operation, self.shown, prefix), kind)
        for node in graph.nodes:
            sources = [ends[id(t)] for t in node.input_tensors if id(t) in ends]
            self._call(node, sources, own, prefix, ends)
        for tensor, sources in zip(graph.inputs, feeds or [], strict=False):
            for source in sources:
                self.boxes.edges.setdefault((source, ends[id(tensor)]))
        if prefix:
            self.boxes.groups[prefix.rstrip("/")] = list(own.values())
        return [ends[id(t)] for t in graph.outputs]

    def _call(self, node: Any, sources: list[int], own: Any, prefix: str, ends: dict[int, int]) -> None:
        if self._opens(node.operation):
            inside = f"{prefix}{node.operation.name}/"
            found = self.model(node.operation, inside, [[s] for s in sources])
            for tensor, box in zip(node.output_tensors, found, strict=True):
                ends[id(tensor)] = box
            return
        box = own[node.operation]
        for source in sources:
            self.boxes.edges.setdefault((source, box))
        for tensor in node.output_tensors:
            ends[id(tensor)] = box

    def _opens(self, operation: Any) -> bool:
        return self.expand_nested and calls_of(operation) is not None


def lines_of(operation: Any, shown: Shown, prefix: str = "") -> list[str]:
    """The text of a box: class and name first, then what else is asked for."""
    kind = getattr(operation, "class_name", type(operation).__name__)
    lines = [f"{prefix}{operation.name} ({kind})" if shown.names else kind]
    activation = getattr(operation, "activation", None)
    if shown.activations and activation is not None:
        lines.append(
            f"activation: {getattr(activation, 'name', getattr(activation, '__name__', activation))}"
        )
    if shown.shapes:
        lines += [f"{word}: {text}" for word, text in _shapes(operation)]
    if shown.dtypes:
        dtype = getattr(operation, "dtype_policy", None)
        lines.append(f"dtype: {getattr(dtype, 'name', dtype)}")
    if shown.trainable and getattr(operation, "weights", None):
        lines.append("trainable" if operation.trainable else "frozen")
    return lines


def _shapes(operation: Any) -> Iterator[tuple[str, str]]:
    if not operation._inbound_nodes:
        yield "out", "?"
        return
    call = operation._inbound_nodes[-1]
    for word, tensors in (("in", call.input_tensors), ("out", call.output_tensors)):
        if tensors:
            yield word, ", ".join(str(tuple(t.shape)) for t in tensors)
