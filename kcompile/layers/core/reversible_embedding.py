"""ReversibleEmbedding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile import ops, quantizers
from kcompile.layers.core.embedding import Embedding, quantized_rows
from kcompile.quantizers.quantizer import dequantized_by_groups
from kcompile.trace.masks import set_mask


class ReversibleEmbedding(Embedding):
    """An embedding that also projects back: called with reverse=True, (n, ..., output_dim) becomes scores of
    all `input_dim` tokens.

    Shapes:  (n, ...) ints -> (n, ..., output_dim); with reverse (n, ..., output_dim) -> (n, ..., input_dim).
    Args:    tie_weights: whether the projection uses the embeddings, transposed, or the weight
             `reverse_embeddings`. reverse_dtype: the dtype of the projection.
             logit_soft_cap: scores s become cap * tanh(s / cap).
    Source:  Press and Wolf 2016, "Using the output embedding to improve language models".

    >>> import numpy as np
    >>> layer = ReversibleEmbedding(7, 3)
    >>> hidden = layer(np.array([[1, 2]]))
    >>> hidden.shape, layer(hidden, reverse=True).shape
    ((1, 2, 3), (1, 2, 7))
    """

    _quantizes = True
    inputs_quantizer: Any = None

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ):
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero,
            **kwargs,
        )

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if not self.tie_weights and self.quantization_mode is None:
            self.reverse_embeddings = self.add_weight(
                name="reverse_embeddings",
                shape=(self.output_dim, self.input_dim),
                initializer=self.embeddings_initializer,
            )

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        if reverse:
            return self._projected(inputs)
        y, mask = super().call(inputs), super().compute_mask(inputs)
        return y if mask is None else set_mask(y, mask)

    def _projected(self, inputs: Any) -> Any:
        kernel = ops.transpose(self.embeddings) if self.tie_weights else self.reverse_embeddings
        if self.reverse_dtype is not None:
            inputs, kernel = (ops.cast(x, self.reverse_dtype) for x in (inputs, kernel))
        return self._capped(ops.matmul(inputs, kernel))

    def _capped(self, logits: Any) -> Any:
        cap = self.logit_soft_cap
        return logits if cap is None else ops.tanh(logits / cap) * cap

    # --- quantized ------------------------------------------------------------------------------------------

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        spec = super().variable_serialization_spec
        if not self.tie_weights:
            more = ["reverse_embeddings", "reverse_embeddings_scale", "reverse_embeddings_zero"]
            spec = {
                mode: names + (more[:1] if mode is None else more[:2] if mode == "int8" else more)
                for mode, names in spec.items()
            }
        return spec

    def _int8_build(self, shape: tuple[int, ...], config: Any) -> None:
        super()._int8_build(shape, config)
        self._reverse_build("int8", config)

    def _int4_build(self, shape: tuple[int, ...], config: Any) -> None:
        super()._int4_build(shape, config)
        self._reverse_build("int4", config)

    def _reverse_build(self, mode: str, config: Any) -> None:
        """Weights of the projection, where it has its own; and what quantizes its inputs."""
        default = quantizers.AbsMaxQuantizer(axis=-1)
        self.inputs_quantizer = quantizers.QuantizationConfig.activation_quantizer_or_default(config, default)
        if self.tie_weights:
            return
        rows, columns = self.output_dim, self.input_dim
        size = self._block_size if mode == "int4" else None
        packed = (rows if mode == "int8" else (rows + 1) // 2, columns)
        groups = (columns,) if size is None else (math.ceil(rows / size), columns)
        self.reverse_embeddings = self._fixed("reverse_embeddings", packed, "int8")
        self.reverse_embeddings_scale = self._fixed("reverse_embeddings_scale", groups, None, "ones")
        if size is not None:
            self.reverse_embeddings_zero = self._fixed("reverse_embeddings_zero", groups, None)

    def _quantized(self, mode: str, weight: np.ndarray, config: Any) -> dict[str, Any]:
        found = super()._quantized(mode, weight, config)
        if self.tie_weights or self._is_quantized:
            return found
        # Its scales belong to the tokens, which are columns here, whichever axis the config's quantizer has.
        ints, scale, zero = quantized_rows(self.reverse_embeddings.numpy().T, mode, self._block_size, None)
        ints = ints.T if mode == "int8" else quantizers.pack_int4(ints.T, axis=0)[0]
        del self.reverse_embeddings
        found |= {"reverse_embeddings": ints, "reverse_embeddings_scale": scale.T}
        return found if zero is None else {**found, "reverse_embeddings_zero": zero.T}

    def _int8_call(self, inputs: Any, reverse: bool = False) -> Any:
        return self._scores(inputs) if reverse else self._quantized_rows(inputs)

    def _int4_call(self, inputs: Any, reverse: bool = False) -> Any:
        return self._scores(inputs) if reverse else self._quantized_rows(inputs)

    def _scores(self, inputs: Any) -> Any:
        """The projection with quantized weights."""
        x, x_scale = self.inputs_quantizer(inputs) if self.inputs_quantizer else (inputs, 1.0)
        ints, scale = self._reverse_ints(), self._reverse_part("scale")
        x = ops.cast(x, self.compute_dtype)
        if self._block_size is None or self.quantization_mode == "int8":
            y = ops.matmul(x, ops.cast(ints, x.dtype)) / (x_scale * scale)
        else:
            zero = self._reverse_part("zero")
            kernel = dequantized_by_groups(ops.cast(ints, x.dtype), scale, zero, self.g_idx, axis=0)
            y = ops.matmul(x, kernel) / x_scale
        return self._capped(ops.cast(y, self.compute_dtype))

    def _reverse_ints(self) -> Any:
        """(output_dim, input_dim) ints."""
        if self.tie_weights:
            return ops.transpose(self._unpacked(self._embeddings))
        if self.quantization_mode == "int8":
            return self.reverse_embeddings
        return quantizers.unpack_int4(self.reverse_embeddings, self.output_dim, axis=0)

    def _reverse_part(self, name: str) -> Any:
        """Scale or zero point of the projection, a column for each token."""
        if not self.tie_weights:
            return getattr(self, f"reverse_embeddings_{name}")
        return ops.transpose(getattr(self, f"embeddings_{name}"))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """None: `call` knows the direction, and masks what it returns."""
        return None

    def compute_output_shape(self, input_shape: Any, reverse: bool = False) -> Any:
        return (*input_shape[:-1], self.input_dim) if reverse else (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "tie_weights": self.tie_weights,
            "reverse_dtype": self.reverse_dtype,
            "logit_soft_cap": self.logit_soft_cap,
        }
