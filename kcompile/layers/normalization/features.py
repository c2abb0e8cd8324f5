"""LayerNormalization, RMSNormalization and UnitNormalization: statistics of each sample alone."""

from __future__ import annotations

import warnings
from typing import Any

from kcompile import ops
from kcompile.core.callers import users_level
from kcompile.core.signatures import arguments_of
from kcompile.layers.configured import Configured, placed
from kcompile.layers.layer import Layer


def _given_epsilon(epsilon: float | None) -> float | None:
    """What is added to a spread; None is for the op to choose."""
    return None if epsilon is None else float(epsilon)


def _given_axis(axis: Any) -> Any:
    """An int or a list of ints, or a TypeError."""
    if not isinstance(axis, (int, list, tuple)):
        raise TypeError(
            "Invalid value for `axis` argument: expected an int or a list/tuple of ints. Received: "
            f"axis={axis!r}"
        )
    return list(axis) if isinstance(axis, (list, tuple)) else axis


def axis_list(axis: Any) -> list[int]:
    return list(axis) if isinstance(axis, (list, tuple)) else [axis]


def checked_axes(layer: Layer, axes: list[int], input_shape: Any) -> tuple[int, ...]:
    """The dimensions on `axes`, or a ValueError that names the layer."""
    for axis in axes:
        if not -len(input_shape) <= axis < len(input_shape):
            raise ValueError(
                f"Layer '{layer.name}': axis={axis} does not exist in inputs of shape {input_shape}."
            )
    return tuple(input_shape[axis] for axis in axes)


class LayerNormalization(Configured):
    """Mean 0 and variance 1 over `axis`, times gamma, plus beta.

    Shapes:  as the input; gamma and beta have the input's dimensions on `axis`.
    Args:    rms_scaling: divide by the standard deviation alone, and scale by gamma.
    Source:  Ba et al. 2016.
    """

    center: bool
    scale: bool

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float | None = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        given = arguments_of(locals())
        self.rms_scaling = kwargs.pop("rms_scaling", False)
        if self.rms_scaling:
            warnings.warn(
                "You passed `rms_scaling=True`, which is deprecated: it scales by the deviation, not by the "
                "root mean square. Please use `keras.layers.RMSNormalization` instead.",
                stacklevel=users_level(),
            )
        super().__init__(**kwargs)
        self.configure(given)
        self.axis, self.epsilon = _given_axis(axis), _given_epsilon(epsilon)
        self.supports_masking = True
        self.autocast = False
        self.gamma: Any = None
        self.beta: Any = None

    def build(self, input_shape: Any) -> None:
        self.axis = sorted(axis_list(self.axis))
        shape = checked_axes(self, self.axis, input_shape)
        if self.scale or self.rms_scaling:
            self.gamma = self.add_configured_weight("gamma", shape, autocast=False)
        if self.center and not self.rms_scaling:
            self.beta = self.add_configured_weight("beta", shape, autocast=False)

    def call(self, inputs: Any) -> Any:
        y = ops.layer_normalization(
            inputs, self.gamma, self.beta, self.axis, self.epsilon, rms_scaling=self.rms_scaling
        )
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return placed(super().get_config(), "rms_scaling", self.rms_scaling, before="beta_initializer")


class RMSNormalization(Layer):
    """The input divided by its root mean square over `axis`, times the weight `scale`."""

    def __init__(self, axis: Any = -1, epsilon: float | None = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis, self.epsilon = _given_axis(axis), _given_epsilon(epsilon)

    def build(self, input_shape: Any) -> None:
        self.axis = sorted(axis_list(self.axis))
        shape = checked_axes(self, self.axis, input_shape)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")

    def call(self, x: Any) -> Any:
        return ops.rms_normalization(x, self.scale, self.axis, self.epsilon)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class UnitNormalization(Layer):
    """The input divided by its Euclidean norm over `axis`."""

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = _given_axis(axis)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        return ops.normalize(inputs, axis=self.axis, order=2, epsilon=1e-12)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
