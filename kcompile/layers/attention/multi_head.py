"""MultiHeadAttention."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core.errors import ShapeError
from kcompile.layers.arguments import positive_int
from kcompile.layers.attention.projected import WEIGHT_SETTINGS, ProjectedAttention
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.masks import mask_of, set_mask

LETTERS = string.ascii_lowercase


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

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
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
        self._num_heads = positive_int("num_heads", num_heads)
        self._key_dim = positive_int("key_dim", key_dim)
        self._value_dim = key_dim if value_dim is None else positive_int("value_dim", value_dim)
        weights = {
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "activity_regularizer": activity_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }
        super().__init__(key_dim, dropout, seed, sliding_window, flash_attention, weights, **kwargs)
        self._use_bias, self._use_gate = use_bias, use_gate
        self._output_shape = _as_tuple("output_shape", output_shape)
        self._attention_axes = _as_tuple("attention_axes", attention_axes)
        self._inverse_sqrt_key_dim = self._scale

    num_heads = property(lambda self: self._num_heads)
    key_dim = property(lambda self: self._key_dim)
    value_dim = property(lambda self: self._value_dim)
    dropout = property(lambda self: self._dropout)
    use_bias = property(lambda self: self._use_bias)
    attention_axes = property(lambda self: self._attention_axes)
    query_dense = property(lambda self: self._query_dense)
    key_dense = property(lambda self: self._key_dense)
    value_dense = property(lambda self: self._value_dense)
    output_dense = property(lambda self: self._output_dense)

    # --- building -------------------------------------------------------------------------------------------

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        _check_steps(value_shape, key_shape)
        self._query_dense = self._to_heads("query", query_shape, self._key_dim)
        self._key_dense = self._to_heads("key", key_shape, self._key_dim)
        if self._use_gate:
            self._gate_dense = self._to_heads("gate", query_shape, self._value_dim, activation="sigmoid")
        self._value_dense = self._to_heads("value", value_shape, self._value_dim)
        self._build_attention(len(value_shape) + 1)
        self._output_dense = self._make_output_dense(query_shape, {}, "attention_output")

    def _to_heads(self, name: str, shape: Any, size: int, **more: Any) -> Any:
        """(n, steps..., d) -> (n, steps..., heads, size)"""
        steps = LETTERS[: len(shape) - 1]
        depth, heads, each = list(LETTERS[len(steps) : len(steps) + 3])
        return self._projection(
            name,
            f"{steps}{depth},{depth}{heads}{each}->{steps}{heads}{each}",
            (*(None,) * (len(shape) - 2), self._num_heads, size),
            heads + each if self._use_bias else None,
            shape,
            **more,
        )

    def _make_output_dense(self, query_shape: Any, common_kwargs: Any, name: str) -> Any:
        """(n, steps..., heads, size) -> (n, steps..., *output_shape)"""
        rank, out = len(query_shape), self._output_shape or (query_shape[-1],)
        steps, over = LETTERS[: rank - 1], LETTERS[rank - 1 : rank + 1]
        made = LETTERS[rank + 1 : rank + 1 + len(out)]
        return self._projection(
            name,
            f"{steps}{over},{over}{made}->{steps}{made}",
            (*(None,) * (rank - 2), *out),
            made if self._use_bias else None,
            (*query_shape[:-1], self._num_heads, self._value_dim),
            **common_kwargs,
        )

    def _build_attention(self, rank: int) -> None:
        """Equations for heads of this rank, (n, steps..., heads, size)."""
        if self._attention_axes is None:
            self._attention_axes = tuple(range(1, rank - 2))
        else:
            self._attention_axes = tuple(a if a >= 0 else rank - 1 + a for a in self._attention_axes)
        product, combine, scores = attention_equations(rank, self._attention_axes)
        self._dot_product_equation, self._combine_equation = product, combine
        self._build_softmax(tuple(range(scores - len(self._attention_axes), scores)))

    # --- calling --------------------------------------------------------------------------------------------

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
        key = value if key is None else key
        query_mask = mask_of(query)
        for x in (query, value, key):
            set_mask(x, None)
        masks = {"query_mask": query_mask, "value_mask": value_mask, "key_mask": key_mask}
        given = any(m is not None for m in (*masks.values(), attention_mask, self._sliding_window))
        own = type(self)._compute_attention is MultiHeadAttention._compute_attention
        native = use_causal_mask and not given and own  # no mask needs to be made
        if not native:
            attention_mask = self._compute_attention_mask(
                query, value, **masks, attention_mask=attention_mask, use_causal_mask=use_causal_mask
            )
        heads, scores = self._compute_attention(
            self._query_dense(query),
            self._key_dense(key),
            self._value_dense(value),
            attention_mask,
            training,
            return_attention_scores,
            **({"use_causal_mask": True} if native else {}),
        )
        output = self._output_dense(heads * self._gate_dense(query) if self._use_gate else heads)
        if query_mask is not None:
            set_mask(output, query_mask)
        return (output, scores) if return_attention_scores else output

    def _compute_attention(
        self,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any = None,
        training: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> tuple[Any, Any]:
        """From projected query, key and value to what the heads found and (or None) the scores."""
        self._refuse_scores(return_attention_scores)
        if self._dropout > 0.0 or return_attention_scores or len(query.shape) != 4:
            return self._by_scores(query, key, value, attention_mask, use_causal_mask, training)
        return self._by_op(query, key, value, attention_mask, use_causal_mask), None

    def _product(self, query: Any, key: Any) -> Any:
        return ops.einsum(self._dot_product_equation, key, query)

    def compute_output_shape(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> Any:
        _check_steps(value_shape, value_shape if key_shape is None else key_shape)
        if not self._output_shape:
            return tuple(query_shape)
        return (*query_shape[:-1], *self._output_shape)

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
        axes = self._attention_axes
        batch = [d for k, d in enumerate(query.shape[:-1]) if k not in axes]
        steps = [*(query.shape[a] for a in axes), *(value.shape[a] for a in axes)]
        return output, KerasTensor((*batch, self._num_heads, *steps), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        settings = {
            name: WEIGHT_SETTINGS[name].serialize(item) for name, item in self._weight_settings.items()
        }
        return {
            **super().get_config(),
            "num_heads": self._num_heads,
            "key_dim": self._key_dim,
            "value_dim": self._value_dim,
            "dropout": self._dropout,
            "use_bias": self._use_bias,
            "use_gate": self._use_gate,
            "output_shape": self._output_shape,
            "attention_axes": self._attention_axes,
            "sliding_window": self._sliding_window,
            **settings,
            "seed": self.seed,
        }


def _as_tuple(name: str, value: Any) -> Any:
    """One int or several as a tuple; None where there is none."""
    if not value and value != 0:
        return value
    if isinstance(value, int):
        return (value,)
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"`{name}` must be an int, list, or tuple. Received: {name}={value}")
    return tuple(value)


def _check_steps(value_shape: Any, key_shape: Any) -> None:
    if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
        raise ShapeError(
            "All dimensions of `value` and `key`, except the last one, must be equal. Received: "
            f"value_shape={value_shape} and key_shape={key_shape}"
        )


def attention_equations(rank: int, axes: Sequence[int]) -> tuple[str, str, int]:
    """Equations (key, query -> scores), (scores, value -> heads), and the rank of the scores.

    Heads are (n, steps..., heads, size) of this rank; the steps on `axes` attend, all other dimensions go
    along. Scores are (n, other steps..., heads, query steps..., key steps...).

    >>> attention_equations(4, (1,))
    ('aecd,abcd->acbe', 'acbe,aecd->abcd', 4)
    """
    target = LETTERS[:rank]
    others = iter(LETTERS[rank:])
    source = "".join(next(others) if k in axes else letter for k, letter in enumerate(target))
    along = "".join(target[k] for k in range(rank - 1) if k not in axes)
    scores = along + "".join(target[a] for a in axes) + "".join(source[a] for a in axes)
    return f"{source},{target}->{scores}", f"{scores},{source}->{target}", len(scores)
