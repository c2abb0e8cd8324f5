"""ReversibleEmbedding."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.layers.core.embedding import Embedding
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
        if not self.tie_weights:
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
        logits = ops.matmul(inputs, kernel)
        cap = self.logit_soft_cap
        return logits if cap is None else ops.tanh(logits / cap) * cap

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
