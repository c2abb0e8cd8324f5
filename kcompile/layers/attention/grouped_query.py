"""GroupQueryAttention."""

from __future__ import annotations

from typing import Any

from kcompile.core.errors import ShapeError
from kcompile.core.signatures import shares
from kcompile.layers.attention.projected import ProjectedAttention
from kcompile.layers.configured import placed


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

    _attention_axes = (1,)

    @shares(ProjectedAttention.__init__)
    def __init__(self, head_dim: int, num_query_heads: int, num_key_value_heads: int, **kwargs: Any):
        super().__init__(**kwargs)
        if num_query_heads % num_key_value_heads != 0:
            raise ValueError(
                "`num_query_heads` must be divisible by `num_key_value_heads`. Received: "
                f"num_query_heads={num_query_heads}, num_key_value_heads={num_key_value_heads}"
            )
        # As Keras has it here, not in MultiHeadAttention: the layer's outputs are penalized, too, not only
        # those of its projections.
        self.activity_regularizer = self._weight_settings["activity_regularizer"]
        self._set_heads(num_query_heads, num_key_value_heads, head_dim, head_dim)
        self.head_dim = head_dim
        self.num_query_heads, self.num_key_value_heads = num_query_heads, num_key_value_heads
        self.num_repeats = num_query_heads // num_key_value_heads

    use_gate = property(lambda self: self._use_gate)
    sliding_window = property(lambda self: self._sliding_window)

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        if len(query_shape) != 3:
            raise ShapeError(
                f"GroupedQueryAttention takes a query (n, t, d). Received: query_shape={query_shape}"
            )
        self.feature_dim = query_shape[-1]
        super().build(query_shape, value_shape, key_shape)

    def _attended(
        self, query: Any, key: Any, value: Any, mask: Any, training: Any, wanted: bool, **more: Any
    ) -> Any:
        self.__dict__["_return_attention_scores"] = wanted
        if not self._computes_itself:  # an overridden method gets a key for every query, as Keras gives it
            key, value = self._for_every_query(key), self._for_every_query(value)
        return self._compute_attention(query, key, value, attention_mask=mask, training=training, **more)

    def compute_output_shape(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> Any:
        if query_shape[-1] != value_shape[-1]:
            raise ShapeError(
                "The last dimension of `query_shape` and `value_shape` must be equal, but are "
                f"{query_shape[-1]}, {value_shape[-1]}. Received: query_shape={query_shape}, "
                f"value_shape={value_shape}"
            )
        return super().compute_output_shape(query_shape, value_shape, key_shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("head_dim", "num_query_heads", "num_key_value_heads"):
            config = placed(config, name, getattr(self, name), before="dropout")
        return placed(config, "dropout", config.pop("dropout"), before="kernel_initializer")
