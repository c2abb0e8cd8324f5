"""Activation functions by the names of Keras; each works on arrays, traced values and placeholders."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core import objects, public_names, registry
from kcompile.core.serialization import deserialize_keras_object, serialize_keras_object


def linear(x: Any) -> Any:
    """x itself."""
    return x


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """x above `threshold`, at most `max_value`; below it negative_slope * (x - threshold).

    >>> import numpy as np
    >>> relu(np.array([-2.0, 1.0, 9.0], "float32"), negative_slope=0.5, max_value=6).tolist()
    [-1.0, 1.0, 6.0]
    """
    if max_value is None and threshold == 0.0:
        return ops.leaky_relu(x, negative_slope) if negative_slope else ops.relu(x)
    x = ops.convert_to_tensor(x)
    if threshold != 0.0:  # the bounds take the dtype of x: ints stay ints
        y = ops.where(ops.greater(x, ops.cast(threshold, x.dtype)), x, 0)
    else:
        y = ops.relu6(x) if max_value == 6 else ops.relu(x)
    if max_value is not None and (threshold != 0.0 or max_value != 6):
        y = ops.clip(y, 0, ops.cast(max_value, x.dtype))
    if not negative_slope:
        return y
    return ops.add(y, ops.multiply(negative_slope, ops.minimum(ops.subtract(x, threshold), 0)))


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x above 0, negative_slope * x below."""
    return ops.leaky_relu(x, negative_slope=negative_slope)


def relu6(x: Any) -> Any:
    """x cut to [0, 6]."""
    return ops.relu6(x)


def softmax(x: Any, axis: Any = -1) -> Any:
    """exp(x) over its sum along `axis` (an int, or several axes taken together)."""
    return ops.softmax(x, axis=axis)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """The logarithm of softmax."""
    return ops.log_softmax(x, axis=axis)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x above 0, alpha * (exp(x) - 1) below."""
    return ops.elu(x, alpha=alpha)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """x above 0, alpha * (exp(x / alpha) - 1) below."""
    return ops.celu(x, alpha=alpha)


def selu(x: Any) -> Any:
    """Scaled exponential linear unit (Klambauer et al. 2017)."""
    return ops.selu(x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return ops.softplus(x)


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return ops.softsign(x)


def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x ** 2 + b)) / 2."""
    return ops.squareplus(x, b=b)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by `threshold`, 0 within it."""
    return ops.soft_shrink(x, threshold=threshold)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where |x| > threshold, else 0."""
    return ops.hard_shrink(x, threshold=threshold)


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    return ops.tanh_shrink(x)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x above `threshold`, else default_value."""
    return ops.threshold(x, threshold, default_value)


def sparse_plus(x: Any) -> Any:
    """0 below -1, x above 1, (x + 1) ** 2 / 4 between."""
    return ops.sparse_plus(x)


def sparse_sigmoid(x: Any) -> Any:
    """0 below -1, 1 above 1, (x + 1) / 2 between."""
    return ops.sparse_sigmoid(x)


def sparsemax(x: Any, axis: int = -1) -> Any:
    """The projection of x onto the simplex (Martins and Astudillo 2016)."""
    return ops.sparsemax(x, axis=axis)


def silu(x: Any) -> Any:
    """x * sigmoid(x)."""
    return ops.silu(x)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x times the normal distribution function at x, or its tanh approximation."""
    return ops.gelu(x, approximate=approximate)


def glu(x: Any, axis: int = -1) -> Any:
    """The first half of x times the sigmoid of the second."""
    return ops.glu(x, axis=axis)


def mish(x: Any) -> Any:
    """x * tanh(softplus(x))."""
    return x * ops.tanh(ops.softplus(x))


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return ops.tanh(x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def log_sigmoid(x: Any) -> Any:
    """The logarithm of the sigmoid."""
    return ops.log_sigmoid(x)


def exponential(x: Any) -> Any:
    """exp(x)."""
    return ops.exp(x)


def hard_sigmoid(x: Any) -> Any:
    """x / 6 + 1 / 2 cut to [0, 1]."""
    return ops.hard_sigmoid(x)


def hard_silu(x: Any) -> Any:
    """x * hard_sigmoid(x)."""
    return ops.hard_silu(x)


def hard_tanh(x: Any) -> Any:
    """x cut to [-1, 1]."""
    return ops.hard_tanh(x)


swish, hard_swish = silu, hard_silu

FUNCTIONS = (
    *(relu, leaky_relu, relu6, softmax, celu, elu, selu, softplus, softsign, squareplus, soft_shrink),
    *(sparse_plus, silu, gelu, glu, tanh, tanh_shrink, threshold, sigmoid, sparse_sigmoid, exponential),
    *(hard_sigmoid, hard_silu, hard_tanh, hard_shrink, linear, mish, log_softmax, log_sigmoid, sparsemax),
)
_MODULE = "keras.activations"
_NAMES: dict[str, Any] = {function.__name__: function for function in FUNCTIONS}
registry.publish(_MODULE, _NAMES)
_NAMES |= {"swish": silu, "hard_swish": hard_silu}


def get(identifier: Any) -> Any:
    """An activation from a name, a config, a layer or a callable; None is `linear`.

    >>> get("swish") is silu, get(None) is linear
    (True, True)
    """
    if identifier is None:
        return linear
    if isinstance(identifier, type):
        return identifier
    return objects.get("activation function", identifier, _NAMES, _MODULE)


def activated(x: Any, activation: Any) -> Any:
    """activation(x); x itself for None, which a layer's attribute may be set to."""
    return x if activation is None else activation(x)


def serialize(activation: Any) -> Any:
    """The name of a function of this module; a config for anything else."""
    name = getattr(activation, "__name__", None)
    if name is not None and _NAMES.get(name) is activation:
        return name
    return serialize_keras_object(activation)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    return deserialize_keras_object(config, custom_objects, module=_MODULE)


__all__ = public_names.of(__name__)
