"""Scaled dot-product attention: one op, so that export and kernels see it whole, with its decomposition."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes
from kcompile.core.errors import ShapeError, message
from kcompile.core.open_extents import all_fit, fit
from kcompile.ir.graph import Value
from kcompile.ir.op import Op, Sample, unwrap
from kcompile.ir.types import Shape, TensorType, broadcast_shapes
from kcompile.ops import contract, create, movement, soft_maximum
from kcompile.ops import elementwise as ew
from kcompile.ops.composite import floating

NAME = "dot_product_attention"
attention_op = Op(NAME)

# Bias and mask are optional: `parts` says which of them follow query, key and value among the inputs.
Parts = tuple[str, ...]


def _far(dtype: str) -> float:
    """What a masked logit becomes. Finite, so that a row without any key still gives numbers."""
    return -0.7 * dtypes.largest(dtype)


def _wide(dtype: str) -> str:
    """Logits and softmax are computed in float32 at least."""
    return dtypes.promote(dtype, "float32")


@attention_op.infer
def _infer(
    query: TensorType,
    key: TensorType,
    value: TensorType,
    *rest: TensorType,
    scale: float,
    causal: bool,
    parts: Parts,
) -> TensorType:
    _check_ranks(query, key, value)
    (_, t, n, h), (_, s, k, _) = query.shape, key.shape
    batch = broadcast_shapes(*(x.shape[:1] for x in (query, key, value)), op=f"{NAME}: batch")
    if not fit(h, key.shape[3]):
        raise _misfit("query and key must have the same depth", query, key)
    if not all_fit(value.shape[1:3], (s, k)):
        raise _misfit("key and value must have the same length and heads", key, value)
    if not (isinstance(n, int) and isinstance(k, int) and k > 0 and n % k == 0):
        raise _misfit("query heads must be a multiple of key heads", query, key)
    for x in rest:
        wanted = (*batch, n, t, s)
        if (
            broadcast_shapes(wanted, x.shape, op=f"{NAME}: bias and mask must broadcast to {wanted}")
            != wanted
        ):
            raise _misfit(f"bias and mask must broadcast to {wanted}", x)
    return TensorType((*batch, t, n, value.shape[3]), query.dtype)


def _check_ranks(query: Any, key: Any, value: Any) -> None:
    shapes = [tuple(x.shape) for x in (query, key, value)]
    if any(len(shape) != 4 for shape in shapes):
        q, k, v = shapes
        raise ShapeError(
            f"`{NAME}` only supports 4D inputs. Received: query.shape={q}, key.shape={k}, value.shape={v}."
        )


def _misfit(what: str, *types: TensorType) -> ShapeError:
    return ShapeError(message(f"{NAME}: {what}.", received=", ".join(map(repr, types))))


@attention_op.reference
def _reference(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    *rest: np.ndarray,
    scale: float,
    causal: bool,
    parts: Parts,
) -> np.ndarray:
    dtype = _wide(dtypes.standardize(query.dtype))
    wide, narrow, named = dtypes.numpy_dtype(dtype), query.dtype, dict(zip(parts, rest, strict=True))
    repeats = query.shape[2] // key.shape[2]
    query, key, value = (x.astype(wide) for x in (query, key, value))
    key, value = (np.repeat(x, repeats, axis=2) for x in (key, value))
    logits = np.einsum("btnh,bsnh->bnts", query, key, optimize=True) * wide.type(scale)
    if "bias" in named:
        logits = logits + named["bias"].astype(wide)
    seen = named.get("mask", np.ones((), bool))
    if causal:
        seen = seen & np.tri(*logits.shape[2:]).astype(bool)
    logits = np.where(seen, logits, wide.type(_far(dtype)))
    e = np.exp(logits - logits.max(-1, keepdims=True, initial=-np.inf))
    shares = (e / e.sum(-1, keepdims=True)).astype(narrow).astype(wide)
    return np.einsum("bnts,bsnh->btnh", shares, value, optimize=True)


@attention_op.decompose
def _decompose(query: Any, key: Any, value: Any, *rest: Any, scale: float, causal: bool, parts: Parts) -> Any:
    narrow, named = ew.common_dtype(query), dict(zip(parts, rest, strict=True))
    query, key, value = (ew.as_tensor(x, _wide(narrow)) for x in (query, key, value))
    heads, groups = query.shape[2], key.shape[2]
    grouped = heads != groups  # several query heads share a key head: a further axis g, and no copies
    if grouped:
        query = movement.reshape(query, (*query.shape[:2], groups, heads // groups, query.shape[3]))
        named = {name: _grouped(x, groups, heads // groups) for name, x in named.items()}
    product, total = ("btkgh,bskh->bkgts", "bkgts,bskh->btkgh") if grouped else _PLAIN
    logits = ew.multiply(contract.einsum(product, query, key), scale)
    if "bias" in named:
        logits = ew.add(logits, ew.as_tensor(named["bias"], _wide(narrow)))
    seen = _seen(named.get("mask"), causal, logits.shape)
    if seen is not None:
        logits = ew.where(seen, logits, ew.as_tensor(_far(_wide(narrow)), _wide(narrow)))
    shares = ew.cast(ew.cast(soft_maximum.softmax(logits), narrow), _wide(narrow))
    y = ew.cast(contract.einsum(total, shares, value), narrow)
    return movement.reshape(y, (*y.shape[:2], heads, y.shape[-1])) if grouped else y


_PLAIN = ("btnh,bsnh->bnts", "bnts,bsnh->btnh")


def _grouped(x: Any, groups: int, each: int) -> Any:
    """A bias or mask over heads as one over (key heads, query heads of each)."""
    shape = (1,) * (4 - len(x.shape)) + tuple(x.shape)
    split = (1, 1) if shape[1] == 1 else (groups, each)
    return movement.reshape(x, (shape[0], *split, *shape[2:]))


def _seen(mask: Any, causal: bool, shape: Shape) -> Any:
    """Which keys a query sees; None where it sees all."""
    if not causal:
        return mask
    t, s = (create.iota(d) for d in shape[-2:])
    earlier = ew.less_equal(s, movement.expand_dims(t, 1))
    return earlier if mask is None else ew.logical_and(mask, earlier)


@attention_op.onnx
def _onnx(
    g: Any, query: str, key: str, value: str, *rest: str, scale: float, causal: bool, parts: Parts
) -> str | None:
    shapes = [g.shape(x) for x in (query, key, value)]
    if scale <= 0 or any(shape[0] != shapes[0][0] for shape in shapes):
        return None  # ONNX takes the root of the scale, and does not broadcast a batch
    if "mask" in parts and g.dtype(query) in ("float16", "bfloat16"):
        return None  # no number of half precision is far enough from all logits to hide them
    flat = [g.reshape(x, (b, t, n * h)) for x, (b, t, n, h) in zip((query, key, value), shapes, strict=True)]
    bias, inside = _onnx_bias(g, query, key, dict(zip(parts, rest, strict=True)), causal)
    if bias is not None:
        bias = _onnx_whole(g, bias, shapes[0][1], shapes[1][1])
    y = g.node(
        "Attention", *flat, *([bias] if bias else []), scale=scale, is_causal=int(causal and not inside),
        q_num_heads=shapes[0][2], kv_num_heads=shapes[1][2],
    )  # fmt: skip
    return str(g.reshape(y, (*shapes[0][:3], shapes[2][3])))


def _onnx_bias(g: Any, query: str, key: str, named: dict[str, str], causal: bool) -> tuple[str | None, bool]:
    """What is added to the logits, and whether it hides later keys already.

    A mask is added as far negative numbers: where ONNX hides all keys of a query by a boolean mask, the
    result is 0, and not the mean of the values.
    """
    bias, mask, dtype = named.get("bias"), named.get("mask"), g.dtype(query)
    if mask is None:
        return bias, False
    if causal:
        t, s = (create.iota_op.rules["onnx"](g, dim=g.shape(x)[1], dtype="int64") for x in (query, key))
        rows = g.node("Unsqueeze", t, g.constant(np.array([1], np.int64)))
        mask = g.node("And", mask, g.node("LessOrEqual", s, rows))
    far, zero = (g.constant(np.array(x, dtypes.numpy_dtype(dtype))) for x in (_far(dtype), 0))
    return g.node("Where", mask, bias or zero, far), causal


# From this opset on onnxruntime (1.32) takes a bias of one row for all queries, as ONNX has it.
BROADCASTS_ROWS = 25


def _onnx_whole(g: Any, bias: str, queries: Any, keys: Any) -> str:
    """The bias with a number for each key: where it has fewer, ONNX hides the keys beyond them."""
    given = g.shape(bias)
    rows = 1 if given[-2:-1] == (1,) and g.opset >= BROADCASTS_ROWS else queries
    shape = (*given[:-2], rows, keys)
    return bias if given == shape else str(movement.broadcast_op.rules["onnx"](g, bias, shape=shape))


@attention_op.samples
def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    def arrays(*shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        return tuple(rng.normal(size=s).astype("float32") for s in shapes)

    def attrs(causal: bool, *parts: str, scale: float = 0.5) -> dict[str, Any]:
        return {"scale": scale, "causal": causal, "parts": parts}

    q, k, v = arrays((2, 3, 4, 5), (2, 6, 4, 5), (2, 6, 4, 3))
    (bias,), mask = arrays((2, 4, 3, 6)), rng.random((2, 1, 3, 6)) > 0.4
    mask[0, 0, 1] = False  # a query that sees nothing
    yield Sample((q, k, v), attrs(False), "plain")
    yield Sample((q, k, v), attrs(True), "causal")
    yield Sample((q, k, v, bias), attrs(True, "bias"), "bias")
    yield Sample((q, k, v, mask), attrs(False, "mask"), "mask")
    yield Sample((q, k, v, bias[:1, :1], mask), attrs(True, "bias", "mask"), "all")
    yield Sample((q, k[:, :, :2], v[:, :, :2]), attrs(False), "grouped")
    yield Sample((q, k[:, :, :1], v[:, :, :1], bias, mask), attrs(True, "bias", "mask"), "shared")
    yield Sample((q, k[:, :, :2], v[:, :, :2], mask[0, 0]), attrs(False, "mask"), "broadcast")
    yield Sample((q, k, v), attrs(False, scale=-1.0), "negative")
    yield Sample(arrays(*((1, 1, 1, 1),) * 3), attrs(True), "one")


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
    """softmax(query key^T scale + bias) value, per head. A query that sees no key gets the mean of all.

    Shapes:  query (b, t, n, h), key (b, s, k, h), value (b, s, k, d), n a multiple of k -> (b, t, n, d); bias
             and mask broadcast to (b, n, t, s); (b, t, s) is taken as (b, 1, t, s).
    Args:    mask: True where a key takes part. scale: 1 / sqrt(h) unless given. is_causal: no later key is
             seen. flash_attention, attn_logits_soft_cap: for accelerators; what they ask for is refused.
    Raises:  ValueError for other ranks or shapes, and for a soft cap; RuntimeError for flash_attention=True.
    Source:  Vaswani et al. 2017; several query heads to a key head: Ainslie et al. 2023.

    >>> x = np.arange(4.0, dtype="float32").reshape(1, 4, 1, 1)
    >>> dot_product_attention(np.zeros_like(x), x, x, is_causal=True)[0, :, 0, 0].tolist()
    [0.0, 0.5, 1.0, 1.5]
    """
    _refuse(flash_attention, attn_logits_soft_cap)
    q, k, v = (floating(x) for x in ew.operands(query, key, value))
    _check_ranks(q, k, v)
    if scale is None:
        scale = 1 / math.sqrt(k.shape[3]) if k.shape[3] else 1.0
    elif isinstance(unwrap(scale), Value):
        q, scale = ew.multiply(q, ew.cast(scale, q.dtype)), 1.0
    given = {
        "bias": None if bias is None else ew.as_tensor(bias, dtypes.standardize(q.dtype)),
        "mask": None if mask is None else ew.cast(mask, "bool"),
    }
    parts = tuple(name for name, x in given.items() if x is not None)
    rest = (_of_heads(given[name], q.shape) for name in parts)
    return attention_op(q, k, v, *rest, scale=float(scale), causal=bool(is_causal), parts=parts)


def _of_heads(x: Any, query: Shape) -> Any:
    """A bias or mask of rank 3 whose first dimension cannot be heads is one per sample."""
    if len(x.shape) == 3 and x.shape[0] not in (1, query[2]):
        return movement.expand_dims(x, 1)
    return x


def _refuse(flash_attention: Any, soft_cap: Any) -> None:
    if soft_cap is not None:
        raise ValueError(
            "attn_logits_soft_cap is only supported for JAX on TPU. Set attn_logits_soft_cap=None. Received: "
            f"attn_logits_soft_cap={soft_cap}"
        )
    if flash_attention:
        raise RuntimeError(
            message(
                f"{NAME}: flash_attention=True asks for a cuDNN kernel, and there is none.",
                hint="leave flash_attention out; the compiler fuses what it can",
            )
        )
