"""Activation functions. Those that ONNX knows are ops with a decomposition; others are plain functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile.core.errors import ShapeError, message
from kcompile.ops import elementwise as ew
from kcompile.ops import movement, special
from kcompile.ops.composite import composite, floating

FAR = (-1e4, -90.0, -20.0, 20.0, 90.0, 1e4)
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# --- composites ---------------------------------------------------------------------------------------------

leaky_relu_op = composite(
    "leaky_relu",
    lambda x, *, negative_slope: np.where(x >= 0, x, x * negative_slope),
    lambda x, *, negative_slope: ew.where(ew.greater_equal(x, 0), x, ew.multiply(x, negative_slope)),
    lambda g, x, *, negative_slope: g.node("LeakyRelu", x, alpha=negative_slope),
    negative_slope=0.2,
    far=FAR,
)
elu_op = composite(
    "elu",
    lambda x, *, alpha: np.where(x > 0, x, alpha * np.expm1(x)),
    # expm1 of a large x would be infinite, and its gradient times 0 a NaN.
    lambda x, *, alpha: ew.where(ew.greater(x, 0), x, ew.multiply(ew.expm1(_not_positive(x)), alpha)),
    lambda g, x, *, alpha: g.node("Elu", x, alpha=alpha),
    alpha=0.7,
    far=FAR,
)


def _not_positive(x: Any) -> Any:
    """min(x, 0), with slope 1 at 0."""
    return ew.where(ew.greater(x, 0), 0, x)


selu_op = composite(
    "selu",
    lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x)),
    lambda x: ew.multiply(elu(x, SELU_ALPHA), SELU_SCALE),
    lambda g, x: g.node("Selu", x, alpha=SELU_ALPHA, gamma=SELU_SCALE),
    far=FAR,
)
celu_op = composite(
    "celu",
    lambda x, *, alpha: np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(x / alpha)),
    lambda x, *, alpha: ew.add(
        ew.relu(x), ew.multiply(ew.expm1(ew.true_divide(_not_positive(x), alpha)), alpha)
    ),
    lambda g, x, *, alpha: g.node("Celu", x, alpha=alpha),
    alpha=0.8,
    far=FAR,
)
silu_op = composite("silu", lambda x: x * _sigmoid(x), lambda x: ew.multiply(x, ew.sigmoid(x)), far=FAR)
mish_op = composite(
    "mish",
    lambda x: x * np.tanh(np.logaddexp(x, 0)),
    lambda x: ew.multiply(x, ew.tanh(ew.softplus(x))),
    lambda g, x: g.node("Mish", x),
    far=FAR,
)
relu6_op = composite(
    "relu6",
    lambda x: np.clip(x, 0, 6),
    lambda x: ew.where(ew.greater_equal(x, 6), 6, ew.relu(x)),  # slope 0 at 6, as at 0
    lambda g, x: g.node("Clip", x, *(ew.onnx_number(g, bound, x) for bound in (0, 6))),
    far=FAR,
)
softsign_op = composite(
    "softsign",
    lambda x: x / (1 + np.abs(x)),
    lambda x: ew.true_divide(x, ew.add(ew.absolute(x), 1)),
    lambda g, x: g.node("Softsign", x),
    far=FAR,
)
hard_sigmoid_op = composite(
    "hard_sigmoid",
    lambda x: np.clip(x + 3, 0, 6) / 6,
    lambda x: ew.true_divide(relu6_op(ew.add(x, 3)), 6),
    lambda g, x: g.node("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    far=FAR,
)
hard_silu_op = composite(
    "hard_silu",
    lambda x: x * (np.clip(x + 3, 0, 6) / 6),
    lambda x: ew.multiply(x, hard_sigmoid(x)),
    lambda g, x: g.node("HardSwish", x),
    far=FAR,
)


def _gelu_reference(x: np.ndarray, *, approximate: bool) -> np.ndarray:
    if approximate:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + ew.erf_reference(x / math.sqrt(2)))


def _gelu_decompose(x: Any, *, approximate: bool) -> Any:
    if not approximate:
        return ew.multiply(x, special.normal_cdf(x))
    cubic = ew.multiply(
        ew.add(x, ew.multiply(ew.multiply(ew.square(x), x), 0.044715)), math.sqrt(2 / math.pi)
    )
    return ew.multiply(ew.multiply(x, 0.5), ew.add(ew.tanh(cubic), 1))


# max(x, 0) - slope max(-x, 0): where x is 0, its slope is 0 on both sides, as in Keras.
prelu_op = composite(
    "prelu",
    lambda x, slope: np.maximum(x, 0) - slope * np.maximum(-x, 0),
    lambda x, slope: ew.subtract(ew.relu(x), ew.multiply(slope, ew.relu(ew.negative(x)))),
    "PRelu",
    arity=2,
)
gelu_op = composite(
    "gelu",
    _gelu_reference,
    _gelu_decompose,
    lambda g, x, *, approximate: g.node("Gelu", x, approximate="tanh" if approximate else "none"),
    approximate=True,
    far=FAR,
)


# --- public functions ---------------------------------------------------------------------------------------


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6)."""
    return relu6_op(floating(x))


def prelu(x: Any, slope: Any) -> Any:
    """x, and `slope` times x where x is negative; a slope for each element, or for those it broadcasts to."""
    x, slope = (floating(t) for t in ew.operands(x, slope))
    return prelu_op(x, slope)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x, and `negative_slope` times x where x is negative."""
    return leaky_relu_op(floating(x), negative_slope=float(negative_slope))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else alpha (exp(x) - 1)."""
    return elu_op(floating(x), alpha=float(alpha))


def selu(x: Any) -> Any:
    """The scaled elu that keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return selu_op(floating(x))


def celu(x: Any, alpha: float = 1.0) -> Any:
    """max(x, 0) + min(0, alpha (exp(x / alpha) - 1))."""
    return celu_op(floating(x), alpha=float(alpha))


def gelu(x: Any, approximate: bool = True) -> Any:
    """x times the normal distribution function of x, by tanh if `approximate`, else by erf.

    >>> gelu(np.array([-1.0, 1.0], "float32"), approximate=False).round(4).tolist()
    [-0.15870000422000885, 0.8413000106811523]
    """
    return gelu_op(floating(x), approximate=bool(approximate))


def silu(x: Any) -> Any:
    """x sigmoid(x)."""
    return silu_op(floating(x))


swish = silu


def mish(x: Any) -> Any:
    """x tanh(softplus(x))."""
    return mish_op(floating(x))


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return softsign_op(floating(x))


def hard_sigmoid(x: Any) -> Any:
    """min(max(x + 3, 0), 6) / 6."""
    return hard_sigmoid_op(floating(x))


def hard_silu(x: Any) -> Any:
    """x hard_sigmoid(x)."""
    return hard_silu_op(floating(x))


hard_swish = hard_silu


def hard_tanh(x: Any) -> Any:
    """x limited to [-1, 1]."""
    x = ew.as_tensor(x)
    x = ew.as_tensor(x, ew.number_of(ew.common_dtype(x)))
    return ew.where(ew.greater(x, 1), 1, ew.where(ew.less(x, -1), -1, x))  # slope 1 at both bounds


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)), without overflow."""
    return ew.negative(ew.softplus(ew.negative(floating(x))))


def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x^2 + b)) / 2."""
    x = floating(x)
    return ew.multiply(ew.add(x, ew.sqrt(ew.add(ew.square(x), b))), 0.5)


def sparse_plus(x: Any) -> Any:
    """0 up to -1, ((x + 1) / 2)^2 up to 1, then x."""
    x = floating(x)
    bend = ew.square(ew.multiply(ew.add(x, 1), 0.5))
    return ew.where(ew.less_equal(x, -1), 0.0, ew.where(ew.less(x, 1), bend, x))


def sparse_sigmoid(x: Any) -> Any:
    """(x + 1) / 2 limited to [0, 1]."""
    x = floating(x)
    return ew.minimum(ew.maximum(ew.multiply(ew.add(x, 1), 0.5), 0), 1)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by `threshold`; 0 where it is nearer."""
    x = floating(x)
    below = ew.where(ew.less(x, -threshold), ew.add(x, threshold), 0.0)
    return ew.where(ew.greater(x, threshold), ew.subtract(x, threshold), below)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x, and 0 where |x| is at most `threshold`."""
    x = floating(x)
    return ew.where(ew.greater(ew.absolute(x), threshold), x, ew.zero_like(x))


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    x = floating(x)
    return ew.subtract(x, ew.tanh(x))


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x where it is above `threshold`, else `default_value`."""
    return ew.where(ew.greater(x, threshold), x, default_value)


def glu(x: Any, axis: int = -1) -> Any:
    """The first half of x along `axis` times the sigmoid of the second half."""
    x = floating(x)
    k = movement.check_axis("glu", axis, len(x.shape))
    if isinstance(x.shape[k], int) and x.shape[k] % 2:
        raise ShapeError(
            message("glu: the axis must have an even size.", received=f"axis {axis} of {x.shape}")
        )
    from kcompile.ops import arrange

    a, b = arrange.split(x, 2, axis=k)
    return ew.multiply(a, ew.sigmoid(b))
