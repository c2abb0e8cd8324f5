"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ShapeError, message
from kcompile.ops import arrange, contract, create, movement, soft_maximum
from kcompile.ops import elementwise as ew


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """softmax(query key^T scale + bias) value, per head.

    Shapes:  query (b, t, n, h), key and value (b, s, k, h), n a multiple of k -> (b, t, n, h); bias and
             mask broadcast to (b, n, t, s).
    Args:    mask: True where a key takes part. scale: 1 / sqrt(h) unless given.
             is_causal: no later key is seen.
    """
    if flash_attention or attn_logits_soft_cap is not None:
        raise ValueError("dot_product_attention: flash_attention and soft caps are not supported.")
    q, k, v = ew.operands(query, key, value)
    if not len(q.shape) == len(k.shape) == len(v.shape) == 4:
        raise ShapeError(
            message(
                "dot_product_attention: query, key and value must have rank 4.",
                received=f"{tuple(q.shape)}, {tuple(k.shape)}, {tuple(v.shape)}",
            )
        )
    heads, groups = q.shape[2], k.shape[2]
    if heads != groups:
        if heads % groups:
            raise ShapeError(
                message(
                    "dot_product_attention: query heads must be a multiple of key heads.",
                    received=f"{heads}, {groups}",
                )
            )
        k, v = (arrange.repeat(t, heads // groups, axis=2) for t in (k, v))
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    logits = ew.multiply(contract.einsum("btnh,bsnh->bnts", q, k), scale)
    logits = logits if bias is None else ew.add(logits, ew.as_tensor(bias, ew.common_dtype(logits)))
    probabilities = soft_maximum.softmax(_masked(logits, mask, is_causal))
    return contract.einsum("bnts,bsnh->btnh", probabilities, v)


def _masked(logits: Any, mask: Any, is_causal: bool) -> Any:
    dtype = dtypes.numpy_dtype(ew.common_dtype(logits))
    # Finite, so that a row without any key gives numbers.
    far = ew.as_tensor(-0.7 * float(np.finfo(np.float16 if dtype.itemsize == 2 else dtype).max), dtype.name)
    if mask is not None:
        logits = ew.where(mask, logits, far)
    if is_causal:
        t, s = (create.iota(d) for d in logits.shape[-2:])
        logits = ew.where(ew.less_equal(s, movement.expand_dims(t, 1)), logits, far)
    return logits
