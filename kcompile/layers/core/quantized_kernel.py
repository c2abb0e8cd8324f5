"""Products of inputs with a kernel of few bits: what Dense and EinsumDense share.

Ints are multiplied as floats, which are exact up to 1040 products of int8 and make vector code; casts, scales
and zero points are read and written inside of the product's kernels. Gradients flow to the inputs, through
the kernel that the ints stand for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile import ops, quantizers
from kcompile.activations import activated
from kcompile.dtype_policies import QuantizedFloat8DTypePolicy
from kcompile.layers.adapted import QuantizableWeight
from kcompile.quantizers.float8 import FORMATS
from kcompile.quantizers.quantizer import dequantized_by_groups

FLOAT8_WEIGHTS = [
    f"{what}_{kind}" for what in ("inputs", "kernel", "outputs_grad") for kind in ("scale", "amax_history")
]


class QuantizedKernel(QuantizableWeight):
    """Base of layers that multiply their inputs with a kernel; a subclass says which axes meet.

    The kernel's columns are its axes that the output has, its rows all others.
    """

    bias: Any
    activation: Any
    inputs_quantizer: Any = None
    # of float8
    inputs_scale: Any
    inputs_amax_history: Any
    kernel_amax_history: Any
    outputs_grad_scale: Any
    outputs_grad_amax_history: Any

    # --- what a subclass says -------------------------------------------------------------------------------

    def _product(self, inputs: Any, kernel: Any) -> Any:
        raise NotImplementedError

    def _pulled(self, upstream: Any, kernel: Any) -> Any:
        """The gradient of the inputs."""
        raise NotImplementedError

    def _axes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Axes of the inputs, and of the kernel, that are summed over."""
        raise NotImplementedError

    def _output_scale(self, scale: Any, of: str) -> Any:
        """A scale with 1 along summed axes, of "inputs" or "kernel", with the axes of the output."""
        raise NotImplementedError

    def _kernel_scale(self, scale: Any) -> Any:
        """The stored scale of the kernel with the axes of the kernel."""
        raise NotImplementedError

    # --- weights --------------------------------------------------------------------------------------------

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        return {
            None: ["kernel", "bias"],
            "int8": ["kernel", "bias", "kernel_scale"],
            "int4": ["kernel", "bias", "kernel_scale", "kernel_zero", "g_idx"],
            "float8": ["kernel", "bias", *FLOAT8_WEIGHTS],
        }

    def quantized_build(self, kernel_shape: Any, mode: str, config: Any = None) -> None:
        self._build_quantized(kernel_shape, mode, config)

    def _int8_build(self, shape: tuple[int, ...], config: Any) -> None:
        default = quantizers.AbsMaxQuantizer()
        self.inputs_quantizer = quantizers.QuantizationConfig.activation_quantizer_or_default(config, default)
        self._kernel = self._fixed("kernel", shape, "int8")
        summed = self._axes()[1]
        ones = np.ones([1 if k in summed else n for k, n in enumerate(shape)])
        self.kernel_scale = self._fixed(
            "kernel_scale", self._output_scale(ones, "kernel").shape, None, "ones"
        )

    def _int4_build(self, shape: tuple[int, ...], config: Any) -> None:
        self.inputs_quantizer = quantizers.QuantizationConfig.activation_quantizer_or_default(config, None)
        self._original_shape = shape
        rows, columns = self._matrix_shape(shape)
        self._kernel = self._fixed("kernel", (rows, (columns + 1) // 2), "int8")
        size = self._block_size
        groups = (columns,) if size is None else (math.ceil(rows / size), columns)
        self.kernel_scale = self._fixed("kernel_scale", groups, None, "ones")
        if size is not None:
            self.kernel_zero = self._fixed("kernel_zero", groups, "int8")
            self.g_idx = self._fixed("g_idx", (rows,), "float32")
            self.g_idx.assign(np.arange(rows) // size)

    def _float8_build(self, shape: tuple[int, ...], config: Any) -> None:
        default = QuantizedFloat8DTypePolicy.default_amax_history_length
        length = getattr(self._policy, "amax_history_length", default)
        for name in FLOAT8_WEIGHTS:
            scale = name.endswith("scale")
            weight = self.add_weight(
                name=name, shape=() if scale else (length,), initializer="ones" if scale else "zeros",
                dtype="float32", autocast=False, overwrite_with_gradient=True,
            )  # fmt: skip
            setattr(self, name, weight)

    def _matrix_shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        summed = self._axes()[1]
        rows = math.prod(n for k, n in enumerate(shape) if k in summed)
        return rows, math.prod(shape) // rows

    def _main_shape(self) -> tuple[int, ...]:
        return self._original_shape if self.quantization_mode == "int4" else super()._main_shape()

    def _unpacked(self, stored: Any) -> Any:
        if self.quantization_mode != "int4":
            return stored
        columns = self._matrix_shape(self._original_shape)[1]
        return ops.reshape(quantizers.unpack_int4(stored, columns, axis=-1), self._original_shape)

    def _quantized(self, mode: str, weight: np.ndarray, config: Any) -> dict[str, Any]:
        if mode == "float8":
            return {}
        if mode == "int8":
            default = quantizers.AbsMaxQuantizer(axis=self._axes()[1])
            quantizer = quantizers.QuantizationConfig.weight_quantizer_or_default(config, default)
            ints, scale = quantizer(weight, to_numpy=True)
            return {"kernel": ints, "kernel_scale": self._output_scale(scale, "kernel")}
        matrix = weight.reshape(self._matrix_shape(weight.shape))
        if self._block_size is None:
            default = quantizers.AbsMaxQuantizer(axis=0, value_range=(-8, 7))
            quantizer = quantizers.QuantizationConfig.weight_quantizer_or_default(config, default)
            ints, scale = quantizer(matrix, to_numpy=True)
            found = {"kernel_scale": np.squeeze(scale, 0)}
        else:
            grouped = quantizers.abs_max_quantize_grouped_with_zero_point
            ints, scale, zero = grouped(matrix, self._block_size, to_numpy=True)
            found = {"kernel_scale": scale, "kernel_zero": zero}
        return {"kernel": quantizers.pack_int4(ints, axis=-1)[0], **found}

    def _dequantized(self) -> Any:
        scale = self.kernel_scale
        if self.quantization_mode == "int8":
            return ops.cast(self._kernel, self.compute_dtype) / self._kernel_scale(scale)
        shape = self._original_shape
        ints = quantizers.unpack_int4(self._kernel, self._matrix_shape(shape)[1], axis=-1)
        if self._block_size is None:
            kernel = ops.cast(ints, self.compute_dtype) / scale
        else:
            kernel = dequantized_by_groups(ints, scale, self.kernel_zero, self.g_idx, axis=0)
        return ops.cast(ops.reshape(kernel, shape), self.compute_dtype)

    # --- calls ----------------------------------------------------------------------------------------------

    def _int8_call(self, inputs: Any, training: Any = None) -> Any:
        def scaled(x: Any) -> Any:
            scale = ops.convert_to_tensor(self.kernel_scale)
            factors, x_scale = self._quantized_inputs(x)
            scale = scale if x_scale is None else scale * x_scale
            y = self._product(self._exact(factors), self._exact(self._kernel))
            return ops.cast(y, self.compute_dtype) / scale

        return self._finished(inputs, self._with_gradient(scaled)(inputs))

    def _int4_call(self, inputs: Any, training: Any = None) -> Any:
        def scaled(x: Any) -> Any:
            factors, x_scale = self._quantized_inputs(x)
            y = self._product(ops.cast(factors, self.compute_dtype), self._dequantized())
            return y if x_scale is None else y / x_scale

        return self._finished(inputs, self._with_gradient(scaled)(inputs))

    def _with_gradient(self, scaled: Any) -> Any:
        return ops.custom_gradient(lambda x: (scaled(x), lambda dy: self._pulled(dy, self._dequantized())))

    def _quantized_inputs(self, x: Any) -> tuple[Any, Any]:
        """Factors in the inputs' place, and their scale with the axes of the output; None: as they are."""
        if not self.inputs_quantizer:
            return x, None
        ints, scale = self.inputs_quantizer(x, axis=self._axes()[0])
        return ints, self._output_scale(scale, "inputs")

    def _exact(self, x: Any) -> Any:
        """Ints as floats that hold their products."""
        return ops.cast(x, "float64" if self.compute_dtype == "float64" else "float32")

    def _finished(self, inputs: Any, y: Any) -> Any:
        if self.lora_enabled:
            a, b = self._lora
            y = y + self._lora_scale * ops.matmul(self._product(inputs, a), b)
            y = ops.cast(y, self.compute_dtype)
        return activated(y if self.bias is None else y + self.bias, self.activation)

    # --- float8 ---------------------------------------------------------------------------------------------

    def _float8_call(self, inputs: Any, training: Any = None) -> Any:
        if self.lora_enabled:
            raise NotImplementedError("Currently, float8 does not support LoRA.")
        y = self._product(
            self._rounded(inputs, self.inputs_scale, self.inputs_amax_history, training),
            self._rounded(
                ops.convert_to_tensor(self._kernel), self.kernel_scale, self.kernel_amax_history, training
            ),
        )
        y = self._rounding_gradients(y, self.outputs_grad_scale, self.outputs_grad_amax_history)
        if self.bias is not None:
            bias = ops.convert_to_tensor(self.bias)
            if self.compute_dtype == "float32":  # as in Keras, for the sake of fused GPU kernels there
                bias = ops.cast(ops.cast(bias, "bfloat16"), "float32")
            y = y + bias
        return activated(y, self.activation)

    def _rounded(self, x: Any, scale: Any, history: Any, training: Any) -> Any:
        """x rounded to float8. What the next step is to use of scale and history goes as their gradients."""

        def forward(x: Any, scale: Any, history: Any) -> Any:
            y = quantizers.quantize_and_dequantize(x, scale, "float8_e4m3fn", self.compute_dtype)
            return y, lambda dy: (
                dy,
                *(_next(x, scale, history, "float8_e4m3fn") if training else (None, None)),
            )

        return ops.custom_gradient(forward)(x, _value(scale), _value(history))

    def _rounding_gradients(self, y: Any, scale: Any, history: Any) -> Any:
        """y as it is; its gradient is rounded to float8."""

        def forward(y: Any, scale: Any, history: Any) -> Any:
            def pull(dy: Any) -> tuple[Any, Any, Any]:
                rounded = quantizers.quantize_and_dequantize(dy, scale, "float8_e5m2", self.compute_dtype)
                return rounded, *_next(dy, scale, history, "float8_e5m2")

            return y, pull

        return ops.custom_gradient(forward)(y, _value(scale), _value(history))


def _value(variable: Any) -> Any:
    return ops.convert_to_tensor(variable)


def _next(x: Any, scale: Any, history: Any, dtype: str) -> tuple[Any, Any]:
    """Scale and history of the next step."""
    most = np.float32(FORMATS[dtype][2])
    return (
        quantizers.compute_float8_scale(ops.max(history, axis=0), scale, most),
        quantizers.compute_float8_amax_history(x, history),
    )
