"""The plan of a program: kernels in kernel IR, in an order that respects data and in-place updates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from kcompile.core import config
from kcompile.core.dtypes import is_half
from kcompile.core.symbolic import Int, product
from kcompile.ir import graph as graphs
from kcompile.ir import loops
from kcompile.ir.graph import Graph, Node, Value
from kcompile.ir.kernels import Contract, Finish, Kernel, Loop, Pack, Scan, Sort, Store, writes
from kcompile.ir.loops import Axis, Expr, Index, axis_of
from kcompile.ir.op import Op
from kcompile.ir.rewriting import rewritten
from kcompile.ir.traits import Leaf, Traits
from kcompile.ir.types import TensorType
from kcompile.ops.copying import copy_op
from kcompile.passes import decompose
from kcompile.schedule.contraction import Contraction, hint, packed_size
from kcompile.schedule.fuse import groups_of, stored_values
from kcompile.schedule.group import Group
from kcompile.schedule.lower import is_leaf, loads
from kcompile.schedule.order import lean_order
from kcompile.schedule.prepared import prepared_by
from kcompile.schedule.rows import mentions, with_rows
from kcompile.schedule.scatter import scatter_of
from kcompile.schedule.siblings import with_siblings_joined
from kcompile.schedule.target import Target

SPLIT_LENGTH = 8192  # a reduction this long, into few elements, is shared out into parts
SPLIT_OUTPUTS = 8192

# Memory of the plan's own: packed operands, partial sums.
memory_op = Op("memory", traits=Traits(leaf=Leaf.MEMORY))


@memory_op.infer
def _memory_infer(*, key: int, type: TensorType) -> TensorType:
    return type


def new_memory(key: int, type_: TensorType) -> Value:
    return graphs.node(memory_op, (), {"key": key, "type": type_}, (type_,)).values[0]


@dataclass
class Plan:
    """Kernels in order.

    aliases: values that are written into a variable's own memory. prepared: memory that is written once,
    outside the run, and again when a variable was written.
    """

    graph: Graph
    kernels: list[Kernel]
    aliases: dict[Value, Value] = field(default_factory=dict)
    prepared: set[Value] = field(default_factory=set)


def plan_graph(graph: Graph, target: Target, repeated: bool = False) -> Plan:
    """Fuse, lower, split and order.

    repeated: the graph is a loop's body, of which nothing but packing is done once, before the loop.
    """
    graph = with_distinct_roots(graph if target.sorts else decompose.run(graph, sorts=False))
    groups, kept = needed_groups(groups_of(graph, target), set(graph.roots()))
    lowered: list[tuple[Group, list[Kernel]]] = [(g, _Lowering(g, kept, target).kernels()) for g in groups]
    plan = Plan(graph, [])
    _order(plan, lowered)
    if not config.current().noopt:
        plan.kernels = with_siblings_joined(plan.kernels, plan.aliases)
    if target.prepares:
        plan.prepared |= prepared_by(plan.kernels, graph, repeated)
    if not config.current().noopt:
        outside = {*graph.inputs, *graph.outputs, *plan.prepared}
        plan.kernels = lean_order(plan.kernels, plan.aliases, outside)
    return plan


def needed_groups(groups: list[Group], roots: set[Value]) -> tuple[list[Group], set[Value]]:
    """The groups that write something, and what they write; contractions look through others."""
    while True:
        kept = stored_values(groups, roots)
        needed = [g for g in groups if not kept.isdisjoint(g.index)]
        if len(needed) == len(groups):
            return groups, kept
        groups = needed


def with_distinct_roots(graph: Graph) -> Graph:
    """Every output and every assigned value a value of its own, computed by some kernel."""
    seen: set[Value] = set()

    def own(v: Value) -> Value:
        slot = 0
        while v in seen or is_leaf(v):
            v, slot = copy_op(v, slot=slot), slot + 1
        seen.add(v)
        return v

    return graph.map(own)


class _Lowering:
    """Kernels of one group: a pack of B where needed, the main kernel, a second one where a reduction is
    shared out.
    """

    def __init__(self, group: Group, kept: set[Value], target: Target):
        self.group, self.target = group, target
        self.stores = [
            Store(v, group.index[v], group.exprs[v]) for v in group.index if v in kept and group.node is None
        ]
        origins = dict.fromkeys(v.node.origin for v in group.index if v.node.origin)
        self.fused = tuple(v.op.name for v in group.index)
        self.name = ",".join([*origins][:2]) or next(reversed(group.index)).op.name

    def kernels(self) -> list[Kernel]:
        if self.group.node is not None:
            return self._alone(self.group.node)
        return self._contract() if self.group.contraction is not None else self._loop(self.stores)

    def _alone(self, node: Node) -> list[Kernel]:
        if node.op.has_bodies:
            return self._scan(node)
        return [Sort(node.inputs[0], node.values[0], node.attrs["descending"], self.name, self.fused)]

    def _scan(self, node: Node) -> list[Kernel]:
        """The kernel of a loop; what its body packs of captured values is packed once, before it."""
        graph = node.attrs["body"].graph(f"{self.name} body")
        number = node.attrs["carries"] + node.attrs["slices"]
        graph, rows, extent = with_rows(graph, node.attrs["carries"], node.attrs["slices"])
        # A block of rows packs its own rows of what is captured.
        graph.stable = frozenset(v for v in graph.inputs[number:] if rows is None or not mentions(v, rows))
        plan = plan_graph(graph, self.target, repeated=True)
        outside = dict(zip(graph.inputs, node.inputs, strict=True))
        packs = [k for k in plan.kernels if isinstance(k, Pack) and k.target in plan.prepared]
        plan.kernels = [k for k in plan.kernels if k not in packs]
        moved = [replace(k, contraction=_on(k.contraction, outside), name=f"{self.name} pack") for k in packs]
        return [*moved, Scan(node, plan, tuple(k.target for k in packs), rows, extent, self.name, ("loop",))]

    def _contract(self) -> list[Kernel]:
        group, c = self.group, self.group.contraction
        assert c is not None
        index = group.index[c.value]
        kernels: list[Kernel] = []
        memory = c.b.base
        if c.packed:
            memory = new_memory(c.value.node.serial * 2, TensorType((packed_size(c),), c.dtype))
            kernels.append(Pack(c, memory, f"{self.name} pack"))
        if c.window is not None and c.window.is_gradient:
            return self._filter_gradient(c, index)
        if c.parts == 1:
            borders = tuple(group.borders[s.target] for s in self.stores if s.target in group.borders)
            stores = tuple(self.stores)
            return [*kernels, Contract(c, memory, index, stores, None, self.name, self.fused, borders)]
        part = Axis(c.parts, "part")
        partial = new_memory(
            c.value.node.serial * 2 + 1, TensorType((c.parts, *c.value.shape), c.value.dtype)
        )
        own = loops.accumulator(c.value.dtype)
        main = Store(partial, (Int.of(part), *index), own)
        kernels.append(Contract(c, memory, index, (main,), part, self.name, (c.value.op.name,)))
        total = _sum_of_parts(partial, c.parts, index)
        totals = [Store(s.target, s.index, _replace(s.expr, own, total)) for s in self.stores]
        return [*kernels, *self._loop(totals)]

    def _filter_gradient(self, c: Contraction, index: Index) -> list[Kernel]:
        """Winograd: sums of products per part, then their transform, then the consumers."""
        serial, dtype = c.value.node.serial * 2, c.value.dtype
        partial = new_memory(serial, TensorType((packed_size(c) * c.parts,), dtype))
        raw = new_memory(serial + 1, TensorType(c.value.shape, dtype))
        part = Axis(c.parts, "part")
        own = loops.accumulator(dtype)
        main = Contract(
            c, c.b.base, index, (Store(partial, (Int.of(part),), own),), part, self.name, (c.value.op.name,)
        )
        finish = Finish(c, partial, raw, f"{self.name} sum", ("sum",))
        element = loops.load(raw, index, dtype)
        stores = [Store(s.target, s.index, _replace(s.expr, own, element)) for s in self.stores]
        return [main, finish, *self._loop(stores)]

    def _loop(self, stores: list[Store]) -> list[Kernel]:
        if len(stores) == 1 and (kernel := self._scattered_in_place(stores[0])) is not None:
            return [kernel]
        first: list[Kernel] = []
        sums: dict[Expr, Expr] = {}
        totals: dict[Expr, Expr] = {}
        changed = []
        for store in stores:
            expr = store.expr
            for r in loops.outermost_reductions(expr, guarded=False):
                if r not in sums and scatter_of(r, self.target.sorts) is not None:
                    kernel, sums[r] = self._scattered(r, len(first))
                    first.append(kernel)
                elif r not in sums and _is_shared_out(r):
                    kernel, sums[r] = self._partial(self._with_totals(r, first, totals), len(first))
                    first.append(kernel)
                if r in sums:
                    expr = _replace(expr, r, sums[r])
            changed.append(Store(store.target, store.index, expr))
        return [*first, Loop(self.group.axes, tuple(changed), self.name, self.fused)]

    def _with_totals(self, r: Expr, first: list[Kernel], totals: dict[Expr, Expr]) -> Expr:
        """A reduction with the long ones inside of it (the mean inside of a variance) read from memory, where
        kernels before it put them.
        """
        kind, axes, part = r.attr
        body = r.args[0]
        for inner in loops.outermost_reductions(body, guarded=False):
            if not inner.free_axes.isdisjoint(axes) or not _is_shared_out(inner):
                continue
            if inner not in totals:
                kernel, total = self._partial(self._with_totals(inner, first, totals), len(first))
                first.append(kernel)
                kept = tuple(a for a in self._axis_order() if a in inner.free_axes)
                index = _index_of(kept)
                key = (self.stores[0].target.node.serial + 1) * 64 + len(first)
                memory = new_memory(-key, TensorType(tuple(a.extent or 1 for a in kept), inner.dtype))
                first.append(Loop(kept, (Store(memory, index, total),), f"{self.name} total", ("reduce",)))
                totals[inner] = loops.load(memory, index, inner.dtype)
            body = _replace(body, inner, totals[inner])
        return loops.reduction(kind, axes, body, part)

    def _partial(self, r: Expr, number: int) -> tuple[Kernel, Expr]:
        """A kernel for the parts of a long reduction, and the expression that sums them."""
        kind, axes, _ = r.attr
        longest = max(axes, key=lambda a: hint(a.extent if a.extent is not None else 1))
        axes = (longest, *(a for a in axes if a is not longest))
        kept = tuple(a for a in self._axis_order() if a in r.free_axes)
        parts = self.target.sum_parts
        part = Axis(parts, "part")
        body = loops.partial_reduce(kind, axes, r.args[0], Int.of(part), parts)
        shape = (parts, *(a.extent or 1 for a in kept))
        key = (self.stores[0].target.node.serial + 1) * 64 + number
        partial = new_memory(-key, TensorType(shape, _added_in(r.dtype)))
        index = (Int.of(part), *(Int.of(a) for a in kept))
        kernel = Loop((part, *kept), (Store(partial, index, body),), f"{self.name} parts", ("reduce",))
        again = loops.axis(parts, "part")
        load = loops.load(partial, (again, *(Int.of(a) for a in kept)), partial.dtype)
        return kernel, loops.cast(loops.reduce(kind, (again,), load), r.dtype)

    def _scattered_in_place(self, store: Store) -> Kernel | None:
        """The kernel that scatters into the store's own target, where nothing is left to do with the sums."""
        r = store.expr
        if scatter_of(r, self.target.sorts) is None or store.target.dtype != _added_in(r.dtype):
            return None
        kept = self._scattered_axes(r)
        return Loop(kept, (store,), self.name, self.fused) if store.index == _index_of(kept) else None

    def _scattered_axes(self, r: Expr) -> tuple[Axis, ...]:
        """A scatter's axes, the row first."""
        found = scatter_of(r, self.target.sorts)
        assert found is not None
        kept = [a for a in self._axis_order() if a in r.free_axes]
        return tuple(sorted(kept, key=lambda a: a is not found.row))

    def _scattered(self, r: Expr, number: int) -> tuple[Kernel, Expr]:
        """A kernel of its own for a scatter, and the load of its result."""
        kept = self._scattered_axes(r)
        index = _index_of(kept)
        key = (self.stores[0].target.node.serial + 1) * 64 + 32 + number
        result = new_memory(-key, TensorType(tuple(a.extent or 1 for a in kept), _added_in(r.dtype)))
        kernel = Loop(kept, (Store(result, index, r),), f"{self.name} scatter", ("scatter",))
        return kernel, loops.cast(loops.load(result, index, result.dtype), r.dtype)

    def _axis_order(self) -> list[Axis]:
        order: list[Axis] = list(self.group.axes)
        for index in self.group.index.values():
            order += [a for a in (axis_of(i) for i in index) if a is not None and a not in order]
        return order


def _on(c: Contraction, outside: dict[Value, Value]) -> Contraction:
    """A contraction with B read from the value outside of a loop."""
    return replace(c, b=replace(c.b, base=outside.get(c.b.base, c.b.base)))


def _index_of(axes: Iterable[Axis]) -> Index:
    return tuple(Int.of(a) for a in axes)


def _added_in(dtype: str) -> str:
    """The dtype of sums that lie in memory: two bytes would swallow small terms."""
    return "float32" if is_half(dtype) else dtype


def _sum_of_parts(partial: Value, parts: int, index: Index) -> Expr:
    again = loops.axis(parts, "part")
    return loops.reduce("sum", (again,), loops.load(partial, (again, *index), partial.dtype))


def _is_shared_out(r: Expr) -> bool:
    length = hint(product(a.extent or 1 for a in r.attr[1]))
    outputs = hint(product(a.extent or 1 for a in r.free_axes))
    return (
        r.attr[2] is None
        and length >= SPLIT_LENGTH
        and outputs <= SPLIT_OUTPUTS
        and length * outputs >= 1 << 18
    )


def _replace(e: Expr, old: Expr, new: Expr) -> Expr:
    """e with every occurrence of `old` replaced."""
    return rewritten(e, lambda part: part, {old: new})


# -- order and in-place updates
# -------------------------------------------------------------------------------


def _order(plan: Plan, lowered: list[tuple[Group, list[Kernel]]]) -> None:
    """Fill in kernels in a valid order, and the aliases of variables that can be updated in place."""
    kernels = [k for _, ks in lowered for k in ks]
    group_of = {id(k): g for g, ks in lowered for k in ks}
    writer = {v: k for k in kernels for v in writes(k)}
    after: dict[int, set[int]] = {
        id(k): {id(writer[v]) for v in k.reads if v in writer} - {id(k)} for k in kernels
    }
    readers: dict[Value, list[Kernel]] = {}
    for k in kernels:
        for v in k.reads:
            readers.setdefault(v, []).append(k)
    copies: list[Kernel] = []
    for leaf, new in plan.graph.assignments.items():
        last = writer[new]
        others = [k for k in readers.get(leaf, []) if k is not last]
        safe = _updates_in_place(group_of[id(last)], last, leaf, new)
        if safe and not any(_depends(after, id(k), id(last)) for k in others):
            plan.aliases[new] = leaf
            after[id(last)] |= {id(k) for k in others}
        else:
            copies.append(_copy_kernel(new, leaf))
    plan.kernels = [*_topological(kernels, after), *copies]


def _updates_in_place(group: Group, kernel: Kernel, leaf: Value, new: Value) -> bool:
    """Does the kernel read the variable only at the element that it then overwrites?"""
    if isinstance(kernel, (Pack, Finish, Scan, Sort)) or (
        isinstance(kernel, Contract) and leaf in (kernel.contraction.a.base, kernel.b_memory)
    ):
        return False
    own = next(s.index for s in kernel.stores if s.target is new)
    return all(
        load.attr[1] == own and not _inside_reduction(s.expr, load)
        for s in kernel.stores for load in loads(s.expr) if load.attr[0] is leaf
    )  # fmt: skip


def _inside_reduction(e: Expr, load: Expr) -> bool:
    return any(load in loops.walk(r.args[0]) for r in loops.walk(e) if r.op == "reduce")


def _copy_kernel(source: Value, target: Value) -> Kernel:
    index = tuple(loops.axis(d) for d in source.shape)
    axes = tuple(a for a in (axis_of(i) for i in index) if a is not None)
    return Loop(axes, (Store(target, index, loops.load(source, index, source.dtype)),), "assign", ("copy",))


def _depends(after: dict[int, set[int]], a: int, b: int) -> bool:
    """Does kernel a come after kernel b anyway?"""
    stack, seen = [a], set()
    while stack:
        k = stack.pop()
        if k == b:
            return True
        if k not in seen:
            seen.add(k)
            stack.extend(after[k])
    return False


def _topological(kernels: list[Kernel], after: dict[int, set[int]]) -> list[Kernel]:
    done: set[int] = set()
    order: list[Kernel] = []
    pending = list(kernels)
    while pending:
        k = next(k for k in pending if after[id(k)] <= done)
        pending.remove(k)
        done.add(id(k))
        order.append(k)
    return order
