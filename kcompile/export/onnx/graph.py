"""An ONNX graph while it is made: nodes by names, constants as arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kcompile.ir.types import TensorType

DOMAIN = ""  # of the standard operators


@dataclass(frozen=True)
class OnnxNode:
    """One application of an ONNX operator. An empty input name: an optional input is left out."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: dict[str, Any] = field(default_factory=dict)

    def renamed(self, names: dict[str, str]) -> OnnxNode:
        """The node with some input names replaced."""
        if not any(name in names for name in self.inputs):
            return self
        return replace(self, inputs=tuple(names.get(name, name) for name in self.inputs))


@dataclass
class OnnxGraph:
    """What a file will hold. Nodes stand in an order in which they can run."""

    inputs: dict[str, TensorType]
    outputs: dict[str, TensorType]
    nodes: list[OnnxNode]
    constants: dict[str, np.ndarray]

    def users(self) -> dict[str, list[OnnxNode]]:
        """The nodes that read each name."""
        found: dict[str, list[OnnxNode]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def makers(self) -> dict[str, OnnxNode]:
        """The node that makes each name."""
        return {name: node for node in self.nodes for name in node.outputs}

    def rewrite(self, change: Callable[[OnnxNode], list[OnnxNode]]) -> None:
        """Replace each node by what change(node) returns."""
        self.nodes = [new for node in self.nodes for new in change(node)]
