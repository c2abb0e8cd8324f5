"""What attention layers with heads share: projections, masks, and the ways to compute."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

from kcompile import ops
from kcompile.core import config
from kcompile.core.errors import ShapeError
from kcompile.layers.activations.activations import Softmax
from kcompile.layers.attention.seen import earlier, near
from kcompile.layers.configured import module_of
from kcompile.layers.core.einsum_dense import EinsumDense
from kcompile.layers.layer import Layer
from kcompile.layers.regularization.dropout import Dropout
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.masks import mask_of, set_mask

LETTERS = string.ascii_lowercase


class ProjectedAttention(Layer):
    """Base: query, key and value are projected to heads, each head attends, and the heads are joined.

    Subclasses call `_set_heads`, and may override `_compute_attention`, as those of users may.
    """

    # Does the output take the query's mask with it, so that no input keeps one?
    moves_masks = False

    _dot_product_equation: str  # key, query -> scores
    _combine_equation: str  # scores, value -> heads
    _output_shape: Any = None  # of the output after the steps; None: the query's depth
    _attention_axes: Any
    _return_attention_scores = False
    _softmax: Softmax
    _dropout_layer: Dropout

    def __init__(
        self,
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
        of_weights = {k: v for k, v in locals().items() if module_of(k)}
        super().__init__(**kwargs)
        self.supports_masking = True
        if sliding_window is not None and (not isinstance(sliding_window, int) or sliding_window <= 0):
            raise ValueError(
                "`sliding_window` must be `None` or a positive integer. Received: "
                f"sliding_window={sliding_window}"
            )
        self._sliding_window, self._dropout, self.seed = sliding_window, dropout, seed
        self._use_bias, self._use_gate = use_bias, use_gate
        self._flash_attention = flash_attention or config.is_flash_attention_enabled()
        if self._flash_attention and dropout > 0.0:
            raise ValueError(
                "Dropout is not supported when flash attention is enabled. Please set dropout to 0.0 to use "
                "flash attention."
            )
        self._weight_settings = {name: module_of(name).get(given) for name, given in of_weights.items()}

    def _set_heads(self, count: int, shared: int, key_dim: int, value_dim: int) -> None:
        """Heads of queries, heads of keys and values, and the size of each for keys and values."""
        self._num_heads, self._num_shared_heads = count, shared
        self._key_dim, self._value_dim = key_dim, value_dim
        self._scale = 1.0 / math.sqrt(float(key_dim))

    dropout = property(lambda self: self._dropout)
    use_bias = property(lambda self: self._use_bias)

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

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        check_steps(value_shape, key_shape)
        self._query_dense = self._to_heads("query", query_shape, self._num_heads, self._key_dim)
        self._key_dense = self._to_heads("key", key_shape, self._num_shared_heads, self._key_dim)
        if self._use_gate:
            self._gate_dense = self._to_heads(
                "gate", query_shape, self._num_heads, self._value_dim, activation="sigmoid"
            )
        self._value_dense = self._to_heads("value", value_shape, self._num_shared_heads, self._value_dim)
        self._build_attention(len(value_shape) + 1)
        self._output_dense = self._make_output_dense(query_shape, {}, "attention_output")

    def _to_heads(self, name: str, shape: Any, heads: int, size: int, **more: Any) -> Any:
        """(n, steps..., d) -> (n, steps..., heads, size)"""
        steps = LETTERS[: len(shape) - 1]
        depth, head, each = list(LETTERS[len(steps) : len(steps) + 3])
        return self._projection(
            name,
            f"{steps}{depth},{depth}{head}{each}->{steps}{head}{each}",
            (*(None,) * (len(shape) - 2), heads, size),
            head + each if self._use_bias else None,
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

    def _get_common_kwargs_for_sublayer(self) -> dict[str, Any]:
        settings = dict(self._weight_settings)
        for name in ("kernel_initializer", "bias_initializer"):  # one that was used would draw the same again
            settings[name] = type(settings[name]).from_config(settings[name].get_config())
        return {**settings, "dtype": self.dtype_policy}

    def _build_softmax(self, axis: Any) -> None:
        self._softmax = Softmax(axis=axis, dtype=self.dtype_policy)
        self._dropout_layer = Dropout(rate=self._dropout, dtype=self.dtype_policy, seed=self.seed)

    def _axes_of_steps(self, rank: int) -> tuple[int, ...]:
        """The axes that are attended over, of heads of this rank; all of them unless given."""
        if self._attention_axes is None:
            return tuple(range(1, rank - 2))
        return tuple(a if a >= 0 else rank - 1 + a for a in self._attention_axes)

    def _build_attention(self, rank: int) -> None:
        """Equations for heads of this rank, (n, steps..., heads, size)."""
        self._attention_axes = self._axes_of_steps(rank)
        product, combine, scores = attention_equations(rank, self._attention_axes)
        self._dot_product_equation, self._combine_equation = product, combine
        self._build_softmax(tuple(range(scores - len(self._attention_axes), scores)))

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
        if self.moves_masks:
            query_mask = mask_of(query)
            for x in (query, value, key):
                set_mask(x, None)
        masks = {"query_mask": query_mask, "value_mask": value_mask, "key_mask": key_mask}
        given = any(m is not None for m in (*masks.values(), attention_mask, self._sliding_window))
        native = use_causal_mask and not given and self._computes_itself  # no mask needs to be made
        if not native:
            attention_mask = self._compute_attention_mask(
                query, value, **masks, attention_mask=attention_mask, use_causal_mask=use_causal_mask
            )
        heads, scores = self._attended(
            self._query_dense(query),
            self._key_dense(key),
            self._value_dense(value),
            attention_mask,
            training,
            return_attention_scores,
            **({"use_causal_mask": True} if native else {}),
        )
        output = self._output_dense(heads * self._gate_dense(query) if self._use_gate else heads)
        if self.moves_masks and query_mask is not None:
            set_mask(output, query_mask)
        return (output, scores) if return_attention_scores else output

    @property
    def _computes_itself(self) -> bool:
        """Is `_compute_attention` ours, not that of a user's subclass?"""
        return type(self)._compute_attention is ProjectedAttention._compute_attention

    def _attended(self, *given: Any, **more: Any) -> Any:
        """`_compute_attention`, called as Keras calls it."""
        return self._compute_attention(*given, **more)

    def compute_output_shape(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> Any:
        check_steps(value_shape, value_shape if key_shape is None else key_shape)
        return (*query_shape[:-1], *(self._output_shape or query_shape[-1:]))

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
        axes = self._axes_of_steps(len(query.shape) + 1)
        batch = [d for k, d in enumerate(query.shape[:-1]) if k not in axes]
        steps = [*(query.shape[a] for a in axes), *(value.shape[a] for a in axes)]
        return output, KerasTensor((*batch, self._num_heads, *steps), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        settings = self._weight_settings.items()
        return {
            **super().get_config(),
            "dropout": self._dropout,
            "use_bias": self._use_bias,
            "use_gate": self._use_gate,
            "sliding_window": self._sliding_window,
            **{name: module_of(name).serialize(setting) for name, setting in settings},
            "seed": self.seed,
        }

    # --- computing ------------------------------------------------------------------------------------------

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
        wanted = return_attention_scores or self._return_attention_scores
        if self._flash_attention and wanted:
            raise ValueError(
                "Returning attention scores is not supported when flash attention is enabled. Please disable "
                "flash attention to access attention scores."
            )
        if self._dropout > 0.0 or wanted or len(query.shape) != 4:
            key, value = self._for_every_query(key), self._for_every_query(value)
            return self._by_scores(query, key, value, attention_mask, use_causal_mask, training)
        return self._by_op(query, key, value, attention_mask, use_causal_mask), None

    def _for_every_query(self, x: Any) -> Any:
        """Heads of keys or values, once for each of their query heads."""
        times = self._num_heads // self._num_shared_heads
        return x if x.shape[-2] == self._num_heads else ops.repeat(x, times, axis=-2)

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
        scores = ops.einsum(self._dot_product_equation, key, query * self._scale)
        scores = self._masked_softmax(scores, mask)
        kept = self._dropout_layer(scores, training=training) if self._dropout > 0.0 else scores
        return ops.einsum(self._combine_equation, kept, value), scores


def _lengths(query: Any, value: Any) -> tuple[Any, Any]:
    t = ops.shape(query)[1]
    return t, t if value is None else ops.shape(value)[1]


def check_steps(value_shape: Any, key_shape: Any) -> None:
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
