"""Data that lies in memory as whole arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.core.errors import message
from kcompile.core.wholes import whole
from kcompile.training.checks import check_lengths, check_split
from kcompile.training.data.convert import as_rows, is_array_like
from kcompile.training.data.rows import Rows, take_rows
from kcompile.training.data.weights import class_weight_to_sample_weights

DEFAULT_BATCH_SIZE = 32


@dataclass
class ArrayData:
    """Arrays of equally many samples, in the structures in which the user gave them.

    batch_size: samples per step. shuffle: False, True, or "batch" for an order that is random within
    batches only. An array may be `Rows` that are read when they are due.
    """

    x: Any
    y: Any
    sample_weight: Any
    batch_size: int
    shuffle: Any = False
    arrays: list[Any] = field(init=False)  # of x, y and sample_weight, those that are there

    def __post_init__(self) -> None:
        self.arrays = [a for a in tree.flatten([self.x, self.y, self.sample_weight]) if a is not None]
        self.samples = len(self.arrays[0])

    def on_epoch_begin(self) -> None:
        """Nothing to prepare."""

    def on_epoch_end(self, tell: bool = True) -> None:
        """Nothing to clean up."""

    def close(self) -> None:
        """Nothing reads ahead."""

    @property
    def is_stored(self) -> bool:
        """Does any part of it have to be read while it is used?"""
        return any(isinstance(a, Rows) for a in self.arrays)

    @property
    def num_batches(self) -> int:
        return -(-self.samples // self.batch_size)

    def order(self, rng: np.random.Generator) -> np.ndarray:
        """The samples in the order of an epoch, int64."""
        if self.shuffle == "batch":
            starts = range(0, self.samples, self.batch_size)
            parts = [np.arange(s, min(s + self.batch_size, self.samples)) for s in starts]
            return np.concatenate([rng.permutation(part) for part in parts])
        return rng.permutation(self.samples) if self.shuffle else np.arange(self.samples)

    def batch(self, start: int) -> tuple[Any, Any, Any]:
        """Samples from `start` on as (x, y, sample_weight), views without a copy."""
        return self.rows(slice(start, start + self.batch_size))

    def rows(self, which: Any) -> tuple[Any, Any, Any]:
        """Samples by a slice or an array of their numbers."""
        x, y, weight = (
            tree.map_structure(lambda a: None if a is None else take_rows(a, which), part)
            for part in (self.x, self.y, self.sample_weight)
        )
        return x, y, weight


def are_arrays(*structures: Any) -> bool:
    """Is everything in these structures an array or None?"""
    return all(leaf is None or is_array_like(leaf) for leaf in tree.flatten(list(structures)))


def array_data(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: Any = False,
    class_weight: Mapping[int, float] | None = None,
    text: bool = False,
) -> ArrayData:
    """The data of `fit`, `evaluate` and `predict`, checked.

    Args:    steps: without batch_size, as many steps of equal size as this. text: whether x may hold any.
    Raises:  ValueError for lengths that differ, no samples at all, a batch_size below 1, and weights that
             do not fit.
    """
    x, y = _converted(x, "x", text), _converted(y, "y")
    sample_weight = _converted(sample_weight, "sample_weight")
    check_lengths(x, y, sample_weight)
    weight = _weights(y, sample_weight, class_weight)
    samples = len(next(a for a in tree.flatten([x, y]) if a is not None))
    if samples == 0:
        raise ValueError(message("The data holds no samples.", received=f"x of shape {_shapes(x)}"))
    if batch_size is None:
        batch_size = math.ceil(samples / steps) if steps else DEFAULT_BATCH_SIZE
    return ArrayData(x, y, weight, checked_batch_size(batch_size), shuffle)


def _converted(structure: Any, what: str, text: bool = False) -> Any:
    return tree.map_structure(lambda a: None if a is None else as_rows(a, what, text), structure)


def checked_batch_size(batch_size: Any, name: str = "batch_size") -> int:
    """batch_size, which must be a whole number from 1 on. name: the argument's."""
    return whole(name, batch_size, least=1)


def _shapes(structure: Any) -> str:
    shapes = [tuple(a.shape) for a in tree.flatten(structure) if a is not None]
    return str(shapes[0] if len(shapes) == 1 else shapes)


def _weights(y: Any, sample_weight: Any, class_weight: Mapping[int, float] | None) -> Any:
    nested = isinstance(y, (list, tuple, dict))
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
        if nested:
            raise ValueError("`class_weight` is only supported for Models with a single output.")
        if y is None:
            raise ValueError("`class_weight` needs labels in `y`.")
        return class_weight_to_sample_weights(y, class_weight)
    if isinstance(sample_weight, dict) and not nested:
        raise ValueError(
            message(
                "`sample_weight` is a dict, but the labels `y` are not.",
                received=f"sample_weight with the keys {list(sample_weight)}",
                hint="give one array of weights, or labels as a dict, too",
            )
        )
    if sample_weight is None or not nested:
        return sample_weight
    if isinstance(sample_weight, (list, tuple, dict)):
        return _same_structure(y, sample_weight)
    if sample_weight.ndim == 1 or (sample_weight.ndim == 2 and sample_weight.shape[1] == 1):
        return tree.map_structure(lambda _: sample_weight, y)
    raise ValueError(
        "For a model with multiple outputs, when providing a single `sample_weight` array, it should only "
        "have one "
        "scalar score per sample (i.e. shape `(num_samples,)`). If you want to use non-scalar sample "
        "weights, pass a "
        "`sample_weight` argument with one array per model output."
    )


def _same_structure(y: Any, sample_weight: Any) -> Any:
    if tree.form(y) != tree.form(sample_weight):
        raise ValueError(
            "You should provide one `sample_weight` array per output in `y`. The two structures did not "
            "match:\n"
            f"- y: {tree.form(y)}\n- sample_weight: {tree.form(sample_weight)}"
        )
    return sample_weight


def split_validation(
    x: Any, y: Any, sample_weight: Any, validation_split: float
) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """The first samples for training and the last share of them for validation.

    Raises:  ValueError for data that is no array, and where one of both would be empty.
    """
    check_split(validation_split)
    leaves = [leaf for leaf in tree.flatten([x, y, sample_weight]) if leaf is not None]
    others = [type(leaf) for leaf in leaves if not is_array_like(leaf)]
    if others:
        raise ValueError(
            "Argument `validation_split` is only supported for tensors or NumPy arrays. "
            f"Found incompatible type in the input: {others}"
        )
    x, y = _converted(x, "x", text=True), _converted(y, "y")  # whether text may be there is seen later
    sample_weight = _converted(sample_weight, "sample_weight")
    samples = next((len(a) for a in tree.flatten([x, y, sample_weight]) if a is not None), 0)
    at = math.floor(samples * (1.0 - validation_split))
    if not 0 < at < samples:
        raise ValueError(
            f"Training data contains {samples} samples, which is not sufficient to split it into a "
            "validation and "
            f"training set as specified by `validation_split={validation_split}`. Either provide more "
            "data, or a "
            "different value for the `validation_split` argument."
        )

    def part(rows: slice) -> tuple[Any, Any, Any]:
        cut = [tree.map_structure(lambda a: None if a is None else a[rows], s) for s in (x, y, sample_weight)]
        return cut[0], cut[1], cut[2]

    return part(slice(0, at)), part(slice(at, None))
