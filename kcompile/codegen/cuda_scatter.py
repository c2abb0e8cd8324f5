"""Scatter kernels as CUDA source: a thread owns one column of a range of rows and adds there in order.

No two threads write one element, so nothing is atomic and the same inputs give the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.codegen import scalar
from kcompile.codegen.cuda_source import CudaKernel, loaded_memory, source_of
from kcompile.codegen.cuda_statements import CudaStatements, Team
from kcompile.codegen.expressions import Names, resolve, size_of
from kcompile.codegen.nest import Offsets
from kcompile.codegen.writer import Writer
from kcompile.core import symbolic
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Loop
from kcompile.ir.loops import Axis, axis_of
from kcompile.ir.views import flat_offset
from kcompile.schedule.lower import loads
from kcompile.schedule.scatter import Scatter, scatter_of

THREADS = 64
RANGES = 64  # of rows: as many threads per column


def emit_scatter(kernel: Loop, aliases: Mapping[Value, Value]) -> CudaKernel:
    """The kernel of a loop whose only store is a scatter."""
    (store,) = kernel.stores
    found = scatter_of(store.expr)
    assert found is not None, "the caller asked scatter_of first"
    names, w, offsets = Names(aliases), Writer(), Offsets()
    resolve(found.position, offsets), resolve(found.update, offsets)
    w.depth = 1
    s = CudaStatements(w, names, offsets, Team(THREADS, 1))
    names.buffer(store.target)
    columns = [a for a in (axis_of(i) for i in store.index) if a is not None and a is not found.row]
    width, rows = size_of(columns), size_of([found.row])
    w.line(f"thread = i64(cuda.blockIdx.x) * {THREADS} + i64(cuda.threadIdx.x)")
    with w.block(f"if thread < {s.bound(width * RANGES)}:"), s.scope():
        w.line(f"share = index_div(thread, {s.bound(width)})")
        w.line(f"column = thread - share * {s.bound(width)}")
        w.line(f"low = {s.bound(rows)} * share // {RANGES}")
        w.line(f"high = {s.bound(rows)} * (share + 1) // {RANGES}")
        s.decode("column", columns)
        s.axis_names[found.row] = "row"
        place = f"{names.buffer(store.target)}[at({s.integer(flat_offset(store.target, store.index))})]"
        with w.block("for row in range(low, high):"):
            w.line(f"{place} = {scalar.literal(0, store.target.dtype)}")
        _updates(s, found, store.expr.attr[1], place)
    times = size_of(store.expr.attr[1])
    loaded = {load.attr[0] for load in loads(store.expr)}
    return CudaKernel(
        source_of(names, [], w, kernel.name, THREADS),
        tuple(names.buffers),
        tuple(names.numbers),
        symbolic.floordiv(width * RANGES + (THREADS - 1), THREADS),
        0,
        (names.memory(store.target),),
        loaded_memory(names, loaded),
        kernel.name,
        flops=times * width,
        work=(times + rows) * width,
        fused=kernel.fused,
    )


def _updates(s: CudaStatements, found: Scatter, axes: tuple[Axis, ...], place: str) -> None:
    """One loop per reduced axis; innermost, the update goes to its row if the row is this thread's."""
    if axes:
        with s.loop(axes[0]), s.scope():
            _updates(s, found, axes[1:], place)
        return
    s.w.line(f"row = i64({s.emit(found.position)})")
    with s.w.block("if (row >= low) & (row < high):"), s.scope():
        dtype = found.update.dtype
        s.w.line(f"{place} = {scalar.combine('sum', dtype, place, s.emit(found.update))}")
