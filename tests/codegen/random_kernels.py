"""Random computations of each family of kernels, of sizes around whatever the generators take at a time."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.autograd.backward import pull_back_all
from kcompile.codegen import (
    contract_cpu,
    cpu,
    jam,
    loop_cpu,
    scan_cpu,
    scatter_cpu,
    strips,
    winograd_gradient_cpu,
)
from kcompile.core import dtypes, symbolic
from kcompile.core.symbolic import symbol
from kcompile.ir.graph import Graph, Value
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.kernels.host import host
from kcompile.ops import cumulative, other_factors
from kcompile.schedule import plan

BATCH = symbol("batch")
WORK = 2_000_000  # products of a contraction: NumPy's reference is to take milliseconds
LANES = host().lanes("float32")
TILE_ROWS, TILE_COLUMNS = cpu.target().tile(1 << 10, "float32")
WIDE = 2 * LANES  # columns of a tile that is half as wide
ROWS = (1, 3, TILE_ROWS, 8, 12, contract_cpu.BLOCK_ROWS, 2 * contract_cpu.BLOCK_ROWS)
COLUMNS = (2, LANES, WIDE, TILE_COLUMNS, TILE_COLUMNS + LANES, 2 * TILE_COLUMNS, strips.STRIP_COLUMNS)
STEPS = (
    2,
    9,
    contract_cpu.STRIDED_BLOCK_K,
    contract_cpu.BLOCK_K,
    2 * contract_cpu.BLOCK_K,
    4 * contract_cpu.BLOCK_K,
)
BATCHES = (
    1,
    2,
    TILE_ROWS + 1,
    13,
    scan_cpu.MOST_ROWS,
    scan_cpu.MOST_ROWS + 1,
    33,
    contract_cpu.BLOCK_ROWS + 1,
    130,
)


class Kernels:
    """A computation in the making: random choices, parameters, and what is computed of them."""

    def __init__(self, family: str, seed: int) -> None:
        self.rng = random.Random(f"{family} {seed}")
        self.dtype = self.one_of("float32", "float32", "float32", "float64")
        self.parameters: list[Value] = []
        self.limits: list[int] = []
        outputs = FAMILIES[family](self)
        self.outputs = list(dict.fromkeys(outputs if isinstance(outputs, (list, tuple)) else [outputs]))
        self._differentiate()

    def one_of(self, *options: Any) -> Any:
        return self.rng.choice(options)

    def chance(self, odds: float) -> bool:
        return self.rng.random() < odds

    def around(self, sizes: tuple[int, ...], most: float = math.inf) -> int:
        """One of the sizes, or just below or beyond it, but not above `most`."""
        return max(1, self.one_of(*[s for s in sizes if s <= most] or [1]) + self.one_of(-1, 0, 0, 1, 1))

    def shuffled(self, letters: str) -> str:
        return "".join(self.rng.sample(letters, len(letters)))

    def parameter(self, *shape: Any, limit: int = 0) -> Value:
        """Normal numbers, or positions below `limit`."""
        type_ = TensorType(tuple(shape), "int32" if limit else self.dtype)
        self.parameters.append(make_parameter(f"p{len(self.parameters)}", type_))
        self.limits.append(limit)
        return self.parameters[-1]

    def operand(self, *shape: Any) -> Value:
        """A value of this shape that some movement makes of a parameter."""
        axis = self.rng.randrange(len(shape))
        known = isinstance(shape[axis], int) and shape[axis] > 2
        before, after = (None,) * axis, shape[axis + 1 :]
        how = self.one_of("plain", "plain", "plain", "slice", "pad", "join", "flip") if known else "plain"
        if how == "slice":
            whole = self.parameter(*shape[:axis], shape[axis] + 5, *after)
            return whole[(*map(slice, before), slice(3, 3 + shape[axis]))]
        if how == "pad":
            inner = self.parameter(*shape[:axis], shape[axis] - 2, *after)
            return ops.pad(inner, [(int(k == axis), int(k == axis)) for k in range(len(shape))])
        if how == "join":
            sizes = 1, shape[axis] - 1
            return ops.concatenate([self.parameter(*shape[:axis], n, *after) for n in sizes], axis=axis)
        whole = self.parameter(*shape)
        return ops.flip(whole, axis=axis) if how == "flip" else whole

    def epilogue(self, y: Value) -> list[Value]:
        """y, what elementwise operations make of it, and perhaps a sum or another view of it."""
        more: list[Value] = []
        for _ in range(self.one_of(0, 1, 2, 3)):
            kind = self.one_of("bias", "smooth", "residual", "keep", "sum", "turn")
            if kind == "bias":
                y = y + self.parameter(y.shape[-1])
            elif kind == "smooth":
                y = self.one_of(ops.tanh, ops.sigmoid, ops.gelu)(y)
            elif kind == "residual":
                y = y * self.parameter(*y.shape) + self.parameter(*y.shape)
            elif kind == "sum":
                more.append(ops.mean(y, axis=self.rng.randrange(y.ndim)))
            else:
                more.append(y if kind == "keep" else ops.transpose(y))
        return [y, *more]

    def _differentiate(self) -> None:
        """The gradients for random cotangents join the outputs."""
        sources = [p for p in self.parameters if dtypes.is_float(p.dtype)]
        ys = [y for y in self.outputs if dtypes.is_float(y.dtype)]
        found = pull_back_all(ys, [self.parameter(*y.shape) for y in ys], sources)
        self.outputs = list(dict.fromkeys([*self.outputs, *(g for g in found if isinstance(g, Value))]))

    @property
    def graph(self) -> Graph:
        return Graph(list(self.parameters), list(self.outputs))

    def arrays(self, batch: int) -> list[np.ndarray]:
        rng = np.random.default_rng(batch)
        found = []
        for p, limit in zip(self.parameters, self.limits, strict=True):
            shape = tuple(symbolic.evaluate(d, {"batch": batch}) for d in p.shape)
            found.append(rng.integers(0, limit, shape) if limit else rng.normal(size=shape))
        return [a.astype(p.dtype) for a, p in zip(found, self.parameters, strict=True)]

    def batches(self) -> list[int]:
        """Real sizes of the open dimension, small ones where much is computed; one where there is none."""
        if all(p.type.is_static for p in self.parameters):
            return [1]
        size = max(math.prod(d for d in p.shape if isinstance(d, int)) for p in self.parameters)
        fitting = [b for b in BATCHES if b * size <= 1 << 17] or [1]
        return sorted({fitting[0], fitting[-1], self.one_of(*fitting), self.one_of(*fitting)})


def product(k: Kernels) -> Any:
    """Rows, columns, steps and perhaps a batch of products, each operand and the output in any order."""
    sizes: dict[str, Any] = {"m": k.around(ROWS), "n": 0, "k": 0, "b": k.one_of(1, 2, 3)}
    first, second = k.one_of(("n", COLUMNS), ("k", STEPS)), ("n", COLUMNS)
    second = second if first[0] == "k" else ("k", STEPS)
    for axis, options in (first, second):
        sizes[axis] = k.around(options, WORK / math.prod(s for s in sizes.values() if s))
    scale = math.sqrt(sizes["k"])
    if k.chance(0.5):
        sizes[k.one_of("m", "m", "n", "k")] = BATCH
    b = "b" if sizes["b"] > 1 else ""
    letters = k.shuffled(f"{b}mk"), k.shuffled(f"{b}kn"), k.shuffled(f"{b}mn")
    operands = [k.operand(*(sizes[c] for c in word)) for word in letters[:2]]
    return k.epilogue(ops.einsum("{},{}->{}".format(*letters), *operands) / scale)


def halves(k: Kernels) -> Any:
    """Products of bfloat16, in pairs where the number of steps is even and the CPU has them."""
    k.dtype = "bfloat16"
    steps = k.around(STEPS) // 2 * 2 + k.one_of(0, 0, 1, 2)
    columns = k.around(COLUMNS[:5], max(2, WORK / steps / 9))
    x, w = k.parameter(k.one_of(BATCH, 3, 9), steps), k.parameter(steps, columns)
    if k.chance(0.3):
        w = ops.transpose(k.parameter(columns, steps))
    return ops.matmul(x, w) / math.sqrt(steps)


def convolution(k: Kernels) -> Any:
    """Windows, strides, dilation and groups; images a few rows of tiles high."""
    rank = k.one_of(1, 2, 2, 3)
    window = [k.one_of(1, 2, 3, 3, 5) if rank < 3 else k.one_of(1, 2, 3) for _ in range(rank)]
    strides, dilation = k.one_of((1, 1), (1, 2), (2, 1), (3, 1))
    groups = k.one_of(1, 1, 1, 2, 3)
    image = [max(k.one_of(5, 8, 9, 13) if rank < 3 else 5, dilation * (w - 1) + 1) for w in window]
    if rank == 1:
        image = [k.around((contract_cpu.BLOCK_ROWS, 33))]
    inner = k.one_of(1, 3, 8, 17, 33) * groups
    work = math.prod(window) * math.prod(image) * inner
    outer = k.around(COLUMNS, max(4, WORK / work)) * groups
    x = k.operand(k.one_of(BATCH, 1, 3), *image, inner)
    kernel = k.operand(*window, inner // groups, outer)
    y = ops.conv(x, kernel, strides, k.one_of("same", "valid"), dilation_rate=dilation)
    return k.epilogue(y / math.sqrt(math.prod(window) * inner / groups))


def winograd(k: Kernels) -> Any:
    """3 x 3 windows and larger ones of many channels, on either side of a panel, of a pass and of whole
    squares; of images and volumes, in groups, and of taps that lie apart.
    """
    k.dtype = "float32"
    squares = winograd_gradient_cpu.MOST_SQUARES
    side = k.one_of((8, 12), (9, 15), (5, 4 * squares + 4), (16, 7), (12, 12))
    inner, outer = (k.around((17, 2 * LANES + 1, TILE_COLUMNS, TILE_COLUMNS + LANES)) for _ in range(2))
    outer = outer if k.chance(0.5) else -(-outer // 4) * 4
    kind = k.one_of("plain", "plain", "volume", "groups", "dilated")
    groups, rate = (k.one_of(2, 3) if kind == kind_of else 1 for kind_of in ("groups", "dilated"))
    planes, taps = ((k.one_of(3, 5),), (k.one_of(2, 3),)) if kind == "volume" else ((), ())
    image = (*planes, *(rate * d for d in side))
    taps = (*taps, k.one_of(3, 3, 5), k.one_of(3, 3, 6, 7) if side[1] > 7 else 3)
    channels = (inner, groups * outer)
    kernel = (
        k.operand(*taps, *channels)
        if k.chance(0.7)
        else ops.swapaxes(k.operand(*taps, *reversed(channels)), -1, -2)
    )
    x = k.operand(k.one_of(BATCH, 1, 3), *image, groups * inner)
    y = ops.conv(x, kernel, 1, k.one_of("same", "valid"), dilation_rate=(*(1 for _ in planes), rate, rate))
    return k.epilogue(y / math.sqrt(inner * math.prod(taps)))


def chain(k: Kernels) -> Any:
    """Convolutions that read each other with a border, and others that read what lies between them."""
    image, batch = (k.one_of(5, 8, 9, 16), k.one_of(6, 8, 12)), k.one_of(BATCH, 1, 3)
    channels = [k.around((3, 17, LANES + 1, WIDE)) for _ in range(2)]
    x = k.operand(batch, *image, channels[0])
    first = ops.conv(x, k.parameter(3, 3, *channels), 1, "same") / (3 * math.sqrt(channels[0]))
    between = k.one_of(ops.relu, ops.tanh)(first + k.parameter(channels[1]))
    window = k.one_of(2, 3, 3, 5)
    last = ops.conv(between, k.parameter(window, window, channels[1], channels[1]), k.one_of(1, 1, 2), "same")
    last = last / (window * math.sqrt(channels[1]))
    if last.shape == between.shape and k.chance(0.6):
        last = last + between
    return [last, k.one_of(last, ops.max_pool(between, 2), ops.mean(between, (1, 2)), between)]


def transposed_convolution(k: Kernels) -> Any:
    stride, window = k.one_of(1, 2, 2, 3), k.one_of(2, 3, 4, 5)
    x = k.operand(k.one_of(BATCH, 2), k.one_of(5, 6), 7, k.one_of(1, 8, 17, 33))
    outer = k.around(COLUMNS[:5], WORK / (window * window * math.prod(x.shape[1:])))
    return k.epilogue(
        ops.conv_transpose(
            x, k.operand(window, window, outer, x.shape[-1]), stride, k.one_of("same", "valid")
        )
    )


def depthwise(k: Kernels) -> Any:
    channels, window = k.around((3, LANES, TILE_COLUMNS, 2 * TILE_COLUMNS)), k.one_of(2, 3, 5)
    x = k.operand(k.one_of(BATCH, 1, 3), k.one_of(6, 9), 7, channels)
    y = ops.depthwise_conv(
        x, k.operand(window, window, channels, k.one_of(1, 1, 2)), k.one_of(1, 2), k.one_of("same", "valid")
    )
    return k.epilogue(y)


def reduction(k: Kernels) -> Any:
    """Rows, columns and both; long ones into few sums, which are shared out."""
    chunk, long = loop_cpu.COLUMN_CHUNK, plan.SPLIT_LENGTH
    shape = k.one_of(
        (BATCH, k.around((3, chunk, 2 * chunk))), (k.around((long, 2 * long)), k.around((9, LANES))),
        (k.around((7, 17)), k.around((jam.ROWS_AT_A_TIME, 33)), k.around((chunk, 3))),
        (k.around((5, chunk)), BATCH, k.around((3, LANES))), (k.around((9, 33)), k.around((long,))),
        (k.around((1 << 18,)),),
    )  # fmt: skip
    x = k.operand(*shape)
    axes = tuple(sorted(k.rng.sample(range(len(shape)), k.rng.randint(1, len(shape)))))
    mean, variance = ops.moments(x, axes, keepdims=True)
    kind = k.one_of("sums", "normalized", "softmax", "extremes", "weighted")
    if kind == "sums":
        return [ops.sum(x, axes), ops.mean(ops.square(x), axes), ops.tanh(x)]
    if kind == "normalized":
        return [(x - mean) * ops.rsqrt(variance + 0.1), mean]
    if kind == "softmax":
        return [ops.softmax(x, axis=axes), ops.logsumexp(x, axis=axes)]
    if kind == "extremes":
        return [ops.max(x, axes), ops.min(ops.sin(x), axes), ops.argmax(x, axis=axes[0])]
    return ops.sum(x * k.parameter(*(d if n in axes else 1 for n, d in enumerate(shape))), axes)


def running(k: Kernels) -> Any:
    """Running sums and products within blocks, across them, and across blocks of blocks."""
    block = cumulative.BLOCK
    length = k.one_of(BATCH, k.around((2, block, 3 * block, block * block)))
    shape = k.one_of((length,), (3, length), (length, 5), (2, length, 3))
    x, axis = k.operand(*shape), shape.index(length)
    near = 1.0 + 0.001 * ops.tanh(x)
    return k.one_of(
        ops.cumsum(x, axis=axis), ops.cumsum(ops.cumsum(x, axis=axis), axis=0), ops.cumprod(near, axis=axis)
    )


def factors(k: Kernels) -> Any:
    length = k.around((1, other_factors.BLOCK, other_factors.BLOCK**2, 97))
    x = k.operand(*k.one_of((length,), (3, length), (length, 2)))
    return ops.prod(1.0 + 0.01 * ops.tanh(x), axis=x.shape.index(length))


def scattered(k: Kernels) -> Any:
    """Rows taken and added by position; columns around those of a tile."""
    rows, columns = k.around((1, 7, 50)), k.around((1, scatter_cpu.COLUMNS, 3 * scatter_cpu.COLUMNS))
    count = k.one_of((BATCH,), (BATCH, 3), (k.around((33,)),))
    table, at = k.operand(rows, columns), k.parameter(*count, limit=rows)
    taken = ops.take(table, at, axis=0) * 1.5
    if k.chance(0.5) and len(count) == 1:
        return [taken, ops.segment_sum(k.operand(*count, columns), at, num_segments=rows)]
    return k.epilogue(taken)


def sorted_rows(k: Kernels) -> Any:
    length = k.around((2, 24, 256, 1000))
    x = k.operand(*k.one_of((length,), (k.one_of(BATCH, 3), length)))
    return k.one_of(lambda: [ops.sort(x), ops.argsort(x)], lambda: list(ops.top_k(x, max(1, length // 2))))()


def window(k: Kernels) -> Any:
    x = k.operand(k.one_of(BATCH, 3), k.around((6, 9)), k.around((5, 12)), k.around((3, LANES, TILE_COLUMNS)))
    size, stride, padding = k.one_of(2, 3, 4), k.one_of(1, 2, 3), k.one_of("same", "valid")
    return [k.one_of(ops.max_pool, ops.average_pool)(x, size, stride, padding)]


def attention(k: Kernels) -> Any:
    heads, width, length = k.one_of(1, 2, 3), k.around((3, LANES, WIDE)), k.around((5, LANES, WIDE))
    batch = k.one_of(BATCH, 2)
    query, key, value = (k.parameter(batch, length, heads, width) for _ in range(3))
    return ops.dot_product_attention(query, key, value, is_causal=k.chance(0.5))


def loop(k: Kernels) -> Any:
    """A recurrence whose rows go in blocks, or not, with weights on either side of a tile."""
    inner, units = k.around((1, LANES, WIDE)), k.around((3, LANES, TILE_COLUMNS))
    xs, first = k.parameter(k.one_of(1, 2, 5), BATCH, inner), k.parameter(BATCH, units)
    w, u = k.parameter(inner, units) / math.sqrt(inner), k.parameter(units, units) / math.sqrt(units)
    mixes = k.chance(0.3)

    def step(h: Any, x: Any) -> tuple[Any, Any]:
        h = ops.tanh(ops.matmul(x, w) + ops.matmul(h, u))
        return h, ops.mean(h, axis=0 if mixes else 1)

    last, ys = ops.scan(step, first, xs, reverse=k.chance(0.3))
    return [last, ys]


FAMILIES: dict[str, Callable[[Kernels], Any]] = {
    f.__name__: f
    for f in (
        product, halves, convolution, winograd, chain, transposed_convolution, depthwise, reduction,
        running, factors, scattered, sorted_rows, window, attention, loop,
    )
}  # fmt: skip
