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


def rows_by_length(leaves: Sequence[np.ndarray], batch: int | Int) -> dict[int, int | Int]:
    """The first dimension of arrays in a trace, by their lengths: the batch, and where the arrays of a batch
    are of different lengths (nodes and edges of graphs), a symbol for each; numbers where the batch is one.

    >>> rows_by_length([np.ones((6, 4)), np.ones((9, 2)), np.ones(6)], BATCH)
    {6: batch, 9: batch2}
    """
    rows: dict[int, int | Int] = {len(leaf): batch for leaf in leaves[:1]}
    for leaf in leaves[1:]:
        length = len(leaf)
        if length not in rows:
            is_number = isinstance(batch, int) or not length
            rows[length] = length if is_number else symbol(f"batch{len(rows) + 1}")
    return rows


def closed_dimensions(data: Structure, shapes: Sequence[Shape], size: int | None = None) -> list[Shape]:
    """Shapes for tracing in which everything behind the first dimension is a number, and that, too, if there
    is the size of the batch."""
    found: list[Shape] = []
    for leaf, (first, *_) in zip(leaves_of(data), shapes, strict=True):
        if size is not None:
            first = size if first is BATCH else len(leaf)
        found.append((first, *leaf.shape[1:]))
    return found


def open_dimensions(
    x: Structure, placeholders: Any, batch: int | Int, names: Names | None = None
) -> list[Shape]:
    """Shapes for tracing: the batch, and dimensions where the placeholders say None, are symbols.

    Two of the latter that are equal now share a symbol, because layers may need them to be equal. A symbol
    stands for at least 1; where there is nothing, functions that look for it have to see the number. names:
    symbols there are already.
    """
    leaves = leaves_of(x)
    fits = placeholders is not None and len(placeholders) == len(leaves)
    names = {} if names is None else names
    rows = rows_by_length(leaves, batch)
    found = []
    for k, leaf in enumerate(leaves):
        known = leaf.shape
        if fits and len(placeholders[k].shape) == leaf.ndim:
            known = placeholders[k].shape
        dims: list[int | Int] = [rows[len(leaf)]]
        for given, extent in zip(known[1:], leaf.shape[1:], strict=True):
            is_open = given is None and extent != 0
            dims.append(names.setdefault(extent, symbol(f"dim{len(names) + 1}")) if is_open else extent)
        found.append(tuple(dims))
    return found


def open_data(model: Any, data: Sequence[Structure], batch: int | Int) -> list[Shape]:
    """Shapes for tracing a step on (x, y, sample_weight): labels and weights are as long as the inputs where
    the model's outputs say None and the lengths are equal. The first dimension is a number where no input is
    as long.
    """
    names: Names = {}
    x, y, weight = data
    rows = rows_by_length(leaves_of(x) or leaves_of(list(data))[:1], batch)
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
            shapes.append((rows.get(len(leaf), len(leaf)), *dims))
    return shapes
