"""Sorting kernels as Numba source: the order of each row by a radix sort, a row a tile.

Keys are the elements' bits, changed so that they order as unsigned integers. Least significant byte first,
each pass counts the keys of each byte and moves them there in their order: stable, and a few passes whatever
the length (Knuth, The Art of Computer Programming 3, 5.2.5). A byte in which all keys agree is passed over.
Where only the first few of a row are wanted, they are kept in order while the row is read once.
The source depends on the dtype and the direction alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import MODULES, KernelSpec
from kcompile.codegen.writer import Writer
from kcompile.core import dtypes
from kcompile.core.symbolic import product
from kcompile.ir.graph import Value
from kcompile.ir.kernels import Sort

BINS = 256
FEW = 16  # wanted elements that are kept in order
LONG = 4  # times as many elements of a row
INFINITY = {"float16": 0x7C00, "bfloat16": 0x7F80, "float32": 0x7F800000, "float64": 0x7FF0000000000000}


def emit_sort(kernel: Sort, aliases: Mapping[Value, Value]) -> KernelSpec:
    """The kernel that orders the rows of a value."""
    source, target = aliases.get(kernel.source, kernel.source), aliases.get(kernel.target, kernel.target)
    extent, count = kernel.source.shape[-1], kernel.target.shape[-1]
    rows = product(kernel.source.shape[:-1])
    bytes_ = dtypes.itemsize(kernel.source.dtype)
    key = 8 if bytes_ == 8 else 4
    return KernelSpec(
        KernelSource(_source(kernel.source.dtype, kernel.descending), kernel.name, modules=MODULES),
        (source, target),
        (extent, count),
        rows,
        (target,),
        kernel.name,
        scratch=8 * BINS * bytes_ + 2 * (key + 4) * extent,
        work=rows * extent * (2 + 4 * bytes_),
        fused=kernel.fused,
    )


def _source(dtype: str, descending: bool) -> str:
    size = dtypes.itemsize(dtype)
    element, key = ("i64", "i64") if size == 8 else (f"u{8 * size}", "u32")
    w = Writer()
    with w.block("def kernel(args, begin, end, scratch):"):
        w.line(f"x = buffer_{element}(args[0], 0)")
        w.line("y = buffer_i32(args[1], 1)")
        w.line("n = args[2]")
        w.line("count = args[3]")
        w.line("counts = buffer_i64(scratch, 100)")
        w.line(f"keys = buffer_{key}(scratch + {8 * BINS * size}, 101)")
        w.line(f"order = buffer_i32(scratch + {8 * BINS * size} + n * {16 if size == 8 else 8}, 102)")
        with w.block("for tile in range(begin, end):"), w.block("if n > 0:"):
            with w.block(f"if count <= {FEW} and {LONG} * count <= n:"):
                _first_few(w, dtype, descending)
            with w.block("else:"):
                _all(w, dtype, descending)
    return w.text()


def _first_few(w: Writer, dtype: str, descending: bool) -> None:
    """The least keys in order; one that comes later goes behind its equals."""
    w.line("filled = 0")
    with w.block("for i in range(n):"):
        _key(w, dtype, descending)
        if dtypes.itemsize(dtype) == 8:
            w.line(f"key = key ^ {-(1 << 63)}")  # which compares as a signed number
        with w.block("if filled < count or key < i64(keys[filled - 1]):"):
            w.line("filled = min(filled + 1, count)")
            w.line("at = filled - 1")
            with w.block("while at > 0 and key < i64(keys[at - 1]):"):
                w.line("keys[at] = keys[at - 1]")
                w.line("order[at] = order[at - 1]")
                w.line("at = at - 1")
            w.line("keys[at] = key")
            w.line("order[at] = i")
    with w.block("for i in range(count):"):
        w.line("y[tile * count + i] = order[i]")


def _all(w: Writer, dtype: str, descending: bool) -> None:
    """The radix sort."""
    size = dtypes.itemsize(dtype)
    with w.block(f"for c in range({BINS * size}):"):
        w.line("counts[c] = 0")
    with w.block("for i in range(n):"):
        _key(w, dtype, descending)
        w.line("keys[i] = key")
        w.line("order[i] = i")
        for byte in range(size):
            w.line(f"place = {BINS * byte} + ((key >> {8 * byte}) & {BINS - 1})")
            w.line("counts[place] = counts[place] + 1")
    w.line("here = 0")
    w.line("there = n")
    with w.block(f"for byte in range({size}):"):
        _pass(w)
    with w.block("for i in range(count):"):
        w.line("y[tile * count + i] = order[here + i]")


def _key(w: Writer, dtype: str, descending: bool) -> None:
    """`key`: the bits of element i as a number whose unsigned bytes order as the elements do."""
    bits = 8 * dtypes.itemsize(dtype)
    ones = -1 if bits == 64 else (1 << bits) - 1
    sign = -(1 << 63) if bits == 64 else 1 << (bits - 1)
    w.line("key = i64(x[tile * n + i])")
    if dtypes.is_float(dtype):
        # Of negative numbers all bits are turned over, of others the sign alone. NaN is the greatest key.
        w.line(f"is_nan = (key & {(1 << (bits - 1)) - 1}) > {INFINITY[dtype]}")
        w.line(f"is_negative = (key & {sign}) != 0 and key != {sign}")
        w.line(f"key = select(is_negative, key ^ {ones}, key | {sign})")
        w.line(f"key = select(is_nan, {ones}, key)")
    elif dtype in dtypes.SIGNED:
        w.line(f"key = key ^ {sign}")
    if descending:
        w.line(f"key = key ^ {ones}")


def _pass(w: Writer) -> None:
    """Keys and positions moved from `here` to `there`, ordered by one byte more."""
    w.line("shift = 8 * byte")
    w.line(f"first = {BINS} * byte + ((i64(keys[here]) >> shift) & {BINS - 1})")
    with w.block("if counts[first] != n:"):
        w.line("total = 0")
        with w.block(f"for c in range({BINS} * byte, {BINS} * byte + {BINS}):"):
            w.line("own = counts[c]")
            w.line("counts[c] = total")
            w.line("total = total + own")
        with w.block("for i in range(n):"):
            w.line("key = i64(keys[here + i])")
            w.line(f"place = {BINS} * byte + ((key >> shift) & {BINS - 1})")
            w.line("at = counts[place]")
            w.line("counts[place] = at + 1")
            w.line("keys[there + at] = key")
            w.line("order[there + at] = order[here + i]")
        w.line("last = here")
        w.line("here = there")
        w.line("there = last")
