"""The base of layers that merge a list of inputs."""

from __future__ import annotations

from functools import reduce
from typing import Any

from kcompile import ops
from kcompile.core.errors import ShapeError
from kcompile.layers.layer import Layer
from kcompile.trace.keras_tensor import KerasTensor
from kcompile.trace.masks import mask_of


class Merge(Layer):
    """Base of elementwise merges: `merge` gets the list of tensors, all of one rank."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def get_config(self) -> dict[str, Any]:
        """The layer's name, dtype and trainability: a merge has no settings of its own."""
        return super().get_config()

    def merge(self, inputs: list[Any]) -> Any:
        raise NotImplementedError

    def build(self, input_shape: Any) -> None:
        if not isinstance(input_shape, (list, tuple)) or not isinstance(input_shape[0], (list, tuple)):
            raise ValueError(
                f"A merge layer should be called on a list of inputs. Received: input_shape={input_shape} "
                "(not a list of shapes)"
            )
        batches = {shape[0] for shape in input_shape if shape} - {None}
        if len(batches) > 1:
            raise ValueError(
                f"Cannot merge tensors with different batch sizes. Received tensors with shapes {input_shape}"
            )
        merged_shape(input_shape)

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(f"A merge layer should be called on a list of inputs. Received: inputs={inputs}")
        return self.merge(self._aligned(list(inputs)))

    def _aligned(self, inputs: list[Any]) -> list[Any]:
        """The inputs with the largest rank of them: new dimensions come after the batch."""
        rank = max(len(x.shape) for x in inputs)
        return [self._of_rank(x, rank) for x in inputs]

    def _of_rank(self, x: Any, rank: int) -> Any:
        for _ in range(rank - len(x.shape)):
            x = ops.expand_dims(x, 1)
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return merged_shape(input_shape)

    def compute_output_spec(self, inputs: Any) -> Any:
        """A placeholder for the result; its shape is what `compute_output_shape` says."""
        traced = super().compute_output_spec(inputs)
        return KerasTensor(self.compute_output_shape([tuple(x.shape) for x in inputs]), traced.dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """True where any mask is; None if an input has none."""
        if mask is None or any(m is None for m in check_masks(inputs, mask)):
            return None
        return reduce(ops.logical_or, mask)


def check_masks(inputs: Any, mask: Any) -> Any:
    """The masks, one for each input.

    Raises:  ValueError if they are not.
    """
    for name, items in (("mask", mask), ("inputs", inputs)):
        if not isinstance(items, (list, tuple)):
            raise ValueError(f"`{name}` should be a list. Received: {name}={items}")
    if len(mask) != len(inputs):
        raise ValueError(
            "The lists `inputs` and `mask` should have the same length. Received: "
            f"inputs={inputs} of length {len(inputs)}, and mask={mask} of length {len(mask)}"
        )
    return mask


def spread_mask(x: Any) -> Any:
    """The mask that x carries in the shape of x; None without one."""
    mask = mask_of(x)
    return None if mask is None else ops.broadcast_to(ops.expand_dims(mask, -1), ops.shape(x))


def merged_shape(shapes: Any) -> tuple[int | None, ...]:
    """The shape of an elementwise merge; dimensions of size 1 broadcast. The batch is that of the inputs that
    have a known one; behind it, what is unknown of one input is unknown of the result.
    """
    rank = max(len(shape) for shape in shapes)
    padded = [(*shape[:1], *(1,) * (rank - len(shape)), *shape[1:]) for shape in shapes]
    batches = {shape[0] for shape in padded} - {None}
    result: list[int | None] = [batches.pop() if len(batches) == 1 else None]
    for dims in zip(*(shape[1:] for shape in padded), strict=True):
        known = {d for d in dims if d is not None} - {1}
        if len(known) > 1:
            raise ShapeError(
                f"Inputs have incompatible shapes. Received shapes {' and '.join(map(str, shapes))}"
            )
        result.append(None if None in dims else known.pop() if known else 1)
    return tuple(result)
