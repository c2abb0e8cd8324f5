"""Nested structures: lists, tuples, named tuples, deques and dicts, as one flat list of leaves and back.

Entries of a dict are visited in sorted key order, those of an OrderedDict in their own, as in Keras. None is
a leaf.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

NESTED = (dict, list, tuple, deque)


def is_nested(structure: Any) -> bool:
    """Is this a container that is looked into, rather than a leaf?"""
    return isinstance(structure, NESTED)


def keys_of(structure: Any) -> list[Any]:
    """Keys or positions of a container's items, in the order in which they are visited."""
    if isinstance(structure, OrderedDict):
        return list(structure)
    if isinstance(structure, dict):
        for key in (None, lambda name: (type(name).__qualname__, name)):
            with suppress(TypeError):  # keys of several types, or without an order
                return sorted(structure, key=key)
        return list(structure)
    return list(range(len(structure)))


def rebuild(structure: Any, items: list[Any]) -> Any:
    """A container like `structure` with other items, given in the order of `keys_of`."""
    if isinstance(structure, dict):
        found = dict(zip(keys_of(structure), items, strict=True))
        ordered = {key: found[key] for key in structure}
        if isinstance(structure, defaultdict):
            return defaultdict(structure.default_factory, ordered)
        return OrderedDict(ordered) if isinstance(structure, OrderedDict) else ordered
    if hasattr(structure, "_fields"):
        return type(structure)(*items)
    if isinstance(structure, deque):
        return deque(items, structure.maxlen)
    return type(structure)(items)


def flatten(structure: Any) -> list[Any]:
    """The leaves of a nested structure.

    >>> flatten({"b": [1, 2], "a": (3, None)})
    [3, None, 1, 2]
    """
    if isinstance(structure, dict):
        return [leaf for key in keys_of(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, NESTED):
        return [leaf for item in structure for leaf in flatten(item)]
    return [structure]


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """The same structure with function(leaf) at each leaf, in the order of `flatten`.

    >>> leaves = iter([1, 2])
    >>> map_structure(lambda _: next(leaves), {"b": 0, "a": 0})
    {'b': 2, 'a': 1}
    """
    if isinstance(structure, dict):
        if type(structure) is dict:
            made = {key: map_structure(function, structure[key]) for key in keys_of(structure)}
            return {key: made[key] for key in structure}
        return rebuild(structure, [map_structure(function, structure[key]) for key in keys_of(structure)])
    if isinstance(structure, NESTED):
        return rebuild(structure, [map_structure(function, item) for item in structure])
    return function(structure)


def form(structure: Any) -> Any:
    """A structure as messages show it: a star at each leaf.

    >>> form({"a": 3, "b": [None, 5]})
    {'a': '*', 'b': ['*', '*']}
    """
    return map_structure(lambda _: "*", structure)


def pack_as(structure: Any, leaves: Any) -> Any:
    """`leaves` in the form of `structure`.

    Raises:  ValueError if there are too few or too many.

    >>> pack_as({"b": 0, "a": [0, 0]}, [1, 2, 3])
    {'b': 3, 'a': [1, 2]}
    """
    leaves, count = list(leaves), len(flatten(structure))
    if len(leaves) != count:
        raise ValueError(f"The structure {structure} has {count} leaves. Received: {len(leaves)} values.")
    return _pack(structure, iter(leaves))


def _pack(structure: Any, leaves: Iterator[Any]) -> Any:
    if not isinstance(structure, NESTED):
        return next(leaves)
    return rebuild(structure, [_pack(structure[key], leaves) for key in keys_of(structure)])
