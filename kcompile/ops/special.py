"""Hyperbolic and inverse functions, error functions, and others of NumPy's longer list, for floats."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.ops import elementwise as ew
from kcompile.ops.composite import composite, floating

LOG2 = math.log(2)
LARGE = 1e9  # from here on the roots of x^2 + 1 and x^2 - 1 are x, in float64 too
FAR = (-1e6, -50.0, 50.0, 1e6)


def signed(x: Any, magnitude: Any) -> Any:
    """An odd function from its values for |x|."""
    return ew.where(ew.less(x, 0), ew.negative(magnitude), magnitude)


def _inner(x: Any) -> Any:
    """sqrt(1 - x^2), exact near 1."""
    return ew.sqrt(ew.multiply(ew.subtract(1.0, x), ew.add(x, 1.0)))


# --- hyperbolic functions and their inverses ----------------------------------------------------------------


def _sinh(x: Any) -> Any:
    a = ew.absolute(x)
    e, half = ew.expm1(ew.minimum(a, 20.0)), ew.exp(ew.multiply(a, 0.5))
    near = ew.multiply(ew.add(e, ew.true_divide(e, ew.add(e, 1.0))), 0.5)
    # exp(89) overflows float32, sinh(89) does not.
    return signed(x, ew.where(ew.less(a, 20.0), near, ew.multiply(ew.multiply(half, 0.5), half)))


def _cosh(x: Any) -> Any:
    half = ew.exp(ew.multiply(ew.absolute(x), 0.5))
    return ew.add(ew.multiply(ew.multiply(half, 0.5), half), ew.true_divide(ew.true_divide(0.5, half), half))


def _arcsinh(x: Any) -> Any:
    a = ew.absolute(x)
    b = ew.minimum(a, LARGE)
    square = ew.square(b)
    near = ew.log1p(ew.add(b, ew.true_divide(square, ew.add(ew.sqrt(ew.add(square, 1.0)), 1.0))))
    return signed(x, ew.where(ew.less(a, LARGE), near, ew.add(ew.log(ew.maximum(a, 1.0)), LOG2)))


def _arccosh(x: Any) -> Any:
    b = ew.minimum(x, LARGE)
    less = ew.subtract(b, 1.0)
    # Two roots: those of a product would be numbers below -1, too.
    near = ew.log1p(ew.add(less, ew.multiply(ew.sqrt(less), ew.sqrt(ew.add(b, 1.0)))))
    return ew.where(ew.less(x, LARGE), near, ew.add(ew.log(ew.maximum(x, 1.0)), LOG2))


sinh_op = composite(
    "sinh", np.sinh, _sinh, "Sinh", vjp=lambda dy, y, x: (dy * cosh(x),), far=(-80.0, -89.0, 89.0)
)
cosh_op = composite(
    "cosh", np.cosh, _cosh, "Cosh", vjp=lambda dy, y, x: (dy * sinh(x),), far=(-80.0, -89.0, 89.0)
)
arcsinh_op = composite(
    "arcsinh",
    np.arcsinh,
    _arcsinh,
    "Asinh",
    vjp=lambda dy, y, x: (dy * ew.rsqrt(x * x + 1.0),),
    far=(*FAR, 2e4, 1e30),
)
arccosh_op = composite(
    "arccosh",
    np.arccosh,
    _arccosh,
    "Acosh",
    vjp=lambda dy, y, x: (dy * ew.rsqrt((x - 1.0) * (x + 1.0)),),
    domain=(1.1, 5.0),
    far=(1.0, 2e4, 1e6, 1e30),
)
arctanh_op = composite(
    "arctanh",
    np.arctanh,
    lambda x: ew.multiply(ew.subtract(ew.log1p(x), ew.log1p(ew.negative(x))), 0.5),
    "Atanh",
    vjp=lambda dy, y, x: (dy / ((1.0 - x) * (x + 1.0)),),
    domain=(-0.9, 0.9),
)
arcsin_op = composite(
    "arcsin",
    np.arcsin,
    lambda x: ew.arctan2(x, _inner(x)),
    "Asin",
    vjp=lambda dy, y, x: (dy / _inner(x),),
    domain=(-0.95, 0.95),
    far=(-1.0, 0.0, 1.0),
)
arccos_op = composite(
    "arccos",
    np.arccos,
    lambda x: ew.arctan2(_inner(x), x),
    "Acos",
    vjp=lambda dy, y, x: (ew.negative(dy) / _inner(x),),
    domain=(-0.95, 0.95),
    far=(-1.0, 0.0, 1.0),
)
arctan_op = composite(
    "arctan",
    np.arctan,
    lambda x: ew.arctan2(x, ew.as_tensor(1.0, dtypes.standardize(x.dtype))),
    "Atan",
    vjp=lambda dy, y, x: (dy / (x * x + 1.0),),
    far=FAR,
)

# --- error functions ----------------------------------------------------------------------------------------

normal_cdf = ew.unary(
    "normal_cdf",
    lambda x: np.vectorize(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)), otypes=[np.float64])(x),
    "normal_cdf",
    lambda dy, y, x: dy * ew.exp(ew.multiply(ew.square(x), -0.5)) * (1 / math.sqrt(2 * math.pi)),
    onnx=lambda g, x: _onnx_normal_cdf(g, x),
    inputs="float",
    domain=(-5.0, 5.0),
)


def _onnx_normal_cdf(g: Any, x: str) -> str:
    half, one = ew.onnx_number(g, 0.5, x), ew.onnx_number(g, 1, x)
    bent = g.node("Erf", g.node("Mul", x, ew.onnx_number(g, 1 / math.sqrt(2), x)))
    return g.node("Mul", g.node("Add", bent, one), half)


def erfc(x: Any) -> Any:
    """1 - erf(x), precise where it is small."""
    return ew.multiply(normal_cdf(ew.multiply(x, -math.sqrt(2))), 2.0)


# Polynomials in w = -log(1 - x^2): M. Giles, "Approximating the erfinv function", GPU Computing Gems (2011).
_CENTRE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
    -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
    0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip


def _polynomial(w: Any, coefficients: tuple[float, ...]) -> Any:
    total: Any = coefficients[0]
    for c in coefficients[1:]:
        total = ew.add(ew.multiply(total, w), c)
    return total


def _erfinv(x: Any) -> Any:
    w = ew.negative(ew.log(ew.multiply(ew.subtract(1.0, x), ew.add(x, 1.0))))
    centre = _polynomial(ew.subtract(w, 2.5), _CENTRE)
    tail = _polynomial(ew.subtract(ew.sqrt(ew.maximum(w, 5.0)), 3.0), _TAIL)
    y = ew.multiply(ew.where(ew.less(w, 5.0), centre, tail), x)
    y = ew.where(ew.equal(ew.absolute(x), 1.0), ew.multiply(x, math.inf), y)
    if dtypes.standardize(x.dtype) != "float64":
        return y
    far = ew.add(ew.maximum(w, 16.0), LOG2)  # -log(1 - |x|), where the polynomials end
    start = ew.sqrt(ew.subtract(far, ew.multiply(ew.log(ew.multiply(far, math.pi)), 0.5)))
    a, b = ew.absolute(x), ew.where(ew.less(w, 16.0), ew.absolute(y), start)
    b = ew.where(ew.equal(a, 1.0), math.inf, b)
    for _ in range(3):  # Halley's steps; the infinite ends stay
        over = ew.where(ew.less(a, 0.5), ew.subtract(ew.erf(b), a), ew.subtract(ew.subtract(1.0, a), erfc(b)))
        step = ew.multiply(over, ew.multiply(ew.exp(ew.square(b)), math.sqrt(math.pi) / 2))
        step = ew.true_divide(step, ew.add(ew.multiply(b, step), 1.0))
        b = ew.where(ew.isfinite(b), ew.subtract(b, step), b)
    return ew.multiply(ew.sign(x), b)


def _erfinv_reference(x: np.ndarray) -> np.ndarray:
    def one(v: float) -> float:
        a = abs(v)
        if not a < 1:
            return v * math.inf if a == 1 else math.nan
        y = -NormalDist().inv_cdf((1 - a) / 2) / math.sqrt(2)
        if a < 0.5:  # 1 - a lost digits of a small one
            y += (a - math.erf(y)) * math.exp(y * y) * math.sqrt(math.pi) / 2
        return math.copysign(y, v)

    return np.vectorize(one, otypes=[np.float64])(x.astype(np.float64))


erfinv_op = composite(
    "erfinv",
    _erfinv_reference,
    _erfinv,
    vjp=lambda dy, y, x: (dy * ew.exp(ew.square(y)) * (math.sqrt(math.pi) / 2),),
    domain=(-0.99, 0.99),
    far=(-1.0, -0.99999, 0.0, 1e-20, 0.99999, 1.0),
)

# --- sums of exponentials, roots, circles -------------------------------------------------------------------

logaddexp_op = composite(
    "logaddexp",
    np.logaddexp,
    # Equal operands apart: infinities have no difference.
    lambda a, b: ew.where(
        ew.equal(a, b),
        ew.add(a, LOG2),
        ew.add(ew.maximum(a, b), ew.log1p(ew.exp(ew.negative(ew.absolute(ew.subtract(a, b)))))),
    ),
    vjp=lambda dy, y, a, b: (dy * ew.sigmoid(a - b), dy * ew.sigmoid(b - a)),
    arity=2,
    far=(-math.inf, -100.0, 0.0, 100.0, math.inf),
)


def _hypot_onnx(g: Any, a: str, b: str) -> str | None:
    """Of float32 in float64, whose squares neither overflow nor vanish: fewer nodes than scaling."""
    if g.dtype(a) != "float32":
        return None
    squares = (g.node("Mul", x, x) for x in (g.cast(a, "float64"), g.cast(b, "float64")))
    found = g.cast(g.node("Sqrt", g.node("Add", *squares)), "float32")
    infinite = g.node("Or", g.node("IsInf", a), g.node("IsInf", b))
    return str(g.node("Where", infinite, ew.onnx_number(g, math.inf, a), found))


hypot_op = composite(
    "hypot",
    np.hypot,
    lambda a, b: _hypot(ew.absolute(a), ew.absolute(b)),
    _hypot_onnx,
    vjp=lambda dy, y, a, b: (dy * _cosine(a, y), dy * _cosine(b, y)),
    arity=2,
    far=(0.0, 1e-30, 1e30, math.inf, math.nan),
)


def _cosine(side: Any, y: Any) -> Any:
    """side / y; where both are 0 any vector up to length 1 is a slope, and JAX takes 1/2 for each side."""
    return ew.where(ew.equal(y, 0), 0.5, ew.true_divide(side, y))


def _hypot(a: Any, b: Any) -> Any:
    """Scaled by the larger side, so that squares do not overflow."""
    large, small = ew.maximum(a, b), ew.minimum(a, b)
    ratio = ew.true_divide(small, ew.where(ew.greater(large, 0.0), large, 1.0))
    found = ew.multiply(large, ew.sqrt(ew.add(ew.square(ratio), 1.0)))
    # An infinite side makes the other one, NaN too, of no account.
    return ew.where(ew.logical_or(ew.isinf(a), ew.isinf(b)), math.inf, found)


# --- public functions ---------------------------------------------------------------------------------------


def sinh(x: Any) -> Any:
    """Hyperbolic sine."""
    return sinh_op(floating(x))


def cosh(x: Any) -> Any:
    """Hyperbolic cosine."""
    return cosh_op(floating(x))


def arcsinh(x: Any) -> Any:
    """Inverse hyperbolic sine."""
    return arcsinh_op(floating(x))


def arccosh(x: Any) -> Any:
    """Inverse hyperbolic cosine."""
    return arccosh_op(floating(x))


def arctanh(x: Any) -> Any:
    """Inverse hyperbolic tangent."""
    return arctanh_op(floating(x))


def arcsin(x: Any) -> Any:
    """Inverse sine."""
    return arcsin_op(floating(x))


def arccos(x: Any) -> Any:
    """Inverse cosine."""
    return arccos_op(floating(x))


def arctan(x: Any) -> Any:
    """Inverse tangent."""
    return arctan_op(floating(x))


def erfinv(x: Any) -> Any:
    """The inverse of erf."""
    return erfinv_op(floating(x))


def two(x1: Any, x2: Any) -> tuple[Any, ...]:
    return ew.operands(x1, x2, dtype=ew.float_of(ew.common_dtype(x1, x2)))


def logaddexp(x1: Any, x2: Any) -> Any:
    """log(exp(x1) + exp(x2)), without overflow. Python's floats are float32 here, as in Keras."""
    return logaddexp_op(*two(ew.as_tensor(x1), ew.as_tensor(x2)))


def logaddexp2(x1: Any, x2: Any) -> Any:
    """log2(2^x1 + 2^x2), without overflow."""
    a, b = two(ew.as_tensor(x1), ew.as_tensor(x2))
    return ew.multiply(logaddexp_op(ew.multiply(a, LOG2), ew.multiply(b, LOG2)), 1 / LOG2)


def hypot(x1: Any, x2: Any) -> Any:
    """sqrt(x1^2 + x2^2), without overflow."""
    return hypot_op(*two(x1, x2))
