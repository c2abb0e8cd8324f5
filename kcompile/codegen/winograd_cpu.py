"""Winograd convolutions as Numba source around external transforms and the same micro-kernel as every
contraction.

A tile is a few rows of 4 x 4 output squares of one image, so that the transformed input, the 36 products and
the output strip stay in the second-level cache. While one tile multiplies, the next one's memory is
prefetched.
"""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.codegen.contract_cpu import ContractEmitter
from kcompile.codegen.contraction_axes import Positions
from kcompile.codegen.families import micro_source, prefetch_source, transform_source
from kcompile.codegen.spec import KernelSpec
from kcompile.codegen.winograd_cut import FLOAT, best_cut
from kcompile.codegen.winograd_rows import copy_patch, image_offset, step_offset, write_row_position
from kcompile.core import symbolic
from kcompile.core.symbolic import Atom, Int, product
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Contract
from kcompile.ir.loops import Axis, accumulator
from kcompile.ir.views import flat_offset
from kcompile.kernels.winograd import POINTS, TILE, WINDOW
from kcompile.schedule.roles import AxisRole
from kcompile.schedule.winograd import Window


def emit_winograd(kernel: Contract, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel of a Winograd convolution with its epilogue."""
    return _WinogradEmitter(kernel, aliases).emit()


class _WinogradEmitter(ContractEmitter):
    def _positions(self) -> Positions:
        x = self.c.window
        assert x is not None
        self.window: Window = x
        self.images = [Axis(r.extent, "image") for r in x.images]
        self.pixel_row, self.pixel = Axis(x.rows.extent, "pixel_row"), Axis(x.cols.extent, "pixel")
        steps = ((x.rows, self.pixel_row, x.dilation[0]), (x.cols, self.pixel, x.dilation[1]))
        others = [*zip(x.images, self.images, strict=True), *zip(self.c.outer, self.outer, strict=True)]
        at: dict[tuple[int, ...], int | Int] = {self.c.n.numbers: Int.of(self.lane)}
        for r, axis, step in (*steps, *((r, axis, 1) for r, axis in others)):
            at[r.numbers] = at.get(r.numbers, 0) + step * Int.of(axis)
        return list(at.items())

    def _split_k(self) -> tuple[list[AxisRole], AxisRole, AxisRole]:
        self.depth, self.channels = int(self.window.depth.extent), int(self.c.n.extent)
        self.panels_in_all = -(-self.channels // self.c.columns)
        self.cut = best_cut(self.window, self.c)
        self.height, self.squares = self.cut.height, self.cut.height * self.window.tile_cols
        # The rows computed too many are written over by the next point, but where products are added up.
        rows = self.c.rows if self.window.shifts else 1
        self.product_rows = -(-self.squares // rows) * rows
        self.padded_lanes = self.cut.panels * self.c.columns
        self.strip_lanes = min(self.padded_lanes, self.channels)
        return [], self.window.depth, self.window.depth

    def _places(self) -> dict[str, int]:
        """Offsets in scratch memory."""
        sizes = {
            "table": (self.squares + self.c.rows) * 8,
            "v": POINTS * self.squares * self.depth * FLOAT,
            "products": (POINTS * self.product_rows + self.c.rows) * self.padded_lanes * FLOAT,
            "strip": self.height * TILE * self._strip_row(),
            "patch": 0 if self.window.is_exact else WINDOW * self._patch_row(),
        }
        offsets, at = {}, 0
        for name, size in sizes.items():
            offsets[name], at = at, at + -(-size // 64) * 64
        return {**offsets, "end": at}

    def _lanes(self) -> int | str:
        """Outputs of a tile's strip."""
        return self.channels if self.cut.strips == 1 else "lanes"

    def _strip_row(self) -> int:
        return self.window.tile_cols * TILE * self.strip_lanes * FLOAT

    def _patch_row(self) -> int:
        return (self.window.tile_cols * TILE + WINDOW - TILE) * self.depth * FLOAT

    def _scratch(self) -> int:
        return self._places()["end"] + 256

    def _tile(self) -> None:
        w, s, x = self.w, self.s, self.window
        places = self._places()
        strips = self.cut.strips
        rows = product(r.extent for r in x.images) * x.tile_rows  # of squares, of all images
        of_group = symbolic.floordiv(rows + (self.height - 1), self.height) * strips
        self.tiles = of_group * product(r.extent for r in self.c.outer)
        w.line(f"table = buffer_i64(scratch + {places['table']}, 100)")
        w.line(f"strip = buffer_f32(scratch + {places['strip']}, 101)")
        for name in ("v", "products", "patch"):
            w.line(f"{name} = scratch + {places[name]}")
        with self._each_tile():
            self._decode_group(of_group)
            w.line(f"first = index_div(tile_of_group, {strips}) * {self.height}")
            w.line(f"count = min({self.height}, {s.bound(rows)} - first)")
            if strips > 1:
                w.line(f"panel0 = tile_of_group % {strips} * {self.cut.panels}")
                w.line(f"lane0 = panel0 * {self.c.columns}")
                w.line(f"lanes = min({self.padded_lanes}, {self.channels} - lane0)")
            with w.block(f"for shift in range({x.shift_count}):"):
                self._input_transforms()
                self._products()
            self._output_transforms()
            self._strip_epilogue()

    def _decode_group(self, tiles: int | Int) -> None:
        """Which group a tile is of, where its input and its filters begin."""
        c, w, s = self.c, self.w, self.s
        w.line(f"rest = index_div(tile, {s.integer(tiles)})" if c.outer else "rest = 0")
        w.line(f"tile_of_group = tile - rest * {s.integer(tiles)}")
        panels = self.panels_in_all * self.window.shift_count
        w.line(f"filters0 = b + rest * {POINTS * panels * self.depth * c.columns * FLOAT}")
        self._write_outer()
        self._a_address()

    def _position(self, row: str) -> list[str]:
        """Where a row of squares lies: its image, its first row of pixels in it, the image's address."""
        names = write_row_position(self.w, self.s, self.window, row)
        self.w.line(f"source = a0 + {image_offset(self.s, self.window.images, names, 'a')}")
        return names

    def _input_transforms(self) -> None:
        """The input of each row of squares, at one step of the shifts."""
        w, x = self.w, self.window
        with w.block("for h in range(count):"):
            self._position("(first + h)")
            w.line(f"source += {step_offset('shift', x.shifts, 'a')}")
            self._input_transform()

    def _input_transform(self) -> None:
        x = self.window
        row, col = int(x.rows.a) * FLOAT, int(x.cols.a) * FLOAT
        point, pixel = self.squares * self.depth * FLOAT, self.depth * FLOAT
        target = f"v + h * {x.tile_cols * pixel}", WINDOW * point, point, pixel
        transform = transform_source("input")
        if x.is_exact:
            places = f"source + top * {row}", row, col, TILE * col
        else:
            self._patch(row, col)
            places = "patch", self._patch_row(), pixel, TILE * pixel
        self._call(transform, self.depth, x.tile_cols, *places, *target)

    def _patch(self, row: int, col: int) -> None:
        """The input rows of one row of squares, zero beyond the image."""
        x, pixels = self.window, self._patch_row() // (self.depth * FLOAT)
        limits = int(x.rows.extent) + 2, int(x.cols.extent) + 2
        copy_patch(
            self.w, "patch", "source", WINDOW, pixels, self.depth, limits, (row // FLOAT, col // FLOAT)
        )

    def _products(self) -> None:
        c, w, x = self.c, self.w, self.window
        point, product_point = (
            self.squares * self.depth * FLOAT,
            self.product_rows * self.padded_lanes * FLOAT,
        )
        panels, panel_size = self.panels_in_all, self.depth * c.columns * FLOAT
        adds = "i64(shift > 0)" if x.shifts else 0
        w.line(f"of_shift = filters0 + shift * {POINTS * panels * panel_size}")
        w.line(f"squares = count * {x.tile_cols}")
        is_whole = self.cut.strips == 1
        is_ahead = is_whole and not c.outer and len(x.images) <= 1  # what comes next lies side by side
        if is_ahead:
            self._prefetch_from()
        with w.block(f"for point in range({POINTS}):"):
            if is_ahead:
                self._prefetch()
            with w.block("for r in range(squares):"):
                w.line(f"table[r] = v + point * {point} + r * {self.depth * FLOAT}")
            with w.block(f"for r in range(squares, squares + {c.rows - 1}):"):
                w.line("table[r] = table[squares - 1]")
            inner = f"for panel in range({panels}):" if is_whole else self._panels_of_strip()
            with w.block(inner):
                place = "panel" if is_whole else "panel0 + panel"
                w.line(f"filters = of_shift + (point * {panels} + {place}) * {panel_size}")
                w.line(f"sums = products + point * {product_point} + panel * {c.columns * FLOAT}")
                with w.block(f"for r in range(0, squares, {c.rows}):"):
                    self._call(
                        micro_source(c.rows, c.columns, "float32", True), 1, self.depth,
                        "address(table, r)", 0, FLOAT, "filters", 0, c.columns * FLOAT,
                        f"sums + r * {self.padded_lanes * FLOAT}", self.padded_lanes * FLOAT, adds,
                    )  # fmt: skip

    def _panels_of_strip(self) -> str:
        return f"for panel in range(min({self.cut.panels}, {self.panels_in_all} - panel0)):"

    def _prefetch_from(self) -> None:
        """Where the next tile's input begins, and this tile's output."""
        w, s, x = self.w, self.s, self.window
        target, index, _ = self.stores[0]
        names = self._position("first")
        w.line(f"ahead = source + (top + {self.height * TILE + 2}) * {int(x.rows.a) * FLOAT}")
        with s.scope():
            first_pixel: dict[Atom, str] = {self.pixel: "0", self.lane: "0"}
            first_pixel |= {self.pixel_row: "top", **dict(zip(self.images, names, strict=True))}
            s.axis_names |= first_pixel
            start = s.integer(flat_offset(target, index))
            w.line(f"target = address({self.names.buffer(target)}, {start})")
        for axis in first_pixel:
            del s.axis_names[axis]

    def _prefetch(self) -> None:
        x = self.window
        target, _, _ = self.stores[0]
        line = symbolic.coefficient_of(flat_offset(target, self.stores[0][1]), self.pixel_row)
        written = self.height * TILE * line * FLOAT if isinstance(line, int) else 0
        share_in, share_out = self.height * TILE * int(x.rows.a) * FLOAT // POINTS, written // POINTS
        self._call(prefetch_source(False), f"ahead + point * {share_in}", share_in)
        self._call(prefetch_source(True), f"target + point * {share_out}", share_out)

    def _output_transforms(self) -> None:
        w, x = self.w, self.window
        point, item = self.product_rows * self.padded_lanes * FLOAT, self.strip_lanes * FLOAT
        with w.block("for h in range(count):"):
            source = (
                f"products + h * {x.tile_cols * self.padded_lanes * FLOAT}",
                6 * point,
                point,
                self.padded_lanes * FLOAT,
            )
            target = (
                f"address(strip, h * {TILE * self._strip_row() // FLOAT})",
                self._strip_row(),
                item,
                TILE * item,
            )
            self._call(transform_source("output"), self._lanes(), x.tile_cols, *source, *target)

    def _strip_epilogue(self) -> None:
        w, s, x = self.w, self.s, self.window
        whole, row = self.cut.strips == 1, self._strip_row() // FLOAT
        lanes = self._lanes() if whole else f"lane0, lane0 + {self._lanes()}"
        with s.scope():
            self._hoist()  # no image is known yet: one tile has several
            with w.block("for h in range(count):"), s.scope():
                names = self._position("(first + h)")
                w.line(f"bottom = min(top + {TILE}, {x.rows.extent})")
                s.axis_names |= dict(zip(self.images, names, strict=True))
                self._hoist()
                with (
                    w.block("for oh in range(top, bottom):"),
                    w.block(f"for ow in range({x.cols.extent}):"),
                    s.scope(),
                ):
                    w.line(f"at = (h * {TILE} + oh - top) * {row} + ow * {self.strip_lanes}")
                    s.axis_names |= {self.pixel_row: "oh", self.pixel: "ow"}
                    self._hoist()
                    with w.block(f"for lane in range({lanes}):"), s.scope():
                        s.axis_names[self.lane] = "lane"
                        w.line("acc = strip[at + lane]" if whole else "acc = strip[at + lane - lane0]")
                        s.bind(accumulator(self.c.value.dtype), "acc")
                        self._write_stores()
        for axis in (*self.images, self.pixel_row, self.pixel, self.lane):
            del s.axis_names[axis]
