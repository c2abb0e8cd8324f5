"""What the next tile of a contraction reads and writes, prefetched while this one multiplies.

A short reduction over many rows moves about as much memory as it multiplies numbers: operands, results and
what the epilogue reads come from beyond the second-level cache one after the other. Where a tile has whole
rows, the next one's lie behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kcompile.codegen.expressions import Names, Statements
from kcompile.codegen.families import prefetch_source
from kcompile.codegen.source import KernelSource
from kcompile.codegen.writer import Writer
from kcompile.core import dtypes, symbolic
from kcompile.core.symbolic import Atom
from kcompile.ir.graph import Value
from kcompile.ir.loops import Axis, Expr, Index
from kcompile.ir.views import flat_offset
from kcompile.schedule.contraction import Contraction, hint
from kcompile.schedule.lower import loads

SHORT_K = 128  # a longer reduction hides the memory by itself; where a tile has parts of rows, one of half
LEAST_BYTES = 1 << 20  # of results: less stays in the cache between kernels


class Ahead:
    """The ranges of memory of a tile's rows."""

    def __init__(self, c: Contraction, stores: Iterable[tuple[Value, Index, Expr]], row: Axis, lane: Axis):
        self.c, self.row, self.lane = c, row, lane
        written = [(target, index) for target, index, _ in stores]
        read = [load.attr for _, _, e in stores for load in loads(e)]
        self.written, self.read = ([p for p in places if self._has_rows(*p)] for places in (written, read))
        self.is_worth = self._is_worth()

    def _is_worth(self) -> bool:
        c = self.c
        whole = len(c.m) == 1 and not c.outer and c.parts == 1 and not c.transposed
        if not whole or not isinstance(c.m[0].a, int) or not isinstance(c.n.extent, int):
            return False
        longest = SHORT_K if c.n.extent == c.columns else SHORT_K // 2
        short = len(c.k) == 1 and c.k[0].a == 1 and hint(c.k_extent) <= longest
        large = hint(c.m_extent) * c.n.extent * dtypes.itemsize(c.value.dtype) >= LEAST_BYTES
        return short and large and c.n.extent % c.columns == 0 and bool(self.written)

    def _has_rows(self, value: Value, index: Index) -> bool:
        """Do the rows of a tile lie side by side?"""
        at = flat_offset(value, index)
        along = [symbolic.coefficient_of(at, axis) for axis in (self.row, self.lane)]
        return along == [self.c.n.extent, 1]

    def write(self, w: Writer, s: Statements, names: Names, block: int, rows: int) -> list[KernelSource]:
        """Calls for the `rows` rows of the next tile from its row `r` on."""
        used: dict[KernelSource, None] = {}
        width, columns = int(self.c.n.extent), self.c.columns
        place: Mapping[Atom, str] = {self.row: f"(row0 + {block} + r)", self.lane: "lane0"}
        with s.scope():
            s.axis_names |= place
            for write, places in ((True, self.written), (False, self.read)):
                for value, index in dict.fromkeys(places):
                    source = prefetch_source(write)
                    used[source] = None
                    item, start = dtypes.itemsize(value.dtype), s.integer(flat_offset(value, index))
                    at = f"address({names.buffer(value)}, {start})"
                    if width == columns:
                        w.line(f'call_external("{source.symbol}", {at}, {rows * columns * item})')
                        continue
                    with w.block(f"for ahead in range({rows}):"):
                        at = f"{at} + ahead * {width * item}"
                        w.line(f'call_external("{source.symbol}", {at}, {columns * item})')
        for axis in place:
            del s.axis_names[axis]
        source, a = prefetch_source(False), int(self.c.m[0].a) * dtypes.itemsize(self.c.dtype)
        used[source] = None
        w.line(f'call_external("{source.symbol}", table[r] + {block * a}, {rows * a})')
        return list(used)
