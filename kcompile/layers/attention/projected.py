"""What attention layers with heads share: projections, masks, and the ways to compute."""

from __future__ import annotations

import math
from typing import Any

from kcompile import constraints, initializers, ops, regularizers
from kcompile.core import config
from kcompile.layers.activations.activations import Softmax
from kcompile.layers.attention.seen import earlier, near
from kcompile.layers.core.einsum_dense import EinsumDense
from kcompile.layers.layer import Layer
from kcompile.layers.regularization.dropout import Dropout

# Settings that every projection gets: name -> module that reads and writes it.
WEIGHT_SETTINGS: dict[str, Any] = {
    "kernel_initializer": initializers,
    "bias_initializer": initializers,
    "kernel_regularizer": regularizers,
    "bias_regularizer": regularizers,
    "activity_regularizer": regularizers,
    "kernel_constraint": constraints,
    "bias_constraint": constraints,
}


class ProjectedAttention(Layer):
    """Base: query, key and value are projected to heads, each head attends, and the heads are joined.

    Subclasses build `_query_dense`, `_key_dense`, `_value_dense`, `_output_dense` and, where there is a gate,
    `_gate_dense`, and call `_build_attention`. `_compute_attention` may be overridden.
    """

    _dot_product_equation: str  # query, key -> scores, in either order of operands
    _combine_equation: str  # scores, value -> heads
    _attention_axes: Any
    _softmax: Softmax
    _dropout_layer: Dropout

    def __init__(
        self,
        size: int,
        dropout: float,
        seed: Any,
        sliding_window: int | None,
        flash_attention: Any,
        weights: dict[str, Any],
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        if sliding_window is not None and (not isinstance(sliding_window, int) or sliding_window <= 0):
            raise ValueError(
                "`sliding_window` must be `None` or a positive integer. Received: "
                f"sliding_window={sliding_window}"
            )
        self._sliding_window, self._dropout, self.seed = sliding_window, dropout, seed
        self._flash_attention = flash_attention or config.is_flash_attention_enabled()
        if self._flash_attention and dropout > 0.0:
            raise ValueError(
                "Dropout is not supported when flash attention is enabled. Please set dropout to 0.0 to use "
                "flash attention."
            )
        self._scale = 1.0 / math.sqrt(float(size))
        self._weight_settings = {name: WEIGHT_SETTINGS[name].get(given) for name, given in weights.items()}

    # --- building -------------------------------------------------------------------------------------------

    def _projection(
        self,
        name: str,
        equation: str,
        output_shape: Any,
        bias_axes: str | None,
        input_shape: Any,
        **more: Any,
    ) -> EinsumDense:
        """A built projection."""
        common = self._get_common_kwargs_for_sublayer()
        layer = EinsumDense(equation, output_shape, bias_axes=bias_axes, name=name, **common, **more)
        layer.build(input_shape)
        return layer

    def _get_common_kwargs_for_sublayer(self) -> dict[str, Any]:
        settings = dict(self._weight_settings)
        for name in ("kernel_initializer", "bias_initializer"):  # one that was used would draw the same again
            settings[name] = type(settings[name]).from_config(settings[name].get_config())
        return {**settings, "dtype": self.dtype_policy}

    def _build_softmax(self, axis: Any) -> None:
        self._softmax = Softmax(axis=axis, dtype=self.dtype_policy)
        self._dropout_layer = Dropout(rate=self._dropout, dtype=self.dtype_policy, seed=self.seed)

    # --- masks ----------------------------------------------------------------------------------------------

    def _compute_attention_mask(
        self,
        query: Any,
        value: Any,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """All masks joined: which keys each query sees, broadcast to (n, t, s); None where there is none."""
        found = [] if attention_mask is None else [ops.cast(attention_mask, "bool")]
        for mask, axis in ((query_mask, -1), (value_mask, -2), (key_mask, -2)):
            if mask is not None:
                found.append(ops.expand_dims(ops.cast(mask, "bool"), axis))
        if use_causal_mask:
            found.append(self._compute_causal_mask(query, value))
        if self._sliding_window is not None:
            found.append(self._compute_sliding_window_mask(query, value))
        joined = found[0] if found else None
        for mask in found[1:]:
            joined = ops.logical_and(joined, mask)
        return joined

    def _compute_causal_mask(self, query: Any, value: Any = None) -> Any:
        t, s = _lengths(query, value)
        return earlier(t, s)

    def _compute_sliding_window_mask(self, query: Any, value: Any = None) -> Any:
        t, s = _lengths(query, value)
        return near(t, s, self._sliding_window or 0)

    def _over_heads(self, mask: Any, rank: int) -> Any:
        """A mask with new dimensions, for heads and others, before those of queries and keys."""
        for _ in range(rank - len(mask.shape)):
            mask = ops.expand_dims(mask, -2 * len(self._attention_axes) - 1)
        return mask

    # --- computing ------------------------------------------------------------------------------------------

    def _masked_softmax(self, attention_scores: Any, attention_mask: Any = None) -> Any:
        if attention_mask is not None:
            attention_mask = self._over_heads(attention_mask, len(attention_scores.shape))
        return self._softmax(attention_scores, mask=attention_mask)

    def _by_op(self, query: Any, key: Any, value: Any, mask: Any, causal: bool) -> Any:
        """Attention as one op, which gives no scores."""
        return ops.dot_product_attention(
            query,
            key,
            value,
            mask=None if mask is None else ops.cast(self._over_heads(mask, 4), "bool"),
            scale=self._scale,
            is_causal=causal,
            flash_attention=self._flash_attention,
        )

    def _by_scores(
        self, query: Any, key: Any, value: Any, mask: Any, causal: bool, training: Any
    ) -> tuple[Any, Any]:
        """Attention step by step: the heads, and the scores before dropout."""
        if causal:
            seen = self._compute_causal_mask(query, value)
            mask = seen if mask is None else ops.logical_and(ops.cast(mask, "bool"), seen)
        scores = self._product(query * self._scale, key)
        scores = self._masked_softmax(scores, mask)
        kept = self._dropout_layer(scores, training=training) if self._dropout > 0.0 else scores
        return ops.einsum(self._combine_equation, kept, value), scores

    def _product(self, query: Any, key: Any) -> Any:
        return ops.einsum(self._dot_product_equation, query, key)

    def _refuse_scores(self, wanted: bool) -> None:
        if self._flash_attention and wanted:
            raise ValueError(
                "Returning attention scores is not supported when flash attention is enabled. Please disable "
                "flash attention to access attention scores."
            )


def _lengths(query: Any, value: Any) -> tuple[Any, Any]:
    t = ops.shape(query)[1]
    return t, t if value is None else ops.shape(value)[1]
