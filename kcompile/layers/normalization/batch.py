"""BatchNormalization."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from kcompile import ops
from kcompile.core import config, dtypes
from kcompile.core.errors import ShapeError
from kcompile.core.signatures import arguments_of
from kcompile.layers.configured import Configured
from kcompile.layers.input_spec import InputSpec


class BatchNormalization(Configured):
    """Normalizes each channel: by the batch's mean and variance in training, else by moving averages of them.

    Shapes:  as the input; gamma, beta and the moving averages are (c,), c the size of `axis`.
    Args:    momentum: share of the old moving average that stays. renorm: in training too, normalize as the
             averages `renorm_mean` and `renorm_stddev` would (with the momentum `renorm_momentum`), while
             gradients see the batch. renorm_clipping: how far that may go, a dict with "rmin" and "rmax" for
             the ratio of deviations and "dmax" for the distance of means. synchronized: has no effect: there
             is one device. A mask (n, ...), without the last axis, leaves elements out of the statistics.
    Source:  Ioffe and Szegedy 2015; Ioffe 2017 (renorm). A layer with trainable=False always uses the moving
             averages.
    """

    center: bool
    scale: bool
    renorm: bool
    renorm_momentum: float
    moving_mean_initializer: Any
    moving_variance_initializer: Any
    _earlier = MappingProxyType({"synchronized": "renorm"})

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ):
        given = arguments_of(locals())
        super().__init__(**kwargs)
        self.configure(given)
        self.axis, self.momentum, self.epsilon = int(axis), float(momentum), float(epsilon)
        self.renorm_clipping = _checked_clipping(renorm_clipping or {}) if renorm else renorm_clipping
        self.supports_masking = True
        self.gamma: Any = None
        self.beta: Any = None

    def build(self, input_shape: Any) -> None:
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise ValueError(
                f"Layer '{self.name}': axis={self.axis} does not exist in inputs of shape {input_shape}."
            )
        channels = input_shape[self.axis]
        shape = (channels,)
        if self.scale:
            self.gamma = self.add_configured_weight("gamma", shape, autocast=False)
        if self.center:
            self.beta = self.add_configured_weight("beta", shape, autocast=False)
        moving: dict[str, Any] = {"shape": shape, "trainable": False, "autocast": False}
        self.moving_mean = self.add_weight(
            name="moving_mean", initializer=self.moving_mean_initializer, **moving
        )
        self.moving_variance = self.add_weight(
            name="moving_variance", initializer=self.moving_variance_initializer, **moving
        )
        if self.renorm:
            self._add_renorm_weights(moving)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def _add_renorm_weights(self, moving: dict[str, Any]) -> None:
        start = self.moving_variance_initializer

        def deviation(shape: Any, dtype: Any = None) -> Any:
            return ops.sqrt(start(shape, dtype=dtype))

        self.moving_stddev = self.add_weight(name="moving_stddev", initializer=deviation, **moving)
        self.renorm_mean = self.add_weight(
            name="renorm_mean", initializer=self.moving_mean_initializer, **moving
        )
        self.renorm_stddev = self.add_weight(name="renorm_stddev", initializer=deviation, **moving)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if mask is not None and len(mask.shape) != len(inputs.shape) - 1:
            raise ShapeError(
                f"Layer '{self.name}': the mask provided should be one dimension less than the inputs. "
                f"Received: mask.shape={tuple(mask.shape)}, inputs.shape={tuple(inputs.shape)}"
            )
        # In half precision the squares of large inputs would overflow.
        x = ops.cast(inputs, dtypes.promote(dtypes.standardize(inputs.dtype), "float32"))
        gamma, beta = self.gamma, self.beta
        if training and self.trainable:
            mean, variance = self._moments(x, mask)
            if self.renorm:
                gamma, beta = self._renormalized(mean, variance)
                self._move_renorm(mean, variance)
            else:
                _move(self.moving_mean, mean, self.momentum)
                _move(self.moving_variance, variance, self.momentum)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        y = ops.batch_normalization(x, mean, variance, self.axis, beta, gamma, self.epsilon)
        return ops.cast(y, self.compute_dtype)

    def _moments(self, x: Any, mask: Any) -> tuple[Any, Any]:
        axes = [k for k in range(len(x.shape)) if k != self.axis % len(x.shape)]
        if mask is None:
            return ops.moments(x, axes=axes)
        kept = ops.broadcast_to(ops.expand_dims(ops.cast(mask, "bool"), -1), ops.shape(x))
        count = ops.sum(ops.cast(kept, x.dtype), axis=axes, keepdims=True) + config.epsilon()
        mean = ops.sum(ops.where(kept, x, 0), axis=axes, keepdims=True) / count
        squares = ops.square(ops.where(kept, x - mean, 0))
        variance = ops.sum(squares, axis=axes, keepdims=True) / count
        return ops.squeeze(mean, axes), ops.squeeze(variance, axes)

    def _renormalized(self, mean: Any, variance: Any) -> tuple[Any, Any]:
        """Scale and offset after which the batch's normalization is that of the averages."""
        least = ops.sqrt(ops.cast(self.epsilon, mean.dtype))  # averages may begin at 0
        average = ops.maximum(ops.cast(self.renorm_stddev, mean.dtype), least)
        ratio = ops.sqrt(variance + self.epsilon) / average
        distance = (mean - ops.cast(self.renorm_mean, mean.dtype)) / average
        limits = {name: self.renorm_clipping.get(name) for name in ("rmin", "rmax", "dmax")}
        if limits["rmin"] is not None:
            ratio = ops.maximum(ratio, limits["rmin"])
        if limits["rmax"] is not None:
            ratio = ops.minimum(ratio, limits["rmax"])
        if limits["dmax"] is not None:
            distance = ops.clip(distance, -limits["dmax"], limits["dmax"])
        scale, offset = ops.stop_gradient(ratio), ops.stop_gradient(distance)
        if self.gamma is not None:
            scale, offset = scale * self.gamma, offset * self.gamma
        return scale, offset if self.beta is None else offset + self.beta

    def _move_renorm(self, mean: Any, variance: Any) -> None:
        deviation = ops.sqrt(variance + self.epsilon)
        _move(self.renorm_mean, mean, self.renorm_momentum)
        _move(self.renorm_stddev, deviation, self.renorm_momentum)
        _move(self.moving_mean, mean, self.momentum)
        _move(self.moving_stddev, deviation, self.momentum)
        moved = self.moving_stddev.value
        self.moving_variance.assign(ops.relu(moved * moved - self.epsilon))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def _move(average: Any, value: Any, momentum: float) -> None:
    average.assign(average * momentum + ops.cast(value, average.dtype) * (1.0 - momentum))


def _checked_clipping(limits: dict[str, Any]) -> dict[str, Any]:
    names = ("rmax", "rmin", "dmax")
    if set(limits) - set(names):
        raise ValueError(
            f"Received invalid keys for `renorm_clipping` argument: {limits}. Supported values: {names}."
        )
    rmax, rmin, dmax = (limits.get(name) for name in names)
    if rmax is not None and rmin is not None and rmax < rmin:
        raise ValueError(
            "rmax should be greater than rmin in the `renorm_clipping` argument. Received: "
            f"rmax={rmax}, rmin={rmin}."
        )
    if dmax is not None and dmax < 0:
        raise ValueError(
            f"dmax should be non-negative in the `renorm_clipping` argument. Received: dmax={dmax}."
        )
    return limits
