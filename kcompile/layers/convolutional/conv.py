"""Conv1D, Conv2D, Conv3D."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.activations import activated
from kcompile.core.errors import ArgumentError
from kcompile.core.signatures import arguments_of, with_defaults
from kcompile.layers.adapted import Adapted
from kcompile.layers.arguments import data_format_name, int_tuple, padding_name
from kcompile.layers.configured import Configured
from kcompile.layers.input_spec import InputSpec
from kcompile.trace.keras_tensor import KerasTensor, infer_output, known_shape

WINDOW = ("kernel_size", "strides", "padding", "data_format", "dilation_rate")


class Windowed(Configured):
    """Base of layers that slide a window: its size, steps, padding and layout."""

    rank: int
    _STRIDES_AND_DILATION = False  # May both be above 1? Keras has it for convolutions channel by channel.

    def set_window(
        self,
        kernel_size: Any,
        strides: Any,
        padding: Any,
        data_format: Any,
        dilation_rate: Any,
        causal: bool = False,
    ) -> None:
        self.kernel_size = int_tuple("kernel_size", kernel_size, self.rank)
        self.strides = int_tuple("strides", strides, self.rank)
        self.dilation_rate = int_tuple("dilation_rate", dilation_rate, self.rank)
        self.padding = padding_name(padding, causal)
        self.data_format = data_format_name(data_format)
        self.input_spec = InputSpec(min_ndim=self.rank + 2)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1 and not self._STRIDES_AND_DILATION:
            raise ValueError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. Received: "
                f"strides={self.strides} and dilation_rate={self.dilation_rate}"
            )

    @staticmethod
    def positive(name: str, value: Any) -> int:
        """`value`, if it is an int above 0."""
        whole = hasattr(value, "__index__") and not isinstance(value, bool)
        if not whole or value <= 0:
            raise (ValueError if whole else ArgumentError)(
                f"Invalid value for argument `{name}`. Expected a strictly positive value. Received "
                f"{name}={value}."
            )
        return value

    @property
    def channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def channels_of(self, input_shape: Any) -> int:
        """The number of channels; the layer then accepts no other."""
        if len(input_shape) != self.rank + 2:
            raise ValueError(
                f"Layer '{self.name}': inputs and kernel must have the same rank, {self.rank + 2}. Received: "
                f"input_shape={tuple(input_shape)}"
            )
        channels = input_shape[self.channel_axis]
        if channels is None:
            raise ValueError(
                f"The channel dimension of the inputs should be defined. Layer '{self.name}' received "
                f"input_shape={input_shape}, channels on axis {self.channel_axis}."
            )
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={self.channel_axis: channels})
        return channels

    def causally_padded(self, inputs: Any) -> Any:
        """Zeros before the first step, so that no output sees a later input."""
        left = self.dilation_rate[0] * (self.kernel_size[0] - 1)
        steps = (left, 0)
        return ops.pad(
            inputs, ((0, 0), steps, (0, 0)) if self.channel_axis == -1 else ((0, 0), (0, 0), steps)
        )

    def with_bias(self, y: Any, bias: Any) -> Any:
        if bias is None:
            return y
        return y + (bias if self.channel_axis == -1 else ops.reshape(bias, (1, -1) + (1,) * self.rank))

    def output_shape_of(self, input_shape: Any, filters: int) -> Any:
        channel = self.channel_axis % len(input_shape)
        spatial = (d for k, d in enumerate(input_shape[1:], 1) if k != channel)
        x, kernel = KerasTensor((1, *spatial, 1), name="x"), KerasTensor((*self.kernel_size, 1, 1), name="k")
        found = known_shape(infer_output(self.slide, x, kernel).shape[1:-1])
        return (input_shape[0], *found, filters) if channel > 1 else (input_shape[0], filters, *found)

    def slide(self, x: Any, kernel: Any) -> Any:
        """What the windows make of x, channels last: the shape of the output follows from this."""
        padding = "same" if self.padding == "causal" else self.padding
        return ops.conv(x, kernel, self.strides, padding, "channels_last", self.dilation_rate)


class Convolution(Windowed):
    """Base of convolutions with a bias and an activation. Subclasses make kernels and say `convolve`.

    Args:    settings: the arguments of the class, which become attributes and its config.
             causal: may the padding be "causal"?
    """

    filters: int
    use_bias: bool
    activation: Any

    def __init__(self, settings: dict[str, Any], causal: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.configure(settings)
        for name in ("filters", "groups", "depth_multiplier"):
            if name in settings:
                self.positive(name, settings[name])
        self.set_window(**{name: settings[name] for name in WINDOW}, causal=causal)
        self.bias: Any = None

    def add_bias(self, filters: int) -> None:
        """Make the bias, if it is used."""
        if self.use_bias:
            self.bias = self.add_configured_weight("bias", (filters,))

    def convolve(self, inputs: Any) -> Any:
        """The inputs with the layer's kernels, without bias and activation."""
        raise NotImplementedError(f"{type(self).__name__} has no `convolve`.")

    def call(self, inputs: Any) -> Any:
        return activated(self.with_bias(self.convolve(inputs), self.bias), self.activation)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.output_shape_of(input_shape, self.filters)


class BaseConv(Convolution, Adapted):
    """Base of ordinary convolutions.

    Shapes:  channels_last: (n, d..., c) -> (n, o..., filters); kernel (k..., c / groups, filters), bias
             (filters,). valid: o = (d - dilation (k - 1) - 1) // stride + 1; same: o = ceil(d / stride).
    Args:    lora_rank: build the layer with `enable_lora(lora_rank, lora_alpha)`.
    """

    groups: int

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ):
        given = arguments_of(locals())
        lora = given.pop("lora_rank"), given.pop("lora_alpha")
        super().__init__(given, causal=self.rank == 1, **kwargs)
        self.set_lora(*lora)
        if filters % groups:
            raise ValueError(
                "The number of filters must be evenly divisible by the number of groups. Received: "
                f"groups={groups}, filters={filters}."
            )

    def build(self, input_shape: Any) -> None:
        channels = self.channels_of(input_shape)
        if channels % self.groups:
            raise ValueError(
                "The number of input channels must be evenly divisible by the number of groups. Received "
                f"groups={self.groups}, but the input has {channels} channels (full input shape is "
                f"{input_shape})."
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self._kernel = self.add_configured_weight("kernel", shape)
        self.add_bias(self.filters)
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    @property
    def kernel(self) -> Any:
        """The kernel, with the update of LoRA."""
        return self._effective()

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution alone; a subclass may use another kernel or input."""
        causal = self.padding == "causal"
        x = self.causally_padded(inputs) if causal else inputs
        padding = "valid" if causal else self.padding
        return ops.conv(x, kernel, self.strides, padding, self.data_format, self.dilation_rate)

    def convolve(self, inputs: Any) -> Any:
        return self.convolution_op(inputs, self.kernel)


class Conv1D(BaseConv):
    """Convolution over steps: (n, steps, c) -> (n, steps', filters). padding may also be "causal"."""

    rank = 1


class Conv2D(BaseConv):
    """Convolution over images: (n, h, w, c) -> (n, h', w', filters).

    >>> import numpy as np
    >>> Conv2D(4, 3, padding="same")(np.ones((1, 5, 5, 2), "float32")).shape
    (1, 5, 5, 4)
    """

    rank = 2
    __init__ = with_defaults(BaseConv.__init__, strides=(1, 1), dilation_rate=(1, 1))


class Conv3D(BaseConv):
    """Convolution over volumes: (n, d, h, w, c) -> (n, d', h', w', filters)."""

    rank = 3
    __init__ = with_defaults(BaseConv.__init__, strides=(1, 1, 1), dilation_rate=(1, 1, 1))
