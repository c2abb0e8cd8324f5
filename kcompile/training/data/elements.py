"""Elements of data sets, which programs treat as tensors: arrays and texts that have `numpy()`."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from kcompile.core import dtypes, tree


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


def arrays(structure: Any) -> Any:
    """A structure whose lists and Python numbers are arrays, as TensorFlow makes tensors of them: tuples and
    dicts are structures, a list is none. Other leaves stay.

    >>> arrays(([1, 2], {"a": 3.5}))
    (array([1, 2], dtype=int32), {'a': array(3.5, dtype=float32)})
    """
    if isinstance(structure, (tuple, dict)):
        items = [arrays(structure[key]) for key in tree.keys_of(structure)]
        return tree.rebuild(structure, items)
    if not isinstance(structure, (list, bool, int, float)) or isinstance(structure, np.generic):
        return structure
    array = np.asarray(structure)
    narrow = {"int64": np.int32, "float64": np.float32}.get(array.dtype.name)
    if narrow is None or any(hasattr(leaf, "dtype") for leaf in tree.flatten(structure)):
        return array
    if array.dtype.kind == "i" and not np.array_equal(array.astype(narrow), array):
        return array
    return array.astype(narrow)


def number_of_rows(structure: Any) -> int:
    """How many rows each array has.

    Raises:  ValueError if there are no arrays, or some without rows, or of different numbers of rows.
    """
    leaves = tree.flatten(structure)
    if not leaves:
        raise ValueError("There must be at least one array to take rows from.")
    if any(np.ndim(leaf) == 0 for leaf in leaves):
        raise ValueError("Rows can only be taken from arrays with at least one dimension.")
    count = len(leaves[0])
    for leaf in leaves:
        if len(leaf) != count:
            raise ValueError(f"Dimensions {count} and {len(leaf)} are not compatible")
    return count


def rows_of(structure: Any, count: int) -> Iterator[Any]:
    """So many rows of arrays, as structures of their own."""

    def row(k: int) -> Any:
        return tree.map_structure(lambda a: a[k], structure)

    return map(row, range(count))


def stacked(rows: list[Any]) -> Any:
    """Elements of equal structure as one, of arrays with a first axis more; text as objects."""
    first = rows[0]

    def joined(leaves: tuple[Any, ...]) -> np.ndarray:
        if isinstance(leaves[0], (str, bytes)):
            out = np.empty(len(leaves), object)
            out[:] = [plain(leaf) for leaf in leaves]
            return out
        return np.stack([np.asarray(leaf) for leaf in leaves])

    columns = zip(*(tree.flatten(row) for row in rows), strict=True)
    return tree.pack_as(first, [joined(column) for column in columns])


def at_leaves(structure: Any, given: Any, what: str) -> list[Any]:
    """What is in `given` where `structure` has its leaves.

    Raises:  TypeError, ValueError if `given` has another form. what: its name, for them.

    >>> at_leaves((0, {"a": 1}), ([5, 6], {"a": []}), "shapes")
    [[5, 6], []]
    """
    if not tree.is_nested(structure):
        return [given]
    kinds = dict if isinstance(structure, dict) else tuple if isinstance(structure, tuple) else (list, tuple)
    if not isinstance(given, kinds):
        raise TypeError(
            f"`{what}` must have the structure {tree.form(structure)} of the elements. Received: {given!r}"
        )
    keys = tree.keys_of(structure)
    if (set(given) != set(keys)) if isinstance(given, dict) else (len(given) != len(keys)):
        raise ValueError(
            f"`{what}` must have the structure {tree.form(structure)} of the elements. Received: {given!r}"
        )
    return [leaf for key in keys for leaf in at_leaves(structure[key], given[key], what)]


def holds(kind: np.dtype, numbers: np.ndarray) -> bool:
    """Has this dtype all of the numbers, up to the rounding of floats?

    >>> holds(np.dtype("uint8"), np.array(-1)), holds(np.dtype("float32"), np.array([1, 2]))
    (False, True)
    """
    if dtypes.is_float(kind.name):
        return numbers.dtype.kind in "biuf"
    whole = numbers.dtype.kind in ("b" if kind.kind == "b" else "biu")
    return whole and np.array_equal(numbers.astype(kind), numbers)


def shape_of(given: Any) -> tuple[int | None, ...] | None:
    """A shape that was given as a tuple, a list, an array, a number or as TensorFlow's; None for any rank."""
    if given is None or getattr(given, "rank", 0) is None:
        return None
    sides = given if hasattr(given, "__iter__") else [given]
    return tuple(None if side is None or side < 0 else operator.index(side) for side in sides)
