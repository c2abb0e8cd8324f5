"""The boxes of a graph's drawing: ops of the traced graph, or the kernels that became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from kcompile.explain.program import Measured
from kcompile.explain.wording import Layers
from kcompile.ir.graph import Graph, Node, Value

WIDTH, LINES = 36, 4  # characters of a line, and lines that name ops
SMALL = 48  # ops: a graph of no more is drawn op by op


@dataclass
class Box:
    """title; lines: (class, text); origin: the path of its layer; kernel: its number, if it is one."""

    title: str
    lines: list[tuple[str, str]]
    origin: str = ""
    kernel: int | None = None
    is_input: bool = False


@dataclass
class Drawing:
    """Boxes and which feeds which. makers: the box of each value."""

    boxes: list[Box] = field(default_factory=list)
    edges: dict[tuple[int, int], None] = field(default_factory=dict)
    makers: dict[Value, int] = field(default_factory=dict)

    def add(self, box: Box, reads: Iterable[Value], makes: Iterable[Value]) -> None:
        """A box below those that make what it reads."""
        number = len(self.boxes)
        self.boxes.append(box)
        self.edges |= {(self.makers[v], number): None for v in reads if v in self.makers}
        self.makers |= dict.fromkeys(makes, number)


def of_graph(graph: Graph, layers: Layers) -> Drawing:
    """A traced graph. In a long one, ops of a layer that only one other op of it reads share its box."""
    nodes = graph.nodes()
    inner = [node for node in nodes if node.inputs]
    leader = {node: node for node in inner}
    if len(inner) > SMALL:
        leader = _merged(inner, {v.node for v in graph.roots()})
    members: dict[Node, list[Node]] = {}
    for node in inner:
        members.setdefault(leader[node], []).append(node)
    drawing = _with_inputs(graph)
    for last in sorted(members, key=nodes.index):
        own = members[last]
        title = f"{layers.shown(last.origin)}: {last.op.name}" if last.origin else last.op.name
        lines = [*_wrapped(n.op.name for n in own[:-1]), *_ends(graph, own)]
        lines.append(("type", repr(last.values[0].type)))
        read = [v for n in own for v in n.inputs if leader.get(v.node) is not last]
        drawing.add(Box(title, lines, last.origin), read, [v for n in own for v in n.values])
    return drawing


def of_kernels(program: Measured, layers: Layers) -> Drawing:
    """The graph after the passes, a box for each kernel with the ops that it fuses."""
    order = {node: k for k, node in enumerate(program.optimized.nodes())}
    drawing = _with_inputs(program.optimized)
    rows = zip(program.kernels, program.specs, program.parts, strict=True)
    for number, (kernel, spec, nodes) in enumerate(rows):
        own = sorted(nodes, key=lambda n: order.get(n, -1))
        named = _wrapped((n.op.name for n in own) if own else kernel.fused)
        lines = [*named, *_ends(program.optimized, own), ("type", repr(spec.writes[-1].type))]
        box = Box(f"{number}  {layers.shown(kernel.name)}"[: WIDTH + 4], lines, kernel.name, number)
        drawing.add(box, spec.reads, spec.writes)
    return drawing


def _with_inputs(graph: Graph) -> Drawing:
    drawing = Drawing()
    for node in (n for n in graph.nodes() if n.op.name == "parameter"):
        box = Box(str(node.attrs["name"]), [("type", repr(node.values[0].type))], is_input=True)
        drawing.add(box, (), node.values)
    return drawing


def _ends(graph: Graph, nodes: list[Node]) -> list[tuple[str, str]]:
    """Lines about the variables that nodes read and write, and about what is returned."""
    read = dict.fromkeys(v.node.attrs["name"] for n in nodes for v in n.inputs if v.op.name == "variable")
    made = {v for n in nodes for v in n.values}
    written = [leaf.node.attrs["name"] for leaf, new in graph.assignments.items() if new in made]
    lines = [("reads", _short(read))] if read else []
    if written:
        lines.append(("writes", f"writes {_short(written)}"))
    if not made.isdisjoint(graph.outputs):
        lines.append(("returns", "returned"))
    return lines


def _merged(nodes: list[Node], roots: set[Node]) -> dict[Node, Node]:
    """Each node's box, named by its last node: that of its only reader, if both belong to one layer."""
    readers: dict[Node, set[Node]] = {node: set() for node in nodes}
    for node in nodes:
        for v in node.inputs:
            if v.node in readers:
                readers[v.node].add(node)
    leader: dict[Node, Node] = {}
    for node in reversed(nodes):  # readers come before what they read
        only = next(iter(readers[node])) if len(readers[node]) == 1 else None
        same = only is not None and node not in roots and only.origin == node.origin
        leader[node] = leader[only] if only is not None and same else node
    return leader


def _wrapped(names: Iterable[str]) -> list[tuple[str, str]]:
    """Names of ops in their first order, how many of each, in some lines."""
    counted = [name if n == 1 else f"{name} x{n}" for name, n in Counter(names).items()]
    lines = [""]
    for position, word in enumerate(counted):
        if lines[-1] and len(lines[-1]) + len(word) > WIDTH:
            if len(lines) == LINES:
                lines[-1] += f" and {len(counted) - position} more"
                break
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else ''}{word}"
    return [("ops", line) for line in lines if line]


def _short(names: Iterable[str]) -> str:
    first, *rest = names
    return first[-WIDTH:] + (f" and {len(rest)} more" if rest else "")
