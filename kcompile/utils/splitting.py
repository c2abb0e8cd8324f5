"""A data set as two."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.training.data.dataset import Dataset
from kcompile.training.data.elements import stacked


def split_dataset(
    dataset: Any,
    left_size: Any = None,
    right_size: Any = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Dataset, Dataset]:
    """The first and the last samples of arrays, or of a data set, as two data sets in memory.

    Args:    dataset: an array, a list or tuple of arrays of one length, a Dataset or an object with `__len__`
             and `__getitem__`. left_size, right_size: numbers of samples (int) or shares (float); one that
             is None takes what the other leaves. preferred_backend: accepted.
    Returns: Datasets of samples; of batches, if `dataset` was batched.
    Raises:  ValueError for sizes that do not fit, TypeError for other kinds of data and sizes.

    >>> left, right = split_dataset(np.arange(10), left_size=0.8)
    >>> len(left), [int(x) for x in right]
    (8, [8, 9])
    """
    if left_size is None and right_size is None:
        raise ValueError(
            "At least one of the `left_size` or `right_size` must be specified. Received: left_size=None and "
            "right_size=None"
        )
    samples = _samples(dataset)
    if shuffle:
        random.Random(random.randint(0, 10**6) if seed is None else seed).shuffle(samples)
    left, right = _sizes(left_size, right_size, len(samples))
    parts = [Dataset.from_tensor_slices(stacked(part)) for part in (samples[:left], samples[-right:])]
    size = getattr(dataset, "_batch_size", None)
    first, second = parts if size is None else [part.batch(size) for part in parts]
    return first, second


def _samples(dataset: Any) -> list[Any]:
    if isinstance(dataset, np.ndarray):
        found = list(dataset)
    elif isinstance(dataset, (str, bytes)):
        raise TypeError(f"Unsupported dataset type: {type(dataset)}")
    elif isinstance(dataset, (list, tuple)):
        _check_arrays(dataset)
        found = list(zip(*dataset, strict=True))
    elif getattr(dataset, "_batch_size", None) is not None:
        found = list(dataset.unbatch())
    elif hasattr(dataset, "__iter__") and not isinstance(dataset, dict):
        found = list(dataset)
    elif _has_samples(dataset):
        found = [dataset[k] for k in range(len(dataset))]
    else:
        raise TypeError(
            "The `dataset` argument must be a data set, or a list/tuple of arrays. Received: "
            f"dataset={dataset} of type {type(dataset)}"
        )
    if not found:
        raise ValueError("Received an empty dataset.")
    return [_tuples(x) for x in found]


def _tuples(structure: Any) -> Any:
    """Tuples instead of lists, which would be arrays to a Dataset."""
    if not tree.is_nested(structure):
        return structure
    items = [_tuples(structure[key]) for key in tree.keys_of(structure)]
    return tuple(items) if isinstance(structure, list) else tree.rebuild(structure, items)


def _has_samples(dataset: Any) -> bool:
    kind = type(dataset)
    return hasattr(kind, "__getitem__") and hasattr(kind, "__len__") and not hasattr(kind, "keys")


def _check_arrays(arrays: Any) -> None:
    if not len(arrays):
        raise ValueError("Received an empty list dataset. Please provide a non-empty list of arrays.")
    for place, array in enumerate(arrays):
        if not isinstance(array, np.ndarray):
            raise ValueError(
                f"Expected a list of `numpy.ndarray` objects, Received: {type(array)} at index {place}."
            )
        if len(array) != len(arrays[0]):
            raise ValueError(
                f"Received a list of NumPy arrays with different lengths. Mismatch found at index {place}: "
                f"Expected {len(arrays[0])} samples, received shape={array.shape}."
            )


def _sizes(left: Any, right: Any, total: int) -> tuple[int, int]:
    """Numbers of samples on both sides."""
    for name, size in (("left_size", left), ("right_size", right)):
        if size is None:
            continue
        if type(size) not in (int, float):
            raise TypeError(
                f"Invalid `{name}` Type. Expected: int or float or None, Received: type({name})={type(size)}."
            )
        if not 0 < size < (total if type(size) is int else 1):
            raise ValueError(
                f"`{name}` should be either a positive integer smaller than {total}, or a float within the "
                f"range `[0, 1]`. Received: {name}={size}"
            )
    if type(left) is type(right) is float and left + right > 1:
        raise ValueError("The sum of `left_size` and `right_size` is greater than 1.")
    counts = [round(s * total) if type(s) is float else s for s in (left, right)]
    a = total - counts[1] if counts[0] is None else counts[0]
    b = total - counts[0] if counts[1] is None else counts[1]
    if a + b > total:
        raise ValueError(
            f"The sum of `left_size` and `right_size` should be smaller than {total}. Received: {a + b}"
        )
    if not a or not b:
        raise ValueError(
            f"With `dataset` of length={total}, `left_size`={a} and `right_size`={b}: one side is empty."
        )
    return int(a), int(b)
