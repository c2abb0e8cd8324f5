"""Dot: products of two inputs over one axis each, sample by sample."""

from __future__ import annotations

from typing import Any

from kcompile import ops
from kcompile.core.errors import ShapeError
from kcompile.layers.merging.base import Merge

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def batch_dot(x: Any, y: Any, axes: tuple[int, int]) -> Any:
    """Sums over axes[0] of x and axes[1] of y; the first dimensions go together.

    Shapes:  x (n, a..., k, b...), y (n, c..., k, d...) -> (n, a..., b..., c..., d...), or (n, 1) where
             nothing is left.
    """
    left = "n" + LETTERS[: len(x.shape) - 1]
    right = "n" + LETTERS[len(x.shape) - 1 : len(x.shape) + len(y.shape) - 2]
    shared = left[axes[0]]
    right = right[: axes[1]] + shared + right[axes[1] + 1 :]
    kept = "n" + "".join(c for c in left[1:] + right[1:] if c != shared)
    z = ops.einsum(f"{left},{right}->{kept}", x, y)
    return ops.expand_dims(z, 1) if len(kept) == 1 else z


class Dot(Merge):
    """Products of two inputs over one axis each.

    Args:    axes: an int for both, or a pair; axis 0 is the batch. normalize: scale to norm 1 along the axes
             before, which gives cosines.
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(axes, int) and not (
            isinstance(axes, (list, tuple)) and len(axes) == 2 and all(isinstance(a, int) for a in axes)
        ):
            raise (TypeError if not isinstance(axes, (list, tuple)) else ValueError)(
                f"Invalid value for argument `axes`: expected an int or a pair of ints. Received: axes={axes}"
            )
        self.axes, self.normalize = axes, normalize

    def _axes(self, ranks: tuple[int, int]) -> tuple[int, int]:
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else tuple(self.axes)
        for axis, rank in zip(pair, ranks, strict=True):
            if not -rank < axis < rank or axis == 0:
                raise ValueError(
                    f"Layer '{self.name}': `axes` must name dimensions behind the batch, 1 to {rank - 1} of "
                    f"an input of {rank} dimensions. Received: axes={self.axes}"
                )
        return pair[0] % ranks[0], pair[1] % ranks[1]

    def build(self, input_shape: Any) -> None:
        if not isinstance(input_shape[0], (tuple, list)) or len(input_shape) != 2:
            raise ValueError(
                f"A `Dot` layer should be called on a list of 2 inputs. Received: input_shape={input_shape}"
            )
        first, second = input_shape
        a, b = self._axes((len(first), len(second)))
        if first[a] != second[b]:
            raise ShapeError(
                f"Incompatible input shapes: axis values {first[a]} (at axis {a}) != {second[b]} (at axis "
                f"{b}). Full input shapes: {first}, {second}"
            )

    def _aligned(self, inputs: list[Any]) -> list[Any]:
        return inputs

    def merge(self, inputs: list[Any]) -> Any:
        if len(inputs) != 2:
            raise ValueError(f"A `Dot` layer should be called on exactly 2 inputs. Received: inputs={inputs}")
        x, y = inputs
        axes = self._axes((len(x.shape), len(y.shape)))
        if self.normalize:
            x, y = ops.normalize(x, axis=axes[0]), ops.normalize(y, axis=axes[1])
        return batch_dot(x, y, axes)

    def compute_output_shape(self, input_shape: Any) -> Any:
        first, second = input_shape
        a, b = self._axes((len(first), len(second)))
        rest = [d for k, d in enumerate(first) if k != a] + [
            d for k, d in enumerate(second) if k not in (0, b)
        ]
        return tuple(rest) if len(rest) > 1 else (*rest, 1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """Products of two inputs over one axis each."""
    return Dot(axes=axes, **kwargs)(inputs)
