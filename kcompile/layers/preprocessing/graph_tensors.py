"""Layers inside of TensorFlow's graphs: what `map(layer)` of a tf.data pipeline calls them with.

TensorFlow is never imported here: where such a tensor comes in, it is there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree
from kcompile.trace.keras_tensor import KerasTensor


def is_in_graph(x: Any) -> bool:
    """Does x hold a tensor of a TensorFlow graph, which has a shape but no numbers?"""
    return "tensorflow" in sys.modules and any(
        type(leaf).__module__.startswith("tensorflow.")
        and hasattr(leaf, "graph")
        and not hasattr(leaf, "numpy")
        for leaf in tree.flatten(x)
    )


def call_in_graph(
    call: Callable[[Any], Any], inputs: Any, outputs: Any = None, as_on_arrays: bool = False
) -> Any:
    """Let the graph call back: `call` gets the arrays that flow through it, and runs on the host.

    Args:    outputs: placeholders of what `call` returns; what it makes of placeholders unless given.
             as_on_arrays: results have the dtypes that they have for arrays, not those for placeholders:
             `call` is tried on no samples, which must change nothing. What cannot be computed for none (an
             element alone, whose first axis is no batch) has the dtypes for placeholders.
    Raises:  ValueError for tensors of unknown rank.
    """
    tensorflow: Any = sys.modules["tensorflow"]
    leaves = tree.flatten(inputs)
    if outputs is None:
        plain = tensorflow.autograph.experimental.do_not_convert(call)
        outputs = plain(tree.pack_as(inputs, [_placeholder(leaf) for leaf in leaves]))
    expected = tree.flatten(outputs)
    tried = expected
    if as_on_arrays:
        with suppress(ValueError, TypeError):
            tried = tree.flatten(call(tree.pack_as(inputs, [_no_samples(leaf) for leaf in leaves])))
    names = [dtypes.standardize(one.dtype) for one in tried]

    def on_host(*arrays: Any) -> list[np.ndarray]:
        found = tree.flatten(call(tree.pack_as(inputs, [np.asarray(a) for a in arrays])))
        return [
            np.asarray(y, object if name == dtypes.STRING else dtypes.numpy_dtype(name))
            for y, name in zip(found, names, strict=True)
        ]

    found = tensorflow.numpy_function(on_host, leaves, [tensorflow.as_dtype(name) for name in names])
    for y, one in zip(found, expected, strict=True):
        y.set_shape(one.shape)
    return tree.pack_as(outputs, found)


def _placeholder(x: Any) -> KerasTensor:
    if x.shape.rank is None:
        raise ValueError(f"A layer in a data pipeline needs tensors of a known rank. Received: {x}")
    return KerasTensor(tuple(x.shape), dtypes.STRING if x.dtype.name == "string" else x.dtype.name)


def _no_samples(x: Any) -> np.ndarray:
    """An array of the dtype and shape of x, but without samples (a scalar has a value)."""
    shape = (0, *(1 if d is None else d for d in tuple(x.shape)[1:])) if x.shape.rank else ()
    if x.dtype.name == "string":
        return np.full(shape, b"", object)
    return np.zeros(shape, dtypes.numpy_dtype(x.dtype.name))


def outside_of_autograph(function: Any) -> Any:
    """Have TensorFlow call the function as it is, instead of translating its source into a graph."""
    function.autograph_info__ = {}
    return function
