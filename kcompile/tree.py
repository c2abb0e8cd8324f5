"""Functions of nested structures, as in ``keras.tree``.

Containers are lists, tuples, named tuples, deques and dicts; everything else, None included, is a leaf.
Entries of a dict are visited in sorted key order, those of an OrderedDict in their own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from kcompile.core import public_names
from kcompile.core import tree as _tree
from kcompile.core.tree import flatten as flatten
from kcompile.core.tree import is_nested as is_nested


class MAP_TO_NONE:
    """What a function given to `traverse` returns to put None in the place of a part."""


_MISMATCH = "Structures don't have the same nested structure."


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """The structure with func(part) in the place of every part for which it is not None.

    Args:    func: called on containers and leaves. top_down: containers before what is in them, which is not
             visited if the container was replaced; otherwise what is in them first.

    >>> traverse(lambda x: -x if isinstance(x, int) else None, [1, (2,)])
    [-1, (-2,)]
    """
    if top_down:
        found = func(structure)
        if found is None:
            return _traverse_items(func, structure, top_down)
    else:
        structure = _traverse_items(func, structure, top_down)
        found = func(structure)
        if found is None:
            return structure
    return None if found is MAP_TO_NONE else found


def _traverse_items(func: Callable[[Any], Any], structure: Any, top_down: bool) -> Any:
    if not is_nested(structure):
        return structure
    items = [traverse(func, structure[key], top_down) for key in _tree.keys_of(structure)]
    return _tree.rebuild(structure, items)


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves, each with the keys and positions that lead to it.

    >>> flatten_with_path([{"foo": 42}])
    [((0, 'foo'), 42)]
    """
    if not is_nested(structure):
        return [((), structure)]
    return [
        ((key, *path), leaf)
        for key in _tree.keys_of(structure)
        for path, leaf in flatten_with_path(structure[key])
    ]


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """A structure with func(leaf of each structure) at each leaf.

    Args:    none_is_leaf: False: None stays None and `func` does not see it.
    Raises:  ValueError without structures, or if they differ in their form.

    >>> map_structure(lambda a, b: a + b, {"x": [1, 2]}, {"x": [10, 20]})
    {'x': [11, 22]}
    """
    if not structures:
        raise ValueError("Must provide at least one structure")
    first = structures[0]
    if not none_is_leaf and any(x is None for x in structures):
        if any(x is not None for x in structures):
            raise ValueError(_MISMATCH)
        return None
    if not is_nested(first):
        if any(is_nested(other) for other in structures[1:]):
            raise ValueError(_MISMATCH)
        return func(*structures)
    items = [map_structure(func, *parts, none_is_leaf=none_is_leaf) for parts in _side_by_side(structures)]
    return _tree.rebuild(first, items)


def _side_by_side(structures: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The items of containers that must be alike."""
    first, *others = structures
    keys = _tree.keys_of(first)
    for other in others:
        both_dicts = isinstance(first, dict) and isinstance(other, dict)
        if not is_nested(other) or not (both_dicts or type(first) is type(other)) or len(other) != len(keys):
            raise ValueError(f"{_MISMATCH} Received: {first!r} and {other!r}")
        if both_dicts and set(other) != set(keys):
            raise ValueError(f"{_MISMATCH} Received: keys {list(first)} and {list(other)}")
    return [tuple(structure[key] for structure in structures) for key in keys]


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """`map_structure` that stops where `shallow_structure` has leaves: what is deeper goes to `func` whole.

    Raises:  ValueError without structures, or if one is shallower than `shallow_structure`.

    >>> map_structure_up_to([None, None], len, [[1, 1], [2, 2, 2]])
    [2, 3]
    """
    if not structures:
        raise ValueError("Must provide at least one structure")
    if not is_nested(shallow_structure):
        return func(*structures)
    parts = _side_by_side((shallow_structure, *structures))
    return _tree.rebuild(shallow_structure, [map_structure_up_to(s, func, *rest) for s, *rest in parts])


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """ValueError unless a and b are nested in the same way, with containers of the same types (dicts: of the
    same keys).
    """
    if check_types is not None:
        warnings.warn(
            "The `check_types` argument is deprecated and no longer has any effect; `assert_same_paths` "
            "is the looser check.",
            DeprecationWarning,
            stacklevel=2,
        )
    map_structure(lambda *_: None, a, b)


def assert_same_paths(a: Any, b: Any) -> None:
    """ValueError unless the same keys and positions lead to leaves of a and b, whatever their containers."""
    in_a, in_b = ({path for path, _ in flatten_with_path(x)} for x in (a, b))
    if in_a != in_b:
        raise ValueError(
            f"`a` and `b` don't have the same paths.\nPaths in `a` missing in `b`: {in_a - in_b}\n"
            f"Paths in `b` missing in `a`: {in_b - in_a}"
        )


def pack_sequence_as(structure: Any, flat_sequence: Any) -> Any:
    """A flat sequence in the form of `structure`.

    Raises:  ValueError if there are too few or too many items.

    >>> pack_sequence_as({"b": 0, "a": (0, 0)}, [1, 2, 3])
    {'b': 3, 'a': (1, 2)}
    """
    return _tree.pack_as(structure, flat_sequence)


def lists_to_tuples(structure: Any) -> Any:
    """The structure with tuples in the place of lists."""
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """`map_structure` for which a list or tuple of ints and None is a leaf: a shape.

    >>> map_shape_structure(lambda shape: shape[1:], {"x": (None, 3), "y": [(2, 1)]})
    {'x': (3,), 'y': [(1,)]}
    """
    if _is_shape(structure) or not is_nested(structure):
        return func(structure)
    items = [map_shape_structure(func, structure[key]) for key in _tree.keys_of(structure)]
    return _tree.rebuild(structure, items)


def _is_shape(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and all(isinstance(e, (int, type(None))) for e in x)


__all__ = public_names.of(__name__)
