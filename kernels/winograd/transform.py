"""The transforms of Winograd's F(4x4, 3x3) over vectors of channels, as LLVM IR.

Each is an external C function ``symbol(name, host)`` of int64, addresses and strides in BYTES, float32::

    void f(channels, tiles, src, src_row, src_col, src_tile, dst, dst_row, dst_col, dst_tile)

    for every tile t and channel c, with x[i][j] at src + i*src_row + j*src_col + t*src_tile + 4*c:
        dst[a][b] = sum over i, j of matrix[a][i] * matrix[b][j] * x[i][j]      (placed likewise)

The names and matrices are those of ``winograd.MATRICES``. The strides let one function read images, tiles of
pixels or weights in any order; a negative stride flips the weights. Source and destination must not overlap.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from kcompile.kernels.blocks import I64, overlapping_loop, void_function, widest_fitting
from kcompile.kernels.host import Host
from kcompile.kernels.math.number import FLOAT, Number
from kcompile.kernels.winograd import MATRICES

NARROW_LANES = 4
Line = list[Number]


def symbol(name: str, host: Host) -> str:
    """Name of the C function of a transform."""
    return f"kc_winograd_{name}_{8 * host.vector_bytes}"


def build(name: str, host: Host) -> ir.Module:
    """A module with the one external function ``symbol(name, host)``."""
    module = ir.Module(symbol(name, host))
    b, arguments = void_function(module, symbol(name, host), 10)
    channels, tiles, *places = arguments
    steps = sorted({host.lanes("float32"), NARROW_LANES, 1}, reverse=True)

    def all_tiles(lanes: int) -> None:
        body = _Tile(b, name, lanes, places)
        overlapping_loop(
            b, tiles, 1, lambda t: overlapping_loop(b, channels, lanes, lambda c: body.emit(t, c))
        )

    with b.if_then(b.icmp_signed("<=", tiles, I64(0))):
        b.ret_void()
    widest_fitting(b, channels, steps, all_tiles)
    return module


class _Tile:
    """Emits the transform of one tile's vector of channels."""

    def __init__(self, b: ir.IRBuilder, name: str, lanes: int, places: list[ir.Value]) -> None:
        self.b, self.rule = b, RULES[name]
        self.outputs, self.inputs = MATRICES[name].shape
        self.vector = ir.VectorType(FLOAT, lanes) if lanes > 1 else FLOAT
        self.source, self.target = places[:4], places[4:]

    def emit(self, tile: ir.Value, channel: ir.Value) -> None:
        source, target = self._start(self.source, tile, channel), self._start(self.target, tile, channel)
        columns = []
        for j in range(self.inputs):
            places = [self._at(source, self.source, i, j) for i in range(self.inputs)]
            columns.append(self.rule([self._load(place) for place in places]))
        for a in range(self.outputs):
            for k, value in enumerate(self.rule([column[a] for column in columns])):
                self.b.store(value.value, self._at(target, self.target, a, k), align=4)

    def _start(self, place: list[ir.Value], tile: ir.Value, channel: ir.Value) -> ir.Value:
        b, (base, _, _, stride) = self.b, place
        return b.add(b.add(base, b.mul(tile, stride)), b.mul(channel, I64(4)))

    def _at(self, start: ir.Value, place: list[ir.Value], i: int, j: int) -> ir.Value:
        b, (_, row, column, _) = self.b, place
        offset = b.add(b.mul(row, I64(i)), b.mul(column, I64(j)))
        return b.inttoptr(b.add(start, offset), ir.PointerType())

    def _load(self, place: ir.Value) -> Number:
        return Number(self.b, self.b.load(place, typ=self.vector, align=4))


def _input(x: Line) -> Line:
    a, c = x[4] - 4.0 * x[2], x[3] - 4.0 * x[1]
    e, g = x[4] - x[2], 2.0 * (x[3] - x[1])
    first = 4.0 * x[0] - 5.0 * x[2] + x[4]
    return [first, a + c, a - c, e + g, e - g, 4.0 * x[1] - 5.0 * x[3] + x[5]]


def _output(x: Line) -> Line:
    p, q, r, t = x[1] + x[2], x[1] - x[2], x[3] + x[4], x[3] - x[4]
    return [x[0] + p + r, q + 2.0 * t, p + 4.0 * r, q + 8.0 * t + x[5]]


def _filter(x: Line) -> Line:
    even, odd = (x[0] + x[2]) * (-1 / 6), x[1] * (1 / 6)
    far = x[0] * (1 / 24) + x[2] * (1 / 6)
    half = x[1] * (1 / 12)
    return [x[0] * 0.25, even - odd, even + odd, far + half, far - half, x[2]]


def _output_gradient(x: Line) -> Line:
    even, odd = x[0] + x[2], x[1] + x[3]
    far_even, far_odd = x[0] + 4.0 * x[2], 2.0 * x[1] + 8.0 * x[3]
    return [x[0], even + odd, even - odd, far_even + far_odd, far_even - far_odd, x[3]]


def _filter_gradient(x: Line) -> Line:
    near, far = (x[1] + x[2]) * (1 / 6), x[3] + x[4]
    middle = (x[2] - x[1]) * (1 / 6) + (x[3] - x[4]) * (1 / 12)
    return [x[0] * 0.25 - near + far * (1 / 24), middle, far * (1 / 6) - near + x[5]]


# MATRICES[name] times a line of values, with the sums that lines of a matrix share.
RULES: dict[str, Callable[[Line], Line]] = {
    "input": _input,
    "output": _output,
    "filter": _filter,
    "output_gradient": _output_gradient,
    "filter_gradient": _filter_gradient,
}
