"""Shape rules asked again with numbers.

While an extent is open a rule lets pass what it cannot decide: whether a window fits into an image of unknown
width, whether k elements of a row are there. It decides once the extents are numbers, before they first run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kcompile.core.errors import KCompileError, add_place
from kcompile.core.symbolic import Int
from kcompile.ir.body import Body
from kcompile.ir.evaluate import concrete
from kcompile.ir.graph import Graph, Node, Value, attribute_key, topological
from kcompile.ir.types import TensorType


class OpenRules:
    """What a graph's shape rules were asked about open extents, every question once."""

    def __init__(self, graph: Graph):
        self._asked: dict[Any, Node] = {}
        for node in _with_bodies(graph.roots()):
            types = tuple(v.type for v in node.inputs)
            if _is_open(types) or _is_open(node.attrs.values()):
                key = node.op, types, tuple((k, attribute_key(a)) for k, a in node.attrs.items())
                self._asked.setdefault(key, node)

    def check(self, symbols: Mapping[str, int]) -> None:
        """Raises: what a rule raises for these extents, with the layer that it belongs to."""
        for node in self._asked.values():
            try:
                types = tuple(v.type.concrete(symbols) for v in node.inputs)
                attrs = {k: concrete(a, symbols) for k, a in node.attrs.items()}
            except KeyError:  # of an extent that no input tells, such as how many words a text has
                continue
            try:
                node.op.infer_types(types, attrs)
            except KCompileError as error:
                if node.origin:
                    add_place(error, f'layer "{node.origin}"')
                raise


def _with_bodies(roots: Iterable[Value]) -> Iterator[Node]:
    """The nodes of a graph, and of all that its loops repeat and its branches choose from."""
    for node in topological(roots):
        yield node
        for body in _bodies(node.attrs.values()):
            yield from _with_bodies(body.outputs)


def _bodies(attrs: Iterable[Any]) -> Iterator[Body]:
    for a in attrs:
        if isinstance(a, Body):
            yield a
        elif isinstance(a, (tuple, list)):
            yield from _bodies(a)


def _is_open(parts: Iterable[Any]) -> bool:
    """Is there an extent among these types and attributes that is known only at run time?"""
    for part in parts:
        if type(part) is TensorType:
            part = part.shape
        elif type(part) is Body:
            part = (*part.takes, *part.gives)
        if type(part) is Int or (type(part) in (tuple, list) and _is_open(part)):
            return True
    return False
