"""Matrix products and their relatives, as contractions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core.errors import BroadcastError, ShapeError, message
from kcompile.core.open_extents import fit
from kcompile.core.symbolic import product
from kcompile.ir.graph import Value
from kcompile.ir.op import Op, Sample, unwrap
from kcompile.ir.types import TensorType, broadcast_shapes
from kcompile.ops import contract, movement
from kcompile.ops import elementwise as ew

matmul_op = Op("matmul")


def _matmul_letters(a: int, b: int) -> tuple[str, str, str]:
    """Letters of two operands of these ranks (2 or more) and of the result."""
    lead = "abcdefgh"[: max(a, b) - 2]
    return lead[len(lead) - (a - 2) :] + "mk", lead[len(lead) - (b - 2) :] + "kn", lead + "mn"


@matmul_op.infer
def _matmul_infer(x: TensorType, w: TensorType) -> TensorType:
    if not fit(x.shape[-1], w.shape[-2]):
        raise BroadcastError(
            message(
                "matmul: the last dimension of one operand must equal the second to last of the other.",
                received=f"{x!r} and {w!r}",
            )
        )
    lead = broadcast_shapes(x.shape[:-2], w.shape[:-2], op="matmul")
    return TensorType((*lead, x.shape[-2], w.shape[-1]), x.dtype)


@matmul_op.reference
def _matmul_reference(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.matmul(x, w)


@matmul_op.decompose
def _matmul_decompose(x: Any, w: Any) -> Any:
    lead: Any = None
    if len(x.shape) > 2 and len(w.shape) == 2:  # a weight shared by all leading rows: one tall matrix product
        lead = x.shape[:-1]
        x = movement.reshape(x, (product(lead), x.shape[-1]))
    a, b, c = _matmul_letters(len(x.shape), len(w.shape))
    y = contract.pair(x, a, w, b, c)
    return y if lead is None else movement.reshape(y, (*lead, y.shape[-1]))


@matmul_op.onnx
def _matmul_onnx(g: Any, x: str, w: str) -> str:
    return g.node("MatMul", x, w)


@matmul_op.samples
def _matmul_samples(rng: np.random.Generator) -> Iterator[Sample]:
    shapes = [
        ((3, 4), (4, 5)),
        ((2, 3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 5)),
        ((1, 3, 4), (2, 4, 5)),
        ((1, 1), (1, 1)),
    ]
    for a, b in shapes:
        yield Sample(
            (rng.normal(size=a).astype("float32"), rng.normal(size=b).astype("float32")), {}, f"{a}{b}"
        )


def widened(*xs: Any) -> tuple[Any, ...]:
    """Operands of a product of matrices: int8 times int8 is summed up in int32, as in Keras."""
    found = ew.operands(*xs)
    if all(ew.dtype_of(x) == "int8" for x in map(unwrap, xs)):
        return tuple(ew.cast(x, "int32") for x in found)
    return found


def matmul(x1: Any, x2: Any) -> Any:
    """Matrix product over the last two axes; leading axes broadcast; 1-D operands as in NumPy.

    >>> matmul(np.ones((2, 3), "float32"), np.ones((3,), "float32")).tolist()
    [3.0, 3.0]
    """
    x, w = widened(x1, x2)
    if len(x.shape) == 0 or len(w.shape) == 0:
        raise ShapeError(
            message("matmul: operands must have at least one dimension.", received=f"{x.shape}, {w.shape}")
        )
    row, column = len(x.shape) == 1, len(w.shape) == 1
    x = movement.expand_dims(x, 0) if row else x
    w = movement.expand_dims(w, 1) if column else w
    y = matmul_op(x, w)
    gone = [-2] * row + [-1] * column
    return movement.squeeze(y, gone) if gone else y


def _shapes(*xs: Any) -> str:
    return " and ".join(repr(tuple(x.shape)) for x in xs)


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sum of products over the given axes of both operands, as numpy.tensordot, and in their dtype."""
    x, w = ew.operands(x1, x2)
    a, b = len(x.shape), len(w.shape)
    if isinstance(axes, int):
        left, right = list(range(a - axes, a)), list(range(axes))
    else:
        left, right = ([v] if isinstance(v, int) else list(v) for v in axes)
    letters = "abcdefghijklmnopqrstuvwxyz"
    first = list(letters[:a])
    second = list(letters[a : a + b])
    if len(left) != len(right) or not all(
        -a <= p < a and -b <= q < b for p, q in zip(left, right, strict=True)
    ):
        raise BroadcastError(
            message(f"tensordot: axes {axes} are not of both operands.", received=_shapes(x, w))
        )
    for p, q in zip(left, right, strict=True):
        if not fit(x.shape[p], w.shape[q]) and 1 in (x.shape[p], w.shape[q]):  # einsum would broadcast
            raise BroadcastError(message("tensordot: dimensions must be equal.", received=_shapes(x, w)))
        second[q % b] = first[p % a]
    shared = set(first) & set(second)
    output = [c for c in first + second if c not in shared]
    found = contract.einsum(f"{''.join(first)},{''.join(second)}->{''.join(output)}", x, w)
    return ew.cast(found, ew.common_dtype(x))


def dot(x1: Any, x2: Any) -> Any:
    """numpy.dot: a product with a scalar, or a sum over the last axis of x1 and the second to last of x2."""
    x, w = ew.operands(x1, x2)
    if len(x.shape) == 0 or len(w.shape) == 0:
        return x * w
    return tensordot(x, w, axes=([-1], [-2 if len(w.shape) > 1 else -1]))


def _install_operators() -> None:
    """`x @ w` on symbolic tensors."""
    for name, function in {"__matmul__": matmul, "__rmatmul__": lambda a, b: matmul(b, a)}.items():
        setattr(Value, name, function)


_install_operators()
