"""GroupQueryAttention."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.errors import ShapeError
from kcompile.layers.attention.projected import WEIGHT_SETTINGS, ProjectedAttention
from kcompile.trace.keras_tensor import KerasTensor


class GroupedQueryAttention(ProjectedAttention):
    """Attention with heads of which several query heads share one key and value head.

    Shapes:  query (n, t, d), value and key (n, s, d) -> (n, t, d); scores (n, query heads, t, s).
    Args:    head_dim: size of each head. num_query_heads: a multiple of num_key_value_heads. The others are
             those of `MultiHeadAttention`.
    Call:    as `MultiHeadAttention`; query, value and key keep the masks that they carry.
    Raises:  ValueError where the heads do not divide, and where the depths of query and value differ.
    Source:  Ainslie et al. 2023.

    >>> import numpy as np
    >>> layer, x = GroupedQueryAttention(3, num_query_heads=4, num_key_value_heads=2), np.ones((1, 5, 6))
    >>> layer(x, x).shape, [w.shape for w in layer.weights if w.name == "kernel"][:2]
    ((1, 5, 6), [(6, 4, 3), (6, 2, 3)])
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        weights = {
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }
        super().__init__(head_dim, dropout, seed, sliding_window, flash_attention, weights, **kwargs)
        if num_query_heads % num_key_value_heads != 0:
            raise ValueError(
                "`num_query_heads` must be divisible by `num_key_value_heads`. Received: "
                f"num_query_heads={num_query_heads}, num_key_value_heads={num_key_value_heads}"
            )
        self.head_dim, self.dropout, self.use_bias, self.use_gate = head_dim, dropout, use_bias, use_gate
        self.num_query_heads, self.num_key_value_heads = num_query_heads, num_key_value_heads
        self.num_repeats = num_query_heads // num_key_value_heads
        self.sliding_window = sliding_window
        self._attention_axes = (1,)
        self._return_attention_scores = False

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        self.feature_dim = query_shape[-1]
        self._query_dense = self._to_heads("query", "bqm,muh->bquh", self.num_query_heads, query_shape)
        key_shape = value_shape if key_shape is None else key_shape
        self._key_dense = self._to_heads("key", "bkm,mvh->bkvh", self.num_key_value_heads, key_shape)
        if self.use_gate:
            self._gate_dense = self._to_heads(
                "gate", "bqm,muh->bquh", self.num_query_heads, query_shape, activation="sigmoid"
            )
        self._value_dense = self._to_heads("value", "bkm,mvh->bkvh", self.num_key_value_heads, value_shape)
        self._build_softmax(-1)
        self._dot_product_equation, self._combine_equation = "bquh,bkuh->buqk", "buqk,bkuh->bquh"
        self._output_dense = self._projection(
            "attention_output",
            "bquh,uhm->bqm",
            (None, self.feature_dim),
            "m" if self.use_bias else None,
            (None, None, self.num_query_heads, self.head_dim),
        )

    def _to_heads(self, name: str, equation: str, heads: int, shape: Any, **more: Any) -> Any:
        axes = equation[-2:] if self.use_bias else None
        return self._projection(name, equation, (None, heads, self.head_dim), axes, shape, **more)

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        self.__dict__["_return_attention_scores"] = return_attention_scores
        key = value if key is None else key
        masks = {"query_mask": query_mask, "value_mask": value_mask, "key_mask": key_mask}
        given = any(m is not None for m in (*masks.values(), attention_mask, self.sliding_window))
        own = type(self)._compute_attention is GroupedQueryAttention._compute_attention
        native = use_causal_mask and not given and own  # no mask needs to be made
        if not native:
            attention_mask = self._compute_attention_mask(
                query, value, **masks, attention_mask=attention_mask, use_causal_mask=use_causal_mask
            )
        keys, values = self._key_dense(key), self._value_dense(value)
        if not own:  # an overridden method gets a key for every query, as Keras gives it
            keys, values = self._repeated(keys), self._repeated(values)
        heads, scores = self._compute_attention(
            self._query_dense(query),
            keys,
            values,
            attention_mask=attention_mask,
            training=training,
            **({"use_causal_mask": True} if native else {}),
        )
        output = self._output_dense(heads * self._gate_dense(query) if self.use_gate else heads)
        return (output, scores) if return_attention_scores else output

    def _compute_attention(
        self,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any = None,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> tuple[Any, Any]:
        """From projected query, key and value to what the heads found and (or None) the scores."""
        self._refuse_scores(self._return_attention_scores)
        if self.dropout > 0.0 or self._return_attention_scores or len(query.shape) != 4:
            key, value = self._repeated(key), self._repeated(value)
            return self._by_scores(query, key, value, attention_mask, use_causal_mask, training)
        return self._by_op(query, key, value, attention_mask, use_causal_mask), None

    def _repeated(self, x: Any) -> Any:
        """Key or value heads, once for each of their query heads."""
        return x if x.shape[2] == self.num_query_heads else ops.repeat(x, self.num_repeats, axis=2)

    def compute_output_shape(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> Any:
        key_shape = value_shape if key_shape is None else key_shape
        if query_shape[-1] != value_shape[-1]:
            raise ShapeError(
                "The last dimension of `query_shape` and `value_shape` must be equal, but are "
                f"{query_shape[-1]}, {value_shape[-1]}. Received: query_shape={query_shape}, "
                f"value_shape={value_shape}"
            )
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ShapeError(
                "All dimensions of `value` and `key`, except the last one, must be equal. Received: "
                f"value_shape={value_shape} and key_shape={key_shape}"
            )
        return tuple(query_shape)

    def compute_output_spec(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        shape = self.compute_output_shape(query.shape, value.shape, None if key is None else key.shape)
        output = KerasTensor(shape, self.compute_dtype)
        if not return_attention_scores:
            return output
        scores = (query.shape[0], self.num_query_heads, query.shape[1], value.shape[1])
        return output, KerasTensor(scores, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        settings = {
            name: WEIGHT_SETTINGS[name].serialize(item) for name, item in self._weight_settings.items()
        }
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "use_bias": self.use_bias,
            "use_gate": self.use_gate,
            "sliding_window": self.sliding_window,
            "dropout": self.dropout,
            **settings,
            "seed": self.seed,
        }
