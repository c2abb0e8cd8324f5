"""The packing of a contraction's B operand into panels, as Numba source: `columns` elements a step."""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.codegen import scalar
from kcompile.codegen.expressions import Names, Statements
from kcompile.codegen.families import transpose_source
from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import MODULES, KernelSpec
from kcompile.codegen.writer import Writer
from kcompile.core import dtypes, symbolic
from kcompile.core.symbolic import product
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Pack
from kcompile.schedule.contraction import Contraction, packed_size
from kcompile.schedule.roles import AxisRole


def emit_pack(kernel: Pack, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel that copies B into panels: per outer index and panel, every step of the reduction, `columns`
    elements a step.
    """
    c, target, name = kernel.contraction, kernel.target, kernel.name
    kind, columns = "i16" if c.pairs else scalar.SHORT[c.dtype], c.columns
    names, w = Names(aliases), Writer()
    w.depth = 1
    s = Statements(w, names, {})
    outer = [r for r in c.outer if r.b != 0]
    panels = symbolic.floordiv(c.n.extent + (columns - 1), columns)
    externals: list[KernelSource] = []
    with w.block("for tile in range(begin, end):"):
        w.line("rest = tile")
        w.line(f"panel = rest % {s.integer(panels)}")
        w.line(f"rest = index_div(rest, {s.integer(panels)})")
        w.line(f"lane0 = panel * {columns}")
        w.line(f"cols = min({columns}, {s.bound(c.n.extent)} - lane0)")
        w.line(f"source = {s.integer(c.b.offset)} + {_lane_offset(c, s, 'lane0')}")
        for r in reversed(outer):
            w.line(f"source += (rest % {s.integer(r.extent)}) * {s.integer(r.b)}")
            w.line(f"rest = index_div(rest, {s.integer(r.extent)})")
        w.line(f"at = tile * {s.integer(c.k_extent * columns)}")
        _pack_loops(c, list(c.k), w, s, externals, "source", 0)
    head = Writer()
    with head.block("def kernel(args, begin, end, scratch):"):
        head.line(f"x = buffer_{kind}(args[0], 0)")
        head.line(f"y = buffer_{kind}(args[1], 1)")
        for slot, number in enumerate(names.numbers.values(), 2):
            head.line(f"{number} = args[{slot}]")
    source = KernelSource(head.text() + w.text(), name, externals=tuple(externals), modules=MODULES)
    size = packed_size(c)
    tiles = product(r.extent for r in outer) * panels
    return KernelSpec(
        source,
        (names.memory(c.b.base), target),
        tuple(names.numbers),
        tiles,
        (target,),
        name,
        work=size,
        fused=("pack",),
    )


def _lane_offset(c: Contraction, s: Statements, lane: str) -> str:
    """Text: elements of B before a lane's; for `lane` the first one of a panel, or one within it."""
    if c.groups is None:
        return f"{lane} * {s.integer(c.n.b)}"
    columns = c.groups.columns
    column = f"({lane} % {columns}) * {s.integer(c.n.b)}"
    return f"index_div({lane}, {columns}) * {s.integer(c.groups.step)} + {column}"


def _pack_loops(
    c: Contraction,
    axes: list[AxisRole],
    w: Writer,
    s: Statements,
    externals: list[KernelSource],
    source: str,
    depth: int,
) -> None:
    item, columns = dtypes.itemsize(c.dtype), c.columns
    first = axes[0]
    if len(axes) > 1:
        with w.block(f"for k{depth} in range({s.bound(first.extent)}):"):
            w.line(f"source{depth} = {source} + k{depth} * {s.integer(first.b)}")
            _pack_loops(c, axes[1:], w, s, externals, f"source{depth}", depth + 1)
        return
    if c.pairs:
        _pack_pairs(c, first, w, s, externals, source)
        return
    extent, zero = s.bound(first.extent), scalar.literal(0, c.value.dtype)
    if first.b == 1 and c.n.b != 1 and not c.groups:
        turn = transpose_source(8 * item)
        externals.append(turn)
        sizes = f"address(x, {source}), {s.integer(c.n.b * item)}, address(y, at), {columns * item}"
        w.line(f'call_external("{turn.symbol}", cols, {extent}, {sizes})')
        with (
            w.block(f"if cols < {columns}:"),
            w.block(f"for k in range({extent}):"),
            w.block(f"for j in range(cols, {columns}):"),
        ):
            w.line(f"y[at + k * {columns} + j] = {zero}")
    else:
        with w.block(f"for k in range({extent}):"):
            with w.block("for j in range(cols):"):
                w.line(
                    f"y[at + k * {columns} + j] = "
                    f"x[{source} + k * {s.integer(first.b)} + {_lane_offset(c, s, 'j')}]"
                )
            with w.block(f"for j in range(cols, {columns}):"):
                w.line(f"y[at + k * {columns} + j] = {zero}")
    w.line(f"at += {extent} * {columns}")


def _pack_pairs(
    c: Contraction, r: AxisRole, w: Writer, s: Statements, externals: list[KernelSource], source: str
) -> None:
    """The innermost axis of the reduction by twos: elements k and k + 1 of a column side by side."""
    columns, count = c.columns, s.integer(r.extent // 2)
    if r.b == 1 and c.n.b != 1:  # they lie so already: a pair is moved like one number of 32 bits
        turn = transpose_source(32)
        externals.append(turn)
        sizes = f"address(x, {source}), {s.integer(c.n.b * 2)}, address(y, at), {columns * 4}"
        w.line(f'call_external("{turn.symbol}", cols, {count}, {sizes})')
    with w.block(f"for k in range({count}):"):
        w.line(f"to = at + k * {2 * columns}")
        if r.b != 1 or c.n.b == 1:
            w.line(f"first = {source} + 2 * k * {s.integer(r.b)}")
            w.line(f"second = first + {s.integer(r.b)}")
            with w.block("for j in range(cols):"):
                w.line(f"y[to + 2 * j] = x[first + j * {s.integer(c.n.b)}]")
                w.line(f"y[to + 2 * j + 1] = x[second + j * {s.integer(c.n.b)}]")
        with w.block(f"for j in range(2 * cols, {2 * columns}):"):
            w.line("y[to + j] = 0")
    w.line(f"at += {count} * {2 * columns}")
