"""`Loop` kernels as Numba source: a nest over the shared axes, each store in its own inner loops.

A tile is a range of the outermost axis. Two ways to reduce: along a row, into a scalar; and down a column
(`Columns`), where the innermost loop runs over the kept axis.
"""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.codegen import scalar
from kcompile.codegen.columns_cpu import Columns
from kcompile.codegen.expressions import Names, Statements, hoistable, resolve, size_of
from kcompile.codegen.guards import decided, one_test_at_a_time, take_branch
from kcompile.codegen.jam import (
    beside_each_other,
    columns_together,
    loops_of,
    steps_together,
    window_together,
)
from kcompile.codegen.kept import kept_in_row
from kcompile.codegen.nest import Nest, StoreItem, column_reductions
from kcompile.codegen.sections import sections_of
from kcompile.codegen.slices import slices_of_loop
from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import MODULES, KernelSpec, Slices
from kcompile.codegen.writer import Writer
from kcompile.core import symbolic
from kcompile.core.symbolic import Atom, Int, product
from kcompile.ir import loops
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Loop
from kcompile.ir.loops import Axis, Expr
from kcompile.ir.views import flat_offset
from kcompile.schedule.contraction import hint

COLUMN_CHUNK = 128  # columns that are summed side by side: whole cache lines, several vectors
BRIEF_WORK = 64  # elements: no vector loop is worth compiling
TILE_ELEMENTS = 16384  # elements of a tile: enough to hide the cost of claiming it
# Several vectors, as LLVM takes rows at a time: what is left over is summed in another order, and must be the
# same rows however the tiles are shared out.
VECTOR_ROWS = 64


def emit_loop(kernel: Loop, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel that stores each expression over its axes."""
    return _LoopEmitter(kernel, aliases).emit()


class _LoopEmitter:
    def __init__(self, kernel: Loop, aliases: Mapping[Value, Value]):
        self.name, self.fused = kernel.name, kernel.fused
        nest = Nest(kernel)
        self.shared, self.items = nest.shared, nest.items
        self.work, self.flops = nest.work, nest.flops
        self.names = Names(aliases)
        self.w = Writer()
        self.s = Statements(self.w, self.names, nest.offsets)
        self.s.is_brief = isinstance(self.work, int) and self.work <= BRIEF_WORK
        self.slices: Slices | None = None
        self._put_side_by_side()
        self.columns = Columns(self.w, self.s)

    def _put_side_by_side(self) -> None:
        """Some steps of the innermost axis become stores of their own."""
        if not self.shared or any(i.inner for i in self.items):
            return
        exprs = [i.expr for i in self.items]
        found = beside_each_other(self.shared, exprs) or window_together(self.shared, exprs)
        if found is not None:
            self.shared, places = found
            self.items = self._at(places)

    # -- the nest ----------------------------------------------------------------------------------------

    def emit(self) -> KernelSpec:
        self.w.depth = 1
        tiles = self._tiles()
        head = Writer()
        with head.block("def kernel(args, begin, end, scratch):"):
            for value, buffer in self.names.buffers.items():
                head.line(
                    f"{buffer} = buffer_{scalar.SHORT[value.dtype]}"
                    f"(args[{self._slot(value)}], {self._slot(value)})"
                )
            for k, number in enumerate(self.names.numbers.values()):
                head.line(f"{number} = args[{len(self.names.buffers) + k}]")
        text = head.text() + self.w.text()
        written = tuple(self.names.memory(i.target) for i in self.items)
        return KernelSpec(
            KernelSource(text, self.name, modules=MODULES, is_brief=self.s.is_brief),
            tuple(self.names.buffers),
            tuple(self.names.numbers),
            tiles,
            written,
            self.name,
            scratch=self.columns.scratch,
            flops=self.flops,
            work=self.work,
            fused=self.fused,
            slices=self.slices,
        )

    def _slot(self, value: Value) -> int:
        return list(self.names.buffers).index(value)

    def _tiles(self) -> int | Int:
        """Writes the tile loop and what is in it; returns the number of tiles."""
        for item in self.items:
            self.names.buffer(item.target)
        if not self.shared:
            self._level(0)
            return 1
        split = self._split_two()
        self._keep_in_row(split)
        outer = size_of(self.shared[:split])
        inner = self._inner_size(split)
        chunk = max(1, TILE_ELEMENTS // inner)
        if self._columns_at(0):
            chunk = max(chunk, COLUMN_CHUNK)
        elif self._goes_along_vectors(split):
            chunk = -(-chunk // VECTOR_ROWS) * VECTOR_ROWS
        total = self.s.bound(outer)
        axes = self.shared[:split]
        stores = [(i.target, i.index, i.expr) for i in self.items]
        self.slices = slices_of_loop(axes, chunk, self.names, stores)
        low, high = self.w.name("low"), self.w.name("high")
        self.w.line(f"{low} = begin * {chunk}")
        self.w.line(f"{high} = min(end * {chunk}, {total})")
        if split == 1 and self._columns_at(0):
            self._columns(axes[0], (low, high), self.items)
        elif split == 1 and len(self.shared) == 1 and not any(i.inner for i in self.items):
            self._innermost(axes[0], (low, high), self.items)
        else:
            position = self.w.name("t")
            with self.w.block(f"for {position} in range({low}, {high}):"), self.s.scope():
                self._decode(position, axes)
                self._level(split)
        return symbolic.floordiv(outer + (chunk - 1), chunk)

    def _keep_in_row(self, split: int) -> None:
        """A single store whose innermost loop is inside of the tile loop reads what its reductions keep."""
        axes = [*self.shared, *(self.items[0].inner)]
        if len(self.items) > 1 or len(axes) <= split or self._columns_at(len(self.shared) - 1):
            return
        (item,) = self.items
        if column_reductions(item.expr, axes[-1]):
            return
        item, kept = kept_in_row(item, axes[:-1], axes[-1], self.names)
        self.items = [item]
        resolve(item.expr, self.s.offsets)
        self.s.kept = {r: (item.target, part, flat_offset(item.target, at)) for r, (part, at) in kept.items()}

    def _goes_along_vectors(self, split: int) -> bool:
        """Is there no loop inside of the tile loop?"""
        inner = split < len(self.shared) or any(i.inner for i in self.items)
        return not inner and not any(loops_of(i.expr) for i in self.items)

    def _split_two(self) -> int:
        """How many outer axes form the tile space: two where the first alone is short or the nest is deep."""
        if len(self.shared) >= 3 and not self._columns_at(1):
            return 2
        if len(self.shared) == 2 and any(i.inner for i in self.items):
            return 2
        return 1

    def _decode(self, position: str, axes: list[Axis]) -> None:
        if len(axes) == 1:
            self.s.axis_names[axes[0]] = position
            return
        first, second = (self.w.name("r") for _ in axes)
        extent = self.s.bound(axes[1].extent if axes[1].extent is not None else 1)
        self.w.line(f"{first} = index_div({position}, {extent})")
        self.w.line(f"{second} = {position} - {first} * {extent}")
        self.s.axis_names[axes[0]], self.s.axis_names[axes[1]] = first, second

    def _inner_size(self, split: int) -> int:
        """Elements per step of the tile loop, as far as they are known."""
        sizes = [1]
        for item in self.items:
            extents = [a.extent for a in (*self.shared[split:], *item.inner)]
            extents += [a.extent for e in loops.walk(item.expr) if e.op == "reduce" for a in e.attr[1]]
            sizes.append(hint(product(d if d is not None else 1 for d in extents)))
        return max(sizes)

    def _level(self, depth: int) -> None:
        """Statements inside the first `depth` shared loops."""
        bound = set(self.s.axis_names)
        for item in self.items:
            for part in hoistable(item.expr, bound):
                self.s.emit(part)
        if depth < len(self.shared):
            axis = self.shared[depth]
            if depth == len(self.shared) - 1 and not any(i.inner for i in self.items):
                self._along(depth, self.items)
                return
            steps = self._steps_at(depth)
            if steps > 1:
                self._jammed(depth, steps)
                return
            with self.s.loop(axis), self.s.scope():
                self._level(depth + 1)
            return
        for item in self.items:
            if item.inner:
                with self.s.scope():
                    self._store(item, item.inner)
        self._write([i for i in self.items if not i.inner])

    def _steps_at(self, depth: int) -> int:
        """How many steps of the axis around the innermost one are taken together."""
        if depth != len(self.shared) - 2 or any(i.inner for i in self.items):
            return 1
        axis, innermost = self.shared[depth:]
        if self._columns_at(depth + 1):
            return columns_together(
                [r for i in self.items for r in column_reductions(i.expr, innermost)], axis
            )
        return steps_together([i.expr for i in self.items], axis)

    def _jammed(self, depth: int, steps: int) -> None:
        """Some steps of the axis inside of one loop over the innermost axis; then those that are left."""
        axis, extent = self.shared[depth], self.shared[depth].extent
        high = self.s.bound(extent if extent is not None else 1)
        if isinstance(extent, int):
            whole = str(extent - extent % steps)
        else:
            whole = self.w.name("whole")
            self.w.line(f"{whole} = {high} - {high} % {steps}")
        together = self._at_steps(axis, steps)
        with self.s.loop(axis, ("0", whole), steps), self.s.scope():
            self._along(depth + 1, together)
        if whole != high:
            with self.s.loop(axis, (whole, high)), self.s.scope():
                self._along(depth + 1, self.items)

    def _at_steps(self, axis: Axis, steps: int) -> list[StoreItem]:
        """The stores of some steps of an axis, as that many stores."""
        return self._at([{axis: Int.of(axis) + step} for step in range(steps)])

    def _at(self, places: list[dict[Atom, int | Int]]) -> list[StoreItem]:
        """The stores once for each of the places."""
        found = []
        for env in places:
            for i in self.items:
                index = tuple(symbolic.substitute(k, env) for k in i.index)
                found.append(StoreItem(i.target, index, i.expr.substitute(env), i.inner))
        for i in found:
            resolve(i.expr, self.s.offsets)
        return found

    def _along(self, depth: int, items: list[StoreItem]) -> None:
        """The innermost shared loop."""
        if self._columns_at(depth):
            self._columns(self.shared[depth], None, items)
        else:
            self._innermost(self.shared[depth], None, items)

    def _store(self, item: StoreItem, axes: list[Axis]) -> None:
        """The remaining loops of one store."""
        bound = set(self.s.axis_names)
        for part in hoistable(item.expr, bound):
            self.s.emit(part)
        if len(axes) == 1 and column_reductions(item.expr, axes[0]):
            self._columns(axes[0], None, [item])
        elif len(axes) == 1:
            self._innermost(axes[0], None, [item])
        else:
            with self.s.loop(axes[0]), self.s.scope():
                self._store(item, axes[1:])

    def _innermost(self, axis: Axis, span: tuple[str, str] | None, items: list[StoreItem]) -> None:
        """The vector loop. A condition that it does not change is asked once, before two copies of it."""
        items = [StoreItem(i.target, i.index, one_test_at_a_time(i.expr, axis), i.inner) for i in items]
        bound = set(self.s.axis_names)
        guards = {
            e.args[0] for i in items for e in loops.walk(i.expr)
            if e.op == "guard" and axis not in e.args[0].free_axes and e.args[0].free_axes <= bound
        }  # fmt: skip
        if len(guards) == 1:
            (test,) = guards
            condition = self.s.emit(test)
            for header, side in ((f"if {condition}:", 1), ("else:", 2)):
                with self.w.block(header), self.s.scope():
                    chosen = [take_branch(i.expr, test, side) for i in items]
                    self._stretches(axis, span, self._with(items, chosen))
            return
        self._stretches(axis, span, items)

    def _stretches(self, axis: Axis, span: tuple[str, str] | None, items: list[StoreItem]) -> None:
        """One vector loop, or one for each stretch along which conditions are known."""
        sections = sections_of([i.expr for i in items], axis) if span is None else None
        for section in sections or []:
            chosen = self._with(items, [decided(i.expr, section) for i in items])
            with self.s.scope():
                self._vector_loop(axis, (str(section.low), str(section.high)), chosen)
        if sections is None:
            self._vector_loop(axis, span, items)

    def _with(self, items: list[StoreItem], exprs: list[Expr]) -> list[StoreItem]:
        """The stores with other expressions."""
        for e in exprs:
            resolve(e, self.s.offsets)
        return [StoreItem(i.target, i.index, e, i.inner) for i, e in zip(items, exprs, strict=True)]

    def _vector_loop(self, axis: Axis, span: tuple[str, str] | None, items: list[StoreItem]) -> None:
        for item in items:
            for part in hoistable(item.expr, set(self.s.axis_names)):
                self.s.emit(part)
        with self.s.loop(axis, span), self.s.scope():
            self._write(items)

    def _write(self, items: list[StoreItem]) -> None:
        """All loads before the first store: a store may overwrite what another expression reads."""
        texts = [self.s.emit(scalar.unrounded(i.expr, i.target.dtype)) for i in items]
        for item, text in zip(items, texts, strict=True):
            self.w.line(f"{self.s.place(item.target, item.offset)} = {text}")

    # -- column reductions -------------------------------------------------------------------------------

    def _columns_at(self, depth: int) -> bool:
        """Is the shared axis at this depth the innermost kept axis of column reductions?"""
        if depth != len(self.shared) - 1 or any(i.inner for i in self.items):
            return False
        return any(column_reductions(i.expr, self.shared[depth]) for i in self.items)

    def _columns(self, axis: Axis, span: tuple[str, str] | None, items: list[StoreItem]) -> None:
        """Sums over rows, one per column, and then the stores of each column."""
        known = self.columns.sums(axis, span, [i.expr for i in items])
        with self.s.loop(axis, span) as j, self.s.scope():
            self.columns.bind(known, j, span)
            self._write(items)
