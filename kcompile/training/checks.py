"""What is wrong with data is said before anything is compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcompile.core import tree
from kcompile.core.errors import message


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


def check_lengths(x: Any, y: Any, sample_weight: Any) -> None:
    """All arrays must hold equally many samples."""
    sizes = {
        name: [len(a) for a in tree.flatten(part) if a is not None]
        for name, part in (("x", x), ("y", y), ("sample_weight", sample_weight))
    }
    if not any(sizes.values()):
        raise ValueError("No data: every array in `x` and `y` is None.")
    if len({n for part in sizes.values() for n in part}) > 1:
        shown = ", ".join(
            f"'{name}' sizes: {', '.join(map(str, part))}" for name, part in sizes.items() if part
        )
        raise ValueError(
            "Data cardinality is ambiguous. Make sure all arrays contain the same number of samples. " + shown
        )


def check_batch(x: Any, y: Any, sample_weight: Any) -> None:
    """The arrays of a batch must hold equally many samples, and some."""
    check_lengths(x, y, sample_weight)
    if not all(len(a) for a in tree.flatten(x) if a is not None):
        raise ValueError("The batch holds no samples: `x` has no rows.")
