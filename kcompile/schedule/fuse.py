"""Which values lie in memory, and which of them one kernel computes.

First every value is either inlined into its readers or *named*. Each named value starts as a kernel of its
own; then kernels are merged from producer to consumer wherever the consumer reads the producer at its own
outer index: an
elementwise chain, a row's softmax, an optimizer's slots, the epilogue of a contraction are all this one rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from kcompile.core import config
from kcompile.core.symbolic import Atom, Int, substitute
from kcompile.ir import loops
from kcompile.ir.border import border_of
from kcompile.ir.graph import Graph, Node, Value
from kcompile.ir.loops import Axis, Expr, Index, axis_of
from kcompile.ir.traits import Leaf
from kcompile.ir.types import Shape
from kcompile.schedule.borders import can_have_borders, with_border
from kcompile.schedule.contraction import Contraction, contraction_of
from kcompile.schedule.group import Group, NotElementwise, is_alone
from kcompile.schedule.lower import Elements, cost, is_leaf, loads, new_axes, reductions
from kcompile.schedule.splitting import in_axes_of
from kcompile.schedule.target import Target
from kcompile.schedule.worth import Everything, depends_on_order, is_repeated, is_small, price, price_in_a_row

INLINE_COST = 12  # what may be computed again in each of several readers
RECOMPUTE_COST = 40  # what may be computed again along a row that stays in cache
EXPRESSION_LIMIT = 300  # parts of one kernel's expressions
STORE_LIMIT = 16


class Fuser:
    """Builds the groups of one graph."""

    def __init__(self, graph: Graph, target: Target):
        self.graph, self.target = graph, target
        self.fuses = not config.current().noopt
        self.order = [v for node in graph.nodes() for v in node.values]
        self.readers: dict[Value, list[Node]] = {v: [] for v in self.order}
        for node in graph.nodes():
            for v in dict.fromkeys(node.inputs):
                self.readers[v].append(node)
        self.roots = set(graph.roots())
        self.contractions: dict[Value, Contraction] = {}
        self.named: set[Value] = set()
        self.probes: dict[Shape, Index] = {}  # the same axes for values of a shape: expressions are shared
        self.elements: dict[Node, tuple[tuple[Axis, ...], Expr]] = {}  # of the nodes' inputs
        self.groups: list[Group] = []
        self.group_of: dict[Value, Group] = {}
        self.position = {v: k for k, v in enumerate(self.order)}
        self.reading: dict[Value, dict[Group, None]] = {v: {} for v in self.order}

    def run(self) -> list[Group]:
        self._find_contractions()
        self._name()
        for v in self.order:
            if v in self.named:
                self._start(v)
        if self.fuses:
            for v in self.order:
                if v in self.named:
                    self._merge_producers(self.group_of[v])
                    if self.target.borders and v.op.traits.pads:
                        self._store_in_padding(v)  # before readers of the padded copy become one with it
        return [g for g in self.groups if g.index]

    # -- naming ------------------------------------------------------------------------------------------

    def _find_contractions(self) -> None:
        stable = stable_values(self.graph)
        for v in self.order:
            if v.op.traits.contraction:
                found = contraction_of(v.node, self.target, stable)
                if found is not None:
                    self.contractions[v] = found
                    self.named |= {x for x in (found.a.base, found.b.base) if not is_leaf(x)}
            elif is_alone(v.node):
                self.named |= {v, *(x for x in v.node.inputs if not is_leaf(x))}
        self.named |= {v for v in self.roots if not is_leaf(v)} | set(self.contractions)

    def _name(self) -> None:
        elements = Elements(self.named)
        for v in self.order:
            if v in self.named or is_leaf(v):
                continue
            if not self._can_inline(v, elements):
                self.named.add(v)

    def _can_inline(self, v: Value, elements: Elements) -> bool:
        if not self.fuses:
            return not v.node.inputs  # a number of the run: there is nothing to read
        if v.shape not in self.probes:
            self.probes[v.shape] = new_axes(v)
        axes = self.probes[v.shape]
        expr = elements.compute(v, axes)
        own = reductions(expr)
        parts = loops.walk(expr)
        if len(parts) > EXPRESSION_LIMIT // 4:
            return False
        if any(not is_small(r) for r in own):
            return False
        readers = [r for r in self.readers[v] if r.values[0] not in self.contractions]
        if cost(expr) <= 2 and not own:
            return True
        if len(readers) > 1 and any(map(depends_on_order, own)):
            return False  # two kernels may add up in other orders: a value would differ from itself
        if any(self._repeats(v, r) or self._loses_rows(v, axes, expr, r) for r in readers):
            return False
        if self._ends_epilogue(v, expr, axes, readers):
            return False
        if len(readers) == 1 and v not in self.roots:
            return True
        read = {x.attr: x for x in loads(expr) if len(x.attr[1]) == len(axes) and axes}
        whole = [x for x in read.values() if x.free_axes.issuperset(expr.free_axes)]
        return price_in_a_row(expr, axes) <= INLINE_COST and (len(read) <= 2 or len(whole) <= 1)

    def _ends_epilogue(self, v: Value, expr: Expr, index: Index, readers: list[Node]) -> bool:
        """Is v the last of an elementwise chain on a contraction? Then it is computed there, once, and
        stored.
        """
        read = [x for x in loads(expr) if not is_leaf(x.attr[0])]
        last = max((x.attr[0] for x in read), key=self.position.__getitem__, default=None)
        if last not in self.contractions or last.shape != v.shape:
            return False  # what comes later than the contraction is not at hand in its epilogue
        if not any(x.attr[0] is last and x.attr[1] == index for x in read):
            return False
        if len(readers) == 1 and self._is_read_behind(last, readers[0]):
            return False  # the contraction itself is stored: of its product with what else is read, no copy
        return len(readers) > 1 or any(r.values[0].shape != v.shape for r in readers)

    def _is_read_behind(self, v: Value, node: Node) -> bool:
        """Does some reader of v depend on the node, as a norm's gradient on a sum of what it is made of?"""
        start = self.position[node.values[0]]
        waiting = [r for r in self.readers[v] if r is not node]
        seen: set[Node] = set()
        while waiting:
            reader = waiting.pop()
            if reader in seen or self.position[reader.values[0]] < start:
                continue
            if reader is node:
                return True
            seen.add(reader)
            waiting += [x.node for x in reader.inputs]
        return False

    def _repeats(self, v: Value, reader: Node) -> bool:
        """Does the reader evaluate elements of v more than once each?"""
        axes, expr = self._element_of(reader)
        return any(load.attr[0] is v and is_repeated(axes, load, expr) for load in loads(expr))

    def _loses_rows(self, v: Value, index: Index, expr: Expr, reader: Node) -> bool:
        """Would the reader compute for each element what costs much and is the same for a row of v?"""
        if cost(expr) - price_in_a_row(expr, index) <= INLINE_COST:
            return False
        places = [load.attr[1] for load in loads(self._element_of(reader)[1]) if load.attr[0] is v]
        return any(not _is_along_rows(at) for at in places)

    def _element_of(self, node: Node) -> tuple[tuple[Axis, ...], Expr]:
        """An element of a node's value in terms of its inputs, and the axes."""
        if node not in self.elements:
            y = node.values[0]
            index = new_axes(y)
            axes = tuple(a for a in (axis_of(i) for i in index) if a is not None)
            self.elements[node] = axes, Elements(Everything()).compute(y, index)
        return self.elements[node]

    # -- kernels -----------------------------------------------------------------------------------------

    def _start(self, v: Value) -> None:
        if v in self.group_of:
            return
        index = new_axes(v)
        axes = tuple(a for a in (axis_of(i) for i in index) if a is not None)
        group = Group(axes, self.contractions.get(v), v.node if is_alone(v.node) else None)
        group.index.update(dict.fromkeys(v.node.values, ()) if group.node else {v: index})
        group.number = group.rank = len(self.groups)
        group.refresh(self.named)
        self._list_reads(group)
        self.groups.append(group)
        self.group_of.update(dict.fromkeys(group.index, group))

    def _list_reads(self, group: Group) -> None:
        for v in group.reads:
            if v in self.reading:
                self.reading[v][group] = None

    def _unlist_reads(self, group: Group) -> None:
        for v in group.reads:
            if v in self.reading:
                self.reading[v].pop(group, None)

    def _readers_of(self, group: Group) -> Iterator[Group]:
        """The kernels that read some value of this one."""
        for v in group.index:
            yield from (g for g in self.reading[v] if g is not group)

    def _merge_producers(self, consumer: Group) -> None:
        tried: set[Value] = set()
        while True:
            candidates = [v for v in consumer.reads if v in self.group_of and v not in tried]
            if not candidates:
                return
            v = max(candidates, key=self.position.__getitem__)  # the nearest first
            tried.add(v)
            producer = self.group_of[v]
            merged = self._merge(producer, consumer) if producer is not consumer else None
            if merged is not None:
                consumer = merged

    def _merge(self, producer: Group, consumer: Group) -> Group | None:
        if producer.node is not None or consumer.node is not None:
            return None
        if producer.contraction is not None and consumer.contraction is not None:
            return None
        if consumer.contraction is not None:
            return None  # operands of a contraction lie in memory
        if len(producer.index) + len(consumer.index) > STORE_LIMIT or self._reaches_around(
            producer, consumer
        ):
            return None
        if producer.contraction is not None:
            return self._into_epilogue(producer, consumer)
        shared = self._shared_prefix(producer, consumer)
        if shared == 0 and (producer.axes or consumer.axes):
            return None
        return self._join(producer, consumer, consumer, shared)

    def _into_epilogue(self, producer: Group, consumer: Group) -> Group | None:
        """The contraction with the consumer in its epilogue, perhaps in another shape."""
        whole = in_axes_of(producer, consumer, self.named)
        if whole is None:
            return None
        if whole is consumer and self._shared_prefix(producer, consumer) != len(producer.axes):
            return None
        return self._join(producer, consumer, whole, len(producer.axes))

    def _shared_prefix(self, producer: Group, consumer: Group) -> int:
        """How many leading axes the consumer reads the producer's values at, exactly."""
        count = min(len(producer.axes), len(consumer.axes))
        for expr in consumer.exprs.values():
            for load in loads(expr):
                if load.attr[0] not in producer.index:
                    continue
                theirs = [i for i in load.attr[1] if not (isinstance(i, int) and i == 0)]
                own = producer.index[load.attr[0]]
                own_axes = [i for i in own if axis_of(i) is not None]
                if len(theirs) != len(own_axes):
                    return 0
                k = 0
                while k < count and axis_of(theirs[k]) is consumer.axes[k]:
                    k += 1
                count = k
        for k in range(count):
            if producer.axes[k].extent != consumer.axes[k].extent:
                return k
        return count

    def _join(self, producer: Group, consumer: Group, view: Group, shared: int) -> Group | None:
        """The merged group, or None where it would compute too much again or does not fit the contraction.

        view: the consumer with axes that it shares with the producer.
        """
        renaming: dict[Atom, int | Int] = {
            p: Int.of(c) for p, c in zip(producer.axes[:shared], view.axes[:shared], strict=True)
        }
        joined = Group(view.axes[:shared], producer.contraction)
        for v, index in producer.index.items():
            joined.index[v] = tuple(substitute(i, renaming) for i in index)
        joined.index.update(view.index)
        joined.borders = {**producer.borders, **consumer.borders}
        if not self._is_worth(producer, view, joined):
            return None
        try:
            joined.refresh(self.named)
        except NotElementwise:
            return None
        if sum(len(loops.walk(e)) for e in joined.exprs.values()) > EXPRESSION_LIMIT:
            return None
        if joined.contraction is not None and not joined.fits_epilogue():
            return None
        self._put_in_place_of(producer, consumer, joined)
        return joined

    def _put_in_place_of(self, producer: Group, consumer: Group, joined: Group) -> None:
        joined.number, joined.rank = consumer.number, consumer.rank
        for group in (producer, consumer):
            group.index = {}
            self._unlist_reads(group)
        self.groups[joined.number] = joined
        for v in joined.index:
            self.group_of[v] = joined
        self._list_reads(joined)
        self._raise_readers(joined)

    def _store_in_padding(self, padded: Value) -> None:
        """Where what is padded can be computed in the epilogue of a contraction, it is stored inside of the
        border, and never copied there.
        """
        consumer, border = self.group_of[padded], border_of(padded.node)
        if border is None or list(consumer.index) != [padded]:
            return
        found = [self.group_of[v] for v in consumer.reads if v in self.group_of]
        fitting = [g for g in found if can_have_borders(g, padded) and len(g.index) < STORE_LIMIT]
        producer = max(fitting, key=lambda g: g.rank, default=None)
        if producer is None or self._reaches_around(producer, consumer):
            return
        joined = with_border(producer, border)
        try:
            joined.refresh(self.named)
        except NotElementwise:
            return
        is_small = sum(len(loops.walk(e)) for e in joined.exprs.values()) <= EXPRESSION_LIMIT
        if is_small and not any(map(reductions, joined.exprs.values())):
            self._put_in_place_of(producer, consumer, joined)

    def _raise_readers(self, group: Group) -> None:
        """What reads the producer may stand before the consumer: it comes behind the two now."""
        stack = list(self._readers_of(group))
        while stack:
            reader = stack.pop()
            if reader.rank < group.rank:
                reader.rank = group.rank
                stack.extend(self._readers_of(reader))

    def _is_worth(self, producer: Group, consumer: Group, joined: Group) -> bool:
        """Values read along a row, not only at the own element, are computed again there: only if that is
        cheap.
        """
        for store, expr in consumer.exprs.items():
            axes = tuple(a for a in (axis_of(i) for i in consumer.index[store]) if a is not None)
            for load in loads(expr):
                v = load.attr[0]
                if v not in producer.index:
                    continue
                if load.free_axes <= set(joined.axes) or len(load.attr[1]) <= len(joined.axes):
                    continue
                if cost(producer.exprs[v]) > 2 and is_repeated(axes, load, expr):
                    return False
                inner_reduction = any(
                    r
                    for r in reductions(producer.exprs[v])
                    if r.free_axes - set(producer.axes[: len(joined.axes)])
                )
                if inner_reduction or price(producer.exprs[v]) > RECOMPUTE_COST:
                    return False
        return True

    def _reaches_around(self, producer: Group, consumer: Group) -> bool:
        """Does a third kernel lie between them? Looked for from the consumer backwards, the earliest kernels
        first: most of what the backward pass reads stands close to the producer, wherever the consumer is.
        """
        seen = {id(producer), id(consumer)}
        waiting: list[tuple[int, int, Group]] = []

        def look_behind(group: Group) -> None:
            for v in group.reads:
                behind = self.group_of.get(v)
                if behind is not None and id(behind) not in seen and behind.rank >= producer.rank:
                    seen.add(id(behind))
                    heappush(waiting, (behind.rank, behind.number, behind))

        look_behind(consumer)
        while waiting:
            group = heappop(waiting)[2]
            if not group.reads.isdisjoint(producer.index):
                return True
            look_behind(group)
        return False


def _is_along_rows(index: Index) -> bool:
    """Does the last position run along an axis that no other one depends on?"""
    last = axis_of(index[-1]) if index else None
    return last is not None and not any(isinstance(i, Int) and last in i.atoms() for i in index[:-1])


def stable_values(graph: Graph) -> frozenset[Value]:
    """Leaves that hold the same from run to run: constants, and variables that are not assigned."""
    leaves = {v for node in graph.nodes() for v in node.values if v.op.leaf in (Leaf.VARIABLE, Leaf.CONSTANT)}
    return graph.stable.union(leaves - set(graph.assignments))


def groups_of(graph: Graph, target: Target) -> list[Group]:
    """The kernels of a graph of primitives, as groups of values."""
    return Fuser(graph, target).run()


def stored_values(groups: Iterable[Group], roots: set[Value]) -> set[Value]:
    """Values that other kernels or the program's caller read: the others exist inside their kernel only."""
    kept = set(roots)
    for group in groups:
        kept |= {v for v in group.reads if v not in group.index}
        if group.contraction is not None:
            kept |= {group.contraction.a.base, group.contraction.b.base}
    return kept
