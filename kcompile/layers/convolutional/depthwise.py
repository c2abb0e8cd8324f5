"""DepthwiseConv1D, DepthwiseConv2D."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from kcompile import ops
from kcompile.core.signatures import arguments_of, with_defaults
from kcompile.layers.convolutional.conv import Convolution


class BaseDepthwiseConv(Convolution):
    """Base of convolutions of each channel by its own kernels.

    Shapes:  (n, d..., c) -> (n, o..., c * depth_multiplier); kernel (k..., c, depth_multiplier).
    """

    depth_multiplier: int
    _STRIDES_AND_DILATION = True
    _earlier = MappingProxyType({"depth_multiplier": "kernel_size"})

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(arguments_of(locals()), **kwargs)

    def build(self, input_shape: Any) -> None:
        channels = self.channels_of(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self.add_configured_weight("kernel", shape, part="depthwise")
        self.add_bias(channels * self.depth_multiplier)

    def convolve(self, inputs: Any) -> Any:
        return ops.depthwise_conv(
            inputs, self.kernel, self.strides, self.padding, self.data_format, self.dilation_rate
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.output_shape_of(input_shape, input_shape[self.channel_axis] * self.depth_multiplier)


class DepthwiseConv1D(BaseDepthwiseConv):
    """Depthwise convolution over steps: (n, steps, c) -> (n, steps', c * depth_multiplier)."""

    rank = 1


class DepthwiseConv2D(BaseDepthwiseConv):
    """Depthwise convolution over images: (n, h, w, c) -> (n, h', w', c * depth_multiplier)."""

    rank = 2
    __init__ = with_defaults(BaseDepthwiseConv.__init__, strides=(1, 1), dilation_rate=(1, 1))
