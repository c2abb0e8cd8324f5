"""MultiHeadAttention."""

from __future__ import annotations

from typing import Any

from kcompile.core.signatures import shares
from kcompile.layers.arguments import positive_int
from kcompile.layers.attention.projected import ProjectedAttention
from kcompile.layers.configured import placed


class MultiHeadAttention(ProjectedAttention):
    """Several heads attend side by side, each to its own projections of query, key and value.

    Shapes:  query (n, t, d), value (n, s, e), key (n, s, f) -> (n, t, d), or (n, t, *output_shape); scores
             (n, heads, t, s). There may be several dimensions of steps: `attention_axes` says which attend.
    Args:    num_heads, key_dim: heads, and the size of each for query and key. value_dim: the size of each
             for value, key_dim unless given. dropout: share of the scores dropped in training.
             output_shape: of the outputs, after the steps; by default the query's depth.
             attention_axes: by default all but batch and features. sliding_window: a query sees keys fewer
             positions away than this. use_gate: a sigmoid of the query scales what each head found.
    Call:    (query, value, key=value). attention_mask: (n, t, s), True where a query may see a key. The masks
             that query and value carry are used, and the output gets the query's; query, value and key have
             none any more then, as in Keras. use_causal_mask: no later key is seen.
             return_attention_scores: returns (output, scores).
    Raises:  ValueError for sizes below 1, and where key and value differ in their steps.
    Source:  Vaswani et al. 2017; the gate: Qiu et al. 2025.

    >>> import numpy as np
    >>> layer, x = MultiHeadAttention(num_heads=2, key_dim=3), np.ones((1, 4, 5), "float32")
    >>> [part.shape for part in layer(x, x, return_attention_scores=True)]
    [(1, 4, 5), (1, 2, 4, 4)]
    """

    moves_masks = True

    @shares(ProjectedAttention.__init__)
    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        **kwargs: Any,
    ):
        positive_int("num_heads", num_heads)
        positive_int("key_dim", key_dim)
        positive_int("value_dim", key_dim if value_dim is None else value_dim)
        super().__init__(dropout, use_bias, **kwargs)
        self._set_heads(num_heads, num_heads, key_dim, key_dim if value_dim is None else value_dim)
        self._output_shape = _as_tuple("output_shape", output_shape)
        self._attention_axes = _as_tuple("attention_axes", attention_axes)
        self._inverse_sqrt_key_dim = self._scale

    num_heads = property(lambda self: self._num_heads)
    key_dim = property(lambda self: self._key_dim)
    value_dim = property(lambda self: self._value_dim)
    attention_axes = property(lambda self: self._attention_axes)
    query_dense = property(lambda self: self._query_dense)
    key_dense = property(lambda self: self._key_dense)
    value_dense = property(lambda self: self._value_dense)
    output_dense = property(lambda self: self._output_dense)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name, value in (
            ("num_heads", self._num_heads), ("key_dim", self._key_dim), ("value_dim", self._value_dim),
        ):  # fmt: skip
            config = placed(config, name, value, before="dropout")
        for name, value in (("output_shape", self._output_shape), ("attention_axes", self._attention_axes)):
            config = placed(config, name, value, before="sliding_window")
        return config


def _as_tuple(name: str, value: Any) -> Any:
    """One int or several as a tuple; None where there is none."""
    if not value and value != 0:
        return value
    if isinstance(value, int):
        return (value,)
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"`{name}` must be an int, list, or tuple. Received: {name}={value}")
    return tuple(value)
