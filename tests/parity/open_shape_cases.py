"""Placeholders whose unknown dimensions meet known ones: what ops and layers make of them, in Keras's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

N = None
PAIRS = [
    ((N, N, 8), (N, 9, 8)), ((N, 9, 8), (N, N, 8)), ((N, N, 8), (N, 1, 8)), ((N, N, N), (N, N, 8)),
    ((N, 8), (9, 8)), ((N, N), (N, 8)), ((N, 3, N), (N, N, 5)), ((2, N), (N, 5)), ((N,), (7,)),
    ((N, N, 8), (9, 8)), ((N, N, 8), (N, 8)), ((N, 4, 8), (N, N, N, 8)), ((N, N, 1), (N, 1, N)),
    ((N, 8), (1, 8)), ((N, N, 8), (N, 9, 1)), ((N, N, 8), (N, 9, 7)),
]  # fmt: skip
PRODUCTS = [
    ((N, N, 4), (N, 4, 5)), ((N, 3, N), (N, 4, 5)), ((N, 3, 4), (N, N, 5)), ((2, 3, 4), (N, 4, 5)),
    ((N, 3, 4), (2, 4, 5)), ((N, N, 3, 4), (N, 2, 4, 5)), ((N, N, 3, 4), (2, 4, 5)), ((N, N), (4, 3)),
    ((N, 4), (4, N)), ((N, N, N), (N, N)), ((N, 3, 4), (N, 5, 6)),
]  # fmt: skip
BROADCASTING = """add subtract multiply true_divide floor_divide mod power maximum minimum arctan2 equal
    greater less not_equal logical_and logical_xor fmin hypot logaddexp heaviside isclose divide_no_nan"""
MERGING = "Add Subtract Multiply Average Maximum Minimum Concatenate"

Build = Callable[[Any, Callable[..., Any]], Any]  # (keras, placeholder(shape, dtype)) -> placeholders


def _pairs() -> dict[str, Build]:
    found: dict[str, Build] = {}
    for a, b in PAIRS:
        for name in BROADCASTING.split():
            found[f"{name} {a} {b}"] = lambda k, t, n=name, a=a, b=b: getattr(k.ops, n)(t(a), t(b))
        for name in MERGING.split():
            if name != "Concatenate" or len(a) == len(b):
                found[f"{name} {a} {b}"] = lambda k, t, n=name, a=a, b=b: getattr(k.layers, n)()([t(a), t(b)])
        found[f"where {a} {b}"] = lambda k, t, a=a, b=b: k.ops.where(t(a, "bool"), t(b), 0.0)
        found[f"mean_squared_error {a} {b}"] = lambda k, t, a=a, b=b: k.losses.mean_squared_error(t(a), t(b))
        if len(a) == len(b):
            found[f"concatenate {a} {b}"] = lambda k, t, a=a, b=b: k.ops.concatenate([t(a), t(b)], axis=-1)
            found[f"stack {a} {b}"] = lambda k, t, a=a, b=b: k.ops.stack([t(a), t(b)], axis=-1)
    for a, b in PRODUCTS:
        found[f"matmul {a} {b}"] = lambda k, t, a=a, b=b: k.ops.matmul(t(a), t(b))
        if len(a) == len(b) == 3 and (a, b) != PRODUCTS[-1]:
            found[f"einsum {a} {b}"] = lambda k, t, a=a, b=b: k.ops.einsum("...ij,...jk->...ik", t(a), t(b))
            found[f"Dot {a} {b}"] = lambda k, t, a=a, b=b: k.layers.Dot((2, 1))([t(a), t(b)])
    return found


CASES: dict[str, Build] = {
    **_pairs(),
    "array for the batch": lambda k, t: t((N, 8)) + k.ops.ones((9, 8)),
    "array for steps": lambda k, t: t((N, N, 8)) * k.ops.ones((9, 8)),
    "array in a product": lambda k, t: k.ops.matmul(t((N, N)), k.ops.ones((8, 3))),
    "three": lambda k, t: t((N, N, 8)) + t((N, 9, 8)) + t((N, 1, 8)),
    "three merged": lambda k, t: k.layers.Add()([t((N, 8)), t((N, 8)), t((9, 8))]),
    "reshape to known": lambda k, t: k.ops.reshape(t((N, N)), (3, 4)),
    "reshape to rows": lambda k, t: k.ops.reshape(t((N, N, 4)), (-1, 8)),
    "broadcast_to": lambda k, t: k.ops.broadcast_to(t((N, 8)), (9, 8)),
    "lcm": lambda k, t: k.ops.lcm(t((N, N, 8), "int32"), t((N, 8), "int32")),
    "conv": lambda k, t: k.ops.conv(t((N, 5, N)), t((3, 3, 2)), padding="valid"),
    "segment_sum": lambda k, t: k.ops.segment_sum(t((N, 4)), t((2,), "int32"), num_segments=3),
    "LSTM with a mask": lambda k, t: k.layers.LSTM(4, return_sequences=True)(
        t((N, N, 3)), mask=t((N, 5), "bool")
    ),
    "GRU with a state": lambda k, t: k.layers.GRU(4)(t((2, 5, 3)), initial_state=t((N, 4))),
    "attention": lambda k, t: k.layers.Attention()([t((2, 3, 4)), t((N, 5, 4)), t((N, N, 4))]),
    "attention of heads": lambda k, t: k.layers.MultiHeadAttention(2, 3)(
        t((N, 3, 4)), t((N, 3, 4)), attention_mask=t((N, N, N), "bool")
    ),
    "Softmax with a mask": lambda k, t: k.layers.Softmax()(t((N, 3, 4)), mask=t((N, N, N), "bool")),
}


def described(keras: Any) -> dict[str, Any]:
    """Shape and dtype of each case's result, or the name of the error's class."""
    found: dict[str, Any] = {}
    for name, build in CASES.items():
        try:
            made = build(keras, lambda shape, dtype="float32": keras.KerasTensor(shape, dtype))
        except Exception as error:
            found[name] = [type(error), str(error)]
        else:
            found[name] = [list(made.shape), made.dtype]
    return found
