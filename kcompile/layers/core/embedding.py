"""Embedding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile import ops, quantizers
from kcompile.core import dtypes
from kcompile.core.signatures import arguments_of
from kcompile.layers.adapted import QuantizableWeight
from kcompile.layers.arguments import positive_int
from kcompile.layers.configured import placed, serialized
from kcompile.quantizers.quantizer import dequantized_by_groups


class Embedding(QuantizableWeight):
    """Rows of a table of weights, looked up by ints.

    Shapes:  (n, ...) ints in [0, input_dim) -> (n, ..., output_dim).
    Args:    mask_zero: index 0 is padding, and layers further on get the mask `inputs != 0`.
             weights: a list with the table to start with. lora_rank: build the layer with
             `enable_lora(lora_rank)`. quantization_config: quantizers for a layer that is made with a
             quantized policy.
    """

    input_dim: int
    output_dim: int
    mask_zero: bool
    embeddings_initializer: Any
    _main = "embeddings"
    _quantizes = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: Any = None,
        lora_alpha: Any = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ):
        given = arguments_of(locals())
        kwargs.pop("input_length", None)  # Keras 2 had it; it says nothing that the input does not
        super().__init__(**kwargs)
        positive_int("input_dim", input_dim)
        positive_int("output_dim", output_dim)
        given.pop("weights")
        self.set_lora(given.pop("lora_rank"), given.pop("lora_alpha"))
        self.quantization_config = given.pop("quantization_config")
        self.configure(given)
        self.supports_masking = mask_zero
        self.autocast = False
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list) else [np.asarray(weights)])

    def build(self, input_shape: Any = None) -> None:
        shape, mode = (self.input_dim, self.output_dim), self.quantization_mode
        if mode:
            self.quantized_build(shape, mode, self.quantization_config)
        else:
            self._embeddings = self.add_configured_weight("embeddings", shape)
        if self.lora_rank:
            self.enable_lora(self.lora_rank)

    @property
    def embeddings(self) -> Any:
        """The table, with the update of LoRA; ints where it is quantized."""
        return self._effective()

    def call(self, inputs: Any) -> Any:
        return ops.cast(ops.take(self.embeddings, _indices(inputs), axis=0), self.compute_dtype)

    # --- quantized ------------------------------------------------------------------------------------------

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        return {
            None: ["embeddings"],
            "int8": ["embeddings", "embeddings_scale"],
            "int4": ["embeddings", "embeddings_scale", "embeddings_zero", "g_idx"],
        }

    def quantized_build(self, embeddings_shape: Any, mode: str, config: Any = None) -> None:
        self._build_quantized(embeddings_shape, mode, config)

    def _int8_build(self, shape: tuple[int, ...], config: Any) -> None:
        self._embeddings = self._fixed("embeddings", shape, "int8")
        self.embeddings_scale = self._fixed("embeddings_scale", (self.input_dim,), None, "ones")

    def _int4_build(self, shape: tuple[int, ...], config: Any) -> None:
        rows, columns = self.input_dim, self.output_dim
        self._embeddings = self._fixed("embeddings", (rows, (columns + 1) // 2), "int8")
        size = self._block_size
        groups = (rows,) if size is None else (rows, math.ceil(columns / size))
        self.embeddings_scale = self._fixed("embeddings_scale", groups, None, "ones")
        if size is not None:
            self.embeddings_zero = self._fixed("embeddings_zero", groups, "int8")
            self.g_idx = self._fixed("g_idx", (columns,), "float32")
            self.g_idx.assign(np.arange(columns) // size)

    def _main_shape(self) -> tuple[int, ...]:
        return self.input_dim, self.output_dim

    def _unpacked(self, stored: Any) -> Any:
        packed = self.quantization_mode == "int4"
        return quantizers.unpack_int4(stored, self.output_dim, axis=-1) if packed else stored

    def _quantized(self, mode: str, weight: np.ndarray, config: Any) -> dict[str, Any]:
        ints, scale, zero = quantized_rows(weight, mode, self._block_size, config)
        if mode == "int4":
            ints = quantizers.pack_int4(ints, axis=-1)[0]
        found = {"embeddings": ints, "embeddings_scale": scale}
        return found if zero is None else {**found, "embeddings_zero": zero}

    def _dequantized(self) -> Any:
        return self._floats(self._unpacked(self._embeddings), lambda x: x)

    def _floats(self, ints: Any, rows: Any) -> Any:
        """What ints stand for; `rows` takes what belongs to them from an array with a row for each index."""
        scale = rows(self.embeddings_scale)
        ints = ops.cast(ints, self.compute_dtype)
        if self.quantization_mode == "int8" or self._block_size is None:
            return ints / ops.expand_dims(scale, -1)
        return dequantized_by_groups(ints, scale, rows(self.embeddings_zero), self.g_idx, axis=-1)

    def _quantized_rows(self, inputs: Any) -> Any:
        indices = _indices(inputs)
        y = self._floats(
            ops.take(self._unpacked(self._embeddings), indices, axis=0),
            lambda x: ops.take(x, indices, axis=0),
        )
        if self.lora_enabled:
            a, b = self._lora
            y = y + self._lora_scale * ops.matmul(ops.take(a, indices, axis=0), b)
            y = ops.cast(y, self.compute_dtype)
        return y

    def _int8_call(self, inputs: Any, training: Any = None) -> Any:
        return self._quantized_rows(inputs)

    def _int4_call(self, inputs: Any, training: Any = None) -> Any:
        return self._quantized_rows(inputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        penalty = serialized(self, ("activity_regularizer",))["activity_regularizer"]
        return placed(super().get_config(), "activity_regularizer", penalty, before="embeddings_constraint")


def _indices(inputs: Any) -> Any:
    return inputs if dtypes.is_int(dtypes.standardize(inputs.dtype)) else ops.cast(inputs, "int32")


def quantized_rows(table: np.ndarray, mode: str, block_size: int | None, config: Any) -> tuple[Any, Any, Any]:
    """(ints, scale, zero point or None) of a table with scales for each row, or for groups of each row."""
    if mode == "int4" and block_size is not None:
        grouped = quantizers.abs_max_quantize_grouped_with_zero_point
        ints, scale, zero = grouped(table.T, block_size, to_numpy=True)
        return ints.T, scale.T, zero.T
    value_range = (-127, 127) if mode == "int8" else (-8, 7)
    default = quantizers.AbsMaxQuantizer(axis=-1, value_range=value_range)
    quantizer = quantizers.QuantizationConfig.weight_quantizer_or_default(config, default)
    ints, scale = quantizer(table, to_numpy=True)
    return ints, np.squeeze(scale, -1), None
