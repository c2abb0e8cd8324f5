"""The contraction micro-kernel of bfloat16 pairs by matrix instructions (x86's AMX), as LLVM IR.

The same C function as `micro`'s for pairs, with the same operands in memory, so that both serve the parts of
one product::

    void f(k1, k0, row_ptrs, a_s1, a_s0, b, b_s1, b_s0, c, ldc, accumulate)

The processor multiplies tiles of 16 rows of 64 bytes: a tile of A is 16 rows of 16 pairs, one of B 16 pairs
of rows of 16 columns, one of C 16 x 16 float32 sums. Two tiles of rows and up to two of columns are
multiplied at a time, so that each tile that is loaded is used twice. The rows of A, which may be any
pixels of an image, are gathered into a ring of tiles first; loading rows a fixed stride apart was no
faster. What is left of a reduction that is no multiple of 16 pairs is copied with zeros behind it, in both.

The tiles are configured in each call and released at its end, so that nothing else in the thread sees them.
Subnormal numbers count as zero, as in all products of bfloat16 on x86.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from kcompile.kernels.blocks import I64, counted_loop, void_function

SIDE = 16  # rows of a tile, pairs or sums in a row of it
ROW_BYTES = 64
TILE_BYTES = SIDE * ROW_BYTES
ROWS = 2 * SIDE  # of C that a call computes
MOST_VECTORS = 2  # tiles of columns
RING = 4  # gathered chunks that may be under way at a time
A_TILES, B_TILES = (4, 5), (6, 7)  # the sums are in tiles 0 to 3
I1, I8, I32 = ir.IntType(1), ir.IntType(8), ir.IntType(32)
POINTER = ir.PointerType()
LINE, MASK = ir.VectorType(I32, SIDE), ir.VectorType(I1, SIDE)
NOTHING = ir.Constant(LINE, [0] * SIDE)


def fits(rows: int, vectors: int, lanes: int) -> bool:
    """Is there a kernel by tiles of rows x (vectors * lanes)?"""
    return rows == ROWS and lanes == SIDE and vectors <= MOST_VECTORS


def choose(n: int) -> tuple[int, int]:
    """Rows and columns of the tile for an output of width n."""
    return ROWS, SIDE * min(MOST_VECTORS, -(-n // SIDE))


def symbol(vectors: int) -> str:
    """Name of the C function for tiles of 32 rows x (16 * vectors) columns."""
    return f"kc_tiles_bf16_{ROWS}x{vectors}x{SIDE}"


def build(vectors: int) -> ir.Module:
    """A module with the one external function ``symbol(vectors)``."""
    module = ir.Module(symbol(vectors))
    _Tiles(module, vectors).emit()
    return module


class _Tiles:
    """Emits one micro-kernel."""

    def __init__(self, module: ir.Module, vectors: int) -> None:
        self.module, self.vectors = module, vectors
        self.b, arguments = void_function(module, symbol(vectors), 11)
        self.k1, self.k0, self.rows, self.a_s1, _, *rest = arguments
        self.panel, self.b_s1, self.b_s0, self.c, self.ldc, self.accumulate = rest

    def emit(self) -> None:
        b = self.b
        self.ring = self._stack(RING * 2 * TILE_BYTES)
        self.rest_of_b = self._stack(MOST_VECTORS * TILE_BYTES)
        self._configure()
        with b.if_else(b.icmp_signed("!=", self.accumulate, I64(0))) as (then, otherwise):
            with then:
                self._each_sum("llvm.x86.tileloadd64")
            with otherwise:
                for number in range(2 * self.vectors):
                    self._call("llvm.x86.tilezero", I8(number))
        whole, left = b.lshr(self.k0, I64(4)), b.and_(self.k0, I64(SIDE - 1))

        def outer(i1: ir.Value) -> None:
            a, panel = b.mul(i1, self.a_s1), b.add(self.panel, b.mul(i1, self.b_s1))
            counted_loop(b, whole, lambda chunk: self._chunk(chunk, a, panel))
            with b.if_then(b.icmp_signed("!=", left, I64(0))):
                self._last(whole, left, a, panel)

        counted_loop(b, self.k1, outer)
        self._each_sum("llvm.x86.tilestored64")
        self._call("llvm.x86.tilerelease")
        b.ret_void()

    # -- a step of the reduction: 16 pairs ---------------------------------------------------------------

    def _chunk(self, chunk: ir.Value, a: ir.Value, panel: ir.Value) -> None:
        """16 whole pairs."""
        b = self.b
        a = b.add(a, b.mul(chunk, I64(ROW_BYTES)))
        self._gather(b.and_(chunk, I64(RING - 1)), a, self._line)
        place = b.add(panel, b.mul(chunk, b.mul(self.b_s0, I64(SIDE))))
        self._multiply(place, self.b_s0)

    def _last(self, chunk: ir.Value, count: ir.Value, a: ir.Value, panel: ir.Value) -> None:
        """Fewer than 16 pairs."""
        b = self.b
        some, all_of = self._first(count), ir.Constant(MASK, [1] * SIDE)
        a = b.add(a, b.mul(chunk, I64(ROW_BYTES)))
        self._gather(I64(0), a, lambda address: self._masked_line(address, some))
        place = b.add(panel, b.mul(chunk, b.mul(self.b_s0, I64(SIDE))))
        for pair in range(SIDE):
            row = b.add(place, b.mul(self.b_s0, I64(pair)))
            is_there = b.icmp_signed("<", I64(pair), count)
            mask = b.select(is_there, all_of, ir.Constant(MASK, [0] * SIDE))
            for v in range(self.vectors):
                line = self._masked_line(b.add(row, I64(v * ROW_BYTES)), mask)
                at = I64(pair * self.vectors * ROW_BYTES + v * ROW_BYTES)
                self._store_line(line, b.add(self.rest_of_b, at))
        self._multiply(self.rest_of_b, I64(self.vectors * ROW_BYTES))

    def _multiply(self, panel: ir.Value, stride: ir.Value) -> None:
        for v in range(self.vectors):
            self._load(B_TILES[v], self.b.add(panel, I64(v * ROW_BYTES)), stride)
        for half, a in enumerate(A_TILES):
            for v in range(self.vectors):
                numbers = I8(half * self.vectors + v), I8(a), I8(B_TILES[v])
                self._call("llvm.x86.tdpbf16ps", *numbers)

    def _gather(self, slot: ir.Value, a: ir.Value, line: Callable[[ir.Value], ir.Value]) -> None:
        """Tiles of A by way of the ring."""
        b = self.b
        place = b.add(self.ring, b.mul(slot, I64(2 * TILE_BYTES)))
        for r in range(ROWS):
            self._store_line(line(b.add(self._row(r), a)), b.add(place, I64(r * ROW_BYTES)))
        for half, tile in enumerate(A_TILES):
            self._load(tile, b.add(place, I64(half * TILE_BYTES)), I64(ROW_BYTES))

    # -- pieces ------------------------------------------------------------------------------------------

    def _configure(self) -> None:
        """All eight tiles as large as they can be."""
        content = bytearray(64)
        content[0] = 1  # the palette
        for tile in range(8):
            content[16 + 2 * tile] = ROW_BYTES
            content[48 + tile] = SIDE
        data = ir.Constant(ir.ArrayType(I8, 64), content)
        where = ir.GlobalVariable(self.module, data.type, "configuration")
        where.initializer, where.global_constant, where.linkage, where.align = data, True, "private", 64
        self._call("llvm.x86.ldtilecfg", where)

    def _each_sum(self, name: str) -> None:
        """Load or store all tiles of C."""
        b = self.b
        for half in range(2):
            row = b.add(self.c, b.mul(self.ldc, I64(half * SIDE)))
            for v in range(self.vectors):
                place = self._pointer(b.add(row, I64(v * ROW_BYTES)))
                self._call(name, I8(half * self.vectors + v), place, self.ldc)

    def _load(self, tile: int, address: ir.Value, stride: ir.Value) -> None:
        self._call("llvm.x86.tileloadd64", I8(tile), self._pointer(address), stride)

    def _row(self, number: int) -> ir.Value:
        """Address of a row of A."""
        return self.b.load(self._pointer(self.b.add(self.rows, I64(8 * number))), typ=I64, align=8)

    def _line(self, address: ir.Value) -> ir.Value:
        return self.b.load(self._pointer(address), typ=LINE, align=4)

    def _masked_line(self, address: ir.Value, mask: ir.Value) -> ir.Value:
        arguments = self._pointer(address), I32(4), mask, NOTHING
        return self._call("llvm.masked.load.v16i32.p0", *arguments, result=LINE)

    def _store_line(self, line: ir.Value, address: ir.Value) -> None:
        self.b.store(line, self._pointer(address), align=ROW_BYTES)

    def _first(self, count: ir.Value) -> ir.Value:
        """The mask of the first `count` lanes."""
        b, undefined = self.b, ir.Constant(LINE, ir.Undefined)
        lanes = ir.Constant(LINE, [0] * SIDE)
        counts = b.shuffle_vector(b.insert_element(undefined, b.trunc(count, I32), I32(0)), undefined, lanes)
        return b.icmp_signed("<", ir.Constant(LINE, list(range(SIDE))), counts)

    def _stack(self, size: int) -> ir.Value:
        where = self.b.alloca(ir.ArrayType(I8, size))
        where.align = ROW_BYTES
        return self.b.ptrtoint(where, I64)

    def _pointer(self, address: ir.Value) -> ir.Value:
        return self.b.inttoptr(address, POINTER)

    def _call(self, name: str, *arguments: ir.Value, result: ir.Type | None = None) -> ir.Value:
        function = self.module.globals.get(name)
        if function is None:
            kinds = [POINTER if isinstance(a, ir.GlobalVariable) else a.type for a in arguments]
            function = ir.Function(self.module, ir.FunctionType(result or ir.VoidType(), kinds), name)
        return self.b.call(function, arguments)
