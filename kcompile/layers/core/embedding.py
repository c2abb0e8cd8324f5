"""Embedding."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import dtypes
from kcompile.core.signatures import arguments_of
from kcompile.layers.arguments import not_supported, positive_int
from kcompile.layers.configured import Configured, serialized

UNSUPPORTED = ("lora_rank", "lora_alpha", "quantization_config")


class Embedding(Configured):
    """Rows of a table of weights, looked up by ints.

    Shapes:  (n, ...) ints in [0, input_dim) -> (n, ..., output_dim).
    Args:    mask_zero: index 0 is padding, and layers further on get the mask `inputs != 0`.
             weights: a list with the table to start with.
    """

    input_dim: int
    output_dim: int
    mask_zero: bool
    embeddings_initializer: Any

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
        not_supported("Embedding", **{name: given.pop(name) for name in UNSUPPORTED})
        kwargs.pop("input_length", None)  # Keras 2 had it; it says nothing that the input does not
        super().__init__(**kwargs)
        positive_int("input_dim", input_dim)
        positive_int("output_dim", output_dim)
        given.pop("weights")
        self.configure(given)
        self.supports_masking = mask_zero
        self.autocast = False
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list) else [np.asarray(weights)])

    def build(self, input_shape: Any = None) -> None:
        shape = (self.input_dim, self.output_dim)
        self.embeddings = self.add_configured_weight("embeddings", shape)

    def call(self, inputs: Any) -> Any:
        if not dtypes.is_int(dtypes.standardize(inputs.dtype)):
            inputs = ops.cast(inputs, "int32")
        return ops.cast(ops.take(self.embeddings, inputs, axis=0), self.compute_dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), **serialized(self, ("activity_regularizer",))}
        return {**config, "quantization_config": None}
