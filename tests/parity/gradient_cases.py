"""Gradients at special points: zeros of either sign, infinities, ties, bounds, NaN.

Each case is a function of (ops, *arrays) written once for Keras and for kcompile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

INF, NAN = float("inf"), float("nan")
POINTS = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.5, 3.0, -3.0, 6.0, 30.0, -30.0, INF, -INF, NAN], "float32"
)
GRID = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, INF, -INF], "float32")
A, B = (np.ascontiguousarray(g.reshape(-1)) for g in np.meshgrid(GRID, GRID, indexing="ij"))


def _names(text: str) -> list[str]:
    return text.split()


UNARY = _names(
    """abs sign sqrt rsqrt square exp exp2 expm1 log log1p log2 log10 sin cos tan sinh cosh tanh arcsin arccos
    arctan arcsinh arccosh arctanh sigmoid erf erfinv floor ceil round trunc reciprocal negative relu relu6
    elu selu gelu silu celu softplus softsign log_sigmoid hard_sigmoid hard_silu hard_tanh leaky_relu
    tanh_shrink soft_shrink hard_shrink squareplus sparse_plus sparse_sigmoid threshold sinc i0
    angle nan_to_num deg2rad cbrt"""
)
EXTRA = {"threshold": (0.5, 0.25)}
BINARY = _names(
    """add subtract multiply divide divide_no_nan power maximum minimum mod floor_divide arctan2 hypot
    logaddexp logaddexp2 heaviside fmod"""
)
OVER_ROWS = _names(
    """max min sum mean std var prod logsumexp softmax log_softmax cumsum cumprod amax amin
    nanmax nanmin nansum nanmean nanstd nanvar nanprod sort median nanmedian ptp"""
)
ROWS = np.array(
    [
        [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 1.0], [0.0, 2.0, 0.0, 3.0], [-0.0, 0.0, -1.0, 2.0],
        [INF, 1.0, 0.0, 2.0], [-INF, -INF, -INF, -INF], [INF, INF, 1.0, 0.0], [3.0, 3.0, 3.0, 3.0],
        [-INF, 1.0, 2.0, 2.0], [NAN, 1.0, 2.0, 2.0],
    ],
    "float32",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A function to differentiate, summed with weights, by all of its arrays."""

    function: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]


def _unary(name: str) -> Callable[..., Any]:
    return lambda ops, x: getattr(ops, name)(x, *EXTRA.get(name, ()))


def _binary(name: str) -> Callable[..., Any]:
    return lambda ops, a, b: getattr(ops, name)(a, b)


def _power(n: Any) -> Callable[..., Any]:
    return lambda ops, x: ops.power(x, n)


def _row(name: str, **options: Any) -> Callable[..., Any]:
    return lambda ops, x: getattr(ops, name)(x, axis=-1, **options)


def _norm(order: Any) -> Callable[..., Any]:
    return lambda ops, x: ops.norm(x, ord=order, axis=-1)


def _chosen(which: int) -> Callable[..., Any]:
    """Branches whose untaken sides are infinite, or have infinite slopes, at 0."""

    def function(ops: Any, x: Any) -> Any:
        def one(v: Any) -> Any:
            if which == 0:
                return ops.cond(v > 0, lambda: ops.log(v), lambda: v * 2.0)
            if which == 1:
                return ops.cond(v > 0, lambda: ops.sqrt(v) + ops.log(v), lambda: ops.sqrt(v * 0.0 + 4.0) + v)
            if which == 2:
                index = ops.cast(v > 0, "int32") + ops.cast(v > 1, "int32")
                return ops.switch(index, [lambda v: v * 3.0, ops.log, lambda v: 1.0 / (v - 1.0)], v)
            inner = lambda: ops.cond(v > 1, lambda: 1.0 / (v - 1.0), lambda: ops.log(v))  # noqa: E731
            return ops.cond(v > 0, inner, lambda: ops.exp(-v * 0.0) * v)

        return ops.stack([one(x[k]) for k in range(5)])

    return function


CASES: dict[str, Case] = {
    **{name: Case(_unary(name), (POINTS,)) for name in UNARY},
    **{name: Case(_binary(name), (A, B)) for name in BINARY},
    **{f"power_{n}": Case(_power(n), (POINTS,)) for n in (0, 1, 2, 3, -1, 0.5, 1.5, 0.0, 2.0)},
    **{f"norm_{n}": Case(_norm(n), (ROWS,)) for n in (None, 1, 2, 3, 0.5, INF, -INF, 0)},
    **{
        name: Case(_row(name), (ROWS,))
        for name in OVER_ROWS
    },
    "norm_frobenius": Case(lambda ops, x: ops.norm(x), (np.zeros((2, 3), "float32"),)),
    "top_k": Case(lambda ops, x: ops.top_k(x, 2)[0], (ROWS[:-1],)),
    "quantile": Case(lambda ops, x: ops.quantile(x, 0.4, axis=-1), (ROWS,)),
    "clip": Case(lambda ops, x: ops.clip(x, -1.0, 3.0), (POINTS,)),
    "normalize": Case(lambda ops, x: ops.normalize(x, axis=-1), (ROWS,)),
    "normalize_1": Case(lambda ops, x: ops.normalize(x, axis=-1, order=1), (ROWS,)),
    "where": Case(lambda ops, x: ops.where(x > 0, ops.log(x), x), (POINTS,)),
    "where_safe": Case(lambda ops, x: ops.where(x > 0, ops.log(ops.where(x > 0, x, 1.0)), x), (POINTS,)),
    "max_pool": Case(lambda ops, x: ops.max_pool(ops.reshape(x, (1, -1, 1)), 2, 2), (ROWS,)),
    "average_pool": Case(lambda ops, x: ops.average_pool(ops.reshape(x, (1, -1, 1)), 2, 2), (ROWS,)),
    "segment_max": Case(
        lambda ops, x: ops.segment_max(x, np.array([0, 0, 1, 1, 1, 2, 2, 2], "int32"), 3),
        (np.array([1, 1, 0, -0.0, 0, 3, 4, 4], "float32"),),
    ),
    "moments": Case(lambda ops, x: ops.stack(ops.moments(x, axes=[-1])), (ROWS,)),
    "layer_normalization": Case(lambda ops, x: ops.layer_normalization(x, axis=-1), (ROWS[:4],)),
    "rms_normalization": Case(lambda ops, x: ops.rms_normalization(x, axis=-1), (ROWS[:4],)),
    "binary_crossentropy": Case(
        lambda ops, t, p: ops.binary_crossentropy(t, p),
        tuple(a.reshape(-1) for a in np.meshgrid(np.float32([0, 0.5, 1]), np.float32([0, 0.25, 1]))),
    ),
    "sigmoid_crossentropy": Case(
        lambda ops, t, p: ops.binary_crossentropy(t, p, from_logits=True),
        tuple(a.reshape(-1) for a in np.meshgrid(np.float32([0, 0.5, 1]), np.float32([0, -0.0, 90, -90]))),
    ),
    **{f"chosen_{k}": Case(_chosen(k), (np.array([0.0, -1.0, 1.0, 2.0, 0.5], "float32"),)) for k in range(4)},
}  # fmt: skip


def weights(shape: tuple[int, ...]) -> np.ndarray:
    """The cotangent: not all alike, so that sums over the wrong elements show."""
    return (1.0 + np.arange(int(np.prod(shape))) % 3).reshape(shape).astype("float32")


def _infinite_row(x: np.ndarray) -> np.ndarray:
    return np.broadcast_to(~np.isfinite(x).all(axis=-1, keepdims=True), x.shape)


def _zero(x: np.ndarray) -> np.ndarray:
    return (x == 0) | np.isnan(x)


def _row_with_zero(x: np.ndarray) -> np.ndarray:
    return np.broadcast_to((x == 0).any(axis=-1, keepdims=True), x.shape)


# Where kcompile means to give something else than Keras on JAX: why, and at which elements.
KINK = "|x| has slope 0 at 0, as in TensorFlow and PyTorch; JAX takes 1"
LIMIT = "the limit, where JAX has NaN or a number that depends on the smaller operand"
DIFFERS: dict[str, tuple[str, Callable[..., np.ndarray]]] = {
    "abs": (KINK, _zero),
    "norm_1": (KINK, _zero),
    "norm_0.5": (KINK, _row_with_zero),
    "norm_inf": (KINK, _row_with_zero),
    "norm_-inf": (KINK, _row_with_zero),
    "normalize_1": (KINK, lambda x: _row_with_zero(x) | _infinite_row(x)),
    "arccosh": ("outside of the domain", lambda x: x == -1),
    "angle": ("0 where the angle is constant; JAX divides 0 by 0", _zero),
    "power": ("0, as x ** 0 has with a number; negative bases as in TensorFlow", lambda a, b: a <= 0),
    "power_0.0": ("0, as for the int 0; JAX has NaN", _zero),
    "power_1.5": ("outside of the domain", lambda x: x == -INF),
    "mod": ("the quotient is 0, not -1", lambda a, b: np.isinf(b)),
    "fmod": ("no remainder of a division by 0, no slope", lambda a, b: b == 0),
    "hypot": (LIMIT, lambda a, b: np.isinf(a) | np.isinf(b)),
    "logaddexp": (LIMIT, lambda a, b: np.isinf(a) | np.isinf(b)),
    "logaddexp2": (LIMIT, lambda a, b: np.isinf(a) | np.isinf(b)),
    "var": ("infinite deviations", _infinite_row),
    "moments": ("infinite deviations", _infinite_row),
    "prod": ("infinity over infinity", _infinite_row),
    "nanprod": ("infinity over infinity", _infinite_row),
    "cumprod": ("infinity over infinity", _infinite_row),
    "median": ("no order among NaN", _infinite_row),
    "quantile": ("no order among NaN", _infinite_row),
    "top_k": ("zeros of both signs are equal; JAX ranks -0 below 0", _row_with_zero),
}
