"""Attention and AdditiveAttention: over sequences as they are, without projections."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.layers.attention.seen import earlier
from kcompile.layers.layer import Layer
from kcompile.ops import random
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.seed_generator import SeedGenerator


class Attention(Layer):
    """softmax(scores) value, the scores of a query and a key being their product or a sum of tanhs.

    Inputs:  [query, value] or [query, value, key]; without a key, the value is the key.
    Shapes:  query (n, t, d), value (n, s, e), key (n, s, d) -> (n, t, e); scores (n, t, s).
    Args:    use_scale: a weight scales the scores. score_mode: "dot": query key^T; "concat":
             sum(tanh(query + key)) over features. dropout: share of the softmax that is dropped in training.
    Call:    mask: [query mask, value mask], each (n, steps). return_attention_scores: the softmax is returned
             too. use_causal_mask: no later value is seen.
    Source:  Luong et al. 2015.

    >>> import numpy as np
    >>> x = np.array([[[0.0], [1.0]]], "float32")
    >>> Attention()([x, x], use_causal_mask=True)[0, 0].tolist()
    [0.0]
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(
                "Invalid value for argument score_mode. Expected one of {'dot', 'concat'}. Received: "
                f"score_mode={score_mode}"
            )
        self.use_scale, self.score_mode, self.dropout, self.seed = use_scale, score_mode, dropout, seed
        if dropout > 0:
            self.seed_generator = SeedGenerator(seed)
        self.scale: Any = None
        self.concat_score_weight: Any = None

    def build(self, input_shape: Any) -> None:
        self._validate_inputs(input_shape)
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                name="concat_score_weight", shape=(), initializer="ones"
            )

    def _calculate_scores(self, query: Any, key: Any) -> Any:
        """(n, t, d), (n, s, d) -> (n, t, s)"""
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.swapaxes(key, -2, -1))
            return scores if self.scale is None else scores * self.scale
        pairs = _pairs(query, key)
        pairs = pairs if self.scale is None else self.scale * pairs
        return self.concat_score_weight * ops.sum(ops.tanh(pairs), axis=-1)

    def _calculate_score_mask(self, scores: Any, v_mask: Any, use_causal_mask: bool) -> Any:
        """Which scores count, broadcast to (n, t, s); None where all do."""
        if not use_causal_mask:
            return v_mask
        seen = earlier(*ops.shape(scores)[-2:])
        return seen if v_mask is None else ops.logical_and(ops.expand_dims(v_mask, -2), seen)

    def _apply_scores(self, scores: Any, value: Any, scores_mask: Any = None, training: Any = False) -> Any:
        """The weighted values, and the weights."""
        if scores_mask is not None:
            if len(scores_mask.shape) == 2:
                scores_mask = ops.expand_dims(scores_mask, -2)
            far = 65504.0 if scores.dtype == "float16" else 1e9  # the largest float16
            scores = ops.where(scores_mask, scores, ops.subtract(scores, far))
        weights = ops.softmax(scores, axis=-1)
        if training and self.dropout > 0:
            weights = random.dropout(self.seed_generator.next(), weights, self.dropout)
        return ops.matmul(weights, value), weights

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: Any = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        self._validate_inputs(inputs, mask)
        query, value = inputs[:2]
        query_mask, value_mask = mask[:2] if mask else (None, None)
        scores = self._calculate_scores(query=query, key=inputs[-1])
        seen = self._calculate_score_mask(scores, value_mask, use_causal_mask)
        output, scores = self._apply_scores(scores, value, scores_mask=seen, training=training)
        if query_mask is not None:
            output = ops.where(ops.expand_dims(query_mask, -1), output, 0)
        return (output, scores) if return_attention_scores else output

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """That of the query."""
        self._validate_inputs(inputs, mask)
        return None if mask is None or mask[0] is None else ops.convert_to_tensor(mask[0])

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[0][:-1], input_shape[1][-1])

    def compute_output_spec(
        self,
        inputs: Any,
        mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        self._validate_inputs(inputs, mask)
        output = KerasTensor(self.compute_output_shape([x.shape for x in inputs]), self.compute_dtype)
        if not return_attention_scores:
            return output
        return output, KerasTensor((*inputs[0].shape[:-1], inputs[-1].shape[-2]), self.compute_dtype)

    def _validate_inputs(self, inputs: Any, mask: Any = None) -> None:
        layer = type(self).__name__
        if not isinstance(inputs, list):
            raise ValueError(
                f"{layer} layer must be called on a list of inputs, namely [query, value] or [query, value, "
                f"key]. Received: inputs={inputs}."
            )
        if len(inputs) not in (2, 3):
            raise ValueError(
                f"{layer} layer accepts inputs list of length 2 or 3, namely [query, value] or [query, "
                f"value, key]. Received length: {len(inputs)}."
            )
        if mask is not None and not isinstance(mask, list):
            raise ValueError(
                f"{layer} layer mask must be a list, namely [query_mask, value_mask]. Received: mask={mask}."
            )
        if mask is not None and len(mask) not in (2, 3):
            raise ValueError(
                f"{layer} layer accepts mask list of length 2 or 3. Received: inputs={inputs}, mask={mask}."
            )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
            "dropout": self.dropout,
            "seed": self.seed,
        }


def _pairs(query: Any, key: Any) -> Any:
    """Sums of every query and every key: (n, t, s, d)."""
    return ops.expand_dims(query, -2) + ops.expand_dims(key, -3)


class AdditiveAttention(Attention):
    """Attention whose scores are sum(scale * tanh(query + key)) over features, `scale` a weight (d,).

    Inputs, masks and outputs are those of `Attention`.

    Source:  Bahdanau et al. 2015.
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any):
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        self._validate_inputs(input_shape)
        if self.use_scale:
            self.scale = self.add_weight(
                name="scale", shape=(input_shape[0][-1],), initializer="glorot_uniform"
            )

    def _calculate_scores(self, query: Any, key: Any) -> Any:
        bent = ops.tanh(_pairs(query, key))
        return ops.sum(bent if self.scale is None else self.scale * bent, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "score_mode"}
