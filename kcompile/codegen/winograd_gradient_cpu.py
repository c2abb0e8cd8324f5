"""The gradient of a 3 x 3 convolution's filters by Winograd's algorithm, as Numba source.

A tile is one part of the images. For so many rows of squares as the cache holds, inputs and the output's
gradient are transformed, and the 36 matrices channels x filters grow by one product per point;
`emit_filter_sum` adds the parts up and transforms 6 x 6 points to 3 x 3 taps.
"""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.codegen.contract_cpu import ContractEmitter
from kcompile.codegen.families import micro_source, transform_source
from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import MODULES, KernelSpec
from kcompile.codegen.winograd_cpu import copy_patch
from kcompile.codegen.winograd_cut import CACHE_SHARE, FLOAT
from kcompile.codegen.writer import Writer
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Contract, Finish
from kcompile.kernels.host import host
from kcompile.kernels.winograd import POINTS, TILE, WINDOW
from kcompile.schedule.contraction import Contraction, packed_size
from kcompile.schedule.roles import AxisRole
from kcompile.schedule.winograd import Window

SUM_BLOCK = 4  # channels summed at a time
MOST_SQUARES = 32  # in one pass: longer sums gain nothing


def emit_filter_gradient(kernel: Contract, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel that leaves [part][point][channel][filter] sums of products."""
    return _GradientEmitter(kernel, aliases).emit()


class _GradientEmitter(ContractEmitter):
    def _split_k(self) -> tuple[list[AxisRole], AxisRole, AxisRole]:
        assert self.c.window is not None
        self.window: Window = self.c.window
        self.depth, self.channels = int(self.window.depth.extent), int(self.c.n.extent)
        self.padded_channels = -(-self.channels // self.c.columns) * self.c.columns
        per_square = POINTS * (self.depth + self.padded_channels) * FLOAT
        # Sums that fill the cache stream through it: the fewer passes, the better.
        share = CACHE_SHARE * host().l2
        free = max(share - POINTS * self.depth * self.padded_channels * FLOAT, share / 2)
        self.height = max(1, min(MOST_SQUARES, int(free) // per_square) // self.window.tile_cols)
        self.squares = self.height * self.window.tile_cols
        return [], self.window.depth, AxisRole((), 1, 0, 0, 0)

    def _sizes(self) -> dict[str, int]:
        """Bytes of each area of scratch memory."""
        exact, cols = self.window.is_exact, self.window.tile_cols
        return {
            "table": (self.depth + self.c.rows) * 8,
            "v": POINTS * self.squares * self.depth * FLOAT,
            "d": POINTS * self.squares * self.padded_channels * FLOAT + 256,
            "x_patch": 0 if exact else WINDOW * (cols * TILE + 2) * self.depth * FLOAT,
            "d_patch": 0 if exact else TILE * cols * TILE * self.channels * FLOAT,
        }

    def _scratch(self) -> int:
        return sum(size + 64 for size in self._sizes().values()) + 256

    def _call(self, source: KernelSource, *values: object) -> None:
        if source not in self.externals:
            self.externals.append(source)
        self.w.line(f'call_external("{source.symbol}", {", ".join(map(str, values))})')

    def _tile(self) -> None:
        c, w, s, x = self.c, self.w, self.s, self.window
        images = s.integer(x.images.extent) if x.images is not None else "1"
        self.tiles = c.parts
        at = 0
        for name, size in self._sizes().items():
            w.line(f"{name} = scratch + {at}")
            at += -(-size // 64) * 64
        w.line("places = buffer_i64(table, 100)")
        size = POINTS * self.depth * self.padded_channels
        (partial, _, _) = self.stores[0]
        sums = self.names.buffer(partial)
        with w.block("for tile in range(begin, end):"):
            w.line(f"first = {images} * tile // {c.parts} * {x.tile_rows}")
            w.line(f"last = {images} * (tile + 1) // {c.parts} * {x.tile_rows}")
            with w.block("if first == last:"), w.block(f"for j in range({size}):"):
                w.line(f"{sums}[tile * {size} + j] = f32(0.0)")
            w.line(f"passes = max(1, (last - first + {self.height - 1}) // {self.height})")
            w.line("step = max(1, (last - first + passes - 1) // passes)")  # all passes alike
            with w.block("for start in range(first, last, step):"):
                w.line("count = min(step, last - start)")
                w.line(f"squares = count * {x.tile_cols}")
                with w.block("for h in range(count):"):
                    self._transforms()
                self._products(f"address({sums}, tile * {size})")

    def _transforms(self) -> None:
        """One row of squares, of whichever image, of the input and of the output's gradient."""
        c, w, s, x = self.c, self.w, self.s, self.window
        w.line(f"image = index_div(start + h, {x.tile_rows})")
        w.line(f"top = (start + h - image * {x.tile_rows}) * {TILE}")
        for name, memory, offset, axis in (
            ("source", "a", c.a.offset, "a"),
            ("above", "b", c.b.offset, "b"),
        ):
            step = s.integer(getattr(x.images, axis) * FLOAT) if x.images is not None else "0"
            w.line(f"{name} = {memory} + {s.integer(offset * FLOAT)} + image * {step}")
        self._transform("input", self.depth, "source", "v", self.depth, (x.rows.a, x.cols.a), "x_patch")
        steps = (x.rows.b, x.cols.b)
        self._transform(
            "output_gradient", self.channels, "above", "d", self.padded_channels, steps, "d_patch"
        )

    def _transform(
        self, name: str, channels: int, source: str, into: str, width: int, steps: tuple, patch: str
    ) -> None:
        """One row of squares of the input, or of the output's gradient."""
        x = self.window
        row, col = (int(v) for v in steps)
        point = self.squares * width * FLOAT
        target = f"{into} + h * {x.tile_cols * width * FLOAT}", WINDOW * point, point, width * FLOAT
        transform = transform_source(name)
        if x.is_exact:
            places = f"{source} + top * {row * FLOAT}", row * FLOAT, col * FLOAT, TILE * col * FLOAT
            self._call(transform, channels, x.tile_cols, *places, *target)
            return
        reach = WINDOW - TILE if name == "input" else 0
        pixels = x.tile_cols * TILE + reach
        limits = int(x.rows.extent) + reach, int(x.cols.extent) + reach
        copy_patch(self.w, patch, source, TILE + reach, pixels, channels, limits, (row, col))
        item = channels * FLOAT
        self._call(transform, channels, x.tile_cols, patch, pixels * item, item, TILE * item, *target)

    def _products(self, sums: str) -> None:
        c, w = self.c, self.w
        line, wide = self.depth * FLOAT, self.padded_channels * FLOAT
        whole = self.depth // c.rows * c.rows
        with w.block(f"for point in range({POINTS}):"):
            w.line(f"left = v + point * {self.squares * line}")
            with w.block(f"for r in range({self.depth}):"):
                w.line(f"places[r] = left + r * {FLOAT}")
            w.line(f"right = d + point * {self.squares * wide}")
            w.line(f"sums = {sums} + point * {self.depth * wide}")
            with w.block(f"for panel in range(0, {wide}, {c.columns * FLOAT}):"):
                for low, high, rows in ((0, whole, c.rows), (whole, self.depth, 1)):
                    if low == high:
                        continue
                    with w.block(f"for r in range({low}, {high}, {rows}):"):
                        target = f"sums + r * {wide} + panel", wide, "i64(start > first)"
                        self._call(
                            micro_source(rows, c.columns, "float32", False), 1, "squares",
                            "address(places, r)", 0, line,
                            "right + panel", 0, wide, *target,
                        )  # fmt: skip


def emit_filter_sum(kernel: Finish, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel that adds the parts up and transforms the points to taps."""
    c: Contraction = kernel.contraction
    x = c.window
    assert x is not None
    depth, width = int(x.depth.extent), int(c.n.extent)
    padded = -(-width // c.columns) * c.columns
    part, point, block = POINTS * depth * padded, depth * padded, SUM_BLOCK * padded
    transform = transform_source("filter_gradient")
    w = Writer()
    with w.block("def kernel(args, begin, end, scratch):"):
        w.line("parts = buffer_f32(args[0], 0)")
        w.line("taps = args[1]")
        w.line("sums = buffer_f32(scratch, 100)")
        with w.block("for tile in range(begin, end):"):
            w.line(f"first = tile * {SUM_BLOCK}")
            w.line(f"count = min({SUM_BLOCK}, {depth} - first)")
            with w.block(f"for point in range({POINTS}):"):
                w.line(f"start = point * {point} + first * {padded}")
                with w.block(f"for j in range(count * {padded}):"):
                    terms = " + ".join(f"parts[start + j + {p * part}]" for p in range(c.parts))
                    w.line(f"sums[point * {block} + j] = {terms}")
            places = f"scratch, {WINDOW * block * FLOAT}, {block * FLOAT}, {padded * FLOAT}"
            row, col, step = (int(r.y) * FLOAT for r in (x.row_taps, x.col_taps, x.depth))
            target = f"taps + first * {step}, {row}, {col}, {step}"
            w.line(f'call_external("{transform.symbol}", {width}, count, {places}, {target})')
    source = KernelSource(w.text(), kernel.name, externals=(transform,), modules=MODULES)
    return KernelSpec(
        source, (kernel.source, kernel.target), (), -(-depth // SUM_BLOCK), (kernel.target,), kernel.name,
        scratch=POINTS * block * FLOAT, work=packed_size(c) * c.parts, fused=kernel.fused,
    )  # fmt: skip
