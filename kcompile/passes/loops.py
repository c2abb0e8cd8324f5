"""Loops do in each step only what must be done there.

What nobody reads is dropped. Contractions whose operands do not depend on what is carried move before the
loop, those that only make results move behind it, and sums that are merely added up become one contraction
over all steps: many small products become a large one. KCOMPILE_SKIP=hoist leaves all in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcompile.core import config
from kcompile.ir.body import Body, new_parameters
from kcompile.ir.graph import Graph, Node, Value, depending_on, rebuild, substitute, topological
from kcompile.ir.op import Op
from kcompile.ops import elementwise as ew
from kcompile.passes.batching import Batching

Inner = Callable[[Graph], Graph]


def run(graph: Graph, inner: Inner) -> Graph:
    """The graph with its loops improved; inner: the passes for their bodies."""
    if not any(_is_loop(n) for n in graph.nodes()):
        return graph
    graph = _pruned(_unified(graph))
    moves = not config.current().noopt and "hoist" not in config.current().skip.split(",")

    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if not _is_loop(node):
            return None
        loop = Loop(node.op, node.attrs, inputs)
        loop.passed_through(inner)
        return loop.improved() if moves and loop.attrs["steps"] is not None else loop.values()

    return _pruned(rebuild(graph, rule))


def _is_loop(node: Node) -> bool:
    return node.op.has_bodies


def _unified(graph: Graph) -> Graph:
    """A loop and those that extend it, made for a gradient, become one that computes all of them."""
    groups: dict[Any, list[Node]] = {}
    for node in graph.nodes():
        if _is_loop(node):
            groups.setdefault(_identity(node), []).append(node)
    joined = {n: nodes for nodes in groups.values() if len(nodes) > 1 for n in nodes}
    bodies: dict[Any, Body] = {}
    for node, nodes in joined.items():
        origin = node.attrs["body"].origin
        more = dict.fromkeys(v for n in nodes for v in n.attrs["body"].outputs[len(origin.outputs) :])
        bodies.setdefault(_identity(node), Body(origin.parameters, [*origin.outputs, *more]))

    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if node not in joined:
            return None
        body = bodies[_identity(node)]
        values = node.op(*inputs, **{**node.attrs, "body": body})
        own, count = node.attrs["body"].outputs, len(node.attrs["body"].origin.outputs)
        later = [values[body.outputs.index(v, count)] for v in own[count:]]
        return (*values[:count], *later)

    return rebuild(graph, rule) if joined else graph


def _identity(node: Node) -> Any:
    attrs = node.attrs
    return (node.inputs, attrs["body"].origin, *(attrs[k] for k in ("carries", "slices", "steps", "reverse")))


def _pruned(graph: Graph) -> Graph:
    """Loops without the results, carries and inputs that nobody needs."""
    used = {v for n in graph.nodes() for v in n.inputs} | set(graph.roots())

    def rule(node: Node, inputs: tuple[Value, ...]) -> tuple[Value, ...] | None:
        return (
            Loop(node.op, node.attrs, inputs).kept([v in used for v in node.values])
            if _is_loop(node)
            else None
        )

    return rebuild(graph, rule)


class Loop:
    """A loop in the making: its inputs, and its body as lists that change."""

    def __init__(self, op: Op, attrs: dict[str, Any], inputs: tuple[Value, ...]) -> None:
        carries, outer = attrs["carries"], attrs["carries"] + attrs["slices"]
        body: Body = attrs["body"]
        pairs = list(zip(body.parameters, inputs, strict=True))
        self.op, self.attrs = op, attrs
        self.carried, self.sliced, self.captured = pairs[:carries], pairs[carries:outer], pairs[outer:]
        self.outputs = list(body.outputs)
        self.count = carries

    @property
    def parameters(self) -> list[Value]:
        return [p for p, _ in (*self.carried, *self.sliced, *self.captured)]

    def passed_through(self, inner: Inner) -> None:
        self.outputs = inner(Body(self.parameters, self.outputs).graph()).outputs

    def values(self) -> tuple[Value, ...]:
        """The values of a loop with the present parts."""
        inputs = [v for _, v in (*self.carried, *self.sliced, *self.captured)]
        attrs = self.attrs | {"carries": len(self.carried), "slices": len(self.sliced)}
        made = self.op(*inputs, **{**attrs, "body": Body(self.parameters, self.outputs)})
        return tuple(made)

    def kept(self, used: list[bool]) -> tuple[Value, ...]:
        """The values with only what the used ones need; the others are given by any value at all."""
        whiles = self.attrs["steps"] is None
        wanted = {k for k, is_used in enumerate(used) if is_used or (whiles and k == 0)}
        while True:
            reached = {n.values[0] for n in topological([self.outputs[k] for k in sorted(wanted)])}
            more = {k for k, (p, _) in enumerate(self.carried) if p in reached} - wanted
            if not more:
                break
            wanted |= more
        order = sorted(wanted)
        before = self.outputs
        self.outputs = [before[k] for k in order]
        self.carried = [pair for k, pair in enumerate(self.carried) if k in wanted]
        self.sliced = [(p, v) for p, v in self.sliced if p in reached]
        self.captured = [(p, v) for p, v in self.captured if p in reached]
        if not order:
            return tuple(before)
        values = self.values()
        return tuple(values[order.index(k)] if k in wanted else before[k] for k in range(len(used)))

    # -- moving contractions out -------------------------------------------------------------------------

    def improved(self) -> tuple[Value, ...]:
        """The values of the loop with contractions before and behind it where they may be."""
        whole = self._without_loop()
        if whole is not None:
            return whole
        self._hoist()
        totals = self._taken_totals()
        results = self._taken_results()
        own = [k for k in range(len(self.outputs)) if k not in totals and k not in results]
        parts = [*totals.values(), *results.values()]
        stacked = sorted({v for part in parts for v in part.needs}, key=lambda v: v.node.serial)
        known: dict[Any, Value] = dict((*self.sliced, *self.captured))
        stacked = [v for v in stacked if v not in known]
        count = len(self.outputs)
        before = dict(enumerate(first for _, first in self.carried))
        self.carried = [pair for k, pair in enumerate(self.carried) if k not in totals]
        self.outputs = [*(self.outputs[k] for k in own), *stacked]
        values = self.values() if self.outputs else ()
        made = dict(zip(own, values, strict=False))
        known |= dict(zip(stacked, values[len(own) :], strict=True))
        for k, part in results.items():
            made[k] = part.build(known)
        for k, part in totals.items():
            made[k] = ew.add(before[k], part.build(known))
        return tuple(made[k] for k in range(count))

    def _without_loop(self) -> tuple[Value, ...] | None:
        """The values where nothing is carried but sums: every step at once."""
        batching = Batching(self.attrs["steps"], {p for p, _ in self.sliced}, {p for p, _ in self.captured})
        carries = len(self.carried)
        added = [self._added(k, p) for k, (p, _) in enumerate(self.carried)]
        sums = [None if v is None else batching.total(v) for v in added]
        results = [batching.each(v, frozenset()) for v in self.outputs[carries:]]
        if any(p is None for p in sums) or not all(p is not None and p.is_stacked for p in results):
            return None
        known: dict[Any, Value] = dict((*self.sliced, *self.captured))
        built = [p.build(known) for p in (*sums, *results) if p is not None]
        totals = [ew.add(first, one) for (_, first), one in zip(self.carried, built, strict=False)]
        return (*totals, *built[carries:])

    def _hoist(self) -> None:
        """Contractions that need no carried value are computed for all steps before the loop."""
        carried = depending_on(self.outputs, [p for p, _ in self.carried])
        batching = Batching(self.attrs["steps"], {p for p, _ in self.sliced}, {p for p, _ in self.captured})
        known: dict[Any, Value] = dict((*self.sliced, *self.captured))
        replaced: dict[Value, Value] = {}
        for node in topological(self.outputs):
            v = node.values[0]
            if not node.op.traits.contraction or v in carried:
                continue
            part = batching.each(v, stored=frozenset())
            if part is not None and part.is_stacked:
                [parameter] = new_parameters([v.type], "hoisted")
                self.sliced.append((parameter, part.build(known)))
                replaced[v] = parameter
        self.outputs = substitute(self.outputs, replaced)

    def _taken_totals(self) -> dict[int, Any]:
        """Carries that only add up: what they add, summed over all steps outside."""
        batching, found = self._batching(), {}
        for k, (parameter, _) in enumerate(self.carried):
            added = self._added(k, parameter)
            part = None if added is None else batching.total(added)
            if part is not None:
                found[k] = part
        return found

    def _added(self, k: int, parameter: Value) -> Value | None:
        new = self.outputs[k]
        if new.op.traits.monoid != "sum" or new.type != parameter.type:
            return None
        a, b = new.node.inputs
        if parameter not in (a, b) or a is b:
            return None
        added = b if a is parameter else a
        others = [v for j, v in enumerate(self.outputs) if j != k]
        free = parameter.node not in topological([added, *others])
        return added if free and added.type == parameter.type else None

    def _taken_results(self) -> dict[int, Any]:
        """Stacked results that are contractions, computed for all steps behind the loop, or that were sliced
        before.
        """
        carries = len(self.carried)
        needed = set(topological(self.outputs[:carries]))
        batching, found = self._batching(), {}
        sliced = {p for p, _ in self.sliced}
        for k, v in enumerate(self.outputs[carries:], carries):
            if v in sliced:
                found[k] = batching.each(v, stored=frozenset([v]))
            elif v.op.traits.contraction and v.node not in needed:
                part = batching.each(v, stored=frozenset(v.node.inputs))
                if part is not None and part.is_stacked:
                    found[k] = part
        return found

    def _batching(self) -> Batching:
        return Batching(self.attrs["steps"], None, {p for p, _ in self.captured})
