"""Dense."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.activations import activated
from kcompile.core.signatures import arguments_of
from kcompile.layers.arguments import positive_int
from kcompile.layers.core.quantized_kernel import QuantizedKernel
from kcompile.layers.input_spec import InputSpec


class Dense(QuantizedKernel):
    """activation(inputs @ kernel + bias) over the last axis.

    Shapes:  (n, ..., d) -> (n, ..., units); kernel (d, units), bias (units,).
    Args:    lora_rank: build the layer with `enable_lora(lora_rank)`. quantization_config: quantizers for a
             layer that is made with a quantized policy.

    >>> import numpy as np
    >>> Dense(2, kernel_initializer="ones")(np.ones((1, 3), "float32")).tolist()
    [[3.0, 3.0]]
    """

    units: int
    use_bias: bool
    activation: Any
    _quantizes = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: Any = None,
        lora_alpha: Any = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ):
        given = arguments_of(locals())
        super().__init__(activity_regularizer=given.pop("activity_regularizer"), **kwargs)
        positive_int("units", units)
        self.set_lora(given.pop("lora_rank"), given.pop("lora_alpha"))
        self.quantization_config = given.pop("quantization_config")
        self.configure(given)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        depth = input_shape[-1]
        mode = self.quantization_mode
        if mode:
            self.quantized_build((depth, self.units), mode, self.quantization_config)
        if mode in (None, "float8"):
            self._kernel = self.add_configured_weight("kernel", (depth, self.units))
        if self.use_bias:
            self.bias = self.add_configured_weight("bias", (self.units,))
        self.input_spec = InputSpec(min_ndim=2, axes={-1: depth})
        if self.lora_rank:
            self.enable_lora(self.lora_rank)

    @property
    def kernel(self) -> Any:
        """The kernel, with the update of LoRA; ints where it is quantized."""
        return self._effective()

    def call(self, inputs: Any, training: Any = None) -> Any:
        y = ops.matmul(inputs, self.kernel)
        return activated(y if self.bias is None else y + self.bias, self.activation)

    def _product(self, inputs: Any, kernel: Any) -> Any:
        return ops.matmul(inputs, kernel)

    def _pulled(self, upstream: Any, kernel: Any) -> Any:
        return ops.matmul(upstream, ops.transpose(kernel))

    def _axes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (-1,), (0,)

    def _output_scale(self, scale: Any, of: str) -> Any:
        return ops.squeeze(scale, axis=0) if of == "kernel" else scale

    def _kernel_scale(self, scale: Any) -> Any:
        return scale

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)
