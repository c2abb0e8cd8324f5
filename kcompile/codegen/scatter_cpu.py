"""Scatter kernels as Numba source. A tile owns a range of columns and adds all rows' updates in order, so no
two threads meet and the sums are the same bits for any number of threads."""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.codegen import scalar
from kcompile.codegen.expressions import Names, Statements, hoistable, resolve
from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import MODULES, KernelSpec
from kcompile.codegen.writer import Writer
from kcompile.core import symbolic
from kcompile.core.symbolic import Int, product
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Loop
from kcompile.ir.loops import Index, axis_of
from kcompile.schedule.scatter import Scatter, scatter_of

COLUMNS = 32  # columns of a tile: two cache lines


def emit_scatter(kernel: Loop, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel of a loop whose only store is a scatter."""
    (store,) = kernel.stores
    found = scatter_of(store.expr, True)
    assert found is not None
    names, w = Names(aliases), Writer()
    offsets: dict[tuple[Value, Index], int | Int] = {}
    resolve(found.position, offsets), resolve(found.update, offsets)
    s = Statements(w, names, offsets)
    target = names.buffer(store.target)
    columns = [a for a in (axis_of(i) for i in store.index) if a is not None and a is not found.row]
    width = product(a.extent or 1 for a in columns)
    rows = found.row.extent if found.row.extent is not None else 1
    w.depth = 1
    kind = store.target.dtype
    with w.block("for tile in range(begin, end):"):
        w.line(f"low = tile * {COLUMNS}")
        w.line(f"high = min(low + {COLUMNS}, {s.integer(width)})")
        with w.block(f"for row in range({s.bound(rows)}):"), w.block("for column in range(low, high):"):
            w.line(f"{target}[row * {s.integer(width)} + column] = {scalar.literal(0, kind)}")
        _updates(s, found, store.expr.attr[1], columns, target, width, rows, kind)
    head = Writer()
    with head.block("def kernel(args, begin, end, scratch):"):
        for slot, (value, buffer) in enumerate(names.buffers.items()):
            head.line(f"{buffer} = buffer_{scalar.SHORT[value.dtype]}(args[{slot}], {slot})")
        for slot, number in enumerate(names.numbers.values(), len(names.buffers)):
            head.line(f"{number} = args[{slot}]")
    times = product(a.extent or 1 for a in store.expr.attr[1])
    return KernelSpec(
        KernelSource(head.text() + w.text(), kernel.name, modules=MODULES),
        tuple(names.buffers),
        tuple(names.numbers),
        symbolic.floordiv(width + (COLUMNS - 1), COLUMNS),
        (names.memory(store.target),),
        kernel.name,
        flops=times * width,
        work=(times + rows) * width,
        fused=kernel.fused,
    )


def _updates(
    s: Statements,
    found: Scatter,
    axes: tuple,
    columns: list,
    target: str,
    width: int | Int,
    rows: int | Int,
    kind: str,
) -> None:
    w = s.w
    if axes:
        with s.loop(axes[0]), s.scope():
            _updates(s, found, axes[1:], columns, target, width, rows, kind)
        return
    if not found.along:
        for part in hoistable(found.update, set(s.axis_names)):
            s.emit(part)
        w.line(f"row = i64({s.emit(found.position)})")
        with w.block(f"if row >= 0 and row < {s.bound(rows)}:"), w.block("for column in range(low, high):"):
            _add(s, found, columns, target, width, rows, kind)
        return
    with w.block("for column in range(low, high):"):
        _add(s, found, columns, target, width, rows, kind)


def _add(
    s: Statements, found: Scatter, columns: list, target: str, width: int | Int, rows: int | Int, kind: str
) -> None:
    """One update of one column; where columns have positions of their own, these are found here."""
    w = s.w
    with s.scope():
        rest = "column"
        for number, a in reversed(list(enumerate(columns))):
            name = f"c{number}"
            if number == 0:
                w.line(f"{name} = {rest}")
            else:
                extent = s.bound(a.extent if a.extent is not None else 1)
                w.line(f"{name} = {rest} % {extent}")
                w.line(f"rest{number} = index_div({rest}, {extent})")
                rest = f"rest{number}"
            s.axis_names[a] = name
        place = f"{target}[row * {s.integer(width)} + column]"
        if found.along:
            w.line(f"row = i64({s.emit(found.position)})")
            with w.block(f"if row >= 0 and row < {s.bound(rows)}:"), s.scope():
                w.line(f"{place} = {scalar.combine('sum', kind, place, s.emit(found.update))}")
        else:
            w.line(f"{place} = {scalar.combine('sum', kind, place, s.emit(found.update))}")
        for a in columns:
            del s.axis_names[a]
