"""Transposition of a matrix by square blocks in vector registers, as LLVM IR.

The external C function ``symbol(bits, lanes)`` takes int64 only, addresses and strides in BYTES::

    void f(rows, cols, src, src_stride, dst, dst_stride)         dst[c][r] = src[r][c]

Source and destination must not overlap. The last block of a row or column of blocks is moved back to end with
the matrix, so it overlaps its neighbour; only a matrix narrower than a 128-bit vector is moved by elements.
"""

from __future__ import annotations

from llvmlite import ir

from kcompile.kernels.blocks import I64, overlapping_loop, void_function, widest_fitting
from kcompile.kernels.host import Host

I32 = ir.IntType(32)
# Blocks of one 128-bit vector serve the matrices that are too narrow for the host's.
NARROW_BITS = 128


def symbol(bits: int, host: Host) -> str:
    """Name of the C function for elements of 32 or 64 bits."""
    return f"kc_transpose_{bits}_{8 * host.vector_bytes}"


def build(bits: int, host: Host) -> ir.Module:
    """A module with the one external function ``symbol(bits, host)``."""
    if bits not in (32, 64):
        raise ValueError(f"elements of 32 or 64 bits can be transposed, not of {bits}")
    module = ir.Module(symbol(bits, host))
    _Transpose(module, bits, host).emit()
    return module


class _Transpose:
    """Emits the function: blocks of the host's vectors, else of 128 bits, else single elements."""

    def __init__(self, module: ir.Module, bits: int, host: Host) -> None:
        self.item, self.size = ir.IntType(bits), bits // 8
        sizes = sorted({8 * host.vector_bytes // bits, NARROW_BITS // bits}, reverse=True)
        self.blocks = [*sizes, 1]
        self.b, arguments = void_function(module, symbol(bits, host), 6)
        self.rows, self.cols, self.src, self.src_stride, self.dst, self.dst_stride = arguments

    def emit(self) -> None:
        b = self.b
        least = b.select(b.icmp_signed("<", self.rows, self.cols), self.rows, self.cols)
        widest_fitting(b, least, self.blocks, self._blocks)

    def _blocks(self, size: int) -> None:
        """All blocks of one size, column by column."""

        def column(c: ir.Value) -> None:
            overlapping_loop(self.b, self.rows, size, lambda r: self._block(r, c, size))

        overlapping_loop(self.b, self.cols, size, column)

    def _block(self, r: ir.Value, c: ir.Value, block: int) -> None:
        b, vector = self.b, ir.VectorType(self.item, block)
        source = self._address(self.src, r, self.src_stride, c)
        target = self._address(self.dst, c, self.dst_stride, r)
        lines = []
        for _ in range(block):
            lines.append(b.load(self._pointer(source), typ=vector, align=self.size))
            source = b.add(source, self.src_stride)
        for line in self._transposed(lines, block):
            b.store(line, self._pointer(target), align=self.size)
            target = b.add(target, self.dst_stride)

    def _transposed(self, lines: list[ir.Value], block: int) -> list[ir.Value]:
        """First within 128-bit parts, where shuffles are cheap on every CPU, then the parts as wholes."""
        part = min(block, NARROW_BITS // (8 * self.size))
        groups = [self._within_parts(lines[i : i + part]) for i in range(0, block, part)]
        columns = [self._among_parts([group[k] for group in groups], part) for k in range(part)]
        return [columns[c % part][c // part] for c in range(block)]

    def _within_parts(self, lines: list[ir.Value]) -> list[ir.Value]:
        """Line k of the result holds, in each part, element k of that part of every line."""
        if len(lines) == 1:
            return lines
        if len(lines) == 2:
            return [self._unpack(lines[0], lines[1], 1, high) for high in (0, 1)]
        first, second = self._within_parts(lines[:2]), self._within_parts(lines[2:])
        return [self._unpack(x, y, 2, high) for x, y in zip(first, second, strict=True) for high in (0, 1)]

    def _unpack(self, x: ir.Value, y: ir.Value, width: int, high: int) -> ir.Value:
        """Interleave the low or high halves of each part of x and y by pieces of `width` elements."""
        part, count = NARROW_BITS // (8 * self.size), x.type.count
        starts = [p + high * part // 2 + i for p in range(0, count, part) for i in range(0, part // 2, width)]
        lanes = [s + k for start in starts for s in (start, start + count) for k in range(width)]
        return self._shuffle(x, y, lanes)

    def _among_parts(self, lines: list[ir.Value], part: int) -> list[ir.Value]:
        """Transpose the square of 128-bit parts that lines form: even and odd parts of pairs, recursively."""
        if len(lines) == 1:
            return lines
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        even, odd = ([self._alternate(x, y, part, first) for x, y in pairs] for first in (0, 1))
        halves = self._among_parts(even, part), self._among_parts(odd, part)
        return [line for both in zip(*halves, strict=True) for line in both]

    def _alternate(self, x: ir.Value, y: ir.Value, part: int, first: int) -> ir.Value:
        """Every second part of x, then of y."""
        count = x.type.count
        starts = range(first * part, 2 * count, 2 * part)
        return self._shuffle(x, y, [s + i for s in starts for i in range(part)])

    def _shuffle(self, x: ir.Value, y: ir.Value, lanes: list[int]) -> ir.Value:
        return self.b.shuffle_vector(x, y, ir.Constant(ir.VectorType(I32, len(lanes)), lanes))

    def _address(self, base: ir.Value, row: ir.Value, stride: ir.Value, column: ir.Value) -> ir.Value:
        b = self.b
        return b.add(b.add(base, b.mul(row, stride)), b.mul(column, I64(self.size)))

    def _pointer(self, address: ir.Value) -> ir.Value:
        return self.b.inttoptr(address, ir.PointerType())
