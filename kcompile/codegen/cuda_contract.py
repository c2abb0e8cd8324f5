"""`Contract` kernels as CUDA source: tiles in shared memory, sums in registers, then the epilogue.

A block is (part of the reduction, outer index, panel of output columns, block of output rows). A thread finds
its places in A and B from the axes' strides once per block and once per step of the reduction, so images need
no im2col and no operand is packed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kcompile.codegen import scalar
from kcompile.codegen.contraction_axes import axis_values, positions
from kcompile.codegen.cuda_source import CudaKernel, loaded_memory, source_of
from kcompile.codegen.cuda_statements import CudaStatements, Team, item_bytes
from kcompile.codegen.expressions import Names, hoistable, resolve
from kcompile.codegen.nest import Offsets
from kcompile.codegen.writer import Writer
from kcompile.core import symbolic
from kcompile.core.symbolic import Int, product
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Contract
from kcompile.ir.loops import Axis, Expr, Index, accumulator, walk
from kcompile.ir.views import flat_offset
from kcompile.kernels.contract.cuda import SIDE, THREADS, choose, multiplication, sum_name, sums
from kcompile.schedule.contraction import Contraction
from kcompile.schedule.roles import AxisRole, hint


def emit_contract(kernel: Contract, aliases: Mapping[Value, Value]) -> CudaKernel:
    """The kernel of a contraction with its epilogue."""
    return _ContractEmitter(kernel, aliases).emit()


class _ContractEmitter:
    def __init__(self, kernel: Contract, aliases: Mapping[Value, Value]):
        c: Contraction = kernel.contraction
        self.kernel, self.c = kernel, c
        self.outer_extent = product(r.extent for r in c.outer)
        self.tile = choose(hint(c.m_extent), hint(c.n.extent), hint(self.outer_extent) * c.parts)
        self.row, self.lane = Axis(c.m_extent, "row"), Axis(c.n.extent, "lane")
        self.outer = [Axis(r.extent, "outer") for r in c.outer]
        env = axis_values(c, kernel.index, positions(c, self.row, self.lane, self.outer))
        offsets: Offsets = {}
        self.stores: list[tuple[Value, Index, Expr]] = []
        for store in kernel.stores:
            moved = tuple(symbolic.substitute(i, env) for i in store.index)
            self.stores.append((store.target, moved, resolve(store.expr.substitute(env), offsets)))
        self.names, self.w = Names(aliases), Writer()
        self.w.depth = 1
        self.s = CudaStatements(self.w, self.names, offsets, Team(THREADS, 1))

    def emit(self) -> CudaKernel:
        c, kernel, tile = self.c, self.kernel, self.tile
        self.a_buffer, self.b_buffer = self.names.buffer(c.a.base), self.names.buffer(kernel.b_memory)
        for target, _, _ in self.stores:
            self.names.buffer(target)
        blocks = self._places()
        self._reduction()
        self._epilogue()
        kind = scalar.SHORT[c.value.dtype]
        shared = f"tile = cuda.shared.array({tile.shared_elements}, {kind})"
        return CudaKernel(
            source_of(self.names, [shared], self.w, kernel.name, THREADS),
            tuple(self.names.buffers),
            tuple(self.names.numbers),
            blocks,
            tile.shared_elements * item_bytes(c.value.dtype),
            tuple(self.names.memory(t) for t, _, _ in self.stores),
            loaded_memory(self.names, kernel.reads),
            kernel.name,
            flops=c.flops,
            work=c.flops // 2,
            fused=kernel.fused,
        )

    # -- where ------------------------------------------------------------------------------------------

    def _places(self) -> int | Int:
        """The block's place in the output and the operands, the thread's rows and columns; returns the number
        of blocks.
        """
        c, w, s, tile = self.c, self.w, self.s, self.tile
        down = symbolic.floordiv(c.m_extent + (tile.rows - 1), tile.rows)
        across = symbolic.floordiv(c.n.extent + (tile.columns - 1), tile.columns)
        w.line("thread = i64(cuda.threadIdx.x)")
        w.line(f"down = index_div(thread, {SIDE})")
        w.line(f"across = thread - down * {SIDE}")
        names = [f"o{k}" for k in range(len(c.outer))]
        self._digits(
            "i64(cuda.blockIdx.x)",
            ["part", *names, "panel", "block"],
            [c.parts, *(r.extent for r in c.outer), across, down],
        )
        for axis, name in zip(self.outer, names, strict=True):
            s.axis_names[axis] = name
        if self.kernel.part is not None:
            s.axis_names[self.kernel.part] = "part"
        w.line(f"row0 = block * {tile.rows}")
        w.line(f"lane0 = panel * {tile.columns}")
        for name, view, stride in (("a", c.a, "a"), ("b", c.b, "b")):
            base: int | Int = view.offset
            for r, axis in zip(c.outer, self.outer, strict=True):
                base = base + getattr(r, stride) * Int.of(axis)
            w.line(f"{name}_base = {s.integer(base)}")
        return down * across * self.outer_extent * c.parts

    def _digits(self, flat: str, names: Sequence[str], extents: Sequence[int | Int]) -> None:
        """Named digits of a row-major number."""
        w, s = self.w, self.s
        counted = [n for n, e in zip(names, extents, strict=True) if e != 1]
        for name, extent in reversed(list(zip(names, extents, strict=True))):
            if extent == 1:
                w.line(f"{name} = 0")
            elif name == counted[0]:
                w.line(f"{name} = {flat}")
            else:
                rest = w.name("q")
                w.line(f"{rest} = index_div({flat}, {s.bound(extent)})")
                w.line(f"{name} = {flat} - {rest} * {s.bound(extent)}")
                flat = rest

    def _offset(self, flat: str, roles: Sequence[AxisRole], stride: str) -> str:
        """Statements for the element offset at a row-major position along roles; returns its text."""
        names = [flat] if len(roles) == 1 else [self.w.name("d") for _ in roles]
        if len(roles) > 1:
            self._digits(flat, names, [r.extent for r in roles])
        terms = [_times(n, self.s.integer(getattr(r, stride))) for n, r in zip(names, roles, strict=True)]
        return " + ".join(terms) or "0"

    # -- the reduction -----------------------------------------------------------------------------------

    def _reduction(self) -> None:
        c, w, s, tile = self.c, self.w, self.s, self.tile
        zero = scalar.literal(0, c.value.dtype)
        a_rows = self._lines(c.m, "row0", tile.rows, "a", bool(c.m) and c.m[-1].a == 1)
        b_lanes = self._lines([c.n], "lane0", tile.columns, "b", c.n.b == 1)
        for i, j in sums(tile):
            w.line(f"{sum_name(i, j)} = {zero}")
        total = s.bound(c.k_extent)
        if c.parts > 1:
            w.line(f"low = {total} * part // {c.parts}")
            w.line(f"high = {total} * (part + 1) // {c.parts}")
        else:
            w.line("low = 0")
            w.line(f"high = {total}")
        with w.block(f"for k0 in range(low, high, {tile.depth}):"):
            self._bring(*a_rows, "a", self.a_buffer, 0, tile.row_stride, zero)
            self._bring(*b_lanes, "b", self.b_buffer, tile.depth * tile.row_stride, tile.column_stride, zero)
            w.line("cuda.syncthreads()")
            with w.block(f"for kk in range({tile.depth}):"):
                for line in multiplication(tile):
                    w.line(line)
            w.line("cuda.syncthreads()")

    def _lines(
        self, roles: Sequence[AxisRole], start: str, size: int, stride: str, side_by_side: bool
    ) -> tuple[str, str, list[tuple[str, str]]]:
        """What a thread loads of one operand: its variables along the line and along the reduction; (inside?,
        offset) of its lines.

        Neighbouring threads take neighbours in memory: along the lines if those lie side by side, else along
        the reduction.
        """
        place, step = ("across", "down") if side_by_side else ("down", "across")
        extent = product(r.extent for r in roles)
        found = []
        for i in range(size // SIDE):
            position, inside, offset = f"{stride}_at{i}", f"{stride}_in{i}", f"{stride}_line{i}"
            self.w.line(f"{position} = {start} + {place}{_more(i)}")
            self.w.line(f"{inside} = {position} < {self.s.bound(extent)}")
            self.w.line(f"{offset} = {stride}_base + {self._offset(position, roles, stride)}")
            found.append((inside, offset))
        return place, step, found

    def _bring(
        self,
        place: str,
        step: str,
        lines: list[tuple[str, str]],
        stride: str,
        buffer: str,
        first: int,
        length: int,
        zero: str,
    ) -> None:
        """One operand's tile from memory to shared memory, with zeros beyond the edges."""
        w = self.w
        w.line(f"{stride}_k = k0 + {step}")
        w.line(f"{stride}_step = {self._offset(f'{stride}_k', self.c.k, stride)}")
        for i, (inside, offset) in enumerate(lines):
            value = f"{stride}{i}"
            w.line(f"{value} = {zero}")
            with w.block(f"if {inside} & ({stride}_k < high):"):
                w.line(f"{value} = {buffer}[at({offset} + {stride}_step)]")
            start = f"{first} + " if first else ""
            w.line(f"tile[at({start}{step} * {length} + {place}{_more(i)})] = {value}")

    # -- the epilogue ------------------------------------------------------------------------------------

    def _epilogue(self) -> None:
        """Sums to shared memory, then each store in the order of its own memory."""
        c, w, s, tile = self.c, self.w, self.s, self.tile
        for i, j in sums(tile):
            w.line(f"tile[at((down{_more(i)}) * {tile.column_stride} + across{_more(j)})] = {sum_name(i, j)}")
        w.line("cuda.syncthreads()")
        self._hoist()
        names, extents = ("r", "l"), (tile.rows, tile.columns)
        if c.transposed:
            names, extents = names[::-1], extents[::-1]
        with w.block(f"for place in range(thread, {tile.rows * tile.columns}, {THREADS}):"), s.scope():
            w.line(f"{names[0]} = index_div(place, {extents[1]})")
            w.line(f"{names[1]} = place - {names[0]} * {extents[1]}")
            w.line("row = row0 + r")
            w.line("lane = lane0 + l")
            with w.block(f"if (row < {s.bound(c.m_extent)}) & (lane < {s.bound(c.n.extent)}):"), s.scope():
                w.line(f"acc = tile[at(r * {tile.column_stride} + l)]")
                s.bind(accumulator(c.value.dtype), "acc")
                s.axis_names |= {self.row: "row", self.lane: "lane"}
                texts = [s.emit(scalar.unrounded(e, target.dtype)) for target, _, e in self.stores]
                for (target, at, _), text in zip(self.stores, texts, strict=True):
                    s.store(target, flat_offset(target, at), text)

    def _hoist(self) -> None:
        bound = set(self.s.axis_names)
        for _, _, e in self.stores:
            for part in hoistable(e, bound):
                if all(p.op != "acc" for p in walk(part)):
                    self.s.emit(part)


def _times(name: str, factor: str) -> str:
    return name if factor == "1" else f"{name} * {factor}"


def _more(i: int) -> str:
    """To a thread's i-th row or column from its first."""
    return f" + {SIDE * i}" if i else ""
