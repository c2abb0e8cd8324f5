"""Filters of Winograd convolutions as Numba source: from taps to points, and their gradients back to taps.

Each group has filters of its own, and so has each shift of the images. Blocks of three taps of a longer axis
may overlap: a tap belongs to the first block that has it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from kcompile.codegen.expressions import Names
from kcompile.codegen.families import transform_source, transpose_source
from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import MODULES, KernelSpec
from kcompile.codegen.winograd_cut import FLOAT
from kcompile.codegen.winograd_rows import step_offset
from kcompile.codegen.writer import Writer
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Finish, Pack
from kcompile.kernels.winograd import POINTS, WINDOW
from kcompile.schedule.contraction import Contraction, packed_size
from kcompile.schedule.winograd import TAPS, Window

FILTER_BLOCK = 16  # filters transformed at a time, at most
SUM_BLOCK = 4  # channels summed at a time


def emit_filters(kernel: Pack, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel that transforms the filters: [group][shift][point][panel][depth][columns]."""
    return _Filters(kernel).emit(Names(aliases))


class _Filters:
    def __init__(self, kernel: Pack):
        c: Contraction = kernel.contraction
        assert c.window is not None
        self.kernel, self.c, self.x, self.w = kernel, c, c.window, Writer()
        self.depth, self.width, self.columns = int(c.window.depth.extent), int(c.n.extent), c.columns
        self.panels = -(-self.width // self.columns)
        self.copies = (*c.outer, *c.window.shifts)
        self.panel = self.depth * self.columns * FLOAT
        self.point = self.panels * self.panel
        steps = (c.window.row_taps.b, c.window.col_taps.b, c.n.b, c.window.depth.b)
        self.row, self.col, self.n, self.d = (int(v) * FLOAT for v in steps)
        # Vectors run along what lies side by side in memory: features, or the depth. A block of filters to
        # transpose lies within a panel.
        self.turns = self.n != FLOAT
        self.step = math.gcd(FILTER_BLOCK, self.columns) if self.turns else FILTER_BLOCK
        self.side = self.depth if self.turns else self.columns  # of what lies side by side
        self.externals = [transform_source("filter"), *([transpose_source(32)] if self.turns else [])]

    def emit(self, names: Names) -> KernelSpec:
        w, x = self.w, self.x
        of_copy = -(-self.width // self.step) if self.turns else self.panels * -(-self.depth // self.step)
        with w.block("def kernel(args, begin, end, scratch):"), w.block("for tile in range(begin, end):"):
            w.line(f"copy = index_div(tile, {of_copy})")
            w.line(f"part = tile - copy * {of_copy}")
            w.line(f"shift = copy % {x.shift_count}")
            offset = step_offset("copy", self.copies, "b")
            w.line(f"source = args[0] + {int(self.c.b.offset) * FLOAT} + {offset}")
            w.line(f"filters = args[1] + copy * {POINTS * self.point}")
            (self._turned if self.turns else self._straight)()
        source = KernelSource(w.text(), self.kernel.name, externals=tuple(self.externals), modules=MODULES)
        return KernelSpec(
            source,
            (names.memory(self.c.b.base), self.kernel.target),
            (),
            of_copy * math.prod(int(r.extent) for r in self.copies),
            (self.kernel.target,),
            self.kernel.name,
            scratch=(POINTS + TAPS * TAPS) * self.step * self.side * FLOAT,
            work=packed_size(self.c),
            fused=("filters",),
        )

    def _straight(self) -> None:
        """Vectors along the features of a panel."""
        w, columns = self.w, self.columns
        w.line(f"first = index_div(part, {self.panels}) * {self.step}")
        w.line(f"panel = part % {self.panels}")
        w.line(f"count = min({self.step}, {self.depth} - first)")
        w.line(f"width = min({columns}, {self.width} - panel * {columns})")
        taps = self._taps(f"source + first * {self.d} + panel * {columns * FLOAT}", self.d)
        into = f"filters + panel * {self.panel} + first * {columns * FLOAT}"
        into = f"{into}, {WINDOW * self.point}, {self.point}, {columns * FLOAT}"
        w.line(f'call_external("{self.externals[0].symbol}", width, count, {taps}, {into})')

    def _turned(self) -> None:
        """Vectors along the depth; each point's matrix is transposed into its panel."""
        w, temporary, line = self.w, self.step * self.depth * FLOAT, self.columns * FLOAT
        w.line(f"first = part * {self.step}")
        w.line(f"count = min({self.step}, {self.width} - first)")
        w.line(f"panel = index_div(first, {self.columns})")
        w.line(f"width = {self.depth}")
        taps = self._taps(f"source + first * {self.n}", self.n)
        into = f"scratch, {WINDOW * temporary}, {temporary}, {self.depth * FLOAT}"
        w.line(f'call_external("{self.externals[0].symbol}", width, count, {taps}, {into})')
        w.line(f"into = filters + panel * {self.panel} + (first - panel * {self.columns}) * {FLOAT}")
        with w.block(f"for point in range({POINTS}):"):
            places = f"scratch + point * {temporary}, {self.depth * FLOAT}"
            places = f"{places}, into + point * {self.point}, {line}"
            w.line(f'call_external("{self.externals[1].symbol}", count, {self.depth}, {places})')

    def _taps(self, start: str, step: int) -> str:
        """Where the transform reads: the filters themselves, or a copy with zeros for the taps that an
        earlier block has.
        """
        w = self.w
        if self.x.overlap == (0, 0):
            return f"{start}, {self.row}, {self.col}, {step}"
        line = self.side * FLOAT
        w.line(f"own = buffer_f32(scratch + {POINTS * self.step * line}, 101)")
        with w.block(f"for row in range({TAPS}):"), w.block(f"for col in range({TAPS}):"):
            w.line(f"repeated = {repetition(self.x)}")
            with w.block("for j in range(count):"):
                w.line(f"tap = buffer_f32({start} + row * {self.row} + col * {self.col} + j * {step}, 102)")
                w.line(f"at = ((row * {TAPS} + col) * {self.step} + j) * {self.side}")
                with w.block("if repeated:"), w.block("for lane in range(width):"):
                    w.line("own[at + lane] = f32(0.0)")
                with w.block("else:"), w.block("for lane in range(width):"):
                    w.line("own[at + lane] = tap[lane]")
        return f"address(own, 0), {TAPS * self.step * line}, {self.step * line}, {line}"


def repetition(x: Window) -> str:
    """Does an earlier block have the tap (`row`, `col`) of the block that `shift` says?"""
    rows, cols = x.blocks
    tests = []
    if x.overlap[0]:
        tests.append(f"(row < {x.overlap[0]} and shift // {cols} % {rows} > 0)")
    if x.overlap[1]:
        tests.append(f"(col < {x.overlap[1]} and shift % {cols} > 0)")
    return " or ".join(tests)


def emit_filter_sum(kernel: Finish, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel that adds the parts up and transforms the points to taps."""
    c: Contraction = kernel.contraction
    x = c.window
    assert x is not None
    depth, width = int(x.depth.extent), int(c.n.extent)
    padded = -(-width // c.columns) * c.columns
    point, block = x.shift_count * depth * padded, SUM_BLOCK * padded
    part, blocks = POINTS * point, -(-depth // SUM_BLOCK)
    copies = (*c.outer, *x.shifts)
    w = Writer()
    with w.block("def kernel(args, begin, end, scratch):"):
        w.line("parts = buffer_f32(args[0], 0)")
        w.line("sums = buffer_f32(scratch, 100)")
        with w.block("for tile in range(begin, end):"):
            w.line(f"copy = index_div(tile, {blocks})")
            w.line(f"group = index_div(copy, {x.shift_count})")
            w.line(f"shift = copy - group * {x.shift_count}")
            w.line(f"first = (tile - copy * {blocks}) * {SUM_BLOCK}")
            w.line(f"count = min({SUM_BLOCK}, {depth} - first)")
            with w.block(f"for point in range({POINTS}):"):
                start = f"group * {c.parts * part} + point * {point} + (shift * {depth} + first) * {padded}"
                w.line(f"start = {start}")
                with w.block(f"for j in range(count * {padded}):"):
                    terms = " + ".join(f"parts[start + j + {p * part}]" for p in range(c.parts))
                    w.line(f"sums[point * {block} + j] = {terms}")
            _write_taps(w, x, width, f"args[1] + {step_offset('copy', copies, 'y')}", padded)
    transform = transform_source("filter_gradient")
    source = KernelSource(w.text(), kernel.name, externals=(transform,), modules=MODULES)
    return KernelSpec(
        source, (kernel.source, kernel.target), (), blocks * math.prod(int(r.extent) for r in copies),
        (kernel.target,), kernel.name, scratch=(POINTS + TAPS * TAPS) * block * FLOAT,
        work=packed_size(c) * c.parts, fused=kernel.fused,
    )  # fmt: skip


def _write_taps(w: Writer, x: Window, width: int, target: str, padded: int) -> None:
    """The points of `count` channels from `first` on, in scratch memory, as taps; those that an earlier block
    has are not written.
    """
    item, block = padded * FLOAT, SUM_BLOCK * padded * FLOAT
    row, col, step = (int(r.y) * FLOAT for r in (x.row_taps, x.col_taps, x.depth))
    call = f'call_external("{transform_source("filter_gradient").symbol}", {width}, count'
    points = f"scratch, {WINDOW * block}, {block}, {item}"
    if x.overlap == (0, 0):
        w.line(f"{call}, {points}, {target} + first * {step}, {row}, {col}, {step})")
        return
    w.line(f"own = buffer_f32(scratch + {POINTS * block}, 101)")
    w.line(f"{call}, {points}, address(own, 0), {TAPS * block}, {block}, {item})")
    with (
        w.block(f"for row in range({TAPS}):"),
        w.block(f"for col in range({TAPS}):"),
        w.block(f"if not ({repetition(x)}):"),
        w.block("for j in range(count):"),
    ):
        place = f"{target} + (first + j) * {step} + row * {row} + col * {col}"
        w.line(f"tap = buffer_f32({place}, 102)")
        with w.block(f"for lane in range({width}):"):
            w.line(f"tap[lane] = own[(row * {TAPS} + col) * {block // FLOAT} + j * {padded} + lane]")
