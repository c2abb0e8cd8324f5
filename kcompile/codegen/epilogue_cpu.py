"""What a contraction's kernel does with the sums of a tile: its epilogue, as Numba source."""

from __future__ import annotations

from kcompile.codegen import scalar
from kcompile.codegen.expressions import Names, Statements, hoistable
from kcompile.codegen.writer import Writer
from kcompile.ir.graph import Value
from kcompile.ir.loops import Axis, Expr, Index, accumulator, walk
from kcompile.ir.views import flat_offset
from kcompile.schedule.contraction import Contraction

Stores = list[tuple[Value, Index, Expr]]


class Epilogue:
    """Stores of expressions of a sum, in terms of the kernel's own axes."""

    c: Contraction
    w: Writer
    s: Statements
    names: Names
    stores: Stores
    row: Axis
    lane: Axis

    def _nest(
        self, first: Axis, low: str, high: str, second: Axis, low2: str, high2: str, place: str
    ) -> None:
        names = {self.row: "row", self.lane: "lane"}
        w, s = self.w, self.s
        with w.block(f"for {names[first]} in range({low}, {high}):"), s.scope():
            s.axis_names[first] = names[first]
            self._hoist()
            with w.block(f"for {names[second]} in range({low2}, {high2}):"), s.scope():
                s.axis_names[second] = names[second]
                w.line(f"acc = {place}")
                self._bind_accumulator()
                self._write_stores()
            del s.axis_names[second]
        del s.axis_names[first]

    def _write_stores(self) -> None:
        # All loads before the first store.
        texts = [self.s.emit(scalar.unrounded(e, target.dtype)) for target, _, e in self.stores]
        for (target, at, _), text in zip(self.stores, texts, strict=True):
            self.w.line(f"{self.s.place(target, flat_offset(target, at))} = {text}")

    def _bind_accumulator(self) -> None:
        self.s.bind(accumulator(self.c.value.dtype), "acc")

    def _hoist(self) -> None:
        bound = set(self.s.axis_names)
        for _, _, e in self.stores:
            for part in hoistable(e, bound):
                if not _has_accumulator(part):
                    self.s.emit(part)


def _has_accumulator(e: Expr) -> bool:
    return any(p.op == "acc" for p in walk(e))
