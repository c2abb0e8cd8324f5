"""Dense."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.signatures import arguments_of
from kcompile.layers.arguments import not_supported, positive_int
from kcompile.layers.configured import Configured
from kcompile.layers.input_spec import InputSpec

UNSUPPORTED = ("lora_rank", "lora_alpha", "quantization_config")


class Dense(Configured):
    """activation(inputs @ kernel + bias) over the last axis.

    Shapes:  (n, ..., d) -> (n, ..., units); kernel (d, units), bias (units,).

    >>> import numpy as np
    >>> Dense(2, kernel_initializer="ones")(np.ones((1, 3), "float32")).tolist()
    [[3.0, 3.0]]
    """

    units: int
    use_bias: bool
    activation: Any

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
        not_supported("Dense", **{name: given.pop(name) for name in UNSUPPORTED})
        super().__init__(activity_regularizer=given.pop("activity_regularizer"), **kwargs)
        positive_int("units", units)
        self.configure(given)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        depth = input_shape[-1]
        self.kernel = self.add_configured_weight("kernel", (depth, self.units))
        if self.use_bias:
            self.bias = self.add_configured_weight("bias", (self.units,))
        self.input_spec = InputSpec(min_ndim=2, axes={-1: depth})

    def call(self, inputs: Any, training: Any = None) -> Any:
        y = ops.matmul(inputs, self.kernel)
        return self.activation(y if self.bias is None else y + self.bias)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "quantization_config": None}
