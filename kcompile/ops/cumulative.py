"""Running sums and products.

A long one is made of short ones: within blocks, of the blocks' totals, and the two together. In a short one
each element sums what is before it, which costs little, because neighbours do so in one vector.
Source: Blelloch, Prefix sums and their applications (1990).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes, symbolic
from kcompile.core.symbolic import Int
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.ops import create, cutting, movement
from kcompile.ops import elementwise as ew

BLOCK = 32
LEVELS = 3  # of blocks in blocks, where the extent is known only at run time: enough for a million
LONGEST = 2**20  # an extent that is known only at run time, in the gradient of a running product


def _short(name: str, kind: str, neutral: int, reference: Any, vjp: Any, onnx: Any) -> Op:
    """The primitive for short extents."""
    op = Op(f"short_{name}")

    @op.infer
    def infer(x: TensorType, *, axis: int) -> TensorType:
        return x

    @op.reference
    def evaluate(x: np.ndarray, *, axis: int) -> np.ndarray:
        return reference(x, axis=axis, dtype=x.dtype)

    op.vjp(vjp)

    @op.scalar
    def at(i: Index, x: Any, *, out: TensorType, axis: int) -> Expr:
        j = loops.axis(out.shape[axis], "r")
        seen = loops.apply("le", loops.index(j), loops.index(i[axis]), dtype="bool")
        value = x(tuple(j if k == axis else a for k, a in enumerate(i)))
        return loops.reduce(kind, (j,), loops.select(seen, value, loops.const(neutral, out.dtype)))

    op.onnx(onnx)
    op.samples(_samples(12))
    return op


def _samples(longest: int) -> Callable[[np.random.Generator], Iterator[Sample]]:
    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        yield Sample((rng.uniform(0.5, 1.5, (3, 5)).astype("float32"),), {"axis": 1})
        yield Sample((rng.uniform(0.5, 1.5, (4, 2)).astype("float32"),), {"axis": 0}, "first")
        yield Sample((rng.integers(-2, 3, (6,)).astype("int32"),), {"axis": 0}, "ints")
        yield Sample((rng.uniform(0.9, 1.1, (longest, 2)).astype("float32"),), {"axis": 0}, "long")

    return samples


def _running(name: str, short: Op, combine: Any, neutral: int, reference: Any, vjp: Any, onnx: Any) -> Op:
    op = Op(name)

    @op.infer
    def infer(x: TensorType, *, axis: int) -> TensorType:
        return x

    @op.reference
    def evaluate(x: np.ndarray, *, axis: int) -> np.ndarray:
        return reference(x, axis=axis, dtype=x.dtype)

    op.vjp(vjp)

    @op.decompose
    def decompose(x: Any, *, axis: int) -> Any:
        return _in_blocks(x, axis, short, combine, neutral, LEVELS)

    op.onnx(onnx)
    op.samples(_samples(2 * BLOCK + 7))
    return op


def _in_blocks(x: Any, axis: int, short: Op, combine: Any, neutral: int, levels: int) -> Any:
    n = x.shape[axis]
    if (isinstance(n, int) and n <= BLOCK) or levels == 0:
        return short(x, axis=axis)
    blocks = symbolic.floordiv(n + (BLOCK - 1), BLOCK)
    shape = (*x.shape[:axis], blocks, BLOCK, *x.shape[axis + 1 :])
    padded = _with_gap(x, axis, 0, blocks * BLOCK - n, neutral)
    within = short(movement.reshape(padded, shape), axis=axis + 1)
    totals = movement.squeeze(_cut(within, axis + 1, BLOCK - 1, 1), [axis + 1])
    sums = _in_blocks(totals, axis, short, combine, neutral, levels if isinstance(n, int) else levels - 1)
    before = _cut(_with_gap(sums, axis, 1, 0, neutral), axis, 0, blocks)
    full = movement.reshape(combine(within, movement.expand_dims(before, axis + 1)), padded.shape)
    return _cut(full, axis, 0, n)


def _with_gap(x: Any, axis: int, before: int | Int, after: int | Int, neutral: int) -> Any:
    """x with neutral elements before and after it."""
    none = (0,) * len(x.shape)
    sides = [(*none[:axis], side, *none[axis + 1 :]) for side in (before, after)]
    return cutting.pad_op(x, before=sides[0], after=sides[1], inner=none, value=float(neutral))


def _cut(x: Any, axis: int, start: int, size: int | Int) -> Any:
    starts = tuple(start if k == axis else 0 for k in range(len(x.shape)))
    sizes = tuple(size if k == axis else d for k, d in enumerate(x.shape))
    return cutting.slice_op(x, start=starts, size=sizes, step=(1,) * len(x.shape))


def _sum_vjp(dy: Any, y: Any, x: Any, *, axis: int) -> tuple[Any]:
    return (_from_the_end(dy, axis),)


def _from_the_end(dy: Any, axis: int) -> Any:
    """The sum of dy from each position to the end."""
    return cutting.flip(cumsum_op(cutting.flip(dy, axis), axis=axis), axis)


def _prod_vjp(dy: Any, y: Any, x: Any, *, axis: int) -> tuple[Any]:
    # dx[j] is the product of what is before j, times the sum over k >= j of dy[k] x[j + 1] ... x[k]. No
    # division: zeros are factors like any others, in the slopes of these slopes as well.
    before = cumprod_op(_cut(_with_gap(x, axis, 1, 0, 1), axis, 0, x.shape[axis]), axis=axis)
    return (ew.multiply(before, _later_products(dy, x, axis)),)


def _later_products(dy: Any, x: Any, axis: int) -> Any:
    """r[j] = dy[j] + x[j + 1] r[j + 1], by doubling: after each step twice as many terms are summed up."""
    n = x.shape[axis]
    position = movement.reshape(create.arange(n), (-1, *(1 for _ in x.shape[axis + 1 :])))
    total, factor, reach = dy, _later(x, axis, 1, 1), 1
    while reach < (n if isinstance(n, int) else LONGEST):
        more = ew.add(total, ew.multiply(factor, _later(total, axis, reach, 0)))
        total = ew.where(ew.less(position, n - reach), more, total)  # infinity times a gap would be NaN
        factor, reach = ew.multiply(factor, _later(factor, axis, reach, 1)), 2 * reach
    return total


def _later(x: Any, axis: int, steps: int, neutral: int) -> Any:
    """What comes so many steps later in x, `neutral` where nothing does."""
    return _cut(_with_gap(x, axis, 0, steps, neutral), axis, steps, x.shape[axis])


def _sum_onnx(g: Any, x: str, *, axis: int) -> str:
    return g.node("CumSum", x, g.constant(np.array(axis, np.int64)))


def _prod_onnx(g: Any, x: str, *, axis: int) -> str:
    # ONNX has no running product: for each position, the product of a row in which what comes later is 1.
    shape = g.shape(x)
    if not isinstance(shape[axis], int) or not dtypes.is_float(g.dtype(x)):
        # Of ints, too: a ReduceProd of onnxruntime stops at the largest one.
        return _prod_of_steps(g, x, axis)
    seen = np.tri(shape[axis], dtype=bool).reshape((shape[axis],) * 2 + (1,) * (len(shape) - axis - 1))
    rows = g.node("Unsqueeze", x, g.constant(np.array([axis])))
    kept = g.node("Where", g.constant(seen), rows, ew.onnx_number(g, 1, x))
    return g.reduce("ReduceProd", kept, [axis + 1], False)


def _prod_of_steps(g: Any, x: str, axis: int) -> str:
    """Along an axis whose extent is known at run time: step by step."""
    of_step = tuple(d for k, d in enumerate(g.shape(x)) if k != axis)
    type_ = TensorType(of_step, g.dtype(x))
    before, element = g.name("before"), g.name("element")
    g.types |= {before: type_, element: type_}
    with g.inside() as nodes:
        product = g.node("Mul", before, element)
        after, made = (g.node("Identity", product) for _ in range(2))
    body = g.loop_body({before: type_, element: type_}, {after: type_, made: type_}, nodes)
    one = movement.broadcast_op.rules["onnx"](g, ew.onnx_number(g, 1, x), shape=of_step)
    _, found = g.node(
        "Scan", one, x, outputs=2, body=body, num_scan_inputs=1, scan_input_axes=[axis],
        scan_output_axes=[axis],
    )  # fmt: skip
    return str(found)


short_cumsum_op = _short("cumsum", "sum", 0, np.cumsum, _sum_vjp, _sum_onnx)
short_cumprod_op = _short("cumprod", "prod", 1, np.cumprod, _prod_vjp, _prod_onnx)
cumsum_op = _running("cumsum", short_cumsum_op, ew.add, 0, np.cumsum, _sum_vjp, _sum_onnx)
cumprod_op = _running("cumprod", short_cumprod_op, ew.multiply, 1, np.cumprod, _prod_vjp, _prod_onnx)


def _run(op: Op, x: Any, axis: int | None, dtype: Any) -> Any:
    x = ew.as_tensor(x, None if dtype is None else dtypes.standardize(dtype))
    if dtype is None and ew.common_dtype(x) == "bool":
        x = ew.cast(x, "int32")
    if axis is None:
        x, axis = movement.reshape(x, (-1,)), 0
    return op(x, axis=movement.check_axis(op.name, axis, len(x.shape)))


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Running sums along `axis`, or of the flattened tensor.

    >>> cumsum(np.array([1, 2, 3])).tolist()
    [1, 3, 6]
    """
    return _run(cumsum_op, x, axis, dtype)


def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Running products along `axis`, or of the flattened tensor."""
    return _run(cumprod_op, x, axis, dtype)
