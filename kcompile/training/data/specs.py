"""What the elements of a data set are, as far as it is known before there are any: dtypes and shapes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.core.lazy import lazy
from kcompile.training.data.elements import at_leaves, number_of_rows, shape_of

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Spec:
    """Of an array. shape: None if it may be any, None for sides that may be."""

    dtype: str
    shape: Shape | None

    def within(self, *outer: int | None) -> Spec:
        """With dimensions before its own."""
        return Spec(self.dtype, None if self.shape is None else (*outer, *self.shape))


class Specs:
    """A structure of Specs, made when it is asked for. is_known: without making an element."""

    def __init__(self, make: Callable[[], Any], is_known: bool = False):
        self._make, self.is_known = make, is_known

    @lazy
    def structure(self) -> Any:
        return self._make()

    @classmethod
    def of(cls, function: Callable[..., Any], *given: Specs) -> Specs:
        """What a function makes of the structures of others; now, if all are known.

        Raises:  what the function does.
        """
        found = cls(lambda: function(*(one.structure for one in given)), all(one.is_known for one in given))
        if found.is_known:
            _ = found.structure
        return found


def of_element(element: Any, open_sizes: Collection[int] = ()) -> Any:
    """The Specs of an element. open_sizes: numbers of rows that may be others in other elements."""

    def spec(leaf: Any) -> Spec:
        array = np.asarray(leaf)
        shape: Shape = array.shape
        if shape and shape[0] in open_sizes:
            shape = (None, *shape[1:])
        return Spec("string" if dtypes.is_text(array) else array.dtype.name, shape)

    return tree.map_structure(spec, element)


def open_sizes(element: Any, structure: Any) -> set[int]:
    """The numbers of rows of an element that may be others in other elements of these Specs."""
    pairs = zip(tree.flatten(element), tree.flatten(structure), strict=True)
    return {len(leaf) for leaf, spec in pairs if spec.shape and spec.shape[0] is None}


def joined(first: Any, second: Any) -> Any:
    """The Specs of elements that are of either kind.

    Raises:  TypeError where structures or dtypes differ.
    """
    pairs = zip(tree.flatten(first), tree.flatten(second), strict=False)
    if tree.form(first) != tree.form(second) or any(a.dtype != b.dtype for a, b in pairs):
        raise TypeError(f"`concatenate` needs elements of the same kind. Received: {first} and {second}")
    both = zip(tree.flatten(first), tree.flatten(second), strict=True)
    return tree.pack_as(first, [Spec(a.dtype, _either(a.shape, b.shape)) for a, b in both])


def _either(a: Shape | None, b: Shape | None) -> Shape | None:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(m if m == n else None for m, n in zip(a, b, strict=True))


def batched(structure: Any, size: int | None) -> Any:
    """The Specs of so many elements as one."""
    return tree.map_structure(lambda spec: spec.within(size), structure)


def padded(structure: Any, shapes: Any) -> Any:
    """The Specs of elements that are filled up to such shapes."""
    if shapes is None:
        return structure
    sides = map(shape_of, at_leaves(structure, shapes, "padded_shapes"))
    specs = zip(tree.flatten(structure), sides, strict=True)
    return tree.pack_as(structure, [Spec(spec.dtype, shape) for spec, shape in specs])


def of_rows(structure: Any) -> Any:
    """The Specs of the rows of such elements.

    Raises:  ValueError where there are no rows, or other numbers of them.
    """
    number_of_known_rows(structure)
    return tree.map_structure(
        lambda spec: Spec(spec.dtype, None if spec.shape is None else spec.shape[1:]), structure
    )


def number_of_known_rows(structure: Any) -> int | None:
    """How many rows each such element has; None if that is open."""
    shapes = [spec.shape for spec in tree.flatten(structure) if spec.shape is not None]
    known = [shape for shape in shapes if shape == () or shape[0] is not None]
    stand_ins = [np.broadcast_to(0, [side or 0 for side in shape[:1]]) for shape in known]
    return number_of_rows(stand_ins) if known else None


def placeholders(structure: Any) -> Any:
    """KerasTensors for Specs; the shape of one that may have any is None."""
    from kcompile.trace.keras_tensor import KerasTensor

    def placeholder(spec: Spec) -> Any:
        found = KerasTensor(spec.shape or (), spec.dtype)
        found.shape = spec.shape  # type: ignore[assignment]
        return found

    return tree.map_structure(placeholder, structure)
