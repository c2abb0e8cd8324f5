"""CategoryEncoding."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import ops
from kcompile.layers.preprocessing.data_layer import DataLayer, as_data, stacked
from kcompile.layers.preprocessing.encoding import MODES, encoded, encoded_shape, no_sparse
from kcompile.trace.keras_tensor import KerasTensor


class CategoryEncoding(DataLayer):
    """Category numbers as one-hot rows, as one row of all categories of a sample, or as counts.

    Args:    num_tokens: how many categories there are. output_mode: "multi_hot", "one_hot" or "count".
    Raises:  ValueError for another mode, and for no num_tokens.

    >>> CategoryEncoding(num_tokens=3, output_mode="count")(np.array([[0, 2, 2]])).tolist()
    [[1.0, 0.0, 2.0]]
    """

    _convert_input_args = False  # floats stay as they are given

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        mode = "multi_hot" if output_mode == "binary" else output_mode  # the name in older versions of Keras
        if mode not in MODES:
            raise ValueError(f"Unknown arg for output_mode: {mode}")
        if num_tokens is None:
            raise ValueError(
                "num_tokens must be set to use this layer. If the number of tokens is not known beforehand, "
                "use the IntegerLookup layer instead."
            )
        if num_tokens < 1:
            raise ValueError(f"`num_tokens` must be >= 1. Received: num_tokens={num_tokens}.")
        self.num_tokens, self.output_mode = num_tokens, mode
        self.sparse = no_sparse("CategoryEncoding", sparse)

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        if count_weights is not None:
            if self.output_mode != "count":
                raise ValueError(
                    "`count_weights` is not used when `output_mode` is not `'count'`. Received "
                    f"`count_weights={count_weights}`."
                )
            count_weights = ops.cast(as_data(count_weights), self.compute_dtype)
        return encoded(stacked(inputs), self.output_mode, self.num_tokens, self.dtype, count_weights)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def compute_output_spec(self, inputs: Any, count_weights: Any = None) -> Any:
        return KerasTensor(
            self.compute_output_shape(np.shape(inputs) if isinstance(inputs, list) else inputs.shape),
            self.compute_dtype,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_tokens": self.num_tokens, "output_mode": self.output_mode}
