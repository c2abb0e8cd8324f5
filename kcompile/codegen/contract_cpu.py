"""`Contract` kernels as Numba source around the external micro-kernel.

A tile is (part of the reduction, outer index, strip of panels of output columns, block of output rows); most
strips are one panel. The rows of a block are addresses in A, tabulated once, so images need no im2col; the
micro-kernel leaves its sums in a scratch tile that the epilogue reads while it is in the first-level cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from kcompile.codegen import scalar
from kcompile.codegen.ahead import Ahead
from kcompile.codegen.borders_cpu import write_borders
from kcompile.codegen.contraction_axes import Positions, axis_values, positions, split_reduction
from kcompile.codegen.epilogue_cpu import Epilogue, Stores
from kcompile.codegen.expressions import CONSTANT_EXTENT, Names, Statements, resolve
from kcompile.codegen.families import micro_source, narrower_tile, transpose_source
from kcompile.codegen.row_table import write_row_table
from kcompile.codegen.slices import slices_of_contraction
from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import MODULES, KernelSpec
from kcompile.codegen.strips import panels_of_strip, rows_of_strip
from kcompile.codegen.tile_order import write_position
from kcompile.codegen.writer import Writer
from kcompile.core import dtypes, symbolic
from kcompile.core.symbolic import Int, product
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Contract
from kcompile.ir.loops import Axis, Index
from kcompile.kernels.host import host
from kcompile.schedule.contraction import AxisRole, Contraction, hint

BLOCK_K = 1024  # reduction steps of one pass of the micro-kernel: B's panel of it fits the second-level cache
STRIDED_BLOCK_K = 256  # where A does not lie along the reduction: its lines, far apart, share few cache sets
BLOCK_ROWS = 96  # output rows of a tile; a multiple of every micro-kernel's rows
LONG_BLOCK_ROWS = 384  # where the reduction is shared out: each part reads its data once


def emit_contract(kernel: Contract, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel of a contraction with its epilogue."""
    return ContractEmitter(kernel, aliases).emit()


class ContractEmitter(Epilogue):
    def __init__(self, kernel: Contract, aliases: Mapping[Value, Value]):
        c: Contraction = kernel.contraction
        self.c, self.b_memory, self.part = c, kernel.b_memory, kernel.part
        self.name, self.fused = kernel.name, kernel.fused
        self.aliases, self.borders = aliases, kernel.borders
        self.item, self.out_item = dtypes.itemsize(c.dtype), dtypes.itemsize(c.value.dtype)
        self.row, self.lane = Axis(c.m_extent, "row"), Axis(c.n.extent, "lane")
        self.outer = [Axis(r.extent, "outer") for r in c.outer]
        self.names, self.w = Names(aliases), Writer()
        self.w.depth = 1
        env = axis_values(c, kernel.index, self._positions())
        offsets: dict[tuple[Value, Index], int | Int] = {}
        self.stores: Stores = []
        for store in kernel.stores:
            moved = tuple(symbolic.substitute(i, env) for i in store.index)
            self.stores.append((store.target, moved, resolve(store.expr.substitute(env), offsets)))
        self.s = Statements(self.w, self.names, offsets)
        self.k_outer, self.k1, self.k0 = self._split_k()
        self.unit_k = self.k0.a == 1
        self.block_k = BLOCK_K if self.unit_k else STRIDED_BLOCK_K
        if c.parts > 1:  # each part has a pass, of an even number of steps, which may go in pairs
            self.block_k = min(self.block_k, -(-hint(c.k_extent) // (2 * c.parts)) * 2)
        self.panels = self._panels()
        self.tile_width = self.panels * c.columns  # of the scratch tile
        self.narrow = None if isinstance(c.n.extent, int) or c.pairs else narrower_tile(c.columns, c.dtype)
        self.ahead = Ahead(c, self.stores, self.row, self.lane)
        self.beyond = max(c.rows, self.narrow[0] if self.narrow else 0) - 1  # rows computed too many
        self.externals: list[KernelSource] = []

    def _positions(self) -> Positions:
        """The output's axes in terms of the kernel's own."""
        return positions(self.c, self.row, self.lane, self.outer)

    def _split_k(self) -> tuple[list[AxisRole], AxisRole, AxisRole]:
        """Reduction axes for the kernel's own loops, and the micro-kernel's outer and inner one."""
        return split_reduction(self.c, 2 * BLOCK_K)

    def _panels(self) -> int:
        """Of a tile."""
        return panels_of_strip(self.c, self.row, self.lane, (e for _, _, e in self.stores))

    # -- text --------------------------------------------------------------------------------------------

    def emit(self) -> KernelSpec:
        c, w = self.c, self.w
        for target, _, _ in self.stores:
            self.names.buffer(target)
        self._tile()
        head = Writer()
        with head.block("def kernel(args, begin, end, scratch):"):
            head.line("a = args[0]")
            head.line("b = args[1]")
            for slot, (value, buffer) in enumerate(self.names.buffers.items(), 2):
                head.line(f"{buffer} = buffer_{scalar.SHORT[value.dtype]}(args[{slot}], {slot})")
            for slot, number in enumerate(self.names.numbers.values(), 2 + len(self.names.buffers)):
                head.line(f"{number} = args[{slot}]")
        source = KernelSource(
            head.text() + w.text(), self.name, externals=tuple(self.externals), modules=MODULES
        )
        return KernelSpec(
            source,
            (self.names.memory(c.a.base), self.names.memory(self.b_memory), *self.names.buffers),
            tuple(self.names.numbers),
            self.tiles,
            tuple(self.names.memory(t) for t, _, _ in self.stores),
            self.name,
            scratch=self._scratch(),
            flops=c.flops,
            work=symbolic.floordiv(c.flops, 16) if isinstance(c.flops, Int) else c.flops // 16,
            fused=self.fused,
            slices=None if self.borders else slices_of_contraction(c, self.outer, self.names, self.stores),
        )

    def _block_rows(self) -> int:
        if self.panels > 1:
            return rows_of_strip(self.c, self.panels)
        m = max(hint(self.c.m_extent), 1)
        limit = LONG_BLOCK_ROWS if self.c.parts > 1 else BLOCK_ROWS
        return min(limit, -(-m // self.c.rows) * self.c.rows) if isinstance(self.c.m_extent, int) else limit

    def _places(self) -> dict[str, int]:
        """Offsets in the scratch memory."""
        rows = self._block_rows() + self.beyond + 1
        tile, c = aligned(rows * self.tile_width * self.out_item), aligned(rows * 8)
        return {"c": c, "turned": c + tile, "end": c + tile * (2 if self.c.transposed else 1)}

    def _scratch(self) -> int:
        return self._places()["end"] + 256

    def _tile(self) -> None:
        c, w, s = self.c, self.w, self.s
        block, width = self._block_rows(), self.tile_width
        m, n = s.bound(c.m_extent), s.bound(c.n.extent)
        blocks = symbolic.floordiv(c.m_extent + (block - 1), block)
        strips = symbolic.floordiv(c.n.extent + (width - 1), width)
        outer = product(r.extent for r in c.outer)
        self.tiles = blocks * strips * outer * c.parts
        places, short = self._places(), scalar.SHORT[c.value.dtype]
        w.line("table = buffer_i64(scratch, 100)")
        w.line(f"c = buffer_{short}(scratch + {places['c']}, 101)")
        if c.transposed:
            w.line(f"turned = buffer_{short}(scratch + {places['turned']}, 102)")
        with self._each_tile():
            self._decode_tile(blocks, strips)
            w.line(f"row0 = block * {block}")
            w.line(f"rows = min({block}, {m} - row0)")
            w.line(f"lane0 = strip * {width}")
            exact = isinstance(c.n.extent, int) and c.n.extent % width == 0
            w.line(f"lane1 = lane0 + {width}" if exact else f"lane1 = min(lane0 + {width}, {n})")
            self._a_address()
            write_row_table(c, w, s, self.item, self.beyond)
            self._reduction()
            self._epilogue()

    def _each_tile(self) -> AbstractContextManager[None]:
        """The loop over the tiles; before it, their share of the borders of padded targets is written."""
        if self.borders:
            write_borders(self.w, self.s, self.names, self.borders, self.tiles)
        return self.w.block("for tile in range(begin, end):")

    def _decode_tile(self, blocks: int | Int, strips: int | Int) -> None:
        w, s = self.w, self.s
        w.line("rest = tile")
        write_position(w, s, blocks, strips, self._blocks_together())
        self._write_outer()
        w.line("part = rest")
        if self.part is not None:
            s.axis_names[self.part] = "part"

    def _blocks_together(self) -> int:
        """Blocks of rows whose A fits into half of the second-level cache, for one strip after the other."""
        return host().l2 // 2 // (self._block_rows() * hint(self.c.k_extent) * self.item)

    def _write_outer(self) -> None:
        """The outer indices that `rest` stands for; what is left of it is above them."""
        w, s = self.w, self.s
        for k, r in reversed(list(enumerate(self.c.outer))):
            name, extent = self._outer_name(k), r.extent
            if extent == 1:
                w.line(f"{name} = 0")
                continue
            w.line(f"quotient = index_div(rest, {s.integer(extent)})")
            w.line(f"{name} = rest - quotient * {s.integer(extent)}")
            w.line("rest = quotient")
        for k, axis in enumerate(self.outer):
            s.axis_names[axis] = self._outer_name(k)

    def _outer_name(self, k: int) -> str:
        return f"o{k}"

    def _a_address(self) -> None:
        """Where A of this tile begins."""
        a: int | Int = self.c.a.offset
        for r, axis in zip(self.c.outer, self.outer, strict=True):
            a = a + r.a * Int.of(axis)
        self.w.line(f"a0 = a + {self.s.integer(a * self.item)}")

    def _b_address(self) -> None:
        """Where B of the panel that begins with column `first` begins."""
        c, w = self.c, self.w
        if c.packed:
            panel: int | Int = 0
            for r, axis in zip(c.outer, self.outer, strict=True):
                if r.b != 0:
                    panel = panel * r.extent + Int.of(axis)
            panels = symbolic.floordiv(c.n.extent + (c.columns - 1), c.columns)
            before = self.s.integer(panel * panels)
            size = self.s.integer(c.k_extent * (c.columns * self.item))
            w.line(f"b0 = b + ({before} + index_div(first, {c.columns})) * {size}")
            return
        b: int | Int = c.b.offset
        for r, axis in zip(c.outer, self.outer, strict=True):
            b = b + r.b * Int.of(axis)
        w.line(f"b0 = b + {self.s.integer(b * self.item)} + first * {self.item}")

    def _reduction(self) -> None:
        """All steps of the reduction (or of this part of it), in passes that the caches hold."""
        w, s, blocked = self.w, self.s, self._is_blocked()
        k0 = s.bound(self.k0.extent)
        passes = product(r.extent for r in self.k_outer)
        count = s.integer(passes)
        if blocked:
            w.line(f"k_blocks = index_div({k0} + {self.block_k - 1}, {self.block_k})")
            count = f"{count} * k_blocks"
        if self.c.parts > 1:
            w.line(f"first_pass = {count} * part // {self.c.parts}")
            w.line(f"last_pass = {count} * (part + 1) // {self.c.parts}")
        else:
            w.line("first_pass = 0")
            w.line(f"last_pass = {count}")
        if self.c.parts > 1 or isinstance(self.c.k_extent, Int):  # a part, or a batch, may be empty
            with (
                w.block("if first_pass == last_pass:"),
                w.block(f"for j in range(rows * {self.tile_width}):"),
            ):
                w.line(f"c[j] = {scalar.literal(0, self.c.value.dtype)}")
        if self.moves:
            w.line("moved = 0")
        with w.block("for k_pass in range(first_pass, last_pass):"):
            self._pass_position(blocked, k0)
            if self.moves:
                with w.block("if a_k != moved:"):
                    with w.block(f"for r in range(filled + {self.beyond}):"):
                        w.line("table[r] += a_k - moved")
                    w.line("moved = a_k")
            with w.block(f"for first in range(lane0, lane1, {self.c.columns}):"):
                self._b_address()
                self._micro_calls()

    def _is_blocked(self) -> bool:
        """Is the micro-kernel's inner loop cut into blocks?"""
        most = (2 if self.c.parts == 1 else 1) * self.block_k
        return not isinstance(self.k0.extent, int) or (self.k1.extent == 1 and self.k0.extent > most)

    @property
    def moves(self) -> bool:
        """Are there several passes, so that the rows' addresses move along the reduction?"""
        return self._is_blocked() or bool(self.k_outer)

    def _pass_position(self, blocked: bool, k0: str) -> None:
        """Offsets of this pass in A and B."""
        w, s = self.w, self.s
        if blocked or self.k_outer:
            w.line("rest = k_pass")
        if blocked:
            w.line("k_block = rest % k_blocks")
            w.line("rest = index_div(rest, k_blocks)")
            w.line(f"k_count = min({self.block_k}, {k0} - k_block * {self.block_k})")
            w.line(f"a_k = k_block * {s.integer(self.k0.a * (self.block_k * self.item))}")
            w.line(f"b_k = k_block * {s.integer(self.k0.b * (self.block_k * self.item))}")
        else:
            w.line(f"k_count = {k0}")
            w.line("a_k = 0")
            w.line("b_k = 0")
        for number, r in reversed(list(enumerate(self.k_outer))):
            if number:
                w.line(f"step = rest % {s.integer(r.extent)}")
                w.line(f"rest = index_div(rest, {s.integer(r.extent)})")
            else:
                w.line("step = rest")
            w.line(f"a_k += step * {s.integer(r.a * self.item)}")
            w.line(f"b_k += step * {s.integer(r.b * self.item)}")

    def _micro_calls(self) -> None:
        """The sums of a tile, by narrower micro-kernels where an open extent leaves half the lanes empty."""
        c, w = self.c, self.w
        if self.narrow is None:
            self._rows(c.rows, c.columns)
            return
        rows, columns = self.narrow
        with w.block(f"if lane1 - first <= {columns}:"):
            self._rows(rows, columns)
        with w.block("else:"):
            self._rows(c.rows, c.columns)

    def _rows(self, rows: int, columns: int) -> None:
        """Whole tiles of rows, then what is left in smaller ones, of those sizes that occur."""
        w, sizes = self.w, self._occurring(_row_sizes(rows))
        w.line("r = 0")
        with w.block("while r < filled:"):
            if len(sizes) == 1:
                self._micro_call(min(sizes), columns)
                return
            *smaller, whole = sizes
            for k, size in enumerate(smaller):
                with w.block(f"{'elif' if k else 'if'} filled - r <= {sizes[size]}:"):
                    self._micro_call(size, columns)
            with w.block("else:"):
                self._micro_call(whole, columns)

    def _occurring(self, sizes: dict[int, int]) -> dict[int, int]:
        """The sizes that some tile takes; all where kernels of other numbers of rows share the source."""
        m, block = self.c.m_extent, self._block_rows()
        if not isinstance(m, int) or not 0 < m <= CONSTANT_EXTENT:
            return sizes
        found = set()
        for left in (min(m, block), m % block):
            while left > 0:
                size = next(size for size, most in sizes.items() if left <= most)
                found.add(size)
                left -= size
        return {size: most for size, most in sizes.items() if size in found}

    def _micro_call(self, rows: int, columns: int) -> None:
        c, s = self.c, self.s
        step = self.item * (2 if c.pairs else 1)  # bytes that one step of the micro-kernel takes from A
        self._call(
            self._micro_source(rows, columns),
            s.bound(self.k1.extent), "index_div(k_count, 2)" if c.pairs else "k_count", "address(table, r)",
            s.integer(self.k1.a * self.item), s.integer(self.k0.a * step), "b0 + b_k",
            s.integer(self.k1.b * self.item), s.integer(self.k0.b * step),
            f"address(c, r * {self.tile_width} + first - lane0)",
            self.tile_width * self.out_item, "i64(k_pass > first_pass)",
        )  # fmt: skip
        if self.ahead.is_worth and rows > 1:
            used = self.ahead.write(self.w, s, self.names, self._block_rows(), rows)
            self.externals += [source for source in used if source not in self.externals]
        self.w.line(f"r += {rows}")

    def _call(self, source: KernelSource, *values: object) -> None:
        if source not in self.externals:
            self.externals.append(source)
        self.w.line(f'call_external("{source.symbol}", {", ".join(map(str, values))})')

    def _micro_source(self, rows: int, columns: int) -> KernelSource:
        return micro_source(rows, columns, self.c.dtype, self.unit_k)

    def _epilogue(self) -> None:
        c, w, s = self.c, self.w, self.s
        block = self._block_rows() + self.beyond + 1
        with s.scope():
            self._hoist()
            if c.transposed:
                source, item = transpose_source(8 * self.out_item), self.out_item
                self.externals.append(source)
                sizes = f"address(c, 0), {c.columns * item}, address(turned, 0), {block * item}"
                w.line(f'call_external("{source.symbol}", filled, {c.columns}, {sizes})')
                self._nest(
                    self.lane,
                    "lane0",
                    "lane1",
                    self.row,
                    "row0",
                    "row0 + filled",
                    f"turned[(lane - lane0) * {block} + row - row0]",
                )
            else:
                self._nest(
                    self.row,
                    "row0",
                    "row0 + filled",
                    self.lane,
                    "lane0",
                    "lane1",
                    f"c[(row - row0) * {self.tile_width} + lane - lane0]",
                )


def aligned(size: int) -> int:
    """The size in whole cache lines: a vector that lies on two lines costs two accesses."""
    return -(-size // 64) * 64


def _row_sizes(rows: int) -> dict[int, int]:
    """Rows that micro-kernels take at once, and up to how many rows that are left they take them."""
    few = rows // 3
    small = {1: 1, few: rows - few} if few > 1 else {1: (rows - 1) // 3}
    return {size: most for size, most in small.items() if most} | {rows: LONG_BLOCK_ROWS}
