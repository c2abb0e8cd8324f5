"""An ONNX graph while it is made: nodes by names, constants as arrays."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kcompile.export.onnx import shapes
from kcompile.ir.types import TensorType

DOMAIN = ""  # of the standard operators
OTHER_DOMAINS = {"LabelEncoder": ("ai.onnx.ml", 2)}  # with the version that has all that we write


def distinct(wish: str, taken: Container[str]) -> str:
    """The name wished for, with a number behind it where it is taken."""
    name, number = wish, 1
    while name in taken:
        name, number = f"{wish}_{number}", number + 1
    return name


def domain_of(op: str) -> str:
    """The domain that an operator belongs to."""
    return OTHER_DOMAINS.get(op, (DOMAIN, 0))[0]


def version_of(domain: str, opset: int) -> int:
    """The version of a domain beside an opset of the standard operators."""
    return next((version for name, version in OTHER_DOMAINS.values() if name == domain), opset)


@dataclass(frozen=True)
class OnnxNode:
    """One application of an ONNX operator. An empty input name: an optional input is left out.

    An attribute may be an OnnxGraph: the body of a loop, which may read any name from outside. label: the
    name of the node, where that is not the name of its first output.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def name(self) -> str:
        """The node's own name, which tells the layer it comes from."""
        return self.label or self.outputs[0]

    def label_as(self, op: str) -> str:
        """The name of what is written for the node with another operator; the layer keeps its name."""
        scope, slash, last = self.name.rpartition("/")
        return scope + slash + last.replace(self.op, op)

    @property
    def reads(self) -> tuple[str, ...]:
        """The inputs, and what bodies read from outside."""
        return (*self.inputs, *(name for body in self.bodies for name in body.free_names()))

    @property
    def bodies(self) -> list[OnnxGraph]:
        return [a for a in self.attrs.values() if isinstance(a, OnnxGraph)]

    def renamed(self, names: dict[str, str]) -> OnnxNode:
        """The node with some of the names that it reads replaced."""
        if not any(name in names for name in self.reads):
            return self
        attrs = {k: a.renamed(names) if isinstance(a, OnnxGraph) else a for k, a in self.attrs.items()}
        return replace(self, inputs=tuple(names.get(name, name) for name in self.inputs), attrs=attrs)


@dataclass
class OnnxGraph:
    """What a file will hold. Nodes stand in an order in which they can run.

    types: of tensors by the names that they had when they were made. notes: a line about an input or output.
    defaults: of inputs that need not be given. opset: what the nodes are written for. extents: dimensions
    that computed tensors hold, by the names of these.
    """

    inputs: dict[str, TensorType]
    outputs: dict[str, TensorType]
    nodes: list[OnnxNode]
    constants: dict[str, np.ndarray]
    types: dict[str, TensorType] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, np.ndarray] = field(default_factory=dict)
    opset: int = 0
    extents: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def constant(self, wish: str, array: np.ndarray) -> str:
        """The name of a constant: the wish, with a number behind it where that is another constant's."""
        name, number = wish, 1
        while name in self.constants and not _are_same(self.constants[name], array):
            name, number = f"{wish}_{number}", number + 1
        self.constants[name] = array
        return name

    def transpose(self, x: str, made: str, perm: Sequence[int]) -> OnnxNode:
        """The node that transposes x; what it makes has a known type if x has."""
        type_ = self.types.get(x)
        if type_ is not None:
            self.types[made] = replace(type_, shape=shapes.permuted(type_.shape, perm))
        return OnnxNode("Transpose", (x,), (made,), {"perm": list(perm)})

    def users(self) -> dict[str, list[OnnxNode]]:
        """The nodes that read each name."""
        found: dict[str, list[OnnxNode]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.reads):
                found.setdefault(name, []).append(node)
        return found

    def free_names(self) -> list[str]:
        """What the nodes read that is made outside."""
        made = {*self.inputs, *self.makers()}
        return list(dict.fromkeys(name for node in self.nodes for name in node.reads if name not in made))

    def renamed(self, names: dict[str, str]) -> OnnxGraph:
        """The graph with some of the names from outside replaced."""
        return replace(self, nodes=[node.renamed(names) for node in self.nodes])

    def makers(self) -> dict[str, OnnxNode]:
        """The node that makes each name."""
        return {name: node for node in self.nodes for name in node.outputs}

    def drop_unused(self) -> None:
        """Forget nodes and constants that no output depends on."""
        needed, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if needed.intersection(node.outputs):
                needed.update(node.reads)
                kept.append(node)
        self.nodes = kept[::-1]
        self.constants = {name: array for name, array in self.constants.items() if name in needed}

    def domains(self) -> list[str]:
        """The domains of all operators, those of bodies too; the standard one first."""
        found = {DOMAIN: None}
        for node in self.nodes:
            found |= dict.fromkeys([domain_of(node.op), *(d for body in node.bodies for d in body.domains())])
        return list(found)

    def rewrite(self, change: Callable[[OnnxNode], list[OnnxNode]]) -> None:
        """Replace each node by what change(node) returns."""
        self.nodes = [new for node in self.nodes for new in change(node)]


class Links:
    """Who makes and who reads each tensor of a graph, as its nodes stand now."""

    def __init__(self, graph: OnnxGraph):
        self.graph, self.makers, self.users = graph, graph.makers(), graph.users()

    def reader(self, name: str) -> OnnxNode | None:
        """The one node that reads a tensor, if nothing else needs it."""
        found = self.users.get(name, [])
        return found[0] if len(found) == 1 and name not in self.graph.outputs else None

    def made(self, name: str, *ops: str) -> OnnxNode | None:
        """The node that makes a tensor for one reader alone, if it is one of these operators, or of any."""
        found = self.makers.get(name)
        if found is None or (ops and found.op not in ops):
            return None
        return found if self.reader(name) is not None else None

    def chain(self, name: str, source: Callable[[OnnxNode], str | None]) -> tuple[list[OnnxNode], str]:
        """The nodes that make a tensor, each for the next alone, as far as `source` tells of what each of
        them makes it; and of what the first one does.
        """
        found = list[OnnxNode]()
        while (maker := self.made(name)) is not None and (before := source(maker)) is not None:
            found.append(maker)
            name = before
        return found[::-1], name


def _are_same(a: np.ndarray, b: np.ndarray) -> bool:
    """Arrays of the same bytes: 0 and -0 differ."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return np.array_equal(a, b) and (a.dtype.hasobject or a.tobytes() == b.tobytes())
