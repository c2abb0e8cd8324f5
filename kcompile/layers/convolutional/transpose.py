"""Conv1DTranspose, Conv2DTranspose, Conv3DTranspose."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.signatures import arguments_of, with_defaults
from kcompile.layers.arguments import int_tuple
from kcompile.layers.convolutional.conv import Convolution


class BaseConvTranspose(Convolution):
    """Base of transposed convolutions: the gradient of a convolution, which enlarges its input.

    Shapes:  channels_last: (n, d..., c) -> (n, o..., filters); kernel (k..., filters, c), bias (filters,).
             With reach e = dilation (k - 1) + 1, valid: o = (d - 1) stride + max(e, stride); same: o = d
             stride.
    Args:    output_padding: how far the output goes beyond (d - 1) stride + e (valid) or (d - 1) stride +
             e % 2 (same); an int below `stride`, or one for each dimension.
    Source:  Zeiler et al. 2010, "Deconvolutional networks".
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(arguments_of(locals()), **kwargs)
        self.output_padding = self._checked_output_padding(output_padding)

    def _checked_output_padding(self, given: Any) -> tuple[int, ...] | None:
        if given is None:
            return None
        sizes = int_tuple("output_padding", given, self.rank, allow_zero=True)
        if any(p >= s for p, s in zip(sizes, self.strides, strict=True)):
            raise ValueError(
                "`output_padding` must be strictly less than `strides` for all dimensions. Received: "
                f"output_padding={sizes}, strides={self.strides}"
            )
        return sizes

    def build(self, input_shape: Any) -> None:
        shape = (*self.kernel_size, self.filters, self.channels_of(input_shape))
        self.kernel = self.add_configured_weight("kernel", shape)
        self.add_bias(self.filters)

    def convolve(self, inputs: Any) -> Any:
        return self._transposed(inputs, self.kernel, self.data_format)

    def slide(self, x: Any, kernel: Any) -> Any:
        return self._transposed(x, kernel, "channels_last")

    def _transposed(self, x: Any, kernel: Any, data_format: str) -> Any:
        return ops.conv_transpose(
            x, kernel, self.strides, self.padding, self.output_padding, data_format, self.dilation_rate
        )


class Conv1DTranspose(BaseConvTranspose):
    """Transposed convolution over steps: (n, steps, c) -> (n, steps', filters)."""

    rank = 1


class Conv2DTranspose(BaseConvTranspose):
    """Transposed convolution over images: (n, h, w, c) -> (n, h', w', filters).

    >>> import numpy as np
    >>> Conv2DTranspose(4, 3, strides=2, padding="same")(np.ones((1, 5, 5, 2), "float32")).shape
    (1, 10, 10, 4)
    """

    rank = 2
    __init__ = with_defaults(BaseConvTranspose.__init__, strides=(1, 1), dilation_rate=(1, 1))


class Conv3DTranspose(BaseConvTranspose):
    """Transposed convolution over volumes: (n, d, h, w, c) -> (n, d', h', w', filters)."""

    rank = 3

    def __init__(  # in Keras's order, which has `data_format` first here
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        dilation_rate: Any = (1, 1, 1),
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        named = {key: value for key, value in locals().items() if key not in ("self", "kwargs", "__class__")}
        super().__init__(**named, **kwargs)
