"""SeparableConv1D, SeparableConv2D."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from kcompile import ops
from kcompile.core.signatures import arguments_of, with_defaults
from kcompile.layers.convolutional.conv import Convolution


class BaseSeparableConv(Convolution):
    """Base of depthwise convolutions followed by one with kernel size 1.

    Shapes:  (n, d..., c) -> (n, o..., filters); depthwise_kernel (k..., c, m), pointwise_kernel (1..., c m,
             filters).
    """

    depth_multiplier: int
    _STRIDES_AND_DILATION = True
    _earlier = MappingProxyType({"depth_multiplier": "filters"})

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(arguments_of(locals()), **kwargs)

    def build(self, input_shape: Any) -> None:
        channels = self.channels_of(input_shape)
        depthwise = (*self.kernel_size, channels, self.depth_multiplier)
        pointwise = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.depthwise_kernel = self.add_configured_weight("depthwise_kernel", depthwise)
        self.pointwise_kernel = self.add_configured_weight("pointwise_kernel", pointwise)
        self.add_bias(self.filters)

    def convolve(self, inputs: Any) -> Any:
        kernels = self.depthwise_kernel, self.pointwise_kernel
        return ops.separable_conv(
            inputs, *kernels, self.strides, self.padding, self.data_format, self.dilation_rate
        )


class SeparableConv1D(BaseSeparableConv):
    """Separable convolution over steps: (n, steps, c) -> (n, steps', filters)."""

    rank = 1


class SeparableConv2D(BaseSeparableConv):
    """Separable convolution over images: (n, h, w, c) -> (n, h', w', filters)."""

    rank = 2
    __init__ = with_defaults(BaseSeparableConv.__init__, strides=(1, 1), dilation_rate=(1, 1))
