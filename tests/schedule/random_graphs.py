"""Random computations for hypothesis: what a model may contain, in any order and with odd sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kcompile import ops
from kcompile.autograd.backward import pull_back
from kcompile.core import symbolic
from kcompile.core.symbolic import symbol
from kcompile.ir.graph import Graph, Value
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType

SIZES = (1, 2, 3, 5, 7, 8, 16, 17, 33, 65, 97)
BATCHES = (1, 2, 5, 127, 128, 129, 130)
BATCH_HINT = 16  # what a symbolic dimension counts for when sizes are kept small
LIMIT = 6000  # elements of a value
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass
class Computation:
    """A graph over parameters, and arrays for them once the batch is known."""

    draw: Draw
    dtype: str
    batch: Any
    parameters: list[Value] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)

    def choose(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def parameter(self, *shape: Any, dtype: str = "") -> Value:
        name = f"p{len(self.parameters)}"
        made = make_parameter(name, TensorType(tuple(shape), dtype or self.dtype))
        self.parameters.append(made)
        return made

    def graph(self) -> Graph:
        return Graph(list(self.parameters), list(self.outputs))

    def arrays(self, batch: int, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        symbols = {"batch": batch}
        arrays = []
        for p in self.parameters:
            shape = tuple(symbolic.evaluate(d, symbols) for d in p.shape)
            is_index = p.dtype == "int32"
            arrays.append(rng.integers(0, 5, shape) if is_index else rng.normal(size=shape))
        return [a.astype(p.dtype) for a, p in zip(arrays, self.parameters, strict=True)]


def size(x: Value) -> int:
    return math.prod(d if isinstance(d, int) else BATCH_HINT for d in x.shape)


def static_axes(x: Value, least: int = 1) -> list[int]:
    return [k for k, d in enumerate(x.shape) if isinstance(d, int) and d >= least]


# Each step makes a value from one that exists, or None where that one does not suit.


def elementwise(c: Computation, x: Value) -> Value:
    return c.choose(
        ops.tanh, ops.sigmoid, ops.relu, ops.negative, ops.absolute, ops.sin, ops.softplus, ops.gelu,
        lambda v: ops.exp(ops.tanh(v)), lambda v: ops.sqrt(ops.square(v) + 1.0), lambda v: v * 0.5 + 1.0,
        lambda v: ops.where(v > 0, v * 2.0, v * 0.25), lambda v: ops.maximum(v, -v),
        lambda v: ops.clip(v, -1.0, 1.0),
    )(x)  # fmt: skip


def binary(c: Computation, x: Value) -> Value:
    function = c.choose(
        ops.add,
        ops.subtract,
        ops.multiply,
        ops.maximum,
        ops.minimum,
        lambda a, b: a / (ops.square(b) + 1.0),
        lambda a, b: ops.where(b > 0, a, a * b),
    )
    same = [v for v in c.values if v.shape == x.shape]
    kind = c.choose("same", "column", "row", "scalar", "new")
    if kind == "same":
        other = c.draw(st.sampled_from(same))
    elif kind == "column" and x.shape:
        other = ops.mean(x, axis=c.draw(st.integers(0, x.ndim - 1)), keepdims=True)
    elif kind == "row" and x.shape and isinstance(x.shape[-1], int):
        other = c.parameter(x.shape[-1])
    else:
        other = c.parameter(*(d if c.draw(st.booleans()) else 1 for d in x.shape))
    return function(x, other) if c.draw(st.booleans()) else function(other, x)


def reduction(c: Computation, x: Value) -> Value | None:
    if not x.shape:
        return None
    axes = c.draw(st.lists(st.integers(0, x.ndim - 1), min_size=1, unique=True))
    function = c.choose(ops.sum, ops.mean, ops.max, ops.min, ops.std, ops.logsumexp)
    y = function(x, axis=tuple(axes), keepdims=c.draw(st.booleans()))
    return ops.tanh(y) if function is ops.sum else y


def along(c: Computation, x: Value) -> Value | None:
    if not x.shape:
        return None
    axis = c.draw(st.integers(0, x.ndim - 1))
    function = c.choose(ops.softmax, ops.log_softmax, "norm", "cumsum", "flip")
    if function == "norm":
        centred = x - ops.mean(x, axis=axis, keepdims=True)
        return centred * ops.rsqrt(ops.mean(ops.square(centred), axis=axis, keepdims=True) + 0.1)
    if function == "cumsum":
        return ops.tanh(ops.cumsum(x, axis=axis)) if isinstance(x.shape[axis], int) else None
    return ops.flip(x, axis=axis) if function == "flip" else function(x, axis=axis)


def transposed(c: Computation, x: Value) -> Value | None:
    return ops.transpose(x, c.draw(st.permutations(range(x.ndim)))) if x.ndim > 1 else None


def reshaped(c: Computation, x: Value) -> Value | None:
    if x.ndim > 1 and c.draw(st.booleans()):
        k = c.draw(st.integers(0, x.ndim - 2))
        return ops.reshape(x, (*x.shape[:k], x.shape[k] * x.shape[k + 1], *x.shape[k + 2 :]))
    axes = static_axes(x, 2)
    if not axes or x.ndim > 4:
        return None
    k = c.draw(st.sampled_from(axes))
    factors = [f for f in range(1, x.shape[k] + 1) if x.shape[k] % f == 0]
    factor = c.draw(st.sampled_from(factors))
    return ops.reshape(x, (*x.shape[:k], x.shape[k] // factor, factor, *x.shape[k + 1 :]))


def sliced(c: Computation, x: Value) -> Value | None:
    axes = static_axes(x, 2)
    if not axes:
        return None
    k = c.draw(st.sampled_from(axes))
    first = c.draw(st.integers(0, x.shape[k] - 1))
    last = c.draw(st.integers(first + 1, x.shape[k]))
    step = c.choose(1, 1, 2, 3)
    return x[(slice(None),) * k + (slice(first, last, step),)]


def padded(c: Computation, x: Value) -> Value | None:
    axes = static_axes(x)
    if not axes:
        return None
    k = c.draw(st.sampled_from(axes))
    widths = [(0, 0)] * x.ndim
    widths[k] = (c.draw(st.integers(0, 3)), c.draw(st.integers(0, 3)))
    return ops.pad(x, widths, constant_values=c.choose(0, 1))


def concatenated(c: Computation, x: Value) -> Value | None:
    axes = static_axes(x)
    if not axes:
        return None
    k = c.draw(st.sampled_from(axes))
    fitting = [v for v in c.values if v.ndim == x.ndim and _is_like(v, x, k)]
    return ops.concatenate([x, c.draw(st.sampled_from(fitting))], axis=k)


def _is_like(v: Value, x: Value, axis: int) -> bool:
    """Have v and x the same extents, but for one that is known?"""
    same = all(a == b for k, (a, b) in enumerate(zip(v.shape, x.shape, strict=True)) if k != axis)
    return same and isinstance(v.shape[axis], int)


def repeated(c: Computation, x: Value) -> Value | None:
    if x.ndim > 3:
        return None
    k = c.draw(st.integers(0, x.ndim))
    wide = ops.expand_dims(x, k)
    return ops.broadcast_to(wide, (*wide.shape[:k], c.choose(2, 3), *wide.shape[k + 1 :]))


def taken(c: Computation, x: Value) -> Value | None:
    axes = static_axes(x, 5)
    if not axes:
        return None
    k = c.draw(st.sampled_from(axes))
    return ops.take(x, c.parameter(c.choose(1, 3, 7), dtype="int32"), axis=k)


def product(c: Computation, x: Value) -> Value | None:
    if not x.shape or not isinstance(x.shape[-1], int):
        return None
    kind = c.choose("weights", "weights", "gram", "outer", "transposed weights")
    k, n = x.shape[-1], c.choose(*SIZES)
    if kind == "gram" and x.ndim >= 2:
        return ops.matmul(x, ops.swapaxes(x, -1, -2)) / float(k)
    if kind == "outer" and x.ndim == 2:
        return ops.matmul(ops.transpose(x), x) / 16.0
    if kind == "transposed weights":
        return ops.matmul(x, ops.transpose(c.parameter(n, k))) / math.sqrt(k)
    return ops.matmul(x, c.parameter(k, n)) / math.sqrt(k)


def image(c: Computation, x: Value) -> Value | None:
    """Convolution or pooling."""
    if x.ndim != 4 or not all(isinstance(d, int) for d in x.shape[1:]):
        return None
    _, h, w, channels = x.shape
    if min(h, w) < 3:
        return None
    padding, strides = c.choose("valid", "same"), c.choose(1, 1, 2)
    kind = c.choose("conv", "conv", "depthwise", "max", "average")
    window = c.choose(1, 2, 3)
    if kind == "max":
        return ops.max_pool(x, window, strides, padding)
    if kind == "average":
        return ops.average_pool(x, window, strides, padding)
    if kind == "depthwise":
        return ops.depthwise_conv(x, c.parameter(window, window, channels, 1), strides, padding) / window
    kernel = c.parameter(window, window, channels, c.choose(1, 4, 16, 17))
    return ops.conv(x, kernel, strides, padding) / (window * math.sqrt(channels))


STEPS = (
    elementwise, elementwise, binary, binary, reduction, along, transposed, reshaped, sliced, padded,
    concatenated, repeated, taken, product, product, image, image,
)  # fmt: skip


@st.composite
def computations(draw: Draw, gradients: bool = False, dtype: str = "") -> Computation:
    """A computation of up to ten steps with one to three outputs, or the gradients of a loss made of them."""
    c = Computation(draw, dtype or draw(st.sampled_from(["float32", "float64"])), symbol("batch"))
    first = c.choose("rows", "rows", "images", "cube", "fixed")
    if first == "rows":
        c.values.append(c.parameter(c.batch, c.choose(*SIZES)))
    elif first == "images":
        c.values.append(c.parameter(c.batch, c.choose(4, 5, 8, 9), c.choose(4, 6, 7), c.choose(1, 3, 16)))
    elif first == "cube":
        c.values.append(c.parameter(c.batch, c.choose(1, 3, 7), c.choose(*SIZES)))
    else:
        c.values.append(c.parameter(c.choose(*SIZES), c.choose(*SIZES)))
    for _ in range(draw(st.integers(1, 10))):
        source = c.values[-1] if draw(st.booleans()) else draw(st.sampled_from(c.values))
        made = c.choose(*STEPS)(c, source)
        if made is not None and size(made) <= LIMIT and made.dtype == c.dtype:
            c.values.append(made)
    count = draw(st.integers(0, min(2, len(c.values) - 1)))
    more = draw(st.lists(st.sampled_from(c.values), max_size=count))
    c.outputs = list(dict.fromkeys([c.values[-1], *more]))
    if gradients:
        _differentiate(c)
    return c


def _differentiate(c: Computation) -> None:
    loss = ops.sum(ops.sin(c.outputs[0] * 1.5 + 0.5))
    for other in c.outputs[1:]:
        loss = loss + ops.sum(ops.tanh(other))
    sources = [p for p in c.parameters if p.dtype == c.dtype]
    found = pull_back(loss, np.asarray(1.0, c.dtype), sources)
    c.outputs = [loss, *(g for g in found if g is not None)]
