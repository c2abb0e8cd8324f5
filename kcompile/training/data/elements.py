"""Elements of data sets, which programs treat as tensors: arrays and texts that have `numpy()`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import tree


class ArrayElement(np.ndarray):
    """An array with `numpy()`; what is picked out of it, a single number too, has it as well.

    >>> labels = element(np.array([3, 5]))
    >>> labels[1].numpy(), [label.numpy() for label in labels] == [3, 5], labels.numpy().tolist()
    (np.int64(5), True, [3, 5])
    """

    def numpy(self) -> Any:
        """The plain array; of 0 dimensions the number or text itself."""
        return self.view(np.ndarray) if self.ndim else self.view(np.ndarray)[()]

    def __getitem__(self, key: Any) -> Any:
        return element(self.view(np.ndarray)[key])

    def __iter__(self) -> Iterator[Any]:
        return map(element, self.view(np.ndarray))

    def __hash__(self) -> int:  # type: ignore[override]
        if self.ndim:
            raise TypeError("An array of elements cannot be hashed.")
        return hash(self.item())


class BytesElement(bytes):
    """Text as bytes, with `numpy()`."""

    def numpy(self) -> bytes:
        """Plain bytes."""
        return bytes(self)


class TextElement(str):
    """Text, with `numpy()`, which gives bytes as TensorFlow does."""

    def numpy(self) -> bytes:
        """The text in UTF-8."""
        return self.encode()


class Count(int):
    """A number of elements, with `numpy()`."""

    def numpy(self) -> int:
        """A plain int."""
        return int(self)


def element(x: Any) -> Any:
    """An array, a number or text with `numpy()`; anything else as it is."""
    if isinstance(x, np.ndarray):
        return x.view(ArrayElement)
    if isinstance(x, np.generic) and not isinstance(x, (bytes, str)):
        return np.asarray(x).view(ArrayElement)
    if isinstance(x, bytes):
        return BytesElement(x)
    return TextElement(x) if isinstance(x, str) else x


def elements(structure: Any) -> Any:
    """`element` of all leaves."""
    return tree.map_structure(element, structure)


def plain(structure: Any) -> Any:
    """The leaves without `numpy()`."""
    return tree.map_structure(_plain, structure)


def _plain(x: Any) -> Any:
    if isinstance(x, ArrayElement):
        return x.numpy()
    if isinstance(x, BytesElement):
        return bytes(x)
    return str(x) if isinstance(x, TextElement) else x
