"""Uses of dot_product_attention that are compared with Keras; `ops` is the library's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

MASKS = [
    (2, 4, 3, 6),
    (2, 1, 3, 6),
    (1, 1, 3, 6),
    (2, 1, 1, 6),
    (1, 4, 1, 6),
    (2, 3, 6),
    (4, 3, 6),
    (3, 6),
    (6,),
]


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    shapes = {"q": (2, 3, 4, 5), "k": (2, 6, 4, 5), "v": (2, 6, 4, 5)}
    found = {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    for number, shape in enumerate(MASKS):
        found[f"mask{number}"] = rng.random(shape) > 0.4
        found[f"bias{number}"] = rng.normal(size=shape).astype("float32")
    return found


def _masked(number: int) -> dict[str, Callable[[Any, Any], Any]]:
    mask, bias = f"mask{number}", f"bias{number}"
    kind = "int32" if len(MASKS[number]) == 4 else "bool"  # JAX takes ints of rank 4 only

    def of(ops: Any, a: Any, heads: int = 4, **more: Any) -> Any:
        return ops.dot_product_attention(a["q"], a["k"][:, :, :heads], a["v"][:, :, :heads], **more)

    return {
        f"{MASKS[number]}-mask": lambda ops, a: of(ops, a, mask=a[mask]),
        f"{MASKS[number]}-bias": lambda ops, a: of(ops, a, bias=a[bias], is_causal=True),
        f"{MASKS[number]}-both": lambda ops, a: of(ops, a, 2, bias=a[bias], mask=a[mask], is_causal=True),
        f"{MASKS[number]}-one": lambda ops, a: of(ops, a, 1, mask=a[mask].astype(kind), scale=0.7),
    }


def _of(dtypes: str, **more: Any) -> Callable[[Any, Any], Any]:
    def case(ops: Any, a: Any) -> Any:
        xs = (ops.cast(a[name], dtype) for name, dtype in zip("qkv", dtypes.split(), strict=True))
        return ops.cast(ops.dot_product_attention(*xs, **more), "float32")

    return case


CASES: dict[str, Callable[[Any, Any], Any]] = {
    "plain": lambda ops, a: ops.dot_product_attention(a["q"], a["k"], a["v"]),
    "no flash": lambda ops, a: ops.dot_product_attention(a["q"], a["k"], a["v"], flash_attention=False),
    "causal": lambda ops, a: ops.dot_product_attention(a["q"], a["k"], a["v"], is_causal=True),
    "causal, long queries": lambda ops, a: ops.dot_product_attention(a["k"], a["q"], a["q"], is_causal=True),
    "nothing seen": lambda ops, a: ops.dot_product_attention(
        a["q"], a["k"], a["v"], mask=a["mask1"] & False, is_causal=True
    ),
    "negative scale": lambda ops, a: ops.dot_product_attention(a["q"], a["k"], a["v"], scale=-0.5),
    "float16": _of("float16 float16 float16", is_causal=True),
    "bfloat16": _of("bfloat16 bfloat16 bfloat16"),
    "mixed": _of("float16 float32 bfloat16", is_causal=True),
    **{name: case for number in range(len(MASKS)) for name, case in _masked(number).items()},
}
