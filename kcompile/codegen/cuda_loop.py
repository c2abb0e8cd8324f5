"""`Loop` kernels as CUDA source, in one of three layouts.

- map: a thread per point of the shared axes; whatever is reduced, a thread reduces alone.
- columns: 32 neighbouring points per block, 8 workers for each; for sums down columns.
- rows: one point per block, all threads its workers; for sums along rows, and stores with inner axes.

Neighbouring threads touch neighbouring elements in all three. Nothing is atomic, so the same inputs give the
same bits.
"""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.codegen import scalar
from kcompile.codegen.cuda_source import CudaKernel, loaded_memory, source_of
from kcompile.codegen.cuda_statements import CudaStatements, Team
from kcompile.codegen.expressions import Names, hoistable, is_unrolled, size_of
from kcompile.codegen.nest import Nest, StoreItem, column_reductions
from kcompile.codegen.writer import Writer
from kcompile.core import symbolic
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Loop
from kcompile.ir.loops import Expr
from kcompile.schedule.lower import loads
from kcompile.schedule.roles import hint

MAP_THREADS = 256
COLUMNS = Team(points=32, workers=8)
SHORT = 32  # a reduction shorter than this is not worth sharing
SHORT_COLUMN = 64
MANY_POINTS = 1 << 16  # as many threads keep a device busy without sharing reductions
ROW_WORKERS = (32, 256)
STEPS_PER_THREAD = 4  # of a block's share of a row that is only mapped


def emit_loop(kernel: Loop, aliases: Mapping[Value, Value]) -> CudaKernel:
    """The kernel that stores each expression over its axes."""
    return _LoopEmitter(kernel, aliases).emit()


class _LoopEmitter:
    def __init__(self, kernel: Loop, aliases: Mapping[Value, Value]):
        self.kernel, self.nest = kernel, Nest(kernel)
        self.shared_axes, self.items = self.nest.shared, self.nest.items
        self.loaded = {load.attr[0] for i in self.items for load in loads(i.expr)}
        self.common = list(dict.fromkeys(r for i in self.items for r in self._common_reductions(i.expr)))
        self.points = size_of(self.shared_axes)
        self.names, self.w = Names(aliases), Writer()
        self.w.depth = 1
        self.s = CudaStatements(self.w, self.names, self.nest.offsets, self._team())
        self.chunks = self._chunks()

    # -- layout ------------------------------------------------------------------------------------------

    def _common_reductions(self, e: Expr) -> list[Expr]:
        """Reductions that all of a point's elements share, none of them behind a guard."""
        found = [r for a in e.args[: 1 if e.op == "guard" else None] for r in self._common_reductions(a)]
        own = e.op == "reduce" and not is_unrolled(e) and e.free_axes <= set(self.shared_axes)
        return [*found, e] if own else found

    def _team(self) -> Team:
        inner = [a for i in self.items for a in i.inner]
        length = max((_length(r) for r in self.common), default=0)
        if not inner and (not self.common or (length < SHORT and self.points != 1)):
            return Team(MAP_THREADS, 1)
        if not inner and self._is_columnar():
            few = hint(self.points) < MANY_POINTS and length >= SHORT_COLUMN
            return COLUMNS if few else Team(MAP_THREADS, 1)
        sizes = [length, *(hint(size_of(i.inner)) for i in self.items)]
        workers = 1 << (max(sizes) - 1).bit_length()
        return Team(1, min(max(workers, ROW_WORKERS[0]), ROW_WORKERS[1]))

    def _is_columnar(self) -> bool:
        last = self.shared_axes[-1] if self.shared_axes else None
        return last is not None and all(column_reductions(r, last) for r in self.common)

    def _chunks(self) -> int:
        """Blocks for one row: more than one where nothing is reduced and every store has a row of its own."""
        if self.s.team.points > 1 or self.common or not all(i.inner for i in self.items):
            return 1
        longest = max(hint(size_of(i.inner)) for i in self.items)
        return -(-longest // (self.s.team.workers * STEPS_PER_THREAD))

    # -- text --------------------------------------------------------------------------------------------

    def emit(self) -> CudaKernel:
        team = self.s.team
        for item in self.items:
            self.names.buffer(item.target)
        if team.workers == 1:
            self._map()
        elif team.points > 1:
            self._columns()
        else:
            self._rows()
        name = self.kernel.name
        return CudaKernel(
            source_of(self.names, self.s.shared_lines(), self.w, name, team.threads),
            tuple(self.names.buffers),
            tuple(self.names.numbers),
            symbolic.floordiv(self.points + (team.points - 1), team.points) * self.chunks,
            self.s.shared_bytes(),
            tuple(self.names.memory(i.target) for i in self.items),
            loaded_memory(self.names, self.loaded),
            name,
            flops=self.nest.flops,
            work=self.nest.work,
            fused=self.kernel.fused,
        )

    def _map(self) -> None:
        total = self.s.bound(self.points)
        self.w.line(f"point = i64(cuda.blockIdx.x) * {self.s.team.threads} + i64(cuda.threadIdx.x)")
        with self.w.block(f"if point < {total}:"), self.s.scope():
            self.s.decode("point", self.shared_axes)
            self._write(self.items)

    def _columns(self) -> None:
        """Threads beyond the last point repeat it, because all must meet at the barriers."""
        w, team, total = self.w, self.s.team, self.s.bound(self.points)
        w.line("thread = i64(cuda.threadIdx.x)")
        w.line(f"worker = index_div(thread, {team.points})")
        w.line(f"lane = thread - worker * {team.points}")
        w.line(f"wanted = i64(cuda.blockIdx.x) * {team.points} + lane")
        w.line(f"point = min(wanted, {total} - 1)")
        self.s.decode("point", self.shared_axes)
        for r in self.common:
            self.s.emit(r)
        with w.block(f"if (worker == 0) & (wanted < {total}):"), self.s.scope(), self.s.apart():
            self._write(self.items)

    def _rows(self) -> None:
        w = self.w
        w.line("thread = i64(cuda.threadIdx.x)")
        w.line("worker = thread")
        w.line("block = i64(cuda.blockIdx.x)")
        if self.chunks > 1:
            w.line(f"point = index_div(block, {self.chunks})")
            w.line(f"first = (block - point * {self.chunks}) * {self.s.team.workers} + worker")
        else:
            w.line("point = block")
        self.s.decode("point", self.shared_axes)
        for r in self.common:
            self.s.emit(r)
        long, single = [i for i in self.items if i.inner], [i for i in self.items if not i.inner]
        for item in long:
            self._row(item)
        if single:
            if self.loaded & {self._leaf(i.target) for i in single}:
                w.line("cuda.syncthreads()")  # what one thread overwrites, others may have to read first
            with w.block("if worker == 0:"), self.s.scope(), self.s.apart():
                self._write(single)

    def _leaf(self, target: Value) -> Value:
        return self.names.memory(target)

    def _row(self, item: StoreItem) -> None:
        """One store's own axes, shared out over the block's threads."""
        with self.s.scope(), self.s.apart():
            for part in hoistable(item.expr, set(self.s.axis_names)):
                self.s.emit(part)
            size = self.s.bound(size_of(item.inner))
            step = self.w.name("k")
            stride = self.s.team.workers * self.chunks
            start = "first" if self.chunks > 1 else "worker"
            with self.w.block(f"for {step} in range({start}, {size}, {stride}):"), self.s.scope():
                self.s.decode(step, item.inner)
                self._write([item])
                self.s.forget(item.inner)

    def _write(self, items: list[StoreItem]) -> None:
        """All expressions before the first store: a store may overwrite what another expression reads."""
        texts = [self.s.emit(scalar.unrounded(i.expr, i.target.dtype)) for i in items]
        for item, text in zip(items, texts, strict=True):
            self.s.store(item.target, item.offset, text)


def _length(r: Expr) -> int:
    _, axes, part = r.attr
    total = hint(size_of(axes))
    return total if part is None else -(-total // part[1])
