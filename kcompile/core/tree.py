"""Nested lists, tuples and dicts as one flat list and back. Dict entries are visited in sorted key order, as
Keras does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def flatten(structure: Any) -> list[Any]:
    """The leaves of a nested structure.

    >>> flatten({"b": [1, 2], "a": (3, None)})
    [3, None, 1, 2]
    """
    if isinstance(structure, dict):
        return [leaf for key in sorted(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, (list, tuple)):
        return [leaf for item in structure for leaf in flatten(item)]
    return [structure]


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """The same structure with function(leaf) at each leaf."""
    if isinstance(structure, dict):
        return {key: map_structure(function, item) for key, item in structure.items()}
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*(map_structure(function, item) for item in structure))
    if isinstance(structure, (list, tuple)):
        return type(structure)(map_structure(function, item) for item in structure)
    return function(structure)


def pack_as(structure: Any, leaves: Sequence[Any]) -> Any:
    """`leaves` in the form of `structure`.

    >>> pack_as({"b": 0, "a": [0, 0]}, [1, 2, 3])
    {'b': 3, 'a': [1, 2]}
    """
    iterator = iter(leaves)

    def pack(item: Any) -> Any:
        if isinstance(item, dict):
            packed = {key: pack(item[key]) for key in sorted(item)}
            return {key: packed[key] for key in item}
        if isinstance(item, tuple) and hasattr(item, "_fields"):
            return type(item)(*(pack(x) for x in item))
        if isinstance(item, (list, tuple)):
            return type(item)(pack(x) for x in item)
        return next(iterator)

    return pack(structure)
