"""The gradient of a 3 x 3 convolution's filters by Winograd's algorithm, as Numba source.

A tile is one part of the images. For so many rows of squares as the cache holds, inputs and the output's
gradient are transformed, and the 36 matrices channels x filters grow by one product per point;
`emit_filter_sum` adds the parts up and transforms 6 x 6 points to 3 x 3 taps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from kcompile.codegen.contract_cpu import ContractEmitter
from kcompile.codegen.families import micro_source, transform_source
from kcompile.codegen.spec import KernelSpec
from kcompile.codegen.winograd_cut import CACHE_SHARE, FLOAT
from kcompile.codegen.winograd_rows import copy_patch, image_offset, step_offset, write_row_position
from kcompile.core.symbolic import Int, product
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Contract
from kcompile.kernels.host import host
from kcompile.kernels.winograd import POINTS, TILE, WINDOW
from kcompile.schedule.roles import AxisRole
from kcompile.schedule.winograd import Window

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
        self.sum_rows = self.window.shift_count * self.depth  # of the matrices, one for each point
        per_square = POINTS * (self.sum_rows + self.padded_channels) * FLOAT
        # Sums that fill the cache stream through it: the fewer passes, the better.
        share = CACHE_SHARE * host().l2
        free = max(share - POINTS * self.sum_rows * self.padded_channels * FLOAT, share / 2)
        self.height = max(1, min(MOST_SQUARES, int(free) // per_square) // self.window.tile_cols)
        self.squares = self.height * self.window.tile_cols
        return [], self.window.depth, AxisRole((), 1, 0, 0, 0)

    def _sizes(self) -> dict[str, int]:
        """Bytes of each area of scratch memory."""
        exact, cols = self.window.is_exact, self.window.tile_cols
        return {
            "table": (self.sum_rows + self.c.rows) * 8,
            "v": POINTS * self.squares * self.sum_rows * FLOAT,
            "d": POINTS * self.squares * self.padded_channels * FLOAT + 256,
            "x_patch": 0 if exact else WINDOW * (cols * TILE + 2) * self.depth * FLOAT,
            "d_patch": 0 if exact else TILE * cols * TILE * self.channels * FLOAT,
        }

    def _scratch(self) -> int:
        return sum(size + 64 for size in self._sizes().values()) + 256

    def _tile(self) -> None:
        c, w, s, x = self.c, self.w, self.s, self.window
        images = s.integer(product(r.extent for r in x.images))
        self.tiles = c.parts * prod(int(r.extent) for r in c.outer)
        at = 0
        for name, size in self._sizes().items():
            w.line(f"{name} = scratch + {at}")
            at += -(-size // 64) * 64
        w.line("places = buffer_i64(table, 100)")
        size = POINTS * self.sum_rows * self.padded_channels
        (partial, _, _) = self.stores[0]
        sums = self.names.buffer(partial)
        with w.block("for tile in range(begin, end):"):
            w.line(f"rest = index_div(tile, {c.parts})")
            w.line(f"part = tile - rest * {c.parts}")
            self._write_outer()
            self._a_address()
            b: int | Int = sum(r.b * Int.of(axis) for r, axis in zip(c.outer, self.outer, strict=True))
            w.line(f"b0 = b + {s.integer((c.b.offset + b) * FLOAT)}")
            w.line(f"first = {images} * part // {c.parts} * {x.tile_rows}")
            w.line(f"last = {images} * (part + 1) // {c.parts} * {x.tile_rows}")
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
        w, s, x = self.w, self.s, self.window
        names = write_row_position(w, s, x, "(start + h)")
        w.line(f"source = a0 + {image_offset(s, x.images, names, 'a')}")
        w.line(f"above = b0 + {image_offset(s, x.images, names, 'b')}")
        steps = (x.rows.b, x.cols.b)
        self._transform(
            "output_gradient", self.channels, "above", "d", self.padded_channels, steps, "d_patch"
        )
        with w.block(f"for shift in range({x.shift_count}):"):
            w.line(f"shifted = source + {step_offset('shift', x.shifts, 'a')}")
            w.line(f"into_v = v + shift * {POINTS * self.squares * self.depth * FLOAT}")
            self._transform(
                "input", self.depth, "shifted", "into_v", self.depth, (x.rows.a, x.cols.a), "x_patch"
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
        with w.block(f"for point in range({POINTS}):"):
            with w.block(f"for shift in range({self.window.shift_count}):"):
                w.line(f"left = v + (shift * {POINTS} + point) * {self.squares * line}")
                with w.block(f"for r in range({self.depth}):"):
                    w.line(f"places[shift * {self.depth} + r] = left + r * {FLOAT}")
            w.line(f"right = d + point * {self.squares * wide}")
            w.line(f"sums = {sums} + point * {self.sum_rows * wide}")
            with w.block(f"for panel in range(0, {wide}, {c.columns * FLOAT}):"):
                for low, high, rows in _row_blocks(self.sum_rows, c.rows):
                    with w.block(f"for r in range({low}, {high}, {rows}):"):
                        target = f"sums + r * {wide} + panel", wide, "i64(start > first)"
                        self._call(
                            micro_source(rows, c.columns, "float32", False), 1, "squares",
                            "address(places, r)", 0, line,
                            "right + panel", 0, wide, *target,
                        )  # fmt: skip


def _row_blocks(count: int, rows: int) -> Iterator[tuple[int, int, int]]:
    """(first, beyond the last, step) of the blocks of rows: whole ones, then those of smaller kernels."""
    low = 0
    for step in sorted({rows, max(rows // 3, 1), 1}, reverse=True):
        high = low + (count - low) // step * step
        if low < high:
            yield low, high, step
        low = high
