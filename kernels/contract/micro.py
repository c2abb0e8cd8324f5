"""The contraction micro-kernel: a register tile of rows x vectors of accumulators, as LLVM IR.

Each step of the reduction broadcasts one element of A per row and multiplies it with the vectors of a row of
B. The rows of A are addresses, so they may be any pixels of an image; the reduction is two nested loops with
strides of their own (a convolution: kernel rows, then kernel columns x channels), and the accumulators stay
in registers through both.

The external C function ``symbol(spec)`` takes int64 only, addresses and strides in BYTES::

    void f(k1, k0, row_ptrs, a_s1, a_s0, b, b_s1, b_s0, c, ldc, accumulate)

    c[r][j] (+)= sum over i1 < k1, i0 < k0 of
                 A(row_ptrs[r] + i1*a_s1 + i0*a_s0) * B(b + i1*b_s1 + i0*b_s0 + j*item)
    for r < rows, j < vectors * lanes

row_ptrs is the address of `rows` int64 absolute addresses. Without accumulate, C is overwritten. Nothing
needs alignment.

For "bfloat16" an element is a pair of bfloat16, side by side in A as in B (k0 counts pairs), the product is
that of both numbers of a pair, added up, and C is float32. It needs x86's AVX512_BF16.
"""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from kcompile.kernels.host import Host

I64 = ir.IntType(64)
I32 = ir.IntType(32)
POINTER = ir.PointerType()
UNROLL = 4
# Two multiply-adds a cycle, each of four cycles' latency: with fewer independent sums the units idle.
INDEPENDENT_SUMS = 8
ARGUMENTS = ("k1", "k0", "rows", "a_s1", "a_s0", "b", "b_s1", "b_s0", "c", "ldc", "accumulate")
# Vectors in a tile -> (rows, share of the FMA peak), operands in the first-level cache of an AMD Zen 5 (the
# lesser ones: KCOMPILE_CPU=haswell and generic). One vector a row is bound by the broadcasts. Accumulators,
# a row of B and a broadcast fit into the registers.
TILES_OF_32_REGISTERS = {1: (8, 0.72), 2: (12, 0.93), 3: (8, 0.93), 4: (6, 0.93)}
TILES_OF_16_REGISTERS = {1: (8, 0.78), 2: (6, 0.92), 3: (4, 0.92)}
# Without a fused multiply-add the product takes a register, too.
TILES_OF_16_WITHOUT_FMA = {1: (6, 0.66), 2: (4, 0.76), 3: (3, 0.80)}


@dataclass(frozen=True)
class MicroSpec:
    """A micro-kernel: its tile is rows x (vectors * lanes) elements.

    unit_k: a_s0 is the element's size (the argument is not read), which saves address arithmetic on x86.
    Elsewhere LLVM makes increments of it, and spills accumulators around them.
    """

    rows: int
    vectors: int
    lanes: int
    dtype: str = "float32"
    unit_k: bool = True

    @property
    def columns(self) -> int:
        """Width of the tile in elements."""
        return self.vectors * self.lanes

    @property
    def sets(self) -> int:
        """Independent accumulator tiles that take turns along the reduction."""
        return min(UNROLL, -(-INDEPENDENT_SUMS // (self.rows * self.vectors)))


def symbol(spec: MicroSpec) -> str:
    """Name of the C function."""
    kind = {"float32": "f32", "float64": "f64", "bfloat16": "bf16"}[spec.dtype]
    return f"kc_micro_{kind}_{spec.rows}x{spec.vectors}x{spec.lanes}{'u' if spec.unit_k else 's'}"


def build(spec: MicroSpec) -> ir.Module:
    """A module with the one external function ``symbol(spec)``."""
    module = ir.Module(symbol(spec))
    Micro(module, spec).emit()
    return module


def choose(n: int, host: Host, dtype: str = "float32") -> tuple[int, int]:
    """The tile (rows, vectors) that computes an output of width n soonest, n rounded up to whole tiles.

    >>> wide = Host("", "", vector_bytes=64, vector_registers=32, l1=32768, l2=524288, cores=1)
    >>> choose(10, wide), choose(32, wide), choose(512, wide)
    ((8, 1), (12, 2), (6, 4))
    """
    needed = -(-n // host.lanes(dtype))
    tiles = _tiles(host)

    def cost(vectors: int) -> tuple[float, int]:
        return -(-needed // vectors) * vectors / tiles[vectors][1], -vectors

    best = min(tiles, key=cost)
    return tiles[best][0], best


def rows_of(vectors: int, host: Host) -> int | None:
    """Rows of the tile that is `vectors` wide, if there is such a tile."""
    tile = _tiles(host).get(vectors)
    return None if tile is None else tile[0]


def _tiles(host: Host) -> dict[int, tuple[int, float]]:
    if host.vector_registers == 32:
        return TILES_OF_32_REGISTERS
    return TILES_OF_16_REGISTERS if host.fuses else TILES_OF_16_WITHOUT_FMA


def element(dtype: str) -> ir.Type:
    """LLVM's type of a dtype. Raises KeyError for what the micro-kernel does not compute in."""
    return {"float32": ir.FloatType(), "float64": ir.DoubleType(), "bfloat16": ir.FloatType()}[dtype]


class _BFloat(ir.Type):
    """LLVM's bfloat, which llvmlite does not know: only pointers and vectors of it are named."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat)

    def __hash__(self) -> int:
        return hash(_BFloat)


@dataclass
class Progress:
    """What changes along the reduction: addresses and accumulators[set][row][vector]."""

    a: ir.Value
    b: ir.Value
    sums: list[list[list[ir.Value]]]

    def flat(self) -> list[ir.Value]:
        return [self.a, self.b, *(v for tile in self.sums for row in tile for v in row)]

    def rebuilt(self, flat: list[ir.Value]) -> Progress:
        values = iter(flat[2:])
        return Progress(
            flat[0], flat[1], [[[next(values) for _ in row] for row in tile] for tile in self.sums]
        )


class Micro:
    """Emits one micro-kernel, the function that the module is named for."""

    arguments: tuple[str, ...] = ARGUMENTS

    def __init__(self, module: ir.Module, spec: MicroSpec) -> None:
        self.spec = spec
        self.item = element(spec.dtype)
        self.size = 8 if spec.dtype == "float64" else 4  # of a number, or of a pair
        self.operand = I32 if spec.dtype == "bfloat16" else self.item
        self.vector = ir.VectorType(self.item, spec.lanes)
        kind = ir.FunctionType(ir.VoidType(), [I64] * len(self.arguments))
        function = ir.Function(module, kind, module.name)
        function.attributes.add("nounwind")
        function.attributes.add("noinline")
        for name, value in zip(self.arguments, function.args, strict=True):
            value.name = name
        self.k1, self.k0, self.rows, self.a_s1, self.a_s0, *rest = function.args
        self.b, self.b_s1, self.b_s0, self.c, self.ldc, self.accumulate, *self.others = rest
        self.loaded = ir.VectorType(self.operand, spec.lanes)
        self.pairs = ir.VectorType(_BFloat(), 2 * spec.lanes) if spec.dtype == "bfloat16" else None
        if self.pairs is None:
            name, factors = f"llvm.fmuladd.v{spec.lanes}f{8 * self.size}", [self.vector] * 3
        else:
            name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * spec.lanes}"
            factors = [self.vector, self.pairs, self.pairs]
        self.fma = ir.Function(module, ir.FunctionType(self.vector, factors), name)
        self.build = ir.IRBuilder(function.append_basic_block("entry"))

    def emit(self) -> None:
        b = self.build
        if self.spec.unit_k:
            self.a_s0 = I64(self.size)
        self.pointers = self._row_pointers()
        zero = ir.Constant(self.vector, [0.0] * self.spec.lanes)
        tile = [[[zero] * self.spec.vectors for _ in range(self.spec.rows)] for _ in range(self.spec.sets)]
        start = Progress(I64(0), self._pointer(self.b), tile)
        end = self._loop("outer", self.k1, 1, start, self._outer_step)
        self._store(self._total(end.sums))
        b.ret_void()

    def _row_pointers(self) -> list[ir.Value]:
        rows = [self._load(self._at(self.rows, 8 * r), I64) for r in range(self.spec.rows)]
        return [self._pointer(row) for row in rows]

    def _outer_step(self, state: Progress) -> Progress:
        inner = Progress(state.a, state.b, state.sums)
        blocks = self.build.and_(self.k0, I64(-UNROLL), name="blocks")
        inner = self._loop("block", blocks, UNROLL, inner, lambda s: self._steps(s, UNROLL))
        inner = self._loop("rest", self.build.sub(self.k0, blocks), 1, inner, lambda s: self._steps(s, 1))
        return Progress(self.build.add(state.a, self.a_s1), self._move(state.b, self.b_s1), inner.sums)

    def _loop(self, name, count, step, state, body) -> Progress:  # type: ignore[no-untyped-def]
        """Repeat body while a counter, up by step, is below count; the state after zero or more rounds."""
        b = self.build
        before = b.block
        loop, after = b.append_basic_block(name), b.append_basic_block(name + "_end")
        b.cbranch(b.icmp_signed(">", count, I64(0)), loop, after)
        b.position_at_end(loop)
        counter = self._phi(count, before)
        phis = [self._phi(value, before) for value in state.flat()]
        result = body(state.rebuilt(phis)).flat()
        left = b.sub(counter, I64(step))
        end = b.block
        for phi, value in zip([counter, *phis], [left, *result], strict=True):
            phi.add_incoming(value, end)
        b.cbranch(b.icmp_signed(">", left, I64(0)), loop, after)
        b.position_at_end(after)
        joined = []
        for initial, value in zip(state.flat(), result, strict=True):
            phi = b.phi(value.type)
            phi.add_incoming(initial, before)
            phi.add_incoming(value, end)
            joined.append(phi)
        return state.rebuilt(joined)

    def _steps(self, state: Progress, count: int) -> Progress:
        """`count` steps of the reduction; step u adds to tile u modulo the number of sets."""
        a, b, sums = state.a, state.b, [[list(row) for row in tile] for tile in state.sums]
        for u in range(count):
            places = [self._at(b, j * self.spec.lanes * self.size) for j in range(self.spec.vectors)]
            columns = [self._load(place, self.loaded) for place in places]
            tile = sums[u % self.spec.sets]
            for row, pointer in zip(tile, self.pointers, strict=True):
                x = self._broadcast(self._load(self._move(pointer, a), self.operand))
                row[:] = [self._product(x, y, v) for y, v in zip(columns, row, strict=True)]
            a, b = self._advance(a), self._move(b, self.b_s0)
        return Progress(a, b, sums)

    def _product(self, x: ir.Value, y: ir.Value, total: ir.Value) -> ir.Value:
        """total + x * y, or the products of pairs."""
        if self.pairs is None:
            return self.build.call(self.fma, [x, y, total])
        x, y = (self.build.bitcast(v, self.pairs) for v in (x, y))
        return self.build.call(self.fma, [total, x, y])

    def _advance(self, a: ir.Value) -> ir.Value:
        """The next step's offset into A.

        A stride that is no constant hides from LLVM in an empty asm: otherwise LLVM keeps an address for each
        row at every unrolled step, and spills them all (a third of the speed).
        """
        a = self.build.add(a, self.a_s0)
        if self.spec.unit_k:
            return a
        return self.build.asm(ir.FunctionType(I64, [I64]), "", "=r,0", [a], side_effect=False)

    def _total(self, sums: list[list[list[ir.Value]]]) -> list[list[ir.Value]]:
        """Sum of the sets, pairwise."""
        while len(sums) > 1:
            half = -(-len(sums) // 2)
            for left, right in zip(sums, sums[half:], strict=False):
                for row, other in zip(left, right, strict=True):
                    row[:] = [self.build.fadd(x, y) for x, y in zip(row, other, strict=True)]
            sums = sums[:half]
        return sums[0]

    def _store(self, tile: list[list[ir.Value]]) -> None:
        b = self.build
        with b.if_else(b.icmp_signed("!=", self.accumulate, I64(0))) as (then, otherwise):
            with then:
                self._store_rows(tile, lambda p, v: b.fadd(self._load(p, self.vector), v))
            with otherwise:
                self._store_rows(tile, lambda p, v: v)

    def _store_rows(self, tile, value) -> None:  # type: ignore[no-untyped-def]
        row = self._pointer(self.c)
        for vectors in tile:
            for j, v in enumerate(vectors):
                place = self._at(row, j * self.spec.lanes * self.size)
                self.build.store(value(place, v), place, align=self.size)
            row = self._move(row, self.ldc)

    def _phi(self, value: ir.Value, block: ir.Block) -> ir.PhiInstr:
        phi = self.build.phi(value.type)
        phi.add_incoming(value, block)
        return phi

    def _pointer(self, address: ir.Value) -> ir.Value:
        return self.build.inttoptr(address, POINTER)

    def _at(self, base: ir.Value, offset: int) -> ir.Value:
        if base.type == I64:
            base = self._pointer(base)
        return self._move(base, I64(offset))

    def _move(self, pointer: ir.Value, offset: ir.Value) -> ir.Value:
        return self.build.gep(pointer, [offset], source_etype=ir.IntType(8))

    def _load(self, pointer: ir.Value, kind: ir.Type) -> ir.Value:
        return self.build.load(pointer, typ=kind, align=8 if kind == I64 else self.size)

    def _broadcast(self, scalar: ir.Value) -> ir.Value:
        b, undefined = self.build, ir.Constant(self.loaded, ir.Undefined)
        first = b.insert_element(undefined, scalar, I32(0))
        lanes = ir.Constant(ir.VectorType(I32, self.spec.lanes), [0] * self.spec.lanes)
        return b.shuffle_vector(first, undefined, lanes)
