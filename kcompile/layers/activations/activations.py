"""Activation functions as layers."""

from __future__ import annotations

import warnings
from typing import Any

from kcompile import activations, constraints, initializers, ops, regularizers
from kcompile.core.callers import users_level
from kcompile.core.errors import ShapeError
from kcompile.layers.input_spec import InputSpec
from kcompile.layers.layer import Layer
from kcompile.ops.activation import prelu
from kcompile.trace.keras_tensor import known_shape


class Elementwise(Layer):
    """Base of layers without weights that hand masks on."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self._build_at_init()


class Activation(Elementwise):
    """Any activation: a name such as "relu", or a function."""

    def __init__(self, activation: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(Elementwise):
    """x above `threshold`, at most `max_value`; below it negative_slope * (x - threshold)."""

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0:
            raise ValueError(
                f"max_value of a ReLU layer cannot be a negative value. Received: max_value={max_value}"
            )
        for name, value in (("negative_slope", negative_slope), ("threshold", threshold)):
            if value is None or value < 0:
                raise ValueError(
                    f"{name} of a ReLU layer cannot be None or negative. Received: {name}={value}"
                )
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: Any) -> Any:
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        own = {
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }
        return {**super().get_config(), **own}


class LeakyReLU(Elementwise):
    """x above 0, negative_slope * x below."""

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any):
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            reason = "Argument `alpha` is deprecated. Use `negative_slope` instead."
            warnings.warn(reason, stacklevel=users_level())
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(
                "The negative_slope value of a Leaky ReLU layer cannot be None or negative value. Expected "
                f"a float. Received: negative_slope={negative_slope}"
            )
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Any:
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(Elementwise):
    """x above 0, alpha * (exp(x) - 1) below."""

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        return activations.elu(inputs, alpha=self.alpha)


class Softmax(Elementwise):
    """exp(x) over its sum along `axis` (an int or several).

    A mask that broadcasts with the input (True, or above 0.5: keep) takes elements out: they become 0.
    """

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return activations.softmax(inputs, axis=self.axis)
        _check_mask(inputs, mask)
        kept = mask if mask.dtype == "bool" else ops.greater(mask, 0.5)
        far = -3e4 if inputs.dtype == "float16" else -1e9
        outputs = activations.softmax(ops.where(kept, inputs, far), axis=self.axis)
        return ops.where(kept, outputs, 0)  # where the whole axis is masked, softmax alone gives equal shares

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def _check_mask(inputs: Any, mask: Any) -> None:
    given, wanted = known_shape(mask.shape), known_shape(inputs.shape)
    sizes = zip(given[::-1], wanted[::-1], strict=False)
    if len(given) > len(wanted) or any(m not in (None, 1) and d not in (None, m) for m, d in sizes):
        raise ShapeError(
            "The `mask` must be broadcastable to `inputs`: each of its dimensions must be 1 or that of the "
            f"inputs. Received: inputs.shape={wanted}, mask.shape={given}"
        )


class PReLU(Layer):
    """x above 0, alpha * x below, with a weight alpha for each feature; one for all along `shared_axes`."""

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        shared = (
            shared_axes if isinstance(shared_axes, (list, tuple)) or shared_axes is None else [shared_axes]
        )
        self.shared_axes = None if shared is None else list(shared)

    def build(self, input_shape: Any) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or []:
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            name="alpha",
            shape=shape,
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        axes = {k: d for k, d in enumerate(input_shape) if k > 0 and k not in (self.shared_axes or [])}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)

    def call(self, inputs: Any) -> Any:
        return prelu(inputs, self.alpha)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }
