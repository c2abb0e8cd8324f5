"""Which dimensions of the data are numbers when a step is traced, and which are known only when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.core.symbolic import Int, symbol
from kcompile.ir.types import Shape

Structure = Any  # a tensor, or lists, tuples and dicts of tensors
Names = dict[int, Int]  # symbols by the extent that they have now
BATCH = symbol("batch")  # one object: a program is found by its shapes in every call of `predict`


def leaves_of(structure: Structure) -> list[np.ndarray]:
    if isinstance(structure, np.ndarray):
        return [structure]
    return [leaf for leaf in tree.flatten(structure) if leaf is not None]


def has_fixed_batch(model: Any) -> bool:
    """Do layers keep something for every sample of a batch, so that its size is part of the model?"""
    return any(getattr(layer, "stateful", False) for layer in model._flatten_layers())


def check_equal_batches(model: Any, samples: int, size: int) -> None:
    """Raise ValueError where the last batch of a model with a fixed batch would be shorter."""
    if has_fixed_batch(model) and samples % size:
        raise ValueError(
            f"A model with stateful layers needs batches of one size. Received: {samples} samples and "
            f"batch_size={size}. Leave out the last {samples % size} samples, or choose another batch_size."
        )


def closed_dimensions(data: Structure, batch: int | Int) -> list[Shape]:
    """Shapes for tracing in which everything but the batch is a number."""
    return [(batch, *leaf.shape[1:]) for leaf in leaves_of(data)]


def open_dimensions(
    x: Structure, placeholders: Any, batch: int | Int | None = None, names: Names | None = None
) -> list[Shape]:
    """Shapes for tracing: the batch, and dimensions where the placeholders say None, are symbols.

    Two of the latter that are equal now share a symbol, because layers may need them to be equal. A symbol
    stands for at least 1; where there is nothing, functions that look for it have to see the number. names:
    symbols there are already.
    """
    leaves = leaves_of(x)
    fits = placeholders is not None and len(placeholders) == len(leaves)
    names = {} if names is None else names
    found = []
    for k, leaf in enumerate(leaves):
        known = leaf.shape
        if fits and len(placeholders[k].shape) == leaf.ndim:
            known = placeholders[k].shape
        dims: list[int | Int] = [BATCH if batch is None else batch]
        for given, extent in zip(known[1:], leaf.shape[1:], strict=True):
            is_open = given is None and extent != 0
            dims.append(names.setdefault(extent, symbol(f"dim{len(names) + 1}")) if is_open else extent)
        found.append(tuple(dims))
    return found


def open_data(model: Any, data: Sequence[Structure], batch: int | Int) -> list[Shape]:
    """Shapes for tracing a step on (x, y, sample_weight): labels and weights are as long as the inputs where
    the model's outputs say None and the lengths are equal.
    """
    names: Names = {}
    x, y, weight = data
    shapes = open_dimensions(x, model._placeholders(x), batch, names)
    outputs = getattr(model, "outputs", None) or []
    for part in (y, weight):
        leaves = leaves_of(part)
        fits = len(leaves) == len(outputs)
        for k, leaf in enumerate(leaves):
            like = outputs[k].shape if fits else ()
            dims = [
                names.get(extent, extent) if axis < len(like) and like[axis] is None else extent
                for axis, extent in enumerate(leaf.shape[1:], 1)
            ]
            shapes.append((batch, *dims))
    return shapes
