"""Data that comes batch by batch: generators, PyDatasets, and data sets of other libraries."""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.training.data.convert import as_array
from kcompile.training.data.packing import unpack_x_y_sample_weight
from kcompile.training.data.py_dataset import PyDataset, batches_of
from kcompile.training.data.weights import class_weight_to_sample_weights

Batch = tuple[Any, Any, Any]


class BatchData:
    """A source of batches. `epoch()` iterates over one pass; a generator goes on where it was.

    num_batches: batches in a pass, None if unknown. prepare: what is done with the inputs of each batch.
    """

    def __init__(
        self,
        start: Callable[[], Iterator[Any]],
        num_batches: int | None,
        restarts: bool,
        class_weight: Mapping[int, float] | None = None,
        begin: Callable[[], None] = lambda: None,
        end: Callable[[], None] = lambda: None,
        prepare: Callable[[Any], Any] = lambda x: x,
    ):
        self.num_batches, self.restarts = num_batches, restarts
        self.on_epoch_begin, self.on_epoch_end = begin, end
        self._start, self._class_weight, self._prepare = start, class_weight, prepare
        self.tuples_only = False  # a list could be a batch, or several inputs
        self._first: Batch | None = None
        self._running: Iterator[Any] | None = None

    def first(self) -> Batch:
        """The first batch, which stays in the source.

        Raises:  ValueError if there is none.
        """
        if self._first is None:
            iterator = self._iterator()
            batch = next(iterator, None)
            if batch is None:
                raise ValueError("The data must give at least one batch. Received an empty source.")
            self._first = self._standard(batch)
            if not self.restarts:
                self._running = itertools.chain([batch], iterator)
        return self._first

    def epoch(self) -> Iterator[Batch]:
        return map(self._standard, self._iterator())

    def _iterator(self) -> Iterator[Any]:
        if self.restarts:
            return self._start()
        if self._running is None:
            self._running = self._start()
        return self._running

    def _standard(self, batch: Any) -> Batch:
        if self.tuples_only and not isinstance(batch, tuple):
            raise ValueError(
                "A Python generator must yield tuples: (input,) or (inputs, targets) or (inputs, targets, "
                f"sample_weights). Received: {short(batch)}"
            )
        x, y, weight = unpack_x_y_sample_weight(batch)
        if self._class_weight is not None and y is not None:
            if weight is not None:
                raise ValueError("You cannot specify `class_weight` and `sample_weight` at the same time.")
            weight = class_weight_to_sample_weights(y, self._class_weight)
        return arrays_of(self._prepare(x), "x"), arrays_of(y, "y"), arrays_of(weight, "sample_weight")


def arrays_of(structure: Any, what: str) -> Any:
    """A structure with arrays in place of tensors, and of lists of numbers."""
    if structure is None or (
        type(structure) is np.ndarray and structure.ndim and structure.dtype.kind in "fiub"
    ):
        return structure
    return tree.map_structure(
        lambda leaf: (
            None if leaf is None else leaf if type(leaf) is np.ndarray and leaf.ndim else as_array(leaf, what)
        ),
        structure,
    )


def batch_data(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    shuffle: Any = False,
    class_weight: Mapping[int, float] | None = None,
    prepare: Callable[[Any], Any] = lambda x: x,
) -> BatchData:
    """A source of batches from a PyDataset, a generator, or any object that iterates over batches.

    Raises:  ValueError for anything else, and for arguments that belong into the source itself.
    """
    kind = _kind(x)
    for name, value, what in (
        ("y", y, "the targets"),
        ("sample_weights", sample_weight, "the sample weights"),
    ):
        if value is not None:
            raise ValueError(
                f"When providing `x` as a {kind}, `{name}` should not be passed. Instead, {what} should be "
                "included "
                f"as part of the {kind}."
            )
    if isinstance(x, PyDataset):
        return BatchData(
            lambda: batches_of(x, bool(shuffle)),
            x.num_batches,
            True,
            class_weight,
            x.on_epoch_begin,
            x.on_epoch_end,
            prepare,
        )
    if isinstance(x, types.GeneratorType) and class_weight is not None:
        raise ValueError(
            "Argument `class_weight` is not supported for Python generator inputs. Received: "
            f"class_weight={class_weight}"
        )
    data = BatchData(lambda: iter(x), _length(x), iter(x) is not x, class_weight, prepare=prepare)
    data.tuples_only = isinstance(x, types.GeneratorType)
    return data


def _kind(x: Any) -> str:
    if isinstance(x, PyDataset):
        return "PyDataset"
    if isinstance(x, types.GeneratorType):
        return "generator"
    if isinstance(x, (str, bytes, dict, list, tuple, set)) or not hasattr(x, "__iter__"):
        raise ValueError(
            f"Unrecognized data type: x={short(x)} (of type {type(x)}). Give NumPy arrays (or structures "
            "of them), a "
            "PyDataset, a generator, or an object that iterates over batches."
        )
    return type(x).__name__


def short(x: Any) -> str:
    text = repr(x)
    return text if len(text) <= 100 else text[:100] + "..."


def _length(x: Any) -> int | None:
    try:
        length = len(x)
    except TypeError:  # no length, or one that is known to be infinite
        return None
    return length if length >= 0 else None  # tf.data: negative if infinite or unknown
