"""The base of layers that data pipelines call too, on numbers, lists and arrays of any library."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile import ops
from kcompile.core import tree
from kcompile.layers.call_spec import is_tensor
from kcompile.layers.layer import Layer
from kcompile.layers.preprocessing.graph_tensors import call_in_graph, is_in_graph, outside_of_autograph


class DataLayer(Layer):
    """A layer whose first argument may be a number, text, or lists of them."""

    @outside_of_autograph
    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if is_in_graph(inputs):
            return call_in_graph(lambda x: self(x, *args, **kwargs), inputs, as_on_arrays=True)
        return super().__call__(as_data(inputs), *args, **kwargs)

    def convert_weight(self, weight: Any) -> Any:
        """The weight as it is: there is one backend, in data pipelines as in models."""
        return weight


def as_data(x: Any) -> Any:
    """Lists of numbers or of text as one array; arrays, traced values and placeholders as they are.

    >>> as_data([[1, 2], [3, 4]]).shape, as_data("text").dtype
    ((2, 2), dtype('O'))
    """
    if x is None or is_tensor(x) or hasattr(x, "__kcompile_value__"):
        return x
    leaves = tree.flatten(x) if isinstance(x, (list, tuple)) else [x]
    if any(isinstance(leaf, (str, bytes)) for leaf in leaves):
        return np.array(x, dtype=object)
    several = any(is_tensor(leaf) and not isinstance(leaf, np.generic) for leaf in leaves)
    return x if several else np.asarray(x)


def stacked(x: Any) -> Any:
    """A list of tensors as one tensor with a first axis more; a tensor as it is."""
    if not isinstance(x, (list, tuple)):
        return x
    return np.stack(x) if all(isinstance(one, np.ndarray) for one in x) else ops.stack(x)


def batches_of(data: Any, steps: int | None = None) -> Any:
    """The inputs of the batches that `adapt` was given as an iterable, at most `steps` of them."""
    for k, batch in enumerate(data):
        if steps is not None and k >= steps:
            return
        yield batch[0] if isinstance(batch, tuple) else batch


def is_one_batch(data: Any) -> bool:
    """Does `adapt` get all of its data at once, as an array or a list?"""
    return isinstance(data, (list, tuple)) or is_tensor(data) or not hasattr(data, "__iter__")
