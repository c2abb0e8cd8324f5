"""A slow interpreter of kernel IR expressions: one element at a time, every load within its bounds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.dynamic import Dynamic
from kcompile.core.symbolic import Atom, FloorDiv, Int, Min
from kcompile.ir import loops
from kcompile.ir.loops import Expr, Index
from kcompile.ir.op import Op, Sample
from kcompile.ir.types import TensorType
from kcompile.kernels.random import philox


@dataclass(frozen=True)
class Operand:
    """An input of a scalar rule: an array that is read element by element."""

    number: int
    type: TensorType

    def __call__(self, at: Index) -> Expr:
        assert len(at) == self.type.rank
        return loops.load(self.number, at, self.type.dtype)


def scalar_rule(op: Op, sample: Sample, out: TensorType) -> tuple[Index, Expr]:
    """New axes over the output, and the expression of the element there."""
    inputs = [
        Operand(k, TensorType(a.shape, dtypes.standardize(a.dtype))) for k, a in enumerate(sample.arrays)
    ]
    axes = tuple(loops.axis(d) for d in out.shape)
    return axes, op.rules["scalar"](axes, *inputs, out=out, **sample.attrs)


def elements(
    axes: Index, expr: Expr, arrays: tuple[np.ndarray, ...], out: TensorType, positions: list[tuple[int, ...]]
) -> np.ndarray:
    """The expression's values at output positions."""
    values = []
    for at in positions:
        env = {loops.axis_of(a): k for a, k in zip(axes, at, strict=True) if not isinstance(a, int)}
        values.append(Evaluation(env, arrays).value(expr))
    return np.array(values, dtypes.numpy_dtype(out.dtype)).reshape(len(positions))


class Evaluation:
    """Values of expressions with all free axes bound."""

    def __init__(self, env: Mapping[Atom | None, int], arrays: tuple[np.ndarray, ...]):
        self.env, self.arrays = dict(env), arrays
        self.known: dict[Expr, Any] = {}

    def value(self, e: Expr) -> Any:
        if e not in self.known:
            with np.errstate(all="ignore"):
                self.known[e] = dtypes.numpy_dtype(e.dtype).type(self._compute(e))
        return self.known[e]

    def _compute(self, e: Expr) -> Any:
        if e.op == "const":
            return e.attr
        if e.op == "index":
            return self.integer(e.attr)
        if e.op == "load":
            return self._load(e)
        if e.op in ("guard", "select"):  # a select may read both sides, so both must be readable
            if e.op == "select":
                [self.value(a) for a in e.args]
            return self.value(e.args[1] if self.value(e.args[0]) else e.args[2])
        if e.op == "reduce":
            return self._reduce(e)
        args = [self.value(a) for a in e.args]
        return args[0] if e.op == "cast" else SCALAR[e.op](*args)

    def _load(self, e: Expr) -> Any:
        number, at = e.attr
        array, position = self.arrays[number], tuple(self.integer(i) for i in at)
        assert all(0 <= i < d for i, d in zip(position, array.shape, strict=True)), (
            f"{e!r} reads {position} of shape {array.shape}"
        )
        return array[position]

    def _reduce(self, e: Expr) -> Any:
        kind, axes = e.attr[:2]
        extents = [self.integer(a.extent) for a in axes]
        parts = []
        for at in itertools.product(*map(range, extents)):
            inner = Evaluation({**self.env, **dict(zip(axes, at, strict=True))}, self.arrays)
            parts.append(inner.value(e.args[0]))
        return REDUCTIONS[kind](np.array(parts, dtypes.numpy_dtype(e.args[0].dtype)))

    def integer(self, x: int | Int) -> int:
        if isinstance(x, int):
            return x
        return sum(c * math.prod(self._atom(a) for a in monomial) for monomial, c in x.terms)

    def _atom(self, atom: Atom) -> int:
        if isinstance(atom, FloorDiv):
            return self.integer(atom.numerator) // self.integer(atom.divisor)
        if isinstance(atom, Min):
            return min(self.integer(atom.first), self.integer(atom.second))
        if isinstance(atom, Dynamic):
            index = int(self.value(atom.expr))
            assert atom.extent is None or 0 <= index < self.integer(atom.extent)
            return index
        return self.env[atom]


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


SCALAR: dict[str, Callable[..., Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.mod, "pow": np.power, "maximum": np.maximum, "minimum": np.minimum, "atan2": np.arctan2,
    "neg": np.negative, "abs": np.abs, "sign": np.sign, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x),
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "sin": np.sin, "cos": np.cos,
    "tanh": np.tanh, "sigmoid": _sigmoid, "softplus": lambda x: np.logaddexp(x, 0), "erf": math.erf,
    "normal_cdf": lambda x: 0.5 * math.erfc(-x / math.sqrt(2)),
    "floor": np.floor, "ceil": np.ceil, "round": np.round, "relu": lambda x: np.maximum(x, 0),
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal, "philox_uniform": philox.uniform,
    "philox_bits": lambda lo, hi, key: philox.philox2x32(lo, hi, key)[0],
    "f32_bits": lambda x: x.view("uint32"), "bits_f32": lambda x: x.view("float32"),
    "f64_bits": lambda x: x.view("uint64"), "bits_f64": lambda x: x.view("float64"),
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "shl": np.left_shift, "shr": np.right_shift, "not": np.logical_not,
}  # fmt: skip

REDUCTIONS: dict[str, Callable[[np.ndarray], Any]] = {
    "sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min, "any": np.any, "all": np.all,
}  # fmt: skip
