"""The type of a tensor: shape and dtype. A dimension is an int or a symbolic `Int`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kcompile.core.open_extents import all_fit, joined
from kcompile.core.symbolic import Int, evaluate, product

Shape = tuple["int | Int", ...]


@dataclass(frozen=True)
class TensorType:
    """Shape and dtype of a tensor.

    >>> TensorType((2, 3), "float32")
    float32[2,3]
    """

    shape: Shape
    dtype: str = "float32"

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int | Int:
        return product(self.shape)

    @property
    def is_static(self) -> bool:
        return all(isinstance(d, int) for d in self.shape)

    def fits(self, other: TensorType) -> bool:
        """Are the two equal, or may they be, of placeholders?"""
        return self.dtype == other.dtype and all_fit(self.shape, other.shape)

    def concrete(self, symbols: Mapping[str, int]) -> TensorType:
        """The type with numbers for symbolic dimensions."""
        return TensorType(tuple(evaluate(d, symbols) for d in self.shape), self.dtype)

    def __repr__(self) -> str:
        return f"{self.dtype}[{','.join(str(d).replace(' ', '') for d in self.shape)}]"


def broadcast_shapes(*shapes: Sequence[int | Int], op: str = "broadcast") -> Shape:
    """The common shape of operands under NumPy's rules; a symbolic dimension equals only itself (or 1)."""
    from kcompile.core.errors import BroadcastError, message

    rank = max((len(s) for s in shapes), default=0)
    result: list[int | Int] = []
    for axis in range(-rank, 0):
        extent = joined([s[axis] for s in shapes if -axis <= len(s)])
        if extent is None:
            shown = " and ".join(_shown(s) for s in shapes)
            raise BroadcastError(
                message(f"{op}: shapes {shown} cannot be broadcast together.", received=shown)
            )
        result.append(extent)
    return tuple(result)


def _shown(shape: Sequence[int | Int]) -> str:
    return "(" + ", ".join(str(d) for d in shape) + ")"
