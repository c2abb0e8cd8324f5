"""What is wrong with data is said before anything is compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.core.errors import ShapeError, message
from kcompile.core.wholes import whole


def check_labels(y: Any, ranges: tuple[tuple[int, int], ...]) -> None:
    """Class numbers must name classes that the model has.

    Args:    y: the labels. ranges: (position among the flattened labels, number of classes).
    Raises:  ValueError naming the range of the labels.

    >>> check_labels(np.array([0, 3]), ((0, 3),))
    Traceback (most recent call last):
    ...
    ValueError: Labels must be class numbers from 0 to 2.
      received  labels in `y` from 0 to 3
      hint      the model's last layer needs as many units as there are classes
    """
    if not ranges:
        return
    flat = tree.flatten(y)
    for position, classes in ranges:
        labels = flat[position]
        if labels.size == 0 or _inside(labels, classes):
            continue
        which = "`y`" if len(flat) == 1 else f"label array {position} of `y`"
        raise ValueError(
            message(
                f"Labels must be class numbers from 0 to {classes - 1}.",
                received=f"labels in {which} from {labels.min()} to {labels.max()}",
                hint="the model's last layer needs as many units as there are classes",
            )
        )


def _inside(labels: np.ndarray, classes: int) -> bool:
    if labels.dtype.kind == "i":  # negative numbers are the largest unsigned ones: one pass is enough
        return bool(labels.view(f"u{labels.itemsize}").max() < classes)
    return bool(labels.max() < classes and labels.min() >= 0)


def check_fit_numbers(
    epochs: Any, initial_epoch: Any, steps_per_epoch: Any, validation_steps: Any, validation_freq: Any
) -> None:
    """The numbers given to `fit`. Epochs below 1 are none at all, as in Keras."""
    whole("epochs", epochs)
    whole("initial_epoch", initial_epoch)
    if steps_per_epoch is not None:
        whole("steps_per_epoch", steps_per_epoch, least=1)
    check_steps("validation_steps", validation_steps)
    if not isinstance(validation_freq, (int, list)):
        raise ValueError(
            "Expected `validation_freq` to be a list or int. "
            f"Received: validation_freq={validation_freq} of the type {type(validation_freq)}."
        )
    if isinstance(validation_freq, int) and validation_freq == 0:
        raise ZeroDivisionError(
            "`validation_freq` must not be 0: there is a validation after every so many epochs. "
            "Leave out `validation_data` for none."
        )


def check_steps(name: str, steps: Any) -> None:
    """How many batches are looked at: None and 0 stand for all."""
    if steps is not None:
        whole(name, steps, least=0)


def check_split(validation_split: Any) -> None:
    """A share of the samples, below 1.

    Raises:  TypeError for what is no number, ValueError for other numbers.
    """
    if not isinstance(validation_split, (int, float, np.number)):
        kind = type(validation_split).__name__
        raise TypeError(
            "`validation_split` must be a number. "
            f"Received: validation_split={validation_split!r} (of type {kind})"
        )
    if not 0 <= validation_split <= 1:
        raise ValueError(
            "`validation_split` must lie between 0 and 1: it is the share of the samples that is kept for "
            f"validation. Received: validation_split={validation_split}"
        )


def check_lengths(x: Any, y: Any, sample_weight: Any) -> None:
    """All arrays must hold equally many samples.

    Raises:  ValueError naming each array with its shape.

    >>> check_lengths({"a": np.ones((3, 2)), "b": np.ones((4, 2))}, np.ones(3), None)
    Traceback (most recent call last):
    ...
    ValueError: Data cardinality is ambiguous. Make sure all arrays contain the same number of samples.
      'x' sizes: 3, 4
      'y' sizes: 3
      received  x['a'] (3, 2), x['b'] (4, 2), y (3,)
    """
    parts = {"x": x, "y": y, "sample_weight": sample_weight}
    sizes = {name: [len(a) for a in tree.flatten(part) if a is not None] for name, part in parts.items()}
    if not any(sizes.values()):
        raise ValueError("No data: every array in `x` and `y` is None.")
    if len({n for part in sizes.values() for n in part}) > 1:
        shown = [f"'{name}' sizes: {', '.join(map(str, part))}" for name, part in sizes.items() if part]
        arrays = [f"{name} {tuple(a.shape)}" for n, part in parts.items() for name, a in _named(n, part)]
        raise ValueError(
            "\n  ".join(
                [
                    "Data cardinality is ambiguous. Make sure all arrays contain the same number of samples.",
                    *shown,
                    f"received  {', '.join(arrays)}",
                ]
            )
        )


def _named(name: str, structure: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of a structure, each with the expression that leads to it."""
    if tree.is_nested(structure):
        for key in tree.keys_of(structure):
            yield from _named(f"{name}[{key!r}]", structure[key])
    elif structure is not None:
        yield name, structure


def check_batch(x: Any, y: Any, sample_weight: Any) -> None:
    """A batch must hold samples. Its arrays may be of different lengths, as those of graphs are."""
    if all(a is None for part in (x, y, sample_weight) for a in tree.flatten(part)):
        raise ValueError("No data: every array in `x` and `y` is None.")
    rows = [len(a) for a in tree.flatten(x) if a is not None]
    if rows and not any(rows):
        raise ValueError("The batch holds no samples: `x` has no rows.")


@contextmanager
def different_lengths_told(x: Any, y: Any = None, sample_weight: Any = None) -> Iterator[None]:
    """Where no step can be made of a batch, different lengths of its arrays are the likely reason."""
    try:
        yield
    except ShapeError as error:  # no other one: it may be the program's own
        try:
            check_lengths(x, y, sample_weight)
        except ValueError as lengths:
            raise lengths from error
        raise
