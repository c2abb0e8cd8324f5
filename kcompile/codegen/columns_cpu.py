"""Reductions down columns: the innermost loop runs over the kept axis, so that memory is read in order, and
the sums live in scratch memory. So does what is the same for all rows of a column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kcompile.codegen import scalar
from kcompile.codegen.expressions import Scope, Statements, hoistable
from kcompile.codegen.jam import LONGEST, ROWS_AT_A_TIME
from kcompile.codegen.nest import column_reductions
from kcompile.codegen.writer import Writer
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Axis, Expr
from kcompile.schedule.lower import cost

SHORT_ROWS = 8  # so few are added all at once
WORTH_KEEPING = 5  # the cost of what is computed once a column instead of once an element

Span = tuple[str, str]
InMemory = Mapping[Expr, str]
Step = tuple[str, int | Int]  # one of several rows: in the text, and in terms of their axis


class Columns:
    """Writes the loops of column reductions. `scratch`: the bytes that they take of it."""

    def __init__(self, writer: Writer, statements: Statements) -> None:
        self.w, self.s = writer, statements
        self._sizes: list[int | Int] = []

    @property
    def scratch(self) -> int | Int:
        return sum(self._sizes, start=0)

    def sums(self, axis: Axis, span: Span | None, exprs: Sequence[Expr]) -> InMemory:
        """Computes the column reductions of the expressions; returns the memory that holds each."""
        found = list(dict.fromkeys(r for e in exprs for r in column_reductions(e, axis)))
        low, high = span or ("0", self.s.bound(axis.extent if axis.extent is not None else 1))
        groups = [(group, self._same_in_all_rows(group, axis)) for group in _together(found)]
        memory = self._memory([*found, *(e for _, parts in groups for e in parts)], axis)
        done: dict[Expr, str] = {}
        for group, parts in groups:
            self._fill(parts, memory, axis, (low, high), done)
            done.update({e: memory[e] for e in parts})
            with self.w.block(f"for j in range({high} - {low}):"):
                for r in group:
                    self.w.line(f"{memory[r]}[j] = {scalar.initial(r.attr[0], r.dtype)}")
            with self.s.scope():
                self._loops({r: memory[r] for r in group}, group[0].attr[1], axis, (low, high), done)
            done.update({r: memory[r] for r in group})
        return {r: memory[r] for r in found}

    def bind(self, known: InMemory, column: str, span: Span | None) -> None:
        """In this scope, what is known has its name in memory."""
        at = _place(column, "0" if span is None else span[0])
        for e, name in known.items():
            self.s.bind(e, f"{name}[{at}]")

    def _memory(self, exprs: Sequence[Expr], axis: Axis) -> dict[Expr, str]:
        extent = axis.extent if axis.extent is not None else 1
        names = {}
        for number, e in enumerate(exprs):
            names[e] = self.w.name("column")
            at = f"scratch + {self.s.integer(8 * extent * number)}"
            self.w.line(f"{names[e]} = buffer_{scalar.memory(e.dtype)}({at}, {100 + number})")
        own = 8 * extent * len(exprs)
        if own not in self._sizes:  # loops that follow each other share the memory: this is plenty
            self._sizes.append(own)
        return names

    def _same_in_all_rows(self, group: Sequence[Expr], axis: Axis) -> list[Expr]:
        """The largest costly parts that change from column to column only."""
        bound = {axis, *self.s.axis_names}
        parts = dict.fromkeys(p for r in group for p in hoistable(r.args[0], bound))
        return [
            p for p in parts
            if axis in p.free_axes and p.dtype in ("float32", "float64") and cost(p) >= WORTH_KEEPING
            and column_reductions(p, axis)[-1:] != [p]
        ]  # fmt: skip

    def _fill(self, parts: Sequence[Expr], memory: InMemory, axis: Axis, span: Span, done: InMemory) -> None:
        if not parts:
            return
        with self.s.loop(axis, span) as j, self.s.scope():
            self.bind(done, j, span)
            for e in parts:
                self.w.line(f"{memory[e]}[{_place(j, span[0])}] = {self.s.emit(e)}")

    def _loops(self, group: InMemory, axes: tuple[Axis, ...], axis: Axis, span: Span, done: InMemory) -> None:
        """Reductions over the same rows, into their memory; done: the memory of what they may use."""
        bound = set(self.s.axis_names)
        first = next(iter(group))
        for r in group:
            for part in hoistable(r.args[0], bound):
                self.s.emit(part)
        if len(axes) == 1:
            self._rows(group, axes[0], axis, span, done)
            return
        with self.s.loop(axes[0], self.s.part_range(first, axes[0])), self.s.scope():
            self._loops(group, axes[1:], axis, span, done)

    def _rows(self, group: InMemory, row: Axis, axis: Axis, span: Span, done: InMemory) -> None:
        """The innermost rows, some at a time: each column's sum is read and written once for all of them."""
        extent = self.s.bound(row.extent if row.extent is not None else 1)
        first = next(iter(group))
        low, high = self.s.part_range(first, row) or ("0", extent)
        rest = low
        parts = sum(len(loops.walk(r.args[0])) for r in group)
        few = isinstance(row.extent, int) and 0 < row.extent <= SHORT_ROWS and row.extent * parts <= LONGEST
        if few and isinstance(row.extent, int) and first.attr[2] is None:
            self._steps(group, row, [(str(k), k) for k in range(row.extent)], axis, span, done)
            return
        if ROWS_AT_A_TIME * parts <= LONGEST:
            rest, name = self.w.name("rest"), self.w.name("r")
            whole = f"index_div({_length(low, high)}, {ROWS_AT_A_TIME}) * {ROWS_AT_A_TIME}"
            self.w.line(f"{rest} = {whole}" if low == "0" else f"{rest} = {low} + {whole}")
            with self.w.block(f"for {name} in range({low}, {rest}, {ROWS_AT_A_TIME}):"), self.s.scope():
                start = Axis(row.extent or 1)
                self.s.axis_names[start] = name
                rows = [(f"({name} + {k})" if k else name, Int.of(start) + k) for k in range(ROWS_AT_A_TIME)]
                self._steps(group, row, rows, axis, span, done)
                del self.s.axis_names[start]
        name = self.w.name("r")
        with self.w.block(f"for {name} in range({rest}, {high}):"), self.s.scope():
            self._steps(group, row, [(name, Int.of(row))], axis, span, done)

    def _steps(
        self, group: InMemory, row: Axis, rows: Sequence[Step], axis: Axis, span: Span, done: InMemory
    ) -> None:
        """What these rows add to every column."""
        known = [self._known_of(step, row, group) for step in rows]
        with self.s.loop(axis, span) as j, self.s.scope():
            at = _place(j, span[0])
            self.bind(done, j, span)
            sums = {r: f"{memory}[{at}]" for r, memory in group.items()}
            for step, same in zip(rows, known, strict=True):
                with self.s.step(row, *step), self.s.scope(same):
                    values = {r: self.s.emit(r.args[0]) for r in group}
                sums = {r: scalar.combine(r.attr[0], r.dtype, sums[r], values[r]) for r in group}
            for r, memory in group.items():
                self.w.line(f"{memory}[{at}] = {sums[r]}")

    def _known_of(self, step: Step, row: Axis, group: InMemory) -> Scope:
        """What is the same in all columns of a row, computed once."""
        with self.s.step(row, *step), self.s.scope() as known:
            for r in group:
                for part in hoistable(r.args[0], set(self.s.axis_names)):
                    self.s.emit(part)
        return known


def _place(column: str, low: str) -> str:
    """Where a column is in scratch memory, which begins with the first one of the span."""
    return column if low == "0" else f"{column} - {low}"


def _together(found: list[Expr]) -> list[list[Expr]]:
    """Reductions in order, those over the same axes side by side, unless one needs another."""
    groups: list[list[Expr]] = []
    for r in found:
        last = groups[-1] if groups else None
        inside = set(loops.walk(r.args[0]))
        if last and last[0].attr[1:] == r.attr[1:] and inside.isdisjoint(last):
            last.append(r)
        else:
            groups.append([r])
    return groups


def _length(low: str, high: str) -> str:
    return high if low == "0" else f"{high} - {low}"
